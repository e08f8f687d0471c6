"""Run by Debian's own Python (python3-seccomp): become a program under the system calls that a unit's file allows, then be it.

`sandbox.py UNIT PROGRAM ...`. Only what may break a program is imitated: SystemCallFilter=, MemoryDenyWriteExecute= and no right to
gain rights. systemd itself needs more of a machine than a test has.
"""

import os
import re
import subprocess
import sys
from pathlib import Path

import seccomp

WRITE, EXECUTE = 2, 4  # PROT_* of mmap(2)
BECOMING = {"execve", "exit", "exit_group", "rt_sigreturn"}


def calls(group: str) -> set[str]:
    """The system calls of a group, groups in it included."""
    said = subprocess.run(
        ["systemd-analyze", "syscall-filter", group], capture_output=True, text=True, check=True
    ).stdout
    words = [line.split("#")[0].strip() for line in said.splitlines()[1:]]
    return {name for word in words if word for name in (calls(word) if word.startswith("@") else {word})}


def allowed(unit: str) -> set[str]:
    """Lines count in order; the first one says whether it is a list of what is allowed."""
    known: set[str] = calls("@default")
    for words in re.findall(r"^SystemCallFilter=(.+)$", unit, re.MULTILINE):
        for word in words.removeprefix("~").split():
            named = calls(word) if word.startswith("@") else {word}
            known = known - named if words.startswith("~") else known | named
    return known | BECOMING


def main() -> None:
    unit = Path(sys.argv[1]).read_text()
    names = allowed(unit)
    box = seccomp.SyscallFilter(seccomp.ERRNO(1))
    strict = "MemoryDenyWriteExecute=yes" in unit
    for name in sorted(names - ({"mmap", "mprotect", "pkey_mprotect"} if strict else set())):
        try:
            box.add_rule(seccomp.ALLOW, name)
        except RuntimeError:
            continue  # a call of another architecture
    if strict:
        box.add_rule(seccomp.ALLOW, "mmap", seccomp.Arg(2, seccomp.MASKED_EQ, WRITE, 0))
        box.add_rule(seccomp.ALLOW, "mmap", seccomp.Arg(2, seccomp.MASKED_EQ, EXECUTE, 0))
        box.add_rule(seccomp.ALLOW, "mprotect", seccomp.Arg(2, seccomp.MASKED_EQ, EXECUTE, 0))
    box.load()  # sets no_new_privs, too
    os.execv(sys.argv[2], sys.argv[2:])


main()
