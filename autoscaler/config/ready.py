"""The ready policies: where they are in a checkout and in an installed package, and what a policy's name means.

Separate so that one place knows both layouts. It reads no policy.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from autoscaler.errors import UsageError
from autoscaler.policylang.forms import wrong
from autoscaler.policylang.tree import brief
from autoscaler.policylang.units import nearest

PACKAGE = Path(__file__).resolve().parent.parent
HOMES = (PACKAGE / "ready_policies", PACKAGE.parent / "policies")  # inside a wheel; beside the package in a checkout
ENDINGS = (".yaml", ".yml")


@cache
def ready_policies() -> Mapping[str, Path]:
    """Name -> file of every policy that FlexCapsule brings along, by name."""
    home = next((home for home in HOMES if home.is_dir()), None)
    return {} if home is None else {file.stem: file for file in sorted(home.glob("*.yaml"))}


def ready_policy(name: str) -> Path:
    """The file of a ready policy. Raises UsageError naming the nearest."""
    known = ready_policies()
    if name not in known:
        raise UsageError(
            f"no ready policy is called {brief(name)}; expected one of {', '.join(known)}{nearest(name, list(known))}"
        )
    return known[name]


def resolve_policy(name: str, base: Path = Path()) -> Path:
    """The file that `name` means: a ready policy, or a path (relative to `base`). Raises UsageError for an unknown name."""
    return base / Path(name).expanduser() if is_file_name(name) else ready_policy(name)


def known_policy(value: Any) -> Any:
    """A validator: a path, or the name of a ready policy."""
    if isinstance(value, str) and not is_file_name(value) and value not in ready_policies():
        known = list(ready_policies())
        raise wrong(
            f"no ready policy is called {brief(value)}; expected a .yaml file or one of {', '.join(known)}{nearest(value, known)}"
        )
    return value


def is_file_name(name: str) -> bool:
    """Whether a policy is named by its file: a path, or something that ends like a YAML file."""
    return "/" in name or name.endswith(ENDINGS)
