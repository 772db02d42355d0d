"""Exact intervals for a share of errors, and the check that their counts pass."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import betainccinv, betaincinv

from labelops.errors import UsageError, shown
from labelops.measure.codes import FloatArray
from labelops.measure.given import check_risk, check_share, check_whole, risk_of

__all__ = [
    "Interval",
    "binomial_upper",
    "check_counts",
    "check_risk",
    "check_share",
    "check_whole",
    "clopper_pearson",
    "clopper_pearson_arrays",
    "risk_of",
]


@dataclass(frozen=True, slots=True)
class Interval:
    """A closed interval of shares, both ends in [0, 1]."""

    low: float
    high: float


def check_counts(errors: ArrayLike, n: ArrayLike) -> tuple[FloatArray, FloatArray]:
    """Return error counts and sample sizes as float arrays of one shape.

    Raises
    ------
    UsageError
        A count is missing, negative or no whole number, or there are more errors than items.

    Examples
    --------
    >>> [array.tolist() for array in check_counts([0, 1], 10)]
    [[0.0, 1.0], [10.0, 10.0]]
    """
    try:
        k, size = np.broadcast_arrays(
            np.asarray(errors, dtype=np.float64), np.asarray(n, dtype=np.float64)
        )
    except (TypeError, ValueError):
        found = f"{shown(errors)} among {shown(n)} looks"
        raise UsageError(f"errors: expected whole numbers of one shape, found {found}") from None
    bad = ~((k >= 0) & (k <= size) & (k == np.floor(k)) & (size == np.floor(size)))
    bad |= ~np.isfinite(size)
    if bad.any():
        at = int(np.flatnonzero(bad)[0])
        raise UsageError(
            f"{k.flat[at]:g} errors among {size.flat[at]:g} looks: "
            "expected whole numbers with 0 <= errors <= looks"
        )
    return k, size


def clopper_pearson(
    errors: int, n: int, confidence: float = 0.95, *, risk: float | None = None
) -> Interval:
    """Cover the true share of errors at least `confidence` of the time, whatever it is.

    Parameters
    ----------
    errors, n : int
        Errors found among n independent looks; n = 0 gives (0, 1).
    confidence : float
        Two-sided confidence, strictly between 0 and 1.
    risk : float, optional
        One less the confidence, instead of it: below 1e-16 the confidence would round to 1.

    Raises
    ------
    UsageError
        The counts or the confidence are impossible.

    References
    ----------
    Clopper, Pearson 1934, https://doi.org/10.1093/biomet/26.4.404

    Examples
    --------
    >>> interval = clopper_pearson(0, 149, confidence=0.9)
    >>> round(interval.low, 4), round(interval.high, 4)
    (0.0, 0.0199)
    """
    low, high = clopper_pearson_arrays(errors, n, confidence, risk=risk)
    return Interval(float(low), float(high))


def clopper_pearson_arrays(
    errors: ArrayLike, n: ArrayLike, confidence: float = 0.95, *, risk: float | None = None
) -> tuple[FloatArray, FloatArray]:
    """Give the lower and upper Clopper–Pearson ends for arrays of counts that broadcast.

    Raises
    ------
    UsageError
        The counts or the confidence are impossible.

    Examples
    --------
    >>> low, high = clopper_pearson_arrays([0, 5], [10, 10])
    >>> high.round(3).tolist()
    [0.308, 0.813]
    """
    tail = risk_of(confidence, risk) / 2
    k, size = check_counts(errors, n)
    low = np.where(k > 0, betaincinv(np.maximum(k, 1), size - k + 1, tail), 0.0)
    # The tail itself, not 1 less it: of a small one that keeps few digits, or none.
    high = np.where(k < size, betainccinv(k + 1, np.maximum(size - k, 1), tail), 1.0)
    return low, high


def binomial_upper(errors: int, n: int, risk: float) -> float:
    """Bound the true share of errors from above, wrong with probability at most `risk`.

    Valid for one look at a sample size fixed beforehand; for repeated looks use the e-process.

    Raises
    ------
    UsageError
        The counts or the risk are impossible.

    Examples
    --------
    >>> binomial_upper(0, 149, risk=0.05) < 0.02 < binomial_upper(0, 148, risk=0.05)
    True
    """
    check_share("risk", risk, inside=True)
    k, size = check_counts(errors, n)
    if k >= size:
        return 1.0
    return float(betainccinv(k + 1, size - k, risk))
