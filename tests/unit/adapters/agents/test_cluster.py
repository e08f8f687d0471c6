"""The live cluster on fake agents, beyond the contract: silence, restarts, cordons, images, clients, and what is tidied."""

from __future__ import annotations

import pytest
from live_stage import T0, Stage

from autoscaler.adapters.agents import Recipe
from autoscaler.adapters.agents.errands import Kept
from autoscaler.agent.descriptions import Ended
from autoscaler.core.events import Execute, Observed, Outcome
from autoscaler.core.history import History
from autoscaler.core.model import AppVM, CloudVMSize, CloudVMState, Service
from autoscaler.core.steps import (
    Cordon,
    CreateCloudVM,
    Migrate,
    ReleaseCloudVM,
    StartAppVM,
    Step,
    StepAction,
    StopAppVM,
)
from autoscaler.errors import ActuationError, SourceError

SMALL = CloudVMSize("small", 2.0, 1 << 30, 0.05)
WEB = {"web": Recipe(Service("web", 1, 4, AppVM("", "web")), "hello.elf", port=80)}


@pytest.fixture
def stage(tmp_path):
    made = Stage(tmp_path, {"a": SMALL, "b": SMALL, "c": SMALL}, in_use={"c": ""})
    yield made
    made.close()


class Hand:
    """Drives one LiveCluster a turn of ten seconds at a time."""

    def __init__(self, stage: Stage, **more) -> None:
        self.stage, self.cluster = stage, stage.cluster(recipes=WEB, **more)

    def submit(self, action: StepAction, step: str = "p1.s1", cause: str = "e1") -> None:
        self.cluster.submit(Execute(Step(step, action), cause), self.stage.fleet.now)

    def turn(self) -> tuple[dict[str, tuple[Outcome, str]], Observed]:
        self.stage.pass_time(self.stage.fleet.now + 10.0)
        ended = self.cluster.ended(self.stage.fleet.now)
        (observed,) = self.cluster.read(self.stage.fleet.now)
        return {each.step: (each.outcome, each.reason) for each in ended}, observed


@pytest.fixture
def hand(stage) -> Hand:
    made = Hand(stage)
    made.cluster.read(T0)
    return made


def test_two_starts_in_one_turn_have_two_addresses_and_one_image_each_host(hand, stage):
    for number, host in enumerate(("a", "b", "a")):
        hand.submit(StartAppVM(AppVM(f"web-1-{number}", "web"), host), f"p1.s{number}")
    ended, observed = hand.turn()
    assert {outcome for outcome, _ in ended.values()} == {Outcome.DONE}
    specs = [app_vm.spec for agent in stage.fleet.agents.values() for app_vm in agent.app_vms.values()]
    assert len({spec.address for spec in specs}) == len(specs) == 3
    assert [len(stage.fleet.agents[name].images) for name in "abc"] == [1, 1, 0]
    assert [app_vm.id for app_vm in observed.app_vms] == ["web-1-0", "web-1-2", "web-1-1"]


def test_an_address_that_is_seen_is_never_given_again(hand, stage):
    seen = stage.runs("other", "b")
    seen.spec = type(seen.spec)(**{**_fields(seen.spec), "address": "10.9.0.101/24"})
    hand.turn()
    hand.submit(StartAppVM(AppVM("web-1-1", "web"), "a"))
    hand.turn()
    (app_vm,) = stage.fleet.agents["a"].app_vms.values()
    assert app_vm.spec.address == "10.9.0.102/24"


def _fields(spec) -> dict:
    return {name: getattr(spec, name) for name in spec.__slots__}


def test_a_step_is_forgotten_by_its_agent_after_its_outcome_was_journalled(hand, stage):
    hand.submit(StartAppVM(AppVM("web-1-1", "web"), "a"))
    assert list(stage.fleet.agents["a"].steps) == ["e0:p1.s1"]
    ended, _ = hand.turn()
    assert list(ended) == ["p1.s1"]
    assert list(stage.fleet.agents["a"].steps) == ["e0:p1.s1"], "a crash now must find it again"
    hand.turn()
    assert list(stage.fleet.agents["a"].steps) == []


