"""Where few people vote: whose votes to begin with, by how far they agree beyond chance.

A model of annotators is climbed to from a first belief, the shares of votes. In a team of ten, half
of whom click one class, that belief is the clickers', and every model learns from it that they are
right. How often two people agree says little then, for who always says one thing agrees with
whoever likes it; how much more often than their habits would have them agree does: it is nothing
for who clicks, whatever they click. In larger crowds clickers rarely outvote the others on most
items, and nobody's agreement is known well.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from labelops.measure.codes import FloatArray, IntArray
from labelops.measure.votes import Votes

from .counts import vote_counts, vote_shares

__all__ = ["are_few", "first_belief", "weigh_by_agreement"]

_FEW = 20
_KNOWN = 10.0
"""Votes that the crowd's own agreement counts for in each annotator's."""
_LEAST = 0.02
"""What a click counts beside who agrees in full: of an item that only clickers saw it decides."""
_BLOCK = 1 << 16


def are_few(votes: Votes) -> bool:
    """Say whether at most twenty people vote.

    Examples
    --------
    >>> from labelops.measure.votes import pack_votes
    >>> are_few(pack_votes([0, 1], [0, 1], [1, 1], n_items=2, n_annotators=99, n_classes=2))
    True
    """
    return np.count_nonzero(votes.given.any(axis=1)) <= _FEW


def weigh_by_agreement(shards: Sequence[Votes]) -> list[Votes]:
    """Weigh each vote by how far its annotator agrees with others beyond chance.

    Where more than twenty people vote, or nobody shares an item, votes are what they are.

    Parameters
    ----------
    shards : sequence of Votes
        Disjoint items, the same annotators and classes.

    References
    ----------
    Cohen 1960 (agreement beyond what two people's habits explain),
    https://doi.org/10.1177/001316446002000104

    Examples
    --------
    Two who look, and three who always say 1.

    >>> from labelops.measure.votes import pack_votes
    >>> truth = np.arange(60) % 2
    >>> codes = np.stack([truth, truth, *np.ones((3, 60), np.int64)], axis=1)
    >>> votes = pack_votes(np.repeat(np.arange(60), 5), np.tile(np.arange(5), 60), codes.ravel(),
    ...                    n_items=60, n_annotators=5, n_classes=2)
    >>> weights = weigh_by_agreement([votes])[0].weights
    >>> weights[:5].round(2).tolist()
    [0.24, 0.24, 0.05, 0.05, 0.05]
    """
    people, habits = _habits(shards)
    if not 0 < len(people) <= _FEW:
        return list(shards)
    place = np.zeros(shards[0].n_annotators, dtype=np.int64)
    place[people] = np.arange(len(people))
    beyond, room, votes = (np.zeros(len(people)) for _ in range(3))
    for shard in shards:
        for _, part in shard.blocks(_BLOCK):
            found = _agreement(part, place, habits @ habits.T)
            for total, more in zip((beyond, room, votes), found, strict=True):
                total += more
    if room.sum() <= 0:
        return list(shards)
    # Like those who are known, until it is known better.
    usual = _KNOWN * room.sum() / votes.sum()
    agrees = (beyond + usual * beyond.sum() / room.sum()) / (room + usual)
    worth = np.maximum(agrees, _LEAST)[place]
    return [replace(v, weights=worth[v.annotators] * _weights(v)) for v in shards]


def first_belief(votes: Votes) -> FloatArray | None:
    """Give shares of votes, weighed; None where the votes' own shares are the first belief.

    Examples
    --------
    >>> from labelops.measure.votes import pack_votes
    >>> first_belief(pack_votes([0, 1], [0, 1], [1, 1], n_items=2, n_annotators=2, n_classes=2))
    """
    (weighed,) = weigh_by_agreement([votes])
    return None if weighed is votes else vote_shares(weighed)


def _weights(votes: Votes) -> FloatArray:
    return np.ones(votes.cells.size) if votes.weights is None else votes.weights


def _habits(shards: Sequence[Votes]) -> tuple[IntArray, FloatArray]:
    """Give who voted, and how often each of them says each class, (people, K)."""
    n_classes = shards[0].n_classes if shards else 0
    table: FloatArray = np.zeros((shards[0].n_annotators if shards else 0, max(n_classes, 1)))
    for votes in shards:
        table += votes.given
    total = table.sum(axis=1, keepdims=True)
    people = np.flatnonzero(total[:, 0] > 0)
    return people, ((table + 1 / max(n_classes, 1)) / (total + 1))[people]


def _agreement(
    votes: Votes, place: IntArray, alike: FloatArray
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Sum, for each person, agreement beyond chance, the most it could be, and votes; (people,).

    Parameters
    ----------
    votes : Votes
    place : (A,) int
        Where each annotator stands among those who voted.
    alike : (people, people) float
        How often two would say the same by their habits alone.
    """
    item, who, code, people = votes.items, place[votes.annotators], votes.codes, len(alike)
    weight = _weights(votes)
    counts = vote_counts(item, code, votes.n_items, votes.n_classes, weight)
    others = counts.sum(axis=1)[item] - weight
    shared = others > 1e-9
    item, who, code, weight, others = (a[shared] for a in (item, who, code, weight, others))
    there = np.bincount(item * people + who, weights=weight, minlength=votes.n_items * people)
    expected = there.reshape(-1, people) @ alike
    chance = (expected[item, who] - weight * alike[who, who]) / others
    agrees = (counts[item, code] - weight) / others
    sums = (weight * (agrees - chance), weight * (1 - chance), weight)
    found = [np.bincount(who, weights=s, minlength=people) for s in sums]
    beyond, room, seen = (np.asarray(total, dtype=np.float64) for total in found)
    return beyond, room, seen
