"""Two marks per resource, by hand: services out and in, cloud VMs up and down, and never back again at once."""

import pytest

from autoscaler.strategies.threshold import Threshold

SERVICES = Threshold(subjects="services", samples=1)  # CPU 80 % and 30 %, memory 95 % and 80 %
CLOUD_VMS = Threshold(subjects="cloud_vms", samples=1)


def test_above_the_upper_mark_one_more_below_the_lower_one_less(story):
    def wish(load):
        scene = story.scene({"X": ("large", story.replicas("web", 4, load))}, services={"web": (1, 9)})
        return story.told(SERVICES.propose(scene))

    assert wish(0.81) == ["scale_out web"]
    assert wish(0.80) == []
    assert wish(0.30) == []
    assert wish(0.29) == ["scale_in web-4"]


def test_memory_alone_asks_for_more_but_not_for_less(story):
    full = story.scene(
        {"X": ("large", story.replicas("web", 2, 0.1, mib=100, in_use_mib=96))}, services={"web": (1, 9)}
    )
    assert story.told(SERVICES.propose(full)) == ["scale_out web"]
    half = story.scene(
        {"X": ("large", story.replicas("web", 2, 0.5, mib=100, in_use_mib=10))}, services={"web": (1, 9)}
    )
    assert SERVICES.propose(half) == []


def test_what_would_be_above_the_upper_mark_with_one_less_stays(story):
    narrow = Threshold(subjects="services", samples=1, cpu_up_fraction=0.5, cpu_down_fraction=0.3)
    scene = story.scene({"X": ("large", story.replicas("web", 2, 0.26))}, services={"web": (1, 9)})
    assert narrow.propose(scene) == []  # one replica would be at 52 %


def test_steps_may_be_larger(story):
    bold = Threshold(subjects="services", samples=1, step_replicas=3)
    scene = story.scene({"X": ("large", story.replicas("web", 2, 0.9))}, services={"web": (1, 9)})
    assert story.told(bold.propose(scene)) == ["scale_out web"] * 3


def test_a_newborn_replica_without_a_sample_neither_asks_for_more_nor_for_less(story):
    newborn = story.app("web-3", samples=[None], service="web")
    scene = story.scene({"X": ("large", [*story.replicas("web", 2, 0.9), newborn])}, services={"web": (1, 9)})
    assert SERVICES.propose(scene) == []  # at least 1.8 of 3
    scene = story.scene({"X": ("large", [*story.replicas("web", 2, 0.0), newborn])}, services={"web": (1, 9)})
    assert SERVICES.propose(scene) == []  # perhaps 1 of 3


def test_an_overloaded_cloud_vm_goes_to_the_cheapest_size_between_the_marks(story):
    scene = story.scene({"X": ("medium", [story.app("a", 3.4, cores=4.0)])})  # 85 %; large: 42.5 %, at most 55 %
    (proposal,) = CLOUD_VMS.propose(scene)
    assert story.told([proposal]) == ["scale_up X to large"]
    assert proposal.reason == "X is at 85% of its CPU, above 80%; 3.40 cores in use are 42% of a large"
    assert proposal.evidence["price_change_per_hour"] == pytest.approx(0.1)
    assert proposal.evidence["cpu_load_after_fraction"] == pytest.approx(0.425)


def test_an_idle_cloud_vm_goes_to_the_cheapest_size_that_holds_it(story):
    scene = story.scene({"X": ("large", [story.app("a", 1.0, cores=2.0)])})  # 12.5 %; small: 50 %
    assert story.told(CLOUD_VMS.propose(scene)) == ["scale_down X to small"]
    scene = story.scene({"X": ("large", [story.app("a", 1.2, cores=2.0)])})  # 15 %; small: 60 %, medium: 30 %
    assert story.told(CLOUD_VMS.propose(scene)) == ["scale_down X to medium"]


def test_a_smaller_size_must_hold_what_was_allocated(story):
    memory = story.scene({"X": ("large", [story.app("a", 0.5, mib=7900, in_use_mib=100)])})  # medium keeps 5 % of 8 GiB
    assert CLOUD_VMS.propose(memory) == []
    cores = story.scene({"X": ("large", [story.app("a", 0.5, cores=9.0)])})  # small: 4 x 2 cores
    assert story.told(CLOUD_VMS.propose(cores)) == ["scale_down X to medium"]


@pytest.mark.parametrize("used", [0.1 * n for n in range(1, 160)])
def test_after_a_change_of_size_no_other_is_wished_for(story, used):
    sizes = ["xlarge"]
    for _ in range(4):
        proposals = CLOUD_VMS.propose(story.scene({"X": (sizes[-1], [story.app("a", used, cores=4.0)])}))
        sizes += [p.size for p in proposals]
    assert len(sizes) <= 2


def test_the_worst_overload_comes_first_and_the_biggest_size_is_the_end(story):
    scene = story.scene(
        {
            "X": ("small", [story.app("a", 1.7)]),
            "Y": ("medium", [story.app("b", 3.9)]),
            "Z": ("xlarge", [story.app("c", 16.0)]),
        }
    )
    assert story.told(CLOUD_VMS.propose(scene)) == ["scale_up Y to large", "scale_up X to medium"]


def test_where_no_size_is_big_enough_the_biggest_helps_most(story):
    two = story.scene({"X": ("large", [story.app("a", 7.9)])})  # 49 % of an xlarge
    assert story.told(CLOUD_VMS.propose(two)) == ["scale_up X to xlarge"]
    tight = Threshold(subjects="cloud_vms", samples=1, cpu_up_fraction=0.5, cpu_down_fraction=0.2)  # 35 % at most
    assert story.told(tight.propose(two)) == ["scale_up X to xlarge"]


@pytest.mark.parametrize(
    "more",
    [
        {"in_flight": ("X",)},
        {"in_flight": ("a",)},
        {"reserved": {"X": 1.0}},
        {"states": {"X": "cordoned"}},
        {"states": {"X": "starting"}},
    ],
)
def test_a_cloud_vm_that_is_worked_on_or_not_active_is_left_alone(story, more):
    assert CLOUD_VMS.propose(story.scene({"X": ("large", [story.app("a", 0.1)])}, **more)) == []


def test_a_pinned_app_vm_cannot_change_its_cloud_vm(story):
    assert CLOUD_VMS.propose(story.scene({"X": ("large", [story.app("a", 0.1, pinned_to="X")])})) == []


def test_bursts_count_with_max(story):
    bursting = story.scene({"X": ("small", [story.app("a", samples=[0.1, 1.9, 0.1])])})
    assert Threshold(subjects="cloud_vms", samples=3).propose(bursting) == []
    assert story.told(Threshold(subjects="cloud_vms", samples=3, statistic="max").propose(bursting)) == [
        "scale_up X to medium"
    ]


def test_marks_that_cross_are_refused():
    with pytest.raises(ValueError, match="cpu_down 90% must be below cpu_up 80%"):
        Threshold(cpu_down_fraction=0.9)
