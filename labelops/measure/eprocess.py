"""Audits that are read after every look: what they have shown, when, and how many looks are left.

The evidence is an e-process (`labelops.measure.error_evidence`), so by Ville's inequality it ever
reaches 1/risk under its hypothesis with probability at most risk: it may be asked after each look,
for ever. When an audit is certified `labelops.gate.certificate` says, which in a set of known size
reads exact steps instead.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike

from labelops.errors import UsageError
from labelops.measure.codes import BoolArray, FloatArray
from labelops.measure.error_evidence import log_e_value, log_e_value_above
from labelops.measure.finite import ROUNDING, tolerated_errors
from labelops.measure.given import check_share
from labelops.measure.halving import first_count

__all__ = [
    "check_outcomes",
    "clean_looks_needed",
    "exceeded_at",
    "hypothesis_risk",
    "log_e_value",
    "log_e_value_above",
    "log_wanted",
    "running_maximum",
]


def running_maximum(
    outcomes: ArrayLike, bound: float, size: int | None = None, corrected: int = 0
) -> FloatArray:
    """Give the largest log evidence below `bound` up to each look.

    Parameters
    ----------
    outcomes : (n,) bool
        True where the audited item was wrong, in the order of the audit.
    bound, size, corrected
        As for `log_e_value`. What is corrected by now counts at earlier looks too.

    Returns
    -------
    (n,) float
        Running maximum of the log e-value, never below 0 (the value before any look).

    Examples
    --------
    >>> running_maximum([False, True, False], 0.5).round(2).tolist()
    [0.53, 0.53, 0.53]
    """
    return _running(log_e_value, outcomes, bound, size, corrected)


def _running(
    evidence: Callable[..., FloatArray],
    outcomes: ArrayLike,
    bound: float,
    size: int | None,
    corrected: int,
) -> FloatArray:
    wrong = check_outcomes(outcomes)
    values = evidence(np.cumsum(wrong), np.arange(1, wrong.size + 1), bound, size, corrected)
    maximum: FloatArray = np.maximum(np.maximum.accumulate(values), 0.0)
    return maximum


def check_outcomes(outcomes: ArrayLike) -> BoolArray:
    """Return audit outcomes as a flat bool array; True is an error.

    Raises
    ------
    UsageError
        The array is not flat, or a value is neither true nor false (a missing outcome is no
        outcome: leave it out).

    Examples
    --------
    >>> check_outcomes([0, 1]).tolist()
    [False, True]
    """
    array = np.asarray(outcomes)
    if array.ndim != 1:
        raise UsageError(f"outcomes: expected one dimension, found shape {array.shape}")
    if array.dtype != np.bool_ and not all(map(_is_yes_or_no, array.tolist())):
        raise UsageError("outcomes: expected true (wrong) or false (right) for every audited item")
    return array.astype(np.bool_)


def _is_yes_or_no(value: object) -> bool:
    return isinstance(value, bool | int | float | np.bool_) and value in (0, 1)


def exceeded_at(
    outcomes: ArrayLike, bound: float, risk: float, size: int | None = None, corrected: int = 0
) -> int | None:
    """Give the first look (counted from 1) at which the share is proven above the bound, or None.

    With `corrected` the share is that of errors left to correct, as of now.

    Examples
    --------
    >>> exceeded_at([True, True, True], 0.02, 0.05)
    2
    """
    maximum = _running(log_e_value_above, outcomes, bound, size, corrected)
    reached = np.flatnonzero(maximum >= log_wanted(risk))
    return int(reached[0]) + 1 if reached.size else None


def log_wanted(risk: float) -> float:
    """Give the log evidence that suffices at `risk`: log(1/risk), less a rounding error.

    Examples
    --------
    >>> round(log_wanted(0.05), 6)
    2.995732
    """
    return -math.log(check_share("risk", risk, inside=True)) - ROUNDING


def clean_looks_needed(
    errors: int, n: int, bound: float, risk: float, size: int | None = None, corrected: int = 0
) -> int | None:
    """Give how many more looks certify the bound if all of them are clean.

    The evidence grows with every clean look, so the first number that suffices is the smallest.
    `corrected` is as for `log_e_value`.

    Returns
    -------
    int or None
        0 when it is certified already; None when no number of clean looks can.

    Examples
    --------
    >>> clean_looks_needed(0, 100, 0.02, 0.05), clean_looks_needed(1, 100, 0.02, 0.05)
    (78, 225)
    """
    wanted = log_wanted(risk)
    left = errors - corrected
    possible = bound > 0 if size is None else left <= tolerated_errors(bound, size)
    if not possible:
        return None

    def enough(more: int) -> bool:
        return bool(log_e_value(errors, n + more, bound, size, corrected) >= wanted)

    most = 1 if size is None else size - n
    while size is None and not enough(most):
        most *= 2
    return first_count(enough, 0, most)


def hypothesis_risk(j: int, risk: float) -> float:
    """Give the share of `risk` the j-th hypothesis on one sample may spend: 6 risk / (pi j)^2.

    The shares of j = 1, 2, … sum to `risk`, so any number of retrained models may be tested.

    Examples
    --------
    >>> round(hypothesis_risk(1, 0.05), 4), round(hypothesis_risk(2, 0.05), 4)
    (0.0304, 0.0076)
    """
    if j < 1:
        raise UsageError(f"hypothesis number is {j}, expected 1 or more")
    return 6 * check_share("risk", risk, inside=True) / (math.pi**2 * j**2)
