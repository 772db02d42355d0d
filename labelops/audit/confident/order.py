"""Orders that are the same on every machine: by value, then by row."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from labelops.measure.codes import BoolArray, FloatArray, IntArray

__all__ = ["by_class", "ranked", "smallest", "smallest_each"]


def ranked(mask: BoolArray, scores: FloatArray) -> IntArray:
    """List the rows of a mask, the lowest score first, the earlier row at a tie.

    Examples
    --------
    >>> ranked(np.array([True, False, True, True]), np.array([0.5, 0.1, 0.2, 0.2])).tolist()
    [2, 3, 0]
    """
    rows = np.flatnonzero(mask)
    values = scores[rows]
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
    cut = np.partition(values, n - 1)[n - 1]
    found = np.flatnonzero(values <= cut)
    if len(found) == n:
        return found
    below = np.flatnonzero(values < cut)
    return np.sort(np.concatenate([below, np.flatnonzero(values == cut)[: n - len(below)]]))


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
