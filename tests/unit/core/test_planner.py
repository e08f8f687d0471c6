"""The planner by hand-made cases, each with the exact steps expected: small enough to be checked on paper."""

import time

import numpy as np
import pytest

from autoscaler.core.draft import Ground, Transfer
from autoscaler.core.effect import Arrival, Effect, Relocation
from autoscaler.core.model import AppVM, CloudVM, CloudVMSize, CloudVMState
from autoscaler.core.ordering import order, search
from autoscaler.core.planner import make_plan
from autoscaler.core.policy import Limits
from autoscaler.core.snapshot import CPU, DIRTY, MEMORY, Inventory, Snapshot
from autoscaler.core.steps import Cordon, Migrate, ReleaseCloudVM

MIB = 1 << 20


def size_of(mib):
    return CloudVMSize(f"s{mib}", 4.0, mib * MIB, 0.1)


def app(name, mib, **more):
    return AppVM(name, memory_bytes=mib * MIB, **more)


def world(places, *, dirty=0.0, states=None, in_use_mib=None):
    """`places`: cloud VM id -> (its MiB, [app VMs, or (name, MiB)])."""
    clouds = [CloudVM(c, size_of(mib), (states or {}).get(c, CloudVMState.ACTIVE)) for c, (mib, _) in places.items()]
    apps = [
        (a if isinstance(a, AppVM) else app(*a), row) for row, (_, here) in enumerate(places.values()) for a in here
    ]
    used = [in_use_mib * MIB if in_use_mib else a.memory_bytes for a, _ in apps]
    return Snapshot(
        at=0.0,
        inventory=Inventory((), tuple(clouds), tuple(a for a, _ in apps), ()),
        placement=np.array([row for _, row in apps], dtype=np.int64),
        usage={
            CPU: np.zeros((len(apps), 1)),
            MEMORY: np.array(used, dtype=np.float64).reshape(-1, 1),
            DIRTY: np.full((len(apps), 1), dirty),
        },
        sampled_at=np.zeros(len(apps)),
    )


def moves(*triples, **more):
    return Effect(moves=tuple(Relocation(*triple.replace(">", " ").split()) for triple in triples), **more)


def plan_of(snapshot, *effects, reserved=None):
    return make_plan("p1", "d1", snapshot, effects, reserved or {}, Limits())


def told(plan):
    """Each step as a line: what it does, then the numbers of the steps it requires."""

    def line(step):
        a = step.action
        what = {
            "migrate": lambda: f"{a.app_vm} {a.source}>{a.target}",
            "start_app_vm": lambda: f"start {a.app_vm.id} on {a.cloud_vm}",
            "stop_app_vm": lambda: f"stop {a.app_vm}",
            "create_cloud_vm": lambda: f"create {a.cloud_vm}",
            "release_cloud_vm": lambda: f"release {a.cloud_vm}",
            "cordon": lambda: f"cordon {a.cloud_vm}",
        }[a.kind]()
        after = " ".join(required.removeprefix("p1.s") for required in step.requires)
        return f"{what} after {after}" if after else what

    assert [step.id for step in plan.steps] == [f"p1.s{n + 1}" for n in range(len(plan.steps))]
    return [line(step) for step in plan.steps]


def test_a_drain_cordons_moves_everything_at_once_and_releases_when_all_have_left():
    snapshot = world({"X": (200, [("a", 50), ("b", 50)]), "Y": (200, [("c", 100)])})
    plan = plan_of(snapshot, moves("a X>Y", "b X>Y", releases=("X",)))
    assert told(plan) == ["cordon X", "a X>Y", "b X>Y", "release X after 1 2 3"]
    assert plan.infeasible == ()
    assert (plan.id, plan.decision) == ("p1", "d1")
    assert [step.undo for step in plan.steps] == [Cordon("X", on=False), None, None, None]


def test_an_arrival_that_does_not_fit_waits_for_a_departure_and_so_do_all_that_arrive_after_it():
    snapshot = world({"X": (100, [("a", 60)]), "Y": (100, [("b", 60), ("d", 20)]), "Z": (100, [("c", 10)])})
    plan = plan_of(snapshot, moves("b Y>Z"), moves("a X>Y"), moves("c Z>Y"))
    assert told(plan) == ["b Y>Z", "a X>Y after 1", "c Z>Y after 1"]


