"""A lab as a cloud: what is rented under which name, creations taken up, failures that leave nothing, the dead swept away."""

from __future__ import annotations

from dataclasses import replace

import pytest

from autoscaler.adapters.providers.lab import MIB, ORPHAN_TURNS, LabCloud
from autoscaler.core.model import CloudVMSize, CloudVMState
from autoscaler.errors import ActuationError, SourceError
from autoscaler.lab import machine
from autoscaler.lab.record import CloudVMShape, Record

SMALL = CloudVMSize("small", 1.0, 300 * MIB, 0.01)
BIG = CloudVMSize("big", 2.0, 900 * MIB, 0.03)


class FakeYard:
    """A lab in memory: `add` writes its record as the real one does; `fails` is what the next one says."""

    def __init__(self, *shapes: CloudVMShape) -> None:
        self.record: Record | None = Record("l", 3, "/image", "tcg", shapes)
        self.dead: set[str] = set()
        self.fails = ""
        self.fails_to_remove = ""
        self.calls: list[str] = []

    def read(self) -> Record | None:
        return self.record

    def running(self, lab: Record, cloud_vm: str) -> bool:
        return cloud_vm not in self.dead

    def add(self, cores: int, memory_mib: int, called: str) -> None:
        self.calls.append(f"add {called}")
        known = {shape.called for shape in self.record.cloud_vms}
        if called not in known:
            shape = CloudVMShape(f"cv{len(self.record.cloud_vms) + 1}", cores, memory_mib, called, ready=False)
            self.record = replace(self.record, cloud_vms=(*self.record.cloud_vms, shape))
        if self.fails:
            raise ActuationError(self.fails, temporary=False)
        self.record = replace(
            self.record,
            cloud_vms=tuple(replace(s, ready=True) if s.called == called else s for s in self.record.cloud_vms),
        )

    def remove(self, cloud_vm: str) -> None:
        self.calls.append(f"remove {cloud_vm}")
        if self.fails_to_remove:
            raise ActuationError(self.fails_to_remove, temporary=True)
        self.record = replace(self.record, cloud_vms=tuple(s for s in self.record.cloud_vms if s.name != cloud_vm))


class Later:
    """Work that waits until the test lets it be done."""

    def __init__(self) -> None:
        self.waiting: list = []

    def __call__(self, work) -> None:
        self.waiting.append(work)

    def do(self) -> None:
        waiting, self.waiting = self.waiting, []
        for work in waiting:
            work()


@pytest.fixture
def yard() -> FakeYard:
    return FakeYard(CloudVMShape("cv1", 1, 640))


@pytest.fixture
def later() -> Later:
    return Later()


def cloud(yard: FakeYard, later: Later, **more) -> LabCloud:
    return LabCloud("l", (SMALL, BIG), yard=yard, begin=later, **more)


def states(made: LabCloud) -> dict[str, CloudVMState]:
    return {rented.id: rented.state for rented in made.cloud_vms()}


def test_a_cloud_vm_of_the_lab_is_rented_in_the_biggest_size_it_is_good_for(yard, later):
    (rented,) = cloud(yard, later).cloud_vms()
    assert (rented.id, rented.size, rented.agent) == ("cv1", SMALL, "cv1")
    assert (rented.address, rented.back_address) == ("10.77.3.1", "10.78.3.1")


def test_one_that_fits_no_size_is_an_error_that_names_the_way_out(yard, later):
    yard.record = replace(yard.record, cloud_vms=(CloudVMShape("cv1", 8, 640),))
    with pytest.raises(
        SourceError, match=r"cv1 of lab l \(8 cores, 328 MiB for app VMs\) is of no size of the catalogue"
    ):
        cloud(yard, later).cloud_vms()


def test_a_machine_leaves_what_its_size_promises():
    for size in (SMALL, BIG):
        assert machine.offered_mib(machine.memory_mib_for(size.memory_bytes / MIB)) >= size.memory_bytes / MIB


