"""Made-up crowds from tables of mistakes rather than from looks: another maker than `_crowds`.

A person's confusion matrix is drawn around a kind of mistakes: neighbours of an ordinal class, two
classes that look alike, any. Items may have a lure, a wrong class for which everybody falls more
often. Nothing here is shared with the maker of `_crowds`, so that what fits the one by chance is
seen on the other.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
import numpy.typing as npt

from ._crowds import Regime, draw
from ._resampled import Known

__all__ = ["KINDS", "TEAMS", "TOPICS", "Kind", "made", "own_topics", "team"]

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of crowd.

    Parameters
    ----------
    classes, items, people : int
        K, N and A.
    votes : float
        Votes an item on average, at least one.
    right : (float, float)
        Mean accuracy, and the Beta distribution's size: the smaller, the more people differ.
    mistakes : str
        `any`, `neighbours` (ordinal) or `pairs` (classes 0 and 1, 2 and 3, ... are taken for each
        other).
    own : float
        Size of the Dirichlet from which a person's mistakes are drawn; small is peculiar.
    frequent : float
        Share of class 0; the others are even. 0: all even.
    lured : float
        Share of items that have a lure.
    falls : float
        How often a vote on such an item is for the lure, whoever votes.
    clickers, against : float
        Share of people.
    tail : float
        Standard deviation of the log of how much people do.
    """

    classes: int
    items: int
    people: int
    votes: float
    right: tuple[float, float] = (0.75, 8.0)
    mistakes: str = "any"
    own: float = 3.0
    frequent: float = 0.0
    lured: float = 0.0
    falls: float = 0.4
    clickers: float = 0.05
    against: float = 0.0
    tail: float = 1.2


KINDS: Mapping[str, Kind] = MappingProxyType(
    {
        # Looked at while the default was changed last; those below only once after.
        "ordinal 5, 6 votes": Kind(5, 600, 80, 6, (0.6, 8.0), "neighbours"),
        "ordinal 7, 3 votes": Kind(7, 600, 60, 3, (0.6, 8.0), "neighbours", lured=0.1),
        "pairs of 4, 5 votes": Kind(4, 600, 60, 5, (0.7, 8.0), "pairs"),
        "pairs of 8, 10 votes": Kind(8, 500, 80, 10, (0.6, 8.0), "pairs"),
        "10 classes, 2 votes": Kind(10, 800, 60, 2, (0.7, 6.0), lured=0.15),
        "7 classes, 1.5 votes": Kind(7, 800, 80, 1.5, (0.75, 8.0), lured=0.1),
        "90 : 10, 4 votes": Kind(2, 800, 60, 4, (0.85, 8.0), frequent=0.9, lured=0.1),
        "95 : 5 of 3, 7 votes": Kind(3, 800, 50, 7, (0.8, 8.0), frequent=0.95, lured=0.1),
        "lured, 2 classes, 10 votes": Kind(2, 500, 80, 10, (0.8, 8.0), lured=0.25, falls=0.5),
        "one vote a person": Kind(3, 300, 600, 4, (0.75, 8.0), tail=0.3),
        # Kept apart.
        "ordinal 4, 10 votes": Kind(4, 500, 60, 10, (0.6, 6.0), "neighbours", lured=0.15),
        "ordinal 10, 4 votes": Kind(10, 600, 80, 4, (0.55, 8.0), "neighbours"),
        "pairs of 6, 3 votes": Kind(6, 700, 60, 3, (0.7, 8.0), "pairs", lured=0.1),
        "8 classes, 2 votes": Kind(8, 800, 50, 2, (0.65, 8.0), lured=0.2),
        "10 classes, 1.4 votes": Kind(10, 900, 60, 1.4, (0.8, 8.0)),
        "9 classes, 20 votes": Kind(9, 300, 60, 20, (0.45, 8.0), lured=0.2),
        "92 : 8, 3 votes": Kind(2, 1000, 80, 3, (0.85, 6.0), frequent=0.92),
        "85 : 15 of 4, 5 votes": Kind(4, 800, 60, 5, (0.75, 8.0), frequent=0.85, lured=0.15),
        "lured, 4 classes, 8 votes": Kind(4, 500, 60, 8, (0.75, 8.0), lured=0.3, falls=0.45),
        "many of two votes": Kind(4, 400, 800, 4, (0.75, 8.0), tail=0.3),
        "30 % clickers, 3 classes": Kind(3, 600, 60, 6, (0.8, 8.0), clickers=0.3),
        "15 % against, 2 classes": Kind(2, 500, 50, 7, (0.85, 8.0), clickers=0.1, against=0.15),
        "six busy, 5 classes": Kind(5, 800, 6, 4, (0.7, 6.0), clickers=0.0, lured=0.1),
        "forty votes": Kind(2, 150, 60, 40, (0.7, 4.0), lured=0.15, falls=0.5),
    }
)


