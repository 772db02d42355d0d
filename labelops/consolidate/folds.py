"""Which votes are held out together: those of a fifth of the people, or a fifth of the votes.

Who or what comes first in a table says nothing, so it must not decide what is believed. Votes are
dealt by a number that follows from the votes alone, by colour refinement: an item is known by who
says what of it, a person by what they say of which items, and so on, where at the start people and
classes are known by how many votes they have.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from labelops.measure.codes import FloatArray, IntArray

__all__ = ["FOLDS", "annotator_folds", "vote_folds"]

FOLDS = 5
_ROUNDS = 2
_Keys = npt.NDArray[np.uint64]


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

    References
    ----------
    Weisfeiler, Leman 1968, in English https://www.iti.zcu.cz/wl2018/pdf/wl_paper_translation.pdf

    Examples
    --------
    >>> vote_folds(np.array([0, 0, 0, 1]), np.array([0, 1, 2, 0]), np.array([0, 0, 1, 0])).tolist()
    [3, 2, 1, 0]
    """
    items = np.unique(items, return_inverse=True)[1]  # Whether ids are left out says nothing.
    item, person = _known_by_votes(items, annotators, codes)
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


def _known_by_votes(items: IntArray, annotators: IntArray, codes: IntArray) -> tuple[_Keys, _Keys]:
    """Give every item and every person a number that follows from the votes, not from names."""
    sizes = [int(a.max(initial=-1)) + 1 for a in (items, annotators, codes)]
    item: _Keys = np.zeros(sizes[0], dtype=np.uint64)
    person, label = (
        np.bincount(a, minlength=n).astype(np.uint64)
        for a, n in zip((annotators, codes), sizes[1:], strict=True)
    )
    for _ in range(_ROUNDS):
        item = _sums(items, _mixed(person[annotators], label[codes]), sizes[0])
        by_item = _mixed(item[items], label[codes])
        label = _sums(codes, _mixed(item[items], person[annotators]), sizes[2])
        person = _sums(annotators, by_item, sizes[1])
    return item, person


def _sums(place: IntArray, keys: _Keys, size: int) -> _Keys:
    """Add keys by place, modulo 2**64: the order does not matter."""
    total = np.zeros(size, dtype=np.uint64)
    np.add.at(total, place, keys)
    return total


def _mixed(one: _Keys, other: _Keys) -> _Keys:
    """Make one key of two, in their order; scrambled, so that sums of keys tell sets apart."""
    key = one * np.uint64(0x9E3779B97F4A7C15) + other
    for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
        key = (key ^ (key >> np.uint64(shift))) * np.uint64(factor)
    return np.asarray(key ^ (key >> np.uint64(31)), dtype=np.uint64)
