"""A real socket: it is bound before anything starts, answers while the loop works, and is gone at the end."""

from __future__ import annotations

import socket
from typing import Any

import httpx
import pytest

from autoscaler.errors import UsageError
from autoscaler.telemetry.http import application
from autoscaler.telemetry.server import CONNECTIONS, Server, bind, hosts


def test_it_answers_on_loopback_and_ends(running: Any) -> None:
    with Server(application(running.desk), bind("127.0.0.1", 0)) as server:
        url = server.url
        assert url.startswith("http://127.0.0.1:")
        assert httpx.get(f"{url}/readyz").text == "ready\n"
    with pytest.raises(httpx.ConnectError):
        httpx.get(f"{url}/readyz")


def test_headers_without_end_are_refused(running: Any) -> None:
    with Server(application(running.desk), bind("127.0.0.1", 0)) as server:
        port = int(server.url.rsplit(":", 1)[1])
        with socket.create_connection(("127.0.0.1", port)) as raw:
            raw.sendall(b"GET / HTTP/1.1\r\nX: " + b"x" * 40_000)
            assert raw.recv(100).startswith(b"HTTP/1.1 400")
        with socket.create_connection(("127.0.0.1", port)) as raw:
            raw.sendall(b"\x16\x03\x01 not http\r\n\r\n")
            assert raw.recv(100).startswith(b"HTTP/1.1 400")
        assert httpx.get(f"{server.url}/healthz").text == "ok\n"


def test_callers_who_never_end_their_headers_take_no_places(running: Any) -> None:
    with Server(application(running.desk), bind("127.0.0.1", 0), headers_within_s=0.1) as server:
        port = int(server.url.rsplit(":", 1)[1])
        idle = [socket.create_connection(("127.0.0.1", port)) for _ in range(CONNECTIONS + 10)]
        for caller in idle:
            caller.sendall(b"GET /healthz HTTP/1.1\r\nX-Never: ")
        for caller in idle:
            caller.settimeout(5.0)
            while caller.recv(1000):  # a 503 to some, then the end
                pass
            caller.close()
        assert httpx.get(f"{server.url}/healthz").text == "ok\n"


def test_a_taken_port_is_said_at_once_with_the_way_out() -> None:
    with bind("127.0.0.1", 0) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(UsageError, match=rf"cannot listen on 127\.0\.0\.1:{port}: .*set http\.port"):
            bind("127.0.0.1", port)


def test_an_address_of_another_machine_is_refused() -> None:
    with pytest.raises(UsageError, match=r"cannot listen on 192\.0\.2\.1:1234"):
        bind("192.0.2.1", 1234)


def test_on_loopback_it_answers_to_loopbacks_names_only() -> None:
    assert "127.0.0.1" in hosts("127.0.0.1")
    assert hosts("0.0.0.0") == ("*",)
