"""Conditions: checked against the names of the core before anything runs, and never trusted at run time."""

from __future__ import annotations

import numpy as np
import pytest

from autoscaler.core.conditions import NAMES, PLAIN, context
from autoscaler.core.model import AppVM, CloudVM, CloudVMSize, Service
from autoscaler.core.snapshot import CPU, MEMORY, Inventory, Snapshot
from autoscaler.errors import PolicyError
from autoscaler.policylang.conditions import ConditionError, check_condition, compile_condition, names


def values(**changed):
    size = CloudVMSize("big", 4.0, 8 << 30, 0.1)
    inventory = Inventory((size,), (CloudVM("c", size),), (AppVM("web-1", "web", 1.0),), (Service("web", 1, 3),))
    usage = {CPU: np.array([[0.5]]), MEMORY: np.array([[2**20]])}
    snapshot = Snapshot(0.0, inventory, np.array([0]), usage, np.zeros(1))
    return {**context(snapshot, "scale_out", "web", {"cpu": 0.7}, (23, 30, 4)), **changed}


@pytest.mark.parametrize(
    ("text", "holds"),
    [
        ("usage.cpu < 0.8", True),
        ("usage.cpu > 0.5", False),
        ("time.hour >= 22 || time.hour < 6", True),
        ("time.weekday in [5, 6]", False),
        ("service.name.startsWith('we') && service.replicas == 1", True),
        ("action == 'scale_out' ? forecast.cpu > 0.6 : true", True),
        ("double(usage.app_vms) / 2.0 < usage.price_per_hour", False),
    ],
)
def test_what_a_condition_comes_to_in_the_context_that_guards_give(text, holds):
    assert compile_condition(text)(values()) is holds


def test_every_name_of_the_core_can_be_used_with_its_type():
    sample = {float: "{} >= 0.0", int: "{} >= 0", str: "{} != ''"}
    for name, kind in [*PLAIN.items(), *((f"{g}.{n}", k) for g, ms in NAMES.items() for n, k in ms.items())]:
        assert name in names()
        check_condition(sample[kind].format(name))


@pytest.mark.parametrize(
    ("text", "line", "column", "said"),
    [
        ("true || usage.cpuu > 0.1", 1, 9, "unknown name 'usage.cpuu'; "),
        ("false && time.hour > 'x'", 1, 20, "> does not take (int, string)"),
        ("true ||\n  nope", 2, 3, "unknown name 'nope'; "),
        ("usage", 1, 1, "unknown name 'usage'; "),
        ("service.replicas", 1, 1, "the condition is a whole number; "),
        ("1 / time.hour > 2", 1, 1, "it fails where whole numbers are 0 and others 0.0: divide by zero; "),
    ],
)
def test_what_is_refused_and_where(text, line, column, said):
    with pytest.raises(ConditionError) as refused:
        check_condition(text)
    assert (refused.value.line, refused.value.column) == (line, column)
    assert refused.value.message.startswith(said)


def test_the_nearest_name_is_named():
    with pytest.raises(PolicyError, match=r"nearest: usage\.memory"):
        compile_condition("usage.memry < 0.5")


@pytest.mark.parametrize(
    ("text", "changed", "reason"),
    [
        ("1 / (time.hour - 23) > 0", {}, "divide by zero"),
        ("usage.cpu < 0.8", {"usage": {}}, 'No value with name "usage.cpu" found'),
        ("service.name.matches(action)", {"action": "(("}, "invalid regular expression"),
    ],
)
def test_what_fails_at_run_time_says_why(text, changed, reason):
    with pytest.raises(ValueError, match=reason):
        compile_condition(text)(values(**changed))


def test_is_compiled_once():
    assert compile_condition("usage.cpu < 0.42") is compile_condition("usage.cpu < 0.42")
