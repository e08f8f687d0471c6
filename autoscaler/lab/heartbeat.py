"""Watch an app VM from outside while it moves: a beat it sends every 5 ms, and one connection that must not break.

Separate because it is the measure: it knows nothing of transfers, and what it reports is what a client would have noticed.
"""

from __future__ import annotations

import select
import socket
import threading
import time
from dataclasses import dataclass
from itertools import pairwise
from types import TracebackType
from typing import Self

PORT = 7
INTERVAL_S = 0.005  # the app VM's own beat, deploy/image/guest/echo.c
RENEW_S = 0.5  # the app VM beats for 30 s after it was last asked
TALK_S = 0.05
DRAIN_S = 3.0  # time for what was under way to arrive, and for TCP to send again what was lost


@dataclass(frozen=True, slots=True)
class Heard:
    """Beats between the first and the last one heard."""

    received: int
    lost: int
    largest_gap_s: float
    largest_gap_at: float


def heard(arrivals: list[tuple[float, int]]) -> Heard:
    """Loss and the largest silence in arrivals of (time in s, number)."""
    if len(arrivals) < 2:
        return Heard(len(arrivals), 0, float("inf"), 0.0)
    numbers = {number for _, number in arrivals}
    gaps = [(after[0] - before[0], before[0]) for before, after in pairwise(arrivals)]
    gap, at = max(gaps)
    return Heard(len(numbers), max(numbers) - min(numbers) + 1 - len(numbers), gap, at)


class Watch:
    """`with Watch(address) as watch:` listens to an app VM's beats and talks to it over one TCP connection meanwhile."""

    def __init__(self, address: str) -> None:
        self._address = address
        self._over = threading.Event()
        self._threads = [threading.Thread(target=self._listen), threading.Thread(target=self._talk)]
        self.arrivals: list[tuple[float, int]] = []
        self.connection = "not made"

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            time.sleep(DRAIN_S)
        self._over.set()
        for thread in self._threads:
            thread.join()

    def _listen(self) -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as beats:
            beats.connect((self._address, PORT))
            renew_at = 0.0
            while not self._over.is_set():
                if time.monotonic() >= renew_at:
                    _send(beats, b"beat")
                    renew_at = time.monotonic() + RENEW_S
                if select.select([beats], [], [], 0.1)[0]:
                    self._note(beats)
            _send(beats, b"hush")

    def _note(self, beats: socket.socket) -> None:
        try:
            words = beats.recv(64).split()
        except ConnectionError:
            return
        if len(words) == 2 and words[0] == b"beat":
            self.arrivals.append((time.monotonic(), int(words[1])))

    def _talk(self) -> None:
        """Numbered lines there and back; every byte must return, in order, on the connection that was made at the start."""
        try:
            with socket.create_connection((self._address, PORT), timeout=10) as talk:
                talk.settimeout(30)
                count = 0
                while not self._over.is_set():
                    count += 1
                    line = b"line %08d\n" % count
                    talk.sendall(line)
                    self.connection = f"broke at line {count}"
                    if _exactly(talk, len(line)) != line:
                        self.connection = f"garbled at line {count}"
                        return
                    self._over.wait(TALK_S)
                self.connection = "intact"
        except OSError as error:
            self.connection = f"broke: {error}"


def _send(sock: socket.socket, words: bytes) -> None:
    try:
        sock.send(words)
    except ConnectionError:
        return  # an earlier datagram was refused: the app VM is not listening yet


def _exactly(sock: socket.socket, size: int) -> bytes:
    got = b""
    while len(got) < size and (more := sock.recv(size - len(got))):
        got += more
    return got
