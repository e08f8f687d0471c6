# ruff: noqa: INP001 -- a script beside the C code, no package
"""The system-call table of README.md, made from posix/syscalls.def: `table.py` prints it, `table.py --check` compares.

Separate so that the table cannot drift: the dispatcher is made of the same file. The names of what is missing come from
the C library's own list, where its source has been fetched; elsewhere those in README.md are taken as they are.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

LIBOS = Path(__file__).resolve().parent.parent
NAMES = LIBOS / "build/sources/musl/arch/x86_64/bits/syscall.h.in"
BEGIN, END = "<!-- system calls: make -C libos table -->", "<!-- end -->"
ROW = re.compile(r'^SYSCALL\((\w+), (working|partial), \w+, "(.*)"\)$', re.MULTILINE)


def table(missing_names: list[str]) -> str:
    """All three kinds, each by name."""
    rows = ROW.findall((LIBOS / "posix/syscalls.def").read_text())
    working = sorted(name for name, status, _ in rows if status == "working")
    partial = sorted((name, missing) for name, status, missing in rows if status == "partial")
    absent = sorted(set(missing_names) - {name for name, _, _ in rows})
    lines = ["| system calls | status |", "|---|---|", f"| {', '.join(working)} | working ({len(working)}) |"]
    lines += [f"| {name} | partial: {missing} |" for name, missing in partial]
    lines += [f"| {', '.join(absent)} | ENOSYS ({len(absent)}) |"]
    return "\n".join([BEGIN, *lines, END])


def main() -> None:
    readme = (LIBOS / "README.md").read_text()
    start, end = readme.index(BEGIN), readme.index(END) + len(END)
    listed = re.search(r"^\| (.*) \| ENOSYS \(\d+\) \|$", readme, re.MULTILINE)
    if NAMES.exists():
        names = re.findall(r"^#define __NR_(\w+)", NAMES.read_text(), re.MULTILINE)
    else:
        names = listed[1].split(", ") if listed else []
    wanted = table(names)
    if "--check" in sys.argv:
        if readme[start:end] != wanted:
            sys.exit("libos/README.md: the system-call table is not what posix/syscalls.def says: make -C libos table")
        return
    (LIBOS / "README.md").write_text(readme[:start] + wanted + readme[end:])


if __name__ == "__main__":
    main()
