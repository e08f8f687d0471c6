"""Where app VMs are put at the very beginning, when nothing is known but what they may use at most.

Separate because it runs once and counts memory, which nothing does later. No time may be here.
"""

from __future__ import annotations

import heapq

import numpy as np

from autoscaler.core.snapshot import IntArray
from autoscaler.errors import UsageError
from autoscaler.packing.places import Hosts
from autoscaler.sim.cloudsim import facts


def first_fit(hosts: Hosts, kinds: IntArray) -> list[int]:
    """Host of each app VM: the first with room. Room only shrinks, so each type's search goes on where it last ended."""
    room = _Room(hosts)
    next_host = [0] * len(facts.APP_MIPS)
    return [room.take(_search(room, kind, next_host), kind) for kind in kinds.tolist()]


def least_power(hosts: Hosts, kinds: IntArray) -> list[int]:
    """Host of each app VM: where power would rise least above that of the idle host; the first of equals."""
    room = _Room(hosts)
    kind_of = hosts.kind.tolist()
    alike = [kind_of.index(kind) for kind in sorted(set(kind_of))]  # an empty host of each kind
    queues = []
    for kind in range(len(facts.APP_MIPS)):
        rises_w = [room.rise_w(host, kind) for host in alike]
        queues.append([(rises_w[host_kind], host) for host, host_kind in enumerate(kind_of)])
    for queue in queues:
        heapq.heapify(queue)
    chosen: list[int] = []
    for kind in kinds.tolist():
        queue = queues[kind]
        while queue and queue[0][0] != room.rise_w(queue[0][1], kind):
            heapq.heapreplace(queue, (room.rise_w(queue[0][1], kind), queue[0][1]))
        if not queue or queue[0][0] == np.inf:
            raise _too_many(len(chosen))
        chosen.append(room.take(queue[0][1], kind))
    return chosen


class _Room:
    """What is left of each host while app VMs are dealt out."""

    def __init__(self, hosts: Hosts) -> None:
        self._hosts, self.hosts = hosts, len(hosts)
        self._capacity: list[float] = hosts.capacity.tolist()
        self._processor: list[float] = hosts.processor.tolist()
        self._kind: list[int] = hosts.kind.tolist()
        self._used = [0.0] * len(hosts)
        self._memory = [facts.HOST_MEMORY_MB] * len(hosts)
        self._idle_w = [hosts.curves.of(kind, 0.0) for kind in range(len(facts.HOST_MIPS))]

    def fits(self, host: int, kind: int) -> bool:
        mips = facts.APP_MIPS[kind]
        free = self._capacity[host] - self._used[host]
        return mips <= self._processor[host] and mips <= free and self._memory[host] >= facts.APP_MEMORY_MB[kind]

    def rise_w(self, host: int, kind: int) -> float:
        if not self.fits(host, kind):
            return float(np.inf)
        load = (self._used[host] + facts.APP_MIPS[kind]) / self._capacity[host]
        return self._hosts.curves.of(self._kind[host], load) - self._idle_w[self._kind[host]]

    def take(self, host: int, kind: int) -> int:
        self._used[host] += facts.APP_MIPS[kind]
        self._memory[host] -= facts.APP_MEMORY_MB[kind]
        return host


def _search(room: _Room, kind: int, next_host: list[int]) -> int:
    while next_host[kind] < room.hosts and not room.fits(next_host[kind], kind):
        next_host[kind] += 1
    if next_host[kind] == room.hosts:
        raise _too_many(-1)
    return next_host[kind]


def _too_many(placed: int) -> UsageError:
    after = f" after {placed} of them" if placed >= 0 else ""
    return UsageError(f"the experiment's hosts are full{after}: replay fewer app VMs, or more hosts (--hosts)")
