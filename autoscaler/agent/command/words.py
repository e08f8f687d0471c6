"""The command line: verbs and options as docker and kraft have them. Words only; argparse, as a management VM has no typer."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    Verbs = argparse._SubParsersAction[argparse.ArgumentParser]  # noqa: SLF001  its only name

RUN_EXAMPLES = """\
examples:
  flexcapsule app run -d -n web -m 16M -p 80 -v ./site:/www libos/build/httpd.elf -- 80 /www
  flexcapsule app run --rm -e GREETING=hello libos/build/hello.elf
"""
SIMPLE = (
    ("kill", "End app VMs at once."),
    ("pause", "Let app VMs stand still where they are."),
    ("resume", "Let paused app VMs go on."),
    ("save", "Write app VMs to their cloud VM's disk and free their memory."),
    ("restore", "Let saved app VMs go on."),
)


def parser(program: str = "flexcapsule app") -> argparse.ArgumentParser:
    """Of all verbs. The words behind `--` are taken off before, see `split`."""
    made = argparse.ArgumentParser(prog=program, description="Run app VMs, as one runs processes.", allow_abbrev=False)
    verbs = made.add_subparsers(dest="verb", required=True, metavar="COMMAND", title="commands")
    _add_run(verbs)
    _add_reading(verbs)
    _add_following(verbs)
    _add_changing(verbs)
    return made


def split(words: list[str]) -> tuple[list[str], list[str]]:
    """What is for us, and what is for the application."""
    if "--" not in words:
        return words, []
    at = words.index("--")
    return words[:at], words[at + 1 :]


def _verb(verbs: Verbs, name: str, text: str, epilog: str | None = None) -> argparse.ArgumentParser:
    return verbs.add_parser(
        name,
        help=text,
        description=text,
        allow_abbrev=False,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog=epilog,
    )


def _add_run(verbs: Verbs) -> None:
    run = _verb(
        verbs, "run", "Start an app VM; without -d show what it prints and end as it ends.", epilog=RUN_EXAMPLES
    )
    add = run.add_argument
    add("-d", "--detach", action="store_true", help="print its UUID and return")
    add("--rm", action="store_true", help="forget it when it has ended")
    add("-n", "--name", default="", help="what to call it; unique in the cluster")
    add("-m", "--memory", default="16M", metavar="SIZE", help="such as 16M or 1G (default 16M)")
    add("-c", "--cores", type=float, default=1.0, metavar="N", help="share of cores that it may use (default 1)")
    add("-e", "--env", action="append", default=[], metavar="NAME=VALUE", help="an environment variable")
    add(
        "-v",
        "--volume",
        action="append",
        default=[],
        metavar="FILE:/PATH",
        help="files it can read: FILE:/PATH, DIRECTORY:/PATH",
    )
    add(
        "-p",
        "--publish",
        default="",
        metavar="PORT",
        help="return when it answers on PORT of its own address; nothing is forwarded",
    )
    add("--service", default="", metavar="NAME", help="the service that it is a replica of")
    add("--label", action="append", default=[], metavar="NAME=VALUE")
    add("--address", default="", metavar="IP/LENGTH", help="else a free one, or by DHCP where none are known")
    add("--gateway", default="", metavar="IP")
    add("--on", default="", metavar="CLOUD_VM", help="else the one with the most free memory")
    add("image", metavar="IMAGE", help="an ELF file, or the SHA-256 of one that the cloud VM has")
    run.usage = "%(prog)s [OPTIONS] IMAGE [-- ARGUMENT...]"


def _add_reading(verbs: Verbs) -> None:
    ps = _verb(verbs, "ps", "List app VMs.")
    ps.add_argument("-a", "--all", action="store_true", help="also those that have ended")
    ps.add_argument("-q", "--quiet", action="store_true", help="UUIDs only")
    ps.add_argument("-o", "--output", choices=("table", "wide", "json"), default="table")
    top = _verb(verbs, "top", "Show what app VMs use, again and again; Ctrl-C ends it.")
    top.add_argument("--count", type=int, default=0, metavar="N", help="end after so many looks")
    top.add_argument("--delay", type=float, default=2.0, metavar="SECONDS")
    _many(_verb(verbs, "inspect", "Print all that is known of app VMs, as JSON."))


def _add_following(verbs: Verbs) -> None:
    logs = _one(_verb(verbs, "logs", "Show what an app VM has printed."))
    logs.add_argument("-f", "--follow", action="store_true", help="go on until it ends, wherever it moves")
    logs.add_argument("--tail", type=_tail, default="all", metavar="N", help="only the last N lines")
    _one(_verb(verbs, "attach", "Its console, both ways; Ctrl-] leaves."))
    _one(_verb(verbs, "wait", "Wait until an app VM has ended; exit with its status (killed: 137, crashed: 134)."))


def _add_changing(verbs: Verbs) -> None:
    stop = _many(_verb(verbs, "stop", "Ask app VMs to end; after some patience end them."))
    stop.add_argument("-t", "--time", type=float, default=10.0, metavar="SECONDS", help="patience (default 10)")
    remove = _many(_verb(verbs, "rm", "Forget app VMs that have ended."))
    remove.add_argument("-f", "--force", action="store_true", help="end them first")
    for name, text in SIMPLE:
        _many(_verb(verbs, name, text))
    migrate = _one(_verb(verbs, "migrate", "Move an app VM to another cloud VM while it runs."))
    migrate.add_argument("target", metavar="CLOUD_VM")
    migrate.add_argument(
        "--live", choices=("auto", "true", "false"), default="auto", help="copy while it runs, or stop and copy"
    )


def _one(verb: argparse.ArgumentParser) -> argparse.ArgumentParser:
    verb.add_argument("app_vm", metavar="APP_VM", help="its name, its UUID, or the beginning of that")
    return verb


def _many(verb: argparse.ArgumentParser) -> argparse.ArgumentParser:
    verb.add_argument("app_vm", metavar="APP_VM", nargs="+", help="names, UUIDs, or beginnings of these")
    return verb


def _tail(text: str) -> str:
    if text != "all" and not text.isdecimal():
        raise argparse.ArgumentTypeError(f"{text!r} is neither a number nor `all`")
    return text
