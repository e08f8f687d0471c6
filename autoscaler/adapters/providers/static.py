"""Hosts that exist: renting takes one of that size off the shelf, releasing puts it back. Nothing is switched on or off.

Which hosts are in use, and under which name, is the only state; it is handed out at each change, to be kept with the journal.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from autoscaler.adapters.providers import Rented
from autoscaler.core.model import CloudVMSize, CloudVMState
from autoscaler.errors import ActuationError

SHELVED = ""


@dataclass(frozen=True, slots=True)
class Host:
    """A machine with Xen and an agent."""

    name: str
    size: CloudVMSize
    address: str
    back_address: str


class StaticHosts:
    """`in_use`: host -> the name it is rented under, SHELVED where it is not; hosts that are new in the config are in use
    under their own names. `on_change` is given that state after every change."""

    def __init__(
        self,
        hosts: Sequence[Host],
        in_use: Mapping[str, str] | None = None,
        on_change: Callable[[Mapping[str, str]], None] = lambda _in_use: None,
        on_sweep: Callable[[], None] = lambda: None,
    ) -> None:
        kept = in_use or {}
        self._hosts = tuple(hosts)
        self._in_use = {host.name: kept.get(host.name, host.name) for host in hosts}
        self._on_change, self._on_sweep = on_change, on_sweep

    def catalogue(self) -> tuple[CloudVMSize, ...]:
        """Sizes of which a host is on the shelf."""
        return tuple(dict.fromkeys(host.size for host in self._hosts if self._in_use[host.name] == SHELVED))

    def cloud_vms(self) -> Sequence[Rented]:
        used = ((self._in_use[host.name], host) for host in self._hosts)
        return [
            Rented(id_, host.size, CloudVMState.ACTIVE, host.name, host.address, host.back_address)
            for id_, host in used
            if id_ != SHELVED
        ]

    def create(self, id_: str, size: CloudVMSize) -> None:
        if id_ in self._in_use.values():
            return
        free = (h.name for h in self._hosts if h.size.name == size.name and self._in_use[h.name] == SHELVED)
        name = next(free, None)
        if name is None:
            raise ActuationError(f"no host of size {size.name} is free; add one to the config", temporary=False)
        self._set(name, id_)

    def release(self, id_: str) -> None:
        name = next((name for name, used_as in self._in_use.items() if used_as == id_), None)
        if name is not None:
            self._set(name, SHELVED)

    def sweep(self) -> None:
        """Hosts that exist leave nothing behind; what is done of them meanwhile is somebody else's to finish."""
        self._on_sweep()

    def failure(self, id_: str) -> str:
        del id_
        return ""

    def _set(self, name: str, id_: str) -> None:
        self._in_use = {**self._in_use, name: id_}
        self._on_change(self._in_use)
