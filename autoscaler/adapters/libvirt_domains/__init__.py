"""App VMs through libvirt: hypervisors without an agent of ours, `xen` or `qemu`, behind the same interface as the agents.

`connection` alone speaks libvirt, `description` writes and reads what a guest is, `hosts` carries out steps, `halves` clears up after a
migration that was cut off. What libvirt cannot say (how an application ended, its load) is not invented: docs/libvirt.md.
"""

from __future__ import annotations

from autoscaler.adapters.libvirt_domains.description import Making
from autoscaler.adapters.libvirt_domains.hosts import LibvirtHost, LibvirtHosts

__all__ = ["LibvirtHost", "LibvirtHosts", "Making"]
