"""HAProxy, the real one on loopback: kept as observed, drained before it is taken out, and no request lost meanwhile."""

from __future__ import annotations

import http.client
import shutil
import socket
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from autoscaler.adapters import haproxy_process
from autoscaler.adapters.haproxy import HAProxy
from autoscaler.errors import ActuationError, UsageError

pytestmark = pytest.mark.skipif(
    shutil.which("haproxy") is None, reason="haproxy is not installed (deploy/setup/packages.sh live)"
)
ATTEMPTS = 200  # of requests, until a check has succeeded: each takes some time by itself


class Replica(ThreadingHTTPServer):
    """Answers with its name; a request for /wait is held until `release`."""

    def __init__(self, name: str) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.name, self.release, self.holding = name, threading.Event(), threading.Event()

    def handle_error(self, *_: object) -> None:
        """A check hangs up as soon as it is answered: nothing to report."""

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.server_address[1]}"


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        replica: Replica = self.server  # type: ignore[assignment]
        if self.path == "/wait":
            replica.holding.set()
            replica.release.wait(10)
        body = replica.name.encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def replicas(*names: str) -> Iterator[list[Replica]]:
    with ExitStack() as opened:
        made = [opened.enter_context(Replica(name)) for name in names]
        for replica in made:
            thread = threading.Thread(target=replica.serve_forever, args=(0.01,), daemon=True)
            thread.start()
            opened.callback(thread.join)
            opened.callback(replica.shutdown)
        yield made


def free_port() -> int:
    with socket.socket() as asked:
        asked.bind(("127.0.0.1", 0))
        return int(asked.getsockname()[1])


@pytest.fixture
def web(tmp_path: Path) -> Iterator[tuple[Path, int]]:
    """A directory in which HAProxy serves `web`, and the port."""
    port = free_port()
    haproxy_process.ensure(tmp_path, {"web": f"127.0.0.1:{port}"})
    try:
        yield tmp_path, port
    finally:
        haproxy_process.end(tmp_path)


def proxy(directory: Path, **more: object) -> HAProxy:
    return HAProxy(directory / haproxy_process.SOCKET, **more)  # type: ignore[arg-type]


def asked(port: int, path: str = "/") -> tuple[int, str]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    connection.request("GET", path, headers={"Connection": "close"})
    answer = connection.getresponse()
    try:
        return answer.status, answer.read().decode()
    finally:
        connection.close()


def until_answers(port: int, wanted: set[str]) -> None:
    """Ask until exactly `wanted` have answered a round; the checks that let a replica in take a moment."""
    for _ in range(ATTEMPTS):
        answers = [asked(port) for _ in range(2 * len(wanted))]
        if {body for status, body in answers if status == 200} >= wanted and all(s == 200 for s, _ in answers):
            return
        threading.Event().wait(0.02)
    raise AssertionError(f"{wanted} did not all answer")


def until_gone(balancer: HAProxy, kept: dict[str, dict[str, str]]) -> None:
    for _ in range(ATTEMPTS):
        balancer.keep(kept)
        if {entry.app_vm for entry in balancer.entries("web")} == set(kept["web"]):
            return
        threading.Event().wait(0.02)
    raise AssertionError(f"HAProxy still has {balancer.entries('web')}")


def test_what_runs_is_what_answers(web) -> None:
    directory, port = web
    with replicas("web-1", "web-2") as (one, two):
        balancer = proxy(directory)
        balancer.keep({"web": {"web-1": one.address}})
        until_answers(port, {"web-1"})
        balancer.keep({"web": {"web-1": one.address, "web-2": two.address}})
        until_answers(port, {"web-1", "web-2"})
        until_gone(balancer, {"web": {"web-2": two.address}})
        assert {asked(port) for _ in range(4)} == {(200, "web-2")}


def test_a_replica_is_drained_before_it_is_taken_out(web) -> None:
    """A request under way ends; `drained` says no until then; nothing new comes meanwhile."""
    directory, port = web
    with replicas("web-1", "web-2") as (one, two):
        balancer, both = proxy(directory), {"web-1": one.address, "web-2": two.address}
        balancer.keep({"web": {"web-1": one.address}})
        until_answers(port, {"web-1"})
        answers: list[tuple[int, str]] = []
        waiting = threading.Thread(target=lambda: answers.append(asked(port, "/wait")))
        waiting.start()
        assert one.holding.wait(5)
        balancer.keep({"web": both})
        until_answers(port, {"web-2"})
        balancer.keep({"web": {"web-2": two.address}})
        assert not balancer.drained("web-1")
        assert {asked(port) for _ in range(6)} == {(200, "web-2")}
        balancer.keep({"web": {"web-2": two.address}})
        assert [e.status.split()[0] for e in balancer.entries("web") if e.app_vm == "web-1"] == ["DRAIN"]
        one.release.set()
        waiting.join()
        assert answers == [(200, "web-1")]
        assert balancer.drained("web-1")
        until_gone(balancer, {"web": {"web-2": two.address}})


