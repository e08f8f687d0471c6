"""What a policy's condition can see of one proposal: the values behind each name, and that the table of names is complete."""

import numpy as np
import pytest
from clusters import app, cluster, service, snapshot

from autoscaler.core.conditions import NAMES, PLAIN, context

SEEN = cluster(
    {"X": [app("web-1", cores=2.0), app("a")], "": ["web-2"], "Y": []},
    cpu={"web-1": 1.0, "a": 0.6, "web-2": 9.0},
    services=[service("web")],
)


def values(**more):
    return context(
        snapshot(SEEN),
        more.get("action", "scale_out"),
        more.get("service", "web"),
        more.get("forecast", {}),
        (13, 5, 4),
    )


def test_every_name_has_a_value_of_its_type_and_there_are_no_others():
    seen = values()
    assert seen.keys() == NAMES.keys() | PLAIN.keys()
    for group, names in NAMES.items():
        assert {name: type(value) for name, value in seen[group].items()} == dict(names)


def test_usage_is_that_of_who_runs_over_all_that_is_rented():
    usage = values()["usage"]
    assert usage == {
        "cpu": pytest.approx(1.6 / 8),
        "memory": pytest.approx(100 / 4000),
        "cloud_vms": 2,
        "app_vms": 2,
        "price_per_hour": 4.0,
    }


def test_a_service_is_seen_by_its_running_replicas_and_a_move_sees_none():
    assert values()["service"] == {"name": "web", "replicas": 1, "cpu": 0.5, "memory": 0.5}
    assert values(service=None)["service"] == {"name": "", "replicas": 0, "cpu": 0.0, "memory": 0.0}
    assert values(service="unknown")["service"]["replicas"] == 0


def test_time_and_forecast_are_those_given():
    seen = values(forecast={"cpu": 0.7, "requests": 5.0})
    assert seen["time"] == {"hour": 13, "minute": 5, "weekday": 4}
    assert seen["forecast"] == {"cpu": 0.7, "memory": 0.0, "requests": 5.0}


def test_an_empty_cluster_has_no_load():
    empty = context(snapshot(cluster({})), "consolidate", None, {}, (0, 0, 0))
    assert empty["usage"] == {"cpu": 0.0, "memory": 0.0, "cloud_vms": 0, "app_vms": 0, "price_per_hour": 0.0}
    assert np.isfinite(empty["usage"]["cpu"])
