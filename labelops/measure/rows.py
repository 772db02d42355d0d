"""Rows of narrow tables, a column at a time: a row costs numpy more than the numbers in it."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from labelops.measure.codes import FloatArray, IntArray

__all__ = [
    "NARROW",
    "count_equal",
    "first_largest",
    "first_largest_down",
    "row_largest",
    "row_totals",
]

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
    at, most = first_largest_down(np.ascontiguousarray(table.T))
    return at.astype(np.int64), most


def first_largest_down(
    columns: NDArray[Any], marks: NDArray[np.int8] | None = None
) -> tuple[NDArray[np.int8], NDArray[Any]]:
    """Do what `first_largest` does for a narrow table that lies column by column.

    Parameters
    ----------
    columns : (K, n) array
        K is at most 127.
    marks : (K, n) int8, optional
        Room to work in.

    Examples
    --------
    >>> at, most = first_largest_down(np.array([[1, 2], [3, 0], [3, 1]]))
    >>> at.tolist(), most.tolist()
    ([1, 0], [3, 2])
    """
    most = np.maximum.reduce(columns, axis=0)
    # The first of several has the largest mark. Bytes multiplied and compared, many at once.
    held = None if marks is None else marks.view(np.bool_)
    marks = np.equal(columns, most, out=held).view(np.int8)
    marks *= np.arange(len(columns), 0, -1, dtype=np.int8)[:, None]
    return np.int8(len(columns)) - np.maximum.reduce(marks, axis=0), most


def row_largest(table: NDArray[Any]) -> NDArray[Any]:
    """Give the largest number of each row, (N, 1).

    Examples
    --------
    >>> row_largest(np.array([[1, 3], [2, 0]])).tolist()
    [[3], [2]]
    """
    if table.shape[1] >= NARROW:
        return np.asarray(table.max(axis=1, keepdims=True))
    most = table[:, :1].copy()
    for k in range(1, table.shape[1]):
        np.maximum(most, table[:, k : k + 1], out=most)
    return most


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
