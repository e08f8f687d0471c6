"""What each of the six actions comes to, and the exact reason where it makes no sense."""

from dataclasses import replace

import pytest
from clusters import SIZES, app, cluster, service, snapshot
from stories import FREE, consolidate, scale_down, scale_in, scale_out, scale_up, separate

from autoscaler.core.decision import Denial
from autoscaler.core.effect import Arrival, Effect, Relocation
from autoscaler.core.expand import Mint, expand
from autoscaler.core.model import CloudVM, CloudVMState
from autoscaler.core.projection import Projection

WEB = {"X": ["web-1", "web-2"], "Y": ["c"]}


def expanded(wish, observed=None, *, before=(), limits=FREE, **projected):
    seen = snapshot(observed or cluster(WEB, services=[service("web")]))
    view, mint = Projection(seen, **projected), Mint("7", seen.inventory)
    for earlier in before:
        effect = expand(earlier, view, limits, mint)
        assert isinstance(effect, Effect)
        view.apply(effect)
    return expand(wish, view, limits, mint)


def replica(name="web-7-1", **more):
    return app(name, service="web", **more)


def new(size, name="cloud-7-1"):
    return CloudVM(name, SIZES[size], CloudVMState.ACTIVE)


def test_scale_out_goes_to_the_fullest_cloud_vm_that_has_room():
    busy = cluster(WEB, services=[service("web")], cpu={"c": 2.0})
    assert expanded(scale_out("web"), busy) == Effect(starts=(Arrival(replica(), "Y"),))
    full = cluster(WEB, services=[service("web")], cpu={"c": 3.6})
    assert expanded(scale_out("web"), full) == Effect(starts=(Arrival(replica(), "X"),))
    assert expanded(scale_out("web", "Y")) == Effect(starts=(Arrival(replica(), "Y"),))


def test_scale_out_rents_the_cheapest_size_that_holds_a_replica_where_no_cloud_vm_does():
    small = cluster({"X": ["web-1"]}, sizes={"X": "small"}, services=[service("web", mib=950)])
    assert expanded(scale_out("web"), small) == Effect(
        creates=(new("small", "cloud-7-2"),), starts=(Arrival(replica(mib=950), "cloud-7-2"),)
    )
    tight = replace(FREE, memory_headroom_fraction=0.1)
    assert expanded(scale_out("web"), small, limits=tight).creates == (new("medium", "cloud-7-2"),)


def test_scale_out_rents_the_size_that_it_names_if_that_holds_a_replica():
    small = cluster({"X": ["web-1"]}, sizes={"X": "small"}, services=[service("web", mib=950)])

    def rented(size, limits=FREE):
        return expanded(replace(scale_out("web"), new_size=size), small, limits=limits).creates

    assert rented("large") == (new("large", "cloud-7-2"),)
    assert rented("none of ours") == (new("small", "cloud-7-2"),)
    assert rented("small", replace(FREE, memory_headroom_fraction=0.1)) == (new("medium", "cloud-7-2"),)


def test_the_second_replica_joins_the_first_on_its_new_cloud_vm():
    small = cluster(
        {"X": ["web-1"]}, sizes={"X": "small"}, services=[service("web", mib=500, cores=0.5)], cpu={"web-1": 1.9}
    )
    second = expanded(
        scale_out("web"), small, before=[scale_out("web")], limits=replace(FREE, cpu_headroom_fraction=0.02)
    )
    assert second.creates
    light = cluster({"X": [app("web-1", 600)]}, sizes={"X": "small"}, services=[service("web", mib=500)])
    second = expanded(scale_out("web"), light, before=[scale_out("web")])
    assert second == Effect(starts=(Arrival(replica("web-7-3", mib=500), "cloud-7-2"),))


def test_replicas_that_keep_apart_do_not_meet_each_other_nor_one_on_its_way():
    apart = cluster({"X": ["web-1"], "Y": []}, services=[service("web", apart_from=("web",))])
    assert expanded(scale_out("web"), apart).starts[0].cloud_vm == "Y"
    coming = [Arrival(replica("web-5-1"), "Y")]
    assert expanded(scale_out("web"), apart, arriving=coming).creates
    assert expanded(scale_out("web"), apart, closed=["Y"]).creates


@pytest.mark.parametrize(
    ("observed", "reason"),
    [
        (
            cluster({"X": ["web-1"]}, services=[service("web", mib=5000)]),
            "no cloud VM has room for a replica of web and no size of the catalogue holds one",
        ),
        (
            cluster({"X": [app("web-1", 1950)]}, services=[service("web", pinned_to="X")]),
            "a replica of web may only run on X, which has no room for it",
        ),
        (cluster({"X": ["a"]}, services=[]), "there is no service web"),
    ],
)
def test_a_replica_that_fits_nowhere_says_why(observed, reason):
    denial = expanded(scale_out("web"), observed)
    assert (denial.guard, denial.reason) == ("feasible", reason)
    assert denial.relax


def test_scale_in_stops_one_that_runs_and_belongs_to_the_service():
    assert expanded(scale_in("web", "web-1")) == Effect(stops=("web-1",))
    assert expanded(scale_in("web", "c")).reason == "there is no app VM of web c"
    assert expanded(scale_in("", "c")).reason == "there is no service "
    assert expanded(scale_in("web", "web-9")).reason == "there is no app VM of web web-9"
    assert expanded(scale_in("web", "web-1"), before=[scale_in("web", "web-1")]).reason == "web-1 does not run"
    nowhere = cluster({"": ["web-3"], **WEB}, services=[service("web")])
    assert expanded(scale_in("web", "web-3"), nowhere).reason == "web-3 does not run"


