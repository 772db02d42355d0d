"""What CROWDLAB learns of people and the model: sums over items, which add up over shards."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from functools import reduce
from typing import TypeVar

import numpy as np

from labelops.measure.codes import BoolArray, FloatArray, IntArray
from labelops.measure.votes import Votes

from ._crowdlab_kernels import Trust, VoteSums, counts_of, pair_sums, top
from .counts import vote_counts

__all__ = [
    "Ballots",
    "keep_best",
    "majorities",
    "merged",
    "pair_agreement",
    "per_person",
    "ratio",
    "trust_in",
]

_LEAST = 1e-6
"""Smallest weight, and smallest error of naming the commonest class."""


@dataclass(frozen=True, slots=True)
class Ballots:
    """A shard's votes, their counts by item and class, and the model and its first choice."""

    packed: Votes
    model: FloatArray
    counts: FloatArray
    votes: IntArray
    chosen: IntArray

    @classmethod
    def of(cls, votes: Votes, model: FloatArray) -> Ballots:
        """Count votes and find the model's choice."""
        return cls(votes, model, counts_of(votes), votes.per_item, top(model)[0])

    def agreement(self, labels: IntArray) -> FloatArray:
        """Share of each item's votes that are the label."""
        return ratio(self.counts[np.arange(labels.size), labels], self.votes)


@dataclass(frozen=True, slots=True)
class _PersonSums:
    """By annotator, (A,) each: what was hit, out of how much."""

    hits: FloatArray | IntArray
    out_of: FloatArray | IntArray


@dataclass(frozen=True, slots=True)
class _ConsensusSums:
    """Of a consensus: over items with two votes or more, but for the last two.

    `classes` are these items by consensus, `agreed` is the share of votes that are the consensus
    and `missed` how often the model is another; `voted` and `votes` are of all items with a vote.
    """

    classes: IntArray
    agreed: float
    missed: int
    voted: int
    votes: int


_Sums = TypeVar("_Sums", _PersonSums, _ConsensusSums, VoteSums)


def merged(parts: Sequence[_Sums]) -> _Sums:
    """Add up sums of different items, field by field."""
    return reduce(_added, parts)


def _added(one: _Sums, other: _Sums) -> _Sums:
    both = ((getattr(one, f.name), getattr(other, f.name)) for f in fields(one))
    return type(one)(*(a + b for a, b in both))


def per_person(cells: FloatArray, people: int) -> FloatArray:
    """Sum over the classes of each annotator's cells."""
    return np.asarray(cells.reshape(people, -1).sum(axis=1))


def majorities(held: list[Ballots]) -> list[IntArray]:
    """Most votes; of those most probable; of those rarest; of those by the best voters."""
    classes = np.sum([b.counts.sum(axis=0) for b in held], axis=0)
    found = [_Majority(b, classes) for b in held]
    if any(m.open.size for m in found):
        quality = _share([m.voter_sums() for m in found])
        for m in found:
            m.ask_voters(quality)
    return [m.labels for m in found]


class _Majority:
    """A shard's majority; `open` are those of its tied items that only voters can decide."""

    def __init__(self, ballots: Ballots, classes: FloatArray) -> None:
        self.ballots = ballots
        self.labels, several = top(ballots.counts)
        self.clear = ~several
        self.tied = np.flatnonzero(several)
        counts = ballots.counts[self.tied]
        most = counts[np.arange(self.tied.size), self.labels[self.tied]]
        left = keep_best(counts == most[:, None], ballots.model[self.tied])
        self.left = keep_best(left, np.broadcast_to(-classes, left.shape))
        self.open = np.flatnonzero(self.left.sum(axis=1) > 1)
        self.labels[self.tied] = self.left.argmax(axis=1)

    def voter_sums(self) -> _PersonSums:
        """How often each annotator votes as a clear majority does."""
        items, who = self.ballots.packed.items, self.ballots.packed.annotators
        known = self.clear[items]
        people = self.ballots.packed.n_annotators
        seen = np.bincount(who[known], minlength=people)
        known &= self.labels[items] == self.ballots.packed.codes
        return _PersonSums(np.bincount(who[known], minlength=people), seen)

    def ask_voters(self, quality: FloatArray) -> None:
        """Take, of classes still tied, the one whose voters are best in the mean."""
        votes = self.ballots.packed
        held = quality[votes.annotators]
        total = vote_counts(votes.items, votes.codes, votes.n_items, votes.n_classes, held)
        mean, rows = ratio(total, self.ballots.counts), self.tied[self.open]
        self.labels[rows] = keep_best(self.left[self.open], mean[rows]).argmax(axis=1)


def keep_best(left: BoolArray, score: FloatArray) -> BoolArray:
    """Of the classes left in each row, keep those with the highest score."""
    held = np.where(left, score, -np.inf)
    return np.asarray(left & (held == held.max(axis=1, keepdims=True)))


def ratio(part: FloatArray | IntArray, whole: FloatArray | IntArray) -> FloatArray:
    """Divide, with NaN where there is nothing to divide by."""
    out = np.full(part.shape, np.nan)
    np.divide(part, whole, out=out, where=whole > 0)
    return out


def _share(parts: list[_PersonSums]) -> FloatArray:
    """Each annotator's share of hits; the mean of them where there was nothing to hit."""
    sums = merged(parts)
    values = ratio(sums.hits, sums.out_of)
    missing = np.isnan(values)
    if missing.all():
        return np.zeros_like(values)
    return np.where(missing, values[~missing].mean(), values)


def pair_agreement(held: list[Ballots]) -> FloatArray:
    """Share of each annotator's pairs of votes with others on an item that agree."""
    # An item counts by the votes it has beside the annotator's own.
    return _share([_pair_sums(b) for b in held])


def _pair_sums(ballots: Ballots) -> _PersonSums:
    same, others = pair_sums(ballots.packed, ballots.counts)
    people = ballots.packed.n_annotators
    return _PersonSums(per_person(same, people), per_person(others, people))


def trust_in(held: list[Ballots], agreed: FloatArray, labels: list[IntArray]) -> Trust:
    """Weights of the model and the annotators, given a consensus."""
    sums = merged([_consensus(b, c) for b, c in zip(held, labels, strict=True)])
    shared = int(sums.classes.sum())
    hit = float(sums.agreed / shared)
    base = max(float((shared - sums.classes.max()) / shared), _LEAST)
    error = sums.missed / shared
    weight = max(1 - error / base, _LEAST) * float(np.sqrt(sums.votes / sums.voted))
    annotators = np.maximum(1 - (1 - agreed) / base, _LEAST)
    return Trust(weight, annotators, hit, (1 - hit) / (sums.classes.size - 1))


def _consensus(ballots: Ballots, labels: IntArray) -> _ConsensusSums:
    shared = ballots.votes > 1
    consensus = labels[shared]
    return _ConsensusSums(
        np.bincount(consensus, minlength=ballots.packed.n_classes),
        float(ballots.agreement(labels)[shared].sum()),
        int((ballots.chosen[shared] != consensus).sum()),
        int((ballots.votes > 0).sum()),
        int(ballots.votes.sum()),
    )
