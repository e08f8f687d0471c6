"""One strategy for how many replicas, one for the size of cloud VMs, one for placement, and what is done where they meet.

They meet on cloud VMs: one that is overloaded may get a bigger size or lose app VMs, one that idles a smaller size or no app
VM at all. Demand comes before money; of two answers to the same need the one that leaves the lower bill is made. What is
wished for replicas is independent of that and never dropped here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from autoscaler.core.model import Action
from autoscaler.core.proposals import Consolidate, Proposal, ScaleDown, ScaleUp, Separate
from autoscaler.core.snapshot import Snapshot
from autoscaler.ports import Strategy
from autoscaler.strategies.consolidate import Consolidation
from autoscaler.strategies.target_tracking import TargetTracking
from autoscaler.strategies.threshold import Threshold

Moving = ScaleUp | ScaleDown | Consolidate | Separate


@dataclass(frozen=True)
class Composite:
    """Replicas, size and placement, each by a strategy of its own; for one cloud VM the cheapest proposal is made."""

    replicas: Strategy = field(
        default=TargetTracking(), metadata={"doc": "asked for scale out and scale in; its other proposals are not made"}
    )
    size: Strategy = field(
        default=Threshold(subjects="cloud_vms"),
        metadata={"doc": "asked for scale up and scale down; its other proposals are not made"},
    )
    placement: Strategy = field(
        default=Consolidation(),
        metadata={"doc": "asked for consolidate and separate; its other proposals are not made"},
    )

    def propose(self, snapshot: Snapshot) -> Sequence[Proposal]:
        replicas = [p for p in self.replicas.propose(snapshot) if p.action.changes_replicas]
        size = [p for p in self.size.propose(snapshot) if isinstance(p, ScaleUp | ScaleDown)]
        placement = [p for p in self.placement.propose(snapshot) if isinstance(p, Consolidate | Separate)]
        moving = settle(snapshot, [*placement, *size])
        return [
            *(p for p in replicas if p.action is Action.SCALE_OUT),
            *(p for p in moving if not p.action.saves_money),
            *(p for p in moving if p.action.saves_money),
            # last: a replica that would have moved and is stopped does not move, but one that is gone cannot be moved
            *(p for p in replicas if p.action is Action.SCALE_IN),
        ]


def settle(snapshot: Snapshot, proposals: Sequence[Moving]) -> list[Moving]:
    """At most one proposal per cloud VM, and none that fills what another releases. Relief first, as it came; then what
    saves most."""
    answers: dict[str, list[tuple[float, Moving]]] = {}
    for proposal in proposals:
        answers.setdefault(proposal.cloud_vm, []).append((bill_change(snapshot, proposal), proposal))
    best = [_best(found) for found in answers.values()]
    savings = sorted((cost, i) for i, (cost, proposal) in enumerate(best) if proposal.action.saves_money)
    ordered = [proposal for _, proposal in best if not proposal.action.saves_money]
    ordered += [best[i][1] for _, i in savings]
    filled, released = set[str](), set[str]()
    kept: list[Moving] = []
    for proposal in ordered:
        targets = _targets(proposal)
        empties = not isinstance(proposal, Separate)
        if (empties and proposal.cloud_vm in filled) or not released.isdisjoint(targets):
            continue
        filled |= targets
        released |= {proposal.cloud_vm} if empties else set()
        kept.append(proposal)
    return kept


def bill_change(snapshot: Snapshot, proposal: Moving) -> float:
    """What `proposal` adds to the bill, per hour; below 0 it saves. A size or cloud VM that is not there counts nothing."""
    inventory, change = snapshot.inventory, 0.0
    size = proposal.new_size if isinstance(proposal, Separate) else getattr(proposal, "size", None)
    if size in inventory.sizes:
        change += inventory.sizes[size].price_per_hour
    if not isinstance(proposal, Separate) and proposal.cloud_vm in inventory.cloud_row:
        change -= snapshot.cloud_vms[inventory.cloud_row[proposal.cloud_vm]].size.price_per_hour
    return change


def _best(answers: list[tuple[float, Moving]]) -> tuple[float, Moving]:
    """Relief before saving, then the lower bill, then the one that came first; its reason names what it was better than."""
    ranked = sorted(answers, key=lambda answer: (answer[1].action.saves_money, answer[0]))
    (cost, best), rest = ranked[0], ranked[1:]
    if not rest or rest[0][1].action.saves_money != best.action.saves_money:
        return cost, best
    other_cost, other = rest[0]
    evidence = {**best.evidence, "price_change_per_hour": cost, "other_price_change_per_hour": other_cost}
    reason = f"{best.reason} ({cost:+.3f} per hour; {other.action} would be {other_cost:+.3f})"
    return cost, replace(best, reason=reason, evidence=evidence)


def _targets(proposal: Moving) -> set[str]:
    if isinstance(proposal, ScaleUp | ScaleDown):
        return set()
    return {move.target for move in proposal.moves if move.target is not None}
