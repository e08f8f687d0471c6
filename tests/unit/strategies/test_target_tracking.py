"""The HPA formula by hand: ceil(replicas x load / target), its tolerance, its way with missing samples, its bounds."""

import pytest

from autoscaler.strategies.target_tracking import TargetTracking

TRACK = TargetTracking(cpu_target_fraction=0.6, samples=1)


@pytest.mark.parametrize(
    ("running", "load", "wanted"),
    [
        (4, 0.9, 6),  # 4 x 0.9 / 0.6 = 6, although floats make it 6.000000000000001
        (4, 0.91, 7),  # 6.07 rounds up
        (4, 0.66, 4),  # exactly 10 % above the target is within the tolerance
        (4, 0.67, 5),
        (4, 0.54, 4),  # exactly 10 % below, too
        (4, 0.53, 4),  # outside the tolerance, but 3.53 rounds up to 4
        (4, 0.45, 3),
        (4, 0.0, 1),
        (1, 1.0, 2),
    ],
)
def test_the_formula(story, running, load, wanted):
    snapshot = story.scene({"X": ("xlarge", story.replicas("web", running, load))}, services={"web": (1, 20)})
    proposals = TRACK.propose(snapshot)
    more, fewer = max(0, wanted - running), max(0, running - wanted)
    assert [str(p.action) for p in proposals] == ["scale_out"] * more + ["scale_in"] * fewer


def test_reason_and_numbers_are_there_from_birth(story):
    snapshot = story.scene({"X": ("large", story.replicas("web", 2, 0.9))}, services={"web": (1, 9)})
    (proposal,) = TRACK.propose(snapshot)
    assert proposal.reason == "web: 2 replicas at 90% of their CPU, target 60%: 3 are wanted"
    assert proposal.evidence == {
        "replicas": 2,
        "wanted": 3,
        "load_fraction": pytest.approx(0.9),
        "target_fraction": 0.6,
        "missing": 0,
    }


def test_missing_samples_count_as_nothing_where_more_is_considered(story):
    # seen: 2 x 0.9; with the third as 0: load 0.6, within the tolerance
    unseen = story.app("web-3", samples=[None], service="web")
    two = story.replicas("web", 2, 0.9)
    assert TRACK.propose(story.scene({"X": ("large", [*two, unseen])}, services={"web": (1, 9)})) == []
    # 2 x 1.0 of 3: load 0.667, ratio 1.11, ceil(3.33) = 4; all three at 100 % would have wanted 5
    two = story.replicas("web", 2, 1.0)
    (proposal,) = TRACK.propose(story.scene({"X": ("large", [*two, unseen])}, services={"web": (1, 9)}))
    assert (str(proposal.action), proposal.evidence["missing"]) == ("scale_out", 1)
    assert "(1 without a sample)" in proposal.reason


def test_missing_samples_count_as_the_target_where_fewer_are_considered(story):
    # seen: 2 x 0.1; the other two at 0.6: load 0.35, ceil(4 x 0.35 / 0.6) = 3 and not the 1 that 0.1 would have wanted
    apps = story.replicas("web", 2, 0.1) + [story.app(f"web-{n}", samples=[None], service="web") for n in (3, 4)]
    proposals = TRACK.propose(story.scene({"X": ("large", apps)}, services={"web": (1, 9)}))
    assert [str(p.action) for p in proposals] == ["scale_in"]


def test_without_any_sample_nothing_is_known_and_nothing_is_done(story):
    apps = [story.app(f"web-{n}", samples=[None, None], service="web") for n in (1, 2)]
    assert TRACK.propose(story.scene({"X": ("large", apps)}, services={"web": (1, 9)})) == []


def test_of_two_targets_the_larger_number_counts(story):
    both = TargetTracking(cpu_target_fraction=0.6, memory_target_fraction=0.5, samples=1)
    apps = story.replicas("web", 4, 0.1, mib=100, in_use_mib=75)  # CPU wants 1, memory ceil(4 x 0.75 / 0.5) = 6
    proposals = both.propose(story.scene({"X": ("large", apps)}, services={"web": (1, 9)}))
    assert story.told(proposals) == ["scale_out web"] * 2
    assert "75% of their memory" in proposals[0].reason


