"""`flexcapsule app`, both sides of it: what words mean, and what is asked of an agent that answers over a real socket."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from socketserver import ThreadingUnixStreamServer

import pytest

from autoscaler.agent.command import acts, ramdisk, start, words
from autoscaler.agent.command.conversation import Agent, local
from autoscaler.agent.command.fleet import Fleet
from autoscaler.agent.command.main import main
from autoscaler.agent.descriptions import AppVMReport, AppVMSpec, Ended, HostReport, StepReport, read_step_request
from autoscaler.agent.wire import plain
from autoscaler.errors import ActuationError, UsageError

IMAGE = b"\x7fELF an image"
UUID = "0b8e7f52-0000-4000-8000-00000000000{}"


def report(n: int, name: str, **more: object) -> AppVMReport:
    spec = AppVMSpec(UUID.format(n), name, "a" * 64, 16 << 20, address=f"10.77.1.{200 + n}/24")
    return AppVMReport(spec, **{"state": "running", **more})  # type: ignore[arg-type]


class Agency:
    """One agent's answers: what it reports, what it was asked to do, how what it was asked ends."""

    def __init__(self, *app_vms: AppVMReport) -> None:
        self.app_vms = {each.spec.uuid: each for each in app_vms}
        self.images: dict[str, bytes] = {}
        self.asked: list[dict[str, object]] = []
        self.typed: list[bytes] = []
        self.leave = threading.Event()
        self.forgotten = 0
        self.refuses = ""
        self.ends_with = Ended("exited", 1.0, 0)

    def host(self) -> object:
        return plain(HostReport("cv1", 1, 512 << 20, 256 << 20, "1", "b", 0.0, True, tuple(self.app_vms.values())))

    def step(self, id_: str, document: dict[str, object]) -> object:
        self.asked.append(document)
        request = read_step_request(document)
        if self.refuses:
            return plain(StepReport(id_, "failed", self.refuses))
        if request.spec is not None:
            self.app_vms[request.spec.uuid] = AppVMReport(request.spec, "running")
        if request.kind == "remove":
            del self.app_vms[request.uuid]
        return plain(StepReport(id_, "done", total_s=1.5, downtime_s=0.25, sent_bytes=2_000_000))

    def wait(self, uuid: str) -> object:
        found = self.app_vms[uuid]
        self.app_vms[uuid] = AppVMReport(found.spec, "stopped", self.ends_with)
        return plain(self.app_vms[uuid])


class _Handler(BaseHTTPRequestHandler):
    def _say(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if body and self.command != "HEAD":
            self.wfile.write(body)

    def _json(self, document: object) -> None:
        self._say(200, json.dumps(document).encode())

    def do_GET(self) -> None:
        agency: Agency = self.server.agency  # type: ignore[attr-defined]
        path, *_ = self.path.split("?")
        if path == "/v1/host":
            self._json(agency.host())
        elif path.endswith("/logs"):
            if "tail=10" in self.path:  # attached: the console goes on
                agency.leave.wait(10)
                self._say(200, b"")
                return
            self._say(200, f"{self.path.rsplit('/', 1)[1]}\n".encode())
        elif path.endswith("/wait"):
            self._json(agency.wait(path.split("/")[3]))
        else:
            self._say(404, b'{"error": "not here"}')

    def do_HEAD(self) -> None:
        agency: Agency = self.server.agency  # type: ignore[attr-defined]
        self._say(200 if self.path.rsplit("/", 1)[1] in agency.images else 404, b"")

    def do_PUT(self) -> None:
        agency: Agency = self.server.agency  # type: ignore[attr-defined]
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if self.path.startswith("/v1/images/"):
            agency.images[self.path.rsplit("/", 1)[1]] = body
            self._say(201, b"")
        else:
            self._json(agency.step(self.path.removeprefix("/v1/steps/"), json.loads(body)))

    def do_POST(self) -> None:
        agency: Agency = self.server.agency  # type: ignore[attr-defined]
        agency.typed.append(self.rfile.read(int(self.headers["Content-Length"])))
        self._say(204, b"")

    def do_DELETE(self) -> None:
        self.server.agency.forgotten += 1  # type: ignore[attr-defined]
        self._say(204, b"")

    def address_string(self) -> str:
        return "unix"

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def agency(tmp_path: Path) -> Iterator[Agency]:
    made = Agency(report(1, "web"), report(2, "done", state="stopped", ended=Ended("exited", 1.0, 3)))
    with ThreadingUnixStreamServer(str(tmp_path / "s"), _Handler) as server:
        server.daemon_threads = True
        server.agency = made  # type: ignore[attr-defined]
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield made
        server.shutdown()
        thread.join()


@pytest.fixture
def agent(agency: Agency, tmp_path: Path) -> Agent:
    return local("cv1", tmp_path / "s")


@pytest.fixture
def fleet(agent: Agent) -> Fleet:
    return Fleet((agent,), "cv1", ("10.77.1.250/24", "10.77.1.249/24"), "10.77.1.254")


@pytest.fixture
def image(tmp_path: Path) -> Path:
    path = tmp_path / "hello.elf"
    path.write_bytes(IMAGE)
    return path


def run(fleet: Fleet, *arguments: str) -> int:
    return main(list(arguments), lambda: fleet)


def test_run_sends_the_image_once_and_says_everything_that_was_asked_for(fleet, agency, image, capsys) -> None:
    command = ("run", "-d", "-n", "hello", "-m", "8M", "-e", "A=1", "--service", "web", str(image), "--", "80", "-x")
    assert run(fleet, *command) == 0
    digest = hashlib.sha256(IMAGE).hexdigest()
    assert agency.images == {digest: IMAGE}
    spec = agency.asked[0]["spec"]
    assert {k: spec[k] for k in ("name", "image", "memory_bytes", "environment", "arguments", "service", "address")} == {
        "name": "hello", "image": digest, "memory_bytes": 8 << 20, "environment": {"A": "1"}, "arguments": ["80", "-x"],
        "service": "web", "address": "10.77.1.250/24",
    }  # fmt: skip
    assert capsys.readouterr().out.strip() == spec["uuid"]
    assert agency.forgotten == 1


def test_run_in_the_foreground_shows_what_is_printed_and_ends_as_the_application(
    fleet, agency, image, capfdbinary
) -> None:
    agency.ends_with = Ended("exited", 1.0, 3)
    assert run(fleet, "run", "--rm", str(image)) == 3
    assert b"follow=1" in capfdbinary.readouterr().out
    assert [request["kind"] for request in agency.asked] == ["start", "remove"]


def test_files_become_a_ramdisk_that_is_sent_too(fleet, agency, image, tmp_path) -> None:
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "index.html").write_text("hello")
    run(fleet, "run", "-d", "-v", f"{tmp_path}/site:/www", str(image))
    assert agency.asked[0]["spec"]["files"] in agency.images


