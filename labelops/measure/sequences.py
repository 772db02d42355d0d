"""Confidence sequences: the shares of errors that e-processes do not reject, valid at every look.

For endless streams, by bisection; in a set of a known size the counts themselves are tried.

References
----------
Robbins 1970, https://doi.org/10.1214/aoms/1177696786
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike

from labelops.measure.codes import BoolArray, FloatArray
from labelops.measure.eprocess import log_e_value, log_e_value_above, log_wanted
from labelops.measure.given import risk_of
from labelops.measure.intervals import Interval, check_counts

__all__ = ["certified_bound", "confidence_sequence", "proven_lower_bound"]

_BISECTIONS = 50


def certified_bound(errors: ArrayLike, n: ArrayLike, risk: float) -> FloatArray:
    """Give the smallest bound the evidence certifies at these counts; 1 when none.

    The smallest over all looks so far is valid at every look.

    Examples
    --------
    >>> certified_bound([0, 1], [178, 325], 0.05).round(4).tolist()
    [0.02, 0.02]
    """
    k, looks = check_counts(errors, n)
    wanted = log_wanted(risk)
    seen = k / np.maximum(looks, 1)
    _, high = _bisected(
        seen, np.ones_like(seen), lambda share: log_e_value(k, looks, share) >= wanted
    )
    return high


def proven_lower_bound(errors: ArrayLike, n: ArrayLike, risk: float) -> FloatArray:
    """Give the largest share the evidence proves to be exceeded at these counts; 0 when none.

    Examples
    --------
    >>> proven_lower_bound([0, 20], [100, 100], 0.05).round(2).tolist()
    [0.0, 0.1]
    """
    k, looks = check_counts(errors, n)
    wanted = log_wanted(risk)
    seen = k / np.maximum(looks, 1)
    low, _ = _bisected(
        np.zeros_like(seen), seen, lambda share: log_e_value_above(k, looks, share) < wanted
    )
    return low


def _bisected(
    low: FloatArray, high: FloatArray, holds: Callable[[FloatArray], BoolArray]
) -> tuple[FloatArray, FloatArray]:
    """Close in, for each pair, on the share from which on something holds."""
    for _ in range(_BISECTIONS):
        middle = (low + high) / 2
        there = holds(middle)
        low, high = np.where(there, low, middle), np.where(there, middle, high)
    return np.asarray(low, dtype=np.float64), np.asarray(high, dtype=np.float64)


def confidence_sequence(
    errors: int, n: int, confidence: float = 0.95, *, risk: float | None = None
) -> Interval:
    """Cover the true share at every look at once, at least `confidence` of the time.

    The shares that neither e-process rejects, each at half the risk: one less the confidence,
    unless it is given, since below 1e-16 the confidence would round to 1.

    Examples
    --------
    >>> interval = confidence_sequence(4, 200)
    >>> round(interval.low, 4), round(interval.high, 4)
    (0.0026, 0.0671)
    """
    each = risk_of(confidence, risk) / 2
    return Interval(
        float(proven_lower_bound(errors, n, each)), float(certified_bound(errors, n, each))
    )
