"""Runs each *.yaml beside it: a policy as users write it, a small cluster, and turn by turn what happens and what must follow.

The cluster of a story is tame: a step submitted in one turn ends in the next, done, unless the story says that it `fails`
(with a reason), `hangs`, or that the word of it is lost (`loses`). A turn may also say `cpu` (cores in use from now on), `silent` (no sample comes from these),
`dies` (cloud VMs), `vanish` (app VMs), `says` (an operator: "pause web") and `policy` (another one, or changed keys).
`expect` lists every step, denial and alert of the turn; a turn without it expects nothing.
"""

from __future__ import annotations

import copy
from dataclasses import replace

import numpy as np
import pytest
import yaml
from clusters import CATALOGUE, MIB, SIZES
from stories import told

from autoscaler import registry
from autoscaler.core.engine import Engine, Toolbox
from autoscaler.core.events import (
    Execute,
    Observed,
    OperatorSaid,
    Outcome,
    PolicyChanged,
    Record,
    StepEnded,
    Undo,
    Word,
)
from autoscaler.core.model import AppVM, CloudVM, CloudVMState, Service
from autoscaler.core.snapshot import CPU, MEMORY
from autoscaler.policylang import compile_condition, read_policy_text

START = 1_767_571_200.0  # Monday 2026-01-05 00:00 UTC


def pytest_collect_file(parent, file_path):
    if file_path.suffix == ".yaml":
        return StoryFile.from_parent(parent, path=file_path)
    return None


class StoryFile(pytest.File):
    """One file, one story."""

    def collect(self):
        yield StoryItem.from_parent(self, name=self.path.stem)


class StoryItem(pytest.Item):
    """Tells the story and compares."""

    def runtest(self):
        told_so = Telling(yaml.safe_load(self.path.read_text())).lines()
        expected = [(at, turn.get("expect") or []) for at, turn in told_so.turns]
        actual = list(zip((at for at, _ in told_so.turns), told_so.outcome, strict=True))
        if self.config.getoption("--rewrite"):
            self.path.write_text(rewritten(self.path.read_text(), told_so))
        elif actual != expected:
            raise StoryError(difference(expected, actual))

    def repr_failure(self, excinfo):
        return str(excinfo.value) if isinstance(excinfo.value, StoryError) else super().repr_failure(excinfo)

    def reportinfo(self):
        return self.path, 0, f"story: {self.name}"


class StoryError(Exception):
    """What was told is not what was expected."""


def difference(expected, actual) -> str:
    """The first turn that differs, both ways, as YAML that can be pasted."""
    at, wanted, got = next((at, w, g) for (at, w), (_, g) in zip(expected, actual, strict=True) if w != g)
    shown = [yaml.safe_dump({"expect": lines}, width=1000, sort_keys=False) for lines in (wanted, got)]
    return f"at {at}\nexpected\n{shown[0]}\ncame\n{shown[1]}"


def rewritten(text: str, told_so: Telling) -> str:
    """The story with what came as what is expected; commit only what you can explain."""
    head, _, _ = text.partition("turns:\n")
    turns = []
    for (_, turn), lines in zip(told_so.turns, told_so.outcome, strict=True):
        said = {key: value for key, value in turn.items() if key != "expect"}
        if lines:
            keys = [f"{key}: {flow(value)}" for key, value in said.items()]
            turns.append("\n    ".join([*keys, "expect:", *(f"  - {flow(line)}" for line in lines)]))
        else:
            turns.append(flow(said))
    return head + "turns:\n" + "".join(f"  - {turn}\n" for turn in turns)


def flow(value) -> str:
    """One line of YAML."""
    text = yaml.safe_dump(value, default_flow_style=True, sort_keys=False, width=10_000).strip()
    return text.removesuffix("...").strip()


def seconds(text: str) -> float:
    """ "1h30m" and the like."""
    total, number = 0.0, ""
    for sign in str(text):
        if sign.isdigit() or sign == ".":
            number += sign
        else:
            total, number = total + float(number) * {"s": 1, "m": 60, "h": 3600, "d": 86400}[sign], ""
    return total


