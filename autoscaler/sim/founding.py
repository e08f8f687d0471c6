"""The first instant of a simulated cluster: from a scenario's plain values to an estate, with everything placed.

Separate because it runs once and is the only reader of the scenario's lists. Nothing that happens later may be here.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from autoscaler.core.model import AppVM, CloudVM, Service
from autoscaler.errors import UsageError
from autoscaler.sim.actions import death_at
from autoscaler.sim.demand import ShapedDemand
from autoscaler.sim.estate import APP_ROW, CLOUD_ROW, Estate
from autoscaler.sim.rows import Rows
from autoscaler.sim.scenario import Scenario, SimulatedAppVM, SimulatedService


def demand_of(scenario: Scenario) -> ShapedDemand:
    """The demand that the scenario's shapes make: services first, then app VMs of their own, in the scenario's order."""
    shapes = {subject.id: subject.demand for subject in _subjects(scenario)}
    return ShapedDemand(shapes, start_at=scenario.start_at, step_s=scenario.demand_step_s, seed=scenario.seed)


def services_of(scenario: Scenario) -> tuple[Service, ...]:
    return tuple(
        Service(s.id, s.min_replicas, s.max_replicas, template=_app_vm("", s.id, s)) for s in scenario.services
    )


def found(scenario: Scenario, subjects: tuple[str, ...]) -> Estate:
    """The estate at the scenario's start. UsageError where an app VM fits nowhere or a size is not in the catalogue."""
    estate = Estate(
        scenario=scenario,
        now=scenario.start_at,
        subjects={subject: row for row, subject in enumerate(subjects)},
        behaviours={subject.id: subject.behaviour for subject in _subjects(scenario)},
    )
    clouds = tuple(_cloud_vms(scenario))
    wished = tuple(_app_vms(scenario))
    estate.clouds = Rows(CLOUD_ROW, clouds)
    estate.apps = Rows(APP_ROW, [app_vm for app_vm, _ in wished])
    estate.apps["place"] = _Seating(clouds).place_all(wished)
    estate.fill()
    for column in ("started_at", "sampled_at"):
        estate.apps[column] = scenario.start_at
    estate.clouds["created_at"] = scenario.start_at
    for row in range(len(clouds)):
        estate.clouds["dies_at"][row] = death_at(estate)
        estate.rented += 1
    return estate


def _subjects(scenario: Scenario) -> tuple[SimulatedService | SimulatedAppVM, ...]:
    return (*scenario.services, *scenario.app_vms)


def _cloud_vms(scenario: Scenario) -> Iterator[CloudVM]:
    sizes = {size.name: size for size in scenario.catalogue}
    for cloud_vm in scenario.cloud_vms:
        if cloud_vm.size not in sizes:
            known = ", ".join(sizes) or "nothing"
            raise UsageError(f"cloud VM {cloud_vm.id!r} has size {cloud_vm.size!r}; the catalogue has {known}")
        yield CloudVM(cloud_vm.id, sizes[cloud_vm.size])


def _app_vms(scenario: Scenario) -> Iterator[tuple[AppVM, str]]:
    """Each with the cloud VM it is to start on, empty = any."""
    for service in scenario.services:
        for number in range(service.replicas):
            on = service.on[number % len(service.on)] if service.on else ""
            yield _app_vm(f"{service.id}-{number + 1}", service.id, service), on
    for own in scenario.app_vms:
        yield _app_vm(own.id, "", own), own.on or own.pinned_to


def _app_vm(name: str, service: str, described: SimulatedService | SimulatedAppVM) -> AppVM:
    return AppVM(
        id=name,
        service=service,
        cores=described.cores,
        memory_bytes=described.memory_bytes,
        pinned_to=getattr(described, "pinned_to", ""),
        apart_from=described.apart_from,
        downtime_budget_s=described.downtime_budget_s,
        labels=described.labels,
    )


class _Seating:
    """Gives each app VM the cloud VM with the smallest share of its cores allocated, among those where it may be and fits;
    ties by row."""

    def __init__(self, clouds: tuple[CloudVM, ...]) -> None:
        self._clouds = clouds
        self._row = {cloud_vm.id: row for row, cloud_vm in enumerate(clouds)}
        self._cores = np.array([cloud_vm.size.cores for cloud_vm in clouds], dtype=np.float64)
        self._allocated_cores = np.zeros(len(clouds))
        self._free_bytes = np.array([cloud_vm.size.memory_bytes for cloud_vm in clouds], dtype=np.int64)
        self._present: list[set[str]] = [set() for _ in clouds]
        self._unwanted: list[set[str]] = [set() for _ in clouds]

    def place_all(self, wished: tuple[tuple[AppVM, str], ...]) -> list[int]:
        return [self._place(app_vm, on) for app_vm, on in wished]

    def _place(self, app_vm: AppVM, on: str) -> int:
        share = self._allocated_cores / self._cores
        share[self._free_bytes < app_vm.memory_bytes] = np.inf
        if on:
            share[[row for row in range(len(self._clouds)) if row != self._row.get(on)]] = np.inf
        while np.isfinite(share).any():
            row = int(share.argmin())
            if self._tolerates(row, app_vm):
                return self._seat(row, app_vm)
            share[row] = np.inf
        where = f"not on cloud VM {on!r}" if on else "on no cloud VM"
        raise UsageError(
            f"app VM {app_vm.id!r} ({app_vm.memory_bytes} bytes of memory) fits {where} of the simulated cluster at its "
            "start; give it more room, or allow it elsewhere"
        )

    def _tolerates(self, row: int, app_vm: AppVM) -> bool:
        apart = self._present[row].isdisjoint(app_vm.apart_from)
        return apart and self._unwanted[row].isdisjoint((app_vm.id, app_vm.service))

    def _seat(self, row: int, app_vm: AppVM) -> int:
        self._allocated_cores[row] += app_vm.cores
        self._free_bytes[row] -= app_vm.memory_bytes
        self._present[row].update(name for name in (app_vm.id, app_vm.service) if name)
        self._unwanted[row].update(app_vm.apart_from)
        return row
