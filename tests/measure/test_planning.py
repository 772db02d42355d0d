"""What an audit will cost is what simulated audits cost, and the risk is never above δ."""

from __future__ import annotations

from functools import cache
from itertools import combinations, product
from typing import Any

import numpy as np
import pytest

from labelops.errors import UsageError
from labelops.gate.certificate import certified_at, certify
from labelops.gate.weighted_audit import certify_weighted
from labelops.measure.codes import BoolArray
from labelops.measure.eprocess import log_wanted, running_maximum
from labelops.measure.finite import hypergeometric_cdf
from labelops.measure.planning import audit_plan, looks_to_certify
from labelops.measure.staircase import clean_looks_to_certify, is_certified
from labelops.measure.weighted_planning import weighted_plan


@pytest.mark.slow
def test_staircase_is_that_of_single_audits() -> None:
    """With its errors first, an audit certifies at the planned look and not one before."""
    for size, missed in ((None, 0.0), (None, 0.1), (1500, 0.0), (1500, 0.1)):
        for k, looks in enumerate(looks_to_certify(0.03, 0.1, 600, size, missed=missed)):
            outcomes, corrected = np.arange(600) < k, k if size else 0
            if size is None:
                shown = running_maximum(outcomes, 0.03 * (1 - missed)) >= log_wanted(0.1)
                assert shown.argmax() + 1 == looks
                continue
            assert is_certified(outcomes[:looks], 0.03, 0.1, size, corrected, missed)
            assert not is_certified(outcomes[: looks - 1], 0.03, 0.1, size, corrected, missed)


@pytest.mark.slow
def test_published_means() -> None:
    """Simulated elsewhere: 260, 413 and 1161 audits at true errors of .25, .5 and 1 %."""
    means = [p.mean for p in audit_plan(0.02, 0.05, [0.0025, 0.005, 0.01], budget=12_000)]
    assert means == pytest.approx([260, 413, 1161], rel=0.03)


def test_clean_sets_take_the_first_step() -> None:
    """Without errors every audit ends at n(0)."""
    (plan,) = audit_plan(0.02, 0.05, [0.0])
    assert (plan.mean, plan.median, plan.high, plan.certified) == (178, 178, 178, 1.0)


def test_risk_is_run_but_not_exceeded() -> None:
    """At the bound a certificate is wrong with probability at most δ, and not far below it."""
    (plan,) = audit_plan(0.02, 0.05, [0.02], budget=3000)
    assert 0.005 < plan.certified <= 0.05
    (worse,) = audit_plan(0.02, 0.05, [0.04], budget=3000)
    assert worse.certified < plan.certified


@pytest.mark.slow
def test_a_set_that_is_too_bad_by_one_is_mended_or_rarely_passes() -> None:
    """In a set of 3,000 one correction is enough: only a pass without any find would be wrong."""
    (plan,) = audit_plan(0.02, 0.05, [61 / 3000], budget=3000, size=3000)
    first = int(looks_to_certify(0.02, 0.05, 3000, 3000, 0)[0])
    assert 0.005 < hypergeometric_cdf(0, 3000, 61, first) <= 0.05
    assert plan.certified == pytest.approx(1.0)


def _first_pass(outcomes: BoolArray, size: int | None, missed: float) -> int:
    """Give the look at which an audit passes, every error it finds corrected in a known set."""
    low, high = 0, len(outcomes)
    while high - low > 1:
        middle = (low + high) // 2
        corrected = 0 if size is None else int(outcomes[:middle].sum())
        passed = certify(outcomes[:middle], 0.05, 0.1, size, corrected, missed).status == "pass"
        low, high = (low, middle) if passed else (middle, high)
    return high


