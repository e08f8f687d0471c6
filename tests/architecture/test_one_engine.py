"""One engine (design, section 4.7): what carries decisions out knows no kind of action and no kind of step by name."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import get_args

import pytest

from autoscaler.core.model import Action
from autoscaler.core.proposals import Proposal
from autoscaler.core.steps import StepAction

ROOT = Path(__file__).parents[2] / "autoscaler"
BLIND = ("core/engine.py", "core/saga.py", "core/audit.py", "core/decide.py", "core/holding.py", "core/ledger.py",
         "adapters/journal.py", "runtime.py")  # fmt: skip
KINDS = {kind.__name__ for kind in (*get_args(Proposal), *get_args(StepAction))}
SPELLED = {action.value for action in Action} | {kind.kind for kind in get_args(StepAction)}


def branches(text: str) -> set[str]:
    """Names and spellings of kinds that code (not its docstrings) mentions."""
    tree = ast.parse(text)
    prose = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Name | ast.alias):
            found |= KINDS & {node.id if isinstance(node, ast.Name) else node.name}
        elif isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "Action":
            found.add(f"Action.{node.attr}")
        elif isinstance(node, ast.Constant) and id(node) not in prose and isinstance(node.value, str):
            found |= SPELLED & {node.value}
    return found


@pytest.mark.parametrize("room", BLIND)
def test_no_branch_per_action(room):
    path = ROOT / room
    if not path.exists():
        pytest.skip(f"{room} does not exist yet")
    assert branches(path.read_text()) == set()


@pytest.mark.parametrize(
    ("code", "found"),
    [
        ("isinstance(step, Migrate)", {"Migrate"}),
        ("from autoscaler.core.steps import Cordon", {"Cordon"}),
        ("action is Action.SCALE_OUT", {"Action.SCALE_OUT"}),
        ("step.kind == 'migrate'", {"migrate"}),
        ("'''migrate'''", set()),
        ("action.saves_money", set()),
    ],
)
def test_a_branch_is_recognised(code, found):
    assert branches(code) == found


@pytest.mark.parametrize("rules", ["recheck", "reached"])
def test_every_kind_of_step_has_its_rules(rules):
    from autoscaler.core import recheck
    from autoscaler.sim.actions import DEEDS

    dispatch = getattr(recheck, rules)
    missing = {kind for kind in get_args(StepAction) if dispatch.dispatch(kind) is dispatch.dispatch(object)}
    assert missing == set()
    assert set(DEEDS) == set(get_args(StepAction))


def test_every_action_has_its_rule():
    from autoscaler.core.expand import expand

    assert {kind for kind in get_args(Proposal) if expand.dispatch(kind) is expand.dispatch(object)} == set()
    assert {kind.action for kind in get_args(Proposal)} == set(Action)
