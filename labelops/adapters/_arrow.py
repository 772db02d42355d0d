"""Frames of a table ↔ Arrow, in slices, so that rows are never held twice."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.dataset as ds

from ..errors import TableError, shown
from ..tables import Column, TableSpec

__all__ = [
    "ARROW",
    "POOL",
    "SLICE",
    "arrow_schema",
    "arrow_table",
    "frame_of_arrow",
    "parts",
    "slices",
]

ARROW: Mapping[str, Any] = {
    "text": pa.string(),
    "json": pa.string(),
    "floats": pa.list_(pa.float64()),
    "int": pa.int64(),
    "float": pa.float64(),
    "bool": pa.bool_(),
    "time": pa.timestamp("us", tz="UTC"),
}

SLICE = 50_000
"""Rows turned into Arrow, and written as one row group, at a time: bounds an append's memory."""

POOL = pa.system_memory_pool()
"""Where Arrow holds rows on their way: its own pool would keep the memory when they are gone."""


def arrow_schema(spec: TableSpec) -> list[tuple[str, Any]]:
    """Return (column, Arrow type) pairs of a table."""
    return [(column.name, ARROW[column.type]) for column in spec.columns]


def slices(frame: pd.DataFrame) -> Iterator[tuple[int, pd.DataFrame]]:
    """Cut a frame; each part comes with the number of its first row."""
    for start in range(0, len(frame), SLICE):
        yield start, frame.iloc[start : start + SLICE]


def arrow_table(spec: TableSpec, frame: pd.DataFrame, first: int = 0) -> pa.Table:
    """Turn a checked frame into Arrow; messages count its rows from `first`.

    Raises
    ------
    TableError
        If a text cannot be written as UTF-8 (a lone surrogate).
    """
    arrays = []
    for column in spec.columns:
        values = frame[column.name]
        try:
            arrays.append(
                pa.array(values, type=ARROW[column.type], from_pandas=True, memory_pool=POOL)
            )
        except UnicodeEncodeError:
            row = next(i for i, v in enumerate(values) if v is not None and not _is_utf8(v))
            raise TableError(
                spec.name,
                [
                    f"row {first + row}, column {column.name!r}: found {shown(values.iloc[row])}, "
                    "expected text that UTF-8 can hold"
                ],
            ) from None
    return pa.table(arrays, schema=pa.schema(arrow_schema(spec)))


def _is_utf8(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def frame_of_arrow(columns: Sequence[Column], rows: pa.Table) -> pd.DataFrame:
    """Turn Arrow columns into pandas with the declared dtypes."""
    series = {column.name: _series(column, rows[column.name]) for column in columns}
    return pd.DataFrame(series, index=pd.RangeIndex(rows.num_rows))


def parts(scan: ds.Scanner) -> Iterator[pa.Table]:
    """Yield what is read in a few large parts: Arrow never holds all rows beside pandas."""
    waiting: list[pa.RecordBatch] = []
    rows, whole = 0, True
    for batch in scan.to_batches():
        waiting.append(batch)
        rows += batch.num_rows
        if rows >= 2 * SLICE:
            yield pa.Table.from_batches(waiting)
            waiting, rows, whole = [], 0, False
    if waiting or whole:
        yield pa.Table.from_batches(waiting, schema=scan.projected_schema)


def _series(column: Column, cells: pa.ChunkedArray) -> pd.Series:
    if column.type == "floats":
        return pd.Series(_lists(cells), dtype=object)
    if column.pandas == "Int64":
        return cells.to_pandas(types_mapper={pa.int64(): pd.Int64Dtype()}.get)
    if column.pandas == "boolean":
        return cells.to_pandas(types_mapper={pa.bool_(): pd.BooleanDtype()}.get)
    return cells.to_pandas().astype(column.pandas)


def _lists(cells: pa.ChunkedArray) -> np.ndarray[Any, np.dtype[np.object_]]:
    """Split a list column into 1-D arrays that share one buffer; a missing cell is None."""
    result = np.empty(len(cells), dtype=object)
    at = 0
    for chunk in cells.chunks:
        flat = chunk.values.to_numpy(zero_copy_only=False)  # noqa: PD011 (Arrow, not pandas)
        starts = chunk.offsets.to_numpy().tolist()
        valid = chunk.is_valid().to_numpy(zero_copy_only=False).tolist()
        for row, here in enumerate(valid):
            if here:
                result[at + row] = flat[starts[row] : starts[row + 1]]
        at += len(chunk)
    return result
