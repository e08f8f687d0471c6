"""All agents that are known, and what runs on them: where an app VM is, by name or by the beginning of its UUID.

Separate because an app VM's place may change between two questions: everything here asks anew.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from difflib import get_close_matches

from autoscaler.agent.command.conversation import Agent
from autoscaler.agent.descriptions import AppVMReport, HostReport, StepReport, read_host_report, read_step_report
from autoscaler.errors import ActuationError, UsageError

POLL_S = 0.1
MOVING_S = 20.0  # an app VM that is between two cloud VMs is on record at one of them within this


@dataclass(frozen=True, slots=True)
class Found:
    """An app VM and the agent that has it."""

    agent: Agent
    report: AppVMReport

    @property
    def path(self) -> str:
        return f"/v1/app-vms/{self.report.spec.uuid}"


@dataclass(frozen=True, slots=True)
class Fleet:
    """`addresses`: what a new app VM may be given, in the order of preference ("10.77.3.250/24"); `where`: for messages."""

    agents: tuple[Agent, ...]
    where: str
    addresses: tuple[str, ...] = ()
    gateway: str = ""
    warn: Callable[[str], None] = lambda _: None

    def hosts(self) -> list[tuple[Agent, HostReport]]:
        """What every agent that answers says. Raises ActuationError where none does."""
        if not self.agents:
            raise UsageError(f"{self.where} has no cloud VM")
        with ThreadPoolExecutor(len(self.agents)) as pool:
            answers = list(pool.map(_host, self.agents))
        for answer in answers:
            if isinstance(answer, ActuationError):
                self.warn(str(answer))
        said = [
            (agent, answer)
            for agent, answer in zip(self.agents, answers, strict=True)
            if isinstance(answer, HostReport)
        ]
        if not said:
            raise ActuationError(f"no agent of {self.where} answers", temporary=True)
        return said

    def app_vms(self) -> list[Found]:
        """All app VMs, by name. Of one on its way, the end it is leaving counts."""
        found = [Found(agent, report) for agent, host in self.hosts() for report in host.app_vms]
        leaving = {each.report.spec.uuid for each in found if each.report.state != "arriving"}
        kept = [each for each in found if each.report.state != "arriving" or each.report.spec.uuid not in leaving]
        return sorted(kept, key=lambda each: (each.report.spec.name, each.report.spec.uuid))

    def find(self, word: str) -> Found:
        """The one app VM that `word` names: its name, its UUID, or the beginning of that. One that runs before one that ended."""
        every = self.app_vms()
        named = [each for each in every if word in (each.report.spec.name, each.report.spec.uuid)]
        found = named or [each for each in every if len(word) >= 3 and each.report.spec.uuid.startswith(word)]
        running = [each for each in found if each.report.ended is None]
        if len(running or found) == 1:
            return (running or found)[0]
        if found:
            candidates = ", ".join(each.report.spec.uuid for each in found)
            raise UsageError(f"{word!r} names several app VMs; say which by UUID: {candidates}")
        close = get_close_matches(word, [each.report.spec.name for each in every], n=1)
        raise UsageError(
            f"there is no app VM {word!r} on {self.where}"
            + (f"; did you mean {close[0]}?" if close else "; see `ps -a`")
        )

    def again(self, uuid_: str) -> Found | None:
        """Where it is now; None where it is nowhere, also after the time that a move may take."""
        deadline = time.monotonic() + MOVING_S
        while True:
            found = [each for each in self.app_vms() if each.report.spec.uuid == uuid_]
            if found and found[0].report.state != "arriving":
                return found[0]
            if time.monotonic() > deadline:
                return found[0] if found else None
            time.sleep(POLL_S)

    def agent(self, name: str) -> Agent:
        for agent in self.agents:
            if agent.name == name:
                return agent
        raise UsageError(
            f"{self.where} has no cloud VM {name!r}; it has {', '.join(each.name for each in self.agents)}"
        )

    def free_address(self, taken: Iterable[str]) -> str:
        """An address that no app VM has, "" where addresses come by DHCP."""
        used = {address.split("/", maxsplit=1)[0] for address in taken}
        free = (address for address in self.addresses if address.split("/", maxsplit=1)[0] not in used)
        address = next(free, "")
        if self.addresses and not address:
            raise UsageError(f"all {len(self.addresses)} addresses of {self.where} are taken; name one with --address")
        return address


def act(agent: Agent, request: dict[str, object]) -> StepReport:
    """Have one step done and wait for its end. Raises ActuationError with the agent's reason where it fails."""
    path = f"/v1/steps/command:{uuid.uuid4()}"
    report = read_step_report(agent.ask("PUT", path, request))
    while report.outcome == "running":
        time.sleep(POLL_S)
        report = read_step_report(agent.ask("GET", path))
    agent.ask("DELETE", path)
    if report.outcome != "done":
        raise ActuationError(f"{agent.name}: {report.reason}", temporary=report.temporary)
    return report


def _host(agent: Agent) -> HostReport | ActuationError:
    try:
        return read_host_report(agent.ask("GET", "/v1/host"))
    except ActuationError as error:
        return error
