"""What an audit will cost is what simulated audits cost, and the risk is never above δ."""

from __future__ import annotations

import numpy as np
import pytest

from labelops.errors import UsageError
from labelops.measure.eprocess import certified_at
from labelops.measure.planning import audit_plan, looks_to_certify


def test_staircase_is_that_of_single_audits() -> None:
    """With its errors first, an audit certifies at the planned look and not one before."""
    for size in (None, 1500):
        for k, looks in enumerate(looks_to_certify(0.03, 0.1, 600, size)):
            outcomes = np.arange(600) < k
            assert certified_at(outcomes, 0.03, 0.1, size) == looks


def test_published_means() -> None:
    """Simulated elsewhere: 260, 413 and 1161 audits at true errors of .25, .5 and 1 %."""
    means = [p.mean for p in audit_plan(0.02, 0.05, [0.0025, 0.005, 0.01], budget=12_000)]
    assert means == pytest.approx([260, 413, 1161], rel=0.03)


def test_clean_sets_take_the_first_step() -> None:
    """Without errors every audit ends at n(0)."""
    (plan,) = audit_plan(0.02, 0.05, [0.0])
    assert (plan.mean, plan.median, plan.high, plan.certified) == (178, 178, 178, 1.0)


@pytest.mark.parametrize("size", [None, 3000])
def test_risk_is_run_but_not_exceeded(size: int | None) -> None:
    """At the bound a certificate is wrong with probability at most δ, and not far below it."""
    bound = 0.02 if size is None else 0.02 + 1 / size
    (plan,) = audit_plan(0.02, 0.05, [bound], budget=3000, size=size)
    assert 0.005 < plan.certified <= 0.05
    (worse,) = audit_plan(0.02, 0.05, [0.04], budget=3000, size=size)
    assert worse.certified < plan.certified


@pytest.mark.slow
def test_simulated_audits_agree() -> None:
    """Exact endings are the means of simulated ones, with and without replacement."""
    rng = np.random.default_rng(5)
    for size in (None, 1000):
        (plan,) = audit_plan(0.05, 0.1, [0.02], budget=1000, size=size)
        found = []
        for _ in range(150):
            if size is None:
                outcomes = rng.random(1000) < 0.02
            else:
                outcomes = rng.permutation(np.arange(size) < 20)
            found.append(certified_at(outcomes, 0.05, 0.1, size) or 1000)
        spread = np.std(found) / np.sqrt(len(found))
        assert abs(np.mean(found) - plan.mean) < 4 * spread


def test_too_small_a_budget_certifies_nothing() -> None:
    """Below n(0) there is no certificate, and the whole budget is spent."""
    (plan,) = audit_plan(0.02, 0.05, [0.0], budget=100)
    assert (plan.certified, plan.mean, plan.median, plan.high) == (0.0, 100, None, None)


def test_no_question_no_answer() -> None:
    assert audit_plan(0.02, 0.05, []) == []


@pytest.mark.parametrize(
    ("bound", "risk", "share", "budget"),
    [(0.0, 0.05, 0.1, 10), (0.1, 1.0, 0.1, 10), (0.1, 0.1, 1.5, 10), (0.1, 0.1, 0.1, 0),
     (0.1, 0.1, float("nan"), 10)],
)  # fmt: skip
def test_impossible_questions(bound: float, risk: float, share: float, budget: int) -> None:
    with pytest.raises(UsageError):
        audit_plan(bound, risk, [share], budget=budget)
