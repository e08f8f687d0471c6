"""Run on a management VM: write nonsense into a ring that an app VM shares, as a hostile backend would.

scribble.py grant DOMID REF OFFSET VALUE [SECONDS] | frame DOMID FRAME OFFSET VALUE [SECONDS]
"""

import ctypes
import sys
import time

kind, domid, ref, offset, value = sys.argv[1], *(int(word, 0) for word in sys.argv[2:6])
seconds = float(sys.argv[6]) if len(sys.argv) > 6 else 0.0
READ_WRITE = 3
if kind == "grant":
    library = ctypes.CDLL("libxengnttab.so.1")
    library.xengnttab_open.restype = library.xengnttab_map_grant_ref.restype = ctypes.c_void_p
    library.xengnttab_map_grant_ref.argtypes = [ctypes.c_void_p, ctypes.c_uint32, ctypes.c_uint32, ctypes.c_int]
    page = library.xengnttab_map_grant_ref(library.xengnttab_open(None, 0), domid, ref, READ_WRITE)
else:
    library = ctypes.CDLL("libxenforeignmemory.so.1")
    library.xenforeignmemory_open.restype = library.xenforeignmemory_map.restype = ctypes.c_void_p
    library.xenforeignmemory_map.argtypes = [
        ctypes.c_void_p,
        ctypes.c_uint32,
        ctypes.c_int,
        ctypes.c_size_t,
        ctypes.c_void_p,
        ctypes.c_void_p,
    ]
    frame, error = (ctypes.c_uint64 * 1)(ref), (ctypes.c_int * 1)()
    page = library.xenforeignmemory_map(library.xenforeignmemory_open(None, 0), domid, READ_WRITE, 1, frame, error)
if not page:
    sys.exit(f"cannot map {kind} {ref} of domain {domid}")
word = ctypes.c_uint32.from_address(page + offset)
until = time.monotonic() + seconds
while True:
    word.value = value
    if time.monotonic() >= until:
        break
