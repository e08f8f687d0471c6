"""The PlanetLab experiment (`--world cloudsim`): a policy's strategy applied straight to arrays, in CloudSim's world.

Separate from the loop because 28,000 migrations a day in half a second leave no room for proposals, guards and sagas; the
detectors, selections and placement are the very code that the strategy proposes with (docs/decisions).
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from itertools import count

import numpy as np

from autoscaler import registry
from autoscaler.core.policy import Policy
from autoscaler.core.snapshot import FloatArray
from autoscaler.errors import UsageError
from autoscaler.packing import quick
from autoscaler.packing.places import Hosts, Moment
from autoscaler.replay.curves import curves
from autoscaler.replay.honest import PRICE_PER_KWH
from autoscaler.replay.outcome import Outcome, Progress, Timeline, no_progress
from autoscaler.sim.cloudsim import facts
from autoscaler.sim.cloudsim.demand import Asked, ask
from autoscaler.sim.cloudsim.experiment import Decide, Diary, Moves, run
from autoscaler.sim.cloudsim.founding import first_fit, least_power
from autoscaler.sim.cloudsim.ledger import Bill, full_power_kwh, settle
from autoscaler.sim.traces import Trace
from autoscaler.strategies.planetlab import PlanetLab
from autoscaler.strategies.steady import Steady

MIXED_SEED = 0x504C  # keeps shuffles apart from other uses of the same seed
FIGURES = (  # of the score, in its order
    *("energy_kwh", "migrations", "slatah", "pdm", "slav", "esv", "cost", "unserved_fraction", "host_hours"),
)


def shuffled(trace: Trace, seed: int) -> Trace:
    """The app VMs in another order, and so of other types: numpy's `Generator(PCG64([MIXED_SEED, seed])).permutation`."""
    order = np.random.Generator(np.random.PCG64([MIXED_SEED, seed])).permutation(len(trace.subjects))
    return Trace(
        name=f"{trace.name} shuffle {seed}",
        layout=trace.layout,
        kind=trace.kind,
        start_at=trace.start_at,
        step_s=trace.step_s,
        subjects=tuple(trace.subjects[row] for row in order),
        cores=trace.cores[:, order],
        allocated_cores=trace.allocated_cores[order],
        allocated_bytes=trace.allocated_bytes[order],
        repairs=trace.repairs,
    )


def check(trace: Trace, policy: Policy) -> PlanetLab | Steady:
    """The strategy. Raises UsageError where trace or policy is of another kind."""
    if trace.kind != "app_vms" or trace.steps != facts.SAMPLES or trace.step_s != facts.INTERVAL_S:
        raise UsageError(
            f"trace {trace.name!r} has {trace.steps} steps of {trace.step_s:g} s; --world cloudsim replays days of "
            f"{facts.SAMPLES} samples, {facts.INTERVAL_S:g} s apart, of app VMs (the PlanetLab layout)"
        )
    strategy = registry.build(policy.strategy)
    if not isinstance(strategy, PlanetLab | Steady):
        raise UsageError(
            f"policy {policy.name!r} has strategy {policy.strategy.name!r}; --world cloudsim knows only 'planetlab' and "
            "'steady' (policies/planetlab/); for other strategies use --world planetlab"
        )
    return strategy


def experiment(
    trace: Trace,
    policy: Policy,
    seed: int,
    hosts: int = facts.HOSTS,
    progress: Progress = no_progress,
    *,
    with_curves: bool = False,
) -> Outcome:
    """Replay `policy` on a day of per-cent samples; `progress` is told of each decision. Raises UsageError as `check` does."""
    strategy = check(trace, policy)
    if quick.HERE:
        quick.warm()
    percent = np.nan_to_num(trace.cores / trace.allocated_cores * 100.0)
    began, park = time.perf_counter(), facts.make_hosts(hosts)
    asked = ask(np.round(percent))
    diary = _carried_out(asked, strategy, park, progress)
    full_power = isinstance(strategy, PlanetLab) and strategy.power == "full"
    bill = settle(park, asked, diary)
    score = _figures(bill, full_power_kwh(park, asked) if full_power else bill.energy_kwh)
    simulation_s = time.perf_counter() - began
    line = curves(park, asked, diary, trace.start_at, full_power=full_power) if with_curves else Timeline()
    return Outcome(policy.name, trace.name, seed, score, line, simulation_s=simulation_s)


def _carried_out(asked: Asked, strategy: PlanetLab | Steady, hosts: Hosts, progress: Progress) -> Diary:
    still = isinstance(strategy, PlanetLab) and strategy.detector == "none"
    placement = first_fit(hosts, asked.kind) if still else least_power(hosts, asked.kind)
    return run(hosts, asked, placement, None if still else _decider(strategy, progress))


def _decider(strategy: PlanetLab | Steady, progress: Progress) -> Decide:
    done = count(1)

    def decide(hosts: Hosts, moment: Moment, window: FloatArray) -> Moves:
        relief, emptied = strategy.turn(hosts, moment, window)
        progress(next(done))
        return relief + emptied

    return decide


def _figures(bill: Bill, energy_kwh: float) -> Mapping[str, float]:
    slav = bill.slatah * bill.pdm
    return {
        "energy_kwh": energy_kwh,
        "migrations": bill.migrations,
        "slatah": bill.slatah,
        "pdm": bill.pdm,
        "slav": slav,
        "esv": energy_kwh * slav,
        "cost": energy_kwh * PRICE_PER_KWH,
        "unserved_fraction": bill.unserved_fraction,
        "host_hours": bill.host_hours,
    }
