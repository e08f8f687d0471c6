"""A live cluster on fake agents, built in a line: hosts, what runs on them, and the controller's two ports."""

from __future__ import annotations

import contextlib
import hashlib
import uuid
from collections.abc import Callable, Mapping
from pathlib import Path

from fake_agents import MIB, FakeAppVM, Fleet

from autoscaler.adapters.agents import AddressPool, Agents, Images, LiveCluster, Recipe, Wiring
from autoscaler.adapters.agents.errands import Kept
from autoscaler.adapters.agents.look import Look
from autoscaler.adapters.agents.sightings import Sightings
from autoscaler.adapters.providers.static import Host, StaticHosts
from autoscaler.agent.descriptions import AppVMSpec
from autoscaler.core.history import History
from autoscaler.core.model import CloudVMSize

T0 = 1_767_571_200.0
HELLO = b"an image"
DIGEST = hashlib.sha256(HELLO).hexdigest()


class Stage:
    """`in_use`: as StaticHosts has it. `notices`: what the adapter said aloud. Close it."""

    def __init__(
        self, directory: Path, hosts: Mapping[str, CloudVMSize], in_use: Mapping[str, str] | None = None
    ) -> None:
        (directory / "hello.elf").write_bytes(HELLO)
        self.images = directory
        self.fleet = Fleet()
        self.fleet.now = T0
        self.notices: list[str] = []
        for name, size in hosts.items():
            self.fleet.add(name, memory_bytes=size.memory_bytes)
        addresses = {name: self.fleet.agents[name].address for name in hosts}
        self.provider = StaticHosts(
            [Host(name, size, addresses[name], f"back-of-{name}") for name, size in hosts.items()], in_use
        )
        self._open: list[LiveCluster] = []

    def runs(
        self, name: str, on: str, *, service: str = "", state: str = "running", own_uuid: str = "", **more
    ) -> FakeAppVM:
        spec = AppVMSpec(own_uuid or str(uuid.uuid5(uuid.NAMESPACE_DNS, name)), name, DIGEST, 64 * MIB, service=service)
        made = self.fleet.agents[on].app_vms[spec.uuid] = FakeAppVM(spec, state, since=self.fleet.now - 100.0, **more)
        return made

    def cluster(
        self,
        *,
        recipes: Mapping[str, Recipe],
        epoch: str = "e0",
        kept: Kept | None = None,
        history: Callable[[], History] = lambda: History(1),
        **more,
    ) -> LiveCluster:
        """A controller's end; a second one is what a restart begins with."""
        templates = {name: recipe.service.template for name, recipe in recipes.items() if name}
        look = Look(
            self.provider,
            Agents(None, answer_s=10.0),
            Sightings(templates),
            history=history,
            notice=self.notices.append,
            steady=self.fleet.clock,
        )
        wiring = Wiring(
            look, kept or Kept(epoch), recipes, Images(self.images), AddressPool("10.9.0.101-10.9.0.120/24"), **more
        )
        made = LiveCluster(wiring)
        self._open.append(made)
        return made

    def pass_time(self, now: float) -> None:
        self.fleet.now = now

    def close(self) -> None:
        for cluster in self._open:
            with contextlib.suppress(Exception):
                cluster.close()
        self.fleet.close()
