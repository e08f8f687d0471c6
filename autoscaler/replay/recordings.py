"""Load that was not recorded as a trace: in a controller's journal, or by a Prometheus server.

Separate from sim/traces, which reads files of other people and may not know adapters. What is named on the command line is
told apart here: a URL, a journal (or the directory it is in), else a trace file.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from autoscaler.adapters import codec
from autoscaler.adapters.decisions import JournalReader
from autoscaler.core.events import Observed
from autoscaler.core.history import History
from autoscaler.core.snapshot import CPU, MEMORY, Inventory
from autoscaler.errors import UsageError
from autoscaler.sim.traces import Repairs, Trace, read_trace
from autoscaler.sim.traces.grid import lay_out

JOURNAL_FILE = "journal.sqlite"
SQLITE_MAGIC = b"SQLite format 3\x00"


def read_recording(name: str) -> Trace:
    """The load that `name` means. Raises UsageError or JournalError, one line."""
    path = Path(name)
    journal = path / JOURNAL_FILE if path.is_dir() and (path / JOURNAL_FILE).is_file() else path
    if journal.is_file() and _head(journal) == SQLITE_MAGIC:
        return journal_trace(journal)
    return read_trace(path)


def journal_trace(path: Path) -> Trace:
    """What app VMs used, as the controller saw it: of a service all replicas together, of others each one.

    A sample is the mean since the observation before it, so the first one (of a moment) is left out. Demand that was not
    served left no sample: where a run was short of capacity, its journal asks for less than was asked for.
    """
    collected = _Collected()
    history = History(1)
    for observed in _observations(path):
        history = history.extend(observed)
        collected.add(observed, history.inventory)
    if len(collected.at) < 2:
        raise UsageError(f"the journal {path} holds {len(collected.at)} observations; a trace needs at least two")
    return collected.trace(path.parent.name if path.name == JOURNAL_FILE else path.stem)


@dataclass(slots=True)
class _Collected:
    """Observations by subject, in order of first appearance."""

    at: list[float] = field(default_factory=list)
    rows: dict[str, int] = field(default_factory=dict)
    samples: list[tuple[int, float, float, float]] = field(default_factory=list)  # row, at, cores, bytes
    cores: dict[str, float] = field(default_factory=dict)
    memory: dict[str, float] = field(default_factory=dict)

    def add(self, observed: Observed, inventory: Inventory) -> None:
        """The load between the observation before and this one."""
        before = self.at[-1] if self.at else None
        self.at.append(observed.at)
        if before is None:
            return
        used, resident = observed.samples.get(CPU), observed.samples.get(MEMORY)
        if used is None:
            return
        sums: dict[str, list[float]] = {}
        for row, app_vm in enumerate(inventory.app_vms):
            subject = app_vm.service or app_vm.id
            self.rows.setdefault(subject, len(self.rows))
            self.cores[subject], self.memory[subject] = app_vm.cores, float(app_vm.memory_bytes)
            total = sums.setdefault(subject, [0.0, 0.0])
            total[0] += float(used[row])
            total[1] += float(resident[row]) if resident is not None else np.nan
        self.samples += [(self.rows[subject], before, cores, memory) for subject, (cores, memory) in sums.items()]

    def trace(self, name: str) -> Trace:
        repairs = Repairs()
        row, at, cores, memory = (np.array(column) for column in zip(*self.samples, strict=True))
        step_s = float(np.median(np.diff(self.at)))
        grid = lay_out(row.astype(np.int64), at, {"cores": cores, "memory": memory}, repairs, step_s)
        own = list(self.rows)
        return Trace(
            name=name,
            layout="journal",
            kind="services",
            start_at=self.at[0],
            step_s=step_s,
            subjects=tuple(own),
            cores=grid.metrics["cores"],
            allocated_cores=np.array([self.cores[subject] for subject in own]),
            allocated_bytes=np.array([self.memory[subject] for subject in own]),
            repairs=repairs,
        )


def _observations(path: Path) -> Iterator[Observed]:
    for entry in JournalReader(path).written():
        if entry.kind == Observed.__name__:
            observed = codec.loads(entry.text, codec.Entry)
            assert isinstance(observed, Observed)
            yield observed


def _head(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(len(SQLITE_MAGIC))
