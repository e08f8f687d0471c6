"""Frames of a replay: added up they are where everybody was, and as few as the limits say."""

from __future__ import annotations

import json

import numpy as np
import pytest

from autoscaler.core.events import Execute
from autoscaler.core.model import CloudVMSize
from autoscaler.core.steps import CreateCloudVM, Migrate, Step, StopAppVM
from autoscaler.replay.film import ABSENT, MOST_CELLS, MOST_FRAMES, Camera
from autoscaler.sim.cluster import SimulatedCluster
from autoscaler.sim.scenario import DemandShape, Scenario, SimulatedCloudVM, SimulatedService
from autoscaler.sim.world import World

SIZE = CloudVMSize("small", cores=4.0, memory_bytes=4 << 30, price_per_hour=0.5)


def cluster(replicas: int = 3) -> SimulatedCluster:
    service = SimulatedService("web", replicas=replicas, on=("a",), demand=DemandShape(base_cores=1.5))
    return SimulatedCluster(
        World(
            Scenario(catalogue=(SIZE,), cloud_vms=(SimulatedCloudVM("a", "small"),), services=(service,), start_at=0.0)
        )
    )


def look(camera: Camera, of: SimulatedCluster, now: float) -> None:
    for event in of.read(now):
        camera(now, event, [])


def submit(to: SimulatedCluster, now: float, *actions: object) -> None:
    for number, action in enumerate(actions):
        to.submit(Execute(Step(f"p{now:.0f}.s{number}", action), "e1"), now)  # type: ignore[arg-type]


def test_frames_added_up_are_the_placement_at_each():
    there = cluster()
    camera = Camera(there.world, 10)
    truth = []
    for minute in range(10):
        now = 60.0 * minute
        look(camera, there, now)
        identities, clouds = there.world.estate.apps.identities, there.world.estate.clouds.identities
        truth.append(
            {a.id: clouds[row].id for a, row in zip(identities, there.world.placement, strict=True) if row >= 0}
        )
        if minute == 1:
            submit(there, now, CreateCloudVM("b", SIZE))
        if minute == 4:
            submit(there, now, Migrate("web-1", "a", "b"), StopAppVM("web-2"))
    film = json.loads(json.dumps(camera.film.document()))
    names, clouds = film["app_vms"]["id"], [cloud[0] for cloud in film["cloud_vms"]]
    place: dict[str, str] = {}
    for frame, expected in zip(film["frames"], truth, strict=True):
        changes = frame[4]
        for row, cloud in zip(changes[::2], changes[1::2], strict=True):
            place[names[row]] = clouds[cloud] if cloud >= 0 else ""
        assert {name: cloud for name, cloud in place.items() if cloud} == expected
    assert film["frames"][5][4] == [0, 1, 1, -1]  # only who moved, and who is gone
    assert film["frames"][-1][5][1] == ABSENT
    assert film["frames"][0][3] == [0]
    assert film["frames"][-1][3] == [0, 1]


@pytest.mark.parametrize(("app_vms", "ticks"), [(3, 50_000), (3000, 1000)])
def test_a_long_or_crowded_replay_has_fewer_frames(app_vms, ticks):
    camera = Camera(cluster(app_vms).world if app_vms < 10 else _crowd(app_vms), ticks)
    frames = -(-ticks // camera._every)
    assert frames <= MOST_FRAMES
    assert frames * app_vms <= MOST_CELLS
    assert frames > 100


def _crowd(app_vms: int) -> World:
    big = CloudVMSize("big", cores=4.0 * app_vms, memory_bytes=(1 << 30) * app_vms, price_per_hour=0.5)
    service = SimulatedService("web", replicas=app_vms, max_replicas=app_vms, on=("a",))
    return World(Scenario(catalogue=(big,), cloud_vms=(SimulatedCloudVM("a", "big"),), services=(service,)))


def test_levels_are_shares_of_an_app_vms_own_cores():
    there = cluster()
    camera = Camera(there.world, 2)
    look(camera, there, 0.0)
    look(camera, there, 60.0)
    assert camera.film.frames[-1].cpu == "444"  # half a core of one is 4.5 of nine
    assert np.isclose(camera.film.frames[-1].cost, 0.5 / 60)