def test_scale_up_and_down_move_everybody_to_a_new_cloud_vm_and_release_the_old_one():
    moved = tuple(Relocation(name, "X", "cloud-7-1") for name in ("web-1", "web-2"))
    assert expanded(scale_up("X", "large")) == Effect(creates=(new("large"),), moves=moved, releases=("X",))
    assert expanded(scale_down("X", "small")) == Effect(creates=(new("small"),), moves=moved, releases=("X",))
    assert expanded(scale_up("X", "small")).reason == "size small is not bigger than medium"
    assert expanded(scale_up("X", "medium")).reason == "size medium is not bigger than medium"
    assert expanded(scale_down("X", "large")).reason == "size large is not smaller than medium"
    assert expanded(scale_up("X", "huge")).reason == "there is no size huge"
    assert expanded(scale_up("Q", "large")).reason == "there is no cloud VM Q"


def test_consolidate_moves_everybody_and_releases():
    moved = (Relocation("web-1", "X", "Y"), Relocation("web-2", "X", "Y"))
    assert expanded(consolidate("X", "web-1>Y web-2>Y")) == Effect(moves=moved, releases=("X",))
    left = expanded(consolidate("X", "web-2>Y"))
    assert left == Denial("feasible", "X would not be empty: web-1 stays", {"left_behind": 1}, "a move for web-1")
    assert expanded(consolidate("X"), cluster({"X": [], "Y": ["c"]})) == Effect(releases=("X",))


def test_consolidate_takes_along_who_makes_room_elsewhere():
    places = {"X": ["web-1", "web-2"], "Y": ["c"], "Z": []}
    effect = expanded(consolidate("X", "c>Z web-1>Y web-2>Y"), cluster(places, services=[service("web")]))
    moved = (Relocation("c", "Y", "Z"), Relocation("web-1", "X", "Y"), Relocation("web-2", "X", "Y"))
    assert effect == Effect(moves=moved, releases=("X",))
    stays = expanded(consolidate("X", "c>Z web-1>Y"), cluster(places, services=[service("web")]))
    assert stays.reason == "X would not be empty: web-2 stays"
    assert expanded(consolidate("X", "c>Y web-1>Y web-2>Y"), cluster(places)).reason == "c is on Y already"


def test_separate_moves_some_to_others_or_to_a_new_one():
    assert expanded(separate("X", "web-1>Y")) == Effect(moves=(Relocation("web-1", "X", "Y"),))
    assert expanded(separate("X", "web-1> web-2>Y", "small")) == Effect(
        creates=(new("small"),), moves=(Relocation("web-1", "X", "cloud-7-1"), Relocation("web-2", "X", "Y"))
    )


@pytest.mark.parametrize(
    ("wish", "reason"),
    [
        (separate("X", ""), "nobody would move"),
        (separate("X", "web-1>Y", "small"), "the new cloud VM would stay empty"),
        (separate("X", "web-1>"), "no target is named for web-1"),
        (separate("X", "web-1>Q"), "there is no cloud VM Q"),
        (separate("X", "c>Y"), "c is not on X"),
        (separate("X", "web-1>X"), "web-1 is on X already"),
        (separate("X", "web-1>Y web-1>Y"), "web-1 is not on X"),
        (separate("X", "web-1>", "huge"), "there is no size huge"),
        (separate("Q", "web-1>Y"), "there is no cloud VM Q"),
        (consolidate("Q"), "there is no cloud VM Q"),
    ],
)
def test_a_move_that_makes_no_sense_says_why(wish, reason):
    assert expanded(wish).reason == reason
    assert expanded(wish).relax


def test_later_wishes_of_a_decision_are_about_what_the_earlier_ones_leave():
    moved_on = expanded(scale_up("Y", "large"), before=[consolidate("X", "web-1>Y web-2>Y")])
    assert {move.app_vm for move in moved_on.moves} == {"c", "web-1", "web-2"}
    assert (
        expanded(scale_up("X", "large"), before=[scale_out("web", "X")]).reason
        == "web-7-1 is started on X by this decision"
    )
    again = expanded(consolidate("X"), before=[consolidate("X", "web-1>Y web-2>Y")])
    assert again.reason == "X is released by this decision already"


@pytest.mark.parametrize(("state", "reason"), [("starting", "X is still starting"), ("gone", "there is no cloud VM X")])
def test_nobody_moves_off_what_is_not_there(state, reason):
    odd = cluster(WEB, states={"X": state}, services=[service("web")])
    assert expanded(separate("X", "web-1>Y"), odd).reason == reason
    assert expanded(scale_up("X", "large"), odd).reason == reason


def test_ids_that_exist_already_are_passed_over():
    taken = cluster(
        {"X": ["web-7-1", "web-1"], "cloud-7-3": []}, sizes={"X": "small"}, services=[service("web", mib=900)]
    )
    closed = expanded(scale_out("web"), taken, closed=["cloud-7-3"])
    assert closed.starts[0].app_vm.id == "web-7-2"
    assert closed.creates[0].id == "cloud-7-4"


def test_an_action_without_a_rule_is_an_error():
    with pytest.raises(TypeError, match=r"no rule for str: an action needs one in core/expand\.py"):
        expanded("grow")
