"""Where replicas, size and placement meet: one answer per cloud VM, the cheaper one, and demand before money."""

from collections.abc import Sequence
from dataclasses import dataclass

import pytest

from autoscaler.core.proposals import Consolidate, Move, Proposal, ScaleDown, ScaleIn, ScaleOut, ScaleUp, Separate
from autoscaler.core.snapshot import Snapshot
from autoscaler.strategies.composite import Composite, bill_change
from autoscaler.strategies.consolidate import Consolidation
from autoscaler.strategies.hold import Hold
from autoscaler.strategies.target_tracking import TargetTracking
from autoscaler.strategies.threshold import Threshold


@dataclass(frozen=True)
class Says:
    """Proposes what it was told to."""

    proposals: tuple[Proposal, ...] = ()

    def propose(self, snapshot: Snapshot) -> Sequence[Proposal]:
        del snapshot
        return self.proposals


def composed(size: Sequence[Proposal] = (), placement: Sequence[Proposal] = (), replicas: Sequence[Proposal] = ()):
    return Composite(Says(tuple(replicas)), Says(tuple(size)), Says(tuple(placement)))


@pytest.fixture
def three(story):
    return story.scene(
        {
            "S": ("small", [story.app("s1", 1.0), story.app("s2", 0.8)]),
            "M": ("medium", [story.app("m", 0.2)]),
            "L": ("large", [story.app("l", 0.2)]),
        }
    )


def test_hold_proposes_nothing(three):
    assert Hold().propose(three) == ()


def test_each_strategy_is_asked_for_its_own_actions_only(story):
    scene = story.scene(
        {"X": ("large", story.replicas("web", 4, 0.9)), "Y": ("medium", [])},
        services={"web": (1, 9)},
    )
    everything = Threshold(samples=1, cpu_up_fraction=0.4, cpu_down_fraction=0.3)
    assert story.told(everything.propose(scene)) == ["scale_out web", "scale_up X to xlarge", "scale_down Y to small"]
    only_replicas = Composite(everything, Hold(), Hold())
    assert story.told(only_replicas.propose(scene)) == ["scale_out web"]
    only_size = Composite(Hold(), everything, Hold())
    assert story.told(only_size.propose(scene)) == ["scale_up X to xlarge", "scale_down Y to small"]
    assert Composite(Hold(), Hold(), everything).propose(scene) == []


def test_demand_comes_before_money(story, three):
    wishes = composed(
        size=[ScaleDown("M", "small", ""), ScaleUp("S", "medium", "")],
        placement=[Consolidate("L", (Move("l", "M"),), "")],
        replicas=[ScaleIn("web", "m", ""), ScaleOut("web", "")],
    )
    # M receives `l`, so its own scale down is not made in the same tick
    assert story.told(wishes.propose(three)) == [
        "scale_out web",
        "scale_up S to medium",
        "consolidate L: l>M",
        "scale_in m",
    ]


def test_of_scale_up_and_separate_the_cheaper_one_is_made_and_says_so(story, three):
    up = ScaleUp("S", "medium", "S is hot")  # + 0.10 - 0.05
    onto_existing = composed([up], [Separate("S", (Move("s2", "M"),), "S is hot")])
    assert story.told(onto_existing.propose(three)) == ["separate S: s2>M"]
    onto_medium = composed([up], [Separate("S", (Move("s2", None),), "S is hot", {}, "medium")])
    (proposal,) = onto_medium.propose(three)
    assert story.told([proposal]) == ["scale_up S to medium"]
    assert proposal.reason == "S is hot (+0.050 per hour; separate would be +0.100)"
    assert proposal.evidence == {
        "price_change_per_hour": pytest.approx(0.05),
        "other_price_change_per_hour": pytest.approx(0.1),
    }


def test_at_the_same_price_fewer_app_vms_move(story, three):
    both = composed([ScaleUp("S", "medium", "")], [Separate("S", (Move("s2", None),), "", {}, "small")])
    assert story.told(both.propose(three)) == ["separate S: s2>new new small"]


def test_of_scale_down_and_consolidate_the_one_that_saves_more_is_made(story, three):
    both = composed([ScaleDown("L", "small", "")], [Consolidate("L", (Move("l", "M"),), "")])
    assert story.told(both.propose(three)) == ["consolidate L: l>M"]


def test_relief_beats_saving_on_one_cloud_vm(story, three):
    both = composed([ScaleUp("S", "medium", "")], [Consolidate("S", (Move("s1", "L"), Move("s2", "L")), "")])
    assert story.told(both.propose(three)) == ["scale_up S to medium"]


def test_what_one_proposal_releases_no_other_fills(story, three):
    wishes = composed([ScaleUp("M", "large", "")], [Consolidate("L", (Move("l", "M"),), "")])
    assert story.told(wishes.propose(three)) == ["scale_up M to large"]


def test_what_saves_most_comes_first(story, three):
    wishes = composed([ScaleDown("M", "small", ""), ScaleDown("L", "small", "")])
    assert story.told(wishes.propose(three)) == ["scale_down L to small", "scale_down M to small"]


def test_bill_change_by_hand(three):
    changes = [
        bill_change(three, proposal)
        for proposal in (
            ScaleUp("S", "large", ""),
            ScaleDown("L", "medium", ""),
            Consolidate("M", (), ""),
            Separate("L", (), "", {}, "small"),
            Separate("L", (), ""),
            ScaleUp("gone", "unknown", ""),
        )
    ]
    assert changes == pytest.approx([0.15, -0.1, -0.1, 0.05, 0.0, 0.0])


def test_one_cluster_in_which_all_six_are_worth_it(story):
    """web is busy, batch idles; A's only tenant needs a bigger size; B is crowded; C and E idle; D has CPU to spare."""
    scene = story.scene(
        {
            "A": ("medium", [story.app("a", 3.6, cores=4.0)]),
            "B": ("large", [story.app("b", 1.9, cores=2.0), *story.replicas("web", 6, 0.9)]),
            "C": ("large", [story.app("c", 0.9, pinned_to="")]),
            "D": ("xlarge", [story.app("d", 4.5, cores=8.0, mib=29000)]),
            "E": ("large", [story.app("e", 1.0, mib=4096), *story.replicas("batch", 3, 0.05)]),
        },
        services={"web": (1, 9), "batch": (1, 9)},
    )
    whole = Composite(TargetTracking(samples=1), Threshold(samples=1, subjects="cloud_vms"), Consolidation(samples=1))
    proposals = whole.propose(scene)
    assert story.told(proposals) == [
        "scale_out web",  # 6 x 0.9 / 0.6 = 9
        "scale_out web",
        "scale_out web",
        "separate B: b>D",  # 7.3 of 8 cores: without b 68 %; D has 11.2 - 4.5 cores left
        "scale_up A to large",  # there is nobody to separate
        "consolidate C: c>D",  # saves all of C; a smaller size would save three quarters of it
        "scale_down E to medium",  # D's memory holds none of E's 4 GiB; 1.15 cores are 58 % of a small: too many
        "scale_in batch-3",
        "scale_in batch-2",
    ]
    reasons = {p.cloud_vm: p.reason for p in proposals if hasattr(p, "cloud_vm")}
    assert reasons["B"].endswith("(+0.000 per hour; scale_up would be +0.200)")
    assert reasons["C"].endswith("(-0.200 per hour; scale_down would be -0.150)")
