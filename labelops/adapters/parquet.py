"""Frames as Parquet bytes and back: equal frames give equal bytes, dtypes survive.

The pandas dtypes are kept in the file's own metadata, so a decoded frame equals the encoded
one; other tools read the file as any other Parquet file.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from ..errors import IntegrityError, TableError, shown

__all__ = ["decode_parquet", "encode_parquet"]

_ROW_GROUP = 65_536
_DTYPES = "labelops.dtypes"
_IMAGE = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
_ARROW: Mapping[str, Any] = {
    "text": pa.string(),
    "json": pa.string(),
    "floats": pa.list_(pa.float64()),
    "bytes": pa.binary(),
    "image": _IMAGE,
    "int": pa.int64(),
    "float": pa.float64(),
    "bool": pa.bool_(),
    "time": pa.timestamp("us", tz="UTC"),
}
_OF_DTYPE = {
    "int64": "int",
    "Int64": "int",
    "float64": "float",
    "bool": "bool",
    "boolean": "bool",
    "datetime64[us, UTC]": "time",
}


def encode_parquet(
    frame: pd.DataFrame,
    types: Mapping[str, str] | None = None,
    metadata: Mapping[str, str] | None = None,
) -> bytes:
    """Write a frame as one Parquet file; the index is left out.

    Parameters
    ----------
    frame : pandas.DataFrame
        Columns of int64, Int64, float64, bool, boolean, UTC microseconds, or objects.
    types : mapping of column to type, optional
        What object columns hold: text, json, floats (1-D arrays), bytes, or image (objects
        with `bytes` and `path`). Where nothing is said, the first cell that is not missing
        decides, and a column without any is text.
    metadata : mapping of str to str, optional
        Kept in the file's own metadata, where every reader of Parquet finds it.

    Raises
    ------
    TableError
        Naming the column, and the row where one is at fault, that does not fit its type.

    Examples
    --------
    >>> frame = pd.DataFrame({"n": [1, 2], "t": ["NA", None]})
    >>> decode_parquet(encode_parquet(frame)).equals(frame)
    True
    """
    names = [str(name) for name in frame.columns]
    kinds = [_kind(frame[name], (types or {}).get(name)) for name in frame.columns]
    arrays = [
        _array(name, frame[column], kind)
        for name, column, kind in zip(names, frame.columns, kinds, strict=True)
    ]
    dtypes = {name: str(frame[column].dtype) for name, column in zip(names, frame, strict=True)}
    schema = pa.schema(
        [(name, _ARROW[kind]) for name, kind in zip(names, kinds, strict=True)],
        metadata={**(metadata or {}), _DTYPES: json.dumps(dtypes)},
    )
    sink = pa.BufferOutputStream()
    pq.write_table(
        pa.table(arrays, schema=schema), sink, row_group_size=_ROW_GROUP, compression="zstd"
    )
    content: bytes = sink.getvalue().to_pybytes()
    return content


def decode_parquet(content: bytes) -> pd.DataFrame:
    """Read a frame that `encode_parquet` wrote, with its dtypes.

    Raises
    ------
    IntegrityError
        If the bytes are no Parquet file, or a damaged one.
    """
    table = _open(content)
    dtypes = json.loads((table.schema.metadata or {}).get(_DTYPES.encode(), b"{}"))
    columns = {name: _series(table[name], dtypes.get(name)) for name in table.column_names}
    return pd.DataFrame(columns, index=pd.RangeIndex(table.num_rows))


def _kind(series: pd.Series, said: str | None) -> str:
    if said is not None:
        return said
    if str(series.dtype) != "object":
        kind = _OF_DTYPE.get(str(series.dtype))
        if kind is None:
            raise TableError(
                "parquet", [f"column {series.name!r}: no Parquet type for dtype {series.dtype}"]
            )
        return kind
    first = next((cell for cell in series if cell is not None and cell is not pd.NA), None)
    if isinstance(first, bytes):
        return "bytes"
    if isinstance(first, Mapping):
        return "image"
    return "floats" if isinstance(first, np.ndarray | list | tuple) else "text"


def _array(name: str, series: pd.Series, kind: str) -> Any:
    try:
        return pa.array(series, type=_ARROW[kind], from_pandas=True)
    except UnicodeEncodeError:
        row = next(i for i, cell in enumerate(series) if not _is_utf8(cell))
        problem = f"row {row}, column {name!r}: found {shown(series.iloc[row])}, "
        raise TableError("parquet", [f"{problem}expected text that UTF-8 can hold"]) from None
    except (pa.ArrowException, TypeError, ValueError) as error:
        problem = f"column {name!r}: expected {kind}: {_one_line(error)}"
        raise TableError("parquet", [problem]) from None


def _is_utf8(cell: object) -> bool:
    try:
        str(cell).encode()
    except UnicodeEncodeError:
        return False
    return True


def _open(content: bytes) -> Any:
    try:
        return pq.ParquetFile(pa.BufferReader(content)).read()
    except (pa.ArrowException, OSError) as error:
        raise IntegrityError(f"these bytes are no Parquet file: {_one_line(error)}") from error


def _one_line(error: BaseException) -> str:
    return " ".join(str(error).split())[:200]


def _series(cells: Any, dtype: str | None) -> pd.Series:
    if pa.types.is_list(cells.type):
        return pd.Series(_lists(cells), dtype=object)
    if dtype == "Int64":
        return cells.to_pandas(types_mapper={pa.int64(): pd.Int64Dtype()}.get)
    if dtype == "boolean":
        return cells.to_pandas(types_mapper={pa.bool_(): pd.BooleanDtype()}.get)
    series = cells.to_pandas()
    return series if dtype is None else series.astype(dtype)


def _lists(cells: Any) -> npt.NDArray[np.object_]:
    result = np.empty(len(cells), dtype=object)
    for row, cell in enumerate(cells.to_pylist()):
        result[row] = None if cell is None else np.asarray(cell, dtype=np.float64)
    return result
