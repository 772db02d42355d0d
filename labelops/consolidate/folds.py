"""Which votes are held out together: those of a fifth of the people, or a fifth of the votes.

Who or what comes first in a table says nothing, so it must not decide what is believed. Votes are
dealt by what they say (`content`); people by how many votes they have, and as they are numbered:
`numbered_by_votes` numbers them by what they say.
"""

from __future__ import annotations

import numpy as np

from labelops.measure.codes import FloatArray, IntArray
from labelops.measure.votes import pack_votes

from .content import known_by_votes

__all__ = ["FOLDS", "annotator_folds", "vote_folds"]

FOLDS = 5


def annotator_folds(annotators: IntArray, weights: FloatArray, n_annotators: int) -> IntArray:
    """Deal annotators into five folds, back and forth by their votes, so that folds weigh alike.

    Examples
    --------
    >>> annotator_folds(np.array([0, 1, 1]), np.ones(3), 2).tolist()
    [1, 0]
    """
    # As many votes added up in another order of items are as many: their last digits may differ.
    votes = np.round(np.bincount(annotators, weights=weights, minlength=n_annotators), 9)
    rank = np.empty(n_annotators, dtype=np.int64)
    rank[np.argsort(-votes, kind="stable")] = np.arange(n_annotators)
    turn, place = np.divmod(rank, FOLDS)
    return np.asarray(np.where(turn % 2, FOLDS - 1 - place, place), dtype=np.int64)


def vote_folds(items: IntArray, annotators: IntArray, codes: IntArray) -> IntArray:
    """Deal votes into five folds, an item's into different ones as far as these reach.

    Items that the same people say the same of follow each other, so that every fold has its part
    of them. Names of items, people and classes, and the order of votes, do not matter but between
    such as the votes do not tell apart. Between items these are drawn: seats are often taken by
    turns, and folds in step with the turns would leave somebody out with all votes.

    Parameters
    ----------
    items, annotators, codes : (V,) int
        The votes. Several of one person on an item go together: one left behind would foretell
        the others.

    Examples
    --------
    >>> vote_folds(np.array([0, 0, 0, 1]), np.array([0, 1, 2, 0]), np.array([0, 0, 1, 0])).tolist()
    [3, 2, 1, 0]
    """
    items = np.unique(items, return_inverse=True)[1]  # Whether ids are left out says nothing.
    sizes = (int(a.max(initial=-1)) + 1 for a in (items, annotators, codes))
    n_items, n_annotators, n_classes = sizes
    item, person = known_by_votes(
        pack_votes(
            items, annotators, codes, n_items=n_items, n_annotators=n_annotators,
            n_classes=max(n_classes, 1),
        )
    )  # fmt: skip
    drawn = np.random.default_rng(0).permutation(item.size)
    begins = np.empty(item.size, dtype=np.int64)
    begins[np.lexsort((drawn, item))] = np.arange(item.size)
    pairs, pair = np.unique(items * max(person.size, 1) + annotators, return_inverse=True)
    of, who = np.divmod(pairs, max(person.size, 1))
    order = np.lexsort((who, person[who], of))
    many = np.bincount(of, minlength=item.size)
    nth = np.empty(pairs.size, dtype=np.int64)
    nth[order] = np.arange(pairs.size) - np.repeat(np.cumsum(many) - many, many)
    return np.asarray((begins[of] + nth) % FOLDS, dtype=np.int64)[pair]
