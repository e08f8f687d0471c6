"""Packing by hand: who leaves an overloaded cloud VM, who is emptied, and where everybody goes."""

import pytest

from autoscaler.strategies.consolidate import Consolidation

PACK = Consolidation(samples=1)  # ceiling 80 %, floor 50 %, filled to 70 % of CPU and 95 % of memory


def test_the_least_loaded_is_emptied_into_the_fullest_that_holds_it(story):
    scene = story.scene(
        {
            "X": ("large", [story.app("x", 4.0, cores=4.0)]),
            "Y": ("large", [story.app("y", 5.0, cores=4.0)]),
            "Z": ("large", [story.app("z", 0.5)]),
        }
    )
    (proposal,) = PACK.propose(scene)  # Y: 5.5 of at most 5.6 cores
    assert story.told([proposal]) == ["consolidate Z: z>Y"]
    assert proposal.reason == "Z is at 6% of its CPU, below 50%, and all it runs (1) fits elsewhere below 70%"
    assert proposal.evidence["price_change_per_hour"] == -0.2
    assert proposal.evidence["moved_bytes"] == 128 << 20


def test_the_biggest_is_placed_first(story):
    scene = story.scene(
        {
            "X": ("large", [story.app("x", 4.2, cores=4.0)]),  # holds 1.4 more
            "Y": ("large", [story.app("y", 4.5, cores=4.0)]),  # holds 1.1 more
            "Z": ("large", [story.app("z1", 0.3), story.app("z2", 1.1), story.app("z3", 1.1)]),
        }
    )
    assert story.told(PACK.propose(scene)) == [
        "consolidate Z: z2>Y z3>X z1>X"
    ]  # z1 first, on Y, would leave z3 nowhere


def test_nothing_is_emptied_where_one_app_vm_fits_nowhere(story):
    scene = story.scene(
        {
            "X": ("large", [story.app("x", 4.0, cores=4.0)]),
            "Z": ("large", [story.app("z1", 0.1), story.app("z2", 1.7)]),
        }
    )
    assert PACK.propose(scene) == []


def test_memory_counts_by_allocation(story):
    scene = story.scene(
        {
            "X": ("large", [story.app("x", 4.0, mib=15000, in_use_mib=100)]),
            "Z": ("large", [story.app("z", 0.1, mib=600, in_use_mib=1)]),  # 15600 of 0.95 x 16384 = 15564 MiB
        }
    )
    assert PACK.propose(scene) == []


def test_allocated_cores_count_up_to_the_overcommit(story):
    clouds = {"X": ("large", [story.app("x", 4.0, cores=31.5)]), "Z": ("large", [story.app("z", 0.1, cores=1.0)])}
    assert PACK.propose(story.scene(clouds)) == []  # 32.5 of 4 x 8
    more = Consolidation(samples=1, cpu_overcommit=5.0)
    assert story.told(more.propose(story.scene(clouds))) == ["consolidate Z: z>X"]


def test_room_that_a_plan_in_flight_has_taken_is_not_given_again(story):
    clouds = {
        "X": ("large", [story.app("x", 4.0, mib=15000)]),
        "Z": ("large", [story.app("z", 0.1, mib=500)]),
    }
    assert story.told(PACK.propose(story.scene(clouds))) == ["consolidate Z: z>X"]
    assert PACK.propose(story.scene(clouds, reserved={"X": 100 << 20})) == []


def test_an_empty_cloud_vm_is_released(story):
    (proposal,) = PACK.propose(story.scene({"X": ("large", [story.app("x", 4.0)]), "Z": ("large", [])}))
    assert (story.told([proposal]), proposal.reason) == (["consolidate Z"], "Z is empty")
    assert (
        PACK.propose(story.scene({"X": ("large", [story.app("x", 4.0)]), "Z": ("large", [])}, reserved={"Z": 1.0}))
        == []
    )


def test_who_received_is_not_emptied_in_the_same_tick(story):
    scene = story.scene({id_: ("large", [story.app(id_.lower(), 1.0)]) for id_ in "VWXYZ"})
    # V into W; then X into W, and so on: W is the fullest that holds it
    assert story.told(PACK.propose(scene)) == [
        "consolidate V: v>W",
        "consolidate X: x>W",
        "consolidate Y: y>W",
        "consolidate Z: z>W",
    ]


def test_pins_and_rivals_are_respected(story):
    pinned = {"X": ("large", [story.app("x", 4.0)]), "Z": ("large", [story.app("z", 0.1, pinned_to="Z")])}
    assert PACK.propose(story.scene(pinned)) == []
    rivals = {"X": ("large", [story.app("x", 4.0)]), "Z": ("large", [story.app("z", 0.1, apart_from=("x",))])}
    assert PACK.propose(story.scene(rivals)) == []
    replicas = {
        "X": ("large", [story.app("w1", 4.0, service="w", apart_from=("w",))]),
        "Y": ("large", [story.app("y", 4.5)]),
        "Z": ("large", [story.app("w2", 0.1, service="w"), story.app("z", 0.1)]),
    }
    assert story.told(PACK.propose(story.scene(replicas))) == ["consolidate Z: w2>Y z>Y"]


