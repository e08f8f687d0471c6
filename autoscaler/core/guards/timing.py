"""Guards over time: how long something has been wanted, and how long ago its subject was last touched."""

from __future__ import annotations

from autoscaler.core.decision import Denial
from autoscaler.core.guards.case import Case, at_most


def stabilization(case: Case) -> Denial | None:
    """Act only on what has been wanted without a break for long enough."""
    needed = case.policy.limits.stabilization_s.get(case.action, 0.0)
    since = case.standing.ledger.wanted_since.get((case.action, case.proposal.key), case.now)
    lasted = case.now - since
    if lasted >= needed:
        return None
    reason = f"wanted for {lasted:.0f} s, must last {needed:.0f} s"
    evidence = {"wanted_for_s": lasted, "stabilization_s": needed}
    return Denial(
        "stabilization", reason, evidence, f"limits.stabilization.{case.action} <= {at_most(lasted)}s", since + needed
    )


def cooldown(case: Case) -> Denial | None:
    """Quiet time per subject and direction: an action waits its own time after replicas changed, either way, before they
    change again; the same for moving. It counts from the grant, and again from the end of the plan."""
    needed = case.policy.limits.cooldown_s.get(case.action, 0.0)
    touched, family = case.standing.ledger.touched, case.action.changes_replicas
    last = max(
        ((at, id_) for id_ in case.subjects if (at := touched.get((family, id_))) is not None), default=None, key=_at
    )
    if last is None or case.now - last[0] >= needed:
        return None
    passed = case.now - last[0]
    reason = f"{last[1]} was last touched {passed:.0f} s ago, cooldown {needed:.0f} s"
    evidence = {"passed_s": passed, "cooldown_s": needed}
    return Denial(
        "cooldown", reason, evidence, f"limits.cooldown.{case.action} <= {at_most(passed)}s", last[0] + needed
    )


def _at(last: tuple[float, str]) -> float:
    return last[0]
