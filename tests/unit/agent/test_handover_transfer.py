"""Handovers between two agents over real TLS on loopback, with a hypervisor in memory: the whole way, refusals, and a death
of either agent at every point that a transfer passes. What a killed agent would still do is cut off: its records are copied
at that instant for its successor, its hands on the hypervisor fail, its connections end.
"""

from __future__ import annotations

import asyncio
import shutil
import ssl
import uuid
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from autoscaler import keys
from autoscaler.agent.credentials import Credentials
from autoscaler.agent.handover import Handovers, Move
from autoscaler.agent.handover_halves import Berth
from autoscaler.agent.handover_passenger import Passenger, Vif, read_passenger
from autoscaler.agent.handover_records import Record
from autoscaler.agent.handover_rules import Half
from autoscaler.agent.handover_wire import HEADER, LinkError, connection
from autoscaler.errors import ActuationError, UsageError

APP_VM = "b09ea152-3e12-436a-a27a-b898bf672942"
PAGES = bytes(range(256)) * 4096  # what a guest consists of: one stretch and more
LEAVING_POINTS = (
    "prepared", "offered", "berth made", "streaming", "suspend asked", "suspended", "sent", "permitted",
    "permission sent", "accepted", "done", "told",
)  # fmt: skip
ARRIVING_POINTS = (
    "noted", "berth made", "berth said", "filling", "filled", "introduced", "permission heard",
    "permission noted", "started", "accepted said", "connected", "running noted", "over",
)  # fmt: skip


class Killed(BaseException):
    """The agent's process ends here."""


@dataclass(slots=True)
class Domain:
    handle: str
    state: Half
    pages: bytes = b""


@dataclass(slots=True)
class Machine:
    """A cloud VM: what outlives its agent."""

    name: str
    boot: str = "boot 1"
    domains: dict[int, Domain] = field(default_factory=dict)
    next_domid: int = 1
    started: int = 0  # times that an arrived half was started

    def running(self) -> int:
        return sum(d.handle == APP_VM and d.state is Half.RUNNING for d in self.domains.values())


@dataclass(slots=True)
class Hands:
    """One agent's hold on its machine; a dead agent's fails."""

    machine: Machine
    dead: bool = False
    stubborn: bool = False  # the guest does not suspend
    used_bytes: int = 2**21

    def domains(self) -> dict[int, Domain]:
        if self.dead:
            raise Killed
        return self.machine.domains

    def look(self, record: Record) -> tuple[Half, int]:
        for domid, domain in self.domains().items():
            if (domid == record.domid) or (not record.domid and domain.handle == record.id):
                return domain.state, domid
        return Half.ABSENT, 0

    def domid_of(self, app_vm: str) -> int:
        for domid, domain in self.domains().items():
            if domain.handle == app_vm:
                return domid
        raise ActuationError(f"no app VM {app_vm} is here", temporary=False)

    def describe(self, domid: int, app_vm: str) -> Passenger:
        return Passenger(
            app_vm,
            "pulse",
            17408,
            16384,
            16384,
            vifs=(Vif(0, "00:16:3e:56:0a:b4", "xenbr0"),),
            used_bytes=self.used_bytes,
        )

    async def make(self, passenger: Passenger, handle: str) -> Berth:
        domid = self.machine.next_domid
        self.domains()[domid] = Domain(handle, Half.PAUSED)
        self.machine.next_domid += 1
        return Berth(domid, 1, 2)

    def introduce(self, berth: Berth, store_ring: int) -> None:
        self.domains()

    def complete(self, domid: int, store_ring: int, console_ring: int) -> None:
        self.domains()

    def start(self, domid: int, app_vm: str) -> None:
        domain = self.domains()[domid]
        assert domain.pages == PAGES, "started before it was whole"
        domain.handle, domain.state = app_vm, Half.RUNNING
        self.machine.started += 1

    async def connected(self, domid: int, passenger: Passenger) -> None:
        self.domains()

    def arm(self, domid: int) -> None:
        """Nothing is to be found first."""

    async def suspend(self, domid: int) -> None:
        if self.stubborn:
            raise ActuationError("it did not suspend within 15 s", temporary=True)
        self.domains()[domid].state = Half.SUSPENDED

    def resume(self, domid: int) -> None:
        assert self.domains()[domid].state is Half.SUSPENDED
        self.domains()[domid].state = Half.RUNNING

    def let_be(self, domid: int) -> None:
        self.domains()

    def destroy(self, domid: int, app_vm: str) -> None:
        self.domains().pop(domid, None)


