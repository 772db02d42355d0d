"""Which classes each annotator ever gave: all that counts of votes need room for.

Of many annotators or classes most pairs of the two never occur. A vote can only be one that
somebody gave, so the steps of a model count and look up those pairs, of which there are no more
than votes, and not the square of the classes for everybody.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cached_property

import numpy as np
from scipy import sparse

from labelops.measure.codes import FloatArray, IntArray
from labelops.measure.votes import AnyInts, Votes

__all__ = ["Answers"]

_MOSTLY = 0.5
"""Share of all pairs that occur, from which on all of them are numbered: the votes need no other
numbers then, and there is at most twice as much to count."""
_BLOCK = 1 << 16


class Answers:
    """Pairs of annotator and class given, P of them, and the Q annotators they are of.

    Parameters
    ----------
    cells : (P,) int
        `annotator * K + class` of each, ascending.
    n_annotators, n_classes : int
        A and K.

    Attributes
    ----------
    people : (Q,) int
        Who gave them.
    person : (P,) int
        Place of each pair's annotator in `people`.
    code : (P,) int
        The class given.

    Examples
    --------
    >>> answers = Answers(np.array([1, 5]), 9, 3)
    >>> answers.people.tolist(), answers.person.tolist(), answers.code.tolist()
    ([0, 1], [0, 1], [1, 2])
    >>> answers.places(np.array([5, 1, 5])).tolist()
    [1, 0, 1]
    """

    def __init__(self, cells: IntArray, n_annotators: int, n_classes: int) -> None:
        self.cells, self.n_annotators, self.n_classes = cells, n_annotators, n_classes
        who, self.code = np.divmod(cells, n_classes)
        first = np.diff(who, prepend=-1) > 0
        self.people, self.person = who[first], np.cumsum(first) - 1

    @classmethod
    def of(cls, shards: Sequence[Votes], more: IntArray | None = None) -> Answers:
        """Find those of votes, and of `more` cells; all there can be, where most of them occur."""
        n_annotators, n_classes = shards[0].n_annotators, shards[0].n_classes
        given = np.zeros(n_annotators * n_classes, dtype=np.bool_)
        for cells in [v.cells for v in shards] + ([] if more is None else [more]):
            given[cells] = True
        if np.count_nonzero(given) >= _MOSTLY * given.size:
            return cls.all(n_annotators, n_classes)
        return cls(np.flatnonzero(given), n_annotators, n_classes)

    @classmethod
    def all(cls, n_annotators: int, n_classes: int) -> Answers:
        """Take every pair there can be."""
        return cls(np.arange(n_annotators * n_classes), n_annotators, n_classes)

    @property
    def complete(self) -> bool:
        """Whether these are all pairs there can be."""
        return self.cells.size == self.n_annotators * self.n_classes

    def places(self, cells: AnyInts) -> AnyInts:
        """Give the place of cells among these pairs; all must be of them."""
        return cells if self.complete else self._place[cells]

    def found(self, cells: IntArray) -> IntArray:
        """Do what `places` does, -1 for a pair that is none of these."""
        if self.complete:
            return np.asarray(cells, dtype=np.int64)
        place = self._place[cells].astype(np.int64)
        there = np.zeros(self._place.size, dtype=np.bool_)
        there[self.cells] = True
        return np.asarray(np.where(there[cells], place, -1))

    def persons(self, annotators: AnyInts) -> IntArray:
        """Place of annotators in `people`, Q for one who gave none of the answers."""
        place = np.full(self.n_annotators, self.people.size)
        place[self.people] = np.arange(self.people.size)
        return np.asarray(place[annotators])

    def blocks(self) -> Iterator[slice]:
        """Cut the pairs into so many at a time that (block, K) numbers stay in the cache."""
        step = max(1, _BLOCK // self.n_classes)
        return (slice(i, i + step) for i in range(0, self.cells.size, step))

    def by_person(self, values: FloatArray) -> FloatArray:
        """Add up (P, ...) values of each one's answers: (Q + 1, ...), the last one's are none."""
        return np.asarray(self._to_person @ values)

    def by_code(self, values: FloatArray) -> FloatArray:
        """Add up (P, ...) values of each class given: (K, ...)."""
        return np.asarray(self._to_code @ values)

    @cached_property
    def starts(self) -> IntArray:
        """First of each one's pairs, and after the last of all, (Q + 1,)."""
        return np.asarray(np.searchsorted(self.person, np.arange(self.people.size + 1)))

    @cached_property
    def _place(self) -> AnyInts:
        width = np.int32 if self.cells.size < 2**31 else np.int64
        place: AnyInts = np.zeros(self.n_annotators * self.n_classes, dtype=width)
        place[self.cells] = np.arange(self.cells.size, dtype=width)
        return place

    @cached_property
    def _to_person(self) -> sparse.csr_matrix:
        ends = np.append(self.starts, self.cells.size)
        size = (self.people.size + 1, self.cells.size)
        ones = np.ones(self.cells.size)
        return sparse.csr_matrix((ones, np.arange(self.cells.size), ends), shape=size)

    @cached_property
    def _to_code(self) -> sparse.csr_matrix:
        order = np.argsort(self.code, kind="stable")
        ends = np.searchsorted(self.code[order], np.arange(self.n_classes + 1))
        size = (self.n_classes, self.cells.size)
        return sparse.csr_matrix((np.ones(self.cells.size), order, ends), shape=size)