def test_what_an_agent_measured_of_a_migration_is_told_with_its_phases(hand, stage):
    stage.runs("app", "a")
    hand.turn()
    hand.submit(Migrate("app", "a", "b"))
    stage.pass_time(stage.fleet.now + 10.0)
    (ended,) = hand.cluster.ended(stage.fleet.now)
    assert (ended.outcome, ended.total_s, ended.downtime_s, ended.sent_bytes) == (Outcome.DONE, 1.5, 0.25, 9 << 20)
    assert ended.phases == {"whole_s": 0.75}


def test_a_silent_agent_holds_up_its_steps_and_makes_its_app_vms_stale(hand, stage):
    stage.runs("app", "a")
    stage.runs("db", "b")
    hand.turn()
    _, before = hand.turn()
    stage.fleet.agents["a"].silent = True
    _, observed = hand.turn()
    assert observed.placement.tolist() == [0, 1]
    assert observed.sampled_at[0] == before.sampled_at[0] < observed.sampled_at[1]
    assert any("cloud VM a does not answer" in notice for notice in stage.notices)
    with pytest.raises(ActuationError, match="cloud VM a does not answer") as refused:
        hand.submit(StopAppVM("app"))
    assert refused.value.temporary
    stage.fleet.agents["a"].silent = False
    hand.turn()
    assert stage.notices[-1] == "cloud VM a answers again"


def test_when_nobody_answers_nothing_is_observed(hand, stage):
    for agent in stage.fleet.agents.values():
        agent.silent = True
    with pytest.raises(SourceError, match="no agent answers"):
        hand.turn()


def test_one_that_runs_twice_is_asked_about_again_and_then_doubted(hand, stage):
    stage.runs("app", "a")
    hand.turn()
    stage.runs("app", "b")
    _, observed = hand.turn()
    assert "at once" in observed.doubts["app"]
    assert observed.placement.tolist() == [0]


def test_a_host_that_never_answered_is_starting_and_then_a_matter_for_a_person(stage):
    stage.fleet.agents["b"].silent = True
    hand = Hand(stage)
    states = [hand.turn()[1] for _ in range(9)]
    assert [cloud_vm.state for cloud_vm in states[0].cloud_vms] == [CloudVMState.ACTIVE, CloudVMState.STARTING]
    assert states[0].doubts == {}
    assert "it never answered" in states[-1].doubts["b"]


def test_a_host_that_has_less_than_its_size_says_is_left_alone(stage):
    stage.fleet.agents["b"].memory_bytes = 512 << 20
    _, observed = Hand(stage).turn()
    assert "its size small says 1024 MiB; correct the catalogue" in observed.doubts["b"]


def test_after_a_restart_the_same_steps_are_taken_up_and_not_repeated(hand, stage):
    stage.runs("app", "a")
    hand.turn()
    for agent in stage.fleet.agents.values():
        agent.stalled = True
    hand.submit(Migrate("app", "a", "b"), "p1.s1")
    hand.submit(StartAppVM(AppVM("web-1-1", "web"), "a"), "p1.s2")
    again = Hand(stage)
    again.submit(Migrate("app", "a", "b"), "p1.s1", cause="recovery")
    again.submit(StartAppVM(AppVM("web-1-1", "web"), "a"), "p1.s2", cause="recovery")
    assert stage.fleet.agents["a"].submitted == ["e0:p1.s1", "e0:p1.s2"]
    for agent in stage.fleet.agents.values():
        agent.stalled = False
    ended, _ = again.turn()
    assert {outcome for outcome, _ in ended.values()} == {Outcome.DONE}
    assert stage.fleet.where("web-1-1") == ["a"]


