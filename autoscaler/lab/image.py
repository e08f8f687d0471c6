"""The cloud VM image this lab starts from: built once by deploy/image/build.sh, kept in the cache.

Separate because building is the slow part and has its own settings. What an image is made of is the builder's business.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

from autoscaler.errors import ActuationError, UsageError
from autoscaler.lab.layout import cache_directory, image_sources


def ensure(say: Callable[[str], None], *, hypervisor: str = "") -> Path:
    """The directory of the image for these settings, built if it is not there; `say` gets the builder's lines."""
    with _builder(hypervisor, "--where") as asked:
        place = Path(asked.communicate()[0].decode().strip())
    if (place / "manifest.json").exists():
        return place
    if os.geteuid() != 0:
        raise UsageError("building the cloud VM image needs root (it makes a Debian root file system)")
    said = []
    with _builder(hypervisor) as building:
        assert building.stderr is not None
        for line in building.stderr:
            said.append(line.decode(errors="replace").rstrip().rpartition("\r")[2])  # the last of an overwritten line
            say(said[-1])
    if building.returncode != 0:
        raise ActuationError("the image could not be built:\n" + "\n".join(said[-15:]), temporary=False)
    return place


def _builder(hypervisor: str, *options: str) -> subprocess.Popen[bytes]:
    """The builder ends when we do, however we end: setpriv has the kernel see to that."""
    environment = {**os.environ, "CACHE": str(cache_directory()), "AGENT": "seed"}  # the seed disk carries the agent
    if hypervisor:
        environment["HYPERVISOR"] = hypervisor
    argv = ["setpriv", "--pdeathsig", "TERM", str(image_sources() / "build.sh"), *options]
    return subprocess.Popen(argv, env=environment, stdout=subprocess.PIPE, stderr=None if options else subprocess.PIPE)
