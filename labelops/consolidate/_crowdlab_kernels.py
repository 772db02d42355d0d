"""The weighted average of CROWDLAB, as a kernel and in numpy with the same sums."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import sparse

from labelops.measure.codes import FloatArray
from labelops.measure.jit import can_compile, in_threads, kernel
from labelops.measure.votes import AnyInts, Votes

__all__ = ["Trust", "blend"]

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
    if can_compile():
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
