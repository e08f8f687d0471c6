"""A second policy decides beside the first, on what the first sees; only the differences are told, and nothing comes of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from autoscaler.core.engine import Engine, Toolbox
from autoscaler.core.events import PolicyChanged
from autoscaler.core.policy import Limits, Policy, StrategySpec
from autoscaler.core.proposals import Proposal, ScaleOut
from autoscaler.core.snapshot import Snapshot
from autoscaler.runtime import Loop, Ports
from autoscaler.telemetry.rival import Rival


@dataclass(frozen=True)
class Wants:
    """One more replica of each service named in the policy's parameters."""

    services: tuple[str, ...]

    def propose(self, snapshot: Snapshot) -> Sequence[Proposal]:
        del snapshot
        return tuple(ScaleOut(service, "wanted") for service in self.services)


TOOLBOX = Toolbox(lambda spec: Wants(tuple(spec.parameters["services"])), lambda text: lambda _: bool(text))


def policy(name: str, *services: str) -> Policy:
    return Policy(name, StrategySpec("wants", {"services": services}), limits=Limits(memory_headroom_fraction=0.0))


def compare(controller: Any, first: Policy, second: Policy, minutes: int) -> tuple[Rival, list[Any], int]:
    told: list[Any] = []
    engine = Engine(TOOLBOX)
    engine.handle(PolicyChanged(0.0, first, id="e0"))
    rival = Rival(second, TOOLBOX, told.append)
    cluster = controller.cluster
    begin = cluster.world.now
    controller.clock.times = [begin + 60.0 * (minute + 1) for minute in range(minutes)]
    Loop(engine, Ports(controller.clock, (cluster,), cluster, controller.journal), watchers=(rival,)).run()
    return rival, told, cluster.world.score.app_vm_starts


def test_two_policies_alike_agree(controller: Any) -> None:
    rival, told, _ = compare(controller, policy("one", "web"), policy("two", "web"), minutes=1)
    assert told == []
    assert (rival.report().decisions, rival.report().agreed) == (1, 1)


def test_the_difference_is_told_and_nothing_is_done_for_the_second(controller: Any) -> None:
    rival, told, starts = compare(controller, policy("one"), policy("two", "web"), minutes=3)
    assert [(d.first, d.second) for d in told] == [((), ("scale_out web",))] * 3
    report = rival.report()
    assert (report.policy, report.only_first, report.only_second) == ("two", {}, {"scale_out": 3})
    assert starts == 0


def test_what_only_the_first_does_is_told_too(controller: Any) -> None:
    rival, _, starts = compare(controller, policy("one", "web"), policy("two"), minutes=2)
    assert rival.report().only_first == {"scale_out": 2}
    assert starts == 1  # the second is on its way
