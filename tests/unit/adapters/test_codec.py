"""What is written is read back as it was, and the same value is always the same text."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
import restless

from autoscaler.adapters import codec
from autoscaler.cli.assembly import assemble
from autoscaler.core.audit import AuditRecord
from autoscaler.core.decision import Decision, Denial, Denied
from autoscaler.core.engine import Engine
from autoscaler.core.events import (
    Alert,
    Execute,
    Observed,
    OperatorSaid,
    Outcome,
    PolicyChanged,
    Record,
    StepEnded,
    Undo,
    Word,
)
from autoscaler.core.model import Action, AppVM, CloudVM, CloudVMSize, Service
from autoscaler.core.policy import Budget, Condition, Limits, Policy, StrategySpec, Window
from autoscaler.core.proposals import Consolidate, Move, ScaleDown, ScaleIn, ScaleOut, ScaleUp, Separate
from autoscaler.core.state import EngineState
from autoscaler.core.steps import (
    Certificate,
    Cordon,
    CreateCloudVM,
    Migrate,
    Plan,
    ReleaseCloudVM,
    StartAppVM,
    Step,
    StopAppVM,
)

SIZE = CloudVMSize("s", 2.0, 1 << 30, 0.1)
ACTIONS = (
    StartAppVM(AppVM("a", "web", apart_from=("web",), labels=(("k", "v"),)), "c"),
    StopAppVM("a"),
    CreateCloudVM("c", SIZE),
    ReleaseCloudVM("c"),
    Cordon("c", on=False),
    Migrate("a", "c", "d"),
)
PROPOSALS = (
    ScaleOut("web", "why", {"load_fraction": 0.1}, target="c"),
    ScaleIn("web", "a", "why"),
    ScaleUp("c", "s", "why"),
    ScaleDown("c", "s", "why"),
    Consolidate("c", (Move("a", "d"),), "why"),
    Separate("c", (Move("a", None),), "why", new_size="s"),
)
STEPS = tuple(Step(f"p1.s{row}", action, ("x",), 1.5, undo=action) for row, action in enumerate(ACTIONS))
POLICY = Policy(
    "p",
    StrategySpec("composite", {"replicas": {"name": "hold"}, "up": 0.8, "list": [1, 2]}),
    limits=Limits(
        cooldown_s={Action.SCALE_IN: 600.0},
        budgets=(Budget((Action.SCALE_OUT,), 3, windows=(Window((0, 1), 60, 120, "Europe/Berlin"),)),),
    ),
    conditions=(Condition((Action.SCALE_IN,), "usage < 0.5", "why"),),
)
DENIED = tuple(Denied(p, (Denial("budget", "no", {"n": 1.0}, "limits.x: 2", until=5.0),)) for p in PROPOSALS)
ENTRIES = (
    StepEnded(1.0, "p1.s1", Outcome.FAILED, "why — not", 1.0, 2.0, 3.0, {"streaming_s": 0.5}, "e1"),
    PolicyChanged(1.0, POLICY, "e2"),
    OperatorSaid(1.0, Word.PAUSE, "web", "me", "lunch", "e3"),
    *(Execute(step, "e4", "e4.0") for step in STEPS),
    *(Undo(step, f"{step.id}.undo", step.undo, "e4", "e4.1") for step in STEPS),
    Record(
        AuditRecord(
            Decision("d5", 1.0, "p", PROPOSALS, DENIED), Plan("p5", "d5", STEPS, ("no room",), Certificate(2.0, 1.0))
        ),
        "e5",
        "e5.0",
    ),
    Record(AuditRecord(Decision("d6", 1.0, "p", abstained="stale"), None), "e6", "e6.0"),
    Alert("stuck", "e7", "web", {"n": 1.0}, "e7.0"),
)


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: type(entry).__name__)
def test_every_kind_of_entry_comes_back(entry):
    text = codec.dumps(entry, codec.Entry)
    assert codec.loads(text, codec.Entry) == entry
    assert codec.dumps(codec.loads(text, codec.Entry), codec.Entry) == text


@pytest.mark.parametrize("rows", [0, 1, codec.READABLE_VALUES, codec.READABLE_VALUES + 1, 1000])
def test_an_observation_comes_back_to_the_last_bit(rows):
    luck = np.random.default_rng(rows)
    measured = luck.random(rows) * 1e9
    measured[::7] = math.nan
    seen = Observed(
        at=1.0 / 3,
        placement=luck.integers(-1, 50, rows),
        sampled_at=measured - 1.0,
        samples={"cpu_cores": measured, "other": np.full(rows, -0.0)},
        cloud_vms=(CloudVM("c", SIZE),),
        app_vms=tuple(AppVM(f"a{row}") for row in range(rows)),
        services=(Service("web", template=AppVM("", "web")),),
    )
    text = codec.dumps(seen, codec.Entry)
    back = codec.loads(text, codec.Entry)
    assert codec.dumps(back, codec.Entry) == text
    assert back.placement.tolist() == seen.placement.tolist()
    assert back.placement.dtype == np.int64
    for name, series in seen.samples.items():
        assert back.samples[name].tobytes() == series.tobytes()
        assert not back.samples[name].flags.writeable
    assert (back.app_vms, back.cloud_vms, back.services, back.catalogue) == (
        seen.app_vms,
        seen.cloud_vms,
        seen.services,
        None,
    )


def test_short_arrays_are_readable_numbers():
    seen = Observed(1.0, np.array([0, -1]), np.array([1.5, math.nan]), {})
    tree = json.loads(codec.dumps(seen, codec.Entry))
    assert tree["placement"] == {"dtype": "<i8", "shape": [2], "values": [0, -1]}
    assert tree["sampled_at"]["values"] == [1.5, "nan"]


def test_figures_that_json_lacks_do_not_stop_the_controller():
    evidence = {"nan": math.nan, "inf": -math.inf, "numpy": np.float64(0.1), "count": np.int64(3)}
    text = codec.dumps(Alert("x", "e1", evidence=evidence), codec.Entry)
    back = codec.loads(text, codec.Entry).evidence
    assert math.isnan(back["nan"])
    assert (back["inf"], back["numpy"], back["count"]) == (-math.inf, 0.1, 3)
    assert codec.dumps(codec.loads(text, codec.Entry), codec.Entry).replace("3.0", "3") == text


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"type":"Nobody"}', '{"type":"StepEnded","at":"x"}'])
def test_what_is_not_an_entry_is_a_value_error(text):
    with pytest.raises(ValueError):  # noqa: PT011  its message is wrapped by who reads
        codec.loads(text, codec.Entry)


def test_all_an_engine_remembers_comes_back():
    with assemble(Engine(restless.toolbox()), restless.policy(), restless.scenario(), ticks=60) as controller:
        for now in controller.clock.ticks():
            controller.loop.tick(now)
            if len(controller.engine.state.sagas) > 1:
                break
    state = controller.engine.state
    assert len(state.sagas) > 1
    assert state.ledger.touched
    text = codec.dumps(state, EngineState)
    back = codec.loads(text, EngineState)
    assert codec.dumps(back, EngineState) == text
    assert (back.ledger, back.sagas, back.totals, back.last) == (state.ledger, state.sagas, state.totals, state.last)
    assert list(back.ledger.touched) == list(state.ledger.touched)