@pytest.mark.parametrize(
    ("option", "message"),
    [
        (("-m", "lots"), "-m lots: write a size such as 16M or 1G"),
        (("-m", "1M"), "memory_bytes"),
        (("-m", "900M"), "no cloud VM has 900 MiB free; the most has cv1: 256 MiB"),
        (("-p", "8080:80"), "no port of the host is forwarded to it; `-p PORT` waits"),
        (("-n", "web"), "there is an app VM 'web' on cv1 already"),
        (("--address", "10.77.1.201/24"), "web on cv1 has the address 10.77.1.201 already"),
        (("-e", "NOT_SET_ANYWHERE"), "write NAME=VALUE"),
        (("-v", "/nowhere:/www"), "/nowhere is not there"),
        (("--on", "cv9"), "there is no such cloud VM; there are cv1"),
    ],
)
def test_what_cannot_be_run_is_refused_before_anything_is_started(fleet, agency, image, option, message) -> None:
    with pytest.raises(UsageError) as refused:
        run(fleet, "run", "-d", *option, str(image))
    assert message in str(refused.value)
    assert agency.asked == []


def test_no_image_says_where_images_come_from(fleet, tmp_path) -> None:
    with pytest.raises(UsageError, match="make -C libos"):
        run(fleet, "run", "nothing")
    (tmp_path / "text").write_text("no image")
    with pytest.raises(UsageError, match="an ELF file is expected"):
        run(fleet, "run", str(tmp_path / "text"))


def test_ps_lists_what_runs_and_with_a_what_ended(fleet, capsys) -> None:
    run(fleet, "ps")
    assert capsys.readouterr().out.splitlines() == [
        "NAME   UUID           IMAGE          STATUS    CLOUD VM   ADDRESS",
        "web    0b8e7f52-000   aaaaaaaaaaaa   running   cv1        10.77.1.201",
    ]
    run(fleet, "ps", "-a")
    assert "done   0b8e7f52-000   aaaaaaaaaaaa   exited with status 3   cv1" in capsys.readouterr().out
    run(fleet, "ps", "-aq")
    assert capsys.readouterr().out.split() == [UUID.format(2), UUID.format(1)]
    run(fleet, "ps", "-o", "json")
    assert [(each["cloud_vm"], each["spec"]["name"]) for each in json.loads(capsys.readouterr().out)] == [
        ("cv1", "web")
    ]


def test_an_app_vm_is_found_by_name_by_uuid_and_by_its_beginning(fleet) -> None:
    assert fleet.find("web").report.spec.uuid == UUID.format(1)
    assert fleet.find(UUID.format(2)).report.spec.name == "done"
    assert fleet.find("0b8").report.spec.name == "web"  # the one that runs
    with pytest.raises(UsageError, match="did you mean web"):
        fleet.find("wob")


def test_wait_ends_with_the_applications_status(fleet, agency, capsys) -> None:
    agency.ends_with = Ended("exited", 1.0, 3)
    assert run(fleet, "wait", "web") == 3
    assert capsys.readouterr().out == "web: exited with status 3\n"


