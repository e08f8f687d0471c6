"""What is believed of agents' reports: rates from counters and ages, places from states, and doubts where they contradict."""

from __future__ import annotations

import math
import uuid

import pytest

from autoscaler.adapters.agents.sightings import Answer, Sightings, contradicting
from autoscaler.agent.descriptions import AppVMReport, AppVMSpec, HostReport
from autoscaler.core.model import AppVM

MIB = 1 << 20
NOW = 1000.0


def spec(name: str, **more) -> AppVMSpec:
    own = more.pop("own_uuid", str(uuid.uuid5(uuid.NAMESPACE_DNS, name)))
    return AppVMSpec(own, name, "a" * 64, 64 * MIB, **more)


def report(name: str, cpu_s: float = 0.0, age_s: float | None = 0.0, state: str = "running", **more) -> AppVMReport:
    return AppVMReport(spec(name, **more), state, cpu_s=cpu_s, memory_used_bytes=9 * MIB, sample_age_s=age_s)


def answer(at: float, *reports: AppVMReport) -> Answer:
    return Answer(HostReport("x", 1, 1 << 30, 0, "v", "b", 0.0, True, reports), at)


class Eyes:
    """Looks ten seconds apart, from the loop's NOW on."""

    def __init__(self, templates=None) -> None:
        self.sightings, self.now = Sightings(templates or {}), NOW

    def look(self, **hosts) -> None:
        """Host -> its reports, or None where it does not answer; at `self.now`, which is steady time too."""
        answers = {name: answer(self.now, *reports) for name, reports in hosts.items() if reports is not None}
        self.sightings.fold(self.now, list(hosts), answers)
        self.now += 10.0

    def __getitem__(self, name: str):
        return self.sightings.sights[name]

    @property
    def places(self) -> dict[str, str]:
        return {name: sight.place for name, sight in self.sightings.sights.items()}


@pytest.fixture
def eyes() -> Eyes:
    return Eyes()


def test_a_rate_is_what_was_used_between_two_samples_by_their_ages(eyes):
    eyes.look(a=[report("web", cpu_s=100.0, age_s=4.0)])
    assert math.isnan(eyes["web"].cpu_cores)
    assert eyes["web"].sampled_at == NOW, "the first sight counts, before any sample"
    eyes.look(a=[report("web", cpu_s=103.0, age_s=2.0)])
    assert eyes["web"].cpu_cores == pytest.approx(3.0 / 12.0)
    assert (eyes["web"].memory_bytes, eyes["web"].sampled_at) == (9 * MIB, NOW + 8.0)


def test_a_sample_seen_before_is_no_new_one(eyes):
    eyes.look(a=[report("web", 100.0, age_s=0.0)])
    eyes.look(a=[report("web", 101.0, age_s=0.0)])
    eyes.look(a=[report("web", 101.0, age_s=10.0)])
    assert math.isnan(eyes["web"].cpu_cores)
    assert eyes["web"].sampled_at == NOW + 10.0
    eyes.look(a=[report("web", 105.0, age_s=0.0)])
    assert eyes["web"].cpu_cores == pytest.approx(4.0 / 20.0)


@pytest.mark.parametrize(
    ("cpu_s", "age_s"), [(90.0, 0.0), (200.0, 0.0), (101.0, -5.0), (101.0, None), (-1.0, 0.0)],
    ids=["it went back", "more than there is", "from the future", "no sample", "negative"],
)  # fmt: skip
def test_a_sample_at_odds_with_the_last_is_none_and_the_app_vm_ages(eyes, cpu_s, age_s):
    eyes.look(a=[report("web", 100.0)])
    eyes.look(a=[report("web", cpu_s, age_s)])
    assert math.isnan(eyes["web"].cpu_cores)
    assert eyes["web"].sampled_at == NOW


def test_after_a_move_the_counter_begins_anew(eyes):
    eyes.look(a=[report("web", 100.0)], b=[])
    eyes.look(a=[], b=[report("web", 0.5)])
    assert eyes.places == {"web": "b"}
    assert math.isnan(eyes["web"].cpu_cores)
    eyes.look(a=[], b=[report("web", 1.5)])
    assert eyes["web"].cpu_cores == pytest.approx(0.1)


def test_a_silent_cloud_vm_keeps_its_app_vms_and_they_age(eyes):
    eyes.look(a=[report("web")], b=[report("db")])
    eyes.look(a=None, b=[report("db", 1.0)])
    assert eyes.places == {"web": "a", "db": "b"}
    assert eyes["web"].sampled_at == NOW
    assert math.isnan(eyes["web"].cpu_cores)
    eyes.look(b=[report("db", 2.0)])
    assert eyes.places == {"db": "b"}, "a cloud VM that is gone takes its app VMs along"