class Reader(asyncio.StreamReader):
    async def drained(self) -> None:
        return


@dataclass(slots=True)
class Streams:
    hands: Hands
    live: bool | None = None

    @asynccontextmanager
    async def saving(
        self, domid: int, *, live: bool, on_suspend: Any
    ) -> AsyncIterator[tuple[Any, asyncio.StreamReader]]:
        self.live = live
        reader = Reader()
        reader.feed_data(PAGES[:1000])

        class Helper:
            async def attend(self) -> None:
                try:
                    await on_suspend()
                    reader.feed_data(PAGES[1000:])
                finally:
                    reader.feed_eof()

        yield Helper(), reader

    @asynccontextmanager
    async def restoring(self, berth: Berth) -> AsyncIterator[tuple[Any, Any]]:
        got, whole = bytearray(), asyncio.Event()
        hands = self.hands

        class Helper:
            store_ring, console_ring = 11, 12

            async def attend(self) -> None:
                await whole.wait()
                hands.domains()[berth.domid].pages = bytes(got)

        class Inflow:
            async def write(self, stretch: bytes) -> None:
                got.extend(stretch)
                if len(got) == len(PAGES):
                    whole.set()

            async def drained(self) -> None:
                return

        yield Helper(), Inflow()


@dataclass(slots=True)
class Household:
    refuses: str = ""
    heard: list[str] = field(default_factory=list)

    async def prepare(self, passenger: Passenger) -> None:
        if self.refuses:
            raise ActuationError(self.refuses, temporary=False)

    def describe(self, app_vm: str) -> dict[str, str]:
        return {"spec": "words of the household"}

    def arrived(self, passenger: Passenger) -> None:
        self.heard.append(f"arrived {passenger.description['spec']}")

    def left(self, app_vm: str, peer: str) -> None:
        self.heard.append(f"left to {peer}")


class Stage:
    """Two machines, each with an agent that can be killed at a point and started again."""

    def __init__(self, directory: Path, certificates: Path) -> None:
        self._directory, self._certificates = directory, certificates
        self.machines = {name: Machine(name) for name in ("cv1", "cv2")}
        self.machines["cv1"].domains[1] = Domain(APP_VM, Half.RUNNING, PAGES)
        self.machines["cv1"].next_domid = 2
        self.agents: dict[str, Handovers] = {}
        self.hands: dict[str, Hands] = {}
        self.households: dict[str, Household] = {}
        self.ports: dict[str, int] = {}
        self.passed: list[str] = []
        self.fatal, self.can_log_dirty = "", True
        self.streams: dict[str, Streams] = {}
        self._servers: dict[str, asyncio.Server] = {}
        self._lives = dict.fromkeys(self.machines, 0)

    def _records(self, name: str) -> Path:
        return self._directory / f"{name}.{self._lives[name]}"

    async def start(self, name: str, hands: Hands | None = None) -> None:
        if name in self._servers:
            self._servers[name].close()
        self.hands[name] = hands or Hands(self.machines[name])
        self.streams[name] = Streams(self.hands[name])
        self.households[name] = Household()
        self.agents[name] = Handovers(
            self._records(name), halves=self.hands[name], household=self.households[name],
            serving=self.context(name, serving=True), calling=lambda: self.context(name), can_log_dirty=self.can_log_dirty,
            boot=self.machines[name].boot, streams=self.streams[name], again_s=0.01,
            watch=lambda side, point: self._pass(name, side, point),
        )  # fmt: skip
        self._servers[name] = await self.agents[name].serve("127.0.0.1", self.ports.get(name, 0))
        self.ports[name] = self._servers[name].sockets[0].getsockname()[1]

    def context(self, name: str, *, serving: bool = False) -> ssl.SSLContext:
        return keys.context(self._certificates, name, serving=serving)

    def _pass(self, name: str, side: str, point: str) -> None:
        self.passed.append(f"{side}: {point}")
        if self.fatal == f"{side}: {point}":
            self.fatal = ""
            self.kill(name)
            raise Killed

    def kill(self, name: str) -> None:
        """From here on this agent has no effect: what it noted is all that its successor has."""
        self.hands[name].dead = True
        before = self._records(name)
        self._lives[name] += 1
        shutil.copytree(before, self._records(name))
        self._servers[name].close()

    def move(self, step: str = "step 1") -> Move:
        return Move(step, APP_VM, "cv2", f"127.0.0.1:{self.ports['cv2']}")

    def running(self) -> int:
        return sum(machine.running() for machine in self.machines.values())

    async def settle(self) -> None:
        """Both agents, as they are after a restart, until nothing is in doubt."""
        for name, hands in list(self.hands.items()):
            if hands.dead:
                await self.start(name)
        for _ in range(4):
            for agent in self.agents.values():
                await agent.resolve()
                assert self.running() <= 1


