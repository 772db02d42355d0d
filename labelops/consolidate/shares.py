"""How frequent classes may be, before annotators' skills are learned: even, or as majority says.

Votes alone cannot say. Where a class gets many votes, it is frequent, or the crowd likes to call
it: both explain the votes equally well. A method that holds even shares against a rare class fills
it with the hard items of the frequent ones, and falls below majority; one that believes
majority's shares where a crowd leans repeats its habit. Many label sets are drawn evenly, though,
and a crowd leans only so far. So majority's shares are asked which of two is likelier: even
classes seen by a crowd that leans, or classes of any shares.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from labelops.measure.codes import FloatArray
from labelops.measure.votes import Votes

from .counts import vote_shares
from .few_people import weigh_by_agreement

__all__ = ["even_classes", "expected_shares", "look_even", "majority_counts"]

_BLOCK = 1 << 18
_TIE = 1e-9
_EVENLY = 0.4
"""How often label sets are even, beforehand. Below a half: to hold even shares against a rare class
costs more than to miss that a crowd leans."""
_LEAN = 0.5
"""Standard deviation of a crowd's lean: it calls a class some exp(0.5) = 1.6 times too often."""


def majority_counts(shards: Sequence[Votes]) -> FloatArray:
    """Count the items of each class by majority, a tie counting its share; (K,).

    Parameters
    ----------
    shards : sequence of Votes
        Disjoint items, the same classes; items without a vote are left out.

    Examples
    --------
    >>> from labelops.measure.votes import pack_votes
    >>> votes = pack_votes([0, 0, 0, 1, 1], [0, 1, 2, 0, 1], [1, 1, 0, 0, 1],
    ...                    n_items=3, n_annotators=3, n_classes=2)
    >>> majority_counts([votes]).tolist()
    [0.5, 1.5]
    """
    counts: FloatArray = np.zeros(shards[0].n_classes if shards else 0)
    for votes in shards:
        for first in range(0, votes.n_items, _BLOCK):
            rows = votes.rows[first : first + _BLOCK + 1]
            shares = vote_shares(replace(votes, rows=rows, n_items=rows.size - 1))
            top = shares >= shares.max(axis=1, keepdims=True) - _TIE
            top[np.diff(rows) == 0] = False
            counts += (top / np.maximum(top.sum(axis=1, keepdims=True), 1)).sum(axis=0)
    return counts


def even_classes(counts: FloatArray) -> float:
    """Say how probable it is that classes are even and the crowd leans, by majority's counts.

    Beforehand it is so in two of five. Even classes seen by a leaning crowd have log shares that
    are normal around even ones; shares that are not even may be any (uniform).

    Parameters
    ----------
    counts : (K,) float
        From `majority_counts`; one more item of each class keeps few items from saying much.

    References
    ----------
    Aitchison, Shen 1980 (logistic-normal shares), https://doi.org/10.1093/biomet/67.2.261

    Examples
    --------
    >>> [round(even_classes(np.array(c)), 2) for c in ([50.0, 50.0], [20.0, 80.0], [2.0, 98.0])]
    [0.6, 0.27, 0.0]
    """
    n_classes = counts.size
    logs = np.log((counts + 1) / (counts.sum() + n_classes))
    away = logs - logs.mean()
    leaning = -(n_classes - 1) / 2 * math.log(2 * math.pi * _LEAN**2)
    leaning -= float(away @ away) / (2 * _LEAN**2)
    # The uniform density over shares, in the coordinates of centred logs.
    natural = math.lgamma(n_classes) + float(logs.sum()) + 0.5 * math.log(n_classes)
    against = natural - leaning + math.log((1 - _EVENLY) / _EVENLY)
    return 1 / (1 + math.exp(min(against, 700.0)))


def look_even(votes: Votes) -> bool:
    """Say whether classes are likelier even than not, by majority's counts.

    Where few people vote their votes are weighed (`few_people`): who clicks one class does not make
    it frequent.

    Examples
    --------
    >>> from labelops.measure.votes import pack_votes
    >>> codes = np.repeat([0, 1], [80, 20])
    >>> votes = pack_votes(range(100), [0] * 100, codes, n_items=100, n_annotators=1, n_classes=2)
    >>> look_even(votes)
    False
    """
    return even_classes(majority_counts(weigh_by_agreement([votes]))) > 0.5


def expected_shares(shards: Sequence[Votes]) -> FloatArray:
    """Say what class shares to expect, (K,): even ones where these are likelier than not.

    Else majority's, and even ones by how probable they are; majority's as in `look_even`. Two
    classes are even with a probability of .60 at most, so with two it is always the mean of both.

    Examples
    --------
    >>> from labelops.measure.votes import pack_votes
    >>> codes = np.repeat([0, 1], [80, 20])
    >>> votes = pack_votes(range(100), [0] * 100, codes, n_items=100, n_annotators=1, n_classes=2)
    >>> expected_shares([votes]).round(2).tolist()  # even with probability .27
    [0.72, 0.28]
    """
    counts = majority_counts(weigh_by_agreement(shards))
    even = np.full(counts.size, 1 / max(counts.size, 1))
    chance = even_classes(counts)
    if not counts.any() or (chance > 0.5 and counts.size > 2):
        return even
    return np.asarray(chance * even + (1 - chance) * counts / counts.sum())
