"""One shard: it reads its rows in blocks, on all cores, and answers each round."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from labelops.audit.confident import arrays, kernels
from labelops.audit.confident.blocks import as_table, check_rows, int_codes, slack, working
from labelops.audit.confident.candidates import candidates
from labelops.audit.confident.joint import confident_cells
from labelops.audit.confident.rounds import Partial, Round
from labelops.audit.confident.scores import adjusted_margin, entropy_quality, shift_of
from labelops.audit.confident.sums import EDGE, limits_of
from labelops.errors import UsageError
from labelops.measure.codes import BoolArray, FloatArray, IntArray
from labelops.measure.jit import can_compile, in_threads

__all__ = ["Engine", "Facts", "Shard", "engine", "gathered", "surveyed"]

T = TypeVar("T")
Load = Callable[[], NDArray[Any]]


@dataclass(frozen=True, slots=True)
class Engine:
    """The loops to use, and how many numbers a call of them gets."""

    gather: Callable[..., bool]
    survey: Callable[..., int]
    block: int


def engine(classes: int) -> Engine:
    """Choose compiled loops where there are any."""
    if can_compile():
        survey = kernels.survey_narrow if classes < 32 else kernels.survey
        return Engine(kernels.gather, survey, 1 << 20)
    return Engine(arrays.gather, arrays.survey, 1 << 18)


@dataclass(frozen=True, slots=True)
class Facts:
    """What one pass says of every row.

    Attributes
    ----------
    own : (N,) float
        The label's probability; 0 where it is missing.
    other : (N,) float
        The largest probability of any other class.
    rival : (N,) int
        The first class that has it; -1 where the label is ahead of all others.
    guess : (N,) int
        The class the row confidently belongs to, -1 if none.
    """

    own: NDArray[Any]
    other: NDArray[Any]
    rival: NDArray[np.int32]
    guess: NDArray[np.int32]

    def differs(self, codes: NDArray[np.int32]) -> BoolArray:
        """Say where another class is more probable than the label, by more than 1e-6."""
        ahead = self.other.astype(np.float64) - self.own > EDGE
        return np.asarray(ahead & (codes >= 0), dtype=np.bool_)


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
    use = engine(K)
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
    first_row : int
        The number of the first row, for errors.

    Raises
    ------
    TableError
        A row is no probabilities; the first one is named.
    """
    N, K = table.shape
    use = engine(K)
    dtype = own.dtype
    integer = np.int32 if dtype.itemsize == 4 else np.int64
    least = limits_of(limits, dtype)
    allowed = slack(table.dtype, K)
    most = dtype.type(1.5).view(integer)
    made = Facts(
        own, np.zeros(N, dtype), np.full(N, -1, dtype=np.int32), np.full(N, -1, dtype=np.int32)
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
        part = Facts(own[rows], made.other[rows], made.rival[rows], made.guess[rows])
        block = working(table[rows])
        if not call(block, rows, allowed / 2, part, doubt):
            return np.zeros(0, dtype=np.int64)
        found = np.flatnonzero(doubt)
        whole = np.abs(block[found])  # Adds nothing to a valid row but turns -0.0 into 0.0.
        some = Facts(part.own[found], part.other[found], part.rival[found], part.guess[found])
        call(working(whole), first + found, np.inf, some, np.zeros(len(found), dtype=np.bool_))
        part.other[found], part.rival[found] = some.other, some.rival
        part.guess[found] = some.guess
        return np.asarray(first + found, dtype=np.int64)

    doubtful = np.concatenate([_NONE, *in_threads(job, N, block=max(1, use.block // K))])
    step = max(1, (1 << 20) // K)
    for at in range(0, len(doubtful), step):
        rows = doubtful[at : at + step]
        check_rows(table[rows], first_row + rows, allowed)
    return made


_NONE = np.zeros(0, dtype=np.int64)


class Shard:
    """Rows of one block, which answer rounds; what a pass found is kept for the next round.

    Parameters
    ----------
    codes : (n,) array-like of int
        Labels; -1 is missing.
    probs : (n, K) array-like, or a function without arguments that reads them
        A memory map is read through the map, a function is called once a round.
    first_row : int
        The number of the first row among all shards' rows.

    Raises
    ------
    TableError
        Rows that are no probabilities (when they are first read).
    UsageError
        Labels and rows do not fit each other.

    Examples
    --------
    >>> from labelops.audit.confident import first_round
    >>> Shard([0, 1], [[0.5, 0.5], [0.25, 0.75]]).answer(first_round(2)).label_counts.tolist()
    [1, 1]
    """

    def __init__(self, codes: ArrayLike, probs: ArrayLike | Load, first_row: int = 0) -> None:
        self._load = probs if callable(probs) else _held(probs)
        self._given = codes
        self.first_row = first_row
        self._codes: NDArray[np.int32] | None = None
        self._own: NDArray[Any] | None = None
        self._sums: tuple[IntArray, IntArray, IntArray] | None = None
        self._facts: tuple[FloatArray, Facts] | None = None

    def answer(self, asked: Round) -> Partial:
        """Answer one round for these rows.

        Raises
        ------
        UsageError
            The round is about another number of classes.
        """
        table = as_table(self._load())
        if table.shape[1] != asked.classes:
            raise UsageError(
                f"probs: found {table.shape[1]} columns, expected {asked.classes} classes"
            )
        codes = self.codes(table)
        if asked.stage == "sums":
            high, low, count = self._gathered(table)[1]
            return Partial("sums", self.first_row, len(table), count, high, low)
        facts = self.facts(table, asked.thresholds)
        if asked.stage == "joint":
            return self._joint(codes, facts, asked.classes)
        return self._mark(table, codes, facts, asked)

    def codes(self, table: NDArray[Any]) -> NDArray[np.int32]:
        """Give the labels, checked."""
        if self._codes is None:
            self._codes = int_codes(self._given, *table.shape)
        return self._codes

    def _gathered(
        self, table: NDArray[Any]
    ) -> tuple[NDArray[Any], tuple[IntArray, IntArray, IntArray]]:
        if self._own is None or self._sums is None:
            self._own, self._sums = gathered(table, self.codes(table), self.first_row)
        return self._own, self._sums

    def facts(self, table: NDArray[Any], thresholds: FloatArray) -> Facts:
        """Survey the rows, once for the same thresholds."""
        if self._facts is None or not np.array_equal(self._facts[0], thresholds):
            own = self._gathered(table)[0]
            made = surveyed(
                table, self.codes(table), own, thresholds - EDGE, first_row=self.first_row
            )
            self._facts = (thresholds, made)
        return self._facts[1]

    def _joint(self, codes: NDArray[np.int32], facts: Facts, classes: int) -> Partial:
        counts = np.bincount(codes + 1, minlength=classes + 1)[1:].astype(np.int64)
        cells = confident_cells(codes, facts.guess, classes)
        away = (facts.guess >= 0) & (facts.guess != codes)
        off = int(np.count_nonzero(away & facts.differs(codes)))
        return Partial(
            "joint", self.first_row, len(codes), counts, at=cells.at, count=cells.count, off=off
        )

    def _mark(
        self, table: NDArray[Any], codes: NDArray[np.int32], facts: Facts, asked: Round
    ) -> Partial:
        elsewhere = (facts.guess >= 0) & (facts.guess != codes)
        differs = facts.differs(codes)
        group, row, value = candidates(table, codes, facts.own, facts.other, differs, asked)
        return Partial(
            "mark",
            self.first_row,
            len(codes),
            scores=self._scores(table, codes, facts, asked),
            differs=differs,
            elsewhere=elsewhere,
            fits=np.where(elsewhere, facts.guess, facts.rival),
            group=group,
            row=row + self.first_row,
            value=value,
        )

    def _scores(
        self, table: NDArray[Any], codes: NDArray[np.int32], facts: Facts, asked: Round
    ) -> FloatArray:
        method, adjusted = asked.options.rank_by, asked.options.adjusted
        own = facts.own.astype(np.float64)
        shift = shift_of(asked.thresholds)
        if method == "self_confidence" and adjusted:
            own = (own + shift[np.maximum(codes, 0)]) / (1.0 + shift.sum())
        elif method == "normalized_margin" and adjusted:
            own = _by_blocks(table, codes, lambda b, c: adjusted_margin(b, c, shift))
        elif method == "normalized_margin":
            own = (own - facts.other + 1) / 2
        elif method == "confidence_weighted_entropy":
            own = _by_blocks(table, codes, entropy_quality)
        own[codes < 0] = np.nan
        return own


def _held(probs: ArrayLike) -> Load:
    table = as_table(probs)
    return lambda: table


def _by_blocks(
    table: NDArray[Any],
    codes: NDArray[np.int32],
    score: Callable[[NDArray[Any], NDArray[np.int32]], FloatArray],
) -> FloatArray:
    """Score block by block; each row's score is its own, so blocks do not matter."""

    def job(first: int, last: int) -> FloatArray:
        return score(working(table[first:last]), codes[first:last])

    step = max(1, (1 << 17) // table.shape[1])
    return np.concatenate([np.zeros(0), *in_threads(job, len(table), block=step)])