@pytest.fixture(scope="module")
def certificates(tmp_path_factory) -> Path:
    directory = tmp_path_factory.mktemp("handover") / "keys"
    keys.init(directory)
    for name in ("cv1", "cv2", "cv3"):
        keys.issue(directory, name, ["127.0.0.1"])
    return directory


@asynccontextmanager
async def staged(stage: Stage) -> AsyncIterator[Stage]:
    asyncio.get_running_loop().set_exception_handler(lambda *_: None)  # a killed agent's tasks end as they like
    for name in stage.machines:
        await stage.start(name)
    yield stage
    for server in stage._servers.values():
        server.close()
    others = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
    for task in others:
        task.cancel()
    await asyncio.gather(*others, return_exceptions=True)


async def until(happened: Callable[[], bool]) -> None:
    while not happened():  # noqa: ASYNC110  what is waited for is other tasks' turns, not time
        await asyncio.sleep(0)


async def converse(address: str, context: ssl.SSLContext, **words: Any) -> dict[str, Any]:
    async with connection(address, context, "cv2") as link:
        await link.say(**words)
        return await link.hear()


def play(tmp_path: Path, certificates: Path, story: Any) -> None:
    async def run() -> None:
        async with asyncio.timeout(20), staged(Stage(tmp_path, certificates)) as stage:
            await story(stage)

    asyncio.run(run())


def test_it_moves_whole_and_both_households_hear_of_it(tmp_path, certificates) -> None:
    async def story(stage: Stage) -> None:
        sent = await stage.agents["cv1"].send(stage.move())
        assert stage.machines["cv2"].running() == 1
        assert stage.machines["cv1"].domains == {}
        assert stage.households["cv2"].heard == ["arrived words of the household"]
        assert stage.households["cv1"].heard == ["left to cv2"]
        assert sent.sent_bytes > len(PAGES)
        assert 0 < sent.downtime_s <= sent.total_s
        assert stage.passed.index("leaving: permitted") < stage.passed.index("arriving: permission heard")
        assert {point for side, point in (each.split(": ") for each in stage.passed) if side == "leaving"} == set(
            LEAVING_POINTS
        )
        assert {point for side, point in (each.split(": ") for each in stage.passed) if side == "arriving"} == set(
            ARRIVING_POINTS
        )

    play(tmp_path, certificates, story)


def test_the_same_step_is_the_same_handover_also_for_a_new_process(tmp_path, certificates) -> None:
    async def story(stage: Stage) -> None:
        first = await stage.agents["cv1"].send(stage.move())
        assert await stage.agents["cv1"].send(stage.move()) == first
        stage.kill("cv1")
        await stage.settle()
        assert await stage.agents["cv1"].send(stage.move()) == first
        assert stage.machines["cv2"].started == 1

    play(tmp_path, certificates, story)


