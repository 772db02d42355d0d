"""One column's cells: whether they are as declared, else made so or named as wrong."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from pandas.api.types import infer_dtype

from ..errors import shown
from .contract import Column

__all__ = ["NUMPY", "TIME", "Cells", "cells_of", "coerce", "describe", "is_as_declared"]

# One column's cells, one a row, in numpy's or pandas' array: both know dtype, len and repeat.
Cells = Any

_Bad = npt.NDArray[np.bool_]
TIME = pd.DatetimeTZDtype("us", "UTC")
NUMPY = {name: np.dtype(name) for name in ("object", "int64", "float64", "bool")}


def cells_of(series: pd.Series) -> Cells:
    """Return a series' cells without its index, by which pandas would align rows."""
    return series.to_numpy() if isinstance(series.dtype, np.dtype) else series.array


def is_as_declared(column: Column, cells: Cells) -> bool:
    """Say, quickly, that all cells are right, as they come from our own code."""
    if column.type == "time":
        return cells.dtype == TIME and (column.nullable or not cells.isna().any())
    if cells.dtype != NUMPY.get(column.pandas, column.pandas):
        return False
    if column.pandas not in NUMPY:
        cells = cells.dropna().to_numpy(dtype=np.float64)  # nullable: Int64, boolean
    if column.type == "floats":
        vectors = [cell for cell in cells if cell is not None]
        whole = (column.nullable or len(vectors) == len(cells)) and all(map(_is_vector, vectors))
        return whole and bool(np.isfinite(np.concatenate([[], *vectors])).all())
    if column.pandas == "object":
        texts = infer_dtype(cells, skipna=False) == "string"
        if not texts and not (column.nullable and set(map(type, cells)) <= {str, type(None)}):
            return False
        return not column.among or {*column.among, None}.issuperset(cells)
    if column.type == "bool":
        return True
    if not column.nullable and column.type == "float" and np.isnan(cells).any():
        return False
    return not ((cells < column.low) | (cells > column.high)).any()


def _is_vector(cell: object) -> bool:
    return type(cell) is np.ndarray and cell.dtype == np.float64 and cell.ndim == 1


def coerce(column: Column, series: pd.Series) -> tuple[pd.Series, _Bad]:
    """Return a column's cells as declared, and which of its (N,) rows cannot be: those are bad."""
    if column.type in ("text", "json"):
        return _coerce_text(column, series)
    if column.type == "floats":
        return _coerce_each(column, series)
    if column.type == "time":
        return _coerce_time(column, series)
    return _coerce_number(column, series)


def _none(series: pd.Series) -> _Bad:
    return np.zeros(len(series), dtype=bool)


def _coerce_text(column: Column, series: pd.Series) -> tuple[pd.Series, _Bad]:
    missing = series.isna().to_numpy()
    values = series.astype(object)
    if missing.any():
        values = values.where(~missing, None)
    bad = missing & (not column.nullable) | ~_is_text(values, missing)
    if column.among:
        bad |= ~missing & ~values.isin(column.among).to_numpy()
    return values, bad


def _is_text(values: pd.Series, missing: _Bad) -> _Bad:
    """Say which cells are text or missing; only where one is neither are all looked at."""
    if infer_dtype(values, skipna=True) in ("string", "empty"):
        return np.ones(len(values), dtype=bool)
    found = np.fromiter((isinstance(v, str) for v in values), dtype=bool, count=len(values))
    return np.asarray(missing | found)


def _coerce_each(column: Column, series: pd.Series) -> tuple[pd.Series, _Bad]:
    cells: list[object] = []
    bad = _none(series)
    for row, cell in enumerate(series):
        if cell is None or (isinstance(cell, float) and np.isnan(cell)) or cell is pd.NA:
            bad[row] = not column.nullable
            cells.append(None)
            continue
        try:
            array = np.asarray(cell, dtype=np.float64)
            bad[row] = array.ndim != 1 or not np.isfinite(array).all()
        except (TypeError, ValueError):
            array, bad[row] = np.empty(0), True
        cells.append(array)
    result = pd.Series(np.empty(len(cells), dtype=object))
    result[:] = cells
    return result, bad


def _coerce_time(column: Column, series: pd.Series) -> tuple[pd.Series, _Bad]:
    missing = series.isna().to_numpy()
    if series.dtype == TIME:
        return series, missing & (not column.nullable)
    times = pd.to_datetime(series, utc=True, errors="coerce")
    bad = times.isna().to_numpy() & ~(missing & column.nullable)
    return times.astype(TIME), bad


def _coerce_number(column: Column, series: pd.Series) -> tuple[pd.Series, _Bad]:
    missing = series.isna().to_numpy()
    numbers = pd.to_numeric(series, errors="coerce").astype("Float64")
    plain = numbers.to_numpy(dtype=np.float64, na_value=np.nan)
    unread = np.isnan(plain) & ~missing
    bad = unread | (missing & (not column.nullable))
    with np.errstate(invalid="ignore"):
        bad |= (plain < column.low) | (plain > column.high)
        if column.type in ("int", "bool"):
            bad |= ~np.isnan(plain) & (plain != np.floor(plain))
        if column.type == "bool":
            bad |= (plain < 0) | (plain > 1)
    if bad.any():
        return series, bad
    if column.type == "float":
        return pd.Series(plain), bad
    if column.type == "int" and not column.nullable:
        # Exact: a float64 would round integers above 2**53, such as microseconds times 1000.
        return pd.to_numeric(series).astype("int64"), bad
    return numbers.astype(column.pandas), bad


def describe(column: Column, series: pd.Series, bad: _Bad) -> list[str]:
    """Name the bad rows of a column, the first hundred: where, what was found, what expected."""
    if not bad.any():
        return []
    expected = " or ".join(column.among) if column.among else column.type
    if column.low > -np.inf or column.high < np.inf:
        expected += f" in [{column.low:g}, {column.high:g}]"
    rows = np.flatnonzero(bad)
    return [
        f"row {row}, column {column.name!r}: found {shown(series.iloc[row])}, expected {expected}"
        for row in rows[:100]
    ]
