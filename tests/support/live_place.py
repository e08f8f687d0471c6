"""A directory with everything that `flexcapsule run --config live.yaml` needs, on fake agents behind mutual TLS, in real time."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from fake_agents import MIB, Fleet

from autoscaler import keys

POLICY = """\
name: quick
every: 1s
strategy:
  name: composite
  replicas: {name: target_tracking, cpu_target: 60%}
  placement: {name: consolidate, cpu_ceiling: 95%, cpu_fill: 90%, cpu_floor: 85%}
limits:
  fresh: 60s
  headroom: {cpu: 0%, memory: 0%}
  cooldown: {serving: 0s, saving: 0s}
  worth_it: {k: none}
"""
CONFIG = """\
policy: policy.yaml
tick: 250ms
log: {{format: json}}
http: {{port: 0}}
cluster:
  live:
    provider:
      static:
{hosts}
    keys: keys
    catalogue:
      - {{name: small, cores: 1, memory: 300MiB, price_per_hour: 0.01}}
    services:
      - {{id: web, image: web.elf, memory: 16MiB, cores: 0.1, min_replicas: {replicas}, max_replicas: 9}}
    addresses: 10.9.0.101-10.9.0.120/24
"""


@contextmanager
def live_place(place: Path, *, hosts: str = "abc", replicas: int = 6, step_s: float = 0.0) -> Iterator[Fleet]:
    """Writes live.yaml, policy.yaml, web.elf and keys into `place`; the fleet's agents use a fiftieth of a core per app VM."""
    keys.init(place / "keys")
    fleet = Fleet(place / "keys", clock=time.monotonic)
    try:
        for name in hosts:
            fleet.add(name, memory_bytes=400 * MIB, step_s=step_s, cores_used=0.02)
        lines = [f'        - {{name: {a.name}, size: small, address: "{a.address}"}}' for a in fleet.agents.values()]
        (place / "live.yaml").write_text(CONFIG.format(hosts="\n".join(lines), replicas=replicas))
        (place / "policy.yaml").write_text(POLICY)
        (place / "web.elf").write_bytes(b"an image")
        yield fleet
    finally:
        fleet.close()
