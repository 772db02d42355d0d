"""Sets of a known size."""

from __future__ import annotations

import pytest
from scipy.stats import binom, hypergeom

from labelops.errors import UsageError
from labelops.gate.certificate import certify
from labelops.measure.finite import (
    drawn_interval,
    false_pass,
    fixed_audit_size,
    hypergeometric_cdf,
    tolerated_errors,
)


@pytest.mark.parametrize(
    ("k", "size", "errors", "n"),
    [
        (0, 1000, 21, 132),
        (3, 50, 5, 20),
        (5, 50, 5, 20),
        (0, 10, 8, 5),
        (2, 10, 8, 5),
        (4, 9, 0, 3),
    ],
)
def test_hypergeometric_oracle(k: int, size: int, errors: int, n: int) -> None:
    """The distribution function is scipy's."""
    expected = hypergeom.cdf(k, size, errors, n)
    assert hypergeometric_cdf(k, size, errors, n) == pytest.approx(expected, abs=1e-10)


def test_tolerated_counts_are_not_lost_to_rounding() -> None:
    """Where bound times size is whole, that many errors are tolerated, and never one more."""
    for size in (7, 50, 100, 1000, 12345):
        for errors in range(0, size + 1, max(1, size // 50)):
            assert tolerated_errors(errors / size, size) == errors
    for size in (10**9 + 7, 2**38 - 1):
        for errors in range(1, size, size // 97):
            assert tolerated_errors(errors / size, size) == errors
            assert tolerated_errors((errors - 0.5) / size, size) == errors - 1


def test_the_chance_to_pass_wrongly() -> None:
    """Of the best set that is too bad: one error more than is tolerated; none is where all are."""
    assert false_pass(1, 20, 0.04, 50) == pytest.approx(hypergeom.cdf(1, 50, 3, 20))
    assert false_pass(1, 20, 0.04, None) == pytest.approx(binom.cdf(1, 20, 0.04))
    assert false_pass(1, 20, 1.0, 50) == 0.0


@pytest.mark.parametrize(("errors", "n", "size"), [(0, 5, 12), (1, 5, 12), (5, 5, 12), (3, 9, 12)])
def test_an_interval_by_its_definition(errors: int, n: int, size: int) -> None:
    """Counts with which as many errors, and as few, are likelier than half of the risk."""
    inside = [
        wrong
        for wrong in range(errors, errors + size - n + 1)
        if hypergeom.sf(errors - 1, size, wrong, n) > 0.1 < hypergeom.cdf(errors, size, wrong, n)
    ]
    found = drawn_interval(errors, n, size, 0.2)
    assert (found.low, found.high) == (min(inside) / size, max(inside) / size)


def test_plans_of_the_literature() -> None:
    """A bound of 2 % at 95 % needs 149, 236, 313, 456 looks, and 132 in a set of 1,000."""
    assert [fixed_audit_size(0.02, 0.05, k) for k in (0, 1, 2, 4)] == [149, 236, 313, 456]
    assert fixed_audit_size(0.02, 0.05, size=1000) == 132


@pytest.mark.parametrize("errors", [0, 1, 5])
def test_a_plan_is_the_smallest(errors: int) -> None:
    """One look less would break the promise."""
    n = fixed_audit_size(0.03, 0.1, errors)
    assert binom.cdf(errors, n, 0.03) <= 0.1 < binom.cdf(errors, n - 1, 0.03)
    n = fixed_audit_size(0.03, 0.1, errors, size=700)
    assert hypergeom.cdf(errors, 700, 22, n) <= 0.1 < hypergeom.cdf(errors, 700, 22, n - 1)


def test_plans_that_cannot_be() -> None:
    """Zero tolerance on a stream, or more errors than a set may hold, has no plan."""
    with pytest.raises(UsageError, match="no audit"):
        fixed_audit_size(0.0, 0.05)
    with pytest.raises(UsageError, match="no audit"):
        fixed_audit_size(0.02, 0.05, errors=3, size=100)


@pytest.mark.parametrize(
    ("bound", "risk", "errors"), [(1.5, 0.05, 0), (-0.1, 0.05, 0), (0.02, 0.0, 0), (0.02, 0.05, -1)]
)
def test_impossible_plans(bound: float, risk: float, errors: int) -> None:
    """A share is one, and a number of errors is one."""
    for size in (None, 100):
        with pytest.raises(UsageError, match=r"bound is|risk is|no audit"):
            fixed_audit_size(bound, risk, errors, size)


@pytest.mark.parametrize("size", [1, 2, 5])
def test_plans_of_the_smallest_sets(size: int) -> None:
    """To show that none is wrong takes all; where all may be wrong, what finds all is no more."""
    assert fixed_audit_size(0.0, 0.05, size=size) == size
    assert fixed_audit_size(1.0, 0.05, 0, size) == 1
    assert fixed_audit_size(1.0, 0.05, size, size) == size


def test_zero_tolerance_on_a_set() -> None:
    """To exclude a single error at 95 % one looks at 95 % of the set."""
    assert fixed_audit_size(0.0, 0.05, size=100) == 95


def test_a_set_of_any_size_is_judged() -> None:
    """Two thousand million labels cost as much as two million, and are nearly an endless stream."""
    looks = [False] * 200
    large = certify(looks, 0.02, 0.05, size=2**31)
    endless = certify(looks, 0.02, 0.05)
    assert large.status == endless.status == "pass"
    missing = [certify(looks * 2, 0.02, 0.05, size, missed=0.05) for size in (2**31, None)]
    assert [found.status for found in missing] == ["pass", "pass"]
    assert missing[0].certified == pytest.approx(missing[1].certified, rel=0.01)
    assert large.certified == pytest.approx(endless.certified, rel=0.01)
    assert large.anytime.high == pytest.approx(endless.anytime.high, rel=0.01)
