"""Suspend channels: rung to ask a guest to stop, and rung by the hypervisor the moment it has.

Separate because it is what Xen's Python binding lacks: libxenevtchn, and one call of libxenctrl. A round trip through XenStore
and looks at the domain every millisecond do the same, and take from the guest, on one core, the time in which it would stop.
"""

from __future__ import annotations

import asyncio
import ctypes
from typing import Any

CONTROL = "libxenctrl.so.4.17"  # the libraries' names bear the version where their interface is not stable


class SuspendChannels:
    """What is bound is kept per domain, until `unbind`."""

    def __init__(self) -> None:
        self._library = ctypes.CDLL("libxenevtchn.so.1")
        self._library.xenevtchn_open.restype = ctypes.c_void_p
        opened = self._library.xenevtchn_open(None, 0)
        self._handle = ctypes.c_void_p(opened) if opened else None
        self._control, self._hypervisor = _control()
        self._bound: dict[int, int] = {}

    def bind(self, domid: int, port: int) -> None:
        """A later `ring` will use it; where it cannot be bound, `ring` says so."""
        self.unbind(domid)
        if self._handle is None:
            return
        local: int = self._library.xenevtchn_bind_interdomain(self._handle, domid, port)
        if local >= 0:
            self._bound[domid] = local
            if self._hypervisor is not None:
                self._control.xc_domain_subscribe_for_suspend(self._hypervisor, domid, port)

    def ring(self, domid: int) -> bool:
        """Whether it was rung."""
        local = self._bound.get(domid)
        return local is not None and self._library.xenevtchn_notify(self._handle, local) == 0

    async def heard(self, patience_s: float) -> None:
        """Returns as soon as any of the channels was rung by the other side, or after `patience_s`."""
        if not self._bound:
            await asyncio.sleep(patience_s)
            return
        loop, rung = asyncio.get_running_loop(), asyncio.Event()
        descriptor = self._library.xenevtchn_fd(self._handle)
        loop.add_reader(descriptor, rung.set)
        try:
            async with asyncio.timeout(patience_s):
                await rung.wait()
            port = self._library.xenevtchn_pending(self._handle)
            if port >= 0:
                self._library.xenevtchn_unmask(self._handle, port)
        except TimeoutError:
            pass
        finally:
            loop.remove_reader(descriptor)

    def unbind(self, domid: int) -> None:
        if (local := self._bound.pop(domid, None)) is not None:
            self._library.xenevtchn_unbind(self._handle, local)


def _control() -> tuple[Any, Any]:
    """libxenctrl and an open handle of it, or None: then the domain is looked at now and then instead."""
    try:
        library = ctypes.CDLL(CONTROL)
    except OSError:
        return None, None
    library.xc_interface_open.restype = ctypes.c_void_p
    opened = library.xc_interface_open(None, None, 0)
    return library, ctypes.c_void_p(opened) if opened else None
