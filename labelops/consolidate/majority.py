"""Majority vote, and how sure it may be: one accuracy for the whole crowd, from its agreement."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from labelops.errors import UsageError
from labelops.measure.codes import BoolArray, FloatArray, IntArray
from labelops.measure.jit import can_compile, in_threads, kernel
from labelops.measure.rows import count_equal, first_largest, row_totals
from labelops.measure.votes import AnyInts, Votes, check_ints, check_sizes, check_weights

__all__ = [
    "Majority",
    "crowd_accuracy",
    "majority",
    "majority_vote",
    "one_coin_posterior",
    "pair_accuracies",
    "vote_counts",
    "vote_shares",
]

_SHRINK = 10.0
_MOST = 0.999
_BLOCK = 1 << 18
_NO_WEIGHTS = np.empty(0)


@dataclass(frozen=True, slots=True)
class Majority:
    """What most annotators said of each item.

    Attributes
    ----------
    shares : (N, K) float
        Share of the item's votes for each class; even where there is none.
    labels : (N,) int
        The class with most votes, the first of them in a tie; -1 without a vote.
    tied : (N,) bool
        Whether another class has as many votes.
    votes : (N,) float
        Votes on the item, or their weight.
    accuracy : (A,) float
        How often each annotator voted for the label; NaN without a vote.
    """

    shares: FloatArray
    labels: IntArray
    tied: BoolArray
    votes: FloatArray
    accuracy: FloatArray


def majority(
    items: ArrayLike,
    annotators: ArrayLike,
    codes: ArrayLike,
    *,
    n_items: int,
    n_annotators: int,
    n_classes: int,
    weights: ArrayLike | None = None,
) -> Majority:
    """Take the class that most annotators gave; time and memory are linear in votes and items.

    Parameters
    ----------
    items, annotators, codes : (V,) array-like of int
        Item, annotator and class of each vote; class -1 (missing) is no vote.
    n_items, n_annotators, n_classes : int
        N, A and K.
    weights : (V,) array-like of float, optional
        What each vote counts for the label; 1 each when left out.

    Raises
    ------
    UsageError
        Arrays differ in length, or hold what is out of range.

    Examples
    --------
    >>> found = majority([0, 0, 0, 1, 1], [0, 1, 2, 0, 1], [1, 1, 0, 0, 1],
    ...                  n_items=2, n_annotators=3, n_classes=2)
    >>> found.labels.tolist(), found.tied.tolist(), found.accuracy.tolist()
    ([1, 0], [False, True], [1.0, 0.5, 0.0])
    """
    check_sizes(n_items, n_annotators, n_classes)
    item = check_ints("items", items, n_items)
    who = check_ints("annotators", annotators, n_annotators)
    code = check_ints("codes", codes, n_classes, lowest=-1)
    if who.size != code.size:
        raise UsageError(
            f"votes: {who.size} annotators and {code.size} codes; expected one of each a vote"
        )
    counts = vote_counts(item, code, n_items, n_classes, weights)
    labels = np.empty(n_items, dtype=np.int64)
    tied = np.empty(n_items, dtype=np.bool_)
    votes = np.empty(n_items)
    seen, same = np.zeros((2, n_annotators), dtype=np.int64)
    if can_compile(code.size):
        in_threads(
            lambda first, last: _decide(counts, labels, tied, votes, first, last),
            n_items,
            block=_BLOCK,
        )
        _compare(item, who, code, labels, seen, same)
    else:
        _decide_in_numpy(counts, labels, tied, votes)
        right = code == labels[item]
        if code.min(initial=0) < 0:
            there = code >= 0
            who, right = who[there], right[there]
        seen += np.bincount(who, minlength=n_annotators)
        # Weights instead of a choice of votes: whole numbers, which floats hold exactly.
        same += np.bincount(who, weights=right, minlength=n_annotators).astype(np.int64)
    accuracy = np.where(seen > 0, same / np.maximum(seen, 1), np.nan)
    return Majority(counts, labels, tied, votes, accuracy)


@kernel()
def _decide(
    counts: FloatArray,
    labels: IntArray,
    tied: BoolArray,
    votes: FloatArray,
    first: int,
    last: int,
) -> None:
    """Make counts shares, and say what has most of them."""
    n_classes = counts.shape[1]
    for i in range(first, last):
        row = counts[i]
        total, most, best = 0.0, 0.0, -1
        for k in range(n_classes):
            total += row[k]
            best = k if row[k] > most else best
            most = max(most, row[k])
        share, spread = (total, 0.0) if total > 0 else (1.0, 1 / n_classes)
        ties = 0
        for k in range(n_classes):
            ties += row[k] == most
            row[k] = row[k] / share + spread
        votes[i] = total
        labels[i] = best
        tied[i] = ties > 1 and total > 0


@kernel()
def _compare(
    item: AnyInts, who: AnyInts, code: AnyInts, labels: IntArray, seen: IntArray, same: IntArray
) -> None:
    """Count each annotator's votes, and those that are the label."""
    for v in range(code.size):
        annotator = who[v]
        seen[annotator] += code[v] >= 0
        same[annotator] += code[v] >= 0 and code[v] == labels[item[v]]


