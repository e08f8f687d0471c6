"""One decision: proposals, each expanded and judged in order, each grant seen by those after it. Pure arithmetic, no state."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from autoscaler.core.decision import Decision, Denial, Denied
from autoscaler.core.effect import Arrival, Effect
from autoscaler.core.expand import Mint, expand
from autoscaler.core.guards import Case, judge
from autoscaler.core.guards.case import Standing
from autoscaler.core.guards.spent import Spent
from autoscaler.core.ledger import Grant
from autoscaler.core.model import Action
from autoscaler.core.projection import Projection
from autoscaler.core.proposals import Alternative, Proposal
from autoscaler.core.snapshot import Snapshot
from autoscaler.core.steps import Certificate, Plan


@dataclass(frozen=True, slots=True, eq=False)
class Judged:
    """A decision with what its grants would do: `effects` and `grants` go with `decision.granted`, one each."""

    decision: Decision
    effects: tuple[Effect, ...] = ()
    grants: tuple[Grant, ...] = ()
    wanted_since: Mapping[tuple[Action, str], float] | None = None
    certificate: Certificate | None = None
    alternatives: tuple[Alternative, ...] = ()

    def certified(self, plan: Plan) -> Plan:
        """`plan` with the certificate, if all that the strategy wished for is in it, of less nothing was proved, and if no replica
        that is started rents a cloud VM: what is proved is of those that are there."""
        rents = any(effect.starts and effect.creates for effect in self.effects)
        if self.certificate is None or self.decision.denied or plan.infeasible or rents:
            return plan
        return replace(plan, certificate=self.certificate)


def decide(
    number: str,
    snapshot: Snapshot,
    proposals: Sequence[Proposal],
    standing: Standing,
    arriving: Sequence[Arrival] = (),
) -> Judged:
    """Judge `proposals` in the order given. `number`: of the event that caused this; the decision's id is made of it.
    `arriving`: app VMs that plans in flight are bringing and that are not observed where they go."""
    view = Projection(snapshot, arriving, closed=(*snapshot.in_flight, *standing.paused, *standing.stuck))
    mint = Mint(number, snapshot.inventory)
    spent = Spent(standing.policy.limits, standing.ledger, snapshot.at)
    granted: list[Proposal] = []
    effects: list[Effect] = []
    grants: list[Grant] = []
    denied: list[Denied] = []
    for proposal in proposals:
        effect = expand(proposal, view, standing.policy.limits, mint)
        if isinstance(effect, Denial):
            denied.append(Denied(proposal, (effect,)))
            continue
        case = Case(proposal, effect, snapshot, view, standing, spent)
        denials = judge(case)
        if denials:
            denied.append(Denied(proposal, denials))
            continue
        view.adopt(case.after)
        granted.append(proposal)
        effects.append(effect)
        grants.append(_grant(case))
        spent.add(grants[-1])
    decision = Decision(
        f"d{number}",
        snapshot.at,
        standing.policy.name,
        tuple(granted),
        tuple(denied),
    )
    return Judged(decision, tuple(effects), tuple(grants))


def wanted_since(
    proposals: Sequence[Proposal], before: Mapping[tuple[Action, str], float], now: float
) -> Mapping[tuple[Action, str], float]:
    """Since when each wish has been there without a break; wishes not made any more are forgotten."""
    return {(p.action, p.key): before.get((p.action, p.key), now) for p in proposals}


def _grant(case: Case) -> Grant:
    ids = tuple(dict.fromkeys((*case.subjects, *case.touched)))
    return Grant(case.now, case.action, case.proposal.key, ids, len(case.effect.moves))
