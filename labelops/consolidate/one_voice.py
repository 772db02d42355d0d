"""Those who answer as one, counted once: one vote an item, shared out where they differ."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from labelops.measure.codes import IntArray
from labelops.measure.votes import Votes, pack_votes

__all__ = ["count_once", "said_as_one", "voices"]


def voices(groups: Sequence[Sequence[int]], n_annotators: int) -> IntArray:
    """Give each annotator the first of those who answer as one, (A,); others are their own.

    Examples
    --------
    >>> voices([(1, 3)], 4).tolist()
    [0, 1, 2, 1]
    """
    voice = np.arange(n_annotators)
    for group in groups:
        voice[list(group)] = group[0]
    return voice


def count_once(votes: Votes, voice: IntArray) -> Votes:
    """Give the votes of a group to its first, each as its share of the group's on the item.

    Parameters
    ----------
    votes : Votes
    voice : (A,) int
        From `voices`.

    Examples
    --------
    Annotators 0 and 1 answer as one, but for the second item.

    >>> votes = pack_votes([0, 0, 0, 1, 1], [0, 1, 2, 0, 1], [1, 1, 0, 0, 1],
    ...                    n_items=2, n_annotators=3, n_classes=2)
    >>> once = count_once(votes, voices([(0, 1)], 3))
    >>> once.annotators.tolist(), once.codes.tolist(), once.weights.tolist()
    ([0, 2, 0, 0], [1, 0, 0, 1], [1.0, 1.0, 0.5, 0.5])
    """
    item, who = votes.items, voice[votes.annotators].astype(np.int64)
    weight = np.ones(item.size) if votes.weights is None else votes.weights
    seat = np.unique(item * votes.n_annotators + who, return_inverse=True)[1]
    answer, at, place = np.unique(
        seat * np.int64(votes.n_classes) + votes.codes, return_index=True, return_inverse=True
    )  # fmt: skip
    shares = np.bincount(place, weight, answer.size) / np.bincount(seat)[seat[at]]
    return pack_votes(
        item[at], who[at], votes.codes[at], n_items=votes.n_items,
        n_annotators=votes.n_annotators, n_classes=votes.n_classes,
        weights=None if (shares == 1).all() else shares,
    )  # fmt: skip


def said_as_one(groups: Sequence[Sequence[int]]) -> str:
    """Say who was counted once, as the end of a reason.

    Examples
    --------
    >>> said_as_one([]), said_as_one([(0, 1, 4), (2, 3)])
    ('', '; 3 people answer as one, and 2 others, each counted once')
    """
    if not groups:
        return ""
    first, *rest = (len(group) for group in groups)
    text = f"; {first} people answer as one" + "".join(f", and {n} others" for n in rest)
    return text + (", each counted once" if rest else ", counted once")