class TameCluster:
    """Who runs where, told in the story's words; carries out any step that it is given."""

    def __init__(self, story) -> None:
        self.clouds: dict[str, CloudVM] = {}
        self.apps: dict[str, AppVM] = {}
        self.at: dict[str, str] = {}
        self.cpu: dict[str, float] = {}
        self.sampled_at: dict[str, float] = {}
        self.silent: set[str] = set()
        for name, cloud_vm in story["cluster"].items():
            self.clouds[name] = CloudVM(name, SIZES[cloud_vm["size"]], CloudVMState(cloud_vm.get("state", "active")))
            for app, value in (cloud_vm.get("app_vms") or {}).items():
                self.add(self.app(app, value or {}), name, (value or {}).get("cpu", 0.5))
        self.services = tuple(
            Service(name, s.get("min", 1), s.get("max", 10), self.app(f"{name}-0", s))
            for name, s in story.get("services", {}).items()
        )

    @staticmethod
    def app(name: str, value) -> AppVM:
        return AppVM(
            name,
            service=value.get("service", name.rpartition("-")[0]),
            cores=value.get("cores", 1.0),
            memory_bytes=value.get("mib", 100) * MIB,
            pinned_to=value.get("pinned_to", ""),
            apart_from=tuple(value.get("apart_from", ())),
            downtime_budget_s=value.get("downtime_budget_s"),
        )

    def add(self, app: AppVM, cloud_vm: str, cpu: float, now: float = START) -> None:
        self.apps[app.id], self.at[app.id], self.cpu[app.id], self.sampled_at[app.id] = app, cloud_vm, cpu, now

    def remove(self, names) -> None:
        for name in list(names):
            for table in (self.apps, self.at, self.cpu, self.sampled_at):
                table.pop(name, None)

    def die(self, cloud_vm: str) -> None:
        self.clouds.pop(cloud_vm)
        self.remove([name for name, place in self.at.items() if place == cloud_vm])

    def carry_out(self, action, now: float) -> None:
        match action.kind:
            case "start_app_vm":
                self.add(action.app_vm, action.cloud_vm, 0.5, now)
            case "stop_app_vm":
                self.remove([action.app_vm])
            case "migrate":
                self.at[action.app_vm] = action.target
            case "create_cloud_vm":
                self.clouds[action.cloud_vm] = CloudVM(action.cloud_vm, action.size)
            case "release_cloud_vm":
                assert action.cloud_vm not in self.at.values()
                del self.clouds[action.cloud_vm]
            case "cordon":
                state = CloudVMState.CORDONED if action.on else CloudVMState.ACTIVE
                self.clouds[action.cloud_vm] = replace(self.clouds[action.cloud_vm], state=state)

    def observed(self, now: float) -> Observed:
        self.sampled_at |= {name: now for name in self.apps if name not in self.silent}
        rows = {name: row for row, name in enumerate(self.clouds)}
        cpu = [np.nan if name in self.silent else self.cpu[name] for name in self.apps]
        return Observed(
            now,
            np.array([rows[self.at[name]] for name in self.apps], dtype=np.int64),
            np.array([self.sampled_at[name] for name in self.apps]),
            {CPU: np.array(cpu), MEMORY: np.array([a.memory_bytes / 2 for a in self.apps.values()])},
            CATALOGUE,
            tuple(self.clouds.values()),
            tuple(self.apps.values()),
            self.services,
        )


class Telling:
    """Goes through the turns; `outcome` has the lines of each."""

    def __init__(self, story) -> None:
        self.turns = [(str(turn["at"]), turn) for turn in story["turns"]]
        self.outcome: list[list[str]] = []
        self._policy = story["policy"]
        self._cluster = TameCluster(story)
        self._engine = Engine(Toolbox(registry.build, compile_condition))
        self._under_way: dict[str, object] = {}
        self._number = 0

    def lines(self) -> Telling:
        self._adopt(START, self._policy)
        for at, turn in self.turns:
            now = START + seconds(at)
            lines = self._ends(now, turn) + self._changes(now, turn)
            self.outcome.append(lines + self._tell(self._cluster.observed(now)))
        return self

    def _adopt(self, now: float, policy) -> list[str]:
        text = yaml.safe_dump(policy)
        return self._tell(PolicyChanged(now, read_policy_text(text, "story.yaml", registry.strategy_types())))

    def _ends(self, now: float, turn) -> list[str]:
        lines = []
        for step, action in list(self._under_way.items()):
            if step in turn.get("hangs", ()):
                continue
            del self._under_way[step]
            reason = turn.get("fails", {}).get(step, "")
            if not reason:
                self._cluster.carry_out(action, now)
            if step in turn.get("loses", ()):
                continue
            lines += self._tell(StepEnded(now, step, Outcome.FAILED if reason else Outcome.DONE, reason, total_s=30.0))
        return lines

    def _changes(self, now: float, turn) -> list[str]:
        cluster, lines = self._cluster, []
        for name in turn.get("dies", ()):
            cluster.die(name)
        cluster.remove(turn.get("vanish", ()))
        cluster.cpu |= turn.get("cpu", {})
        cluster.silent = set(turn["silent"]) if "silent" in turn else cluster.silent
        if "says" in turn:
            word, _, subject = turn["says"].partition(" ")
            lines += self._tell(OperatorSaid(now, Word(word), subject))
        if "policy" in turn:
            self._policy = {**self._policy, **{k: merged(self._policy.get(k), v) for k, v in turn["policy"].items()}}
            lines += self._adopt(now, self._policy)
        return lines

    def _tell(self, event) -> list[str]:
        self._number += 1
        lines = []
        for command in self._engine.handle(replace(event, id=f"e{self._number}")):
            if isinstance(command, Execute):
                self._under_way[command.step.id] = command.step.action
            if isinstance(command, Undo):
                self._under_way[command.undo_id] = command.action
            lines += recorded(command) if isinstance(command, Record) else [told(command)]
        return lines


def recorded(command: Record) -> list[str]:
    """Why nothing was proposed, and each denial with its first veto."""
    decision = command.audit.decision
    lines = [f"abstained: {decision.abstained}"] if decision.abstained else []
    for denied in decision.denied:
        veto = denied.denials[0]
        lines.append(f"denied {denied.proposal.action} {denied.proposal.key}: {veto.guard}: {veto.reason}")
    return lines


def merged(old, new):
    """`new` over `old`, mappings key by key; another strategy replaces the old one as a whole."""
    if not isinstance(old, dict) or not isinstance(new, dict) or old.get("name") != new.get("name", old.get("name")):
        return copy.deepcopy(new)
    return old | {key: merged(old.get(key), value) for key, value in new.items()}
