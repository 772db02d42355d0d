"""The passes of CROWDLAB over votes and classes, as kernels and in numpy with the same sums."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import sparse

from labelops.measure.codes import BoolArray, FloatArray, IntArray
from labelops.measure.jit import can_compile, in_threads, kernel
from labelops.measure.votes import AnyInts, Votes

from .counts import vote_counts

__all__ = ["Trust", "VoteSums", "blend", "counts_of", "pair_sums", "top", "vote_sums"]

_BLOCK = 1 << 16


@dataclass(frozen=True, slots=True)
class Trust:
    """How much the model and each annotator count, and how likely a vote is the consensus.

    Attributes
    ----------
    model : float
        Weight of the model.
    annotators : (A,) float
        Weight of each annotator.
    hit, miss : float
        Likelihood of a class that was voted for, and of one that was not.
    """

    model: float
    annotators: FloatArray
    hit: float
    miss: float


def blend(votes: Votes, probs: FloatArray, trust: Trust) -> FloatArray:
    """Average the model's probabilities and the votes' likelihoods by weight, (N, K)."""
    hit, miss = trust.annotators * trust.hit, trust.annotators * trust.miss
    posterior = np.empty(probs.shape)
    if can_compile(votes.cells.size):
        in_threads(
            lambda first, last: _blend(
                votes.rows,
                votes.cells,
                probs,
                trust.model,
                trust.annotators,
                hit,
                miss,
                first,
                last,
                posterior,
            ),
            votes.n_items,
            block=_BLOCK,
        )
        return posterior
    table = _table(trust.annotators, hit, miss, votes.n_classes)
    for first in range(0, votes.n_items, _BLOCK):
        last = min(first + _BLOCK, votes.n_items)
        posterior[first:last] = _blend_in_numpy(votes, probs, trust.model, table, first, last)
    return posterior


@kernel()
def _blend(
    rows: AnyInts,
    cells: AnyInts,
    probs: FloatArray,
    model: float,
    annotators: FloatArray,
    hit: FloatArray,
    miss: FloatArray,
    first: int,
    last: int,
    posterior: FloatArray,
) -> None:
    """Posterior of items `first` to `last - 1`, summed in the order of annotators."""
    n_classes = probs.shape[1]
    for i in range(first, last):
        row = posterior[i]
        for k in range(n_classes):
            row[k] = probs[i, k] * model
        weight = 0.0
        for v in range(rows[i], rows[i + 1]):
            who = cells[v] // n_classes
            code = cells[v] - who * n_classes
            before = row[code]
            for k in range(n_classes):
                row[k] += miss[who]
            row[code] = before + hit[who]
            weight += annotators[who]
        total = weight + model
        for k in range(n_classes):
            row[k] /= total


def _table(annotators: FloatArray, hit: FloatArray, miss: FloatArray, n_classes: int) -> FloatArray:
    """Give what a vote of each cell adds to every class, and to the weight."""
    added = np.repeat(miss, n_classes)[:, None].repeat(n_classes + 1, axis=1)
    cells = np.arange(len(added))
    added[cells, cells % n_classes] = np.repeat(hit, n_classes)
    added[:, n_classes] = np.repeat(annotators, n_classes)
    return added


def _blend_in_numpy(
    votes: Votes, probs: FloatArray, model: float, table: FloatArray, first: int, last: int
) -> FloatArray:
    """Do what `_blend` does: each item's row begins with the model, then come its votes."""
    rows = votes.rows[first : last + 1] - votes.rows[first]
    own = np.arange(last - first)
    start = np.zeros((last - first, table.shape[1]))
    np.multiply(probs[first:last], model, out=start[:, :-1])
    cells = np.insert(
        votes.cells[votes.rows[first] : votes.rows[last]].astype(np.int64),
        rows[:-1],
        len(table) + own,
    )
    terms = sparse.csr_matrix(
        (np.ones(cells.size), cells, rows + np.arange(last - first + 1)),
        shape=(last - first, len(table) + last - first),
    )
    added = np.asarray(terms @ np.concatenate([table, start]))
    return np.asarray(added[:, :-1] / (added[:, -1:] + model))


def counts_of(votes: Votes) -> FloatArray:
    """Count the votes for each class of each item, (N, K)."""
    if not can_compile(votes.cells.size):
        return vote_counts(votes.items, votes.codes, votes.n_items, votes.n_classes)
    counts = np.zeros((votes.n_items, votes.n_classes))
    in_threads(
        lambda first, last: _count(votes.rows, votes.cells, first, last, counts),
        votes.n_items,
        block=_BLOCK,
    )
    return counts


