"""A rotation over agents that answer on loopback with their own keys: nobody is turned away, and a failure is taken up again."""

from __future__ import annotations

import json
import shutil
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from autoscaler import keys
from autoscaler.adapters.rotation import Trustee, rotate
from autoscaler.agent.command.conversation import remote
from autoscaler.agent.credentials import Credentials
from autoscaler.errors import ActuationError, FlexCapsuleError, UsageError


class Agent(ThreadingHTTPServer):
    """An agent's keys endpoint, with the agent's own credentials behind it."""

    daemon_threads = True

    def __init__(self, directory: Path, name: str) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.name, self.directory = name, directory
        self.credentials = Credentials(directory, name)
        self.refuses, self.rounds = 0, 0
        self.socket = self.credentials.serving().wrap_socket(
            self.socket, server_side=True, do_handshake_on_connect=False
        )

    @property
    def trustee(self) -> Trustee:
        return Trustee(self.name, "127.0.0.1", self.server_address[1])

    def handle_error(self, *_: object) -> None:
        """A handshake that fails is what some tests are about."""


class _Handler(BaseHTTPRequestHandler):
    def do_PUT(self) -> None:
        agent: Agent = self.server  # type: ignore[assignment]
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        status = 200
        if agent.refuses:
            agent.refuses, status = agent.refuses - 1, 503
        else:
            agent.credentials.replace(body)
            agent.rounds += 1
        text = json.dumps({"error": "busy"} if status == 503 else {}).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"{}")

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    keys.init(tmp_path / "keys")
    return tmp_path / "keys"


@pytest.fixture
def agents(directory: Path, tmp_path: Path) -> Iterator[list[Agent]]:
    with ExitStack() as opened:
        made = []
        for name in ("cv1", "cv2"):
            keys.issue(directory, name, ["127.0.0.1"])
            own = tmp_path / name
            own.mkdir(mode=0o700)
            for file in ("authority.pem", f"{name}.pem", f"{name}.key"):
                shutil.copy(directory / file, own / file)
            agent = opened.enter_context(Agent(own, name))
            thread = threading.Thread(target=agent.serve_forever, args=(0.01,))
            thread.start()
            opened.callback(thread.join)
            opened.callback(agent.shutdown)
            made.append(agent)
        yield made


def ask(agent: Agent, directory: Path, name: str = "controller") -> None:
    """As `name` with the keys in `directory`. Raises ActuationError where either side does not trust the other."""
    remote(agent.name, "127.0.0.1", "", keys.context(directory, name), agent.trustee.port).ask("GET", "/v1/host")


def test_everybody_has_new_keys_and_the_old_ones_are_worth_nothing(directory, agents, tmp_path) -> None:
    shutil.copytree(directory, tmp_path / "stolen")
    said: list[str] = []
    rotate(directory, [agent.trustee for agent in agents], said.append)
    assert [agent.rounds for agent in agents] == [3, 3]
    assert keys.trusted(directory) == 1
    for agent in agents:
        ask(agent, directory)
        ask(agent, agent.directory, agent.name)
        assert (agent.directory / "authority.pem").read_text() == (directory / "authority.pem").read_text()
        with pytest.raises(ActuationError):
            ask(agent, tmp_path / "stolen")
    assert said == [
        "the new authority is trusted too by 2 agents",
        "new certificates are in use by the controller and 2 agents",
    ]


@pytest.mark.parametrize("failing_round", [0, 1, 2])
def test_an_agent_that_is_busy_leaves_all_able_to_talk_and_the_same_command_goes_on(
    directory, agents, failing_round
) -> None:
    rounds = iter(range(3))
    first, late = agents

    def fail_at(_text: str = "") -> None:
        late.refuses = int(next(rounds) == failing_round)

    fail_at()
    with pytest.raises(UsageError, match="not rotated yet: cv2: busy"):
        rotate(directory, [agent.trustee for agent in agents], fail_at)
    for agent in agents:
        ask(agent, directory)
        ask(first, agent.directory, agent.name)
        ask(late, agent.directory, agent.name)
    rotate(directory, [agent.trustee for agent in agents], lambda _: None)
    for agent in agents:
        ask(agent, directory)
    assert keys.trusted(directory) == 1


def test_nobody_is_locked_out_by_being_forgotten(directory, agents) -> None:
    with pytest.raises(UsageError, match="cv2 would be locked out"):
        rotate(directory, [agents[0].trustee], lambda _: None)
    with pytest.raises(UsageError, match="no certificate of cv9"):
        rotate(directory, [*(agent.trustee for agent in agents), Trustee("cv9", "127.0.0.1")], lambda _: None)
    assert keys.trusted(directory) == 1


def test_one_that_is_away_is_named(directory, agents) -> None:
    away = Trustee("cv2", "127.0.0.1", 1)
    with pytest.raises(FlexCapsuleError, match=r"the agent of cv2 does not answer .* run the same command again"):
        rotate(directory, [agents[0].trustee, away], lambda _: None)
    assert agents[0].rounds == 1  # no certificate was changed