def test_a_chain_runs_from_its_free_end():
    snapshot = world({"X": (100, [("a", 100)]), "Y": (100, [("b", 100)]), "Z": (100, [])})
    assert told(plan_of(snapshot, moves("a X>Y"), moves("b Y>Z"))) == ["b Y>Z", "a X>Y after 1"]


def test_a_swap_is_broken_by_parking_the_smaller_one():
    snapshot = world({"X": (100, [("a", 60), ("k", 30)]), "Y": (100, [("b", 50), ("l", 30)]), "Z": (60, [])})
    plan = plan_of(snapshot, moves("a X>Y", "b Y>X"))
    assert told(plan) == ["b Y>Z", "a X>Y after 1", "b Z>X after 1 2"]


def test_a_swap_that_fits_at_once_needs_no_parking():
    snapshot = world({"X": (100, [("a", 50)]), "Y": (100, [("b", 50)]), "Z": (100, [])})
    assert told(plan_of(snapshot, moves("a X>Y", "b Y>X"))) == ["a X>Y", "b Y>X"]


def test_a_cycle_of_three_is_broken_by_one_parking_move():
    snapshot = world({"X": (100, [("a", 80)]), "Y": (100, [("b", 70)]), "Z": (100, [("c", 60)]), "P": (60, [])})
    plan = plan_of(snapshot, moves("a X>Y", "b Y>Z", "c Z>X"))
    assert told(plan) == ["c Z>P", "b Y>Z after 1", "a X>Y after 2", "c P>X after 1 3"]


def test_without_a_parking_place_the_reason_states_numbers_and_what_would_help():
    snapshot = world({"X": (100, [("a", 60)]), "Y": (100, [("b", 50)]), "Z": (100, [("z", 70)])})
    plan = plan_of(snapshot, moves("a X>Y", "b Y>X"))
    assert plan.steps == ()
    assert plan.infeasible == (
        (
            "2 app VMs wait for each other and none can be parked meanwhile: "
            "a needs 60 MiB on Y, where 50 MiB can be free before it moves; parking b takes 50 MiB, the most elsewhere is 30 MiB on Z; "
            "a cloud VM with 50 MiB free that b may run on would help"
        ),
    )


@pytest.mark.parametrize("state", [s for s in CloudVMState if s is not CloudVMState.ACTIVE])
def test_nobody_is_parked_where_nobody_may_arrive(state):
    snapshot = world({"X": (100, [("a", 60)]), "Y": (100, [("b", 60)]), "Z": (100, [])}, states={"Z": state})
    plan = plan_of(snapshot, moves("a X>Y", "b Y>X"))
    assert plan.steps == ()
    assert len(plan.infeasible) == 1


def test_nobody_is_parked_on_what_is_released():
    snapshot = world({"X": (100, [("a", 60)]), "Y": (100, [("b", 60)]), "Z": (100, [])})
    plan = plan_of(snapshot, Effect(releases=("Z",)), moves("a X>Y", "b Y>X"))
    assert told(plan) == ["cordon Z", "release Z after 1"]
    assert len(plan.infeasible) == 1


def test_a_pinned_app_vm_is_not_parked_the_other_one_is():
    snapshot = world({"X": (100, [("a", 80)]), "Y": (100, [app("b", 60, pinned_to="X")]), "Z": (100, [])})
    assert told(plan_of(snapshot, moves("a X>Y", "b Y>X"))) == ["a X>Z", "b Y>X after 1", "a Z>Y after 1 2"]


def test_who_must_stay_apart_is_not_parked_together_and_does_not_meet_on_the_way():
    apart = app("b", 60, apart_from=("z",))
    snapshot = world({"X": (100, [("a", 80)]), "Y": (100, [apart]), "Z": (100, [("z", 10)]), "W": (100, [])})
    assert told(plan_of(snapshot, moves("a X>Y", "b Y>X")))[0] == "b Y>W"
    roomy = world({"X": (900, [app("a", 60, apart_from=("b",))]), "Y": (900, [("b", 60)]), "Z": (900, [])})
    assert told(plan_of(roomy, moves("a X>Y", "b Y>Z"))) == ["b Y>Z", "a X>Y after 1"]


