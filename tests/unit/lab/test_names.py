"""Names and addresses of a lab: valid, distinct, and refused with a reason otherwise."""

from __future__ import annotations

import pytest

from autoscaler.errors import UsageError
from autoscaler.lab import bringup, condition, layout, record
from autoscaler.lab.layout import Layout, ordinal
from autoscaler.lab.record import CloudVMShape, Record


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("FLEXCAPSULE_CACHE", str(tmp_path))
    return tmp_path


@pytest.mark.parametrize("name", ["", "Lab", "a/b", "-x", "thirteenchars", "..", "a b"])
def test_a_name_that_cannot_be_an_interface_is_refused(name: str) -> None:
    with pytest.raises(UsageError, match="cannot name a lab"):
        Layout(name)


def test_the_longest_name_still_makes_an_interface() -> None:
    assert len(Layout("a" * layout.NAME_LONGEST).host_interface) == 15


def test_two_labs_share_no_address() -> None:
    first, second = Layout("a", 0), Layout("b", 1)
    assert {first.front(1), first.back(1)}.isdisjoint({second.front(1), second.back(1)})


@pytest.mark.parametrize("name", ["cv0", "cv91", "cv", "x1", "cv1x"])
def test_only_cv_and_a_number_names_a_cloud_vm(name: str) -> None:
    with pytest.raises(UsageError, match="not a cloud VM's name"):
        ordinal(name)


@pytest.mark.parametrize(
    ("count", "memory_mib", "said"), [(0, 768, "1 to 90"), (91, 768, "1 to 90"), (1, 256, "512 MiB")]
)
def test_an_impossible_lab_is_refused(count: int, memory_mib: int, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        bringup.shapes(count, 1, memory_mib)


def test_a_lab_may_have_cloud_vms_of_several_sizes() -> None:
    made = bringup.shapes_of([bringup.read_size(text) for text in ("1x640", "2x1024")])
    assert made == (CloudVMShape("cv1", 1, 640), CloudVMShape("cv2", 2, 1024))


@pytest.mark.parametrize("text", ["", "2", "2x", "x640", "1x640MiB", "-1x640", "1 x 640"])
def test_what_is_no_size_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="cores x MiB"):
        bringup.read_size(text)


def test_a_cloud_vm_without_cores_is_refused() -> None:
    with pytest.raises(UsageError, match="at least 1 core"):
        bringup.shapes(1, 0, 768)


def test_half_a_lab_is_named_as_what_it_is() -> None:
    Layout("half").directory.mkdir(parents=True)
    with pytest.raises(UsageError, match=r"half made; `flexcapsule lab down --name half`"):
        record.existing("half")
    assert [(lab.name, lab.state) for lab in condition.every()] == [("half", "half made")]


def test_a_record_is_read_back_as_written() -> None:
    lab = Record("lab", 3, "/images/abc", "kvm", (CloudVMShape("cv1", 2, 1024),))
    lab.layout.directory.mkdir(parents=True)
    record.write(lab)
    assert record.read("lab") == lab
    assert record.names() == ["lab"]


def test_half_a_record_counts_as_none(cache) -> None:
    Layout("lab").directory.mkdir(parents=True)
    Layout("lab").file("lab.json").write_text('{"name": "lab", "num')
    assert record.read("lab") is None


def test_a_lab_that_is_not_there_is_named_beside_those_that_are(cache) -> None:
    Layout("other").directory.mkdir(parents=True)
    with pytest.raises(UsageError, match=r"no lab 'lab' \(labs here: other\).*lab up --name lab"):
        record.existing("lab")


def test_a_second_holder_is_refused_and_told_who_holds(tmp_path) -> None:
    path = tmp_path / "x.lock"
    with (
        record.locked(path, patience_s=0),
        pytest.raises(UsageError, match=r"process \d+\) is at work on x"),
        record.locked(path, patience_s=0),
    ):
        pass
    with record.locked(path, patience_s=0):
        pass
