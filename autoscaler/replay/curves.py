"""The PlanetLab experiment over time, for the report: what was asked for, offered and not given, and who was where.

Separate from the experiment, whose score needs none of it. Read off the run's diary; nothing is decided or billed here.
"""

from __future__ import annotations

import numpy as np

from autoscaler.packing.places import Hosts
from autoscaler.replay.honest import MIPS_PER_CORE, PRICE_PER_KWH
from autoscaler.replay.outcome import Timeline
from autoscaler.sim.cloudsim.demand import Asked
from autoscaler.sim.cloudsim.experiment import Diary
from autoscaler.sim.cloudsim.meter import add_up


def curves(hosts: Hosts, asked: Asked, diary: Diary, start_at: float, *, full_power: bool) -> Timeline:
    """One point per decision, 1000 MIPS as a core. Only hosts with app VMs count as capacity; with `full_power` all draw all
    they can."""
    line = Timeline()
    most_w = float(hosts.curves.draw(hosts.kind, np.ones(len(hosts))).sum())
    for number, (apps, where) in enumerate(zip(diary.residents, diary.hosts, strict=True)):
        mips = asked.mips[number][apps]
        required = add_up(where, np.minimum(mips, hosts.processor[where]), len(hosts))
        hosted = np.bincount(where, minlength=len(hosts))
        used = np.flatnonzero(hosted)
        watts = hosts.curves.draw(hosts.kind[used], np.minimum(diary.load[number][used], 1.0)).sum()
        given = np.minimum(required, hosts.capacity).sum()
        line.at.append(start_at + float(asked.times[number]))
        line.demand_cores.append(float(mips.sum()) / MIPS_PER_CORE)
        line.capacity_cores.append(float(hosts.capacity[used].sum()) / MIPS_PER_CORE)
        line.unserved_cores.append(max(float(mips.sum() - given), 0.0) / MIPS_PER_CORE)
        line.price_per_hour.append((most_w if full_power else float(watts)) / 1000.0 * PRICE_PER_KWH)
        line.placement.append({f"host-{host}": int(hosted[host]) for host in used.tolist()})
    return line