def made(kind: Kind, rng: np.random.Generator) -> Known:
    """Draw a crowd of a kind."""
    shares = np.full(kind.classes, 1 / kind.classes)
    if kind.frequent:
        shares[:] = (1 - kind.frequent) / (kind.classes - 1)
        shares[0] = kind.frequent
    truth = rng.choice(kind.classes, size=kind.items, p=shares)
    lure = (truth + rng.integers(1, kind.classes, kind.items)) % kind.classes
    lure[rng.random(kind.items) >= kind.lured] = -1
    more = max(2 * round(kind.votes - 1), 1)
    size = 1 + rng.binomial(more, min((kind.votes - 1) / more, 1.0), kind.items)
    size = np.minimum(size, kind.people)
    keen = rng.normal(0, kind.tail, kind.people)
    order = np.argsort(-(keen + rng.gumbel(size=(kind.items, kind.people))), axis=1)
    taken = np.arange(kind.people) < size[:, None]
    item, who = np.nonzero(taken)[0], order[taken]
    chances = _people(kind, rng)[who, truth[item]]
    code = (chances.cumsum(axis=1) < rng.random((item.size, 1))).sum(axis=1)
    fell = (lure[item] >= 0) & (rng.random(item.size) < kind.falls)
    code = np.where(fell, lure[item], np.minimum(code, kind.classes - 1))
    return Known(item, who, code, truth, kind.classes)