def test_what_its_agent_does_not_report_any_more_is_gone(eyes):
    eyes.look(a=[report("web"), report("db")])
    eyes.look(a=[report("db", 1.0)])
    assert eyes.places == {"web": "a", "db": "a"}, "no single look is believed"
    assert eyes["web"].sampled_at == NOW
    eyes.look(a=[report("db", 2.0)])
    assert eyes.places == {"db": "a"}


def test_what_its_agent_reports_as_stopped_is_gone_at_once(eyes):
    eyes.look(a=[report("web"), report("db")])
    eyes.look(a=[report("web", state="stopped"), report("db")])
    assert eyes.places == {"db": "a"}


@pytest.mark.parametrize(
    ("source", "target", "place"),
    [
        ("leaving", "arriving", "a"),
        ("leaving", "running", "b"),
        ("leaving", "in_doubt", "a"),
        ("in_doubt", "in_doubt", "a"),
        ("in_doubt", "running", "b"),
        (None, "running", "b"),
        (None, "arriving", "a"),
        ("running", "arriving", "a"),
    ],
)
def test_while_it_moves_it_is_at_one_place(eyes, source, target, place):
    eyes.look(a=[report("web")], b=[])
    eyes.look(a=[] if source is None else [report("web", state=source)], b=[report("web", state=target)])
    assert eyes.places == {"web": place}
    assert eyes.sightings.doubts == {}


def test_one_that_runs_twice_is_doubted_and_gives_no_sample(eyes):
    eyes.look(a=[report("web")], b=[])
    both = {"a": [report("web", 1.0)], "b": [report("web", 2.0)]}
    assert contradicting({name: answer(0.0, *reports) for name, reports in both.items()}) == {"a", "b"}
    eyes.look(**both)
    assert eyes.places == {"web": "a"}
    assert "it runs on a and on b at once" in eyes.sightings.doubts["web"]
    assert eyes["web"].sampled_at == NOW
    eyes.look(a=[], b=[report("web", 3.0)])
    assert (eyes.places, eyes.sightings.doubts) == ({"web": "b"}, {})


def test_two_of_one_name_are_two_and_the_second_is_doubted(eyes):
    other = "11111111-2222-3333-4444-555555555555"
    eyes.look(a=[report("web")], b=[])
    eyes.look(a=[report("web")], b=[report("web", own_uuid=other)])
    assert eyes.places == {"web": "a", "web~11111111": "b"}
    assert list(eyes.sightings.doubts) == ["web~11111111"]
    assert eyes["web~11111111"].app_vm.id == "web~11111111"


def test_stopped_ones_are_nowhere_but_known(eyes):
    eyes.look(a=[report("web"), report("old", state="stopped"), report("kept", state="saved", address="10.0.0.5/24")])
    assert eyes.places == {"web": "a"}
    assert [held.report.spec.name for held in eyes.sightings.ended] == ["old", "kept"]
    assert "10.0.0.5" in eyes.sightings.taken


def test_what_may_not_be_done_with_it_is_its_services_word_or_its_labels():
    eyes = Eyes({"web": AppVM("", apart_from=("web",), downtime_budget_s=3.0)})
    own = {"flexcapsule.pinned_to": "a", "flexcapsule.apart_from": "x,y", "flexcapsule.downtime_budget_s": "1.5"}
    eyes.look(a=[report("web-1", service="web", cores=0.5), report("db", labels=own)])
    web, db = eyes["web-1"].app_vm, eyes["db"].app_vm
    assert (web.service, web.cores, web.apart_from, web.downtime_budget_s) == ("web", 0.5, ("web",), 3.0)
    assert (db.pinned_to, db.apart_from, db.downtime_budget_s) == ("a", ("x", "y"), 1.5)


def test_one_with_a_disk_of_its_own_is_pinned_where_it_is_whatever_its_labels_say(eyes):
    eyes.look(a=[report("db", disk="d" * 64, labels={"flexcapsule.pinned_to": "b"}), report("web")])
    db, web = eyes["db"].app_vm, eyes["web"].app_vm
    assert (db.pinned_to, db.pinned_because) == ("a", "it has a disk of its own there, and disks do not move")
    assert (web.pinned_to, web.pinned_because) == ("", "")


def test_rows_keep_their_order_and_newcomers_come_last(eyes):
    eyes.look(a=[report("m")], b=[report("n")])
    eyes.look(a=[report("z"), report("m")], b=[report("n")])
    assert list(eyes.places) == ["m", "n", "z"]
    kept = eyes["m"].app_vm
    eyes.look(a=[report("m")], b=[report("n")])
    assert eyes["m"].app_vm is kept
