"""The two steps of Dawid–Skene over a shard of votes: what the items give, what they get.

A shard is cut into chunks of items by its size alone, never by the number of cores, and every
sum runs in the order of the votes within a chunk and of the chunks: the result is the same on
any machine, and bit by bit the same compiled or in numpy.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property, reduce

import numpy as np
from scipy import sparse

from labelops.errors import UsageError
from labelops.measure.codes import FloatArray
from labelops.measure.jit import can_compile, in_threads
from labelops.measure.rows import row_totals
from labelops.measure.votes import AnyInts, Votes

from ._answers import Answers
from ._em_kernels import add_evidence, count_votes, normalise

__all__ = ["KindCounts", "Shard", "SkillCounts", "count_in_turn"]

_CHUNKS = 8
_SMALLEST = 1 << 15
_CELLS = 1 << 22
"""Most cells of all chunks' counts together; beyond it there are fewer chunks."""
_BLOCK = 1 << 12
"""Items whose log probabilities stay in the cache between two loops."""

_NO_WEIGHTS = np.empty(0)


@dataclass(frozen=True, slots=True)
class SkillCounts:
    """What the M step needs of some items; add up the counts of different items with `merge`.

    Attributes
    ----------
    answers : Answers
        The P pairs of annotator and class given that occur.
    cells : (P, K) float
        Votes by annotator and class given (row) and class believed (column).
    classes : (K,) float
        Items with a vote, by class believed.
    moved : float
        The furthest that a posterior of an item with votes moved.
    """

    answers: Answers
    cells: FloatArray
    classes: FloatArray
    moved: float = 0.0

    def merge(self, other: SkillCounts) -> SkillCounts:
        """Add the counts of other items.

        Raises
        ------
        UsageError
            They are of other answers.
        """
        if self.answers is not other.answers:
            raise UsageError("cannot merge counts of other answers; find them of all shards first")
        return SkillCounts(
            self.answers, self.cells + other.cells, self.classes + other.classes,
            max(self.moved, other.moved),
        )  # fmt: skip

    @property
    def people(self) -> FloatArray:
        """Votes of each annotator by class believed, (Q + 1, K)."""
        return self.answers.by_person(self.cells)

    @property
    def hits(self) -> FloatArray:
        """Votes of each annotator that are right, as far as believed, (Q + 1,)."""
        code = self.answers.code
        return self.answers.by_person(self.cells[np.arange(code.size), code])


@dataclass(frozen=True, slots=True)
class KindCounts:
    """Votes and items by class believed and by kind of item within it, as EBCC tells them apart.

    Attributes
    ----------
    answers : Answers
        The P pairs of annotator and class given that occur.
    cells : (P, K, M) float
        Votes by annotator and class given, class believed and kind.
    kinds : (K, M) float
        Items by class believed and kind.
    """

    answers: Answers
    cells: FloatArray
    kinds: FloatArray

    def merge(self, other: KindCounts) -> KindCounts:
        """Add the counts of other items."""
        return KindCounts(self.answers, self.cells + other.cells, self.kinds + other.kinds)


def count_in_turn(votes: Votes, beliefs: Callable[[slice, Votes], FloatArray]) -> SkillCounts:
    """Count as `Shard.count` does, to the last bit, of beliefs that are made a chunk at a time.

    Of very many items there is no room for one table more.

    Parameters
    ----------
    votes : Votes
    beliefs : callable
        From a range of items and their votes to what is believed of them, (items, K).
    """
    compiled = can_compile(votes.cells.size)
    whole = Shard(votes, np.empty((0, votes.n_classes)))
    done = [
        Shard(part, beliefs(some, part), whole.answers)._count(0, part.n_items, compiled)
        for some, part in votes.blocks(whole._chunk)
    ]
    return reduce(SkillCounts.merge, done) if done else whole._nothing()