def test_two_that_must_stay_apart_are_not_brought_together():
    snapshot = world({"X": (100, [app("a", 10, apart_from=("b",)), ("b", 10)]), "Y": (100, [])})
    plan = plan_of(snapshot, moves("a X>Y"), moves("b X>Y"))
    assert told(plan) == ["a X>Y"]
    reason = "b must stay apart from a, which stays on Y; another cloud VM for one of them would help"
    assert plan.infeasible == (reason,)


def test_scale_up_creates_fills_and_releases():
    snapshot = world({"X": (100, [("a", 60), ("b", 30)])})
    plan = plan_of(snapshot, moves("a X>N", "b X>N", creates=(CloudVM("N", size_of(200)),), releases=("X",)))
    assert told(plan) == ["cordon X", "create N", "a X>N after 2", "b X>N after 2", "release X after 1 3 4"]
    assert plan.steps[1].undo == ReleaseCloudVM("N")
    assert [step.deadline_s for step in plan.steps] == [120.0, 900.0, 120.0, 120.0, 120.0]


def test_scale_out_goes_into_the_room_that_scale_in_frees():
    snapshot = world({"X": (100, [("a", 60), ("k", 40)])})
    plan = plan_of(snapshot, Effect(starts=(Arrival(app("n", 60), "X"),)), Effect(stops=("a",)))
    assert told(plan) == ["stop a", "start n on X after 1"]


def test_stops_come_after_starts_where_nobody_waits_for_them():
    snapshot = world({"X": (100, [("a", 40)])})
    plan = plan_of(snapshot, Effect(stops=("a",)), Effect(starts=(Arrival(app("n", 60), "X"),)))
    assert told(plan) == ["start n on X", "stop a"]


def test_there_and_back_is_no_step_and_a_detour_is_one():
    snapshot = world({"X": (100, [("a", 60), ("b", 10)]), "Y": (100, []), "Z": (100, [])})
    plan = plan_of(snapshot, moves("a X>Y", "b X>Y"), moves("a Y>X", "b Y>Z"))
    assert told(plan) == ["b X>Z"]


def test_moved_then_stopped_is_only_stopped_and_started_then_stopped_is_nothing():
    snapshot = world({"X": (100, [("a", 60)]), "Y": (100, [])})
    begun = Effect(starts=(Arrival(app("n", 10), "Y"),))
    assert told(plan_of(snapshot, moves("a X>Y"), begun, Effect(stops=("a", "n")))) == ["stop a"]


def test_memory_kept_for_other_plans_is_not_given_away():
    snapshot = world({"X": (100, [("a", 50)]), "Y": (100, [])})
    assert told(plan_of(snapshot, moves("a X>Y"), reserved={"Y": 50.0 * MIB})) == ["a X>Y"]
    plan = plan_of(snapshot, moves("a X>Y"), reserved={"Y": 51.0 * MIB})
    assert plan.steps == ()
    assert plan.infeasible == ("Y would hold 101 MiB of 100 MiB; 1 MiB more there would help",)


def test_a_cloud_vm_on_which_another_plan_counts_is_not_released():
    plan = plan_of(world({"X": (100, [])}), Effect(releases=("X",)), reserved={"X": 8.0 * MIB})
    assert plan.infeasible == ("X cannot be released: 8 MiB of it are kept for app VMs on their way there",)


def test_a_release_waits_for_what_was_parked_elsewhere_and_needs_everyone_gone():
    snapshot = world({"X": (100, [("a", 60), ("b", 10)]), "Y": (100, [])})
    plan = plan_of(snapshot, moves("a X>Y", releases=("X",)))
    assert plan.steps == ()
    assert plan.infeasible == ("X cannot be released: b stays on it",)
    filled = plan_of(snapshot, Effect(releases=("Y",)), moves("a X>Y"))
    assert told(filled) == ["cordon Y", "release Y after 1"]
    assert filled.infeasible == ("Y cannot be released: a shall be on it",)


def test_one_that_an_operator_had_cordoned_stays_cordoned_after_an_undo():
    snapshot = world({"X": (100, [])}, states={"X": CloudVMState.CORDONED})
    assert plan_of(snapshot, Effect(releases=("X",))).steps[0].undo is None


