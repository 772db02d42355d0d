"""What rows and columns are called, heeded: arrays have no names, frames have, and they may differ.

A frame that is read as if it were an array loses its names, and whoever relied on them gets
another class's column, or another item's row, without a word.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import DTypeLike, NDArray

from labelops.errors import UsageError, shown
from labelops.tables.brought import as_frame, is_table

__all__ = ["array_of", "by_code", "refuse_reordered"]

_NAMED = 6


def array_of(name: str, given: Any, expected: str, dtype: DTypeLike = None) -> NDArray[Any]:
    """Return anything array-like as an array, in the words of whatever cannot be read so.

    Parameters
    ----------
    name : str
        What errors call it.
    given : array-like
        A frame's nullable columns become float64, NaN where a cell is missing.
    expected : str
        What it should have been.
    dtype : dtype, optional

    Raises
    ------
    UsageError
        It is no such array, such as a tensor on a device or with a gradient; or cells are masked,
        which numpy would show with what lies below; or a dtype is asked for that drops a part.

    Examples
    --------
    >>> array_of("probs", pd.DataFrame({"a": [1, None]}, dtype="Int64"), "numbers").tolist()
    [[1.0], [nan]]
    >>> array_of("probs", np.ma.array([1, 2], mask=[False, True]), "numbers")
    Traceback (most recent call last):
    labelops.errors.UsageError: probs: row 1 is masked; leave out what is missing, or fill it
    """
    hidden = np.broadcast_to(given.mask, given.shape) if _masked(given) else None
    if hidden is not None and hidden.any():
        row = int(hidden.reshape(len(given), -1).any(axis=1).argmax())
        raise UsageError(f"{name}: row {row} is masked; leave out what is missing, or fill it")
    try:
        if isinstance(given, pd.DataFrame) and any(map(_nullable, given.dtypes)):
            given = given.to_numpy(dtype=np.float64, na_value=np.nan)
        array = np.asarray(given)
        if dtype is None:
            return array
        cast = "safe" if array.dtype.kind in "cmM" else "unsafe"  # No imaginary part is dropped.
        return array.astype(dtype, copy=False, casting=cast)  # type: ignore[call-overload,no-any-return]
    except (TypeError, ValueError, RuntimeError) as error:
        # Lists of unequal length say nothing one could use; a tensor's own words name the remedy.
        said = f"; this {type(given).__name__} says: {str(error).partition(chr(10))[0]}"
        if isinstance(given, np.ndarray):
            said = f", found {given.dtype}"
        elif isinstance(given, Sequence | pd.DataFrame):
            said = ""
        raise UsageError(f"{name}: expected {expected}{said}") from error


def _masked(given: Any) -> bool:
    return isinstance(given, np.ma.MaskedArray) and given.ndim > 0


def _nullable(dtype: object) -> bool:
    return isinstance(dtype, pd.api.extensions.ExtensionDtype)


def by_code(name: str, probs: Any) -> Any:
    """Return a table's columns in the order of the codes that they are named by.

    An array has no names, and stays as it is: its columns have to be in that order.

    Parameters
    ----------
    name : str
        What errors call it.
    probs : array-like, or frame, or anything with ``__arrow_c_stream__`` and columns

    Raises
    ------
    UsageError
        The columns are not named 0 to K-1: codes have no other names.

    Examples
    --------
    >>> by_code("probs", pd.DataFrame([[0.9, 0.1]], columns=["1", "0"])).to_numpy().tolist()
    [[0.1, 0.9]]
    >>> by_code("probs", [[0.9, 0.1]])
    [[0.9, 0.1]]
    """
    columns = hasattr(probs, "columns") or hasattr(probs, "column_names")
    if isinstance(probs, Mapping) or not columns or not is_table(probs):
        return probs
    frame = as_frame(name, probs)
    codes = [_code(column) for column in frame.columns]
    order = {code: place for place, code in enumerate(codes)}
    if set(order) == set(range(len(codes))):
        return frame.iloc[:, [order[code] for code in range(len(codes))]]
    there = ", ".join(shown(column) for column in list(frame.columns)[:_NAMED])
    more = ", …" if len(codes) > _NAMED else ""
    raise UsageError(
        f"{name}: its columns are named {there}{more}, which does not tell the code of each: name "
        f"them 0 to {len(codes) - 1}, or pass frame[classes].to_numpy() with the classes in the "
        "codes' order"
    )


def _code(column: object) -> int | None:
    """Return the code that a column is named by: a whole number, also as text."""
    if isinstance(column, int | np.integer) and not isinstance(column, bool):
        return int(column)
    if isinstance(column, str) and column.isascii() and column.isdigit():
        return int(column) if str(int(column)) == column else None
    return None


def refuse_reordered(given: Mapping[str, Any]) -> None:
    """Refuse columns and frames of pandas whose indexes name the same rows in another order.

    They are read by position. Indexes with other names, such as those of a part that was numbered
    anew, say nothing against that.

    Parameters
    ----------
    given : mapping of name to anything
        What has no pandas index is passed over.

    Raises
    ------
    UsageError
        With the first two that differ.

    Examples
    --------
    >>> refuse_reordered({"codes": pd.Series([0, 1]), "groups": pd.Series([7, 8], index=[1, 0])})
    Traceback (most recent call last):
    labelops.errors.UsageError: groups: its index names the rows of codes in another order, and \
rows are read by position; put both in one order, or pass .to_numpy() if they are
    """
    frames = [(k, v) for k, v in given.items() if isinstance(v, pd.Series | pd.DataFrame)]
    if not frames:
        return
    first, base = frames[0][0], frames[0][1].index
    for name, frame in frames[1:]:
        if _reordered(base, frame.index):
            raise UsageError(
                f"{name}: its index names the rows of {first} in another order, and rows are read "
                "by position; put both in one order, or pass .to_numpy() if they are"
            )


def _reordered(one: pd.Index[Any], other: pd.Index[Any]) -> bool:
    if len(one) != len(other) or one.equals(other):
        return False
    return one.is_unique and other.is_unique and bool(one.isin(other).all())
