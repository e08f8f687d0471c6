"""`run`: from an image file and some options to an app VM that runs, and to its end where one waits for it.

Separate because it is the one verb that makes something: the image and the files are sent first, then the step is.
"""

from __future__ import annotations

import hashlib
import os
import re
import socket
import time
import uuid
from argparse import Namespace
from contextlib import suppress
from pathlib import Path

from autoscaler.agent.command import ramdisk
from autoscaler.agent.command.conversation import Agent
from autoscaler.agent.command.fleet import Fleet, Found, act
from autoscaler.agent.descriptions import AppVMSpec, HostReport
from autoscaler.agent.wire import plain
from autoscaler.errors import ActuationError, UsageError

ELF = b"\x7fELF"
PIECE_BYTES = 1 << 20
UNITS = {"": 1, "b": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30}
SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*([bkmg]?)(?:i?b)?", re.IGNORECASE)
ANSWER_S = 60.0  # a start under emulation is a second or two
POLL_S = 0.05


def started(fleet: Fleet, asked: Namespace) -> Found:
    """Start it and return when it runs, or, with -p, when it answers there."""
    port = _port(asked.publish)
    hosts = fleet.hosts()
    memory_bytes = parse_size(asked.memory)
    agent = _chosen(hosts, asked.on, memory_bytes)
    spec = AppVMSpec(
        uuid=str(uuid.uuid4()),
        name=asked.name or _new_name(asked.image),
        image=_image(agent, asked.image),
        memory_bytes=memory_bytes,
        cores=asked.cores,
        service=asked.service,
        environment=_pairs("-e", asked.env),
        arguments=tuple(asked.arguments),
        address=asked.address or fleet.free_address(a.spec.address for _, host in hosts for a in host.app_vms),
        gateway=asked.gateway or fleet.gateway,
        files=_files(agent, asked.volume),
        labels=_pairs("--label", asked.label),
        remove_when_ended=asked.rm and asked.detach,
    )
    _refuse_taken(hosts, spec)
    act(agent, {"kind": "start", "spec": plain(spec)})
    found = fleet.again(spec.uuid)
    if found is None:
        raise ActuationError(f"{spec.name} ended at once and is gone already (--rm)", temporary=False)
    if port:
        _await_answer(fleet, found, port)
    return found


def parse_size(text: str) -> int:
    """`16M`, `16MiB`, `16m`: all 16,777,216 bytes, as with docker."""
    found = SIZE.fullmatch(text.strip())
    if not found:
        raise UsageError(f"-m {text}: write a size such as 16M or 1G")
    return int(float(found[1]) * UNITS[found[2].lower()])


def _chosen(hosts: list[tuple[Agent, HostReport]], wanted: str, memory_bytes: int) -> Agent:
    """The one named, or that with the most room."""
    if wanted:
        for agent, _ in hosts:
            if agent.name == wanted:
                return agent
        raise UsageError(f"--on {wanted}: there is no such cloud VM; there are {', '.join(a.name for a, _ in hosts)}")
    agent, host = max(hosts, key=lambda pair: (pair[1].free_bytes, pair[0].name))
    if host.free_bytes < memory_bytes:
        raise UsageError(
            f"no cloud VM has {memory_bytes >> 20} MiB free; the most has {agent.name}: {host.free_bytes >> 20} MiB"
        )
    return agent


def _refuse_taken(hosts: list[tuple[Agent, HostReport]], spec: AppVMSpec) -> None:
    address = spec.address.split("/", maxsplit=1)[0]
    for agent, host in hosts:
        for other in host.app_vms:
            if other.spec.name == spec.name:
                raise UsageError(
                    f"there is an app VM {spec.name!r} on {agent.name} already; `rm {spec.name}` removes one that ended"
                )
            if address and other.ended is None and other.spec.address.split("/", maxsplit=1)[0] == address:
                raise UsageError(f"{other.spec.name} on {agent.name} has the address {address} already")


def _new_name(image: str) -> str:
    stem = re.sub(r"[^A-Za-z0-9_.-]", "-", Path(image).name.removesuffix(".elf")).lstrip("_.-") or "app"
    return f"{stem[:40]}-{uuid.uuid4().hex[:4]}"


def _image(agent: Agent, wanted: str) -> str:
    """The digest of an image: of a file, which is sent where the agent has not got it; or given as a digest."""
    if re.fullmatch(r"[0-9a-f]{64}", wanted):
        return wanted
    path = next((p for p in (Path(wanted), Path(f"{wanted}.elf")) if p.is_file()), None)
    if path is None:
        raise UsageError(
            f"there is no image file {wanted!r}; `make -C libos` builds the examples into libos/build/NAME.elf"
        )
    with path.open("rb") as file:
        if file.read(4) != ELF:
            raise UsageError(f"{path} is no image: an ELF file is expected, as `make -C libos APP=main.c` makes one")
        file.seek(0)
        digest = hashlib.file_digest(file, "sha256").hexdigest()
        if not agent.has(f"/v1/images/{digest}"):
            file.seek(0)
            agent.send(f"/v1/images/{digest}", file, path.stat().st_size)
    return digest


def _files(agent: Agent, wishes: list[str]) -> str:
    if not wishes:
        return ""
    archive = ramdisk.packed(wishes)
    digest = hashlib.sha256(archive).hexdigest()
    if not agent.has(f"/v1/images/{digest}"):
        agent.send(f"/v1/images/{digest}", archive, len(archive))
    return digest


def _pairs(option: str, words: list[str]) -> dict[str, str]:
    pairs = {}
    for word in words:
        name, equals, value = word.partition("=")
        if not equals and name not in os.environ:
            raise UsageError(
                f"{option} {word}: write NAME=VALUE (NAME alone takes it from the environment, which has none)"
            )
        pairs[name] = value if equals else os.environ[name]
    return pairs


def _port(wish: str) -> int:
    if not wish:
        return 0
    if not wish.isdecimal() or not 1 <= int(wish) <= 65535:
        raise UsageError(
            f"-p {wish}: an app VM has an address of its own, so no port of the host is forwarded to it; `-p PORT` waits until "
            "it answers on PORT there. For one address before several replicas see load_balancer in the config"
        )
    return int(wish)


def _await_answer(fleet: Fleet, found: Found, port: int) -> None:
    spec, deadline = found.report.spec, time.monotonic() + ANSWER_S
    if not spec.address:
        raise UsageError("-p needs a known address: name one with --address (this one comes by DHCP)")
    while time.monotonic() < deadline:
        with suppress(OSError), socket.create_connection((spec.address.split("/", maxsplit=1)[0], port), timeout=1):
            return
        now = fleet.again(spec.uuid)
        if now is None or now.report.ended is not None:
            raise ActuationError(
                f"{spec.name} ended before it answered on port {port}; see `logs {spec.name}`", temporary=False
            )
        time.sleep(POLL_S)
    raise ActuationError(f"{spec.name} runs, but did not answer on port {port} within {ANSWER_S:g} s", temporary=True)