def test_after_a_restart_what_was_done_meanwhile_is_told(hand, stage):
    stage.runs("app", "a")
    stage.runs("gone", "a")
    hand.turn()
    hand.submit(Migrate("app", "a", "b"), "p1.s1")
    hand.submit(StopAppVM("gone"), "p1.s2")
    hand.submit(Cordon("b"), "p1.s3")
    stage.pass_time(stage.fleet.now + 10.0)
    again = Hand(stage)
    again.submit(Migrate("app", "a", "b"), "p1.s1", cause="recovery")
    again.submit(StopAppVM("gone"), "p1.s2", cause="recovery")
    again.submit(ReleaseCloudVM("never-was"), "p1.s4", cause="recovery")
    ended, observed = again.turn()
    assert {step: outcome for step, (outcome, _) in ended.items()} == dict.fromkeys(
        ("p1.s1", "p1.s2", "p1.s4"), Outcome.DONE
    )
    assert observed.placement.tolist() == [1]


def test_another_journal_never_meets_the_steps_of_this_one(hand, stage):
    stage.runs("app", "a")
    hand.turn()
    hand.submit(StopAppVM("app"), "p57.s1")
    hand.turn()
    assert hand.cluster.newest_step_number(T0) == 57
    other = Hand(stage, epoch="e9")
    assert other.cluster.newest_step_number(T0) == 0
    other.submit(StartAppVM(AppVM("web-1-1", "web"), "a"), "p57.s1")
    ended, _ = other.turn()
    assert ended["p57.s1"][0] is Outcome.DONE
    assert stage.fleet.where("web-1-1") == ["a"]


def test_a_restart_with_a_silent_host_goes_on_from_what_the_journal_knows(hand, stage):
    stage.runs("app", "a")
    stage.runs("db", "b")
    _, observed = hand.turn()
    history = History(3).extend(_complete(observed, hand))
    stage.fleet.agents["a"].silent = True
    again = Hand(stage, history=lambda: history)
    _, seen = again.turn()
    assert [app_vm.id for app_vm in seen.app_vms] == [app_vm.id for app_vm in history.inventory.app_vms]
    assert seen.placement.tolist() == history.placement.tolist()
    assert seen.sampled_at[0] == history.sampled_at[0]


def _complete(observed: Observed, hand: Hand) -> Observed:
    """With the identities that were told before."""
    clouds = hand.stage.provider.cloud_vms()
    return type(observed)(
        **{name: getattr(observed, name) for name in ("at", "placement", "sampled_at", "samples", "app_vms")},
        catalogue=(), services=(), cloud_vms=tuple(_cloud_vm(each) for each in clouds),
    )  # fmt: skip


def _cloud_vm(rented):
    from autoscaler.core.model import CloudVM

    return CloudVM(rented.id, rented.size)


def test_cordons_are_kept_and_go_with_their_cloud_vm(stage):
    kept, written = Kept("e0"), []
    kept.on_change = lambda now: written.append(list(now.cordoned)) if written[-1:] != [list(now.cordoned)] else None
    hand = Hand(stage, kept=kept)
    hand.submit(Cordon("a"), "p1.s1")
    _, observed = hand.turn()
    assert [cloud_vm.state for cloud_vm in observed.cloud_vms] == [CloudVMState.CORDONED, CloudVMState.ACTIVE]
    hand.submit(Cordon("a", on=False), "p1.s2")
    hand.submit(Cordon("b"), "p1.s3")
    hand.submit(ReleaseCloudVM("b"), "p1.s4")
    for _ in range(3):
        _, observed = hand.turn()
    assert written == [["a"], [], ["b"], []]


def test_a_cloud_vm_on_which_something_is_saved_is_not_released(hand, stage):
    stage.runs("app", "b", state="saved")
    hand.submit(ReleaseCloudVM("b"))
    ended, _ = hand.turn()
    assert ended["p1.s1"] == (Outcome.FAILED, "b is not empty: 1 app VMs, app is one")


