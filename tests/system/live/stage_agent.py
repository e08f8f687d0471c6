"""A management VM's agent with nothing but handovers, for the tests of these: `python3 stage_agent.py NAME BACK_ADDRESS`.

It runs on the cloud VM. One JSON line on its standard input is one wish, one line on its output one answer or one point passed;
`{"die": "POINT"}` arms a kill -9 of itself at that point, which is the test's business and nobody else's.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import ssl
import sys
import time
from pathlib import Path
from typing import Any

from autoscaler.agent.handover import Handovers, Move
from autoscaler.agent.handover_halves import XenHalves
from autoscaler.agent.handover_passenger import Passenger
from autoscaler.errors import FlexCapsuleError

KEYS = Path("/root/keys")
RECORDS = Path("/root/stage/handovers")
RESOLVE_EVERY_S, HOLD_S = 1.0, 2.0
PORT = 8661  # beside the image's own agent
PATIENCE_S = 15.0  # above what a busy machine under emulation needs, short enough for a test of a cut link


class Household:
    """Of an agent that keeps no app VMs of its own."""

    async def prepare(self, passenger: Passenger) -> None:
        return

    def describe(self, app_vm: str) -> dict[str, str]:
        return {"app_vm": app_vm}

    def arrived(self, passenger: Passenger) -> None:
        say(arrived=passenger.name)

    def left(self, app_vm: str, peer: str) -> None:
        say(left=app_vm, peer=peer)


def say(**words: Any) -> None:
    sys.stdout.write(json.dumps(words) + "\n")
    sys.stdout.flush()


class Trap:
    """At an armed point: ends this process as kill -9 does, or holds it still while the test breaks something else."""

    def __init__(self) -> None:
        self.armed = self.held = ""

    def __call__(self, side: str, point: str) -> None:
        if os.environ.get("POINTS"):
            say(side=side, point=point, at=round(time.monotonic(), 4))
        if f"{side}:{point}" == self.armed:
            os.kill(os.getpid(), signal.SIGKILL)
        if f"{side}:{point}" == self.held:
            self.held = ""
            say(holding=point)
            time.sleep(HOLD_S)  # the whole process: nothing of it goes on meanwhile


def context(name: str, *, serving: bool) -> ssl.SSLContext:
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER if serving else ssl.PROTOCOL_TLS_CLIENT)
    made.minimum_version = ssl.TLSVersion.TLSv1_3
    made.verify_mode = ssl.CERT_REQUIRED
    made.load_verify_locations(KEYS / "authority.pem")
    made.load_cert_chain(KEYS / f"{name}.pem", KEYS / f"{name}.key")
    return made


async def obey(handovers: Handovers, trap: Trap, wish: dict[str, Any]) -> None:
    try:
        if "die" in wish:
            trap.armed = wish["die"]
            say(armed=trap.armed)
        elif "hold" in wish:
            trap.held = wish["hold"]
            say(armed=trap.held)
        elif "fenced" in wish:
            await handovers.fenced(*wish["fenced"])
            say(fenced=wish["fenced"])
        elif "halves" in wish:
            say(halves=handovers.halves())
        else:
            sent = await handovers.send(Move(**wish["send"]))
            say(
                sent=wish["send"]["step"],
                total_s=sent.total_s,
                downtime_s=sent.downtime_s,
                sent_bytes=sent.sent_bytes,
                phases=sent.phases,
            )
    except FlexCapsuleError as error:
        say(failed=str(error), step=wish.get("send", {}).get("step", ""))


async def resolve(handovers: Handovers) -> None:
    while True:
        await handovers.resolve()
        await asyncio.sleep(RESOLVE_EVERY_S)


async def main(name: str, address: str) -> None:
    trap = Trap()
    handovers = Handovers(
        RECORDS,
        halves=XenHalves(),
        household=Household(),
        serving=context(name, serving=True),
        calling=lambda: context(name, serving=False),
        can_log_dirty=os.environ.get("CAN_LOG_DIRTY", "yes") == "yes",
        watch=trap,
        patience_s=PATIENCE_S,
    )
    server = await handovers.serve(address, PORT)
    resolving = asyncio.create_task(resolve(handovers))
    reader = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    say(ready=name, pid=os.getpid())
    wishes = set()
    while line := await reader.readline():
        task = asyncio.create_task(obey(handovers, trap, json.loads(line)))
        wishes.add(task)
        task.add_done_callback(wishes.discard)
    resolving.cancel()
    server.close()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