class Shard:
    """Votes on some items, and the belief about each of these items.

    Parameters
    ----------
    votes : Votes
        All votes on these items.
    posterior : (N, K) float
        What is believed of them; C-contiguous, changed in place.
    answers : Answers, optional
        What is counted by; of these votes alone when left out.
    """

    def __init__(self, votes: Votes, posterior: FloatArray, answers: Answers | None = None) -> None:
        self.votes = votes
        self.posterior = posterior
        self.answers = Answers.of([votes]) if answers is None else answers
        self.places = self.answers.places(votes.cells)

    def count(self) -> SkillCounts:
        """Count the votes by what is believed of their items."""
        compiled = can_compile(
            self.votes.cells.size
        )  # asked here: a thread does not see what its caller wished

        def job(first: int, last: int) -> SkillCounts:
            return self._count(first, last, compiled)

        return self._over_chunks(job)

    def update(self, log_rates: FloatArray, log_prior: FloatArray) -> SkillCounts:
        """Believe what annotators of these (P, K) skills say, and count anew."""
        compiled = can_compile(self.votes.cells.size)
        expect = self._expect_compiled if compiled else self._expect

        def job(first: int, last: int) -> SkillCounts:
            moved = expect(first, last, log_rates, log_prior)
            return replace(self._count(first, last, compiled), moved=moved)

        return self._over_chunks(job)

    def _over_chunks(self, job: Callable[[int, int], SkillCounts]) -> SkillCounts:
        done = in_threads(job, self.votes.n_items, block=self._chunk)
        return reduce(SkillCounts.merge, done) if done else self._nothing()

    @property
    def _chunk(self) -> int:
        """Items of a chunk."""
        cells = self.answers.cells.size * self.votes.n_classes
        chunks = max(1, min(_CHUNKS, _CELLS // max(cells, 1)))
        return max(_SMALLEST, -(-self.votes.n_items // chunks))

    def _nothing(self) -> SkillCounts:
        n_classes = self.votes.n_classes
        shape = (self.answers.cells.size, n_classes)
        return SkillCounts(self.answers, np.zeros(shape), np.zeros(n_classes))

    def _count(self, first: int, last: int, compiled: bool) -> SkillCounts:
        if compiled:
            counts = self._nothing()
            count_votes(*self._arrays, self.posterior, first, last, counts.cells, counts.classes)
            return counts
        posterior, votes = self.posterior[first:last], self._matrix(first, last)
        voted = np.diff(votes.indptr) > 0
        shares = (posterior if voted.all() else posterior[voted]).sum(axis=0)
        return SkillCounts(self.answers, np.asarray(votes.T @ posterior), shares)

    @property
    def _arrays(self) -> tuple[AnyInts, AnyInts, FloatArray]:
        weights = self.votes.weights
        return self.votes.rows, self.places, _NO_WEIGHTS if weights is None else weights

    def _matrix(self, first: int, last: int) -> sparse.csr_matrix:
        """Votes on a chunk's items by answer; a view."""
        if first not in self._matrices:
            self._matrices[first] = self._sparse(first, last)
        return self._matrices[first]

    @cached_property
    def _matrices(self) -> dict[int, sparse.csr_matrix]:
        return {}

    def _expect_compiled(
        self, first: int, last: int, log_rates: FloatArray, log_prior: FloatArray
    ) -> float:
        joint = np.empty((min(_BLOCK, last - first), log_prior.size))
        rows, cells, weights = self._arrays
        moved = 0.0
        for start in range(first, last, _BLOCK):
            end = min(start + _BLOCK, last)
            odds = joint[: end - start]
            add_evidence(rows, cells, weights, log_rates, log_prior, start, end, odds)
            np.exp(odds, out=odds)  # numpy's, in both ways: it is faster, and the bits are the same
            moved = max(moved, normalise(rows, odds, self.posterior, start, end))
        return moved

    def _expect(self, first: int, last: int, log_rates: FloatArray, log_prior: FloatArray) -> float:
        votes, posterior = self._matrix(first, last), self.posterior[first:last]
        odds: FloatArray = np.asarray(votes @ log_rates)
        odds += log_prior
        odds -= odds.max(axis=1, keepdims=True)
        np.exp(odds, out=odds)
        odds /= row_totals(odds)
        np.subtract(odds, posterior, out=posterior)
        voted = np.diff(votes.indptr) > 0
        furthest = np.abs(posterior, out=posterior).max(axis=0, initial=0.0, where=voted[:, None])
        posterior[:] = odds
        return float(furthest.max(initial=0.0))

    def _sparse(self, first: int, last: int) -> sparse.csr_matrix:
        votes = self.votes
        begin, end = int(votes.rows[first]), int(votes.rows[last])
        weights = np.ones(end - begin) if votes.weights is None else votes.weights[begin:end]
        pointers = votes.rows[first : last + 1] - votes.rows[first]
        if end - begin < 2**31:  # else both stay as wide as they are
            pointers = pointers.astype(self.places.dtype)
        return sparse.csr_matrix(
            (weights, self.places[begin:end], pointers),
            shape=(last - first, self.answers.cells.size),
            copy=False,
        )
