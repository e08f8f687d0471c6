"""Names to strategies: the built-ins, third parties' by entry point, and what is said when something is wrong."""

import sys
from dataclasses import FrozenInstanceError, fields

import pytest

import autoscaler
from autoscaler import registry
from autoscaler.core.policy import StrategySpec
from autoscaler.errors import UsageError
from autoscaler.strategies.composite import Composite
from autoscaler.strategies.consolidate import Consolidation
from autoscaler.strategies.hold import Hold
from autoscaler.strategies.threshold import Threshold

GOOD = """
from dataclasses import dataclass
@dataclass(frozen=True)
class Mine:
    needed: int
    def propose(self, snapshot):
        return ()
"""


@pytest.fixture
def installed(tmp_path, monkeypatch):
    """Puts a module and its entry points where Python looks for distributions."""
    monkeypatch.syspath_prepend(tmp_path)

    def install(module, text, **points):
        (tmp_path / f"{module}.py").write_text(text, encoding="utf-8")
        info = tmp_path / f"{module}-1.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {module}\nVersion: 1.0\n", encoding="utf-8")
        lines = [f"{name} = {module}:{value}" for name, value in points.items()]
        (info / "entry_points.txt").write_text("\n".join(["[flexcapsule.strategies]", *lines, ""]), encoding="utf-8")
        monkeypatch.delitem(sys.modules, module, raising=False)

    return install


def test_the_built_ins_come_first_and_can_all_be_built_without_a_parameter():
    assert registry.names()[:5] == ("hold", "threshold", "target_tracking", "consolidate", "composite")
    for name, kind in registry.BUILT_IN.items():
        assert isinstance(registry.build(StrategySpec(name)), kind)


def test_every_parameter_says_what_it_is_and_cannot_be_changed():
    for name, kind in registry.BUILT_IN.items():
        for field in fields(kind):
            assert field.metadata.get("doc"), f"{name}.{field.name} has no doc"
    with pytest.raises(FrozenInstanceError):
        Threshold().cpu_up_fraction = 0.5


def test_nested_strategies_are_built_from_mappings():
    spec = StrategySpec(
        "composite", {"replicas": {"name": "hold"}, "size": {"name": "threshold", "cpu_up_fraction": 0.7}}
    )
    assert registry.build(spec) == Composite(
        replicas=Hold(), size=Threshold(cpu_up_fraction=0.7), placement=Consolidation()
    )


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        (StrategySpec("treshold"), "there is no strategy 'treshold', did you mean 'threshold'?; known: hold, "),
        (StrategySpec("threshold", {"cpu_upp": 1}), "strategy threshold has no parameter 'cpu_upp', did you mean"),
        (
            StrategySpec("threshold", {"cpu_down_fraction": 0.9}),
            "strategy threshold: cpu_down 90% must be below cpu_up 80%",
        ),
        (StrategySpec("composite", {"size": {"cpu_up": 1}}), "a nested strategy needs a name: one of hold, "),
        (StrategySpec("composite", {"size": {"name": "holt"}}), "there is no strategy 'holt', did you mean 'hold'?"),
    ],
)
def test_what_is_wrong_is_said_with_the_nearest_name(spec, said):
    with pytest.raises(UsageError) as caught:
        registry.build(spec)
    assert str(caught.value).startswith(said)


def test_a_third_party_strategy_is_found_and_needs_its_parameters(installed):
    installed("third_party_good", GOOD, mine="Mine")
    assert registry.names()[-1] == "mine"
    assert registry.strategy_types()["mine"].__name__ == "Mine"
    assert registry.build(StrategySpec("mine", {"needed": 3})).needed == 3
    with pytest.raises(UsageError, match="strategy mine needs its parameter 'needed'"):
        registry.build(StrategySpec("mine"))


def test_one_that_cannot_be_imported_does_not_spoil_the_others(installed):
    installed("third_party_broken", "import nowhere_to_be_found", broken="Mine")
    assert "broken" in registry.names()
    assert "broken" not in registry.strategy_types()
    said = r"strategy broken \(third_party_broken:Mine\) cannot be imported: ModuleNotFoundError: No module named"
    with pytest.raises(UsageError, match=said):
        registry.strategy_type("broken")


def test_what_is_not_a_strategy_is_refused(installed):
    installed(
        "third_party_odd", "odd = 1\nclass Plain:\n    def propose(self, snapshot): ...\n", odd="odd", plain="Plain"
    )
    for name in ("odd", "plain"):
        with pytest.raises(UsageError, match="is not a dataclass with a method propose"):
            registry.strategy_type(name)


def test_a_built_in_name_cannot_be_taken(installed):
    installed("third_party_thief", GOOD, hold="Mine")
    assert registry.strategy_type("hold") is Hold
    assert registry.names().count("hold") == 1


def test_the_public_names_are_there_and_nothing_else_is():
    for name in autoscaler.__all__:
        assert getattr(autoscaler, name) is not None
    with pytest.raises(AttributeError, match="autoscaler has no public name 'Engine'"):
        _ = autoscaler.Engine