def test_an_unknown_metric_holds_a_service_back_from_shrinking(story):
    both = TargetTracking(cpu_target_fraction=0.6, memory_target_fraction=0.5, samples=1)
    snapshot = story.scene({"X": ("large", story.replicas("web", 4, 0.1))}, services={"web": (1, 9)})
    unknown = {**snapshot.usage, "memory_bytes": snapshot.usage["memory_bytes"] * float("nan")}
    object.__setattr__(snapshot, "usage", unknown)
    assert both.propose(snapshot) == []


def test_the_mean_of_the_newest_samples_is_what_counts(story):
    calm = TargetTracking(cpu_target_fraction=0.6, samples=3)
    apps = [story.app("web-1", samples=[0.9, 0.3, None, 0.9], service="web")]  # the last three: 0.3 and 0.9
    assert calm.propose(story.scene({"X": ("large", apps)}, services={"web": (1, 9)})) == []


def test_one_above_the_maximum_is_wished_for_so_that_the_refusal_tells_of_it(story):
    snapshot = story.scene({"X": ("xlarge", story.replicas("web", 4, 1.0))}, services={"web": (1, 4)})
    assert story.told(TRACK.propose(snapshot)) == ["scale_out web"]


def test_nothing_is_stopped_below_the_minimum(story):
    snapshot = story.scene({"X": ("large", story.replicas("web", 4, 0.0))}, services={"web": (3, 9)})
    assert len(TRACK.propose(snapshot)) == 1


def test_lost_replicas_are_replaced_whatever_the_load(story):
    snapshot = story.scene(
        {"X": ("large", story.replicas("web", 1, 0.0))},
        services={"web": (3, 9)},
        lost=story.replicas("web", 2, 0, first=2),
    )
    proposals = TRACK.propose(snapshot)
    assert story.told(proposals) == ["scale_out web"] * 2
    assert proposals[0].reason == "web has 1 of at least 3 replicas"


def test_a_service_whose_replicas_are_being_changed_is_left_alone(story):
    snapshot = story.scene(
        {"X": ("large", story.replicas("web", 2, 0.9))}, services={"web": (1, 9)}, in_flight=("web", "web-new")
    )
    assert TRACK.propose(snapshot) == []


def test_the_replica_that_goes_is_on_the_least_loaded_cloud_vm_and_the_youngest_there(story):
    snapshot = story.scene(
        {
            "X": ("large", [story.app("big", 5.0), *story.replicas("web", 2, 0.0)]),
            "Y": ("large", [story.app("little", 1.0), *story.replicas("web", 2, 0.0, first=3)]),
        },
        services={"web": (1, 9)},
    )
    assert story.told(TRACK.propose(snapshot)) == ["scale_in web-4", "scale_in web-3", "scale_in web-2"]


def test_a_replica_on_a_cordoned_cloud_vm_goes_first_and_one_that_is_migrating_stays(story):
    snapshot = story.scene(
        {
            "X": ("large", [story.app("big", 5.0), *story.replicas("web", 2, 0.0)]),
            "Y": ("large", story.replicas("web", 1, 0.0, first=3)),
        },
        services={"web": (2, 9)},
        states={"X": "cordoned"},
        in_flight=("web-2",),
    )
    assert story.told(TRACK.propose(snapshot)) == ["scale_in web-1"]


@pytest.mark.parametrize(
    ("parameters", "said"),
    [
        ({"cpu_target_fraction": None}, "nothing is tracked: give cpu_target or memory_target"),
        ({"cpu_target_fraction": 0.0}, "a target of 0 asks for endlessly many replicas"),
    ],
)
def test_parameters_that_make_no_sense_are_refused(parameters, said):
    with pytest.raises(ValueError, match=said):
        TargetTracking(**parameters)
