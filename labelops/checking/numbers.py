"""What columns of numbers hold: features, also as one list a cell, and probabilities."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from ..errors import SourceError, UsageError, counted, shown
from ..measure.codes import FloatArray
from .columns import bad_cell, find_column, row_of

__all__ = ["numbers_of", "probs_of"]

_LISTS = (list, tuple, np.ndarray)
_LARGEST = 1e100
"""Squares of smaller numbers, and their sums, are numbers still."""


def numbers_of(frame: pd.DataFrame, columns: Sequence[str]) -> FloatArray:
    """Return columns of numbers as (N, D); cells that hold lists, such as an embedding, as many.

    Raises
    ------
    SourceError
        A cell that is no finite number, or no list as long as the first, with its row.

    Examples
    --------
    >>> frame = pd.DataFrame({"x": [1, 2], "vector": [[0.5, 1.5], [2.5, 3.5]]})
    >>> numbers_of(frame, ["x", "vector"]).tolist()
    [[1.0, 0.5, 1.5], [2.0, 2.5, 3.5]]
    """
    widths = [_width(find_column(frame, column)) for column in columns]
    ends = np.cumsum([width or 1 for width in widths])
    found = np.empty((len(frame), int(ends[-1]) if len(ends) else 0))
    for column, width, end in zip(columns, widths, ends, strict=True):
        if width is None:
            found[:, end - 1] = _single(frame, column)
        else:
            found[:, end - width : end] = _lists(frame, column, width)
    return found


def _width(cells: pd.Series) -> int | None:
    """Return how many numbers the first cell holds; None where it is no list of some."""
    first = cells.iloc[0] if len(cells) else None
    return len(first) if isinstance(first, _LISTS) and len(first) else None


def _single(frame: pd.DataFrame, column: str) -> FloatArray:
    cells = find_column(frame, column)
    numbers: FloatArray = pd.to_numeric(cells, errors="coerce").to_numpy(
        dtype=np.float64, na_value=np.nan
    )
    bad = np.flatnonzero(~(np.abs(numbers) < _LARGEST))
    if bad.size:
        row = int(bad[0])
        raise bad_cell(frame, row, column, _problem(numbers[row]), cells.iloc[row])
    return numbers


def _lists(frame: pd.DataFrame, column: str, width: int) -> FloatArray:
    found = np.empty((len(frame), width))
    for row, cell in enumerate(find_column(frame, column)):
        if not isinstance(cell, _LISTS) or len(cell) != width:
            problem = f"expected a list of {counted(width, 'number')}, as in the first row"
            raise bad_cell(frame, row, column, problem, cell)
        try:
            found[row] = cell
        except (TypeError, ValueError):
            raise bad_cell(frame, row, column, "expected a list of numbers", cell) from None
        bad = np.flatnonzero(~(np.abs(found[row]) < _LARGEST))
        if bad.size:
            raise bad_cell(frame, row, column, _problem(found[row, bad[0]]), cell[int(bad[0])])
    return found


def _problem(number: float) -> str:
    if np.isfinite(number):
        return f"expected a number below {_LARGEST:g}; divide the column by some power of ten"
    return "expected a number"


def probs_of(
    frame: pd.DataFrame, columns: Mapping[str, str], classes: tuple[str, ...]
) -> FloatArray:
    """Return the probabilities of each class, (N, K), in the order of the classes.

    Raises
    ------
    UsageError
        A class without a column.
    SourceError
        A row that is no distribution.

    Examples
    --------
    >>> frame = pd.DataFrame({"p_cat": [0.9, 0.2], "p_dog": [0.1, 0.8]})
    >>> probs_of(frame, {"cat": "p_cat", "dog": "p_dog"}, ("dog", "cat")).tolist()
    [[0.1, 0.9], [0.8, 0.2]]
    """
    for name in classes:
        if name not in columns:
            raise UsageError(f"there is no column with the probability of the class {shown(name)}")
    found = np.stack([_single(frame, columns[name]) for name in classes], axis=1)
    total = found.sum(axis=1)
    # What was rounded for a spreadsheet sums to one but for its last digits.
    bad = np.flatnonzero((found < 0).any(axis=1) | (np.abs(total - 1) > 0.02))
    if bad.size:
        row = int(bad[0])
        raise SourceError(
            f"these {counted(len(classes), 'probability', 'probabilities')} should be 0 or more "
            f"and sum to 1, but sum to {total[row]:.4g}",
            file=frame.attrs.get("file"),
            row=row_of(frame, row),
            header=int(frame.attrs.get("header", 0)),
        )
    return np.asarray(found / total[:, None], dtype=np.float64)