def test_not_drained_while_it_may_still_get_requests(web) -> None:
    directory, port = web
    with replicas("web-1") as (one,):
        balancer = proxy(directory)
        balancer.keep({"web": {"web-1": one.address}})
        until_answers(port, {"web-1"})
        assert not balancer.drained("web-1")
        assert balancer.drained("web-9")


def test_a_request_that_never_ends_holds_nothing_up_for_ever(web) -> None:
    directory, port = web
    now = [0.0]
    with replicas("web-1") as (one,):
        balancer = proxy(directory, steady=lambda: now[0])
        balancer.keep({"web": {"web-1": one.address}})
        until_answers(port, {"web-1"})
        waiting = threading.Thread(target=lambda: asked(port, "/wait"))
        waiting.start()
        assert one.holding.wait(5)
        balancer.keep({"web": {}})
        now[0] = 29.9
        assert not balancer.drained("web-1")
        now[0] = 30.0
        assert balancer.drained("web-1")
        one.release.set()
        waiting.join()


def test_wanted_again_while_draining_is_let_in_again(web) -> None:
    directory, port = web
    with replicas("web-1") as (one,):
        balancer, kept = proxy(directory), {"web": {"web-1": one.address}}
        balancer.keep(kept)
        until_answers(port, {"web-1"})
        balancer.keep({"web": {}})
        balancer.keep(kept)
        until_answers(port, {"web-1"})


def test_another_controller_takes_up_what_one_left(web) -> None:
    """All state is HAProxy's: a new adapter finds what is there, and moves a replica whose address changed."""
    directory, port = web
    with replicas("old", "new") as (old, new):
        proxy(directory).keep({"web": {"web-1": old.address, "web-2": old.address}})
        until_answers(port, {"old"})
        again = proxy(directory)
        until_gone(again, {"web": {"web-1": new.address}})
        until_answers(port, {"new"})
        assert {asked(port)[1] for _ in range(4)} == {"new"}


def test_a_replica_that_does_not_answer_yet_gets_no_request(web) -> None:
    directory, port = web
    with replicas("web-1") as (one,):
        balancer = proxy(directory)
        balancer.keep({"web": {"web-1": one.address, "booting": f"127.0.0.1:{free_port()}"}})
        until_answers(port, {"web-1"})
        assert {asked(port) for _ in range(10)} == {(200, "web-1")}


def test_entries_that_others_made_are_left_alone(web) -> None:
    directory, port = web
    with replicas("theirs", "web-1") as (theirs, one):
        balancer = proxy(directory)
        balancer._say(f"add server web/theirs {theirs.address}; enable server web/theirs")
        balancer.keep({"web": {"web-1": one.address}})
        until_answers(port, {"theirs", "web-1"})
        until_gone(balancer, {"web": {}})
        until_answers(port, {"theirs"})


def test_one_that_runs_is_taken_over_and_its_requests_go_on(web) -> None:
    directory, port = web
    number = haproxy_process.pid(directory)
    haproxy_process.ensure(directory, {"web": f"127.0.0.1:{port}"})
    assert haproxy_process.pid(directory) == number
    with pytest.raises(UsageError, match="serves other addresses"):
        haproxy_process.ensure(directory, {"web": f"127.0.0.1:{port + 1}"})


def test_its_socket_is_its_owners_alone(web) -> None:
    directory, _ = web
    assert (directory / haproxy_process.SOCKET).stat().st_mode & 0o777 == 0o600


def test_end_ends_it(tmp_path: Path) -> None:
    haproxy_process.ensure(tmp_path, {"web": f"127.0.0.1:{free_port()}"})
    haproxy_process.end(tmp_path)
    assert haproxy_process.pid(tmp_path) is None
    haproxy_process.end(tmp_path)
    with pytest.raises(ActuationError, match="no HAProxy answers at"):
        proxy(tmp_path).keep({"web": {}})


def test_mistakes_name_the_fix(web, tmp_path: Path) -> None:
    directory, _ = web
    with pytest.raises(ActuationError, match="no backend 'shop' for service 'shop'"):
        proxy(directory).keep({"shop": {}})
    with pytest.raises(ActuationError, match="cannot stand in a command"):
        proxy(directory).keep({"web": {"a; shutdown sessions": "127.0.0.1:1"}})
    taken = tmp_path / "taken"
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        holder.listen()
        with pytest.raises(ActuationError, match=r"HAProxy did not start: .*cannot bind socket"):
            haproxy_process.ensure(taken, {"web": f"127.0.0.1:{holder.getsockname()[1]}"})
