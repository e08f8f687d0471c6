"""A real cluster under a real load, scaled by the controller: `make demo-live`, or `python -m benchmarks.live [--short]`.

Cloud VMs with real Xen on this machine, two services of FlexCapsule OS web servers behind HAProxy, clients whose load rises,
peaks, falls and idles, twice. The controller decides by benchmarks/live/policy.yaml and nothing else; the clients know nothing of
it. At the end: one HTML page and one JSON file. Exit code 1 where an action is missing, a request failed, or something is left.
"""

from __future__ import annotations

import argparse
import asyncio
import signal
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

from autoscaler.cli import show
from autoscaler.errors import FlexCapsuleError
from benchmarks.live import client, page, report, scene, shape, story, view
from benchmarks.result import result, write

NAME = "demo"
READY_S = 180.0
SETTLE_S = 90.0  # after the load, at most: what it still means to save
LOOK_S = 1.0


async def _played(
    stage: scene.Scene, plan: shape.Shape, seen: view.View, seed: int, kill_at_s: float | None
) -> report.Run:
    took = await client.answering(stage.addresses, READY_S)
    seen.say("first answers: " + ", ".join(f"{name} after {s:.1f} s" for name, s in sorted(took.items())))
    began, monotonic = time.time(), time.monotonic()  # noqa: TID251  the journal's clock, to lay both side by side

    def now() -> float:
        return time.monotonic() - monotonic

    def over() -> bool:
        return now() >= plan.length_s and (told.at_rest(len(plan.services)) or now() >= plan.length_s + SETTLE_S)

    clients, notes, told = client.Clients(plan, stage.addresses, seed), [], story.Story()
    running = asyncio.create_task(clients.run(now))
    try:
        while not (over() and running.done()):
            if kill_at_s is not None and now() >= kill_at_s:
                stage.controller.kill()
                stage.controller.start()
                notes.append(f"At {now():.0f} s the controller was killed (SIGKILL) and started again.")
                seen.say(notes[-1])
                kill_at_s = None
            stage.controller.check()
            told = await asyncio.to_thread(story.read, stage.journal)
            wanted = {name: plan.cores(name, now()) for name in plan.services}
            seen.show(
                view.Scenery(
                    now(), plan.length_s, plan.phase(now()), wanted, clients.answered, clients.under_way, told, began
                )
            )
            await asyncio.sleep(LOOK_S)
        await running
    finally:
        running.cancel()
        with suppress(asyncio.CancelledError):
            await running
    told = await asyncio.to_thread(story.read, stage.journal)
    prices = {str(size["name"]): float(str(size["price_per_hour"])) for size in scene.CATALOGUE}
    return report.Run(began, began + plan.length_s, plan, clients.answered, told, prices, notes)


def _in_words(plan: shape.Shape) -> str:
    cycles = "one cycle" if plan.cycles == 1 else f"{plan.cycles} cycles"
    return f"{cycles} of {plan.cycle_s / 60:.0f} minutes"


def _conditions(plan: shape.Shape, lab: Any) -> dict[str, Any]:
    return {
        "cycles": plan.cycles,
        "cycle_s": plan.cycle_s,
        "burn_ms": client.BURN_MS,
        "tick": scene.TICK,
        "accelerator": lab.accelerator,
        "catalogue": list(scene.CATALOGUE),
    }


def _written(run: report.Run, lab: Any, out: Path, seed: int) -> dict[str, Any]:
    figures = report.document(run)
    whole = result("live", seed, _conditions(run.shape, lab), [figures], ("cryptography",))
    write(whole, out / "report.json")
    (out / "report.html").write_text(page.page({**whole, **figures, "accelerator": lab.accelerator}), encoding="utf-8")
    return figures


def _summary(figures: dict[str, Any]) -> None:
    cost, asked, moves = figures["cost"], figures["requests"]["all"], figures["migrations"]
    print()
    show.print_table(("action", ">carried out"), ((name, str(count)) for name, count in figures["actions"].items()))
    print(f"requests: {asked['sent']}, failed: {asked['failed']}; 99 % answered within {asked['p99_s']:.2f} s")
    print(f"cloud VMs rented: {figures['cloud_vms']['created']}, released: {figures['cloud_vms']['released']}")
    print(
        f"migrations: {moves['done']}, failed: {moves['failed']}; paused {moves['downtime_median_s']:.2f} s in the median, "
        f"{moves['downtime_longest_s']:.2f} s at the longest"
    )
    print(
        f"paid {cost['paid']:.4f}; a cluster that always has the peak's cloud VMs: {cost['fixed_cluster']:.4f} "
        f"({100 * cost['saved_fraction']:.0f} % saved)"
    )


def _asked() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.live", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--short", action="store_true", help="one cycle instead of two, and a quicker one")
    parser.add_argument("--out", type=Path, default=Path("var/demo-live"), metavar="DIR", help="where the report goes")
    parser.add_argument("--name", default=NAME, help="of the lab")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument(
        "--kill-controller-at", type=float, metavar="SECONDS", help="SIGKILL it there, and start it again"
    )
    parser.add_argument("--accelerator", choices=("auto", "kvm", "tcg"), default="auto")
    return parser.parse_args()


def main() -> int:
    asked = _asked()
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        with view.View() as seen:
            with scene.staged(asked.name, asked.out, seen.say, asked.accelerator) as stage:
                plan = shape.fitting(stage.start_up_s, short=asked.short)
                seen.say(f"the first cloud VM took {stage.start_up_s:.0f} s to start: {_in_words(plan)}")
                run = asyncio.run(_played(stage, plan, seen, asked.seed, asked.kill_controller_at))
                figures = _written(run, stage.lab, asked.out, asked.seed)
            left = scene.leftovers(asked.name)
    except (FlexCapsuleError, TimeoutError) as error:
        print(f"demo-live: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("demo-live: interrupted; everything is cleaned up", file=sys.stderr)
        return 130
    _summary(figures)
    print(f"the report: {asked.out / 'report.html'} and {asked.out / 'report.json'}")
    for trouble in (f"missing: {', '.join(figures['missing_actions'])}" if figures["missing_actions"] else "", left):
        if trouble:
            print(f"demo-live: {trouble}", file=sys.stderr)
    return int(bool(figures["missing_actions"] or figures["requests"]["all"]["failed"] or left))


if __name__ == "__main__":
    sys.exit(main())
