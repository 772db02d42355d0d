"""Made-up crowds in the manner of the public ones: who votes, how well, and what all fall for.

An item looks more or less like each class, to everybody alike: its own class most, the
neighbours of an ordinal class less, and some items like another class altogether. A person
picks a class by these looks, sharpened by skill (near nothing for who clicks, below nothing for
who answers against) and shifted by a liking of their own for some classes. So mistakes are
shared, biases are personal, items are hard or easy, and all of it comes from one rule:
P(class) ∝ exp(skill · looks + liking + own view of the item's class), after Welinder, Branson,
Belongie, Perona 2010,
https://papers.nips.cc/paper/4074-the-multidimensional-wisdom-of-crowds.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.special import log_softmax, softmax

from labelops.measure.votes import Votes, pack_votes

__all__ = ["Drawn", "Regime", "draw", "told"]

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

_FRESH = 2000
"""Items on which a person's confusion is known: what it would be counted as in the long run."""


@dataclass(frozen=True, slots=True)
class Regime:
    """A kind of crowd.

    Parameters
    ----------
    items, people : int
        N and A.
    votes : float
        Votes an item on average; all people where it is as many.
    shares : tuple of float
        Share of each class.
    skill, spread : float
        Mean and standard deviation of people's skill: in two classes a skill of 2 is right on 88 %
        of the plain items, 1 on 73 %, 0 on half.
    spam, against : float
        Share of people who click one class or any, and who answer against.
    liking : float
        Standard deviation of people's liking for a class.
    lean : float
        Standard deviation of what everybody likes alike: a crowd's habit of calling some classes
        too often.
    own : float
        Standard deviation of how much a person takes each class for each other one: mistakes of
        their own, which liking, alike for all items, does not make.
    hard : float
        Standard deviation of an item's looks: at 1 many items look like another class.
    alike : float
        How much each class looks like the next; 0 not more than like any other.
    tail : float
        Standard deviation of the logarithm of how much people do; 1.5 is usual.
    uneven : bool
        Items have from one vote to twice the average, not all the same.
    batch : int
        Items that are shown together, to the same people.
    """

    items: int
    people: int
    votes: float
    shares: tuple[float, ...]
    skill: float = 2.0
    spread: float = 0.7
    spam: float = 0.1
    against: float = 0.0
    liking: float = 0.4
    lean: float = 0.3
    own: float = 0.0
    hard: float = 0.3
    alike: float = 0.0
    tail: float = 1.2
    uneven: bool = False
    batch: int = 1


@dataclass(frozen=True, slots=True)
class Drawn:
    """A crowd that was drawn.

    Attributes
    ----------
    votes : Votes
    truth : (N,) int
    confusion : (A, K, K) float
        P(given | true) of each person, true class (row), given class (column), over many items.
    """

    votes: Votes
    truth: Ints
    confusion: Floats


def draw(regime: Regime, rng: np.random.Generator) -> Drawn:
    """Draw people, items and votes."""
    n_classes = len(regime.shares)
    skill, views = _people(regime, rng)
    truth = rng.choice(n_classes, size=regime.items, p=regime.shares)
    item, who = _assignment(regime, rng)
    looks = _looks(regime, truth, rng)
    chances = softmax(skill[who, None] * looks[item] + views[who, truth[item]], axis=1)
    code = (chances.cumsum(axis=1) < rng.random((item.size, 1))).sum(axis=1)
    votes = pack_votes(
        item, who, np.minimum(code, n_classes - 1), n_items=regime.items,
        n_annotators=regime.people, n_classes=n_classes,
    )  # fmt: skip
    return Drawn(votes, truth, _confusion(regime, skill, views, rng))


def told(drawn: Drawn, shares: tuple[float, ...]) -> Floats:
    """Believe what everybody's true confusion and the true class shares say, (N, K)."""
    votes = drawn.votes
    rates = np.log(np.maximum(drawn.confusion, 1e-9))
    logs = np.tile(np.log(shares), (votes.n_items, 1))
    np.add.at(logs, votes.items, rates[votes.annotators, :, votes.codes])
    return np.asarray(np.exp(log_softmax(logs, axis=1)))


def _people(regime: Regime, rng: np.random.Generator) -> tuple[Floats, Floats]:
    """Skill (A,), and what else draws a person to a class, by the item's own class, (A, K, K)."""
    n_classes = len(regime.shares)
    skill = rng.normal(regime.skill, regime.spread, regime.people)
    liking = rng.normal(0, regime.liking, (regime.people, n_classes))
    liking += rng.normal(0, regime.lean, n_classes)
    kind = rng.random(regime.people)
    spam = kind < regime.spam
    skill[spam] = 0
    one_class = spam & (kind < regime.spam / 2)
    liking[one_class, rng.integers(0, n_classes, one_class.sum())] += 4
    skill[(kind >= regime.spam) & (kind < regime.spam + regime.against)] *= -1
    views = np.repeat(liking[:, None, :], n_classes, axis=1)
    if regime.own > 0:
        taken_for = rng.normal(0, regime.own, views.shape) * (1 - np.eye(n_classes))
        views += taken_for * (skill != 0)[:, None, None]  # who clicks does not look
    return skill, views


def _assignment(regime: Regime, rng: np.random.Generator) -> tuple[Ints, Ints]:
    """Item and person of each vote: who does more is drawn more often, nobody twice an item."""
    n_batches = -(-regime.items // regime.batch)
    keenness = rng.normal(0, regime.tail, regime.people)
    order = np.argsort(-(keenness + rng.gumbel(size=(n_batches, regime.people))), axis=1)
    order = np.repeat(order, regime.batch, axis=0)[: regime.items]
    if regime.uneven:
        size = 1 + rng.binomial(round(2 * regime.votes) - 1, 0.5, regime.items)
        size = np.where(rng.random(regime.items) < 0.15, 1, size)
    else:
        whole = int(regime.votes)
        size = whole + (rng.random(regime.items) < regime.votes - whole)
    size = np.minimum(size, regime.people)
    taken = np.arange(regime.people) < size[:, None]
    return np.nonzero(taken)[0], order[taken]


def _looks(regime: Regime, truth: Ints, rng: np.random.Generator) -> Floats:
    """How much each item looks like each class, (N, K)."""
    n_classes = len(regime.shares)
    apart = np.abs(np.arange(n_classes)[:, None] - np.arange(n_classes))
    plain = np.where(apart == 0, 1.0, np.where(apart == 1, regime.alike, 0.0))
    # Few items are very hard: the spread itself differs from item to item.
    spread = regime.hard * rng.gamma(2.0, 0.5, (truth.size, 1))
    return np.asarray(plain[truth] + spread * rng.normal(size=(truth.size, n_classes)))


def _confusion(regime: Regime, skill: Floats, views: Floats, rng: np.random.Generator) -> Floats:
    n_classes = len(regime.shares)
    found = np.empty((regime.people, n_classes, n_classes))
    for true in range(n_classes):
        looks = _looks(regime, np.full(_FRESH // n_classes, true), rng)
        for person in range(regime.people):
            picks = softmax(skill[person] * looks + views[person, true], axis=1)
            found[person, true] = picks.mean(axis=0)
    return found
