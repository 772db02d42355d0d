"""Exact intervals for a share of errors, and the checks counts pass on the way in."""

from __future__ import annotations

import operator
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import betainccinv, betaincinv

from labelops.errors import UsageError, shown
from labelops.measure.codes import FloatArray

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


def check_share(name: str, value: float, *, inside: bool = False) -> float:
    """Return `value` if it lies in [0, 1] (strictly between when `inside`).

    Raises
    ------
    UsageError
        It does not; the message names it.

    Examples
    --------
    >>> check_share("risk", 0.05, inside=True)
    0.05
    """
    expected = "strictly between 0 and 1" if inside else "from 0 to 1"
    try:
        fits = bool(0 < value < 1 if inside else 0 <= value <= 1)
    except (TypeError, ValueError):
        fits = False
    if not fits:
        raise UsageError(f"{name} is {shown(value)}, expected a share {expected}")
    return float(value)


def check_risk(risk: float) -> float:
    """Return the risk of a certificate, 1 - confidence; above a half it is no risk to promise at.

    Raises
    ------
    UsageError
        It is none, or it looks like a confidence.

    Examples
    --------
    >>> check_risk(0.05)
    0.05
    """
    check_share("risk", risk, inside=True)
    if risk > 0.5:
        raise UsageError(
            f"risk is {risk:g}, the chance of a wrong certificate: at {100 * risk:g} % confidence "
            f"it is {1 - risk:.4g}"
        )
    return risk


def check_whole(name: str, value: int, least: int = 1) -> int:
    """Return `value` if it is a whole number of at least `least`.

    Raises
    ------
    UsageError
        It is not; the message names it.

    Examples
    --------
    >>> check_whole("attempt", 2)
    2
    """
    try:
        number = operator.index(value)
    except TypeError:
        number = least - 1
    if number < least:
        raise UsageError(f"{name} is {shown(value)}, expected a whole number, {least} or more")
    return number


def risk_of(confidence: float, risk: float | None = None) -> float:
    """Return the risk that is given, or else the one that a confidence leaves.

    Raises
    ------
    UsageError
        It is not strictly between 0 and 1.

    Examples
    --------
    >>> risk_of(0.75), risk_of(0.75, 1e-20)
    (0.25, 1e-20)
    """
    if risk is not None:
        return check_share("risk", risk, inside=True)
    return 1 - check_share("confidence", confidence, inside=True)


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
