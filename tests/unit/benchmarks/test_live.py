"""The demonstration's parts without a hypervisor: its load, its clients, its policy on the simulated cluster, its report."""

from __future__ import annotations

import asyncio
import time
from dataclasses import replace
from pathlib import Path

import pytest

from autoscaler.cli import assembly
from autoscaler.cli.loading import TOOLBOX, load_policy
from autoscaler.config import read_world
from autoscaler.core.engine import Engine
from autoscaler.sim.demand import DAY_S, flash_cores
from autoscaler.sim.scenario import DemandShape, Flash, Scenario
from benchmarks.live import client, page, report, scene, shape, story

TICK_S = 5.0
PLACE = Path(shape.__file__).parent
PLAN = shape.standard(2)


def simulated(start_up_s: float = 45.0, seed: int = 1) -> Scenario:
    scenario = read_world(str(PLACE / "world.yaml"))
    return replace(scenario, seed=seed, timing=replace(scenario.timing, cloud_vm_start_up_s=start_up_s))


def stretched(scenario: Scenario, stretch: float, cost: float, noise: float) -> Scenario:
    """Everything that clients do takes `stretch` times as long and `cost` times as much, which scatters by `noise`; one cycle."""

    def longer(flash: Flash) -> Flash:
        times = {name: getattr(flash, name) * stretch for name in ("at_s", "rise_s", "hold_s", "fall_s")}
        return replace(flash, cores=flash.cores * cost, every_s=DAY_S, **times)

    def slower(demand: DemandShape) -> DemandShape:
        return replace(demand, noise_fraction=noise, flashes=tuple(longer(flash) for flash in demand.flashes))

    services = tuple(replace(service, demand=slower(service.demand)) for service in scenario.services)
    return replace(scenario, services=services)


def played(directory: Path, scenario: Scenario, length_s: float = PLAN.length_s) -> story.Story:
    policy = load_policy(scene.POLICY)
    ticks = int(length_s / TICK_S)
    with assembly.assemble(Engine(TOOLBOX), policy, scenario, directory=directory, every_s=TICK_S, ticks=ticks) as run:
        run.run()
    return story.read(directory)


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> story.Story:
    return played(tmp_path_factory.mktemp("journal"), simulated())


@pytest.mark.parametrize(("start_up_s", "seed"), [(40.0, 2), (75.0, 3), (110.0, 4)])
def test_the_policy_takes_all_six_actions_by_itself(tmp_path: Path, start_up_s: float, seed: int) -> None:
    assert set(played(tmp_path, simulated(start_up_s, seed)).actions) == set(report.ACTIONS)


@pytest.mark.parametrize(
    ("start_up_s", "seed", "cost"), [(25.0, 5, 0.9), (45.0, 6, 1.0), (45.0, 1, 1.2), (60.0, 7, 1.1)]
)
def test_the_short_form_has_time_for_all_six_and_ends_at_rest(
    tmp_path: Path, start_up_s: float, seed: int, cost: float
) -> None:
    """Under load a cloud VM takes half as long again to start as the first one did; requests cost `cost` of what they ask for."""
    plan = shape.fitting(start_up_s / 1.5, short=True)
    scattering = stretched(simulated(start_up_s, seed), plan.cycle_s / shape.standard(1).cycle_s, cost, noise=0.25)
    once = played(tmp_path, scattering, plan.length_s + 90.0)
    assert set(once.actions) == set(report.ACTIONS)
    assert once.at_rest(len(plan.services))
    busy = tuple(tick for tick in once.ticks if tick.at - once.ticks[0].at < 0.6 * plan.length_s)
    assert not replace(once, ticks=busy).at_rest(len(plan.services))
    assert not story.Story().at_rest(len(plan.services))


def test_the_simulated_load_is_the_real_one() -> None:
    for service in simulated().services:
        wanted = service.demand
        for at in range(0, int(PLAN.length_s), 5):
            simulated_cores = wanted.base_cores + sum(flash_cores(flash, at) for flash in wanted.flashes)
            assert PLAN.cores(service.id, at) == pytest.approx(simulated_cores, abs=0.01), at


def test_the_simulated_cluster_has_the_real_ones_sizes_and_limits() -> None:
    scenario = simulated()
    sizes = [(size.name, size.cores, size.memory_bytes, size.price_per_hour) for size in scenario.catalogue]
    assert sizes == [
        (s["name"], s["cores"], int(str(s["memory"]).removesuffix("MiB")) << 20, s["price_per_hour"])
        for s in scene.CATALOGUE
    ]
    limits = {(s.min_replicas, s.max_replicas) for s in scenario.services}
    assert limits == {(scene.SERVICE["min_replicas"], scene.SERVICE["max_replicas"])}


@pytest.mark.parametrize(
    ("start_up_s", "short", "cycles", "cycle_s"),
    [
        (30.0, False, 2, 480.0),
        (30.0, True, 1, 360.0),
        (54.0, True, 1, 432.0),
        (90.0, False, 1, 720.0),
        (500.0, True, 1, 960.0),
    ],
)
def test_a_slow_machine_gets_a_slow_load(start_up_s: float, short: bool, cycles: int, cycle_s: float) -> None:
    plan = shape.fitting(start_up_s, short=short)
    assert (plan.cycles, plan.cycle_s) == (cycles, cycle_s)
    assert plan.cores("web", cycle_s * 200 / 480) == pytest.approx(0.8)


