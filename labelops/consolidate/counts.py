"""Votes of each class on each item, and their shares: what every consensus begins with."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from labelops.errors import UsageError
from labelops.measure.aligned import array_of
from labelops.measure.codes import FloatArray
from labelops.measure.jit import can_compile, in_threads, kernel
from labelops.measure.rows import row_totals
from labelops.measure.sizes import check_sizes
from labelops.measure.votes import AnyInts, Votes, check_ints, check_weights

__all__ = ["majority_vote", "vote_counts", "vote_shares"]

_BLOCK = 1 << 18
_NO_WEIGHTS = np.empty(0)


def vote_counts(
    items: ArrayLike,
    codes: ArrayLike,
    n_items: int,
    n_classes: int,
    weights: ArrayLike | None = None,
) -> FloatArray:
    """Count the votes for each class of each item.

    Parameters
    ----------
    items, codes : (V,) array-like of int
        Item and class of each vote; class -1 (missing) is no vote.
    n_items, n_classes : int
        N and K.
    weights : (V,) array-like of float, optional
        What each vote counts; 1 each when left out.

    Returns
    -------
    (N, K) float

    Examples
    --------
    >>> vote_counts([0, 0, 1], [1, 1, -1], 2, 2).tolist()
    [[0.0, 2.0], [0.0, 0.0]]
    """
    check_sizes(n_items, 0, n_classes)
    item = check_ints("items", items, n_items)
    code = check_ints("codes", codes, n_classes, lowest=-1)
    weight = _NO_WEIGHTS if weights is None else check_weights(weights)
    if item.size != code.size or (weights is not None and weight.size != code.size):
        raise UsageError(
            f"votes: {item.size} items, {code.size} codes and {weight.size} weights; "
            "expected one of each a vote"
        )
    if can_compile(code.size):
        counts = np.zeros((n_items, n_classes))
        _tally(item, code, weight, counts)
        return counts
    if code.min(initial=0) < 0:
        there = code >= 0
        item, code = item[there], code[there]
        weight = weight[there] if weight.size else weight
    key = item.astype(np.int64)
    key *= n_classes
    key += code
    cells = n_items * n_classes
    flat = np.bincount(key, weights=weight if weight.size else None, minlength=cells)
    return flat.astype(np.float64, copy=False).reshape(n_items, n_classes)


@kernel()
def _tally(item: AnyInts, code: AnyInts, weight: FloatArray, counts: FloatArray) -> None:
    """Count votes, a missing one not."""
    for v in range(item.size):
        if code[v] >= 0:
            counts[item[v], code[v]] += weight[v] if weight.size else 1.0


def vote_shares(votes: Votes) -> FloatArray:
    """Give each class its share of the votes on each item; even shares where there is none.

    Examples
    --------
    >>> from labelops.measure.votes import pack_votes
    >>> votes = pack_votes([0, 0, 0], [0, 1, 2], [1, 1, 0], n_items=2, n_annotators=3, n_classes=2)
    >>> vote_shares(votes).round(2).tolist()
    [[0.33, 0.67], [0.5, 0.5]]
    """
    shares = np.zeros((votes.n_items, votes.n_classes))
    weights = _NO_WEIGHTS if votes.weights is None else votes.weights
    if can_compile(votes.cells.size):
        in_threads(
            lambda first, last: _share_packed(
                votes.rows, votes.cells, weights, first, last, shares
            ),
            votes.n_items,
            block=_BLOCK,
        )
        return shares
    for first in range(0, votes.n_items, _BLOCK):
        rows = votes.rows[first : first + _BLOCK + 1]
        inside = slice(int(rows[0]), int(rows[-1]))
        shares[first : first + _BLOCK] = majority_vote(
            vote_counts(
                np.repeat(np.arange(rows.size - 1), np.diff(rows)),
                votes.cells[inside] % votes.n_classes,
                rows.size - 1,
                votes.n_classes,
                None if votes.weights is None else weights[inside],
            )
        )
    return shares


@kernel()
def _share_packed(
    rows: AnyInts, cells: AnyInts, weights: FloatArray, first: int, last: int, shares: FloatArray
) -> None:
    """Shares of votes of items `first` to `last - 1`."""
    n_classes = shares.shape[1]
    for i in range(first, last):
        row = shares[i]
        for v in range(rows[i], rows[i + 1]):
            row[cells[v] % n_classes] += weights[v] if weights.size else 1.0
        total = 0.0
        for k in range(n_classes):
            total += row[k]
        for k in range(n_classes):
            row[k] = row[k] / total if total > 0 else 1 / n_classes


def as_counts(counts: ArrayLike) -> FloatArray:
    """Return votes for each class of each item as an (N, K) array.

    Raises
    ------
    UsageError
        They are none.

    Examples
    --------
    >>> as_counts([[3, 1]]).tolist()
    [[3.0, 1.0]]
    """
    array: FloatArray = array_of("counts", counts, "numbers", np.float64)
    if array.ndim != 2:
        raise UsageError(f"counts: shape {array.shape}, expected (items, classes)")
    return array


def majority_vote(counts: FloatArray) -> FloatArray:
    """Give each class its share of the item's votes; items without a vote are spread evenly.

    Parameters
    ----------
    counts : (N, K) float
        Votes for each class of each item.

    Returns
    -------
    (N, K) float
        Rows sum to 1.

    Examples
    --------
    >>> majority_vote(np.array([[3.0, 1.0], [0.0, 0.0]])).tolist()
    [[0.75, 0.25], [0.5, 0.5]]
    """
    counts = as_counts(counts)
    total = row_totals(counts)
    even = np.full_like(counts, 1 / counts.shape[1])
    return np.asarray(np.divide(counts, total, out=even, where=total > 0), dtype=np.float64)
