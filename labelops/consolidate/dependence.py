"""Votes on an item are less than independent: annotators share mistakes. How much, and what then.

Every model of annotators here multiplies votes as if, given an item's class, one told nothing of
the next. Where people fall for the same items they do not: ten such votes say no more than three,
and a posterior made of them is far too sure. The intraclass correlation of the votes' residuals
says how much, without any truth; the design effect it implies says how many votes are left.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike
from scipy import sparse

from labelops.measure.codes import FloatArray, IntArray
from labelops.measure.votes import Votes

from ._confusions import Confusions
from .content import thinned_items

__all__ = ["dependence_on", "design_effect", "looked_at", "soften_items", "vote_dependence"]

_CELLS = 50_000_000
"""Most numbers that are looked at; beyond it every so-many-th item is, the share is one number."""
_BLOCK = 1_000_000
_TINY = 1e-300


def vote_dependence(
    votes: Votes, posterior: FloatArray, confusion: FloatArray | Confusions
) -> float:
    """Estimate how far votes on an item go wrong together, beyond what its class explains.

    The intraclass correlation of residuals: over all pairs of votes on an item, what both missed
    together as a share of what they would have, had they been one.

    Parameters
    ----------
    votes : Votes
        Weights are not looked at.
    posterior : (N, K) float
        Belief about each item's class.
    confusion : (A, K, K) float or Confusions
        P(given | true) by annotator, true class (row), given class (column).

    Returns
    -------
    float
        In [0, 1]: 0 where votes are independent given the class, where no item has two votes, or
        where nobody ever errs. A belief formed of the same few votes explains some of their
        dependence away: with three votes an item it comes out too small, with ten about right.

    References
    ----------
    Kish 1965, Survey Sampling, ISBN 978-0-471-10949-5 (the design effect)

    Examples
    --------
    Nine annotators give three answers, each of them three times.

    >>> from labelops.measure.votes import pack_votes
    >>> answers = np.random.default_rng(0).random((200, 3)) < 0.2
    >>> votes = pack_votes(np.repeat(np.arange(200), 9), np.tile(np.arange(9), 200),
    ...                    np.repeat(answers, 3, axis=1).ravel().astype(int),
    ...                    n_items=200, n_annotators=9, n_classes=2)
    >>> sure, skill = np.tile([1.0, 0.0], (200, 1)), np.tile([[0.8, 0.2], [0.2, 0.8]], (9, 1, 1))
    >>> 0.2 < vote_dependence(votes, sure, skill) < 0.3  # 2 of 8 others are the same answer
    True
    """
    ids = looked_at(votes)
    skills = (
        confusion if isinstance(confusion, Confusions) else Confusions.of_table(confusion)
    )  # fmt: skip
    return dependence_on(votes, ids, posterior[ids], skills)


def looked_at(votes: Votes) -> IntArray:
    """Name the items that say how far votes depend: all that have two, or every so-many-th."""
    return thinned_items(votes, _CELLS // votes.n_classes**2)


def dependence_on(votes: Votes, ids: IntArray, belief: FloatArray, skills: Confusions) -> float:
    """Do what `vote_dependence` does, on some items and what is believed of these alone."""
    n_classes = votes.n_classes
    together, most = 0.0, 0.0
    each = int(votes.per_item[ids].max(initial=1))
    size = max(1, _BLOCK // (each * n_classes**2))
    for begin in range(0, ids.size, size):
        some = slice(begin, begin + size)
        missed, possible = _pairs(votes, ids[some], skills)
        together += float((belief[some] * missed).sum())
        most += float((belief[some] * possible).sum())
    return min(max(together / most, 0.0), 1.0) if most > 1e-9 else 0.0


def _pairs(votes: Votes, ids: IntArray, skills: Confusions) -> tuple[FloatArray, FloatArray]:
    """Products of residuals over ordered pairs of votes, and their largest, by item and class."""
    n_classes = votes.n_classes
    counts = votes.per_item[ids]
    place = np.repeat(np.arange(ids.size), counts)
    at = np.repeat(votes.rows[ids] - (np.cumsum(counts) - counts), counts) + np.arange(place.size)
    people, who = np.unique(votes.cells[at] // n_classes, return_inverse=True)
    n_people, cells = people.size, who * n_classes + votes.cells[at] % n_classes
    rates = skills.table(people).transpose(0, 2, 1)  # annotator, given, true
    ones = np.ones(place.size)
    gave = sparse.csr_matrix((ones, (place, cells)), shape=(ids.size, n_people * n_classes))
    asked = sparse.csr_matrix(
        (ones, (place, cells // n_classes)), shape=(ids.size, n_people)
    )  # fmt: skip
    given = np.zeros((ids.size, n_classes))
    np.add.at(given, (place, cells % n_classes), 1.0)
    expected = np.asarray(asked @ rates.reshape(n_people, -1)).reshape(-1, n_classes, n_classes)
    squares = np.einsum("agt,agt->at", rates, rates)
    residual = ((given[:, :, None] - expected) ** 2).sum(axis=1)
    own = counts[:, None] - 2 * np.asarray(gave @ rates.reshape(-1, n_classes)) + asked @ squares
    spread = np.maximum(1 - squares, 0.0)
    possible = np.asarray(asked @ np.sqrt(spread)) ** 2 - np.asarray(asked @ spread)
    return residual - own, possible


def design_effect(votes: Votes, dependence: ArrayLike) -> FloatArray:
    """Say for each item how many of its votes count for one, (N,); at least 1.

    The dependence is one number, or one for each item.

    Examples
    --------
    >>> from labelops.measure.votes import pack_votes
    >>> votes = pack_votes([0, 0, 0, 1], [0, 1, 2, 0], [0, 0, 0, 1], n_items=3, n_annotators=3,
    ...                    n_classes=2)
    >>> design_effect(votes, 0.25).tolist()
    [1.5, 1.0, 1.0]
    """
    more = np.maximum(votes.per_item - 1, 0)
    return np.asarray(1 + more * np.asarray(dependence), dtype=np.float64)


def soften_items(posterior: FloatArray, temperatures: FloatArray, shares: FloatArray) -> FloatArray:
    """Divide what each item's votes say by a temperature of its own; the class shares stand.

    What votes say is the posterior against the class shares. Softening the posterior itself would
    move a rare class's items, and everybody's skills on it, towards even shares.

    Parameters
    ----------
    posterior : (N, K) float
    temperatures : (N,) float
    shares : (K,) float
        Where an item without evidence stands.

    Examples
    --------
    >>> belief, rare = np.array([[0.8, 0.2], [0.9, 0.1]]), np.array([0.9, 0.1])
    >>> soften_items(belief, np.array([2.0, 2.0]), np.array([0.5, 0.5])).round(3).tolist()
    [[0.667, 0.333], [0.75, 0.25]]
    >>> soften_items(belief, np.array([2.0, 2.0]), rare).round(3).tolist()
    [[0.857, 0.143], [0.9, 0.1]]
    """
    base = np.log(np.maximum(shares, _TINY))
    logs = (np.log(np.maximum(posterior, _TINY)) - base) / temperatures[:, None] + base
    odds = np.exp(logs - logs.max(axis=1, keepdims=True))
    return np.asarray(odds / odds.sum(axis=1, keepdims=True))
