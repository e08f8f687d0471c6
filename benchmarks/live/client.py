"""The clients: requests that come whether or not those before were answered, each of which costs a little CPU.

Separate because it must not know of cloud VMs, replicas or moves: it knows one address per service, as clients do.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from benchmarks.live.shape import Shape

BURN_MS = 100  # of CPU per request: long beside what HTTP itself costs under emulation (about 10)
PATIENCE_S = 30.0
TURN_S = 0.1
OK = b"200"


@dataclass(frozen=True, slots=True)
class Answered:
    """One request: when it was sent (seconds after the start), how long it took, and what went wrong, if anything."""

    service: str
    at_s: float
    took_s: float
    failure: str = ""


@dataclass(slots=True)
class Clients:
    """`addresses`: service -> (host, port). Arrivals are a Poisson process of the shape's rate, drawn with `seed`."""

    shape: Shape
    addresses: dict[str, tuple[str, int]]
    seed: int = 1
    burn_ms: int = BURN_MS
    answered: list[Answered] = field(default_factory=list)
    under_way: int = 0

    async def run(self, now: Callable[[], float]) -> None:
        """Until the shape ends and the last request has. `now`: seconds since the start, below 0 before it."""
        async with asyncio.TaskGroup() as group:
            for number, service in enumerate(sorted(self.addresses)):
                group.create_task(self._arrivals(service, np.random.default_rng((self.seed, number)), now, group))

    async def _arrivals(
        self, service: str, chance: np.random.Generator, now: Callable[[], float], group: asyncio.TaskGroup
    ) -> None:
        seen = max(now(), 0.0)
        while seen < self.shape.length_s:
            await asyncio.sleep(TURN_S)
            at = now()
            expected = self.shape.cores(service, (seen + at) / 2) * 1000.0 / self.burn_ms * (at - seen)
            for delay in np.sort(chance.uniform(0.0, TURN_S, chance.poisson(expected))):
                group.create_task(self._one(service, float(delay), now))
            seen = at

    async def _one(self, service: str, delay_s: float, now: Callable[[], float]) -> None:
        await asyncio.sleep(delay_s)
        self.under_way += 1
        sent = now()
        try:
            failure = await asked(*self.addresses[service], f"/burn?ms={self.burn_ms}")
        finally:
            self.under_way -= 1
        self.answered.append(Answered(service, sent, now() - sent, failure))


async def asked(host: str, port: int, path: str, patience_s: float = PATIENCE_S) -> str:
    """GET it; what went wrong, or ""."""
    try:
        async with asyncio.timeout(patience_s):
            reader, writer = await asyncio.open_connection(host, port)
            try:
                writer.write(f"GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode())
                said = await reader.read()
            finally:
                writer.close()
    except TimeoutError:
        return f"no answer within {patience_s:g} s"
    except OSError as error:
        return f"{type(error).__name__}: {error}"
    head, _, body = said.partition(b"\r\n\r\n")
    words = head.split(maxsplit=2)
    if len(words) < 2 or words[1] != OK:
        return f"HTTP {words[1].decode(errors='replace')}" if len(words) > 1 else "an empty answer"
    return "" if body else "an answer without content"


async def answering(addresses: dict[str, tuple[str, int]], patience_s: float) -> dict[str, float]:
    """Wait until every service answers; how long each took. Raises TimeoutError naming what does not."""
    began, took = time.monotonic(), dict[str, float]()
    while missing := sorted(set(addresses) - set(took)):
        for service in missing:
            if not await asked(*addresses[service], "/status", patience_s=2.0):
                took[service] = time.monotonic() - began
        if time.monotonic() - began > patience_s:
            raise TimeoutError(f"no answer from {', '.join(missing)} within {patience_s:g} s")
        await asyncio.sleep(0.2)
    return took
