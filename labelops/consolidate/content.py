"""What items and people are known by: what their votes say, and neither names nor order.

Where only some votes are looked at, or people are dealt into folds, something has to come first.
What somebody is called, or where a row stands in a table, must not decide what is believed. So
items and people are ordered by numbers that follow from the votes alone, by colour refinement: an
item is known by who says what of it, a person by what they say of which items, and so on, where at
the start people and classes are known by how many votes they have. The numbers are sums modulo
2**64 over votes, so that those of shards add up, and scrambled, so that their order is as good as
drawn.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from labelops.measure.codes import IntArray
from labelops.measure.votes import Votes

__all__ = ["Keys", "known_by_votes", "numbered_by_votes", "thinned_items"]

_ROUNDS = 2
_BLOCK = 1 << 16
Keys = npt.NDArray[np.uint64]


def known_by_votes(votes: Votes) -> tuple[Keys, Keys]:
    """Give every item and every person a number that follows from the votes.

    References
    ----------
    Weisfeiler, Leman 1968, in English https://www.iti.zcu.cz/wl2018/pdf/wl_paper_translation.pdf

    Examples
    --------
    >>> from labelops.measure.votes import pack_votes
    >>> votes = pack_votes([0, 0, 1, 1, 2], [0, 1, 0, 2, 1], [1, 1, 0, 1, 1], n_items=3,
    ...                    n_annotators=3, n_classes=2)
    >>> renamed = pack_votes([2, 2, 1, 1, 0], [1, 0, 1, 2, 0], [1, 1, 0, 1, 1], n_items=3,
    ...                      n_annotators=3, n_classes=2)
    >>> item, person = known_by_votes(renamed)
    >>> item[[2, 1, 0]].tolist() == known_by_votes(votes)[0].tolist()
    True
    >>> person[[1, 0, 2]].tolist() == known_by_votes(votes)[1].tolist()
    True
    """
    person: Keys = np.zeros(votes.n_annotators, dtype=np.uint64)
    label: Keys = np.zeros(votes.n_classes, dtype=np.uint64)
    for _, part in votes.blocks(_BLOCK):
        person += np.bincount(part.annotators, minlength=person.size).astype(np.uint64)
        label += np.bincount(part.codes, minlength=label.size).astype(np.uint64)
    item: Keys = np.zeros(votes.n_items, dtype=np.uint64)
    for _ in range(_ROUNDS):
        for some, part in votes.blocks(_BLOCK):
            said = _weighed(part, _mixed(person[part.annotators], label[part.codes]))
            item[some] = _sums(part.items, said, part.n_items)
        people, labels = np.zeros_like(person), np.zeros_like(label)
        for some, part in votes.blocks(_BLOCK):
            of, who, code = item[some][part.items], part.annotators, part.codes
            labels += _sums(code, _weighed(part, _mixed(of, person[who])), label.size)
            people += _sums(who, _weighed(part, _mixed(of, label[code])), person.size)
        person, label = people, labels
    return item, person


def numbered_by_votes(votes: Votes) -> tuple[IntArray, IntArray]:
    """Give items and people numbers from 0 in the order of what they are known by.

    Whom this does not tell apart stand in the order of the first of their items. Those who say the
    same of the same items are left in the order of their ids: it makes no difference.

    Examples
    --------
    >>> from labelops.measure.votes import pack_votes
    >>> votes = pack_votes([0, 0, 1], [0, 1, 0], [1, 0, 1], n_items=2, n_annotators=2, n_classes=2)
    >>> item, person = numbered_by_votes(votes)
    >>> sorted(item.tolist()), sorted(person.tolist())
    ([0, 1], [0, 1])
    """
    by_item, by_person = known_by_votes(votes)
    item = _places(np.argsort(by_item, kind="stable"))
    first = np.full(votes.n_annotators, votes.n_items)
    for some, part in votes.blocks(_BLOCK):
        np.minimum.at(first, part.annotators, item[some][part.items])
    return item, _places(np.lexsort((first, by_person)))


def thinned_items(votes: Votes, most: int) -> IntArray:
    """Take of the items with two votes or more so many that there are some `most` votes on them.

    They are every so-many-th in the order of what they are known by, so that of items that look
    alike there are as many in proportion.

    Examples
    --------
    >>> from labelops.measure.votes import pack_votes
    >>> votes = pack_votes([0, 0, 1, 1], [0, 1, 0, 1], [1, 0, 1, 0], n_items=2, n_annotators=2,
    ...                    n_classes=2)
    >>> len(thinned_items(votes, 5)), len(thinned_items(votes, 2))
    (2, 1)
    """
    per_item = votes.per_item
    ids = np.flatnonzero(per_item >= 2)
    step = 1 + int(per_item[ids].sum()) // max(most, 1)
    if step == 1:
        return ids
    by_item, _ = known_by_votes(votes)
    return ids[np.argsort(by_item[ids], kind="stable")[::step]]


def _places(order: IntArray) -> IntArray:
    """Say where each one stands in an order."""
    place = np.empty(order.size, dtype=np.int64)
    place[order] = np.arange(order.size)
    return place


def _weighed(votes: Votes, keys: Keys) -> Keys:
    """Mix into each vote's key what the vote counts, where that is not 1."""
    return keys if votes.weights is None else _mixed(keys, votes.weights.view(np.uint64))


def _sums(place: npt.NDArray[np.integer], keys: Keys, size: int) -> Keys:
    """Add keys by place, modulo 2**64: the order does not matter."""
    total = np.zeros(size, dtype=np.uint64)
    np.add.at(total, place, keys)
    return total


def _mixed(one: Keys, other: Keys) -> Keys:
    """Make one key of two, in their order; scrambled, so that sums of keys tell sets apart."""
    key = one * np.uint64(0x9E3779B97F4A7C15) + other
    for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
        key = (key ^ (key >> np.uint64(shift))) * np.uint64(factor)
    return np.asarray(key ^ (key >> np.uint64(31)), dtype=np.uint64)
