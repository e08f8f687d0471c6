"""Made-up load, for those who have none recorded: the shapes of sim/scenario, sampled. The same seed gives the same load.

Separate from the readers because nothing is read. Each subject is a little different: its peak hour, its height, its bursts.
"""

from __future__ import annotations

import numpy as np

from autoscaler.sim.demand import ShapedDemand
from autoscaler.sim.scenario import MONDAY, DemandShape, Flash
from autoscaler.sim.traces.trace import GIB, Kind, Trace

DAY_S = 86400.0


def make_up(shape: str, kind: Kind, subjects: int, days: float, step_s: float, peak_cores: float, seed: int) -> Trace:
    """`shape`: diurnal, bursty, flash or onoff."""
    luck = np.random.Generator(np.random.PCG64(seed))
    stem = "app" if kind == "app_vms" else "service"
    shapes = {f"{stem}-{number + 1}": _shape(shape, luck, peak_cores, days) for number in range(subjects)}
    demand = ShapedDemand(shapes, start_at=MONDAY, step_s=step_s, seed=seed)
    steps = max(2, round(days * DAY_S / step_s))
    cores = np.array([demand.at(MONDAY + step * step_s) for step in range(steps)])
    limit = np.maximum(cores.max(axis=0), 0.01)
    return Trace(
        name=shape,
        layout="made up",
        kind=kind,
        start_at=MONDAY,
        step_s=step_s,
        subjects=tuple(shapes),
        cores=cores,
        allocated_cores=np.ceil(limit) if kind == "app_vms" else np.ones(subjects),
        allocated_bytes=np.full(subjects, 0.5 * GIB),
    )


def _shape(shape: str, luck: np.random.Generator, peak_cores: float, days: float) -> DemandShape:
    """Heights within a fifth of what was asked for."""
    peak = peak_cores * float(luck.uniform(0.8, 1.0))
    hour = float(luck.uniform(10.0, 18.0))
    daily = DemandShape(
        base_cores=0.15 * peak,
        swing_cores=0.75 * peak,
        peak_hour=hour,
        sharpness=1.5,
        weekend_factor=0.6,
        noise_fraction=0.05,
    )
    if shape == "diurnal":
        return daily
    if shape == "flash":
        at_s = float(luck.uniform(0.2, 0.8)) * days * DAY_S
        flash = Flash(at_s=at_s, cores=peak, rise_s=300.0, hold_s=2700.0, fall_s=3600.0)
        return DemandShape(
            base_cores=0.1 * peak, swing_cores=0.3 * peak, peak_hour=hour, noise_fraction=0.05, flashes=(flash,)
        )
    period_s = float(luck.uniform(1.0, 4.0)) * 3600.0
    if shape == "bursty":
        return DemandShape(
            base_cores=0.2 * peak,
            burst_cores=0.7 * peak,
            burst_period_s=period_s,
            burst_fraction=0.15,
            burst_offset_s=float(luck.uniform(0.0, period_s)),
            noise_fraction=0.15,
        )
    return DemandShape(
        burst_cores=peak,
        burst_period_s=6 * period_s,
        burst_fraction=0.5,
        burst_offset_s=float(luck.uniform(0.0, 6 * period_s)),
    )
