"""Who scrapes: a process of its own, so that it shares no interpreter with the controller. A module of its own, so that it can start."""

from __future__ import annotations

import time
from multiprocessing.connection import Connection

import httpx


def scrape(url: str, orders: Connection) -> None:
    """The other process. Told `once` or `always`, it scrapes until told `stop`, and answers how long each scrape took."""
    with httpx.Client(base_url=url, trust_env=False, timeout=60.0) as client:
        while (order := orders.recv()) != "end":
            took: list[float] = []
            while True:
                began = time.perf_counter()
                client.get("/metrics").raise_for_status()
                took.append(time.perf_counter() - began)
                if order == "once" or orders.poll():
                    break
            assert orders.recv() == "stop"
            orders.send(took)
