"""Thresholds: each class's mean self-confidence, from sums that are exact in any order."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from labelops.errors import UsageError, shown
from labelops.measure.codes import FloatArray, IntArray

__all__ = ["EDGE", "checked_thresholds", "limits_of", "means"]

EDGE = 1e-6  # A probability this close below its threshold counts as reaching it.
_LEAST = 2e-6  # No threshold is lower, or every row would belong to every class.


def means(high: IntArray, low: IntArray, count: IntArray) -> FloatArray:
    """Turn integer sums into thresholds, each the float nearest to the exact mean.

    A probability is added as a whole number of 2⁻⁶⁰: its first 30 binary digits to `high`, the
    next 30, rounded, to `low`. Integer sums do not depend on the order of their terms, so rows
    may be cut into blocks and shards anywhere.

    Parameters
    ----------
    high, low, count : (K,) int
        Of the items labeled with each class.

    Returns
    -------
    (K,) float, at least 2e-6; infinity for a class nobody has.

    Examples
    --------
    >>> means(np.array([3 << 28, 0]), np.array([0, 0]), np.array([1, 0])).tolist()
    [0.75, inf]
    """
    rows = zip(high.tolist(), low.tolist(), count.tolist(), strict=True)
    # Python's division of integers is correctly rounded, however long they are.
    found = [((h << 30) + x) / (n << 60) if n else np.inf for h, x, n in rows]
    return np.maximum(np.array(found, dtype=np.float64), _LEAST)


def checked_thresholds(thresholds: ArrayLike, classes: int) -> FloatArray:
    """Return given thresholds as (K,) floats.

    Raises
    ------
    UsageError
        There is not one number a class, or one is NaN or negative.

    Examples
    --------
    >>> checked_thresholds([[0.5], [np.inf]], 2).tolist()
    [0.5, inf]
    """
    try:
        given = np.asarray(thresholds, dtype=np.float64).reshape(-1)
    except (TypeError, ValueError):
        raise UsageError(
            f"thresholds: expected {classes} numbers, one a class, found {shown(thresholds)}"
        ) from None
    if len(given) != classes:
        raise UsageError(f"found {len(given)} thresholds for {classes} classes")
    bad = np.flatnonzero(~(given >= 0))
    if bad.size:
        raise UsageError(f"thresholds: class {bad[0]} has {given[bad[0]]}, expected 0 or more")
    return given


def limits_of(limits: NDArray[Any], dtype: np.dtype[Any]) -> NDArray[Any]:
    """Give the least floats of a dtype that are not below the limits, as their integers.

    Comparing with those is comparing with the limits themselves.

    Examples
    --------
    >>> limits_of(np.array([0.1]), np.dtype(np.float32)).view(np.float32) >= np.float64(0.1)
    array([ True])
    """
    wanted = np.maximum(limits.astype(np.float64), 0.0)
    nearest = wanted.astype(dtype)
    below = nearest.astype(np.float64) < wanted
    nearest[below] = np.nextafter(nearest[below], dtype.type(np.inf))
    integer = np.dtype(np.int32 if dtype.itemsize == 4 else np.int64)
    return np.asarray(nearest + dtype.type(0)).view(integer)
