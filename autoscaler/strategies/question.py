"""A snapshot as a packing problem, in money over the horizon: the question that `optimal` asks the optimiser.

Separate because the same question is asked to decide and to certify. What is at work on a plan, not active, or pinned is held
where it is; everything else may move for its price. No answer may be here.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from autoscaler.core.migration import predict_all
from autoscaler.core.model import AppVM
from autoscaler.core.policy import Limits
from autoscaler.core.snapshot import NOWHERE, BoolArray, FloatArray, IntArray, Snapshot
from autoscaler.packing.problem import Packing, Problem, moved, objective
from autoscaler.strategies.reading import app_vms_at_rest, cloud_vms_at_rest

HOUR_S = 3600.0
GIB = float(1 << 30)
LINK_SHARED_BY = Limits().parallel_migrations_per_cloud_vm  # unless a policy says otherwise


@dataclass(frozen=True, slots=True)
class Weights:
    """What things cost, in the catalogue's currency; see docs/objective.md for where the defaults come from."""

    horizon_s: float
    downtime_price_per_s: float
    moving_price_per_s: float
    moving_price_per_gib: float
    start_up_s: float
    minimum_billing_s: float
    bandwidth_bytes_per_s: float
    longest_pause_s: float

    def rented(self, price_per_hour: FloatArray) -> FloatArray:
        """Of renting one more for the horizon: its start-up is paid and serves nobody, and so is the least that is billed."""
        paid_s = max(self.horizon_s + self.start_up_s, self.minimum_billing_s)
        return np.asarray(price_per_hour * paid_s / HOUR_S)


@dataclass(frozen=True, slots=True)
class Room:
    """Up to where cloud VMs are filled, and (`stay_cpu_fraction`) up to where nobody has to leave. `isolate`: the label whose
    values are tenants, empty: none."""

    cpu_fraction: float
    stay_cpu_fraction: float
    memory_fraction: float
    cpu_overcommit: float
    isolate: str


@dataclass(frozen=True, slots=True, eq=False)
class Question:
    """`rows`: (items,) app VM row of each item, NOWHERE for a replica that is to be started."""

    problem: Problem
    rows: IntArray

    @property
    def stay(self) -> Packing:
        """Everybody stays; replicas to come are nowhere."""
        return Packing(self.problem.present, np.zeros(0, dtype=np.int64))

    @property
    def idle(self) -> BoolArray:
        """(bins,) paid for, with nobody on them, and free to be released."""
        here = np.bincount(self.problem.present[self.problem.present != NOWHERE], minlength=self.problem.bins)
        return np.asarray((here == 0) & ~self.problem.fixed)

    @property
    def price_of_staying(self) -> float:
        """What it costs over the horizon to leave all as it is: what is idle is paid for as well."""
        return objective(self.problem, self.stay) + float(self.problem.bin_price[self.idle].sum())

    def moving_cost(self, packing: Packing) -> float:
        """What the migrations of `packing` cost."""
        return float(self.problem.move_cost[moved(self.problem, packing)].sum())

    def without_idle(self, packing: Packing) -> Packing:
        """Everybody stays; only what is idle and not needed by `packing` for replicas to come is let go."""
        coming, bins = self.problem.present == NOWHERE, self.problem.bins
        place = np.where(coming, packing.place, self.problem.present)
        needed = np.unique(place[place >= bins])
        renumbered = np.where(place >= bins, bins + np.searchsorted(needed, place), place)
        return Packing(renumbered, packing.rented[needed - bins])


def must_move(problem: Problem) -> bool:
    """Whether somebody cannot stay: too full a bin, or company that is not allowed."""
    return bool(crowded(problem).any())