def _people(kind: Kind, rng: np.random.Generator) -> Floats:
    """Confusion of each person, (A, K, K)."""
    n, k = kind.people, kind.classes
    apart = np.abs(np.arange(k)[:, None] - np.arange(k))
    if kind.mistakes == "neighbours":
        likely = np.where(apart > 0, 4.0 ** -(apart - 1.0), 0.0)
    elif kind.mistakes == "pairs":
        likely = np.where(np.arange(k)[:, None] // 2 == np.arange(k) // 2, 8.0, 1.0)
    else:
        likely = np.ones((k, k))
    likely = np.where(apart > 0, likely, 0.0)
    likely /= likely.sum(axis=1, keepdims=True)
    mean, many = kind.right
    right = rng.beta(mean * many, (1 - mean) * many, n)
    wrong = rng.gamma(np.maximum(kind.own * (k - 1) * likely, 1e-3), size=(n, k, k))
    wrong[:, np.arange(k), np.arange(k)] = 0
    wrong /= np.maximum(wrong.sum(axis=2, keepdims=True), 1e-12)
    table = right[:, None, None] * np.eye(k) + (1 - right)[:, None, None] * wrong
    role = rng.random(n)
    clicks = role < kind.clickers
    table[clicks] = 1 / k
    one = role < kind.clickers / 2
    table[one] = 0.9 * np.eye(k)[rng.integers(0, k, one.sum())][:, None, :] + 0.1 / k
    turned = (role >= kind.clickers) & (role < kind.clickers + kind.against)
    table[turned] = np.roll(table[turned], 1, axis=2)
    return table


TEAMS: Mapping[str, tuple[tuple[int, int], str]] = MappingProxyType(
    {
        "4 to 10, half click one class": ((4, 10), "one"),
        "4 to 10, half click one class or any": ((4, 10), "any"),
        "4 to 10, nobody clicks": ((4, 10), ""),
        "five, of whom three click": ((5, 5), "one"),
        "11 to 20, half click one class": ((11, 20), "one"),
        "11 to 20, half click one class or any": ((11, 20), "any"),
        "11 to 20, nobody clicks": ((11, 20), ""),
    }
)
"""Fewest and most people, and what half of them click."""


def team(people: tuple[int, int], clicks: str, rng: np.random.Generator) -> Known:
    """Draw a small crowd of `_crowds` in which half, rounded to more of five, may click."""
    n_classes = int(rng.choice([2, 2, 3, 4, 6]))
    n_people = int(rng.integers(people[0], people[1] + 1))
    shares = np.full(n_classes, 1 / n_classes)
    if rng.random() < 1 / 3:
        shares = 0.98 * rng.dirichlet(np.full(n_classes, 2.0)) + 0.02 / n_classes
    votes = n_people if people == (5, 5) else int(rng.integers(3, min(n_people, 10) + 1))
    drawn = draw(
        Regime(
            int(rng.integers(100, 800)), n_people, votes, tuple((shares / shares.sum()).tolist()),
            skill=rng.uniform(1.8, 3.2) + 0.2 * (n_classes - 2), spread=0.5, spam=0.0, own=0.3,
            hard=rng.uniform(0.2, 0.6), tail=rng.uniform(0.2, 1.2),
        ),
        rng,
    )  # fmt: skip
    who, code = drawn.votes.annotators.astype(np.int64), drawn.votes.codes.astype(np.int64)
    favourite = int(rng.integers(n_classes))
    n_clickers = (n_people + (people == (5, 5))) // 2 if clicks else 0
    for person in range(n_clickers):
        mine = np.flatnonzero(who == person)
        any_class = rng.integers(0, n_classes, mine.size)
        steady = rng.random(mine.size) < (0.0 if clicks == "any" and person % 2 else 0.95)
        code[mine] = np.where(steady, favourite, any_class)
    known = Known(drawn.votes.items.astype(np.int64), who, code, drawn.truth, n_classes)
    return known.keep(np.ones(code.size, dtype=np.bool_))


TOPICS: Mapping[str, tuple[int, int]] = MappingProxyType(
    {
        "own topics, 6 classes, 3 votes": (6, 3),
        "own topics, 4 classes, 5 votes": (4, 5),
        "own topics, 10 classes, 4 votes": (10, 4),
    }
)
"""Classes and votes an item."""


def own_topics(n_classes: int, votes: int, rng: np.random.Generator) -> Known:
    """Draw a crowd of sixty who take items of one class seven times as often as others.

    They are right on .9 of these and on half of the others, and of other mistakes theirs is three
    times as frequent. So whose votes an item has tells of its class, which no method here reads.
    """
    truth = rng.integers(0, n_classes, 900)
    topic = rng.integers(0, n_classes, 60)
    keen = 2.0 * (topic == truth[:, None]) + rng.normal(0, 1, topic.size)
    order = np.argsort(-(keen + rng.gumbel(size=keen.shape)), axis=1)[:, :votes]
    item, who = np.repeat(np.arange(truth.size), votes), order.ravel()
    true = truth[item]
    right = rng.random(item.size) < np.where(topic[who] == true, 0.9, 0.5)
    likely = 1.0 + 2.0 * (np.arange(n_classes) == topic[who][:, None])
    likely[np.arange(item.size), true] = 0
    chances = likely.cumsum(axis=1) / likely.sum(axis=1, keepdims=True)
    wrong = np.minimum((chances < rng.random((item.size, 1))).sum(axis=1), n_classes - 1)
    return Known(item, who, np.where(right, true, wrong), truth, n_classes).keep(
        np.ones(item.size, dtype=np.bool_)
    )
