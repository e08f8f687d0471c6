"""Does a scrape delay a turn of the loop? The same turn at 10,000 app VMs, with nobody asking, with one scrape, and under scrapes.

`python -m benchmarks.scrape [--app-vms 10000] [--repeat 15] [--out FILE]`. One process decides and plans (scene and strategy of
`benchmarks.tick`) and serves /metrics from its thread; another one scrapes over a socket. Turns of the three kinds take turns, so
that what else the machine does falls on all alike: the ratios are of one run. `once`: a scrape that begins with the turn, as every
15 s one by chance may; `always`: one after the other all the time the turn takes, which no Prometheus does. `judged`: nobody scrapes,
and the hour's regret is being reckoned beside it.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from collections.abc import Iterator
from copy import deepcopy
from dataclasses import replace
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path
from threading import Thread
from typing import Any

import httpx
from rich.console import Console
from rich.table import Table

from autoscaler import registry
from autoscaler.core.engine import Engine, Toolbox
from autoscaler.core.events import Observed, PolicyChanged, Record, Word
from autoscaler.core.policy import Limits, Policy
from autoscaler.telemetry import hindsight, server
from autoscaler.telemetry.http import Desk, application
from autoscaler.telemetry.view import Observatory
from benchmarks.result import result, write
from benchmarks.scrape.asker import scrape
from benchmarks.tick.__main__ import STRATEGIES
from benchmarks.tick.scene import CATALOGUE, observations

KINDS = ("quiet", "once", "always", "judged")
GOAL_S = 0.5
TOKEN = "t" * 43
MOMENTS = 150  # of the hour that is judged beside a turn: more than one of a turn a minute has, so that it lasts longer


class Nothing:
    """An archive and a desk of a run that is not kept."""

    def decisions(self, limit: int, before: str | None = None) -> tuple[()]:
        del limit, before
        return ()

    def decision(self, name: str) -> Any:
        raise AssertionError(name)

    def decisions_about(self, subject: str, limit: int) -> tuple[()]:
        del subject, limit
        return ()


class Turns:
    """The same turn again and again: the engine is put back before each."""

    def __init__(self, app_vms: int, seed: int) -> None:
        self.engine = Engine(Toolbox(registry.build, lambda _text: lambda _variables: True))
        self.observatory = Observatory(self.engine)
        first, self._second, *_ = observations(app_vms, seed, 3)
        self._tell(first)
        self.engine.handle(PolicyChanged(0.0, Policy("scrape", STRATEGIES["composite"], limits=Limits()), id="e0"))
        self.observatory.publish(first.at)
        self._begin = replace(self.engine.state, totals=deepcopy(self.engine.state.totals))

    def turn(self) -> float:
        """Observe, decide, plan; how long it took. Then publish, as the loop does between two turns."""
        self.engine.restore(replace(self._begin, totals=deepcopy(self._begin.totals)))
        began = time.perf_counter()
        commands = self._tell(self._second)
        took = time.perf_counter() - began
        self.observatory.publish(self._second.at)
        assert any(isinstance(command, Record) for command in commands)
        return took

    def _tell(self, event: Observed) -> list[Any]:
        commands = self.engine.handle(event)
        for watcher in self.observatory.watchers:
            watcher(event.at, event, commands)
        return commands


def judging() -> Thread:
    """An hour judged beside the loop, by a process of its own."""
    sizes = tuple((size.cores, float(size.memory_bytes), size.price_per_hour) for size in CATALOGUE)
    moments = tuple((9.0, 1000.0 + 7.0 * n, 4e12 + 3e10 * n) for n in range(MOMENTS))
    thread = Thread(target=hindsight.judged, args=(hindsight.Question(sizes, moments),))
    thread.start()
    return thread


def measure(app_vms: int, seed: int, repeat: int, kinds: tuple[str, ...] = KINDS) -> dict[str, Any]:
    turns = Turns(app_vms, seed)
    desk = Desk(turns.observatory, Nothing(), Toolbox(registry.build, _never), _say, token=TOKEN)
    mine, theirs = get_context("spawn").Pipe()
    with server.Server(application(desk), server.bind("127.0.0.1", 0)) as served:
        other = get_context("spawn").Process(target=scrape, args=(served.url, theirs))
        other.start()
        at_rest = [_asked(mine, "once") for _ in range(repeat + 1)][1:]
        took, during = _alternating(turns, mine, repeat, kinds)
        exposed = httpx.get(f"{served.url}/metrics").text
        mine.send("end")
        other.join()
    quiet = took["quiet"]
    return {
        "app_vms": app_vms,
        "series": sum(not line.startswith("#") for line in exposed.splitlines()),
        "exposed_bytes": len(exposed),
        "scrape_s": statistics.median(at_rest),
        "scrape_in_a_turn_s": statistics.median(during),
        "longest_scrape_s": max(*at_rest, *during),
        **{f"turn_{kind}_s": statistics.median(took[kind]) for kind in kinds},
        **{f"turn_{kind}_spread_s": [min(took[kind]), max(took[kind])] for kind in kinds},
        **{f"{kind}_to_quiet": _ratio(took[kind], quiet) for kind in kinds[1:]},
        "scrapes_in_always": len(during) / repeat,
    }


def _alternating(
    turns: Turns, mine: Connection, repeat: int, kinds: tuple[str, ...]
) -> tuple[dict[str, list[float]], list[float]]:
    took: dict[str, list[float]] = {kind: [] for kind in kinds}
    during: list[float] = []
    for round_ in range(repeat + 1):  # the first round warms up
        for kind in kinds:
            beside = judging() if kind == "judged" else None
            if beside is not None:
                time.sleep(0.5)  # it has begun
            if kind in ("once", "always"):
                mine.send(kind)
            one = turns.turn()
            if kind in ("once", "always"):
                mine.send("stop")
                found = mine.recv()
                during += found if round_ and kind == "always" else []
            if beside is not None:
                beside.join()
            if round_:
                took[kind].append(one)
    return took, during


def _asked(mine: Connection, order: str) -> float:
    mine.send(order)
    mine.send("stop")
    return float(mine.recv()[0])


def _ratio(some: list[float], others: list[float]) -> float:
    """The median over rounds of one turn to the other of the same round."""
    return statistics.median(one / other for one, other in zip(some, others, strict=True))


def _never(text: str) -> Any:
    raise AssertionError(text)


def _say(word: Word, *, subject: str = "", who: str = "", why: str = "") -> Any:
    raise AssertionError((word, subject, who, why))


def lines(row: dict[str, Any]) -> Iterator[tuple[str, str, str]]:
    yield "nobody asks", f"{row['turn_quiet_s'] * 1e3:,.0f} ms", ""
    for kind, text in (
        ("once", "one scrape in it"),
        ("always", "scrapes all the time"),
        ("judged", "an hour is judged beside it"),
    ):
        yield text, f"{row[f'turn_{kind}_s'] * 1e3:,.0f} ms", f"{row[f'{kind}_to_quiet']:.3f}"


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.scrape", description=__doc__)
    parser.add_argument("--app-vms", type=int, default=10_000)
    parser.add_argument("--repeat", type=int, default=15)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--out", type=Path, help="write the result as JSON")
    told = parser.parse_args()
    row = measure(told.app_vms, told.seed, told.repeat)
    table = Table(box=None)
    for heading in ("a turn in which", "takes", "to a quiet one"):
        table.add_column(heading, justify="left" if heading.startswith("a") else "right")
    for line in lines(row):
        table.add_row(*line)
    Console().print(table)
    print(
        f"a scrape: {row['series']:,} series, {row['exposed_bytes'] / 1e3:,.0f} kB, {row['scrape_s'] * 1e3:,.1f} ms at rest, "
        f"{row['scrape_in_a_turn_s'] * 1e3:,.1f} ms in a turn, {row['longest_scrape_s'] * 1e3:,.0f} ms at most"
    )
    if told.out:
        write(result("scrape", told.seed, {"repeat": told.repeat, "goal": {"scrape_s": GOAL_S}}, [row]), told.out)
    sys.exit(row["longest_scrape_s"] > GOAL_S)


if __name__ == "__main__":
    main()
