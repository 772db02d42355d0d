"""How often each two annotators answered the same items, and answered them alike."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import sparse

from labelops.measure.codes import BoolArray, FloatArray, IntArray
from labelops.measure.votes import Votes

from .content import thinned_items

__all__ = ["Pairs", "agreement_pairs"]

_MOST = 1_000_000
"""Pairs of votes on an item that are looked at; beyond it every so-many-th item is."""
_SHIFT = 1 << 32
_CELLS, _BLOCK = 1 << 22, 1 << 13


@dataclass(frozen=True, slots=True)
class Pairs:
    """Two annotators a row, of those who share an item.

    Attributes
    ----------
    first, second : (P,) int
        Who they are; the first has the lower number.
    items, agreeing : (P,) int
        Items that both answered, and answered alike.
    habit : (P,) float
        How often they would agree if each gave the usual answers at random.
    answered : (A,) float
        Answers of each annotator that were looked at.
    """

    first: IntArray
    second: IntArray
    items: IntArray
    agreeing: IntArray
    habit: FloatArray
    answered: FloatArray

    @property
    def room(self) -> FloatArray:
        """How far agreement may exceed what habits explain, (P,)."""
        return np.asarray(1 - self.habit)

    @property
    def beyond(self) -> FloatArray:
        """How far it does, (P,)."""
        return np.asarray(self.agreeing / self.items - self.habit)


def agreement_pairs(votes: Votes) -> Pairs:
    """Count for each two annotators the items they share, and on how many they agree.

    Of more than a million pairs of votes on an item only those on some of the items are looked at,
    chosen by what the votes on them say. Weights are not looked at.

    Examples
    --------
    >>> from labelops.measure.votes import pack_votes
    >>> votes = pack_votes([0, 0, 0, 1, 1], [0, 1, 2, 0, 2], [1, 1, 0, 0, 0],
    ...                    n_items=2, n_annotators=3, n_classes=2)
    >>> pairs = agreement_pairs(votes)
    >>> pairs.items.tolist(), pairs.agreeing.tolist(), pairs.habit.round(2).tolist()
    ([1, 2, 1], [1, 1, 0], [0.5, 0.5, 0.0])
    """
    item, who, code = _looked_at(votes)
    # Classes and items that nobody names take no room.
    code = pd.factorize(code)[0]
    n_classes = int(code.max(initial=0)) + 1
    answer = pd.factorize(item * n_classes + code)[0]
    size = votes.n_annotators
    shared = _together(who, item, size)
    same = _together(who, answer, size)
    both = (shared * _SHIFT + same).tocoo()  # who agree on an item share it
    items, agreeing = np.divmod(both.data, _SHIFT)
    first, second = both.row.astype(np.int64), both.col.astype(np.int64)
    answered = np.bincount(who, minlength=size).astype(np.float64)
    usual = 1 / np.maximum(answered, 1)[who]
    table = sparse.csr_matrix((usual, (who, code)), shape=(size, n_classes))
    return Pairs(first, second, items, agreeing, _habits(table, first, second), answered)


def _looked_at(votes: Votes) -> tuple[IntArray, IntArray, IntArray]:
    """Items, numbered anew, annotators and classes of the votes that are looked at."""
    per_item = votes.per_item
    pairs = int((per_item * (per_item - 1) // 2).sum())
    most = votes.cells.size * _MOST // pairs if pairs > _MOST else votes.cells.size + 1
    ids = thinned_items(votes, most)
    some: BoolArray = np.zeros(votes.n_items, dtype=np.bool_)
    some[ids] = True
    keep = np.repeat(some, per_item)
    cells = votes.cells[keep].astype(np.int64)
    place = np.repeat(np.arange(ids.size), per_item[ids])
    return place, cells // votes.n_classes, cells % votes.n_classes


def _together(who: IntArray, what: IntArray, size: int) -> sparse.csr_matrix:
    """Count for each two annotators what both have, sparse, above the diagonal."""
    columns = int(what.max(initial=0)) + 1
    has = sparse.csr_matrix(
        (np.ones(who.size, dtype=np.int64), (who, what)), shape=(size, columns)
    )  # fmt: skip
    found = sparse.triu(has @ has.T, k=1, format="csr")
    found.sort_indices()
    return found


def _habits(table: sparse.csr_matrix, first: IntArray, second: IntArray) -> FloatArray:
    """Say how often two agree who give their usual answers at random, (P,)."""
    found = np.empty(first.size)
    dense = table.toarray() if table.shape[0] * table.shape[1] <= _CELLS else None
    for at in range(0, first.size, _BLOCK):
        some = slice(at, at + _BLOCK)
        one, other = first[some], second[some]
        if dense is None:
            found[some] = np.asarray(table[one].multiply(table[other]).sum(axis=1)).ravel()
        else:
            found[some] = np.einsum("pk,pk->p", dense[one], dense[other])
    return found
