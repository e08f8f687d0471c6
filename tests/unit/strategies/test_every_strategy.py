"""What holds for every strategy on any cluster: pure, blind to names, and never against what guards hold in the common case."""

import re
from dataclasses import fields

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from autoscaler import registry
from autoscaler.core.decide import decide
from autoscaler.core.guards.case import Standing
from autoscaler.core.ledger import Ledger
from autoscaler.core.model import AppVM, CloudVM, CloudVMSize, CloudVMState, Service
from autoscaler.core.policy import Limits, Policy, StrategySpec
from autoscaler.core.snapshot import CPU, MEMORY, NOWHERE, Inventory, Snapshot

GIB = 1 << 30
CATALOGUE = tuple(CloudVMSize(f"size{n}", 2.0**n, 2 * GIB << n, 0.05 * 1.9**n) for n in range(1, 5))
ID = re.compile(r"\b([acs])(\d+)\b")  # app VMs a0, a1, ...; cloud VMs c0, ...; services s0, ...


@st.composite
def snapshots(draw):
    """Up to 8 cloud VMs with up to 24 app VMs, pins, rivals, lost samples, plans in flight; nobody over a capacity."""
    random = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    clouds = [CloudVM(f"c{n}", CATALOGUE[random.integers(4)], _state(random)) for n in range(random.integers(1, 9))]
    services = [Service(f"s{n}", *sorted(random.integers(0, 6, 2).tolist())) for n in range(random.integers(0, 4))]
    apps, place, cpu = [], [], []
    for n in range(random.integers(0, 25)):
        row = int(random.integers(-1, len(clouds)))
        here = [a for a, other in zip(apps, place, strict=True) if other == row]
        service = f"s{random.integers(len(services))}" if services and random.random() < 0.6 else ""
        rivals = (service,) if service and random.random() < 0.2 else ()
        pinned = f"c{row}" if row != NOWHERE and random.random() < 0.05 else ""
        app = AppVM(
            f"a{n}", service, random.choice([0.5, 1.0, 2.0]), int(random.choice([64, 256, 1024])) << 20, pinned, rivals
        )
        used = float(random.uniform(0, 3))
        if row != NOWHERE:
            memory = sum(a.memory_bytes for a in here) + app.memory_bytes
            busy = sum(c for c, other in zip(cpu, place, strict=True) if other == row) + used
            if (
                memory > clouds[row].size.memory_bytes
                or busy > clouds[row].size.cores
                or any(_rivals(app, a) for a in here)
            ):
                row = NOWHERE
        apps, place, cpu = [*apps, app], [*place, row], [*cpu, used]
    samples = np.array(cpu).reshape(-1, 1).repeat(2, axis=1)
    samples[random.random(samples.shape) < 0.1] = np.nan
    busy = frozenset(a.id for a in apps if random.random() < 0.05)
    return Snapshot(
        60.0,
        Inventory(CATALOGUE, tuple(clouds), tuple(apps), tuple(services)),
        np.array(place, dtype=np.int64),
        {CPU: samples, MEMORY: np.array([[a.memory_bytes * 0.6] for a in apps]).reshape(-1, 1)},
        np.full(len(apps), 60.0),
        busy,
    )


def _state(random):
    return CloudVMState.ACTIVE if random.random() < 0.9 else CloudVMState.CORDONED


def _rivals(one, other):
    return (other.service and other.service in one.apart_from) or (one.service and one.service in other.apart_from)


def renamed(snapshot):
    """The same cluster under other names, whose alphabetical order is the reverse."""
    inventory = snapshot.inventory

    def new(value):
        if type(value) is str:
            return ID.sub(lambda m: f"{m[1]}{999 - int(m[2])}", value)
        if isinstance(value, tuple | frozenset):
            return type(value)(new(item) for item in value)
        if isinstance(value, AppVM | CloudVM | Service):
            return type(value)(**{f.name: new(getattr(value, f.name)) for f in fields(value)})
        return value

    twin = Inventory(inventory.catalogue, new(inventory.cloud_vms), new(inventory.app_vms), new(inventory.services))
    return Snapshot(snapshot.at, twin, snapshot.placement, snapshot.usage, snapshot.sampled_at, new(snapshot.in_flight))


@pytest.mark.parametrize("name", registry.BUILT_IN)
@given(snapshot=snapshots())
@settings(max_examples=40, deadline=None)
def test_other_names_change_nothing_but_names(name, snapshot):
    strategy = registry.build(StrategySpec(name))
    there = ID.sub(lambda m: f"{m[1]}{999 - int(m[2])}", repr(list(strategy.propose(snapshot))))
    assert repr(list(strategy.propose(renamed(snapshot)))) == there


@pytest.mark.parametrize("name", registry.BUILT_IN)
@given(snapshot=snapshots())
@settings(max_examples=40, deadline=None)
def test_the_same_snapshot_gives_the_same_proposals_and_stays_as_it_was(name, snapshot):
    strategy = registry.build(StrategySpec(name))
    before = [array.copy() for array in (snapshot.placement, *snapshot.usage.values())]
    once = strategy.propose(snapshot)
    assert strategy.propose(snapshot) == once
    for array, was in zip((snapshot.placement, *snapshot.usage.values()), before, strict=True):
        np.testing.assert_array_equal(array, was)
    assert all(p.reason and all(isinstance(v, int | float) for v in p.evidence.values()) for p in once)


@pytest.mark.parametrize("name", ["threshold", "consolidate"])
@given(snapshot=snapshots())
@settings(max_examples=80, deadline=None)
def test_no_wish_is_against_a_pin_a_rival_or_a_capacity(name, snapshot):
    """With the default limits and parameters. (A composite's wishes for replicas may take the room of its other wishes.)"""
    proposals = [p for p in registry.build(StrategySpec(name)).propose(snapshot) if not p.action.changes_replicas]
    policy = Policy("p", StrategySpec(name), limits=Limits(worth_it_k=None))
    judged = decide("1", snapshot, proposals, Standing(policy, Ledger()))
    assert [denied.denials[0] for denied in judged.decision.denied] == []


@given(snapshot=snapshots())
@settings(max_examples=80, deadline=None)
def test_a_composite_speaks_of_each_cloud_vm_once(snapshot):
    moving = [p for p in registry.build(StrategySpec("composite")).propose(snapshot) if not p.action.changes_replicas]
    assert len({p.cloud_vm for p in moving}) == len(moving)
