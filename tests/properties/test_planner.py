"""Plans over random worlds, carried out in random interleavings: what must hold at every instant, and at the end."""

import re
from dataclasses import replace

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from autoscaler.core.draft import Ground, Transfer
from autoscaler.core.effect import Arrival, Effect, Relocation
from autoscaler.core.expand import clash
from autoscaler.core.model import AppVM, CloudVM, CloudVMSize, CloudVMState
from autoscaler.core.ordering import order
from autoscaler.core.planner import _best_attempt, make_plan
from autoscaler.core.policy import Limits
from autoscaler.core.snapshot import CPU, DIRTY, MEMORY, Inventory, Snapshot
from autoscaler.core.steps import Cordon, Migrate, ReleaseCloudVM, StopAppVM
from autoscaler.core.wish import Board

MIB = 1 << 20
STATES = [CloudVMState.ACTIVE] * 6 + [CloudVMState.CORDONED, CloudVMState.STARTING]


def snapshot_of(clouds, apps, placement):
    """`clouds`, `apps`: the objects; `placement`: a row per app VM."""
    usage = {metric: np.zeros((len(apps), 1)) for metric in (CPU, DIRTY)}
    usage[MEMORY] = np.array([float(a.memory_bytes) for a in apps]).reshape(-1, 1)
    return Snapshot(
        0.0,
        Inventory((), tuple(clouds), tuple(apps), ()),
        np.array(placement, dtype=np.int64),
        usage,
        np.zeros(len(apps)),
    )


def cloud(row, mib, state=CloudVMState.ACTIVE, stem="cloud"):
    return CloudVM(f"[{stem}{row}]", CloudVMSize(f"s{mib}", 1.0, mib * MIB, 1.0), state)


