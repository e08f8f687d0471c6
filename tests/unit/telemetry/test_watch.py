"""The status page's server side: files under a strict policy, and a stream that says what changed."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from typing import Any

import httpx
import pytest

from autoscaler.telemetry.http import application
from autoscaler.telemetry.watch import FILES, HEARTBEAT, events


def get(desk: Any, path: str) -> httpx.Response:
    async def go() -> httpx.Response:
        async with httpx.AsyncClient(
            transport=httpx.ASGITransport(application(desk)), base_url="http://127.0.0.1"
        ) as client:
            return await client.get(path)

    return asyncio.run(go())


async def first(count: int, views: list[Any]) -> list[str]:
    """The first `count` texts of a stream that sees `views` one after the other."""
    seen = iter(views)
    stream = events(lambda: next(seen), look_s=0.0)
    return [await anext(stream) for _ in range(count)]


def told(text: str) -> tuple[str, Any]:
    name, content = text.strip().split("\n")
    return name.removeprefix("event: "), json.loads(content.removeprefix("data: "))


@pytest.mark.parametrize("path", FILES)
def test_the_page_may_load_from_this_server_alone(running: Any, path: str) -> None:
    answer = get(running.desk, path)
    assert answer.status_code == 200
    policy = answer.headers["content-security-policy"]
    assert policy.startswith("default-src 'none'; script-src 'self'; style-src 'self'")
    assert "unsafe" not in policy
    assert "http" not in answer.text.replace("http.token_file", "")  # no address of another host


def test_the_stream_says_who_exists_once_and_who_is_where_after_every_tick(running: Any) -> None:
    view = running.desk.observatory.view
    later = replace(view, at=view.at + 60)
    texts = asyncio.run(first(5, [None, view, view, later]))
    assert texts[0] == HEARTBEAT  # before the first tick
    assert texts[3] == HEARTBEAT  # nothing new
    (kind, known), (_, now), (again, after) = told(texts[1]), told(texts[2]), told(texts[4])
    assert (kind, again) == ("inventory", "moment")
    assert [cloud_vm["id"] for cloud_vm in known["cloud_vms"]] == ["a", "b"]
    assert known["services"] == ["web", "db"]
    assert len(now["place"]) == len(now["cpu"]) == len(known["app_vms"]["id"])
    assert now["price_per_hour"] == 1.0
    assert after["at"] > now["at"]


def test_decisions_about_one_subject(running: Any) -> None:
    answer = get(running.desk, "/api/v1/decisions?limit=1&about=web")
    assert answer.status_code == 200
    assert [decision["id"] for decision in answer.json()["decisions"]] == ["d5"]


@pytest.mark.parametrize("site", ["cross-site", "same-site"])
def test_a_page_of_another_site_may_not_pause_even_with_the_token(running: Any, site: str) -> None:
    headers = {"Authorization": "Bearer " + "t" * 43, "Sec-Fetch-Site": site}
    transport = httpx.ASGITransport(application(running.desk))

    async def ask() -> httpx.Response:
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:
            return await client.post("/api/v1/pause", headers=headers, json={})

    assert asyncio.run(ask()).status_code == 403
    assert running.said == []


def test_a_stream_ends_with_the_server(running: Any) -> None:
    over = iter([False, True])

    async def all_of_it() -> list[str]:
        stream = events(lambda: running.observatory.view, look_s=0.0, ended=lambda: next(over, True))
        return [text async for text in stream]

    assert [text.split("\n")[0] for text in asyncio.run(all_of_it())] == ["event: inventory", "event: moment"]