@pytest.mark.parametrize("at", [f"leaving: {p}" for p in LEAVING_POINTS] + [f"arriving: {p}" for p in ARRIVING_POINTS])
def test_an_agent_killed_at_any_point_leaves_exactly_one_copy(tmp_path, certificates, at: str) -> None:
    async def story(stage: Stage) -> None:
        stage.fatal = at
        sending = asyncio.create_task(stage.agents["cv1"].send(stage.move()))
        victim = "cv1" if at.startswith("leaving") else "cv2"
        await until(lambda: stage.hands[victim].dead)
        if victim == "cv1":
            with suppress(BaseException):
                await sending
        assert stage.running() <= 1
        await stage.settle()
        if victim == "cv2":
            with suppress(ActuationError):
                await sending
            await stage.settle()
        assert stage.running() == 1, stage.machines
        assert sum(len(machine.domains) for machine in stage.machines.values()) == 1
        assert not any(agent.halves() for agent in stage.agents.values())

    play(tmp_path, certificates, story)


def test_in_doubt_it_waits_and_a_dead_cloud_vm_gives_it_back(tmp_path, certificates) -> None:
    async def story(stage: Stage) -> None:
        stage.fatal = "arriving: permission noted"
        sending = asyncio.create_task(stage.agents["cv1"].send(stage.move()))
        await until(lambda: stage.hands["cv2"].dead)
        await until(lambda: stage.agents["cv1"].halves() == {APP_VM: "in_doubt"})
        assert stage.running() == 0
        stage.machines["cv2"].domains.clear()
        await stage.agents["cv1"].fenced("cv2", "another boot")
        assert stage.running() == 0, "another boot's end says nothing of this one"
        await stage.agents["cv1"].fenced("cv2", "boot 1")
        with pytest.raises(ActuationError, match="the cloud VM of cv2 is gone"):
            await sending
        assert stage.machines["cv1"].running() == 1

    play(tmp_path, certificates, story)


def test_a_cloud_vm_that_booted_again_gives_it_back_whatever_its_records_say(tmp_path, certificates) -> None:
    async def story(stage: Stage) -> None:
        stage.fatal = "arriving: started"
        sending = asyncio.create_task(stage.agents["cv1"].send(stage.move()))
        await until(lambda: stage.hands["cv2"].dead)
        stage.machines["cv2"].domains.clear()
        stage.machines["cv2"].boot = "boot 2"
        await stage.settle()
        with pytest.raises(ActuationError, match="is gone"):
            await sending
        assert stage.machines["cv1"].running() == 1

    play(tmp_path, certificates, story)


def test_what_is_refused_stays_and_says_why(tmp_path, certificates) -> None:
    async def story(stage: Stage) -> None:
        stage.households["cv2"].refuses = "the image is nowhere"
        with pytest.raises(ActuationError, match="the image is nowhere"):
            await stage.agents["cv1"].send(stage.move())
        assert stage.machines["cv1"].running() == 1
        stage.households["cv2"].refuses = ""
        stage.hands["cv1"].stubborn = True
        with pytest.raises(ActuationError, match="did not suspend"):
            await stage.agents["cv1"].send(stage.move("step 2"))
        stage.hands["cv1"].stubborn = False
        await stage.settle()
        assert stage.machines["cv2"].domains == {}
        await stage.agents["cv1"].send(stage.move("step 3"))
        assert stage.machines["cv2"].running() == 1

    play(tmp_path, certificates, story)