def test_a_creation_is_begun_once_and_has_the_controllers_name(yard, later):
    made = cloud(yard, later)
    for _ in range(3):
        made.create("cloud-1-1", BIG)
    later.do()
    assert yard.calls == ["add cloud-1-1"]
    assert states(made) == {"cv1": CloudVMState.ACTIVE, "cloud-1-1": CloudVMState.ACTIVE}
    assert made.cloud_vms()[1].size == BIG
    assert made.failure("cloud-1-1") == ""


def test_a_creation_that_a_dead_controller_began_is_taken_up_by_name(yard, later):
    yard.record = replace(
        yard.record, cloud_vms=(*yard.record.cloud_vms, CloudVMShape("cv2", 1, 640, "cloud-1-1", ready=False))
    )
    made = cloud(yard, later)
    assert states(made)["cloud-1-1"] is CloudVMState.STARTING
    made.create("cloud-1-1", SMALL)
    for _ in range(ORPHAN_TURNS + 1):
        made.sweep()
    later.do()
    assert (yard.calls, states(made)["cloud-1-1"]) == (["add cloud-1-1"], CloudVMState.ACTIVE)


def test_a_half_made_one_that_nobody_asks_for_is_removed(yard, later):
    yard.record = replace(
        yard.record, cloud_vms=(*yard.record.cloud_vms, CloudVMShape("cv2", 1, 640, "cloud-1-1", ready=False))
    )
    made = cloud(yard, later)
    for _ in range(ORPHAN_TURNS):
        assert later.waiting == []
        made.sweep()
    later.do()
    assert (yard.calls, list(states(made))) == (["remove cv2"], ["cv1"])


def test_what_a_person_is_adding_by_hand_is_left_alone(yard, later):
    yard.record = replace(yard.record, cloud_vms=(*yard.record.cloud_vms, CloudVMShape("cv2", 1, 640, ready=False)))
    made = cloud(yard, later)
    for _ in range(ORPHAN_TURNS + 1):
        made.sweep()
    assert (later.waiting, states(made)["cv2"]) == ([], CloudVMState.STARTING)


def test_a_creation_that_fails_leaves_nothing_and_is_told_after_that(yard, later):
    made, yard.fails = cloud(yard, later), "cv2 did not come up: Xen stopped\nmany lines"
    made.create("cloud-1-1", SMALL)
    assert made.failure("cloud-1-1") == ""
    later.do()
    assert made.failure("cloud-1-1") == "cv2 did not come up: Xen stopped"
    assert yard.calls == ["add cloud-1-1", "remove cv2"]
    yard.fails = ""
    made.create("cloud-1-1", SMALL)
    assert made.failure("cloud-1-1") == "", "another try begins with a clean sheet"


def test_what_could_not_be_removed_is_said(yard, later):
    made, yard.fails, yard.fails_to_remove = cloud(yard, later), "no room", "process 7 lives on"
    made.create("cloud-1-1", SMALL)
    later.do()
    assert made.failure("cloud-1-1") == "no room; and what was made of it could not be removed: process 7 lives on"


def test_a_release_is_draining_until_it_is_gone_and_happens_once(yard, later):
    made = cloud(yard, later)
    for _ in range(2):
        made.release("cv1")
    assert states(made) == {"cv1": CloudVMState.DRAINING}
    later.do()
    made.release("cv1")
    later.do()
    assert (yard.calls, states(made)) == (["remove cv1"], {})


def test_one_whose_machine_has_ended_is_gone_and_its_rest_is_swept_away(yard, later):
    made = cloud(yard, later)
    yard.dead = {"cv1"}
    assert states(made) == {}
    assert later.waiting == [], "looking removes nothing"
    made.sweep()
    later.do()
    assert yard.calls == ["remove cv1"]


def test_a_full_lab_rents_out_nothing(yard, later):
    assert cloud(yard, later).catalogue() == (SMALL, BIG)
    assert cloud(yard, later, most=1).catalogue() == ()


def test_a_lab_that_is_not_there(yard, later):
    yard.record = None
    with pytest.raises(SourceError, match="there is no lab 'l'; `flexcapsule lab up --name l` makes it"):
        cloud(yard, later).cloud_vms()
