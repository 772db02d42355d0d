"""The two passes over one table of rows, in blocks, on all cores."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from labelops.audit.confident import arrays, kernels
from labelops.audit.confident.blocks import check_rows, slack, working
from labelops.audit.confident.sums import EDGE, limits_of
from labelops.measure.codes import BoolArray, IntArray
from labelops.measure.jit import can_compile, in_threads

__all__ = ["Engine", "Facts", "engine", "gathered", "surveyed"]

_NONE = np.zeros(0, dtype=np.int64)


@dataclass(frozen=True, slots=True)
class Engine:
    """The loops to use, and how many numbers a call of them gets."""

    gather: Callable[..., bool]
    survey: Callable[..., int]
    compare: Callable[..., None]
    block: int


def engine(rows: int, classes: int, *, runners_up: bool = True) -> Engine:
    """Choose compiled loops where there are any and the table is worth loading them."""
    if can_compile(rows * classes):
        loop = kernels.survey_narrow if classes < 32 else kernels.survey
        return Engine(kernels.gather, loop, kernels.compare, 1 << 20)
    survey = partial(arrays.survey, runners_up=runners_up)
    # A call costs numpy the same for few rows as for many; tiles of a block are its own affair.
    block = min(1 << 21, classes << 14)
    return Engine(arrays.gather, survey, arrays.compare, block)


@dataclass(frozen=True, slots=True)
class Facts:
    """What one pass says of every row.

    Attributes
    ----------
    own : (N,) float
        The label's probability; 0 where it is missing.
    other : (N,) float
        The largest probability of any other class; where the label is a first largest one and
        `surveyed` was not asked for runners-up, perhaps the label's own.
    rival : (N,) int
        The first class that has it; -1 where the label is ahead of all others, and perhaps where
        it is the first of several largest ones, if runners-up were not asked for.
    guess : (N,) int
        The class the row confidently belongs to, -1 if none.
    differs : (N,) bool
        Whether another class is more probable than the label, by more than 1e-6.
    away : (N,) bool
        Whether the row confidently belongs to another class than its label.
    """

    own: NDArray[Any]
    other: NDArray[Any]
    rival: NDArray[np.int32]
    guess: NDArray[np.int32]
    differs: BoolArray
    away: BoolArray

    def rows(self, at: Any) -> Facts:
        """Give some rows' facts: views for a slice, copies for a list of rows."""
        return Facts(*(getattr(self, field.name)[at] for field in fields(self)))


def gathered(
    table: NDArray[Any], codes: NDArray[np.int32], first_row: int = 0
) -> tuple[NDArray[Any], tuple[IntArray, IntArray, IntArray]]:
    """Take every label's own probability, and each class's exact sum (high, low, count).

    Raises
    ------
    TableError
        One is no probability.
    """
    N, K = table.shape
    use = engine(N, K)
    own = np.zeros(N, dtype=working(table[:0]).dtype)

    def job(first: int, last: int) -> tuple[bool, tuple[IntArray, ...]]:
        sums = tuple(np.zeros(K, dtype=np.int64) for _ in range(3))
        block, part = table[first:last], own[first:last]
        if block.flags.c_contiguous and block.dtype == own.dtype:
            return use.gather(working(block), codes[first:last], part, *sums), sums
        # Indexing takes what it needs of any layout; working() would copy it all.
        return arrays.gather(block, codes[first:last], part, *sums), sums

    block = max(1, min(1 << 18, 16 * use.block // K))
    parts = in_threads(job, N, block=block)
    if not all(fit for fit, _ in parts):
        _refuse(table, first_row)
    zeros = np.zeros(K, dtype=np.int64)
    high, low, count = (sum((s[i] for _, s in parts), start=zeros) for i in range(3))
    return own, (high, low, count)


def _refuse(table: NDArray[Any], first_row: int) -> None:
    """Find the first bad row of a table that has one."""
    step = max(1, (1 << 20) // table.shape[1])
    allowed = slack(table.dtype, table.shape[1])
    for first in range(0, len(table), step):
        rows = table[first : first + step]
        check_rows(rows, first_row + np.arange(first, first + len(rows)), allowed)


def surveyed(
    table: NDArray[Any],
    codes: NDArray[np.int32],
    own: NDArray[Any],
    limits: NDArray[Any],
    *,
    whole_row: bool = False,
    runners_up: bool = True,
    first_row: int = 0,
) -> Facts:
    """Read every row once: best other class, confident class, and whether it is valid.

    Parameters
    ----------
    table : (N, K) float array
    codes : (N,) int
    own : (N,) float
        From `gathered`.
    limits : (K,) float
        What a class's probability has to reach.
    whole_row : bool
        Whether a row with two confident classes belongs to its most probable class even where
        that one is not confident, as in cleanlab.
    runners_up : bool
        Whether `other` and `rival` are asked for of rows whose label is ahead as well.
    first_row : int
        The number of the first row, for errors.

    Raises
    ------
    TableError
        A row is no probabilities; the first one is named.
    """
    N, K = table.shape
    use = engine(N, K, runners_up=runners_up)
    dtype = own.dtype
    integer = np.int32 if dtype.itemsize == 4 else np.int64
    least = limits_of(limits, dtype)
    allowed = slack(table.dtype, K)
    most = dtype.type(1.5).view(integer)
    made = Facts(
        own,
        np.zeros(N, dtype),
        np.full(N, -1, dtype=np.int32),
        np.full(N, -1, dtype=np.int32),
        np.empty(N, dtype=np.bool_),
        np.empty(N, dtype=np.bool_),
    )
    settings = (least, least.min(), most)

    def call(
        block: NDArray[Any], rows: Any, slack_: float, out: Facts, doubt: NDArray[np.bool_]
    ) -> int:
        return use.survey(
            block, block.view(integer), codes[rows], *settings, slack_, whole_row,
            out.other.view(integer), out.rival, out.guess, doubt,
        )  # fmt: skip

    def job(first: int, last: int) -> IntArray:
        rows = slice(first, last)
        doubt = np.zeros(last - first, dtype=np.bool_)
        part = made.rows(rows)
        block = working(table[rows])
        found: IntArray = _NONE
        if call(block, rows, allowed / 2, part, doubt):
            found = np.flatnonzero(doubt).astype(np.int64)
            whole = np.abs(block[found])  # Of a valid row this changes -0.0 to 0.0 only.
            some = part.rows(found)
            call(working(whole), first + found, np.inf, some, np.zeros(len(found), dtype=np.bool_))
            part.other[found], part.rival[found] = some.other, some.rival
            part.guess[found] = some.guess
        use.compare(codes[rows], part.own, part.other, part.guess, EDGE, part.differs, part.away)
        return np.asarray(first + found, dtype=np.int64)

    doubtful = np.concatenate([_NONE, *in_threads(job, N, block=max(1, use.block // K))])
    step = max(1, (1 << 20) // K)
    for at in range(0, len(doubtful), step):
        rows = doubtful[at : at + step]
        check_rows(table[rows], first_row + rows, allowed)
    return made