def crowded(problem: Problem) -> BoolArray:
    """(bins,) those that somebody has to leave."""
    placed = problem.present != NOWHERE
    used = np.zeros_like(problem.bin_capacity)
    np.add.at(used, problem.present[placed], problem.demand[placed])
    found: BoolArray = np.asarray((used > problem.bin_capacity * (1 + 1e-9)).any(axis=1), dtype=np.bool_)
    one, other = problem.present[problem.apart[:, 0]], problem.present[problem.apart[:, 1]]
    found[one[(one == other) & (one != NOWHERE)]] = True
    labelled = placed & (problem.tenant != NOWHERE)
    sharing = np.unique(np.stack([problem.present[labelled], problem.tenant[labelled]], axis=1), axis=0)
    rows, tenants = np.unique(sharing[:, 0], return_counts=True)
    found[rows[tenants > 1]] = True
    return np.asarray(found)


def relief(problem: Problem) -> Problem:
    """Only who is where somebody has to leave may move, nobody goes there, and nothing is released: what each move needs is
    there already, or is rented. Exchanges with cloud VMs that are full would be cheaper, and each half of one is refused."""
    full = crowded(problem)
    elsewhere = (problem.present != NOWHERE) & ~full[problem.present]
    return replace(
        problem,
        fixed=np.ones(problem.bins, dtype=np.bool_),
        closed=problem.closed | full,
        pinned=np.where(elsewhere, problem.present, problem.pinned),
    )


def ask(
    snapshot: Snapshot,
    wanted: FloatArray,
    expected: FloatArray,
    coming: list[tuple[AppVM, float]],
    weights: Weights,
    room: Room,
) -> Question:
    """`wanted`: (app VMs,) cores that are to be kept for each; `expected`: its mean; `coming`: replicas to start, each with
    what is to be kept for it."""
    inventory = snapshot.inventory
    rows = np.flatnonzero(snapshot.placement != NOWHERE)
    demand = np.stack([wanted, inventory.app_memory_bytes, inventory.app_cores], axis=1)[rows]
    newcomers = [[cores, float(app_vm.memory_bytes), app_vm.cores] for app_vm, cores in coming]
    demand = np.concatenate([demand, np.array(newcomers).reshape(len(newcomers), 3)])
    place = snapshot.placement[rows]
    present = np.concatenate([place, np.full(len(coming), NOWHERE)])
    held, resting = ~cloud_vms_at_rest(snapshot), app_vms_at_rest(snapshot)[rows]
    sizes = inventory.catalogue
    offered = np.array([[s.cores, s.memory_bytes, s.cores] for s in sizes], dtype=np.float64).reshape(len(sizes), 3)
    shares = np.array([room.cpu_fraction, room.memory_fraction, room.cpu_overcommit])
    price = np.array([size.price_per_hour for size in sizes], dtype=np.float64)
    pinned = np.concatenate([_pinned(snapshot, rows, place, held, resting), np.full(len(coming), NOWHERE)])
    problem = Problem(
        demand=demand,
        present=present,
        move_cost=np.concatenate([_moving(snapshot, rows, weights), np.zeros(len(coming))]),
        bin_capacity=_capacity(snapshot, demand[: len(rows)], place, expected[rows], held, shares, room),
        bin_price=inventory.cloud_price_per_hour * weights.horizon_s / HOUR_S,
        closed=held,
        fixed=held,
        size_capacity=offered * shares,
        size_price=weights.rented(price),
        size_limit=np.full(len(sizes), len(demand), dtype=np.int64),
        pinned=pinned.astype(np.int64),
        tenant=_tenants([*(snapshot.app_vms[row] for row in rows), *(a for a, _ in coming)], room.isolate),
        apart=_apart(snapshot, rows, [app_vm for app_vm, _ in coming]),
    )
    return Question(problem, np.concatenate([rows, np.full(len(coming), NOWHERE)]).astype(np.int64))