def test_a_created_cloud_vm_is_done_when_its_agent_answers(hand, stage):
    stage.fleet.agents["c"].silent = True
    hand.submit(CreateCloudVM("cloud-1-1", SMALL))
    ended, observed = hand.turn()
    assert ended == {}
    assert observed.cloud_vms[-1].state is CloudVMState.STARTING
    stage.fleet.agents["c"].silent = False
    ended, observed = hand.turn()
    assert ended["p1.s1"][0] is Outcome.DONE
    assert observed.cloud_vms[-1].state is CloudVMState.ACTIVE


def test_what_cannot_be_rented_fails_with_its_reason(hand):
    hand.submit(CreateCloudVM("cloud-1-1", CloudVMSize("huge", 64.0, 1 << 40, 9.0)))
    ended, _ = hand.turn()
    assert ended["p1.s1"] == (Outcome.FAILED, "no host of size huge is free; add one to the config")


class Doors:
    """A balancer that remembers what it was told, and lets go when it is told so."""

    def __init__(self) -> None:
        self.kept: dict = {}
        self.busy: set[str] = set()

    def keep(self, replicas) -> None:
        self.kept = {service: dict(wanted) for service, wanted in replicas.items()}

    def drained(self, app_vm: str) -> bool:
        return app_vm not in self.busy


def test_clients_go_to_what_runs_and_let_go_before_it_stops(stage):
    doors = Doors()
    hand = Hand(stage, balancer=doors)
    hand.submit(StartAppVM(AppVM("web-1-1", "web"), "a"), "p1.s1")
    hand.submit(StartAppVM(AppVM("web-1-2", "web"), "b"), "p1.s2")
    for _ in range(2):
        hand.turn()
    assert doors.kept == {"web": {"web-1-1": "10.9.0.101:80", "web-1-2": "10.9.0.102:80"}}
    doors.busy = {"web-1-1"}
    hand.submit(StopAppVM("web-1-1"), "p2.s1")
    ended, observed = hand.turn()
    assert ended == {}
    assert doors.kept == {"web": {"web-1-2": "10.9.0.102:80"}}
    assert observed.placement.tolist() == [0, 1]
    doors.busy = set()
    ended = hand.turn()[0] | hand.turn()[0]
    assert ended["p2.s1"][0] is Outcome.DONE
    assert stage.fleet.where("web-1-1") == []


def test_what_we_stopped_is_removed_and_what_ended_by_itself_stays_for_a_look(hand, stage):
    for number in range(3):
        hand.submit(StartAppVM(AppVM(f"web-1-{number}", "web"), "a"), f"p1.s{number}")
    stage.runs("somebodys", "a", state="stopped")
    hand.turn()
    agent = stage.fleet.agents["a"]
    crashed = next(app_vm for app_vm in agent.app_vms.values() if app_vm.spec.name == "web-1-1")
    crashed.state, crashed.ended = "stopped", Ended("crashed", T0)
    hand.submit(StopAppVM("web-1-0"), "p2.s1")
    for _ in range(4):
        hand.turn()
    assert sorted(app_vm.spec.name for app_vm in agent.app_vms.values()) == ["somebodys", "web-1-1", "web-1-2"]
    assert agent.steps == {}


def test_the_others_are_told_which_boot_of_whom_is_gone_also_after_a_restart(hand, stage):
    hand.turn()
    hand.turn()
    stage.provider.release("b")
    for _ in range(3):
        hand.turn()
    assert stage.fleet.agents["a"].fenced == [("b", "boot of b")]
    again = Hand(stage, kept=hand.cluster._kept)
    again.turn()
    again.turn()
    assert stage.fleet.agents["a"].fenced == [("b", "boot of b")] * 2


def test_an_agent_that_is_somebody_else_is_not_believed(stage):
    stage.fleet.agents["b"].name = "a"
    hand = Hand(stage)
    for _ in range(9):
        _, observed = hand.turn()
    assert "is that of a, not of b; correct the address" in observed.doubts["b"]