def _decide_in_numpy(
    counts: FloatArray, labels: IntArray, tied: BoolArray, votes: FloatArray
) -> None:
    """Do what `_decide` does."""
    votes[:] = row_totals(counts)[:, 0]
    there = votes > 0
    labels[:], most = first_largest(counts)
    np.logical_and(there, count_equal(counts, most) > 1, out=tied)
    if there.all():
        counts /= votes[:, None]
        return
    np.divide(counts, votes[:, None], out=counts, where=there[:, None])
    labels[~there], counts[~there] = -1, 1 / counts.shape[1]


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
    if item.size != code.size or weight.size not in (code.size, 0):
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
    total = row_totals(counts)
    even = np.full_like(counts, 1 / counts.shape[1])
    return np.asarray(np.divide(counts, total, out=even, where=total > 0), dtype=np.float64)


def crowd_accuracy(counts: FloatArray) -> float | None:
    """Estimate how often a vote is right from how often two votes on an item agree.

    With accuracy p and errors spread evenly, two independent votes agree with probability
    p² + (1-p)²/(K-1); this is solved for p.

    Parameters
    ----------
    counts : (N, K) float
        Votes for each class of each item.

    Returns
    -------
    float or None
        Between 1/K and .999; None when no item has two votes.

    Examples
    --------
    >>> round(crowd_accuracy(np.array([[2.0, 0.0]] * 17 + [[1.0, 1.0]] * 8)), 2)  # agree 68 %
    0.8
    """
    n_classes = counts.shape[1]
    total = counts.sum(axis=1)
    pairs = (total * np.maximum(total - 1, 0)).sum()
    if pairs <= 0 or n_classes < 2:
        return None
    agreement = (counts * np.maximum(counts - 1, 0)).sum() / pairs
    root = np.sqrt(max(0.0, (n_classes - 1) * (n_classes * agreement - 1)))
    return float(min((1 + root) / n_classes, _MOST))


def one_coin_posterior(counts: FloatArray, accuracy: float | None) -> FloatArray:
    """Turn vote counts into class probabilities when every vote is right equally often.

    Parameters
    ----------
    counts : (N, K) float
        Votes for each class of each item.
    accuracy : float or None
        How often a vote is right. None: unknown, then the share of votes with one more vote for
        every class (Laplace), which claims little.

    Returns
    -------
    (N, K) float
        Rows sum to 1; more votes never mean less.

    Examples
    --------
    >>> one_coin_posterior(np.array([[1.0, 0.0], [2.0, 0.0]]), 0.8).round(3).tolist()
    [[0.8, 0.2], [0.941, 0.059]]
    >>> one_coin_posterior(np.array([[1.0, 0.0]]), None).round(3).tolist()
    [[0.667, 0.333]]
    """
    n_classes = counts.shape[1]
    if accuracy is None or n_classes < 2:
        return majority_vote(counts + 1)
    p = min(max(accuracy, 1 / n_classes), _MOST)
    logits = counts * np.log(p * (n_classes - 1) / (1 - p))
    odds = np.exp(logits - logits.max(axis=1, keepdims=True))
    return np.asarray(odds / odds.sum(axis=1, keepdims=True), dtype=np.float64)


def pair_accuracies(
    items: IntArray,
    annotators: IntArray,
    codes: IntArray,
    counts: FloatArray,
    n_annotators: int,
    weights: FloatArray,
) -> FloatArray:
    """Estimate each annotator's accuracy from their agreement with the others' votes.

    Parameters
    ----------
    items, annotators, codes : (V,) int
        The votes that `counts` counts.
    counts : (N, K) float
        Votes for each class of each item.
    n_annotators : int
        A.
    weights : (V,) float
        What each vote counts; at 0 it is as if it had not been given.

    Returns
    -------
    (A,) float
        Shrunk to the crowd's accuracy by ten votes; NaN for all when no item has two votes.

    Examples
    --------
    >>> items = np.repeat(np.arange(50), 3)
    >>> who = np.tile([0, 1, 2], 50)
    >>> code = np.where(who < 2, 0, np.repeat(np.arange(50) % 2, 3))
    >>> pair_accuracies(items, who, code, vote_counts(items, code, 50, 2), 3,
    ...                 np.ones(150)).round(2).tolist()
    [0.91, 0.91, 0.55]
    """
    crowd, n_classes = crowd_accuracy(counts), counts.shape[1]
    if crowd is None:
        return np.full(n_annotators, np.nan)
    others = counts.sum(axis=1)[items] - weights
    paired = (others > 0) & (weights > 0)
    agree = (counts[items, codes] - weights)[paired] / others[paired]
    seen = np.bincount(annotators[paired], minlength=n_annotators)
    same = np.bincount(annotators[paired], weights=agree, minlength=n_annotators)
    miss = (1 - crowd) / (n_classes - 1)
    if crowd - miss < 1e-6:
        return np.full(n_annotators, crowd)
    # Agreement with a vote of accuracy c is p c + (1-p) (1-c)/(K-1): linear in p.
    expected = crowd * crowd + (1 - crowd) * miss
    share = (same + _SHRINK * expected) / (seen + _SHRINK)
    return np.clip((share - miss) / (crowd - miss), 0.0, _MOST)