def test_phases_are_told_apart() -> None:
    assert [PLAN.phase(at) for at in (0.0, 50.0, 200.0, 270.0, 450.0, 480.0 + 50.0)] == [
        "idle", "rising", "busy", "falling", "idle", "rising",
    ]  # fmt: skip
    assert PLAN.cores("web", -1.0) == PLAN.cores("web", PLAN.length_s) == 0.0


async def _served(answer: bytes, requests: list[str]) -> asyncio.Server:
    async def one(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        requests.append((await reader.readuntil(b"\r\n\r\n")).split()[1].decode())
        writer.write(answer)
        await writer.drain()
        writer.close()

    return await asyncio.start_server(one, "127.0.0.1", 0)


def test_clients_send_what_the_shape_says_and_count_what_fails() -> None:
    async def run() -> tuple[client.Clients, list[str]]:
        requests: list[str] = []
        server = await _served(b"HTTP/1.1 200 OK\r\n\r\nburnt", requests)
        async with server:
            port = server.sockets[0].getsockname()[1]
            plan = shape.Shape({"web": ((0, 1.0), (0.8, 1.0)), "gone": ((0, 0.2), (0.8, 0.2))}, 0.8, 1)
            with_port = {"web": ("127.0.0.1", port), "gone": ("127.0.0.1", 1)}
            clients, began = client.Clients(plan, with_port, seed=1, burn_ms=10), time.monotonic()
            await clients.run(lambda: time.monotonic() - began)
            return clients, requests

    clients, requests = asyncio.run(run())
    web = [each for each in clients.answered if each.service == "web"]
    assert 50 < len(web) < 120  # 100 a second, for 0.8 s, by chance
    assert len(requests) == len(web)
    assert set(requests) == {"/burn?ms=10"}
    assert {each.failure for each in web} == {""}
    assert clients.under_way == 0
    assert all("ConnectionRefusedError" in each.failure for each in clients.answered if each.service == "gone")


@pytest.mark.parametrize(
    ("answer", "failure"),
    [
        (b"HTTP/1.1 200 OK\r\n\r\nx", ""), (b"HTTP/1.1 503 no\r\n\r\nx", "HTTP 503"), (b"", "an empty answer"),
        (b"HTTP/1.1 200 OK\r\n\r\n", "an answer without content"),
    ],
)  # fmt: skip
def test_every_way_to_fail_is_a_failure(answer: bytes, failure: str) -> None:
    async def run() -> str:
        async with await _served(answer, []) as server:
            return await client.asked(*server.sockets[0].getsockname()[:2], "/")

    assert asyncio.run(run()) == failure


def a_run(told: story.Story, failure: str = "") -> report.Run:
    began = told.ticks[0].at
    answered = [client.Answered("web", 1.0, 0.05), client.Answered("api", 7.0, 0.25, failure)]
    return report.Run(began, began + PLAN.length_s, PLAN, answered, told, {}, ("a note",))


def test_the_bill_is_what_was_rented_and_beside_it_the_peak_for_the_whole_time(told: story.Story) -> None:
    figures = report.document(a_run(told))["cost"]
    peak = max(tick.price_per_hour for tick in told.ticks)
    assert figures["fixed_cluster"] == pytest.approx(peak * PLAN.length_s / 3600)
    by_hand = sum(tick.price_per_hour * TICK_S for tick in told.ticks) / 3600
    assert figures["paid"] == pytest.approx(by_hand, rel=0.01)
    assert 0.2 < figures["saved_fraction"] < 0.9


def test_the_document_has_every_action_with_its_reason_and_every_migration(told: story.Story) -> None:
    figures = report.document(a_run(told, "HTTP 503"))
    assert figures["missing_actions"] == []
    assert all(each["reason"] and each["outcome"] == "done" for each in figures["granted"])
    assert figures["migrations"]["done"] == len(figures["moved"]) > 0
    assert figures["requests"]["all"] | {"p50_s": 0, "p99_s": 0} == {
        "sent": 2, "failed": 1, "p50_s": 0, "p99_s": 0, "longest_s": 0.25,
    }  # fmt: skip
    assert [each["failure"] for each in figures["failures"]] == ["HTTP 503"]
    assert figures["cloud_vms"]["created"] > 0


def test_the_page_shows_it_and_escapes_what_others_said(told: story.Story) -> None:
    figures = report.document(a_run(told, "<script>"))
    whole = {
        "measured_at": "now",
        "versions": {"commit": "abc"},
        "machine": {"cpu": "c", "cores": 2},
        "accelerator": "tcg",
    }
    text = page.page({**whole, **figures})
    assert "6 of 6 actions" in text
    assert "1 of 2 failed" in text
    assert "<script>" not in text
    assert text.count("<circle") == len(figures["granted"])


def test_no_journal_yet_is_an_empty_story(tmp_path: Path) -> None:
    assert story.read(tmp_path) == story.Story()
