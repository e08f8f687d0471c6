"""`python3 -m autoscaler.agent`: the agent of a management VM, over Xen. Wiring only."""

from __future__ import annotations

import argparse
import asyncio
import gc
import signal
import sys
import time
from pathlib import Path

from autoscaler.agent import grant_pages, serving
from autoscaler.agent.assembly import assembled
from autoscaler.agent.credentials import Credentials
from autoscaler.agent.deeds import Bench
from autoscaler.agent.handover import Handovers
from autoscaler.agent.handover_halves import XenHalves
from autoscaler.agent.household import Household
from autoscaler.agent.xen import Xen
from autoscaler.agent.xenstore import XenStore
from autoscaler.errors import FlexCapsuleError

clock = time.time  # noqa: TID251  the agent is a program of its own, and this is where its wall clock comes in


def options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="flexcapsule-agent", description="Runs the app VMs of this cloud VM.")
    parser.add_argument("--name", required=True, help="this cloud VM's name, as in its certificate")
    parser.add_argument(
        "--keys", type=Path, default=Path("/etc/flexcapsule/keys.d"), help="authority.pem, NAME.pem, NAME.key"
    )
    parser.add_argument("--state", type=Path, default=Path("/var/lib/flexcapsule"), help="what must outlive a restart")
    parser.add_argument("--run", type=Path, default=Path("/run/flexcapsule"), help="what need not, and the unix socket")
    parser.add_argument("--listen", default="0.0.0.0:8650", help="ADDRESS:PORT of the API (mutual TLS)")
    parser.add_argument("--back", default="", help="address on the back network, for handovers")
    return parser.parse_args()


def say(line: str) -> None:
    print(time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(clock())), line, file=sys.stderr, flush=True)  # noqa: T201


async def run(given: argparse.Namespace) -> None:
    grant_pages.warm()
    store = XenStore()
    credentials = Credentials(given.keys, given.name)
    xen = Xen(given.run, store)

    def handing(bench: Bench) -> Handovers:
        return Handovers(
            given.state / "handovers", halves=XenHalves(), household=Household(bench, given.back),
            serving=credentials.serving(), calling=credentials.calling, can_log_dirty=xen.observe().can_log_dirty,
        )  # fmt: skip

    agent = assembled(
        given.name,
        xen,
        given.state,
        clock=clock,
        say=say,
        credentials=credentials,
        handing=handing if given.back else None,
    )
    if agent.handovers is not None:
        await agent.handovers.serve(given.back)
    loop, until, woken = asyncio.get_running_loop(), asyncio.Event(), asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, until.set)
    store.watch_ends(lambda: loop.call_soon_threadsafe(woken.set))
    application = agent.api.application()
    host, _, port = given.listen.rpartition(":")
    places = [
        (serving.listener(application, credentials.serving()), serving.bind(host, int(port))),
        (serving.listener(application, None), serving.bind_path(given.run / "agent.sock")),
    ]
    gc.collect()
    gc.freeze()  # what is there now stays: searching it for garbage in the middle of a handover would lengthen a pause
    say(f"{given.name}: ready on {given.listen}")
    await asyncio.gather(serving.serve(places, until), agent.live(woken, until))


def main() -> None:
    try:
        asyncio.run(run(options()))
    except FlexCapsuleError as error:
        say(f"cannot run: {error}")
        sys.exit(1)


if __name__ == "__main__":
    main()
