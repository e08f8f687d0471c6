"""Address space for guests' shared pages, made before the first guest arrives.

Separate because it is one wish of one kernel: Linux maps granted pages at addresses without memory (mm: drivers/xen/
unpopulated-alloc.c), which it makes in sections of 128 MiB the first time that any are wanted. That takes most of a second under
emulation, and would otherwise fall into the pause of the first app VM whose network is connected on a new cloud VM.
"""

from __future__ import annotations

import fcntl
import os
import struct
from contextlib import suppress

DEVICE = "/dev/xen/gntdev"
MAP_GRANT_REF = struct.Struct("=IIQII")  # include/uapi/xen/gntdev.h: count, padding, index, and one domid and reference
IOCTL_MAP_GRANT_REF = MAP_GRANT_REF.size << 16 | ord("G") << 8


def warm() -> None:
    """Have the section made: a page is asked for and given back. Nothing is mapped, and where it fails nothing is lost."""
    with suppress(OSError):
        device = os.open(DEVICE, os.O_RDWR)
        try:
            fcntl.ioctl(device, IOCTL_MAP_GRANT_REF, bytearray(MAP_GRANT_REF.pack(1, 0, 0, 0, 0)))
        finally:
            os.close(device)
