"""Plans in flight as the next decision sees them: whom they are about, what room they take, which slots are left."""

from dataclasses import replace

import pytest
from clusters import MIB, app, cluster, service

from autoscaler.core.flight import arriving, filling, in_flight, reserved_bytes, running, slot
from autoscaler.core.history import History
from autoscaler.core.policy import Limits
from autoscaler.core.saga import Run, Saga, Status
from autoscaler.core.steps import Cordon, CreateCloudVM, Migrate, ReleaseCloudVM, StartAppVM, Step, StopAppVM

SEEN = cluster({"X": [app("a", 300), "web-1"], "Y": []}, services=[service("web")])
HISTORY = History(1).extend(SEEN)
MOVE, START = Migrate("a", "X", "Y"), StartAppVM(app("web-9", 50), "Y")


def flying(*actions, status=Status.RUNNING):
    return (Saga("p", tuple(Run(Step(f"s{n}", action), status) for n, action in enumerate(actions))),)


@pytest.mark.parametrize("status", [Status.WAITING, Status.RUNNING, Status.UNDOING, Status.OWED])
def test_what_open_steps_are_about_is_in_flight_a_service_only_while_its_replicas_change(status):
    ids = in_flight(flying(MOVE, Cordon("X"), status=status), HISTORY.inventory)
    assert ids == {"a", "X"}
    assert in_flight(flying(START, status=status), HISTORY.inventory) == {"web-9", "web"}
    assert in_flight(flying(StopAppVM("web-1"), status=status), HISTORY.inventory) == {"web-1", "web"}
    assert filling(flying(MOVE, StopAppVM("web-1"), status=status)) == {"Y"}


@pytest.mark.parametrize("status", [Status.DONE, Status.FAILED, Status.SKIPPED, Status.STUCK, Status.WITHHELD])
def test_what_has_ended_is_not(status):
    ended = flying(MOVE, START, status=status)
    assert (in_flight(ended, HISTORY.inventory), filling(ended), arriving(ended, HISTORY)) == (set(), set(), ())


def test_room_is_kept_until_an_arrival_is_observed_where_it_goes():
    assert reserved_bytes(flying(MOVE, START), HISTORY) == {"Y": 350 * MIB}
    there = History(1).extend(cluster({"X": ["web-1"], "Y": [app("a", 300)]}, services=[service("web")]))
    assert reserved_bytes(flying(MOVE, START), there) == {"Y": 50 * MIB}
    assert reserved_bytes(flying(Migrate("gone", "X", "Y")), HISTORY) == {}
    assert reserved_bytes(flying(Migrate("a", "X", "new")), HISTORY) == {"new": 300 * MIB}
    nowhere = History(1).extend(cluster({"": [app("a", 300)], "X": []}))
    assert reserved_bytes(flying(StartAppVM(app("a", 300), "new")), nowhere) == {"new": 300 * MIB}


def test_slots_count_arrivals_in_all_and_at_either_end():
    limits = Limits(parallel_migrations=3, parallel_migrations_per_cloud_vm=2)
    assert slot(Migrate("b", "X", "Y"), (MOVE,), limits)
    assert not slot(Migrate("b", "Q", "Y"), (MOVE, START), limits)
    assert not slot(Migrate("b", "X", "Z"), (MOVE, Migrate("c", "X", "Q")), limits)
    assert not slot(Migrate("b", "V", "W"), (MOVE, Migrate("c", "X", "Q"), Migrate("d", "R", "S")), limits)
    assert slot(Cordon("X"), (MOVE, Migrate("c", "X", "Q"), Migrate("d", "R", "S")), limits)
    assert slot(Migrate("b", "X", "Y"), (Cordon("Y"), ReleaseCloudVM("X")), replace(limits, parallel_migrations=1))


def test_running_are_those_submitted_and_not_ended():
    assert running((*flying(MOVE), *flying(START, status=Status.WAITING))) == (MOVE,)


def test_every_step_says_whom_it_changes_and_where_it_runs():
    size = SEEN.catalogue[0]
    told = [
        (s.subjects, s.cloud_vms, s.arrival)
        for s in (MOVE, START, StopAppVM("a"), CreateCloudVM("N", size), Cordon("X"))
    ]
    assert told == [
        (("a",), ("X", "Y"), ("a", "Y")),
        (("web-9",), ("Y",), ("web-9", "Y")),
        (("a",), (), None),
        (("N",), ("N",), None),
        (("X",), ("X",), None),
    ]
