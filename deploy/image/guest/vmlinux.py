#!/usr/bin/env python3
"""Take the ELF file out of a bzImage: `vmlinux.py VMLINUZ OUT`. Offsets are those of Linux's x86 boot protocol, 2.08 and later."""
import struct
import subprocess
import sys
from pathlib import Path

PROGRAMS = {b"\xfd7zXZ": ["xz", "-dc"], b"\x02\x21\x4c\x18": ["lz4", "-dc"], b"\x1f\x8b": ["gzip", "-dc"], b"\x28\xb5\x2f\xfd": ["zstd", "-dc"]}


def main(source: str, target: str) -> None:
    image = Path(source).read_bytes()
    if image[0x202:0x206] != b"HdrS":
        sys.exit(f"{source}: not a bzImage")
    setup_sectors = image[0x1F1] or 4
    offset, length = struct.unpack_from("<II", image, 0x248)
    start = (setup_sectors + 1) * 512 + offset
    payload = image[start : start + length]
    for magic, program in PROGRAMS.items():
        if payload.startswith(magic):
            # The kernel's build appends the unpacked size, which the programs take for rubbish after the end.
            elf = subprocess.run(program, input=payload, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=False).stdout
            break
    else:
        sys.exit(f"{source}: compressed with something else than {', '.join(p[0] for p in PROGRAMS.values())}")
    if not elf.startswith(b"\x7fELF"):
        sys.exit(f"{source}: {program[0]} gave no ELF file; is {program[0]} installed?")
    Path(target).write_bytes(elf)


main(*sys.argv[1:])
