"""Tables as users bring them: pandas, Arrow and whatever gives Arrow, or a dict of columns."""

from __future__ import annotations

from collections.abc import Mapping, Sized
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias, TypeGuard

import numpy as np
import numpy.typing as npt
import pandas as pd

from ..errors import UsageError, shown

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["ArrowStream", "Table", "as_frame", "is_table"]


class ArrowStream(Protocol):
    """What gives its rows by Arrow's C interface: a pyarrow Table, polars, a duckdb relation."""

    def __arrow_c_stream__(self, requested_schema: object | None = None) -> object:
        """Return a capsule with the rows."""


Table: TypeAlias = "pd.DataFrame | ArrowStream | Mapping[str, Any]"


def is_table(given: object) -> TypeGuard[Table]:
    """Say whether something is a table of named columns, as far as its type tells.

    Examples
    --------
    >>> is_table({"item": [7]}), is_table(pd.Series([7])), is_table(["ann", "ben"])
    (True, False, False)
    """
    if isinstance(given, pd.Series):
        return False
    return isinstance(given, pd.DataFrame | Mapping) or hasattr(given, "__arrow_c_stream__")


def as_frame(name: str, given: Table, instead: str = "") -> pd.DataFrame:
    """Return a table as a frame; a frame stays the very one it is.

    Whole numbers with gaps stay whole numbers (in a column of objects), dictionaries are read as
    what they stand for, and rows are numbered from 0: neither Arrow nor a dict has an index.

    Parameters
    ----------
    name : str
        What errors call it.
    given : frame, or anything with ``__arrow_c_stream__``, or mapping of columns
    instead : str
        What else the caller takes.

    Raises
    ------
    UsageError
        It is none of these, Arrow cannot read it, or columns are not flat or of one length.

    Examples
    --------
    >>> import pyarrow as pa
    >>> as_frame("votes", pa.table({"item": [7, None]})).to_dict("list")
    {'item': [7, None]}
    >>> as_frame("votes", {"item": [7, 8], "label": ("cat", "dog")}).shape
    (2, 2)
    """
    if isinstance(given, pd.DataFrame):
        return given
    if isinstance(given, Mapping):
        return _frame_of_columns(name, given)
    if hasattr(given, "__arrow_c_stream__"):
        return _frame_of_arrow(name, given)
    among = "a DataFrame, a table that Arrow can read (pyarrow, polars, duckdb), a dict of columns"
    raise UsageError(
        f"{name}: expected {among}{instead and f' or {instead}'}, found a {type(given).__name__}; "
        "rows become a table by pandas.DataFrame(rows, columns=[…])"
    )


def _frame_of_columns(name: str, given: Mapping[str, Any]) -> pd.DataFrame:
    columns = {key: _column(name, key, values) for key, values in given.items()}
    lengths = {key: len(values) for key, values in columns.items()}
    if len(set(lengths.values())) > 1:
        raise UsageError(f"{name}: columns differ in length: {shown(lengths)}")
    return pd.DataFrame(columns)


def _column(name: str, key: object, values: Any) -> pd.Series[Any]:
    """Return one column; a Series without its index, by which pandas would align rows."""
    if isinstance(values, pd.Series):
        return values.reset_index(drop=True)
    if hasattr(values, "__arrow_c_stream__") or hasattr(values, "__arrow_c_array__"):
        return _frame_of_arrow(name, {"column": values})["column"]
    if (
        isinstance(values, str | bytes)
        or not isinstance(values, Sized)
        or getattr(values, "ndim", 1) != 1
    ):
        raise UsageError(
            f"{name}: column {shown(key)} is {shown(values)}, expected one value a row"
        )
    return pd.Series(values)


def _frame_of_arrow(name: str, given: Any) -> pd.DataFrame:
    import pyarrow as pa  # Only who brings Arrow waits for it.

    try:
        table = pa.table(given)
        columns = {place: _of_arrow(column) for place, column in enumerate(table.columns)}
    except (pa.ArrowException, TypeError) as problem:
        said = str(problem).partition("\n")[0]
        kind = type(given).__name__
        raise UsageError(f"{name}: Arrow cannot make a table of this {kind}: {said}") from problem
    # By place: a name that is there twice is for whoever reads it to refuse.
    frame = pd.DataFrame(columns, index=pd.RangeIndex(table.num_rows))
    frame.columns = pd.Index(table.column_names, dtype=object)
    return frame


def _of_arrow(column: pa.ChunkedArray) -> pd.Series[Any]:
    import pyarrow as pa

    if not pa.types.is_dictionary(column.type):
        return column.to_pandas(integer_object_nulls=True)
    # Not as pandas' categories: these hold no value twice, and none that is missing.
    chunks = [_decoded(chunk) for chunk in column.chunks]
    return pd.Series(np.concatenate(chunks) if chunks else [], dtype=object)


def _decoded(chunk: pa.DictionaryArray) -> npt.NDArray[np.object_]:
    values = pd.Series([*chunk.dictionary.to_pylist(), None], dtype=object).to_numpy()
    places = chunk.indices.cast("int64").fill_null(-1).to_numpy()
    return np.asarray(values[places], dtype=np.object_)
