"""Closed-loop replay: the live controller's engine, strategies and guards on a simulated cluster whose demand was recorded.

Separate from the command so that tuning and tests replay in the same way. It wires and scores; physics is sim's, decisions
are the engine's, and nothing is printed here.
"""

from __future__ import annotations

from autoscaler.replay.outcome import Outcome

__all__ = ["Outcome"]