@pytest.mark.slow
def test_simulated_audits_agree() -> None:
    """Exact endings are the means of simulated ones; in a known set, at most 10 % above them."""
    rng = np.random.default_rng(5)
    for size, missed in ((None, 0.0), (1000, 0.0), (1000, 0.2)):
        (plan,) = audit_plan(0.05, 0.1, [0.02], budget=1000, size=size, missed=missed)
        found = []
        for _ in range(60 if missed else 150):
            if size is None:
                outcomes = rng.random(1000) < 0.02
            else:
                outcomes = rng.permutation(np.arange(size) < 20)
            outcomes &= rng.random(1000) >= missed
            found.append(_first_pass(outcomes, size, missed))
        spread = np.std(found) / np.sqrt(len(found))
        least = plan.mean if size is None else 0.9 * plan.mean
        assert least - 4 * spread < np.mean(found) < plan.mean + 4 * spread


def test_corrections_make_a_known_set_cheaper() -> None:
    """Near the bound an audit of a set of 1,000 takes less than half of an endless one's looks."""
    shares = [0.0, 0.01, 0.015]
    known = audit_plan(0.02, 0.05, shares, size=1000)
    endless = audit_plan(0.02, 0.05, shares, budget=3000)
    assert known[0].mean < endless[0].mean
    assert all(k.mean < 0.5 * e.mean for k, e in zip(known[1:], endless[1:], strict=True))


@pytest.mark.parametrize(("bound", "size"), [(0.02, 50), (0.01, 100), (0.005, 200)])
def test_a_small_set_is_certified_however_bad(bound: float, size: int) -> None:
    """One look may end walks of several numbers of errors; corrected, each set passes at last."""
    stops = looks_to_certify(bound, 0.05, size, size)
    assert len(np.unique(stops)) < len(stops)
    for plan in audit_plan(bound, 0.05, [0.02, 0.05, 0.1], size=size):
        assert plan.certified == pytest.approx(1.0)
        assert plan.mean <= size


@pytest.mark.parametrize(
    ("size", "bound"), [(9, 0.34), pytest.param(12, 0.2, marks=pytest.mark.slow)]
)
def test_a_small_set_of_which_looks_miss_some_is_counted_out(size: int, bound: float) -> None:
    """Oracle: every order of a small set, and everything that looks may miss of it."""
    wrong, missed, expected = 4, 0.25, np.zeros(size + 2)

    @cache
    def passes(found: int, n: int) -> bool:
        return clean_looks_to_certify(found, n, bound, 0.3, size, found, missed) == 0

    for places in combinations(range(size), wrong):
        for seen in product((True, False), repeat=wrong):
            found = np.cumsum(np.isin(np.arange(size), np.asarray(places)[list(seen)]))
            looks = next((n for n in range(1, size + 1) if passes(int(found[n - 1]), n)), size + 1)
            expected[looks] += (1 - missed) ** sum(seen) * missed ** (wrong - sum(seen))
    expected /= expected.sum()
    (plan,) = audit_plan(bound, 0.3, [wrong / size], size=size, missed=missed)
    assert plan.mean == pytest.approx(expected @ np.minimum(np.arange(size + 2), size))
    assert plan.certified == pytest.approx(1 - expected[-1])
    assert plan.median == int(np.argmax(np.cumsum(expected) >= 0.5))


@pytest.mark.slow
def test_what_looks_miss_makes_audits_longer() -> None:
    """Evenly and by doubt, of sets and of streams; of the errors there are fewer are found."""
    for size in (None, 800):
        clean, missing = (
            audit_plan(0.05, 0.05, [0.0], size=size, missed=missed)[0].mean for missed in (0.0, 0.2)
        )
        assert clean * 1.15 < missing < clean * 1.4
        one, other = (
            weighted_plan(
                0.05, 0.05, [0.0], 0.5, rng=np.random.default_rng(0), size=size, missed=missed,
                runs=5,
            )[0].mean
            for missed in (0.0, 0.2)
        )  # fmt: skip
        assert one * 1.1 < other < one * 1.4
    with pytest.raises(UsageError, match="missed is 1: looks that find no error certify nothing"):
        audit_plan(0.05, 0.05, [0.0], missed=1.0)


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


