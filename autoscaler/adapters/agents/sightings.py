"""From agents' reports to what is believed: who runs where, since when that is known, and how much each uses.

Pure: time arrives as an argument. Two times are in use: `now` is the loop's (what samples are dated by), `steady` is that of a
clock that never jumps (what rates are measured by); ages in reports count, agents' clocks never do.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from autoscaler.agent.descriptions import AppVMReport, AppVMSpec, HostReport
from autoscaler.core.history import History
from autoscaler.core.model import PINNED_BECAUSE, AppVM
from autoscaler.core.snapshot import NOWHERE

# In these states an app VM is where it is reported; of several reports the lowest rank says where.
RANK: Mapping[str, int] = {"running": 0, "paused": 0, "starting": 0, "leaving": 1, "in_doubt": 2}
ON_THE_WAY = ("arriving",)
SHORTEST_SPAN_S = 0.2  # between two samples: a rate over less is noise
MOST_OVER = 1.25  # x its cores: more is no rounding, and the sample contradicts itself
OWN_DISK = {PINNED_BECAUSE: "it has a disk of its own there, and disks do not move"}
PINNED, APART, DOWNTIME = "flexcapsule.pinned_to", "flexcapsule.apart_from", "flexcapsule.downtime_budget_s"


@dataclass(frozen=True, slots=True)
class Answer:
    """What one agent reported, and when that arrived (steady)."""

    report: HostReport
    at: float


@dataclass(frozen=True, slots=True)
class Counter:
    """CPU time used up to `at` (steady), on one cloud VM."""

    place: str
    cpu_s: float
    at: float


@dataclass(frozen=True, slots=True)
class Sight:
    """One app VM as last seen. `place`: its cloud VM. `cpu_cores`, `memory_bytes`: of this look, NaN where no new sample came.
    `missed`: its agent answered and did not speak of it: gone, if that happens twice."""

    app_vm: AppVM
    place: str
    sampled_at: float
    uuid: str = ""
    address: str = ""
    counter: Counter | None = None
    cpu_cores: float = math.nan
    memory_bytes: float = math.nan
    state: str = ""
    missed: bool = False


@dataclass(frozen=True, slots=True)
class Held:
    """One report of one app VM, and from where."""

    place: str
    report: AppVMReport
    at: float


class Sightings:
    """Changes with every `fold`. `sights`: by id, in order of first appearance; `doubts`: id -> how reports contradict each other;
    `ended`: reports of app VMs that run no more, with their cloud VM; `taken`: addresses that somebody has."""

    def __init__(self, templates: Mapping[str, AppVM]) -> None:
        self._templates = templates
        self.sights: dict[str, Sight] = {}
        self.doubts: dict[str, str] = {}
        self.ended: list[Held] = []
        self.taken: set[str] = set()

    def remember(self, history: History) -> None:
        """Begin with what a journal knows: a cloud VM that is silent now keeps its app VMs."""
        clouds = history.inventory.cloud_vms
        for row, app_vm in enumerate(history.inventory.app_vms):
            place = int(history.placement[row])
            if place != NOWHERE:
                self.sights[app_vm.id] = Sight(app_vm, clouds[place].id, float(history.sampled_at[row]))

    def fold(self, now: float, clouds: Sequence[str], answers: Mapping[str, Answer]) -> None:
        """One look: `clouds` are all cloud VMs there are, `answers` those that answered."""
        held = _by_uuid(answers)
        self.ended = [
            each for reports in held.values() for each in reports if each.report.state in ("stopped", "saved")
        ]
        self.taken = {each.report.spec.address.split("/")[0] for reports in held.values() for each in reports}
        self.doubts = {}
        placed = dict(self._placed(held))
        before, self.sights = self.sights, {}
        for id_, sight in before.items():
            if id_ in placed:
                self.sights[id_] = self._seen(now, placed.pop(id_), sight)
            elif sight.place in clouds and (sight.place not in answers or _on_its_way(sight, held)):
                self.sights[id_] = replace(sight, cpu_cores=math.nan, memory_bytes=math.nan)
            elif sight.place in clouds and not sight.missed and sight.uuid not in held:
                self.sights[id_] = replace(sight, cpu_cores=math.nan, memory_bytes=math.nan, missed=True)
        for id_, each in placed.items():
            self.sights[id_] = self._seen(now, each, None, id_)

    def find(self, name: str) -> Sight | None:
        return self.sights.get(name)

    def _placed(self, held: Mapping[str, list[Held]]) -> Iterator[tuple[str, Held]]:
        """(id, the report that says where it is) of all that are somewhere."""
        uuids = {sight.uuid: id_ for id_, sight in self.sights.items() if sight.uuid}
        named: dict[str, str] = {id_: uuid for uuid, id_ in uuids.items() if uuid in held}
        for uuid, reports in held.items():
            chosen = self._chosen(reports, self.sights.get(uuids.get(uuid, "")))
            if chosen is None:
                continue
            name = uuids.get(uuid) or chosen.report.spec.name
            if named.setdefault(name, uuid) != uuid:
                self.doubts[f"{name}~{uuid[:8]}"] = f"another app VM is called {name} too; remove one, or rename it"
                name = f"{name}~{uuid[:8]}"
            rivals = _rivals(reports)
            if rivals:
                self.doubts[name] = (
                    f"it runs on {' and on '.join(rivals)} at once; look which one is right, and kill the other"
                )
            yield name, chosen

    def _chosen(self, reports: Iterable[Held], before: Sight | None) -> Held | None:
        """Of equal reports the one from where it was seen last."""
        there = [each for each in reports if each.report.state in RANK]
        if not there:
            return None
        return min(there, key=lambda each: (RANK[each.report.state], before is None or each.place != before.place))

    def _seen(self, now: float, held: Held, before: Sight | None, id_: str = "") -> Sight:
        report, spec = held.report, held.report.spec
        id_ = before.app_vm.id if before is not None else id_
        counter = _counter(held)
        sampled_at = now if before is None else before.sampled_at
        cpu_cores = memory_bytes = math.nan
        if counter is not None and id_ not in self.doubts:
            cpu_cores = _rate(None if before is None else before.counter, counter, spec.cores)
            if not math.isnan(cpu_cores):
                memory_bytes = float(report.memory_used_bytes or spec.memory_bytes)
                sampled_at = max(sampled_at, now - float(report.sample_age_s or 0.0))
        return Sight(
            app_vm=self._identity(id_, held.place, spec, before),
            place=held.place,
            sampled_at=sampled_at,
            uuid=spec.uuid,
            address=spec.address.split("/")[0],
            counter=counter if not _same_moment(before, counter) else (before.counter if before else None),
            cpu_cores=cpu_cores,
            memory_bytes=memory_bytes,
            state=report.state,
        )

    def _identity(self, id_: str, place: str, spec: AppVMSpec, before: Sight | None) -> AppVM:
        """What is allocated is the agent's word; what may not be done with it is its service's, or its labels'. One with a disk of
        its own cannot move: agents refuse it, so that nobody should plan it."""
        like, labels = self._templates.get(spec.service), spec.labels
        made = AppVM(
            id=id_,
            service=spec.service,
            cores=spec.cores,
            memory_bytes=spec.memory_bytes,
            pinned_to=place if spec.disk else labels.get(PINNED, ""),
            apart_from=like.apart_from if like else tuple(filter(None, labels.get(APART, "").split(","))),
            downtime_budget_s=like.downtime_budget_s if like else _number(labels.get(DOWNTIME, "")),
            labels=tuple(sorted({**labels, **(OWN_DISK if spec.disk else {})}.items())),
        )
        return before.app_vm if before is not None and before.app_vm == made else made


def contradicting(answers: Mapping[str, Answer]) -> set[str]:
    """Cloud VMs that report as running what another one reports as running too."""
    return {place for reports in _by_uuid(answers).values() for place in _rivals(reports)}


def _by_uuid(answers: Mapping[str, Answer]) -> dict[str, list[Held]]:
    held: dict[str, list[Held]] = {}
    for place, answer in answers.items():
        for report in answer.report.app_vms:
            held.setdefault(report.spec.uuid, []).append(Held(place, report, answer.at))
    return held


def _rivals(reports: Iterable[Held]) -> list[str]:
    places = [each.place for each in reports if RANK.get(each.report.state) == 0]
    return places if len(places) > 1 else []


def _on_its_way(sight: Sight, held: Mapping[str, list[Held]]) -> bool:
    """Asked in turn, the source may have let go of it before the destination, asked earlier, had it: it is where it was."""
    return any(each.report.state in ON_THE_WAY for each in held.get(sight.uuid, ()))


def _counter(held: Held) -> Counter | None:
    """None where the sample is none: not there yet, or of no possible age."""
    age_s = held.report.sample_age_s
    if age_s is None or not 0 <= age_s < math.inf or held.report.cpu_s < 0:
        return None
    return Counter(held.place, held.report.cpu_s, held.at - age_s)


def _same_moment(before: Sight | None, counter: Counter | None) -> bool:
    """Whether a counter says nothing newer than the one before, on the same cloud VM."""
    old = None if before is None else before.counter
    return (
        old is not None
        and counter is not None
        and old.place == counter.place
        and 0 <= counter.at - old.at < SHORTEST_SPAN_S
    )


def _rate(old: Counter | None, new: Counter, cores: float) -> float:
    """Cores in use between two counters; NaN where they tell nothing: none before, another cloud VM, too close, or at odds."""
    if old is None or old.place != new.place or new.at - old.at < SHORTEST_SPAN_S:
        return math.nan
    rate, most = (new.cpu_s - old.cpu_s) / (new.at - old.at), float(math.ceil(cores))
    return min(rate, most) if 0 <= rate <= most * MOST_OVER else math.nan


def _number(text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return value if 0 <= value < math.inf else None