def test_what_can_be_done_is_done():
    snapshot = world({"X": (100, [("a", 60)]), "Y": (100, [("b", 60)]), "Z": (50, [("c", 20)]), "W": (50, [])})
    plan = plan_of(snapshot, moves("c Z>W"), moves("a X>Y"), moves("b Y>X"), moves("nobody X>Y"))
    assert told(plan) == ["c Z>W"]
    assert [reason.split(" ")[0] for reason in plan.infeasible] == ["Y", "X", "there"]


def test_an_effect_dropped_for_the_sake_of_another_one_that_fails_too_is_tried_once_more():
    snapshot = world({"X": (100, [("a", 60)]), "Y": (100, [("y", 80)]), "Z": (100, [("c", 20)])})
    plan = plan_of(snapshot, moves("a X>Y"), moves("c Z>Y"))
    assert told(plan) == ["c Z>Y"]
    assert plan.infeasible == ("Y would hold 140 MiB of 100 MiB; 40 MiB more there would help",)


@pytest.mark.parametrize(
    ("effect", "reason"),
    [
        (moves("a Y>X"), "a is on X, not on Y"),
        (moves("a X>Q"), "there is no cloud VM Q"),
        (Effect(stops=("q",)), "there is no app VM q"),
        (Effect(starts=(Arrival(app("a", 1), "Y"),)), "a is on X already"),
        (Effect(releases=("Q",)), "there is no cloud VM Q to release"),
        (moves("a X>S"), "S takes no app VMs: starting"),
    ],
)
def test_an_effect_that_does_not_follow_from_the_snapshot_says_why(effect, reason):
    snapshot = world({"X": (100, [("a", 60)]), "Y": (100, []), "S": (100, [])}, states={"S": CloudVMState.STARTING})
    plan = plan_of(snapshot, effect)
    assert plan.infeasible == (reason,)
    assert plan.steps == ()


def test_a_long_migration_has_a_long_deadline():
    """4 GiB in use, half the bandwidth dirtied: rounds of 34.4 s, 17.2 s, ... and a pause of 1.3 s, times ten."""
    snapshot = world({"X": (8192, [("a", 4096)]), "Y": (8192, [])}, dirty=62.5e6)
    (step,) = plan_of(snapshot, moves("a X>Y")).steps
    copying_s = 4096 * MIB / 125e6 * (1 + 1 / 2 + 1 / 4 + 1 / 8 + 1 / 16)
    pause_s = 0.2 + 4096 * MIB / 125e6 / 32
    assert step.deadline_s == pytest.approx(10 * (1.0 + copying_s + pause_s))


def test_the_search_finds_the_order_that_greed_misses():
    """Greed lets a (10) in first; then b and d wait for each other. b first, and d can leave."""
    transfers = [Transfer(0, 10.0, 2, 0), Transfer(1, 5.0, 1, 0), Transfer(2, 5.0, 0, 1)]
    ground = Ground([10.0, 0.0, 0.0], (), lambda *_: True, lambda *_: False, lambda _: (), wary=False)
    assert [t.app for t in search(ground, transfers)] == [1, 2, 0]
    legs, stuck = order(ground, transfers)
    assert stuck == ()
    assert [(leg.transfer.app, leg.requires) for leg in legs] == [(1, ()), (2, (0,)), (0, (1,))]


@pytest.mark.parametrize("kind", ["drain", "swaps"])
def test_a_thousand_moves_over_a_thousand_cloud_vms_take_less_than_a_tenth_of_a_second(kind):
    n = 1000
    pairs = range(0, n, 2)
    if kind == "drain":
        places = {f"c{i}": (100, [(f"a{i}", 40), (f"b{i}", 40)] if i % 2 == 0 else []) for i in range(n)}
        effects = [moves(f"a{i} c{i}>c{i + 1}", f"b{i} c{i}>c{i + 1}", releases=(f"c{i}",)) for i in pairs]
    else:
        places = {f"c{i}": (100, [(f"a{i}", 80)]) for i in range(n)} | {"spare": (100, [])}
        effects = [moves(f"a{i} c{i}>c{i + 1}", f"a{i + 1} c{i + 1}>c{i}") for i in pairs]
    snapshot = world(places)
    took = []
    for _ in range(5):
        begun = time.process_time()
        plan = plan_of(snapshot, *effects)
        took.append(time.process_time() - begun)
    assert plan.infeasible == ()
    assert sum(isinstance(step.action, Migrate) for step in plan.steps) == (n if kind == "drain" else n + n // 2)
    assert min(took) < 0.1