def lay_out(draw, clouds, most_apps):
    """App VMs on cloud VMs, as tight as comes, never over memory."""
    room = [c.size.memory_bytes // MIB for c in clouds]
    apps, placement = [], []
    for n in range(draw(st.integers(1, most_apps))):
        row, mib = draw(st.integers(0, len(clouds) - 1)), draw(st.integers(1, 6))
        if room[row] >= mib:
            room[row] -= mib
            apart = (f"[app{draw(st.integers(0, 5))}]",) if draw(st.integers(0, 5)) == 0 else ()
            pinned = clouds[draw(st.integers(0, len(clouds) - 1))].id if draw(st.integers(0, 9)) == 0 else ""
            apps.append(AppVM(f"[app{n}]", memory_bytes=mib * MIB, apart_from=apart, pinned_to=pinned))
            placement.append(row)
    return apps, placement, room


@st.composite
def wishes(draw):
    """A world of up to 5 cloud VMs and 10 app VMs, some effects on it, and memory reserved where some is free."""
    clouds = [cloud(i, draw(st.integers(3, 12)), draw(st.sampled_from(STATES))) for i in range(draw(st.integers(2, 5)))]
    apps, placement, room = lay_out(draw, clouds, 10)
    reserved = {c.id: float(MIB) for c, r in zip(clouds, room, strict=True) if r and draw(st.integers(0, 7)) == 0}
    created = [cloud(i, draw(st.integers(3, 12)), stem="new") for i in range(draw(st.integers(0, 1)))]
    at = {a.id: clouds[row].id for a, row in zip(apps, placement, strict=True)}
    effects = [Effect(creates=tuple(created))] if created else []
    for n in range(draw(st.integers(1, 4))):
        movers = [a for a in apps if at[a.id] and draw(st.booleans())]
        moves, stops = [], []
        for a in movers:
            target = draw(st.sampled_from([*clouds, *created])).id
            if draw(st.integers(0, 7)) == 0:
                stops.append(a.id)
                at[a.id] = ""
            elif target != at[a.id]:
                moves.append(Relocation(a.id, at[a.id], target))
                at[a.id] = target
        starts = [
            Arrival(
                AppVM(f"[start{n}]", memory_bytes=draw(st.integers(1, 6)) * MIB),
                draw(st.sampled_from([*clouds, *created])).id,
            )
        ]
        releases = [c.id for c in clouds if c.id not in at.values() and draw(st.integers(0, 3)) == 0]
        effects.append(
            Effect((), tuple(starts[: draw(st.integers(0, 1))]), tuple(stops), tuple(moves), tuple(releases[:1]))
        )
    return snapshot_of(clouds, apps, placement), tuple(effects), reserved


@st.composite
def tangles(draw):
    """Full cloud VMs of one size whose contents change places (pairs, cycles), and what little room there is to park."""
    mib = draw(st.integers(4, 9))
    full = draw(st.integers(2, 6))
    clouds = [cloud(i, mib) for i in range(full)] + [
        cloud(full + i, draw(st.integers(1, mib))) for i in range(draw(st.integers(0, 2)))
    ]
    to = draw(st.permutations(range(full)))
    apps, placement, moves = [], [], []
    for row in range(full):
        left = mib - draw(st.integers(0, 1))
        while left > 0 and len(apps) < 3 * full:
            taken = draw(st.integers(1, left))
            apart = (f"[app{draw(st.integers(0, 9))}]",) if draw(st.integers(0, 9)) == 0 else ()
            apps.append(AppVM(f"[app{len(apps)}]", memory_bytes=taken * MIB, apart_from=apart))
            placement.append(row)
            left -= taken
            if to[row] != row:
                moves.append(Relocation(apps[-1].id, clouds[row].id, clouds[to[row]].id))
    cut = draw(st.integers(0, len(moves)))  # two effects where the cut is inside
    effects = tuple(Effect(moves=part) for part in (tuple(moves[:cut]), tuple(moves[cut:])) if part)
    return snapshot_of(clouds, apps, placement), effects, {}


def plan_of(world):
    snapshot, effects, reserved = world
    return make_plan("p", "d", snapshot, effects, reserved, Limits())


class Simulated:
    """A cluster in which steps overlap as the caller likes; every change is followed by a look at everybody's memory."""

    def __init__(self, snapshot, reserved):
        self.clouds = {c.id: c for c in snapshot.cloud_vms}
        self.apps = {a.id: a for a in snapshot.app_vms}
        self.at = {
            a.id: snapshot.cloud_vms[row].id for a, row in zip(snapshot.app_vms, snapshot.placement, strict=True)
        }
        self.held = {}  # step id -> (app VM, cloud VM): room taken by what is under way
        self.cordoned, self.reserved = (
            {c.id for c in snapshot.cloud_vms if c.state is not CloudVMState.ACTIVE},
            reserved,
        )

    def on(self, cloud_vm):
        return [a for a, c in [*self.at.items(), *self.held.values()] if c == cloud_vm]

    def begin(self, step):
        action = step.action
        if isinstance(action, Migrate):
            assert self.at[action.app_vm] == action.source
        if isinstance(action, ReleaseCloudVM):
            assert (self.on(action.cloud_vm), action.cloud_vm in self.cordoned) == ([], True)
        if action.arrival is not None:
            name, target = action.arrival
            app = self.apps.setdefault(name, getattr(action, "app_vm", None))
            assert target in self.clouds.keys() - self.cordoned
            assert clash(app, [self.apps[other] for other in self.on(target)]) is None
            self.held[step.id] = (name, target)
            assert (
                sum(self.apps[a].memory_bytes for a in self.on(target)) + self.reserved.get(target, 0.0)
                <= self.clouds[target].size.memory_bytes
            )
            assert sum(a == name for a, _ in self.held.values()) == 1

    def end(self, step):
        action = step.action
        if action.arrival is not None:
            name, target = self.held.pop(step.id)
            self.at[name] = target
        elif isinstance(action, StopAppVM):
            del self.at[action.app_vm]
        elif isinstance(action, Cordon):
            self.cordoned.add(action.cloud_vm)
        elif isinstance(action, ReleaseCloudVM):
            del self.clouds[action.cloud_vm]
        else:
            self.clouds[action.cloud_vm] = CloudVM(action.cloud_vm, action.size)


def carry_out(plan, simulated, chance):
    """Begin and end steps in any order that `requires` allows: eagerly, lazily or anything between."""
    waiting, running, done = list(plan.steps), [], set()
    haste = chance.random()
    while waiting or running:
        ready = [step for step in waiting if done.issuperset(step.requires)]
        if ready and (not running or chance.random() < haste):
            step = ready[chance.integers(len(ready))]
            waiting.remove(step)
            running.append(step)
            simulated.begin(step)
        else:
            assert running, "the plan waits for itself"
            step = running.pop(chance.integers(len(running)))
            simulated.end(step)
            done.add(step.id)


def wished(world):
    """Where everybody shall be, told from the effects alone, leaving out those that the planner left out."""
    snapshot, effects, reserved = world
    _, dropped = _best_attempt(Board(snapshot, effects, reserved), effects)
    at = {a.id: snapshot.cloud_vms[row].id for a, row in zip(snapshot.app_vms, snapshot.placement, strict=True)}
    for number, effect in enumerate(effects):
        if number not in dropped:
            at |= {arrival.app_vm.id: arrival.cloud_vm for arrival in effect.starts}
            at |= {move.app_vm: move.target for move in effect.moves}
            at = {name: c for name, c in at.items() if name not in effect.stops}
    return at, dropped


@settings(max_examples=400, deadline=None)
@given(wishes() | tangles(), st.integers(0, 2**32))
def test_no_interleaving_overfills_a_cloud_vm_and_all_end_where_they_were_wished(world, seed):
    plan = plan_of(world)
    expected, dropped = wished(world)
    assert len(plan.infeasible) == len(dropped)
    assert all(plan.infeasible)
    ids = [step.id for step in plan.steps]
    assert all(ids.index(required) < n for n, step in enumerate(plan.steps) for required in step.requires)
    for chance in map(np.random.default_rng, (seed, seed + 1, seed + 2)):
        simulated = Simulated(world[0], world[2])
        carry_out(plan, simulated, chance)
        assert simulated.at == expected
    released = {c for n, effect in enumerate(world[1]) if n not in dropped for c in effect.releases}
    assert released.isdisjoint(simulated.clouds)


def renamed(value, names):
    """Every id in a text exchanged: ids stand in brackets, so no name is part of another."""
    return re.sub(r"\[\w+\]", lambda found: names.get(found[0], found[0]), value)


def renamed_world(world, names):
    snapshot, effects, reserved = world

    def name(old):
        return names.get(old, old)

    def app(a):
        return replace(
            a, id=name(a.id), pinned_to=name(a.pinned_to), apart_from=tuple(name(other) for other in a.apart_from)
        )

    def effect(e):
        return Effect(
            tuple(replace(c, id=name(c.id)) for c in e.creates),
            tuple(Arrival(app(a.app_vm), name(a.cloud_vm)) for a in e.starts),
            tuple(name(s) for s in e.stops),
            tuple(Relocation(name(m.app_vm), name(m.source), name(m.target)) for m in e.moves),
            tuple(name(r) for r in e.releases),
        )

    clouds = [replace(c, id=name(c.id)) for c in snapshot.cloud_vms]
    twin = snapshot_of(clouds, [app(a) for a in snapshot.app_vms], snapshot.placement)
    return twin, tuple(effect(e) for e in effects), {name(c): taken for c, taken in reserved.items()}


@settings(max_examples=150, deadline=None)
@given(wishes() | tangles(), st.randoms(use_true_random=False))
def test_other_names_change_nothing_but_names_and_the_same_world_gives_the_same_plan(world, chance):
    snapshot, effects, _ = world
    known = sorted(set(re.findall(r"\[\w+\]", repr((snapshot.cloud_vms, snapshot.app_vms, effects)))))
    shuffled = [f"[{n:02}]" for n in range(len(known))]
    chance.shuffle(shuffled)
    names = dict(zip(known, shuffled, strict=True))
    plan = plan_of(world)
    assert plan_of(world) == plan
    assert repr(plan_of(renamed_world(world, names))) == renamed(repr(plan), names)


def greedily(rooms, moves):
    """Whether always making the first move that fits makes them all."""
    first = next((n for n, (mib, _, target) in enumerate(moves) if rooms[target] >= mib), None)
    if first is None:
        return not moves
    mib, source, target = moves[first]
    after = [room + mib * ((row == source) - (row == target)) for row, room in enumerate(rooms)]
    return greedily(after, moves[:first] + moves[first + 1 :])


def directly(rooms, moves):
    """Whether `moves` (MiB, source, target) can be made one at a time, by trying all orders."""
    if not moves:
        return True
    for n, (mib, source, target) in enumerate(moves):
        if rooms[target] >= mib:
            after = list(rooms)
            after[target] -= mib
            after[source] += mib
            if directly(after, moves[:n] + moves[n + 1 :]):
                return True
    return False


def test_where_any_order_without_parking_exists_one_is_found_and_nobody_is_parked():
    """The completeness that is claimed (core/ordering), on 20,000 tight worlds of at most 4 app VMs and 3 cloud VMs."""
    chance, missed = np.random.default_rng(7), 0
    for _ in range(20_000):
        rooms = chance.integers(0, 4, 3).tolist()
        ends = [chance.permutation(3)[:2].tolist() for _ in range(4)]
        moves = [(int(chance.integers(1, 4)), source, target) for source, target in ends]
        transfers = [Transfer(n, float(mib), source, target) for n, (mib, source, target) in enumerate(moves)]
        ground = Ground(rooms, range(3), lambda *_: True, lambda *_: False, lambda _: (), wary=False)
        legs, stuck = order(ground, transfers)
        possible = directly(rooms, moves)
        assert possible == (not stuck and len(legs) == len(moves))
        missed += possible and not greedily(rooms, moves)
    assert missed > 20  # worlds in which the first that fits is not always right: the search is needed, and was tested