def test_a_cancelled_handover_leaves_the_next_one_alone(tmp_path, certificates) -> None:
    async def story(stage: Stage) -> None:
        stage.households["cv2"].refuses = "not now"
        with pytest.raises(ActuationError, match="not now"):
            await stage.agents["cv1"].send(stage.move())
        stage.households["cv2"].refuses = ""
        sending = asyncio.create_task(stage.agents["cv1"].send(stage.move("step 2")))
        while not sending.done():  # resolving all the while, as the agent does every few seconds
            for agent in stage.agents.values():
                await agent.resolve()
            await asyncio.sleep(0)
            assert stage.running() <= 1
        await sending
        assert stage.machines["cv2"].running() == 1
        assert stage.machines["cv1"].domains == {}

    play(tmp_path, certificates, story)


def test_one_agent_cannot_speak_of_anothers_handover(tmp_path, certificates) -> None:
    async def story(stage: Stage) -> None:
        stage.fatal = "leaving: permission sent"
        with suppress(BaseException):
            await stage.agents["cv1"].send(stage.move())
        handover = next(path.name.split(".")[0] for path in stage._records("cv1").glob("*.leaving.json"))
        address = f"127.0.0.1:{stage.ports['cv2']}"
        for words in ({"kind": "ask"}, {"kind": "over", "done": True}):
            with pytest.raises(LinkError):
                await converse(address, stage.context("cv3"), handover=handover, **words)
        await stage.settle()
        assert stage.running() == 1

    play(tmp_path, certificates, story)


@pytest.mark.parametrize(
    "garbage",
    [b"", b"GET / HTTP/1.1\r\n\r\n", HEADER.pack(b"m", 2**31), HEADER.pack(b"m", 2) + b"[]", HEADER.pack(b"s", 1) + b"x",
     HEADER.pack(b"m", 16) + b'{"kind":"offer"}', HEADER.pack(b"x", 0)],
)  # fmt: skip
def test_garbage_ends_its_own_connection_only(tmp_path, certificates, garbage: bytes) -> None:
    async def story(stage: Stage) -> None:
        reader, writer = await asyncio.open_connection(
            "127.0.0.1", stage.ports["cv2"], ssl=stage.context("cv1"), server_hostname="cv2"
        )
        writer.write(garbage)
        if not garbage:
            writer.close()
        with suppress(ConnectionError):
            assert await reader.read() == b""
        await stage.agents["cv1"].send(stage.move())
        assert stage.machines["cv2"].running() == 1

    play(tmp_path, certificates, story)


def test_who_is_no_agent_is_not_heard(tmp_path, certificates) -> None:
    async def story(stage: Stage) -> None:
        with pytest.raises(LinkError):
            await converse(
                f"127.0.0.1:{stage.ports['cv2']}", stage.context("controller"), kind="ask", handover=str(uuid.uuid4())
            )

    play(tmp_path, certificates, story)


GOOD = {"app_vm": APP_VM, "name": "pulse", "most_kib": 17408, "static_kib": 16384, "target_kib": 16384}


@pytest.mark.parametrize(
    ("wrong", "named"),
    [
        ({"name": "../etc/passwd"}, "name"), ({"most_kib": -1}, "most_kib"), ({"app_vm": "x"}, "app VM"), ({"cores": 0}, "cores"),
        ({"vifs": [{"devid": 0, "mac": "00:16:3e:56:0a:b4", "bridge": "a/../b"}]}, "bridge"),
        ({"vifs": [{"devid": 0, "mac": "x", "bridge": "xenbr0"}]}, "mac"), ({"toolstack": "{}"}, "another app VM"),
        ({"toolstack": "not json"}, "app VM"), ({"vifs": "none"}, "vifs"), ({"most_kib": "1"}, "most_kib"),
    ],
)  # fmt: skip
def test_a_passenger_that_cannot_be_right_is_refused(wrong: dict[str, Any], named: str) -> None:
    assert read_passenger(GOOD).name == "pulse"
    with pytest.raises(ActuationError, match=named):
        read_passenger(GOOD | wrong)