def test_rivals_that_leave_together_part(story):
    scene = story.scene(
        {
            "X": ("large", [story.app("x", 4.5, cores=4.0)]),
            "Y": ("large", [story.app("y", 4.4, cores=4.0)]),
            "Z": ("large", [story.app("z1", 0.2, apart_from=("z2",)), story.app("z2", 0.1)]),
        }
    )
    assert story.told(PACK.propose(scene)) == ["consolidate Z: z1>X z2>Y"]


def test_relief_moves_the_quickest_that_suffices(story):
    scene = story.scene(
        {
            "X": (
                "large",
                [
                    story.app("heavy", 3.0, cores=4.0, mib=4096),
                    story.app("right", 1.5, mib=512),
                    story.app("light", 2.3, cores=4.0, mib=2048),
                ],
            ),
            "Y": ("large", [story.app("y", 3.9, cores=4.0)]),
        }
    )
    (proposal,) = PACK.propose(scene)  # 6.8 cores, 1.2 above 70 %: each suffices, `right` has the least memory
    assert story.told([proposal]) == ["separate X: right>Y"]
    assert proposal.reason == "X is at 85% of its CPU, above 80%; without 1 of its app VMs it is at 66%"
    assert proposal.evidence["cpu_load_after_fraction"] == pytest.approx(5.3 / 8)
    assert proposal.evidence["migration_s"] == pytest.approx(1.0 + (256 << 20) / 125e6 + 0.2)


def test_without_a_place_a_new_cloud_vm_of_the_cheapest_size_that_holds_them(story):
    scene = story.scene({"X": ("large", story.replicas("web", 8, 0.9))}, services={"web": (1, 9)})
    # 7.2 cores, 1.6 above 70 %: two replicas, 1.8 cores: a medium (at most 2.8)
    (proposal,) = PACK.propose(scene)
    assert story.told([proposal]) == ["separate X: web-1>new web-2>new new medium"]
    assert proposal.evidence["price_change_per_hour"] == 0.1


def test_rivals_do_not_share_the_new_cloud_vm(story):
    rivals = [story.app("a", 0.9), story.app("b", 0.9, apart_from=("c",)), story.app("c", 0.9)]
    scene = story.scene({"X": ("large", rivals + story.replicas("web", 5, 1.0, mib=2048))})  # 2.1 cores too many
    assert story.told(PACK.propose(scene)) == ["separate X: a>new b>new new medium"]


def test_an_app_vm_alone_is_never_separated(story):
    assert (
        PACK.propose(story.scene({"X": ("large", [story.app("x", 7.9)]), "Y": ("xlarge", [story.app("y", 9.0)])})) == []
    )


def test_overloaded_cloud_vms_receive_nobody_and_the_worst_is_relieved_first(story):
    scene = story.scene(
        {
            "X": ("large", [story.app("x1", 3.3), story.app("x2", 3.3)]),  # 82.5 %
            "Y": ("large", [story.app("y1", 3.6), story.app("y2", 3.6)]),  # 90 %
            "Z": ("xlarge", [story.app("z", 8.5)]),  # holds 2.7 more
        },
        catalogue=(),
    )
    assert PACK.propose(scene) == []  # nobody fits, and there is nothing to rent
    scene = story.scene(
        {
            "X": ("large", [story.app("x1", 3.3), story.app("x2", 3.3)]),
            "Y": ("large", [story.app("y1", 3.6), story.app("y2", 3.6)]),
            "Z": ("xlarge", [story.app("z", 8.1)]),  # holds 3.1 more
        }
    )
    assert story.told(PACK.propose(scene)) == ["separate Y: y1>new new large", "separate X: x1>new new large"]


def test_a_burst_in_the_newest_sample_closes_a_cloud_vm_for_arrivals(story):
    calm = Consolidation(samples=3)
    scene = story.scene(
        {
            "X": ("large", [story.app("x", samples=[3.0, 3.0, 6.0])]),  # mean 4, newest 6
            "Z": ("large", [story.app("z", samples=[0.1, 0.1, 0.1])]),
        }
    )
    assert calm.propose(scene) == []


def test_a_fill_mark_above_the_ceiling_is_refused():
    with pytest.raises(ValueError, match="cpu_fill 90% must be below cpu_ceiling 80%"):
        Consolidation(cpu_fill_fraction=0.9)
