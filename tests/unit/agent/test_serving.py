"""The agent's port over real sockets and real certificates: who is answered, and what becomes of new keys."""

from __future__ import annotations

import asyncio
import http.client
import ssl
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import httpx
import pytest
from agent_caller import DIGEST, IMAGE
from rehearsed import World, rehearse

from autoscaler import keys
from autoscaler.agent import serving
from autoscaler.agent.api import API
from autoscaler.agent.credentials import Credentials
from autoscaler.agent.images import Images
from autoscaler.agent.peers import fetcher
from autoscaler.errors import ActuationError, UsageError


def keys_in(directory: Path, name: str) -> Path:
    """What a cloud VM gets of a cluster's keys."""
    keys.issue(directory, name, ["127.0.0.1"])
    held = keys.share(directory, name)
    place = directory.parent / f"{name}-keys"
    place.mkdir(mode=0o700, exist_ok=True)
    for file, text in (("authority.pem", held.authority), (f"{name}.pem", held.certificate), (f"{name}.key", held.key)):
        (place / file).write_text(text)
    return place


@contextmanager
def served(world: World, credentials: Credentials, path: Path, **patience: float) -> Iterator[str]:
    """An agent at "127.0.0.1:PORT", and at the unix socket `path`."""
    bound, at_path = serving.bind("127.0.0.1", 0), serving.bind_path(path)
    until, ready = threading.Event(), threading.Event()

    async def live() -> None:
        rehearsal = rehearse(world)
        await rehearsal.wake()
        over = asyncio.Event()
        api = API(rehearsal.agent.bench, rehearsal.agent.steps, credentials).application()
        asyncio.get_running_loop().run_in_executor(None, until.wait).add_done_callback(lambda _: over.set())
        ready.set()
        secured, local = serving.listener(api, credentials.serving(), **patience), serving.listener(api, None)
        await serving.serve([(secured, bound), (local, at_path)], over)

    thread = threading.Thread(target=lambda: asyncio.run(live()))
    thread.start()
    ready.wait(10)
    try:
        yield f"127.0.0.1:{bound.getsockname()[1]}"
    finally:
        until.set()
        thread.join(10)


@pytest.fixture
def cluster(tmp_path: Path) -> Path:
    directory = tmp_path / "keys"
    keys.init(directory)
    return directory


@pytest.fixture
def agent(tmp_path: Path, cluster: Path) -> Iterator[str]:
    (tmp_path / "world").mkdir()
    with served(
        World(tmp_path / "world"), Credentials(keys_in(cluster, "cv1"), "cv1"), tmp_path / "agent.sock"
    ) as address:
        yield address


def ask(address: str, context: ssl.SSLContext, path: str = "/v1/host") -> httpx.Response:
    with httpx.Client(verify=context, trust_env=False) as client:
        return client.get(f"https://{address}{path}")


def test_a_controller_is_answered(agent, cluster):
    assert ask(agent, keys.context(cluster)).json()["cloud_vm"] == "cv1"


def test_nobody_else_is(agent, cluster, tmp_path):
    bare = ssl.create_default_context(cafile=cluster / "authority.pem")
    with pytest.raises(httpx.TransportError):
        ask(agent, bare)
    keys.init(tmp_path / "strangers")
    foreign = keys.context(tmp_path / "strangers")
    foreign.load_verify_locations(cluster / "authority.pem")
    with pytest.raises(httpx.TransportError):
        ask(agent, foreign)
    with pytest.raises(httpx.TransportError), httpx.Client(trust_env=False) as client:
        client.get(f"http://{agent}/v1/host")


def test_another_agent_gets_images_and_nothing_else(agent, cluster, tmp_path):
    with httpx.Client(verify=keys.context(cluster), trust_env=False) as controller:
        controller.put(f"https://{agent}/v1/images/{DIGEST}", content=IMAGE)
    other = Credentials(keys_in(cluster, "cv2"), "cv2")
    images = Images(tmp_path / "cv2-images", fetcher(other))
    images.fetch(DIGEST, [agent])
    assert images.path(DIGEST).read_bytes() == IMAGE
    with pytest.raises(ActuationError, match="does not have it"):
        images.fetch("0" * 64, [agent])
    assert ask(agent, keys.context(cluster, "cv2"), "/v1/host").status_code == 403


def test_the_unix_socket_is_roots(agent, tmp_path):
    path = tmp_path / "agent.sock"
    assert path.stat().st_mode & 0o777 == 0o600
    with httpx.Client(transport=httpx.HTTPTransport(uds=str(path))) as client:
        assert client.get("http://agent/v1/host").json()["cloud_vm"] == "cv1"


def test_new_keys_are_taken_at_once_and_only_whole(agent, cluster, tmp_path):
    keys.init(tmp_path / "next")
    keys.issue(tmp_path / "next", "cv1", ["127.0.0.1"])
    new = keys.share(tmp_path / "next", "cv1")
    document = {"authority": new.authority, "certificate": new.certificate, "key": new.key}
    with httpx.Client(verify=keys.context(cluster), trust_env=False) as controller:
        broken = controller.put(f"https://{agent}/v1/keys", json={**document, "key": keys.share(cluster, "cv1").key})
        assert broken.status_code == 400
        assert "cannot be used" in broken.json()["error"]
        assert ask(agent, keys.context(cluster)).status_code == 200, "the old ones stay"
        assert controller.put(f"https://{agent}/v1/keys", json=document).status_code == 200
        assert controller.get(f"https://{agent}/v1/host").status_code == 200, "what is open goes on"
    assert ask(agent, keys.context(tmp_path / "next")).status_code == 200
    with pytest.raises(httpx.TransportError):
        ask(agent, keys.context(cluster))


def test_a_set_of_keys_half_moved_is_finished(cluster):
    place = keys_in(cluster, "cv1")
    staged = place / "next"
    staged.mkdir()
    for path in list(place.iterdir()):
        if path.is_file():
            path.rename(staged / path.name)
    (staged / "cv1.pem").rename(place / "cv1.pem")  # this far it had come
    Credentials(place, "cv1").serving()
    assert not staged.exists()


def test_missing_keys_say_what_makes_them(tmp_path):
    with pytest.raises(UsageError, match="flexcapsule keys issue"):
        Credentials(tmp_path, "cv1")


def test_who_says_nothing_is_hung_up_on(cluster, tmp_path):
    credentials = Credentials(keys_in(cluster, "cv1"), "cv1")
    with served(World(tmp_path), credentials, tmp_path / "agent.sock", headers_within_s=0.05) as address:
        host, _, port = address.partition(":")
        silent = http.client.HTTPSConnection(host, int(port), context=keys.context(cluster), timeout=10)
        with closing(silent):
            silent.connect()
            assert silent.sock.recv(1) == b""
