"""Rows of narrow tables, a column at a time: a row costs numpy more than the numbers in it."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from labelops.measure.codes import FloatArray, IntArray

__all__ = ["NARROW", "count_equal", "first_largest", "first_largest_down", "row_totals"]

NARROW = 48  # With fewer columns a loop over them is the faster way; an int8 counts them.


def count_equal(table: NDArray[Any], values: NDArray[Any]) -> IntArray:
    """Count in each row what equals its value.

    Examples
    --------
    >>> count_equal(np.array([[1, 3, 3], [2, 0, 1]]), np.array([3, 2])).tolist()
    [2, 1]
    """
    if table.shape[1] >= NARROW:
        return np.asarray(np.count_nonzero(table == values[:, None], axis=1), dtype=np.int64)
    found = np.zeros(len(table), dtype=np.int8)
    for column in np.ascontiguousarray(table.T):
        found += column == values
    return found.astype(np.int64)


def first_largest(table: NDArray[Any]) -> tuple[IntArray, NDArray[Any]]:
    """Give the first column that holds each row's largest number, and that number.

    Examples
    --------
    >>> at, most = first_largest(np.array([[1, 3, 3], [2, 0, 1]]))
    >>> at.tolist(), most.tolist()
    ([1, 0], [3, 2])
    """
    if table.shape[1] >= NARROW:
        at = table.argmax(axis=1)
        return at, table[np.arange(len(table)), at]
    return first_largest_down(np.ascontiguousarray(table.T))


def first_largest_down(columns: NDArray[Any]) -> tuple[IntArray, NDArray[Any]]:
    """Do what `first_largest` does for a narrow table that lies column by column.

    Examples
    --------
    >>> at, most = first_largest_down(np.array([[1, 2], [3, 0], [3, 1]]))
    >>> at.tolist(), most.tolist()
    ([1, 0], [3, 2])
    """
    most = columns[0].copy()
    at, better = np.zeros(len(most), dtype=np.int8), np.empty(len(most), dtype=np.bool_)
    step = better.view(np.int8)
    for k in range(1, len(columns)):
        np.greater(columns[k], most, out=better)
        # Bytes multiplied and compared, many at once, where a masked copy goes one by one.
        np.multiply(step, np.int8(k), out=step)
        np.maximum(at, step, out=at)
        np.maximum(most, columns[k], out=most)
    return at.astype(np.int64), most


def row_totals(table: FloatArray) -> FloatArray:
    """Add up rows from left to right whatever their length, as a kernel does, (N, 1).

    Examples
    --------
    >>> row_totals(np.array([[0.25, 0.5], [1.0, 2.0]])).tolist()
    [[0.75], [3.0]]
    """
    if table.shape[1] >= NARROW:
        return np.add.accumulate(table, axis=1)[:, -1:]
    total = table[:, :1].copy()
    for k in range(1, table.shape[1]):
        total += table[:, k : k + 1]
    return total