def _capacity(
    snapshot: Snapshot,
    demand: FloatArray,
    place: IntArray,
    expected: FloatArray,
    held: BoolArray,
    shares: FloatArray,
    room: Room,
) -> FloatArray:
    """Too full for newcomers is not yet too full for who is there: such a cloud VM takes nobody and loses nobody. One that
    is expected above the ceiling is relieved down to where newcomers are taken."""
    inventory = snapshot.inventory
    full = np.stack([inventory.cloud_cores, inventory.cloud_memory_bytes, inventory.cloud_cores], axis=1)
    reserved = np.array([snapshot.reserved_bytes.get(c.id, 0.0) for c in inventory.cloud_vms], dtype=np.float64)
    fill = full * shares
    fill[:, 1] = np.maximum(fill[:, 1] - reserved, 0.0)
    there = np.zeros_like(full)
    np.add.at(there, place, demand)
    likely = np.bincount(place, weights=expected, minlength=len(full))
    keeps = np.stack(
        [
            likely <= full[:, 0] * room.stay_cpu_fraction,
            there[:, 1] <= full[:, 1],
            there[:, 2] <= full[:, 2] * room.cpu_overcommit,
        ],
        axis=1,
    )
    keeps |= held[:, None]  # what a plan is at work on, or is not active, is left as it is
    return np.asarray(np.where(keeps, np.maximum(fill, there * (1 + 1e-9)), fill))


def _pinned(snapshot: Snapshot, rows: IntArray, place: IntArray, held: BoolArray, resting: BoolArray) -> IntArray:
    """Pins, and whoever a plan is moving or sits where one is at work."""
    bound = np.array([bool(snapshot.app_vms[row].pinned_to) for row in rows], dtype=np.bool_)
    return np.asarray(np.where(bound | ~resting | held[place], place, NOWHERE))


def _moving(snapshot: Snapshot, rows: IntArray, weights: Weights) -> FloatArray:
    """(rows,) money for one migration each: its pause, its duration, its bytes, by the migration model, as if it dirtied as
    much as ever in the window and shared the link. Who may be paused for longer than `longest_pause_s` costs the
    dearest size over the horizon on top: no saving is worth that, relief may have no choice."""
    memory, dirty = snapshot.memory_in_use_bytes[rows], snapshot.dirtied_most_bytes_per_s[rows]
    told, factors = predict_all(memory, dirty, weights.bandwidth_bytes_per_s / LINK_SHARED_BY), snapshot.correction
    pause_s = told.downtime_s * factors.downtime.factor
    dearest = max((size.price_per_hour for size in snapshot.catalogue), default=0.0)
    costs = (
        pause_s * weights.downtime_price_per_s
        + told.total_s * factors.total.factor * weights.moving_price_per_s
        + told.sent_bytes * factors.sent.factor / GIB * weights.moving_price_per_gib
        + np.where(pause_s > weights.longest_pause_s, dearest * weights.horizon_s / HOUR_S, 0.0)
    )
    return np.asarray(costs, dtype=np.float64)


def _tenants(app_vms: list[AppVM], label: str) -> IntArray:
    """(items,) tenants numbered in order of appearance; one without the label is alone with its like: the tenant ''."""
    if not label:
        return np.full(len(app_vms), NOWHERE, dtype=np.int64)
    numbers: dict[str, int] = {}
    values = [dict(app_vm.labels).get(label, "") for app_vm in app_vms]
    return np.array([numbers.setdefault(value, len(numbers)) for value in values], dtype=np.int64)


def _apart(snapshot: Snapshot, rows: IntArray, coming: list[AppVM]) -> IntArray:
    """(pairs, 2) of items."""
    apart, item_of = snapshot.inventory.apart, {int(row): item for item, row in enumerate(rows)}
    pairs = [
        (item, item_of[int(other)])
        for row, item in item_of.items()
        for other in apart.rivals(row)
        if int(other) in item_of and item_of[int(other)] > item
    ]
    for number, app_vm in enumerate(coming):
        item = len(rows) + number
        pairs += [(item_of[int(other)], item) for other in apart.rivals_of(app_vm) if int(other) in item_of]
        own = app_vm.service != "" and app_vm.service in app_vm.apart_from
        pairs += [(item - number + n, item) for n in range(number) if own and coming[n].service == app_vm.service]
    return np.array(pairs, dtype=np.int64).reshape(len(pairs), 2)