@kernel()
def _count(rows: AnyInts, cells: AnyInts, first: int, last: int, counts: FloatArray) -> None:
    for i in range(first, last):
        for v in range(rows[i], rows[i + 1]):
            counts[i, cells[v] % counts.shape[1]] += 1


def top(table: FloatArray) -> tuple[IntArray, BoolArray]:
    """Give each row's first largest class, and whether another is as large."""
    if not can_compile(table.size):
        best = np.asarray(table.argmax(axis=1), dtype=np.int64)
        most = table[np.arange(best.size), best]
        return best, np.asarray((table == most[:, None]).sum(axis=1) > 1)
    best = np.empty(len(table), dtype=np.int64)
    several = np.empty(len(table), dtype=np.bool_)
    in_threads(
        lambda first, last: _top(table, first, last, best, several), len(table), block=_BLOCK
    )
    return best, several


@kernel()
def _top(table: FloatArray, first: int, last: int, best: IntArray, several: BoolArray) -> None:
    for i in range(first, last):
        row = table[i]
        most, at = row[0], 0
        for k in range(1, row.size):
            at = k if row[k] > most else at
            most = max(most, row[k])
        same = 0
        for k in range(row.size):
            same += row[k] == most
        best[i] = at
        several[i] = same > 1


def pair_sums(votes: Votes, counts: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Give by cell the pairs of its votes with others on an item: those that agree, and all."""
    size = votes.n_annotators * votes.n_classes
    if not can_compile(votes.cells.size):
        equal = counts[votes.items, votes.codes] - 1
        return _by_cell(votes, equal), _by_cell(votes, (votes.per_item - 1)[votes.items])
    same, others = np.zeros((2, size))
    _pair(votes.rows, votes.cells, counts, same, others)
    return same, others


@kernel()
def _pair(
    rows: AnyInts, cells: AnyInts, counts: FloatArray, same: FloatArray, others: FloatArray
) -> None:
    n_classes = counts.shape[1]
    for i in range(rows.size - 1):
        beside = rows[i + 1] - rows[i] - 1
        for v in range(rows[i], rows[i + 1]):
            cell = cells[v]
            same[cell] += counts[i, cell % n_classes] - 1
            others[cell] += beside


@dataclass(frozen=True, slots=True)
class VoteSums:
    """Sums over the votes of each cell, (A * K,) each.

    `given` votes, `right` ones (the consensus), `shared` ones (on items with others' votes) and
    both; `quality` of the consensus and how far the votes themselves are `believed`.
    """

    given: FloatArray
    right: FloatArray
    shared: FloatArray
    right_shared: FloatArray
    quality: FloatArray
    believed: FloatArray


def vote_sums(
    votes: Votes, labels: IntArray, posterior: FloatArray, quality: FloatArray
) -> VoteSums:
    """Add up what a consensus says of the votes of each cell."""
    if can_compile(votes.cells.size):
        sums = np.zeros((6, votes.n_annotators * votes.n_classes))
        _sum(votes.rows, votes.cells, labels, posterior, quality, sums)
        return VoteSums(*sums)
    items, codes = votes.items, votes.codes
    right = labels[items] == codes
    shared = (votes.per_item > 1)[items]
    values = (
        np.ones(codes.size), right, shared, right & shared, quality[items], posterior[items, codes]
    )  # fmt: skip
    return VoteSums(*(_by_cell(votes, value) for value in values))


def _by_cell(votes: Votes, value: FloatArray | BoolArray | IntArray) -> FloatArray:
    size = votes.n_annotators * votes.n_classes
    return np.asarray(np.bincount(votes.cells, weights=value, minlength=size), dtype=np.float64)


@kernel()
def _sum(
    rows: AnyInts,
    cells: AnyInts,
    labels: IntArray,
    posterior: FloatArray,
    quality: FloatArray,
    sums: FloatArray,
) -> None:
    n_classes = posterior.shape[1]
    for i in range(rows.size - 1):
        shared = rows[i + 1] - rows[i] > 1
        for v in range(rows[i], rows[i + 1]):
            cell = cells[v]
            code = cell % n_classes
            right = code == labels[i]
            sums[0, cell] += 1
            sums[1, cell] += right
            sums[2, cell] += shared
            sums[3, cell] += right and shared
            sums[4, cell] += quality[i]
            sums[5, cell] += posterior[i, code]
