"""Samples become windows: each observation appends one column. Immutable; a snapshot taken from it never changes.

Rows follow the inventory: when app VMs come or go, the others keep their past and newcomers start with NaN.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from autoscaler.core.correction import Correction
from autoscaler.core.events import Observed
from autoscaler.core.past import Past
from autoscaler.core.snapshot import CPU, MEMORY, NOWHERE, FloatArray, IntArray, Inventory, Snapshot, frozen

ALWAYS = (CPU, MEMORY)  # metrics every snapshot has, all NaN where no source gives them


def _no_rows(width: int) -> dict[str, FloatArray]:
    return {metric: np.full((0, width), np.nan) for metric in ALWAYS}


@dataclass(frozen=True, eq=False)
class History:
    """The last `width` observations. `at` None: nothing was observed yet."""

    width: int
    at: float | None = None
    inventory: Inventory = field(default_factory=lambda: Inventory((), (), (), ()))
    placement: IntArray = field(default_factory=lambda: np.zeros(0, dtype=np.int64))
    sampled_at: FloatArray = field(default_factory=lambda: np.zeros(0))
    usage: Mapping[str, FloatArray] = field(default_factory=dict)
    past: Past = field(default_factory=Past)

    def extend(self, observed: Observed) -> History:
        """With one more column; the oldest leaves. Raises ValueError where the observation contradicts itself."""
        inventory = self._inventory(observed)
        rows = len(inventory.app_vms)
        if inventory is not self.inventory:
            _check_identities(inventory)
        _check_rows(observed, rows, len(inventory.cloud_vms))
        past = self._past(inventory)
        metrics = dict.fromkeys((*ALWAYS, *observed.samples))
        usage = {metric: self._append(past, metric, observed, rows) for metric in metrics}
        placement = frozen(observed.placement.astype(np.int64))
        served = _served(inventory, placement, usage[CPU])
        return History(
            width=self.width,
            at=observed.at,
            inventory=inventory,
            placement=placement,
            sampled_at=frozen(np.minimum(observed.sampled_at.astype(np.float64), observed.at)),
            usage=usage,
            past=self.past.extend(observed.at, tuple(inventory.service_index), served),
        )

    def resized(self, width: int) -> History:
        """With windows of another width: cut at the old end, or padded with NaN there."""
        if width == self.width:
            return self
        usage = {metric: _widen(window, width) for metric, window in self.usage.items()}
        return History(width, self.at, self.inventory, self.placement, self.sampled_at, usage, self.past)

    def snapshot(
        self,
        at: float,
        in_flight: frozenset[str] = frozenset(),
        reserved_bytes: Mapping[str, float] | None = None,
        correction: Correction | None = None,
    ) -> Snapshot:
        """What is believed at `at`."""
        return Snapshot(
            at,
            self.inventory,
            self.placement,
            self.usage or _no_rows(self.width),
            self.sampled_at,
            in_flight,
            reserved_bytes or {},
            correction or Correction(),
            self.past,
        )

    def _inventory(self, observed: Observed) -> Inventory:
        old = self.inventory
        parts = (observed.catalogue, observed.cloud_vms, observed.app_vms, observed.services)
        if all(part is None for part in parts):
            return old
        return Inventory(
            old.catalogue if observed.catalogue is None else observed.catalogue,
            old.cloud_vms if observed.cloud_vms is None else observed.cloud_vms,
            old.app_vms if observed.app_vms is None else observed.app_vms,
            old.services if observed.services is None else observed.services,
        )

    def _past(self, inventory: Inventory) -> IntArray | None:
        """(app VMs,) the row each had before, NOWHERE for newcomers; None where all rows stayed."""
        if inventory.app_vms is self.inventory.app_vms:
            return None
        before = self.inventory.app_row
        return np.array([before.get(app_vm.id, NOWHERE) for app_vm in inventory.app_vms], dtype=np.int64)

    def _append(self, past: IntArray | None, metric: str, observed: Observed, rows: int) -> FloatArray:
        window = np.full((rows, self.width), np.nan)
        old = self.usage.get(metric)
        if old is not None and past is None:
            window[:, :-1] = old[:, 1:]
        elif old is not None and past is not None:
            known = past >= 0
            window[known, :-1] = old[past[known], 1:]
        sample = observed.samples.get(metric)
        if sample is not None:
            window[:, -1] = np.where(np.isfinite(sample) & (np.asarray(sample) >= 0), sample, np.nan)
        return frozen(window)


def _served(inventory: Inventory, placement: IntArray, cpu: FloatArray) -> FloatArray:
    """(services,) cores that all running replicas use. A lost sample counts as that replica's newest; one that was never
    seen has served nobody yet. NaN where not one sample came."""
    service = np.where(placement != NOWHERE, inventory.app_service, NOWHERE)
    rows = np.flatnonzero(service != NOWHERE)
    kinds, window = len(inventory.services), cpu[rows]
    came = ~np.isnan(window)
    newest = window.shape[1] - 1 - np.argmax(came[:, ::-1], axis=1)
    used = np.where(came.any(axis=1), window[np.arange(len(rows)), newest], 0.0)
    seen = np.bincount(service[rows], weights=came[:, -1], minlength=kinds)
    return np.where(seen > 0, np.bincount(service[rows], weights=used, minlength=kinds), np.nan)


def _widen(window: FloatArray, width: int) -> FloatArray:
    padding = max(0, width - window.shape[1])
    return np.pad(window[:, -width:], ((0, 0), (padding, 0)), constant_values=np.nan)


def _check_identities(inventory: Inventory) -> None:
    for kind, rows, index in (
        ("app VM", inventory.app_vms, inventory.app_row),
        ("cloud VM", inventory.cloud_vms, inventory.cloud_row),
        ("service", inventory.services, inventory.service_index),
    ):
        if len(rows) != len(index):
            seen: set[str] = set()
            twice = next(row.id for row in rows if row.id in seen or seen.add(row.id))  # type: ignore[func-returns-value]
            raise ValueError(f"{kind} {twice} was reported twice")


def _check_rows(observed: Observed, app_vms: int, cloud_vms: int) -> None:
    columns = {"placement": observed.placement, "sampled_at": observed.sampled_at, **observed.samples}
    for name, column in columns.items():
        if np.shape(column) != (app_vms,):
            raise ValueError(f"{name} has shape {np.shape(column)} for {app_vms} app VMs")
    if app_vms and (observed.placement.min() < NOWHERE or observed.placement.max() >= cloud_vms):
        raise ValueError(f"placement names a row outside the {cloud_vms} cloud VMs")
    if np.isnan(observed.sampled_at).any():
        raise ValueError("sampled_at is NaN for some app VM: it should be when it was first seen")
