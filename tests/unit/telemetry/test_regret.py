"""Regret: whole hours only, priced at what was rented, bounded by what had to be served, lost only what could be served."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from autoscaler.core.engine import Engine
from autoscaler.core.events import Observed
from autoscaler.core.model import AppVM, CloudVM, CloudVMSize, Service
from autoscaler.core.snapshot import CPU
from autoscaler.telemetry import hindsight
from autoscaler.telemetry.hindsight import Question, answer
from autoscaler.telemetry.regret import Regret, Truth

from .conftest import TOOLBOX

GIB = 1 << 30
SIZE = CloudVMSize("small", cores=2.0, memory_bytes=4 * GIB, price_per_hour=0.5)
START = 1767571200.0  # a full hour
WEB = Service("web", min_replicas=1, max_replicas=4, template=AppVM("", "web", cores=1.0, memory_bytes=GIB))


def at_once(work: Callable[[], None]) -> None:
    work()


class Cluster:
    """Two small cloud VMs, three replicas of `web` and one lone app VM, all as busy as they are told."""

    def __init__(self, regret_of: Callable[[Engine], Regret]) -> None:
        self.engine = Engine(TOOLBOX)
        self.regret = regret_of(self.engine)
        self.entry = 0

    def pass_(self, minutes: int, cores: float = 0.5, begin_s: float = 0.0) -> None:
        for minute in range(minutes + 1):
            self.observe(START + begin_s + 60.0 * minute, cores)

    def observe(self, at: float, cores: float) -> None:
        self.entry += 1
        app_vms = (*(AppVM(f"web-{n}", "web", cores=1.0, memory_bytes=GIB) for n in (1, 2, 3)), AppVM("db", cores=1.0))
        event = Observed(
            at=at,
            placement=np.array([0, 0, 1, 1]),
            sampled_at=np.full(4, at),
            samples={CPU: np.full(4, cores)},
            catalogue=(SIZE,),
            cloud_vms=(CloudVM("a", SIZE), CloudVM("b", SIZE)),
            app_vms=app_vms,
            services=(WEB,),
            id=f"e{self.entry}",
        )
        self.engine.handle(event)
        self.regret(at, event, [])

    def hours(self, outcome: str) -> float:
        return next(s.value for f in self.regret.hours.collect() for s in f.samples if s.labels == {"outcome": outcome})


def test_a_real_cluster_is_judged_by_what_it_used_and_says_nothing_of_lost_demand():
    cluster = Cluster(lambda engine: Regret(engine, judge=answer, apart=at_once))
    cluster.pass_(60)
    newest = cluster.regret.newest
    assert newest is not None
    assert newest.begins_at == START
    assert newest.paid == pytest.approx(1.0)  # two cloud VMs for an hour
    assert newest.least == pytest.approx(0.5, rel=1e-5)  # 2 cores and 2 replicas fit on one
    assert (newest.asked_core_s, newest.lost_core_s) == (None, None)
    assert cluster.hours("judged") == 1


def test_memory_is_that_of_the_replicas_needed_not_of_those_there():
    asked: list[Question] = []

    def judge(question: Question) -> float:
        asked.append(question)
        return 0.0

    Cluster(lambda engine: Regret(engine, judge=judge, apart=at_once)).pass_(60, cores=0.6)
    span_s, cores, memory_bytes = asked[0].moments[0]
    assert (span_s, cores) == (60.0, pytest.approx(2.4))
    assert memory_bytes == 2 * GIB + (64 << 20)  # 1.8 cores of web need two replicas; and the lone one


def test_a_simulated_cluster_loses_only_what_its_services_limits_allow_to_serve():
    unserved = {"core_s": 0.0}

    def truth() -> Truth:
        unserved["core_s"] += 60.0 * 1.5  # of 6 cores asked for 4.5 are served, and `web` may have four replicas of one
        return Truth({"web": 5.0, "db": 1.0}, unserved["core_s"])

    cluster = Cluster(lambda engine: Regret(engine, truth=truth, judge=answer, apart=at_once))
    cluster.pass_(60)
    newest = cluster.regret.newest
    assert newest is not None
    assert newest.asked_core_s == pytest.approx(6.0 * 3600)
    assert newest.lost_core_s == pytest.approx(0.5 * 3600)
    assert newest.least == pytest.approx(
        1.5, rel=1e-5
    )  # five cores: three of two; less was paid than serving all costs


def test_an_hour_not_seen_from_its_beginning_is_not_judged_and_turns_across_its_end_are_cut():
    cluster = Cluster(lambda engine: Regret(engine, judge=answer, apart=at_once))
    cluster.pass_(60, begin_s=630.0)
    assert cluster.regret.newest is None
    cluster.pass_(70, begin_s=630.0 + 3600.0)
    assert cluster.regret.newest is not None
    assert cluster.regret.newest.begins_at == START + 3600.0
    assert cluster.regret.newest.paid == pytest.approx(1.0)


def test_an_hour_that_ends_while_the_last_one_is_being_judged_is_left_out_and_counted():
    waiting: list[Callable[[], None]] = []
    cluster = Cluster(lambda engine: Regret(engine, judge=answer, apart=waiting.append))
    cluster.pass_(180)
    assert (len(waiting), cluster.hours("skipped"), cluster.hours("judged")) == (1, 2, 0)
    waiting[0]()
    cluster.pass_(60, begin_s=3 * 3600.0)
    assert (len(waiting), cluster.hours("judged")) == (2, 1)


def test_a_judge_that_fails_is_told_and_the_next_hour_is_judged_again():
    told: list[str] = []
    calls = {"count": 0}

    def judge(question: Question) -> float:
        calls["count"] += 1
        if calls["count"] == 1:
            raise ValueError("the process ended with 1")
        return answer(question)

    cluster = Cluster(lambda engine: Regret(engine, judge=judge, apart=at_once, on_failure=told.append))
    cluster.pass_(120)
    assert told == ["the process ended with 1"]
    assert (cluster.hours("failed"), cluster.hours("judged")) == (1, 1)


QUESTION = Question(((2.0, 4.0, 0.1), (4.0, 16.0, 0.22)), ((1800.0, 3.0, 6.0), (1800.0, 1.0, 1.0)))


def test_the_process_answers_as_the_function_does():
    assert hindsight.judged(QUESTION) == answer(QUESTION)


def test_a_process_that_fails_says_why():
    with pytest.raises(ValueError, match=r"the process ended with 1: .*Error"):
        hindsight.judged(Question((), ((1.0, 1.0),)))  # type: ignore[arg-type]


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="SCHED_IDLE is Linux's")
def test_the_process_runs_only_while_nobody_else_wants_to():
    import os
    import subprocess

    script = "import os; from autoscaler.telemetry.hindsight import step_back; step_back(); print(os.sched_getscheduler(0), os.nice(0))"
    said = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout.split()
    assert said == [str(os.SCHED_IDLE), str(min(os.nice(0) + 19, 19))]


def test_the_figures_are_exported(running: Any) -> None:
    from autoscaler.telemetry.collector import registry_of

    registry = registry_of(running.observatory)
    assert registry.get_sample_value("flexcapsule_judged_hours_total", {"outcome": "judged"}) == 0
    assert np.isnan(registry.get_sample_value("flexcapsule_regret_price_per_hour"))
