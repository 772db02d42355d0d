"""Frames that keep a table's contract: made from columns, checked, and read back."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from functools import cache

import numpy as np
import numpy.typing as npt
import pandas as pd

from ..errors import TableError
from .cells import NUMPY, TIME, Cells, cells_of, coerce, describe, is_as_declared
from .contract import Column, TableSpec

__all__ = ["check", "empty", "frame_of", "probs_matrix"]

_OF_TYPE = {"text": str, "json": str, "int": int, "float": float, "bool": bool}


def empty(spec: TableSpec) -> pd.DataFrame:
    """Return the table with no rows and the right dtypes.

    Examples
    --------
    >>> from labelops.tables import VOTES
    >>> len(empty(VOTES)), str(empty(VOTES)["given_at"].dtype)
    (0, 'datetime64[us, UTC]')
    """
    return _empty(spec).copy()


@cache
def _empty(spec: TableSpec) -> pd.DataFrame:
    return pd.DataFrame({c.name: pd.Series([], dtype=c.pandas) for c in spec.columns})


def frame_of(spec: TableSpec, columns: Mapping[str, object], rows: int) -> pd.DataFrame:
    """Build and check a table from columns; a scalar fills its column, an absent one is missing.

    Parameters
    ----------
    spec : TableSpec
        The table.
    columns : mapping
        Column name → sequence of `rows` values, or one scalar (text, number, time, None).
    rows : int
        The number of rows.

    Raises
    ------
    TableError
        As `check`.

    Examples
    --------
    >>> from datetime import datetime, UTC
    >>> from labelops.tables import EVENTS
    >>> frame_of(EVENTS, {"event_id": ["a", "b"], "kind": "round", "subject": "digits",
    ...     "revision": 0, "body": "{}", "at": datetime(2026, 1, 1, tzinfo=UTC)}, 2).shape
    (2, 6)
    """
    unknown = sorted(set(columns) - set(spec.names))
    if unknown:
        raise TableError(spec.name, [f"column {unknown[0]!r} is not one of the table's"])
    cells = {c.name: _cells(c, columns.get(c.name), rows) for c in spec.columns}
    return _checked(spec, cells, rows)


def _cells(column: Column, values: object, rows: int) -> Cells:
    """Return the cells of a column as they were given; a scalar in every row."""
    if isinstance(values, pd.Series):
        return cells_of(values)
    if isinstance(values, str) or not isinstance(values, Iterable):
        filled = _filled(column, values, rows)
        return pd.Series([values] * rows).array if filled is None else filled
    if column.pandas == "object":
        return pd.Series(values, dtype=object).to_numpy()
    return cells_of(pd.Series(values))


def _filled(column: Column, value: object, rows: int) -> Cells | None:
    """Fill a column with one value of its own type; None if the value is of another."""
    if value is None and column.nullable:
        if column.pandas in NUMPY:
            return np.full(rows, np.nan if column.type == "float" else None, NUMPY[column.pandas])
        return pd.array([None] * rows, dtype=column.pandas)
    if column.type == "time":
        aware = isinstance(value, datetime) and value.tzinfo is not None
        return pd.array([value], dtype=TIME).repeat(rows) if aware else None
    if _OF_TYPE.get(column.type) is not type(value) or column.pandas not in NUMPY:
        return None
    return np.full(rows, value, dtype=NUMPY[column.pandas])


def check(spec: TableSpec, frame: pd.DataFrame) -> pd.DataFrame:
    """Return the frame with the table's columns, order and dtypes, or name every bad row.

    Columns the table does not have are refused; rows keep their order; the index is renewed.
    Duplicate keys are allowed: rows are events (see `newest`).

    Raises
    ------
    TableError
        With one line a problem: row (from 0), column, value, what was expected.

    Examples
    --------
    >>> from labelops.tables import VOTES
    >>> check(VOTES, empty(VOTES).drop(columns="round"))
    Traceback (most recent call last):
    labelops.errors.TableError: table votes: column 'round' is missing
    """
    problems = [f"column {n!r} is missing" for n in spec.names if n not in frame.columns]
    problems += [
        f"column {n!r} is not one of the table's" for n in frame.columns if n not in spec.names
    ]
    if problems:
        raise TableError(spec.name, problems)
    if not len(frame):
        return empty(spec)
    return _checked(spec, {name: cells_of(frame[name]) for name in spec.names}, len(frame))


def _checked(spec: TableSpec, columns: Mapping[str, Cells], rows: int) -> pd.DataFrame:
    result: dict[str, Cells] = {}
    problems: list[str] = []
    for column in spec.columns:
        cells = columns[column.name]
        if not is_as_declared(column, cells):
            series = pd.Series(cells)
            cells, bad = coerce(column, series)
            problems += describe(column, series, bad)
        result[column.name] = cells
    if problems:
        raise TableError(spec.name, problems)
    return pd.DataFrame(result, index=pd.RangeIndex(rows))


def probs_matrix(cells: pd.Series, classes: int) -> npt.NDArray[np.float64]:
    """Stack a `floats` column into an (N, K) matrix; a missing cell is a row of NaN.

    Parameters
    ----------
    cells : pandas.Series
        N cells, each a (K,) array or None.
    classes : int
        K.

    Raises
    ------
    TableError
        If a cell has another length than K.

    Examples
    --------
    >>> probs_matrix(pd.Series([np.array([0.2, 0.8]), None]), 2).tolist()
    [[0.2, 0.8], [nan, nan]]
    """
    result = np.full((len(cells), classes), np.nan)
    known = cells.notna().to_numpy()
    rows = [np.asarray(cell, dtype=np.float64) for cell in cells[known]]
    wrong = next((i for i, row in enumerate(rows) if row.shape != (classes,)), None)
    if wrong is not None:
        raise TableError(
            "proposals",
            [
                f"row {np.flatnonzero(known)[wrong]}, column 'probs': found "
                f"{rows[wrong].shape[0]} numbers, expected {classes}"
            ],
        )
    if rows:
        result[known] = np.concatenate(rows).reshape(-1, classes)
    return result