@pytest.mark.parametrize(
    ("ended", "status"),
    [
        (Ended("exited", 0, 7), 7), (Ended("stopped", 0, 0), 0), (Ended("stopped", 0), 0), (Ended("killed", 0), 137),
        (Ended("out_of_memory", 0), 137), (Ended("crashed", 0), 134), (Ended("lost", 0), 137), (Ended("exited", 0), 125),
    ],
)  # fmt: skip
def test_every_end_has_its_exit_status(ended: Ended, status: int) -> None:
    assert acts.status(ended) == status


def test_rm_refuses_what_runs_unless_forced(fleet, agency) -> None:
    with pytest.raises(UsageError, match="still running: web; `stop` first, or `rm -f`"):
        run(fleet, "rm", "done", "web")
    assert agency.asked == []
    run(fleet, "rm", "-f", "web", "done")
    assert [request["kind"] for request in agency.asked] == ["kill", "remove", "remove"]


def test_nothing_is_stopped_when_one_name_is_wrong(fleet, agency) -> None:
    with pytest.raises(UsageError):
        run(fleet, "stop", "web", "wrong")
    assert agency.asked == []
    run(fleet, "stop", "-t", "2", "web")
    assert agency.asked == [{"kind": "stop", "uuid": UUID.format(1), "patience_s": 2.0}]


def test_an_agents_reason_is_told(fleet, agency) -> None:
    agency.refuses = "web is being moved"
    with pytest.raises(ActuationError, match="cv1: web is being moved"):
        run(fleet, "pause", "web")


def test_migrate_on_a_management_vm_names_the_other_by_its_back_name(fleet, agency, capsys) -> None:
    run(fleet, "migrate", "web", "cv2")
    assert agency.asked[0] | {"uuid": ""} == {
        "kind": "migrate", "uuid": "", "target": "cv2", "address": "cv2.back", "live": "auto",
    }  # fmt: skip
    assert capsys.readouterr().out == "web: cv1 to cv2 in 1.50 s, 0.250 s of it paused, 2.0 MB\n"


def test_one_agent_that_does_not_answer_is_told_and_the_others_shown(agent, tmp_path, capsys) -> None:
    told: list[str] = []
    fleet = Fleet((agent, local("cv2", tmp_path / "nobody")), "lab", warn=told.append)
    run(fleet, "ps")
    assert "web" in capsys.readouterr().out
    assert "the agent of cv2 does not answer" in told[0]
    with pytest.raises(ActuationError, match="no agent of lab answers"):
        Fleet((local("cv2", tmp_path / "nobody"),), "lab").hosts()


def test_attach_types_and_leaves_at_its_key(fleet, agency, monkeypatch) -> None:
    read_end, write_end = os.pipe()
    with os.fdopen(read_end) as keyboard, os.fdopen(write_end, "wb") as typing:
        monkeypatch.setattr("sys.stdin", keyboard)
        typing.write(b"hello\n\x1dnot this")
        typing.flush()
        run(fleet, "attach", "web")
    agency.leave.set()
    assert agency.typed == [b"hello\n"]
    with pytest.raises(UsageError, match=r"done has ended \(exited with status 3\)"):
        run(fleet, "attach", "done")


@pytest.mark.parametrize(("text", "size"), [("16M", 16 << 20), ("16MiB", 16 << 20), ("1g", 1 << 30), ("4096", 4096)])
def test_sizes_are_written_as_with_docker(text: str, size: int) -> None:
    assert start.parse_size(text) == size


def test_words_behind_two_dashes_are_the_applications() -> None:
    assert words.split(["run", "a", "--", "-m", "--", "x"]) == (["run", "a"], ["-m", "--", "x"])


@pytest.mark.skipif(shutil.which("cpio") is None, reason="cpio is not installed")
def test_a_ramdisk_is_what_cpio_reads(tmp_path: Path) -> None:
    (tmp_path / "in" / "deep").mkdir(parents=True)
    (tmp_path / "in" / "deep" / "b").write_bytes(b"12345")
    (tmp_path / "in" / "a").write_bytes(b"")
    archive = ramdisk.packed([f"{tmp_path}/in:/www", f"{tmp_path}/in/a:/etc/name"])
    out = tmp_path / "out"
    out.mkdir()
    subprocess.run(["cpio", "-id", "--quiet"], cwd=out, input=archive, check=True)
    assert {p.relative_to(out).as_posix(): p.read_bytes() for p in out.rglob("*") if p.is_file()} == {
        "www/deep/b": b"12345", "www/a": b"", "etc/name": b"",
    }  # fmt: skip


def test_two_files_in_one_place_are_refused(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).write_text(name)
    with pytest.raises(UsageError, match="both become /x"):
        ramdisk.packed([f"{tmp_path}/a:/x", f"{tmp_path}/b:/x"])
    with pytest.raises(UsageError, match="/x would be a file and a folder"):
        ramdisk.packed([f"{tmp_path}/a:/x", f"{tmp_path}/b:/x/y"])
    with pytest.raises(UsageError, match="absolute path"):
        ramdisk.packed([f"{tmp_path}/a:x"])
