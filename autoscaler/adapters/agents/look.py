"""One look at the whole cluster: the provider's list, every agent at once, and what follows for who is where.

Separate from cluster.py because the steps need to know what was seen as well: this is what they share. It sends nothing but
questions.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

from autoscaler.adapters.agents.runtimes import Runtimes
from autoscaler.adapters.agents.sightings import Answer, Sight, Sightings, contradicting
from autoscaler.adapters.providers import Provider, Rented
from autoscaler.core.history import History
from autoscaler.core.model import CloudVM, CloudVMState
from autoscaler.errors import ActuationError, SourceError

ASKED_AT_ONCE = 32
PATIENCE_S = 60.0  # of a cloud VM that is new, until its agent answers; then a person is called
Notice = Callable[[str], None]


@dataclass(slots=True)
class Silence:
    """Which agents do not answer, since when (steady) and why; and which ever did."""

    since: dict[str, float] = field(default_factory=dict)
    why: dict[str, str] = field(default_factory=dict)
    heard: set[str] = field(default_factory=set)

    def note(self, id_: str, why: str, at: float) -> bool:
        """Whether that is news."""
        self.why[id_] = why
        return self.since.setdefault(id_, at) == at

    def end(self, id_: str) -> bool:
        self.heard.add(id_)
        self.why.pop(id_, None)
        return self.since.pop(id_, None) is not None

    def keep(self, ids: Iterable[str]) -> None:
        """Forget all others: they are gone."""
        known = set(ids)
        self.heard &= known
        for id_ in (*self.since,):
            if id_ not in known:
                self.end(id_)
        self.heard &= known


class Look:
    """Changes with every `take`. `rented`: by id, in order of first appearance; `answers`: of those that answered. `history`
    is asked before the first: what a journal knows."""

    def __init__(
        self,
        provider: Provider,
        agents: Runtimes,
        sightings: Sightings,
        *,
        history: Callable[[], History] = lambda: History(1),
        notice: Notice = lambda _text: None,
        steady: Callable[[], float] = time.monotonic,
    ) -> None:
        self.provider, self.agents, self.sightings = provider, agents, sightings
        self.rented: dict[str, Rented] = {}
        self.answers: dict[str, Answer] = {}
        self.silence = Silence()
        self.taken_once = False
        self._order: dict[str, None] = {}
        self.notice, self._steady, self._history = notice, steady, history
        self._pool = ThreadPoolExecutor(ASKED_AT_ONCE, thread_name_prefix="ask")

    def take(self, now: float) -> None:
        """Raises SourceError where the provider's list cannot be had, or nobody at all answers."""
        if not self.taken_once:
            self._remember(self._history())
        self.agents.take_new_keys()
        found_now = {rented.id: rented for rented in self.provider.cloud_vms()}
        for id_ in self.rented:
            if id_ not in found_now and self.hosts(id_):
                self.notice(f"cloud VM {id_} is gone, with {len(self.hosts(id_))} app VMs")
        self._order = dict.fromkeys(id_ for id_ in (*self._order, *found_now) if id_ in found_now)
        self.rented = {id_: found_now[id_] for id_ in self._order}
        asked = [rented for rented in self.rented.values() if rented.state is not CloudVMState.STARTING]
        found = self.of_all(asked, self._answer)
        self.answers = {id_: answer for id_, answer in found.items() if isinstance(answer, Answer)}
        self._note(found)
        if asked and not self.answers:
            raise SourceError(f"no agent answers: {next(iter(self.silence.why.values()))}")
        self._ask_again()
        self.sightings.fold(now, [*self.rented], self.answers)
        self.taken_once = True

    def of_all(self, rented: Iterable[Rented], question: Callable[[Rented], object]) -> dict[str, object]:
        """The answer of each, or the ActuationError that came instead."""
        asked = list(rented)
        return dict(
            zip((each.id for each in asked), self._pool.map(lambda each: _tried(question, each), asked), strict=True)
        )

    def cloud_vms(self, cordoned: Mapping[str, object]) -> tuple[CloudVM, ...]:
        """With the state in which each may be used."""
        return tuple(CloudVM(each.id, each.size, self._state(each, cordoned)) for each in self.rented.values())

    def doubts(self) -> dict[str, str]:
        """What contradicts itself, agents that never answered, and cloud VMs smaller than their size says."""
        found = dict(self.sightings.doubts)
        now = self._steady()
        for id_, since in self.silence.since.items():
            if id_ not in self.silence.heard and not self.hosts(id_) and now - since > PATIENCE_S:
                found[id_] = (
                    f"it never answered: {self.silence.why[id_]}; start its agent, or take it out of the cluster"
                )
        for id_, answer in self.answers.items():
            offered, size = answer.report.memory_bytes, self.rented[id_].size
            if offered < size.memory_bytes:
                found[id_] = (
                    f"it has {offered >> 20} MiB for app VMs, and its size {size.name} says {size.memory_bytes >> 20} MiB; "
                    "correct the catalogue"
                )
        return found

    def hosts(self, id_: str) -> list[Sight]:
        """App VMs that were last seen on a cloud VM."""
        return [sight for sight in self.sightings.sights.values() if sight.place == id_]

    def answers_now(self, id_: str) -> bool:
        """Whether a cloud VM is there and its agent answers, asked this moment."""
        rented = next((each for each in self.provider.cloud_vms() if each.id == id_), None)
        if rented is None or rented.state is CloudVMState.STARTING:
            return False
        return isinstance(self.of_all([rented], self._answer)[id_], Answer)

    def exists_now(self, id_: str) -> bool:
        return any(each.id == id_ for each in self.provider.cloud_vms())

    @property
    def knows_addresses(self) -> bool:
        """Whether every app VM was seen: of one that a journal knows, on a cloud VM that is silent since, there is only a name."""
        return all(sight.uuid for sight in self.sightings.sights.values())

    def reachable(self, id_: str) -> Rented:
        """The cloud VM, if there is one. Raises ActuationError: permanent where it is none, temporary where it is silent."""
        rented = self.rented.get(id_)
        if rented is None:
            raise ActuationError(f"there is no cloud VM {id_}", temporary=False)
        if id_ not in self.answers:
            why = self.silence.why.get(id_, "it is still starting")
            raise ActuationError(f"cloud VM {id_} does not answer: {why}", temporary=True)
        return rented

    def close(self) -> None:
        self._pool.shutdown(wait=False, cancel_futures=True)
        self.agents.close()

    def _remember(self, history: History) -> None:
        """Begin with what a journal knows: who was where, and in which order."""
        self._order = dict.fromkeys(cloud_vm.id for cloud_vm in history.inventory.cloud_vms)
        self.sightings.remember(history)

    def _answer(self, rented: Rented) -> Answer:
        report = self.agents.host(rented.address)
        if report.cloud_vm not in (rented.agent, rented.address):  # a runtime without a name is called by its address
            message = f"the agent at {rented.address} is that of {report.cloud_vm}, not of {rented.agent}; correct the address"
            raise ActuationError(message, temporary=True)
        return Answer(report, self._steady())

    def _note(self, found: Mapping[str, object]) -> None:
        self.silence.keep(self.rented)
        for id_, answer in found.items():
            if isinstance(answer, Answer):
                if self.silence.end(id_) and self.hosts(id_):
                    self.notice(f"cloud VM {id_} answers again")
            elif self.silence.note(id_, str(answer), self._steady()) and self.hosts(id_):
                self.notice(f"cloud VM {id_} does not answer; its app VMs count as stale: {answer}")

    def _ask_again(self) -> None:
        """Two agents that both claim an app VM are asked once more: it may have moved between the first two answers."""
        rivals = contradicting(self.answers)
        again = self.of_all([self.rented[id_] for id_ in self.rented if id_ in rivals], self._answer)
        self.answers |= {id_: answer for id_, answer in again.items() if isinstance(answer, Answer)}

    def _state(self, rented: Rented, cordoned: Mapping[str, object]) -> CloudVMState:
        if rented.state is not CloudVMState.ACTIVE:
            return rented.state
        if rented.id in cordoned:
            return CloudVMState.CORDONED
        unknown = rented.id not in self.silence.heard and not self.hosts(rented.id)
        return CloudVMState.STARTING if unknown else CloudVMState.ACTIVE


def _tried(question: Callable[[Rented], object], rented: Rented) -> object:
    try:
        return question(rented)
    except ActuationError as error:
        return error
