"""Sets of a known size: tolerated counts, fixed audit plans, chances without replacement."""

from __future__ import annotations

import math

import numpy as np
from scipy.special import bdtr

from labelops.errors import UsageError
from labelops.measure.given import check_share
from labelops.measure.halving import first_count
from labelops.measure.intervals import Interval
from labelops.measure.logs import log_choose, log_sum_exp

__all__ = [
    "ROUNDING",
    "drawn_interval",
    "false_pass",
    "fixed_audit_size",
    "hypergeometric_cdf",
    "tolerated_errors",
]


# A tail that equals the risk in exact arithmetic must not exceed it by floating-point rounding.
ROUNDING = 1e-10


def tolerated_errors(bound: float, size: int) -> int:
    """Give the largest number of errors that is no more than `bound` of `size` items.

    Examples
    --------
    >>> tolerated_errors(0.29, 100)  # 0.29 * 100 is 28.999… in floating point
    29
    """
    return math.floor(bound * size + 1e-12 * max(1.0, bound * size))


def hypergeometric_cdf(k: int, size: int, errors: int, n: int) -> float:
    """Give P(at most k errors among n items drawn from `size` items of which `errors` are wrong).

    Examples
    --------
    >>> round(hypergeometric_cdf(0, 10, 1, 5), 6)
    0.5
    """
    lowest, highest = max(0, n - (size - errors)), min(n, errors)
    if k < lowest:
        return 0.0
    if k >= highest:
        return 1.0
    counts = np.arange(lowest, k + 1, dtype=np.float64)
    log_terms = (
        log_choose(errors, counts)
        + log_choose(size - errors, n - counts)
        - log_choose(size, np.float64(n))
    )
    return min(1.0, float(np.exp(log_sum_exp(log_terms))))


def drawn_interval(errors: int, n: int, size: int, risk: float) -> Interval:
    """Give the shares of `size` items that `errors` among n drawn ones do not rule out, two-sided.

    What Clopper and Pearson do for an endless stream, by the chances of a draw without replacement:
    half of the risk at each end, and a point where all are drawn.

    Examples
    --------
    >>> drawn_interval(4, 100, 100, 0.05)
    Interval(low=0.04, high=0.04)
    >>> wide = drawn_interval(0, 50, 100, 0.05)
    >>> wide.low, wide.high
    (0.0, 0.05)
    """
    right, fewest, most = n - errors, errors, errors + size - n

    def as_many(wrong: int) -> bool:
        # So many errors or more are so few right ones or fewer.
        return hypergeometric_cdf(right, size, size - wrong, n) > risk / 2

    def as_few(wrong: int) -> bool:
        return hypergeometric_cdf(errors, size, wrong, n) > risk / 2

    low = first_count(as_many, fewest, most)
    high = first_count(lambda wrong: not as_few(wrong + 1), fewest, most)
    return Interval(low / size, high / size)


def fixed_audit_size(bound: float, risk: float, errors: int = 0, size: int | None = None) -> int:
    """Give the smallest audit that certifies `bound` when it finds at most `errors` errors.

    For one look at a size fixed beforehand.

    Parameters
    ----------
    bound : float
        Tolerated share of errors, in [0, 1].
    risk : float
        Tolerated probability of certifying a set that is worse, in (0, 1).
    errors : int
        Errors the plan allows the audit to find.
    size : int, optional
        Items in the set; None for an endless stream.

    Raises
    ------
    UsageError
        No audit of any size can certify this.

    Examples
    --------
    >>> [fixed_audit_size(0.02, 0.05, k) for k in (0, 1, 2, 4)]
    [149, 236, 313, 456]
    >>> fixed_audit_size(0.02, 0.05, size=1000)
    132
    """
    check_share("bound", bound)
    check_share("risk", risk, inside=True)
    possible = bound > 0 if size is None else errors <= tolerated_errors(bound, size)
    if errors < 0 or not possible:
        raise UsageError(
            f"no audit certifies a share of errors <= {bound:g} after {errors} errors"
            + ("" if size is None else f" in a set of {size}")
        )

    def enough(n: int) -> bool:
        return false_pass(errors, n, bound, size) <= risk * (1 + ROUNDING)

    most = errors + 1 if size is None else size
    while size is None and not enough(most):
        most *= 2
    return first_count(enough, min(errors + 1, most), most)


def false_pass(errors: int, n: int, bound: float, size: int | None) -> float:
    """Give the chance that n looks find at most `errors` in the best set worse than `bound`.

    Examples
    --------
    >>> round(false_pass(0, 149, 0.02, None), 4), round(false_pass(0, 132, 0.02, 1000), 4)
    (0.0493, 0.0495)
    """
    if size is None:
        return float(bdtr(errors, n, bound))
    worse = tolerated_errors(bound, size) + 1
    return 0.0 if worse > size else hypergeometric_cdf(errors, size, worse, n)
