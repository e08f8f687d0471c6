"""All I/O, one vendor per file: clock, journal, files, libvirt, XenStore, Prometheus, clouds. Nothing here decides anything."""
