"""Where probabilities come from, and what every row of them has to pass."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import ArrayLike, NDArray

from labelops.errors import TableError, UsageError
from labelops.measure.aligned import array_of, by_code
from labelops.measure.votes import check_ints

__all__ = ["ProbBlocks", "as_table", "blocks_of", "check_rows", "int_codes", "slack", "working"]


@runtime_checkable
class ProbBlocks(Protocol):
    """Probabilities that are read a block of rows at a time, as from a file; read repeatedly."""

    @property
    def shape(self) -> tuple[int, int]:
        """How many rows and classes."""
        ...

    @property
    def starts(self) -> Sequence[int]:
        """First row of every block, ascending from 0."""
        ...

    def block(self, number: int) -> NDArray[Any]:
        """Read one block, (rows, K)."""
        ...


def blocks_of(source: ProbBlocks) -> Iterator[tuple[int, int]]:
    """Say of each block its first row and the row after its last."""
    starts = [int(start) for start in source.starts]
    ends = [*starts[1:], int(source.shape[0])][: len(starts)]
    return iter(zip(starts, ends, strict=True))


def as_table(probs: ArrayLike) -> NDArray[Any]:
    """Return probabilities as a two-dimensional array of floats, without copying one.

    Raises
    ------
    TableError
        It is no table of numbers, some of them are masked, or columns are named other than the
        codes.

    Examples
    --------
    >>> as_table([[0, 1]]).dtype
    dtype('float64')
    """
    expected = "a rectangular table of numbers"
    try:
        table = array_of("probs", by_code("probs", probs), expected)
        if table.dtype.kind in "iubO":
            table = array_of("probs", table, expected, np.float64)
    except UsageError as error:
        raise TableError("probs", [str(error).removeprefix("probs: ")]) from error
    if table.dtype.kind != "f":
        raise TableError("probs", [f"expected floating-point numbers, found {table.dtype}"])
    if table.ndim != 2 or table.shape[1] < 1:
        raise TableError("probs", [f"expected shape (items, classes), found {table.shape}"])
    return table


def int_codes(codes: ArrayLike, rows: int, classes: int) -> NDArray[np.int32]:
    """Check the labels against the table they belong to; -1 is missing.

    Raises
    ------
    UsageError
        They are no class codes, or there is not one a row.

    Examples
    --------
    >>> int_codes([0, -1], 2, 3).tolist()
    [0, -1]
    """
    checked = check_ints("codes", codes, classes, lowest=-1)
    if len(checked) != rows:
        raise UsageError(f"found {rows} rows of probs for {len(checked)} codes; expected one each")
    return checked.astype(np.int32)


def working(block: NDArray[Any]) -> NDArray[Any]:
    """Return rows as the loops take them: contiguous float32 or float64, read-only, same values.

    Nothing is copied where the rows are that already.

    Examples
    --------
    >>> working(np.ones((1, 2), dtype=np.float16)).dtype
    dtype('float32')
    """
    small = block.dtype.itemsize <= 4
    made = np.ascontiguousarray(block, dtype=np.float32 if small else np.float64)
    view = made.view(np.ndarray)
    view = view[:] if view.base is None or view is block else view.view()
    view.flags.writeable = False
    return view


def slack(dtype: np.dtype[Any], classes: int) -> float:
    """Say how far from 1 a row's sum may be: 1e-6 a class, and what rounding to float16 costs.

    Examples
    --------
    >>> slack(np.dtype(np.float64), 1000)
    0.001
    """
    rounding = 1e-3 if dtype.itemsize < 4 else 0.0
    return min(1e-6 * classes, 0.25) + rounding


def check_rows(rows: NDArray[Any], numbers: NDArray[np.int64], allowed: float) -> None:
    """Look at rows one by one, in full precision; the first bad one is named.

    Parameters
    ----------
    rows : (n, K) float array
        The rows in question.
    numbers : (n,) int
        Their numbers, ascending.
    allowed : float
        How far from 1 a sum may be.

    Raises
    ------
    TableError
        A row holds NaN, infinity or a negative number, or does not sum to 1.

    Examples
    --------
    >>> check_rows(np.array([[0.5, 0.5]]), np.array([7]), 1e-6)
    """
    wide = rows.astype(np.float64)
    with np.errstate(invalid="ignore"):
        total = wide.sum(axis=1)
    negative = (wide < 0).any(axis=1)
    bad = np.flatnonzero(~(np.abs(total - 1) <= allowed) | negative)
    if bad.size:
        problems = [_problem(wide[i], int(numbers[i])) for i in bad[:100]]
        raise TableError("probs", problems)


def _problem(values: NDArray[np.float64], row: int) -> str:
    unfit = np.flatnonzero(~np.isfinite(values) | (values < 0))
    if unfit.size:
        column = int(unfit[0])
        return f"row {row}, column {column}: {values[column]:g} is not a probability"
    return f"row {row}: sums to {values.sum():.6g}, expected 1"
