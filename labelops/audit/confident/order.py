"""Orders that are the same on every machine: by value, then by row."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from labelops.measure.codes import FloatArray, IntArray

__all__ = ["by_class", "ranked", "smallest", "smallest_each"]

_SOME = 1 << 13  # Values looked at for a first guess.


def ranked(rows: IntArray, scores: FloatArray) -> IntArray:
    """Sort rows, which are ascending, the lowest score first, the earlier row at a tie.

    Examples
    --------
    >>> ranked(np.array([0, 2, 3]), np.array([0.5, 0.1, 0.2, 0.2])).tolist()
    [2, 3, 0]
    """
    values = scores[rows]
    narrow = values.astype(np.float32) + np.float32(0)  # No -0.0, whose bits are those of a number.
    if len(rows) and len(scores) <= 1 << 32 and narrow.min() >= 0 and (narrow == values).all():
        # Such floats are ordered as their bits are: with the row behind them, one plain sort.
        keys = narrow.view(np.uint32).astype(np.int64) << 32 | rows
        keys.sort()
        return np.asarray(keys & 0xFFFFFFFF)
    order = np.argsort(values)  # The fast, unstable sort; ties are put right below.
    found, sorted_ = rows[order], values[order]
    same = sorted_[1:] == sorted_[:-1]
    if same.any():
        tied = np.zeros(len(found), dtype=np.bool_)
        tied[1:] |= same
        tied[:-1] |= same
        at = np.flatnonzero(tied)
        found[at] = found[at][np.lexsort((found[at], sorted_[at]))]
    return found.astype(np.int64)


def smallest(values: NDArray[Any], n: int) -> NDArray[np.intp]:
    """Give the places of the n smallest values, ascending; the earlier ones of those that tie.

    Examples
    --------
    >>> smallest(np.array([0.3, 0.1, 0.3, 0.3]), 2).tolist()
    [0, 1]
    """
    if n >= len(values):
        return np.arange(len(values))
    if n <= 0:
        return np.zeros(0, dtype=np.intp)
    near = np.flatnonzero(values <= _bound(values, n))
    if len(near) < n:
        near = np.arange(len(values))
    values = values[near]
    cut = np.partition(values, n - 1)[n - 1]
    found = np.flatnonzero(values <= cut)
    if len(found) > n:
        below = np.flatnonzero(values < cut)
        tied = np.flatnonzero(values == cut)[: n - len(below)]
        found = np.sort(np.concatenate([below, tied]))
    return near[found]


def _bound(values: NDArray[Any], n: int) -> Any:
    """Guess from some values what the n smallest ones do not exceed, so that few are moved."""
    step = max(1, len(values) // _SOME)
    some = values[::step]
    at = n // step + 4 * int((n // step) ** 0.5) + 4  # Four standard deviations above.
    return np.partition(some, at)[at] if at < len(some) else values[:0].dtype.type(np.inf)


def smallest_each(
    group: IntArray, value: FloatArray, row: IntArray, quota: IntArray
) -> NDArray[np.intp]:
    """Give the places of each group's smallest (value, row), as many as its quota says.

    Examples
    --------
    >>> smallest_each(
    ...     np.array([0, 0, 1]), np.array([2.0, 1.0, 5.0]), np.array([7, 8, 9]), np.array([1, 1])
    ... ).tolist()
    [1, 2]
    """
    size = np.bincount(group, minlength=len(quota))
    if (size <= quota).all():
        return np.arange(len(group))
    order = np.lexsort((row, value, group))
    starts = np.cumsum(size) - size
    rank = np.arange(len(order)) - starts[group[order]]
    return np.sort(order[rank < quota[group[order]]])


def by_class(codes: NDArray[np.int32], rows: IntArray, classes: int) -> tuple[IntArray, IntArray]:
    """Sort rows by class, ascending within one; and say where each class starts, (K + 1,).

    Examples
    --------
    >>> found, starts = by_class(np.array([1, 0, 1], dtype=np.int32), np.array([0, 1, 2]), 2)
    >>> found.tolist(), starts.tolist()
    ([1, 0, 2], [0, 1, 3])
    """
    mine = codes[rows]
    small = mine.astype(np.uint16) if classes <= 1 << 16 else mine  # Sixteen bits: radix sort.
    starts = np.zeros(classes + 1, dtype=np.int64)
    np.cumsum(np.bincount(mine, minlength=classes), out=starts[1:])
    return rows[np.argsort(small, kind="stable")], starts
