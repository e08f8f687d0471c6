"""Recorded demand: one reader per layout, each giving the same `Trace`. pandas and pyarrow live here and nowhere else.

Separate from the world because files are dirty and worlds are not: whatever is wrong in a file is repaired here by a stated
rule and counted, or refused in one line. No policy, no cluster may be here.
"""

from __future__ import annotations

from autoscaler.sim.traces.detect import LAYOUTS, read_trace
from autoscaler.sim.traces.trace import Repairs, Trace

__all__ = ["LAYOUTS", "Repairs", "Trace", "read_trace"]
