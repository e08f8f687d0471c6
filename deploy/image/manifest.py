#!/usr/bin/env python3
"""Print what an image is made of, as JSON: `manifest.py WORK HYPERVISOR SUITE SECONDS`; files with digests, packages with versions."""
import hashlib
import json
import sys
import urllib.parse
from pathlib import Path


def digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def packages(lock: Path) -> dict[str, str]:
    names = (urllib.parse.unquote(line.split()[1]) for line in lock.read_text().splitlines())
    return dict(name.split("_")[:2] for name in names)


def main(work: str, debs: str, suite: str, seconds: str) -> None:
    image = Path(work, "image")
    files = {path.name: {"bytes": path.stat().st_size, "sha256": digest(path)} for path in sorted(image.iterdir()) if path.suffix != ".part"}
    versions = packages(Path(debs, "lock"))
    settings = (image / "xen.config").read_text()
    print(json.dumps({
        "hypervisor": versions["xen-hypervisor-4.17-amd64"],
        "shadow_paging": "CONFIG_SHADOW_PAGING=y" in settings,
        "suite": suite, "build_s": int(seconds), "files": files, "packages": versions,
    }, indent=1))


main(*sys.argv[1:])
