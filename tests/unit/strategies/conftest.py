"""Small clusters written down in one line each, for stories about what a strategy would do."""

from types import SimpleNamespace

import numpy as np
import pytest

from autoscaler.core.model import AppVM, CloudVM, CloudVMSize, CloudVMState, Service
from autoscaler.core.snapshot import CPU, MEMORY, NOWHERE, Inventory, Snapshot

MIB, GIB = 1 << 20, 1 << 30
SMALL = CloudVMSize("small", 2.0, 4 * GIB, 0.05)
MEDIUM = CloudVMSize("medium", 4.0, 8 * GIB, 0.10)
LARGE = CloudVMSize("large", 8.0, 16 * GIB, 0.20)
XLARGE = CloudVMSize("xlarge", 16.0, 32 * GIB, 0.40)
CATALOGUE = (SMALL, MEDIUM, LARGE, XLARGE)
SIZES = {size.name: size for size in CATALOGUE}


def app(name, cpu=0.0, mib=256, in_use_mib=None, samples=None, **more):
    """An app VM that uses `cpu` cores (or had `samples`, oldest first, None = lost) and `in_use_mib` (half of `mib`)."""
    used = [cpu] if samples is None else [np.nan if value is None else value for value in samples]
    return SimpleNamespace(
        app_vm=AppVM(name, memory_bytes=mib * MIB, **more), cpu=used, in_use_mib=in_use_mib or mib / 2
    )


def replicas(service, number, cpu, first=1, **more):
    """`number` app VMs of `service`, each using `cpu` cores of its one."""
    return [app(f"{service}-{n}", cpu, service=service, **more) for n in range(first, first + number)]


def scene(clouds, *, services=(), in_flight=(), states=None, reserved=None, catalogue=CATALOGUE, lost=()):
    """`clouds`: id -> (size, app VMs); `lost`: app VMs that run nowhere; `services`: id -> (least, most) replicas."""
    here = [(a, row) for row, (_, apps) in enumerate(clouds.values()) for a in apps] + [(a, NOWHERE) for a in lost]
    width = max((len(a.cpu) for a, _ in here), default=1)
    cpu = [[a.cpu[0]] * (width - len(a.cpu)) + a.cpu for a, _ in here]
    states = states or {}
    return Snapshot(
        at=1000.0,
        inventory=Inventory(
            catalogue,
            tuple(CloudVM(id_, SIZES[size], states.get(id_, CloudVMState.ACTIVE)) for id_, (size, _) in clouds.items()),
            tuple(a.app_vm for a, _ in here),
            tuple(Service(id_, least, most) for id_, (least, most) in dict(services).items()),
        ),
        placement=np.array([row for _, row in here], dtype=np.int64),
        usage={
            CPU: np.array(cpu, dtype=np.float64).reshape(len(here), width),
            MEMORY: np.repeat(np.array([[a.in_use_mib * MIB] for a, _ in here]).reshape(-1, 1), width, axis=1),
        },
        sampled_at=np.full(len(here), 1000.0),
        in_flight=frozenset(in_flight),
        reserved_bytes=reserved or {},
    )


def told(proposals):
    """Each proposal as a line: action and subject, then where to."""

    def line(p):
        if p.action.changes_replicas:
            return f"{p.action} {getattr(p, 'app_vm', p.service)}"
        if hasattr(p, "size"):
            return f"{p.action} {p.cloud_vm} to {p.size}"
        new = f" new {p.new_size}" if getattr(p, "new_size", None) else ""
        moves = " ".join(f"{m.app_vm}>{m.target or 'new'}" for m in p.moves)
        return f"{p.action} {p.cloud_vm}: {moves}{new}".rstrip(": ")

    return [line(p) for p in proposals]


@pytest.fixture
def story():
    """The words the stories are written in."""
    return SimpleNamespace(app=app, replicas=replicas, scene=scene, told=told)
