"""The two passes over one table of rows, in blocks, on all cores."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from labelops.audit.confident import arrays, kernels
from labelops.audit.confident.blocks import check_rows, slack, working
from labelops.audit.confident.sums import EDGE, limits_of
from labelops.measure.codes import BoolArray, IntArray
from labelops.measure.jit import can_compile, in_threads, in_turn
from labelops.measure.room import rooms
from labelops.measure.rows import NARROW

__all__ = ["Facts", "Gathered", "gathered", "surveyed"]

_WIDE = 1 << 23  # Numbers of a wide table that a call of numpy's functions gets at most.
_WORTH = 1 << 21  # Numbers that take longer to be read than another thread to begin.
_SHORT = 1 << 15  # Rows whose facts a core's cache holds.
_FEW = 8  # One row of so many is taken to be read again.
_NONE = np.zeros(0, dtype=np.int64)


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


@dataclass(frozen=True, slots=True)
class Gathered:
    """What is taken of every row before there are thresholds.

    Attributes
    ----------
    own : (N,) float
        The label's probability; 0 where it is missing.
    high, low, count : (K,) int
        Each class's exact sum, as in `sums.means`, and how many labels it has.
    at : (N,) int or None
        The first largest class; None where compiled loops find it later, in their one pass.
    best : (N,) float or None
        Its probability.
    """

    own: NDArray[Any]
    high: IntArray
    low: IntArray
    count: IntArray
    at: NDArray[np.int32] | None = None
    best: NDArray[Any] | None = None


def gathered(table: NDArray[Any], codes: NDArray[np.int32], first_row: int = 0) -> Gathered:
    """Take every label's own probability, and each class's exact sum.

    Raises
    ------
    TableError
        One is no probability; without compiled loops, a row is none.
    """
    N, K = table.shape
    dtype = working(table[:0]).dtype
    compiled = can_compile(table.size)
    at = best = None
    if compiled:
        own = np.zeros(N, dtype)
    else:
        own, best, at = rooms(N, dtype, dtype, np.int32)

    def job(first: int, last: int) -> tuple[bool, tuple[IntArray, ...]]:
        sums = tuple(np.zeros(K, dtype=np.int64) for _ in range(3))
        block, labels, part = table[first:last], codes[first:last], own[first:last]
        if at is not None and best is not None:
            tops = at[first:last], best[first:last], part
            _tops(working(block), labels, first_row + first, block.view(np.ndarray), *tops)
            return arrays.add_up(part, labels, *sums), sums
        if block.flags.c_contiguous and block.dtype == dtype:
            return kernels.gather(working(block), labels, part, *sums), sums
        # Indexing takes what it needs of any layout; working() would copy it all.
        return arrays.gather(block, labels, part, *sums), sums

    # The compiled loop reads one number a row here.
    run, block = (in_threads, min(1 << 18, (1 << 24) // K)) if compiled else _numpy_way(N, K, N * K)
    parts = run(job, N, block=max(1, block))
    if not all(fit for fit, _ in parts):
        _refuse(table, first_row)
    zeros = np.zeros(K, dtype=np.int64)
    high, low, count = (sum((s[i] for _, s in parts), start=zeros) for i in range(3))
    return Gathered(own, high, low, count, at, best)


def _numpy_way(rows: int, classes: int, read: int) -> tuple[Callable[..., list[Any]], int]:
    """Say how to call a job that is made of numpy's functions, and for how many rows at once.

    What takes long over the numbers that are `read` lets other threads run meanwhile; what there is
    to do with few is short and does not, and threads that wait for each other are slower than one.
    """
    if classes < NARROW or read < _WORTH:
        return in_turn, _SHORT
    cores = os.cpu_count() or 1
    each = -(-rows * classes // (cores * _WIDE))  # As many blocks for one core as for another.
    return in_threads, -(-rows // (cores * each))


def _tops(
    rows: NDArray[Any],
    codes: NDArray[np.int32],
    first_row: int,
    given: NDArray[Any],
    at: NDArray[np.int32],
    best: NDArray[Any],
    own: NDArray[Any],
) -> None:
    """Take a block's first largest classes and own probabilities; check what is in doubt."""
    most = rows.dtype.type(1.5).view(f"u{rows.dtype.itemsize}")
    allowed = slack(given.dtype, rows.shape[1])
    doubt = arrays.tops(rows, codes, most, allowed / 2, at, best, own)
    if doubt.size:
        check_rows(given[doubt], first_row + doubt, allowed)
        whole = np.abs(rows[doubt])  # Of a valid row this changes -0.0 to 0.0 only.
        some = at[doubt], best[doubt], own[doubt]
        arrays.tops(whole, codes[doubt], most, np.inf, *some)
        at[doubt], best[doubt] = some[:2]


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
    seen: Gathered,
    limits: NDArray[Any],
    *,
    whole_row: bool = False,
    runners_up: bool = True,
    first_row: int = 0,
) -> Facts:
    """Say of every row its best other class and its confident class, and whether it is valid.

    Parameters
    ----------
    table : (N, K) float array
    codes : (N,) int
    seen : Gathered
        Of the same rows.
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
    N = len(table)
    least = limits_of(limits, seen.own.dtype)
    rest = np.int32, np.int32, np.bool_, np.bool_
    if seen.at is None or seen.best is None:
        made = Facts(seen.own, *rooms(N, seen.own.dtype, *rest))
        _read_compiled(table, codes, least, made, whole_row, first_row)
    else:
        other = np.empty_like(seen.best) if runners_up else seen.best
        made = Facts(seen.own, other, *rooms(N, *rest))
        _read_again(table, codes, seen.at, seen.best, least, made, whole_row, runners_up)
    return made


def _read_again(
    table: NDArray[Any],
    codes: NDArray[np.int32],
    at: NDArray[np.int32],
    best: NDArray[Any],
    limits: NDArray[Any],
    made: Facts,
    whole_row: bool,
    runners_up: bool,
) -> None:
    """Complete what the first pass found; few rows are read again, or those that are ahead."""

    def job(first: int, last: int) -> None:
        rows = slice(first, last)
        part, labels = made.rows(rows), codes[rows]
        arrays.survey(
            table[rows].view(np.ndarray), labels, at[rows], best[rows], limits, whole_row,
            runners_up, part.other, part.rival, part.guess,
        )  # fmt: skip
        arrays.compare(labels, part.own, part.other, part.guess, EDGE, part.differs, part.away)

    N, K = table.shape
    run, block = _numpy_way(N, K, N * K if runners_up else N * K // _FEW)
    run(job, N, block=block)


def _read_compiled(
    table: NDArray[Any],
    codes: NDArray[np.int32],
    limits: NDArray[Any],
    made: Facts,
    whole_row: bool,
    first_row: int,
) -> None:
    """Read every row once, those in doubt once more."""
    N, K = table.shape
    loop = kernels.survey_narrow if K < 32 else kernels.survey
    allowed = slack(table.dtype, K)
    most = made.own.dtype.type(1.5).view(limits.dtype)

    def call(
        block: NDArray[Any], rows: Any, slack_: float, out: Facts, doubt: NDArray[np.bool_]
    ) -> int:
        return loop(
            block, block.view(limits.dtype), codes[rows], limits, limits.min(), most, slack_,
            whole_row, out.other.view(limits.dtype), out.rival, out.guess, doubt,
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
        kernels.compare(
            codes[rows], part.own, part.other, part.guess, EDGE, part.differs, part.away
        )
        return np.asarray(first + found, dtype=np.int64)

    doubtful = np.concatenate([_NONE, *in_threads(job, N, block=max(1, (1 << 20) // K))])
    step = max(1, (1 << 20) // K)
    for at in range(0, len(doubtful), step):
        rows = doubtful[at : at + step]
        check_rows(table[rows], first_row + rows, allowed)
