"""A proof proves what was claimed, and no proof whatever proves too much: not one with other worths, kinds or questions."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from autoscaler.packing.bound import integral
from autoscaler.packing.checker import check
from autoscaler.packing.exhaustion import least_cost
from autoscaler.packing.problem import Problem
from autoscaler.packing.proof import Proof
from autoscaler.packing.proof_checker import proved
from autoscaler.packing.relaxation import relax
from autoscaler.packing.solve import Effort, solve
from benchmarks.packing.instances import problem as made
from benchmarks.packing.small import cheapest, small_problem


def shown(problem: Problem, boxes: int = 200) -> tuple[float, Proof]:
    bound = integral(relax(problem), boxes)
    assert bound.proof is not None
    return bound.value, bound.proof


@pytest.mark.parametrize("items", [30, 100, 400])
@pytest.mark.parametrize("boxes", [1, 20, 1000])
def test_what_is_claimed_is_proved_to_the_last_digit(items: int, boxes: int) -> None:
    for seed in range(4):
        problem = made(items, seed)
        value, proof = shown(problem, boxes)
        assert value <= proved(problem, proof) <= value * (1 + 1e-6)


def test_questions_prove_more_than_none() -> None:
    problem = made(100, 1)
    one, many = shown(problem, 1), shown(problem, 200)
    assert (one[1].cases, many[1].cases > 1) == (1, True)
    assert many[0] > 1.03 * one[0]


@pytest.mark.parametrize("seed", range(60))
def test_trying_everything_finds_what_trying_everything_otherwise_finds(seed: int) -> None:
    problem = small_problem(seed, most_items=6)
    assert least_cost(problem) == pytest.approx(cheapest(problem), rel=1e-9)


def test_too_many_are_not_tried() -> None:
    with pytest.raises(ValueError, match="too many"):
        least_cost(made(30, 1))


def harmed(proof: Proof, luck: np.random.Generator) -> Proof:
    """Another proof, of the right shape: worths, kinds, limits and levels as chance has it."""
    worth = proof.worth * luck.choice([0.0, 0.5, 1.0, 1.5, 10.0], proof.worth.shape)
    worth += luck.exponential(0.3, proof.worth.shape) * (luck.random(proof.worth.shape) < 0.3)
    kind = np.where(luck.random(len(proof.kind)) < 0.3, luck.permutation(proof.kind), proof.kind)
    level = proof.at_least * luck.choice([0.0, 0.7, 1.0, 1.3], len(proof.at_least))
    kinds = int(kind.max()) + 1
    asked = np.where(proof.asked >= 0, luck.integers(0, kinds, len(proof.asked)), -1)
    limit = proof.limit + luck.integers(-1, 2, len(proof.limit))
    return replace(proof, worth=worth, kind=kind, at_least=level, asked=asked, limit=limit)


@settings(max_examples=100, deadline=None)
@given(seed=st.integers(0, 10**6))
def test_no_proof_proves_more_than_the_cheapest_packing_costs(seed: int) -> None:
    problem, luck = small_problem(seed, most_items=6), np.random.default_rng(seed)
    bound = integral(relax(problem), 50)
    if bound.proof is None:
        assert least_cost(problem) == np.inf
        return
    best = least_cost(problem)
    assert bound.value <= proved(problem, bound.proof) <= best * (1 + 1e-6)
    for _ in range(5):
        assert proved(problem, harmed(bound.proof, luck)) <= best * (1 + 1e-6)


def test_a_bound_above_what_its_proof_proves_is_not_confirmed() -> None:
    problem = made(100, 3)
    answer = solve(problem, Effort(trials=50))
    assert answer.packing is not None
    right = check(problem, answer.packing, answer.objective, answer.lower_bound, answer.proof)
    assert (right.faults, right.confirmed) == ((), True)
    above = answer.lower_bound * (1 + 1e-5)
    assert not check(problem, answer.packing, answer.objective, above, answer.proof).confirmed
    assert not check(problem, answer.packing, answer.objective, answer.lower_bound).confirmed


def test_without_its_worth_a_case_proves_less() -> None:
    """Except where no number of bins is left over by the questions, or the price alone says enough."""
    problem = made(100, 1)
    value, proof = shown(problem)
    weaker = 0
    for case in range(proof.cases):
        worth = proof.worth.copy()
        worth[case] = 0.0
        weaker += proved(problem, replace(proof, worth=worth)) < value
    assert weaker >= 3
    assert proved(problem, replace(proof, worth=proof.worth * 0.0)) < 0.9 * value


def test_a_proof_for_other_demand_is_reckoned_anew() -> None:
    problem = made(100, 1)
    value, proof = shown(problem)
    assert proved(replace(problem, demand=problem.demand * 0.9), proof) < 0.96 * value


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda p: replace(p, worth=-p.worth), "negative or no number"),
        (lambda p: replace(p, worth=p.worth * np.nan), "negative or no number"),
        (lambda p: replace(p, worth=p.worth[:, :-1]), "do not go together"),
        (lambda p: replace(p, kind=p.kind[:-1]), "do not go together"),
        (lambda p: replace(p, kind=p.kind - 5), "there are not"),
        (lambda p: replace(p, resource=p.resource + 7), "there are not"),
        (lambda p: replace(p, asked=np.where(p.asked >= 0, 99, -1)), "kind 99 of"),
        (lambda p: replace(p, asked=p.asked[:-1], limit=p.limit[:-1]), "without an answer|argument"),
        (lambda p: replace(p, asked=np.append(p.asked, -1), limit=np.append(p.limit, 0)), "after the last|argument"),
        (lambda p: replace(p, worth=p.worth[:-1]), "argument"),
    ],
)
def test_what_is_no_proof_is_a_fault(change, said: str) -> None:
    problem = made(100, 1)
    answer = solve(problem, Effort(trials=5))
    assert answer.packing is not None
    assert answer.proof is not None
    assert answer.proof.cases > 1
    with pytest.raises(ValueError, match=said):
        proved(problem, change(answer.proof))
    verdict = check(problem, answer.packing, answer.objective, answer.lower_bound, change(answer.proof))
    assert any("the proof of the bound is none" in fault for fault in verdict.faults)
    assert not verdict.confirmed
