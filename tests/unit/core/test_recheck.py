"""Each kind of step just before it runs: allowed, refused with the reason, or reached already."""

import numpy as np
import pytest

from autoscaler.core.model import AppVM, CloudVM, CloudVMSize, CloudVMState
from autoscaler.core.recheck import reached, recheck
from autoscaler.core.snapshot import Inventory, Snapshot
from autoscaler.core.steps import Cordon, CreateCloudVM, Migrate, ReleaseCloudVM, StartAppVM, StopAppVM

MIB = 1 << 20
SIZE = CloudVMSize("s", 1.0, 100 * MIB, 1.0)
CLOUDS = {"X": "active", "Y": "active", "E": "active", "C": "cordoned", "D": "draining", "S": "starting", "G": "gone"}
APPS = {"a": "X", "b": "Y", "idle": None}  # 60 MiB each


@pytest.fixture
def snapshot():
    rows = {name: row for row, name in enumerate(CLOUDS)}
    clouds = tuple(CloudVM(name, SIZE, CloudVMState(state)) for name, state in CLOUDS.items())
    return Snapshot(
        at=0.0,
        inventory=Inventory((SIZE,), clouds, tuple(app(name) for name in APPS), ()),
        placement=np.array([-1 if c is None else rows[c] for c in APPS.values()], dtype=np.int64),
        usage={},
        sampled_at=np.zeros(len(APPS)),
    )


def app(name, mib=60, **more):
    return AppVM(name, memory_bytes=mib * MIB, **more)


CASES = [
    (Migrate("a", "X", "E"), "", False),
    (Migrate("a", "X", "Y"), "Y has 40 MiB left of 100 MiB, 60 MiB are needed", False),
    (Migrate("a", "Y", "E"), "a is on X, not on Y", False),
    (Migrate("a", "Y", "X"), "a is on X, not on Y", True),
    (Migrate("idle", "X", "E"), "idle runs nowhere, not on X", False),
    (Migrate("q", "X", "E"), "app VM q is gone", False),
    (Migrate("a", "X", "C"), "C takes no app VMs: cordoned", False),
    (Migrate("a", "X", "S"), "S takes no app VMs: starting", False),
    (Migrate("a", "X", "G"), "cloud VM G is gone", False),
    (Migrate("a", "X", "Q"), "cloud VM Q is gone", False),
    (StartAppVM(app("n", 40), "X"), "", False),
    (StartAppVM(app("n", 41), "X"), "X has 40 MiB left of 100 MiB, 41 MiB are needed", False),
    (StartAppVM(app("idle"), "E"), "", False),
    (StartAppVM(app("a"), "E"), "a runs already on X", False),
    (StartAppVM(app("a"), "X"), "a runs already on X", True),
    (StartAppVM(app("n"), "D"), "D takes no app VMs: draining", False),
    (StopAppVM("a"), "", False),
    (StopAppVM("idle"), "", True),
    (StopAppVM("q"), "", True),
    (CreateCloudVM("N", SIZE), "", False),
    (CreateCloudVM("G", SIZE), "", False),
    (CreateCloudVM("S", SIZE), "cloud VM S exists already: starting", False),
    (CreateCloudVM("E", SIZE), "cloud VM E exists already: active", True),
    (ReleaseCloudVM("E"), "", False),
    (ReleaseCloudVM("X"), "X is not empty: 1 app VMs, a is one", False),
    (ReleaseCloudVM("G"), "cloud VM G is gone", True),
    (ReleaseCloudVM("Q"), "cloud VM Q is gone", True),
    (Cordon("X"), "", False),
    (Cordon("C"), "", True),
    (Cordon("D"), "", True),
    (Cordon("C", on=False), "", False),
    (Cordon("X", on=False), "", True),
    (Cordon("Q"), "cloud VM Q is gone", False),
    (Cordon("Q", on=False), "cloud VM Q is gone", False),
]


@pytest.mark.parametrize(("action", "reason", "there"), CASES, ids=str)
def test_a_step_is_judged_by_what_is_observed_now(snapshot, action, reason, there):
    assert recheck(action, snapshot) == reason
    assert reached(action, snapshot) is there


ON_ITS_WAY = StartAppVM(app("n", 40), "E")


@pytest.mark.parametrize(
    ("action", "running", "reason"),
    [
        (Migrate("a", "X", "E"), (ON_ITS_WAY,), ""),
        (
            Migrate("a", "X", "E"),
            (ON_ITS_WAY, Migrate("idle", "Y", "E")),
            "E has 0 MiB left of 100 MiB, 60 MiB are needed",
        ),
        (StartAppVM(app("m", 61), "E"), (ON_ITS_WAY,), "E has 60 MiB left of 100 MiB, 61 MiB are needed"),
        (StartAppVM(app("m", 40), "X"), (Migrate("a", "Y", "X"),), ""),  # observed there already: counted once
        (StartAppVM(app("m", 100), "E"), (Migrate("q", "X", "E"),), ""),  # nobody knows q
        (StartAppVM(app("m", 1, apart_from=("a",)), "X"), (), "m must stay apart from a on X"),
        (StartAppVM(app("m", 1, apart_from=("n",)), "E"), (ON_ITS_WAY,), "m must stay apart from n on E"),
        (StartAppVM(app("m", 1, pinned_to="X"), "E"), (), "m is pinned to X"),
    ],
)
def test_what_is_on_its_way_takes_room_and_pins_and_dislikes_are_looked_at_again(snapshot, action, running, reason):
    assert recheck(action, snapshot, running) == reason


@pytest.mark.parametrize("rule", [recheck, reached])
def test_a_kind_of_step_without_a_rule_is_an_error(snapshot, rule):
    with pytest.raises(TypeError, match=r"no rule for str: a kind of step needs two in core/recheck\.py"):
        rule("step", snapshot)