def _by_doubt(shares: list[float], told: float, **more: int) -> list[float]:
    plans = weighted_plan(0.02, 0.05, shares, told, rng=np.random.default_rng(1), **more)
    return [p.mean for p in plans]


@pytest.mark.slow
def test_doubt_saves_audits_only_where_it_tells() -> None:
    """At 1 % wrong, doubt that holds 90 % of the errors saves a fifth; worthless doubt nothing."""
    (exact,) = audit_plan(0.02, 0.05, [0.01], size=5000)
    telling, useless = (_by_doubt([0.01], told, size=5000, runs=60)[0] for told in (0.9, 0.1))
    assert telling < 0.78 * exact.mean
    assert 0.95 * exact.mean < useless < 1.46 * exact.mean


@pytest.mark.slow
def test_simulated_risk_is_not_exceeded() -> None:
    """Slightly too bad and endless, so never mended, at most a few of a hundred certify."""
    rng = np.random.default_rng(2)
    (plan,) = weighted_plan(0.05, 0.05, [0.0505], 0.8, rng=rng, budget=2000)
    assert plan.certified <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / 100)
    assert plan.mean > 1700


@pytest.mark.slow
def test_simulated_audits_of_a_known_set_are_those_of_the_certificate() -> None:
    """With even chances a known set takes what the exact plan says, or a little less."""
    rng = np.random.default_rng(4)
    (plan,) = weighted_plan(0.05, 0.05, [0.03], 0.1, rng=rng, size=1000)
    (exact,) = audit_plan(0.05, 0.05, [0.03], size=1000)
    assert 0.85 * exact.mean < plan.mean < 1.1 * exact.mean


def test_small_sets_are_planned_by_certainty() -> None:
    """A set of one label is certified by looking at it: it is right, or corrected."""
    rng = np.random.default_rng(3)
    right, wrong = weighted_plan(0.02, 0.05, [0.0, 1.0], 1.0, rng=rng, size=1, runs=5)
    assert (right.mean, right.certified, wrong.mean, wrong.certified) == (1, 1.0, 1, 1.0)


@pytest.mark.parametrize(
    ("told", "more"), [(1.1, {}), (0.5, {"runs": 0}), (0.5, {"size": 0}), (0.5, {"budget": 0})]
)
def test_impossible_simulations(told: float, more: dict[str, int]) -> None:
    """Shares out of range and nothing to simulate are refused."""
    with pytest.raises(UsageError):
        weighted_plan(0.02, 0.05, [0.01], told, rng=np.random.default_rng(0), **more)


@pytest.mark.parametrize(
    ("given", "says"),
    [(("0.02", 0.05, [0.0]), "bound is '0.02'"), ((0.02, 0.05, ["x"]), "true error is \\['x'\\]")],
)
def test_a_plan_of_texts_is_refused(given: Any, says: str) -> None:
    """In one line of ours, with the name."""
    with pytest.raises(UsageError, match=says):
        audit_plan(*given)
    with pytest.raises(UsageError, match=says):
        weighted_plan(*given, 0.5, rng=np.random.default_rng(0))


def test_a_confidence_is_no_risk() -> None:
    """Whoever gives 0.95 for the risk would be told that four looks are enough."""
    says = "risk is 0.95, the chance of a wrong certificate: at 95 % confidence it is 0.05"
    for call in (
        lambda: audit_plan(0.02, 0.95, [0.005]),
        lambda: weighted_plan(0.02, 0.95, [0.005], 0.5, rng=np.random.default_rng(0)),
        lambda: certified_at([False] * 60, 0.02, 0.95),
        lambda: certify([False] * 60, bound=0.02, risk=0.95),
        lambda: certify_weighted([False] * 60, [0.5] * 120, 0.02, 0.95),
    ):
        with pytest.raises(UsageError, match=says):
            call()