@pytest.mark.parametrize(
    ("wish", "used_mib", "can", "live"),
    [("auto", 0, True, False), ("auto", 64, True, True), ("auto", 64, False, False), ("true", 1, True, True), ("false", 64, True, False)],
)  # fmt: skip
def test_it_is_copied_while_it_runs_where_that_is_predicted_to_pause_it_less(
    tmp_path, certificates, wish: str, used_mib: int, can: bool, live: bool
) -> None:
    async def story(stage: Stage) -> None:
        stage.hands["cv1"].used_bytes = used_mib << 20
        stage.can_log_dirty = can
        await stage.start("cv1", stage.hands["cv1"])
        await stage.agents["cv1"].send(replace(stage.move(), live=wish))
        assert stage.streams["cv1"].live is live

    play(tmp_path, certificates, story)


def test_a_hypervisor_that_cannot_note_dirty_pages_says_so_where_that_is_demanded(tmp_path, certificates) -> None:
    async def story(stage: Stage) -> None:
        stage.can_log_dirty = False
        await stage.start("cv1")
        with pytest.raises(ActuationError, match="ask for live=auto"):
            await stage.agents["cv1"].send(replace(stage.move(), live="true"))
        assert stage.machines["cv1"].running() == 1

    play(tmp_path, certificates, story)


class Rotating(Stage):
    """Each agent has its own files, as on its cloud VM."""

    def __init__(self, tmp_path: Path) -> None:
        super().__init__(tmp_path / "agents", tmp_path / "keys")
        keys.init(self._certificates)
        self.credentials = {name: self._issued(name, tmp_path / name) for name in ("cv1", "cv2")}

    def _issued(self, name: str, own: Path) -> Credentials:
        keys.issue(self._certificates, name, ["127.0.0.1"])
        own.mkdir(mode=0o700)
        for file in ("authority.pem", f"{name}.pem", f"{name}.key"):
            shutil.copy(self._certificates / file, own)
        return Credentials(own, name)

    def context(self, name: str, *, serving: bool = False) -> ssl.SSLContext:
        return self.credentials[name].serving() if serving else self.credentials[name].calling()

    def rotate(self) -> None:
        """The three rounds of adapters/rotation.py."""
        keys.begin_rotation(self._certificates)
        self._round(trust_only=True)
        for held in keys.every(self._certificates):
            keys.renew(self._certificates, held.name)
        self._round(trust_only=False)
        keys.end_rotation(self._certificates)
        self._round(trust_only=True)

    def _round(self, *, trust_only: bool) -> None:
        for name, credentials in self.credentials.items():
            credentials.replace(asdict(keys.share(self._certificates, name, trust_only=trust_only)))


async def over_and_back(stage: Stage, names: str) -> None:
    for source, target in (("cv1", "cv2"), ("cv2", "cv1")):
        address = f"127.0.0.1:{stage.ports[target]}"
        await stage.agents[source].send(Move(f"{names} {source}", APP_VM, target, address))
        assert (stage.machines[target].running(), stage.running()) == (1, 1)


def test_after_a_rotation_it_calls_with_the_new_certificate_and_the_old_one_is_refused(tmp_path) -> None:
    async def story() -> None:
        rotating = Rotating(tmp_path)
        async with asyncio.timeout(20), staged(rotating) as stage:
            await over_and_back(stage, "before")
            old = stage.context("cv1")
            rotating.rotate()
            await over_and_back(stage, "after")
            with pytest.raises(LinkError):
                await converse(f"127.0.0.1:{stage.ports['cv2']}", old, kind="ask", handover="a" * 32)

    asyncio.run(story())


def test_while_its_files_do_not_fit_together_it_calls_as_before(tmp_path) -> None:
    stage = Rotating(tmp_path)
    before, key = stage.context("cv1"), tmp_path / "cv1" / "cv1.key"
    right = key.read_bytes()
    key.write_bytes((tmp_path / "cv2" / "cv2.key").read_bytes())
    assert stage.context("cv1") is before
    with pytest.raises(UsageError, match="cannot be used"):
        Credentials(tmp_path / "cv1", "cv1")
    key.write_bytes(right)
    assert stage.context("cv1") is not before
