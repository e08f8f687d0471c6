"""How much of the dear tests on real Xen is run: FLEXCAPSULE_MOVES moves of each kind; below four, one case of each kind. A value only."""

from __future__ import annotations

import os

MOVES = int(os.environ.get("FLEXCAPSULE_MOVES", "4"))
WHOLE = MOVES >= 4


def cases(*all_):
    """Of a test; the short form sees the last of them only."""
    return all_ if WHOLE else all_[-1:]
