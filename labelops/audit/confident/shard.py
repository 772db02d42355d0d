"""One shard: rows that answer each round."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from labelops.audit.confident.arrays import tied
from labelops.audit.confident.blocks import as_table, int_codes, working
from labelops.audit.confident.candidates import candidates
from labelops.audit.confident.joint import confident_cells
from labelops.audit.confident.messages import Partial, Round
from labelops.audit.confident.reading import Facts, Gathered, gathered, surveyed
from labelops.audit.confident.scores import adjusted_margin, entropy_quality, shift_of
from labelops.audit.confident.sums import EDGE
from labelops.errors import UsageError
from labelops.measure.codes import FloatArray
from labelops.measure.jit import in_threads
from labelops.measure.room import rooms

__all__ = ["Shard"]

Load = Callable[[], NDArray[Any]]


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
        self._seen: Gathered | None = None
        self._facts: tuple[FloatArray, bool, Facts] | None = None

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
            seen = self._gathered(table)
            return Partial("sums", self.first_row, len(table), seen.count, seen.high, seen.low)
        facts = self.facts(table, asked.thresholds, asked.options.needs_runners_up)
        if asked.stage == "joint":
            return self._joint(table, codes, facts)
        return self._mark(table, codes, facts, asked)

    def codes(self, table: NDArray[Any]) -> NDArray[np.int32]:
        """Give the labels, checked."""
        if self._codes is None:
            self._codes = int_codes(self._given, *table.shape)
        return self._codes

    def _gathered(self, table: NDArray[Any]) -> Gathered:
        if self._seen is None:
            self._seen = gathered(table, self.codes(table), self.first_row)
        return self._seen

    def facts(self, table: NDArray[Any], thresholds: FloatArray, runners_up: bool = True) -> Facts:
        """Survey the rows, once for the same thresholds."""
        if self._facts is not None:
            of, more, made = self._facts
            if np.array_equal(of, thresholds) and more >= runners_up:
                return made
        made = surveyed(
            table, self.codes(table), self._gathered(table), thresholds - EDGE,
            runners_up=runners_up, first_row=self.first_row,
        )  # fmt: skip
        self._facts = (thresholds, runners_up, made)
        return made

    def _joint(self, table: NDArray[Any], codes: NDArray[np.int32], facts: Facts) -> Partial:
        counts = self._gathered(table).count
        cells = confident_cells(codes, facts.guess, table.shape[1])
        off = int(np.count_nonzero(facts.away & facts.differs))
        return Partial(
            "joint", self.first_row, len(codes), counts, at=cells.at, count=cells.count, off=off
        )

    def _mark(
        self, table: NDArray[Any], codes: NDArray[np.int32], facts: Facts, asked: Round
    ) -> Partial:
        group, row, value = candidates(table, codes, facts, asked)
        (fits,) = rooms(len(codes), np.int32)
        fits[:] = facts.rival
        other = np.flatnonzero(facts.away & (facts.guess != facts.rival))
        fits[other] = facts.guess[other]
        if asked.lowest:
            # Only here a label may be reported that no class is ahead of, at most at its side.
            level = row[fits[row] < 0]
            fits[level] = tied(table[level], codes[level])
        return Partial(
            "mark",
            self.first_row,
            len(codes),
            scores=self._scores(table, codes, facts, asked),
            differs=facts.differs,
            elsewhere=facts.away,
            fits=fits,
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
        if len(codes) and codes.min() < 0:
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
