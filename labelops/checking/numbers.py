"""What columns of numbers hold: features, also as one list a cell, and probabilities."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ..errors import SourceError, UsageError, counted, shown
from ..measure.codes import BoolArray, FloatArray, IntArray
from .columns import Evidence, bad_cell, find_column, row_of

__all__ = [
    "array_probs",
    "array_rows",
    "as_by_chance",
    "check_shapes",
    "named_numbers",
    "numbers_of",
    "probs_of",
]

_LISTS = (list, tuple, np.ndarray)
_NAMED = 6
_ENOUGH, _SURE, _LEAST = 50, 3.0, 1e-9
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


def named_numbers(frame: pd.DataFrame, evidence: Evidence) -> list[str]:
    """Return what each column of numbers is called, in the order in which they are read.

    Examples
    --------
    >>> frame = pd.DataFrame({"x": [1], "vector": [[0.5, 1.5]]})
    >>> named_numbers(frame, Evidence(features=["x", "vector"]))
    ["'x'", "'vector' 1", "'vector' 2"]
    """
    widths = [(name, int(array.shape[1])) for name, array in evidence.vectors.items()]
    found = [f"{shown(name)} {n + 1}" for name, width in widths for n in range(width)]
    for name in evidence.features:
        width = _width(find_column(frame, name))
        found += (
            [shown(name)] if width is None else [f"{shown(name)} {n + 1}" for n in range(width)]
        )
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
        problem = _problem(numbers[row]) + _comma(cells.iloc[row])
        raise bad_cell(frame, row, column, problem, cells.iloc[row])
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


def _comma(cell: object) -> str:
    """Say what to do where a number has a comma for its point; nothing of other cells."""
    plain = isinstance(cell, str) and cell.count(",") == 1 and cell.replace(",", "").strip("- ")
    return "; write a point for the comma" if plain and plain.isdigit() else ""


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
            there = ", ".join(map(shown, list(columns.values())[:_NAMED]))
            more = ", …" if len(columns) > _NAMED else ""
            raise UsageError(
                f"there is no column with the probability of the class {shown(name)}; there are "
                f"{there}{more}: each has to be named as its class is"
            )
    found = np.stack([_single(frame, columns[name]) for name in classes], axis=1)
    total = found.sum(axis=1)
    # What was rounded for a spreadsheet sums to one but for its last digits.
    bad = np.flatnonzero(_no_distribution(found, total))
    if bad.size:
        row = int(bad[0])
        raise SourceError(
            _said_sum(len(classes), total[row]) + _left_out(columns, classes),
            file=frame.attrs.get("file"),
            row=row_of(frame, row),
            header=int(frame.attrs.get("header", 0)),
        )
    return np.asarray(found / total[:, None], dtype=np.float64)


def _no_distribution(found: FloatArray, total: FloatArray) -> BoolArray:
    return ~((found >= 0).all(axis=1) & (np.abs(total - 1) <= 0.02))


def _said_sum(classes: int, total: float) -> str:
    numbers = counted(classes, "probability", "probabilities")
    return f"these {numbers} should be 0 or more and sum to 1, but sum to {total:.4g}"


def _left_out(columns: Mapping[str, str], classes: Sequence[str]) -> str:
    """Say which columns are of no class, and what makes classes of them."""
    other = [shown(column) for name, column in columns.items() if name not in classes]
    if not other:
        return ""
    listed = ", ".join(other[:_NAMED]) + (", …" if len(other) > _NAMED else "")
    return f"; not counting {listed}, for no row has such a label: list all classes (classes)"


def check_shapes(evidence: Evidence, rows: int, classes: Sequence[str]) -> None:
    """Refuse arrays that are not of these rows, or not of these classes.

    Raises
    ------
    UsageError
        With both numbers, and what the classes are.

    Examples
    --------
    >>> check_shapes(Evidence(vectors={"e.npy": np.zeros((3, 2))}), 4, ("a", "b"))
    Traceback (most recent call last):
    labelops.errors.UsageError: e.npy: 3 rows, but 4 rows of data; expected one each, in their order
    """
    arrays = {n: m for n, m in evidence.opinions.items() if not isinstance(m, Mapping)}
    for name, array in {**evidence.vectors, **arrays}.items():
        if len(array) != rows:
            raise UsageError(
                f"{name}: {counted(len(array), 'row')}, but {counted(rows, 'row')} of data; "
                "expected one each, in their order"
            )
    for name, array in arrays.items():
        if array.shape[1] != len(classes):
            listed = ", ".join(map(shown, classes[:20])) + (", …" if len(classes) > 20 else "")
            raise UsageError(
                f"{name}: {counted(array.shape[1], 'column')}, but "
                f"{counted(len(classes), 'class', 'classes')}: {listed}; list the columns' classes "
                "in their order (classes)"
            )


def array_rows(name: str, array: NDArray[Any], place: IntArray) -> FloatArray:
    """Return some rows of an array of numbers as (M, D) of floats.

    Raises
    ------
    SourceError
        A number is missing, infinite or too large to be squared; its row is counted from 1.

    Examples
    --------
    >>> array_rows("e.npy", np.array([[1], [2], [3]]), np.array([0, 2])).tolist()
    [[1.0], [3.0]]
    """
    every = len(place) == len(array)
    found = np.array(array if every else array[place], dtype=np.float64)
    bad = np.flatnonzero(~(np.abs(found) < _LARGEST).all(axis=1))
    if bad.size:
        row = int(bad[0])
        number = found[row][~(np.abs(found[row]) < _LARGEST)][0]
        raise SourceError(_problem(number), file=name, row=int(place[row]) + 1, value=float(number))
    return found


def as_by_chance(probs: FloatArray, codes: IntArray) -> bool:
    """Say whether probabilities tell no more of the labels than those of rows in any other order.

    By how much probability the labels get, against all orders of the rows: less than three
    standard deviations above what they get on average. Never of fewer than 50 labels.

    References
    ----------
    Hoeffding 1951, https://doi.org/10.1214/aoms/1177729545

    Examples
    --------
    >>> codes = np.arange(60) % 2
    >>> as_by_chance(np.eye(2)[codes], codes), as_by_chance(np.eye(2)[codes // 2], codes)
    (False, True)
    """
    known = np.flatnonzero(codes >= 0)
    N = len(known)
    if N < _ENOUGH:
        return False
    said, labels = probs[known], codes[known]
    share = np.bincount(labels, minlength=said.shape[1]) / N
    apart = said - (said @ share)[:, None] - said.mean(axis=0) + said.mean(axis=0) @ share
    spread = np.sqrt((apart**2 @ share).sum() * N / (N - 1))
    return bool(apart[np.arange(N), labels].sum() <= _SURE * max(spread, _LEAST))


def array_probs(name: str, array: NDArray[Any], place: IntArray) -> FloatArray:
    """Return some rows of an array of probabilities, each with the sum 1.

    Raises
    ------
    SourceError
        A row that is no distribution, counted from 1.

    Examples
    --------
    >>> array_probs("p.npy", np.float16([[0.1, 0.9]]), np.array([0])).sum()
    np.float64(1.0)
    """
    found = array_rows(name, array, place)
    total = found.sum(axis=1)
    bad = np.flatnonzero(_no_distribution(found, total))
    if bad.size:
        row = int(bad[0])
        problem = _said_sum(found.shape[1], total[row])
        raise SourceError(
            f"{problem}; logits become probabilities by scipy.special.softmax(logits, axis=1)",
            file=name, row=int(place[row]) + 1,
        )  # fmt: skip
    return np.asarray(found / total[:, None])
