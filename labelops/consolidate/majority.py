"""Majority vote: the class that most annotators gave."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from labelops.errors import UsageError, shown
from labelops.measure.brief import brief
from labelops.measure.codes import BoolArray, FloatArray, IntArray
from labelops.measure.jit import can_compile, in_threads, kernel
from labelops.measure.rows import count_equal, first_largest, row_totals
from labelops.measure.sizes import sizes_of
from labelops.measure.votes import AnyInts, Votes, check_ints

from ._family import check_shards
from .counts import vote_counts

__all__ = ["Majority", "majority", "majority_shards"]

_BLOCK = 1 << 18


@brief
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
    n_items: int | None = None,
    n_classes: int | None = None,
    *,
    n_annotators: int | None = None,
    weights: ArrayLike | None = None,
) -> Majority:
    """Take the class that most annotators gave; time and memory are linear in votes and items.

    There is nothing to start warm: a majority is a sum. To go on from yesterday, give its votes as
    one shard and today's as another (`majority_shards`).

    Parameters
    ----------
    items, annotators, codes : (V,) array-like of int
        Item, annotator and class of each vote; class -1 (missing) is no vote. An annotator's
        second vote on an item counts as one more.
    n_items, n_classes, n_annotators : int, optional
        N, A and K; one more than the largest number there is when left out.
    weights : (V,) array-like of float, optional
        What each vote counts for the label; 1 each when left out. One of weight 0 is no vote.

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
    size = sizes_of(items, annotators, codes, n_items, n_annotators, n_classes)
    n_items, n_annotators, n_classes = size
    item = check_ints("items", items, n_items)
    who = check_ints("annotators", annotators, n_annotators)
    code = check_ints("codes", codes, n_classes, lowest=-1)
    if who.size != code.size:
        raise UsageError(
            f"votes: {who.size} annotators and {code.size} codes; expected one of each a vote"
        )
    return _finish([_count(item, who, code, size, weights)])


def majority_shards(shards: Iterable[Votes]) -> Majority:
    """Do what `majority` does for packed votes, whose items may lie in several shards.

    One pass, over shards that need not be held at once. Only each shard's counts of votes and of
    those that are the label, (2, A), would have to travel between machines.

    Parameters
    ----------
    shards : iterable of Votes
        From `labelops.measure.votes.pack_votes`, each with the items 0 … N_s - 1 of its own and
        all with the same annotators and classes.

    Returns
    -------
    Majority
        By item, the shards' items one shard after the other.

    Raises
    ------
    UsageError
        There is no shard, or they differ in annotators or classes.

    Examples
    --------
    >>> from labelops.measure.votes import pack_votes
    >>> size = {"n_items": 2, "n_annotators": 2, "n_classes": 2}
    >>> days = (pack_votes([0, 0, 1, 1], [0, 1, 0, 1], given, **size)
    ...         for given in ([0, 0, 1, 1], [1, 1, 0, 1]))
    >>> found = majority_shards(days)
    >>> found.labels.tolist(), found.accuracy.tolist()
    ([0, 1, 1, 0], [1.0, 0.75])
    """
    parts: list[_Part] = []
    first: Votes | None = None
    if isinstance(shards, Votes) or not isinstance(shards, Iterable):
        raise UsageError(f"shards is {shown(shards)}, expected a list of Votes")
    for votes in shards:
        first = first or votes
        check_shards([first, votes])
        size = votes.n_items, votes.n_annotators, votes.n_classes
        parts.append(_count(votes.items, votes.annotators, votes.codes, size, votes.weights))
    check_shards([] if first is None else [first])
    return _finish(parts)


@dataclass(frozen=True, slots=True)
class _Part:
    """What some items' votes say: of the items, and how often each annotator gave the label."""

    shares: FloatArray
    labels: IntArray
    tied: BoolArray
    votes: FloatArray
    seen: IntArray
    same: IntArray


def _count(
    item: AnyInts,
    who: AnyInts,
    code: AnyInts,
    size: tuple[int, int, int],
    weights: ArrayLike | None,
) -> _Part:
    n_items, n_annotators, n_classes = size
    counts = vote_counts(item, code, n_items, n_classes, weights)
    if weights is not None:
        code = np.where(np.asarray(weights) > 0, code, -1)
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
    return _Part(counts, labels, tied, votes, seen, same)


def _finish(parts: list[_Part]) -> Majority:
    """Add up what parts say of annotators, and put their items one after the other."""
    seen = np.sum([part.seen for part in parts], axis=0)
    same = np.sum([part.same for part in parts], axis=0)
    accuracy = np.where(seen > 0, same / np.maximum(seen, 1), np.nan)
    if len(parts) == 1:  # a copy of a hundred million shares less
        one = parts[0]
        return Majority(one.shares, one.labels, one.tied, one.votes, accuracy)
    return Majority(
        np.concatenate([part.shares for part in parts]),
        np.concatenate([part.labels for part in parts]),
        np.concatenate([part.tied for part in parts]),
        np.concatenate([part.votes for part in parts]),
        accuracy,
    )


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
