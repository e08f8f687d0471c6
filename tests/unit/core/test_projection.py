"""The working copy of a decision: what each effect does to every account, and that it is the same as counting anew."""

import numpy as np
import pytest
from clusters import MIB, app, cluster, service, snapshot

from autoscaler.core.effect import Arrival, Effect, Relocation
from autoscaler.core.projection import Ahead, Projection

SEEN = cluster(
    {"X": [app("a", 400), app("b", 100)], "Y": [app("c", 200)], "Z": []}, cpu={"a": 2.0}, services=[service("web")]
)


def accounts(view):
    return [
        [round(float(value), 6) for value in account]
        for account in (
            view.cpu_used,
            view.cpu_allocated,
            view.memory_used_bytes / MIB,
            view.memory_allocated_bytes / MIB,
        )
    ]


def move(text):
    return Relocation(*text.replace(">", " ").split())


def test_at_first_it_is_what_was_observed():
    assert accounts(Projection(snapshot(SEEN))) == [[2.5, 0.5, 0], [2, 1, 0], [250, 100, 0], [500, 200, 0]]


def test_app_vms_on_their_way_take_room_where_they_go_by_their_allocation():
    view = Projection(snapshot(SEEN), [Arrival(SEEN.app_vms[0], "Z"), Arrival(app("web-1", 50), "Y")])
    assert accounts(view) == [[2.5, 1.5, 2.0], [2, 2, 1], [250, 150, 400], [500, 250, 400]]
    assert [a.id for a in view.residents(2)] == []
    assert [a.id for a in view.neighbours(2)] == ["a"]


def test_a_move_counts_at_both_ends_and_a_second_one_from_where_it_went():
    view = Projection(snapshot(SEEN))
    view.apply(Effect(moves=(move("a X>Y"),)))
    assert accounts(view) == [[0.5, 2.5, 0], [1, 2, 0], [50, 300, 0], [100, 600, 0]]
    view.apply(Effect(moves=(move("a Y>Z"),)))
    assert accounts(view) == [[0.5, 0.5, 2.0], [1, 1, 1], [50, 100, 200], [100, 200, 400]]
    assert [[a.id for a in view.residents(row)] for row in range(3)] == [["b"], ["c"], ["a"]]
    view.apply(Effect(stops=("a",)))
    assert accounts(view) == [[0.5, 0.5, 0], [1, 1, 0], [50, 100, 0], [100, 200, 0]]


def test_a_created_cloud_vm_is_filled_and_a_released_one_takes_nobody():
    from autoscaler.core.model import CloudVM

    view = Projection(snapshot(SEEN))
    view.apply(
        Effect(creates=(CloudVM("N", SEEN.catalogue[2]),), moves=(move("a X>N"), move("b X>N")), releases=("X",))
    )
    assert accounts(view) == [[0, 0.5, 0, 2.5], [0, 1, 0, 2], [0, 100, 0, 250], [0, 200, 0, 500]]
    assert view.usable.tolist() == [False, True, True, True]
    assert view.load().tolist() == [0.0, 0.125, 0.0, 0.3125]


def test_looking_ahead_changes_nothing_until_it_is_adopted():
    view = Projection(snapshot(SEEN))
    ahead = Ahead(view, Effect(moves=(move("a X>Y"),), starts=(Arrival(app("web-1"), "Y"),), releases=("X",)))
    assert accounts(view) == accounts(Projection(snapshot(SEEN)))
    assert (ahead.load("Y").memory_allocated_bytes / MIB, ahead.load("X").cpu_used) == (700, 0.5)
    assert (ahead.usable("X"), view.usable[0], view.replicas) == (False, True, {"web": 0})
    view.adopt(ahead)
    assert accounts(view) == [[0.5, 3.5, 0], [1, 3, 0], [50, 400, 0], [100, 700, 0]]
    assert (view.usable[0], view.replicas) == (False, {"web": 1})


def test_a_newcomer_is_expected_to_use_what_its_service_does_and_its_allocation_where_none_runs():
    seen = cluster(
        {"X": ["web-1", "web-2"]}, cpu={"web-1": 0.2, "web-2": 0.6}, services=[service("web"), service("api")]
    )
    view = Projection(snapshot(seen))
    assert view.expected_cpu(app("web-9")) == pytest.approx(0.4)
    assert view.expected_cpu(app("api-9", cores=3.0)) == 3.0


def test_what_was_never_measured_counts_as_all_that_is_allocated():
    blind = cluster({"X": [app("a", 400, cores=2.0)]}, cpu={"a": np.nan})
    assert Projection(snapshot(blind)).cpu_used.tolist() == [2.0]


def test_moving_at_random_is_the_same_as_counting_anew():
    chance, names = np.random.default_rng(3), ["a", "b", "c"]
    view, at = Projection(snapshot(SEEN)), {"a": "X", "b": "X", "c": "Y"}
    for _ in range(200):
        name, target = names[chance.integers(3)], "XYZ"[chance.integers(3)]
        if at[name] != target:
            view.apply(Effect(moves=(Relocation(name, at[name], target),)))
            at[name] = target
    places = {c: [a for a in SEEN.app_vms if at[a.id] == c] for c in "XYZ"}
    anew = Projection(snapshot(cluster(places, cpu={"a": 2.0})))
    for mine, theirs in zip(accounts(view), accounts(anew), strict=True):
        assert mine == pytest.approx(theirs, abs=1e-6)
