"""Real crowds made into other ones: fewer people, fewer votes, other classes, other company.

Made-up people err as their maker thought of; these err as people did. A change keeps the votes and
what is true, and alters who is there and what is asked: so how a consensus fares with two votes an
item, ten busy people, a rare class or clickers is seen on real mistakes. Every change is a function
of a crowd and a generator; the crowds themselves are six development sets, so a change of one of
them is no unseen set, only an unseen situation.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from labelops.measure.votes import Votes, pack_votes

__all__ = ["CHANGES", "Known", "of_crowd"]

Ints = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Known:
    """Votes on items of known class; one number a vote in the first three.

    Attributes
    ----------
    item, who, code : (V,) int
        Item, annotator and class of each vote.
    truth : (N,) int
        Each item's class, -1 where it is not known.
    n_classes : int
        K.
    """

    item: Ints
    who: Ints
    code: Ints
    truth: Ints
    n_classes: int

    def keep(self, votes: npt.NDArray[np.bool_]) -> Known:
        """Leave other votes out, and items and people without any."""
        items, item = np.unique(self.item[votes], return_inverse=True)
        _, who = np.unique(self.who[votes], return_inverse=True)
        return Known(item, who, self.code[votes], self.truth[items], self.n_classes)

    def packed(self) -> Votes:
        """Give the votes as methods take them."""
        return pack_votes(
            self.item, self.who, self.code, n_items=self.truth.size,
            n_annotators=int(self.who.max()) + 1, n_classes=self.n_classes,
        )  # fmt: skip


Change: TypeAlias = Callable[[Known, np.random.Generator], Known]


def of_crowd(item: Ints, who: Ints, code: Ints, truth: Ints, n_classes: int) -> Known:
    """Take the items whose class is known."""
    every = Known(item, who, code, truth, n_classes)
    return every.keep(truth[item] >= 0)


def _half_the_people(known: Known, rng: np.random.Generator) -> Known:
    stays = rng.random(known.who.max() + 1) < 0.5
    return known.keep(stays[known.who])


def _thinned(votes: int) -> Change:
    def change(known: Known, rng: np.random.Generator) -> Known:
        order = rng.permutation(known.item.size)
        order = order[np.argsort(known.item[order], kind="stable")]
        first = np.r_[0, np.flatnonzero(np.diff(known.item[order])) + 1]
        sizes = np.diff(np.r_[first, order.size])
        rank = np.arange(order.size) - np.repeat(first, sizes)
        stays = np.zeros(order.size, dtype=np.bool_)
        stays[order[rank < votes]] = True
        return known.keep(stays)

    return change


def _merged(known: Known, rng: np.random.Generator) -> Known:
    """Merge classes at random into fewer; two classes stay."""
    n_classes = int(rng.integers(2, max(known.n_classes, 3)))
    into = np.r_[np.arange(n_classes), rng.integers(0, n_classes, known.n_classes - n_classes)]
    into = rng.permutation(into)
    return Known(known.item, known.who, into[known.code], into[known.truth], n_classes)


def _without_the_best(known: Known, rng: np.random.Generator) -> Known:
    """Leave a third of the people out, those who were right most often."""
    right = np.bincount(known.who, known.code == known.truth[known.item])
    share = right / np.bincount(known.who) + 1e-6 * rng.random(right.size)
    return known.keep((share <= np.quantile(share, 2 / 3))[known.who])


def _few_busy(known: Known, rng: np.random.Generator) -> Known:
    """Keep some of the people with the most votes, and the items that two of them saw."""
    busy = np.argsort(-np.bincount(known.who), kind="stable")[:16]
    stays = np.zeros(known.who.max() + 1, dtype=np.bool_)
    stays[rng.choice(busy, size=min(8, busy.size), replace=False)] = True
    fewer = known.keep(stays[known.who])
    return fewer.keep((np.bincount(fewer.item) >= 2)[fewer.item])


def _many_of_few_votes(known: Known, rng: np.random.Generator) -> Known:
    """Cut everybody into people of three votes: nobody can be known."""
    order = rng.permutation(known.item.size)
    order = order[np.argsort(known.who[order], kind="stable")]
    first = np.r_[0, np.flatnonzero(np.diff(known.who[order])) + 1]
    sizes = np.diff(np.r_[first, order.size])
    rank = np.arange(order.size) - np.repeat(first, sizes)
    who = np.empty_like(known.who)
    who[order] = known.who[order] * (known.item.size + 1) + rank // 3
    return Known(known.item, np.unique(who, return_inverse=True)[1], known.code, known.truth,
                 known.n_classes)  # fmt: skip


def _one_class_frequent(known: Known, rng: np.random.Generator) -> Known:
    """Thin out the items of all classes but one until nine of ten are of that one."""
    frequent = int(rng.integers(known.n_classes))
    others = np.flatnonzero(known.truth != frequent)
    most = max(int((known.truth == frequent).sum() / 9), 5)
    stays = known.truth == frequent
    stays[rng.permutation(others)[:most]] = True
    return known.keep(stays[known.item])


def _clickers(known: Known, rng: np.random.Generator) -> Known:
    """Three of ten people click: half of them one class, half any."""
    kind = rng.random(known.who.max() + 1)
    favourite = rng.integers(0, known.n_classes, kind.size)
    code = known.code.copy()
    one, any_ = kind[known.who] < 0.15, (kind[known.who] >= 0.15) & (kind[known.who] < 0.3)
    code[one] = favourite[known.who[one]]
    code[any_] = rng.integers(0, known.n_classes, any_.sum())
    return Known(known.item, known.who, code, known.truth, known.n_classes)


def _against(known: Known, rng: np.random.Generator) -> Known:
    """One of ten people gives another class in place of each."""
    against = rng.random(known.who.max() + 1) < 0.1
    shift = rng.integers(1, known.n_classes, against.size)
    code = np.where(against[known.who], known.code + shift[known.who], known.code)
    return Known(known.item, known.who, code % known.n_classes, known.truth, known.n_classes)


def _after(*changes: Change) -> Change:
    def change(known: Known, rng: np.random.Generator) -> Known:
        for one in changes:
            known = one(known, rng)
        return known

    return change


CHANGES: Mapping[str, Change] = MappingProxyType(
    {
        "half the people": _half_the_people,
        "1 vote": _thinned(1),
        "2 votes": _thinned(2),
        "3 votes": _thinned(3),
        "5 votes": _thinned(5),
        "classes merged": _merged,
        "without the best third": _without_the_best,
        "eight busy people": _few_busy,
        "people of three votes": _many_of_few_votes,
        "90 : 10": _one_class_frequent,
        "30 % clickers": _clickers,
        "10 % against": _against,
        "3 votes, 30 % clickers": _after(_thinned(3), _clickers),
        "3 votes, 90 : 10": _after(_one_class_frequent, _thinned(3)),
    }
)
"""Situations; the order of keys numbers their seeds."""
