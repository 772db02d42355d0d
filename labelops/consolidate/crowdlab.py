"""CROWDLAB: votes and a model's out-of-sample probabilities, averaged by how far each is trusted.

How often two people agree says what a vote is worth; how often the model agrees with their
consensus says what the model is worth, both beside always naming the commonest class. Unlike
Dawid–Skene it has one number an annotator, so a few votes are enough.

Differences from cleanlab's implementation, which this one matches otherwise: votes come long
and sparse, an item without a vote has the model's word, and of classes that tie in everything
(votes, model, rarity, quality of their voters) the first is taken, not one at random.

References
----------
Goh, Tkachenko, Mueller 2022, CROWDLAB, https://doi.org/10.48550/arXiv.2210.06812
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from labelops.errors import UsageError
from labelops.measure.codes import BoolArray, FloatArray, IntArray, check_probs
from labelops.measure.votes import Votes, pack_votes

from ._crowdlab_kernels import Trust, VoteSums, blend, counts_of, pair_sums, top, vote_sums
from .counts import vote_counts

__all__ = ["Crowdlab", "crowdlab"]

_LEAST = 1e-6
"""Smallest weight, and smallest error of naming the commonest class."""


@dataclass(frozen=True, slots=True)
class Crowdlab:
    """Consensus labels, and what items, annotators and the model are worth.

    Attributes
    ----------
    labels : (N,) int
        The consensus.
    quality : (N,) float
        Belief in each consensus label, 0 to 1.
    agreement : (N,) float
        Share of the item's annotators who gave the consensus label; NaN without a vote.
    votes : (N,) int
        Annotators who voted on the item.
    posterior : (N, K) float
        Belief in each class; `posterior[items, codes]` is the quality of each single vote.
    annotator_quality : (A,) float
        Trust in each annotator's votes, 0 to 1; NaN for one who shares no item with another.
    annotator_agreement : (A,) float
        Share of each annotator's votes that are the consensus; NaN without a vote.
    annotator_votes : (A,) int
        Votes of each annotator.
    worst_class : (A,) int
        The class that the consensus denies an annotator most often; -1 without a vote.
    model_weight : float
        What the model counts in the average.
    annotator_weight : (A,) float
        What each annotator counts.
    """

    labels: IntArray
    quality: FloatArray
    agreement: FloatArray
    votes: IntArray
    posterior: FloatArray
    annotator_quality: FloatArray
    annotator_agreement: FloatArray
    annotator_votes: IntArray
    worst_class: IntArray
    model_weight: float
    annotator_weight: FloatArray


def crowdlab(
    items: ArrayLike,
    annotators: ArrayLike,
    codes: ArrayLike,
    probs: ArrayLike,
    *,
    n_annotators: int,
) -> Crowdlab:
    """Estimate labels from votes and a model's probabilities; linear in votes and probabilities.

    Deterministic; the order of the votes does not matter.

    Parameters
    ----------
    items, annotators, codes : (V,) array-like of int
        Item, annotator and class of each vote; class -1 (missing) is no vote. When an annotator
        voted twice on an item the later row counts.
    probs : (N, K) array-like of float
        The model's probabilities, from a model that never saw the item's own votes.
    n_annotators : int
        A.

    Raises
    ------
    UsageError
        Arrays differ in length or hold what is out of range; there are fewer than two classes; or
        no item has two votes, so that nothing says what a vote is worth (use
        `consolidate_with_model`).
    TableError
        A row of `probs` is not a distribution.

    References
    ----------
    Goh, Tkachenko, Mueller 2022, https://doi.org/10.48550/arXiv.2210.06812

    Examples
    --------
    >>> found = crowdlab([0, 0, 0, 1, 1, 2], [0, 1, 2, 0, 1, 2], [0, 0, 1, 1, 1, 0],
    ...                  [[0.9, 0.1], [0.2, 0.8], [0.3, 0.7]], n_annotators=3)
    >>> found.labels.tolist(), found.quality.round(2).tolist()
    ([0, 1, 1], [0.88, 0.81, 0.7])
    """
    model = np.asarray(probs)
    if model.ndim != 2 or model.shape[1] < 2:
        raise UsageError(f"CROWDLAB: probs has shape {model.shape}, expected (items, 2 or more)")
    model = check_probs(model, model.shape[1])
    votes = pack_votes(
        items,
        annotators,
        codes,
        n_items=len(model),
        n_annotators=n_annotators,
        n_classes=model.shape[1],
        repeats="last",
    )
    ballots = _Ballots.of(votes, model)
    if not (ballots.votes > 1).any():
        raise UsageError(
            "CROWDLAB: no item has two votes, so nothing says what a vote is worth; "
            "collect second votes or use consolidate_with_model"
        )
    most, agreed = _majority(ballots, model), _pair_agreement(ballots)
    first = blend(votes, model, _trust(ballots, agreed, most))
    labels = _best(first, most)
    trust = _trust(ballots, agreed, labels)
    return _result(ballots, blend(votes, model, trust), labels, trust)


@dataclass(frozen=True, slots=True)
class _Ballots:
    """The votes, their counts by item and class, and the model's first choice."""

    packed: Votes
    counts: FloatArray
    votes: IntArray
    chosen: IntArray

    @classmethod
    def of(cls, votes: Votes, model: FloatArray) -> _Ballots:
        return cls(votes, counts_of(votes), votes.per_item, top(model)[0])

    def per_person(self, cells: FloatArray) -> FloatArray:
        """Sum over the classes of each annotator's cells."""
        return np.asarray(cells.reshape(self.packed.n_annotators, -1).sum(axis=1))


def _majority(ballots: _Ballots, model: FloatArray) -> IntArray:
    """Most votes; of those most probable; of those rarest; of those by the best voters."""
    counts = ballots.counts
    labels, several = top(counts)
    tied = np.flatnonzero(several)
    if not tied.size:
        return labels
    most = counts[tied, labels[tied]]
    left = _keep_best(counts[tied] == most[:, None], model[tied])
    left = _keep_best(left, np.broadcast_to(-counts.sum(axis=0), left.shape))
    open_ = np.flatnonzero(left.sum(axis=1) > 1)
    if open_.size:
        quality = _voter_quality(ballots, labels, ~several)
        left[open_] = _keep_best(left[open_], _voters_mean(ballots, quality)[tied[open_]])
    labels[tied] = left.argmax(axis=1)
    return labels


def _keep_best(left: BoolArray, score: FloatArray) -> BoolArray:
    """Of the classes left in each row, keep those with the highest score."""
    held = np.where(left, score, -np.inf)
    return np.asarray(left & (held == held.max(axis=1, keepdims=True)))


def _voter_quality(ballots: _Ballots, labels: IntArray, clear: BoolArray) -> FloatArray:
    """How often each annotator votes as a clear majority does; the mean of them if unknown."""
    items, who = ballots.packed.items, ballots.packed.annotators
    known = clear[items]
    people = ballots.packed.n_annotators
    seen = np.bincount(who[known], minlength=people)
    known &= labels[items] == ballots.packed.codes
    return _mean_where_missing(_ratio(np.bincount(who[known], minlength=people), seen))


def _voters_mean(ballots: _Ballots, quality: FloatArray) -> FloatArray:
    """Mean quality of those who voted for each class of each item."""
    votes = ballots.packed
    held = quality[votes.annotators]
    total = vote_counts(votes.items, votes.codes, votes.n_items, votes.n_classes, held)
    return _ratio(total, ballots.counts)


def _ratio(part: FloatArray | IntArray, whole: FloatArray | IntArray) -> FloatArray:
    """Divide, with NaN where there is nothing to divide by."""
    out = np.full(part.shape, np.nan)
    np.divide(part, whole, out=out, where=whole > 0)
    return out


def _mean_where_missing(values: FloatArray) -> FloatArray:
    missing = np.isnan(values)
    if missing.all():
        return np.zeros_like(values)
    return np.where(missing, values[~missing].mean(), values)


def _pair_agreement(ballots: _Ballots) -> FloatArray:
    """Share of each annotator's pairs of votes with others on an item that agree."""
    # An item counts by the votes it has beside the annotator's own.
    same, others = pair_sums(ballots.packed, ballots.counts)
    return _mean_where_missing(_ratio(ballots.per_person(same), ballots.per_person(others)))


def _trust(ballots: _Ballots, agreed: FloatArray, labels: IntArray) -> Trust:
    """Weights of the model and the annotators, given a consensus."""
    n_classes = ballots.packed.n_classes
    shared = ballots.votes > 1
    agreement = _agreement(ballots, labels)
    hit = float(agreement[shared].mean())
    consensus = labels[shared]
    commonest = np.bincount(consensus, minlength=n_classes).argmax()
    base = max(float((consensus != commonest).mean()), _LEAST)
    error = float((ballots.chosen[shared] != consensus).mean())
    per_item = ballots.votes[ballots.votes > 0].mean()
    weight = max(1 - error / base, _LEAST) * float(np.sqrt(per_item))
    annotators = np.maximum(1 - (1 - agreed) / base, _LEAST)
    return Trust(weight, annotators, hit, (1 - hit) / (n_classes - 1))


def _agreement(ballots: _Ballots, labels: IntArray) -> FloatArray:
    return _ratio(ballots.counts[np.arange(labels.size), labels], ballots.votes)


def _best(posterior: FloatArray, most: IntArray) -> IntArray:
    """Take the most believed class; where several are, the majority's."""
    best, several = top(posterior)
    return np.where(several, most, best)


def _result(ballots: _Ballots, posterior: FloatArray, labels: IntArray, trust: Trust) -> Crowdlab:
    quality = posterior[np.arange(labels.size), labels]
    sums = vote_sums(ballots.packed, labels, posterior, quality)
    given = ballots.per_person(sums.given)
    among = _ratio(ballots.per_person(sums.right_shared), ballots.per_person(sums.shared))
    # The weight of all annotators of a mean item, as if every one were equally often there.
    people = trust.annotators[given > 0].mean() * ballots.votes[ballots.votes > 0].mean()
    model = trust.model / (trust.model + people)
    believed = _ratio(ballots.per_person(sums.believed), given)
    return Crowdlab(
        labels,
        quality,
        _agreement(ballots, labels),
        ballots.votes,
        posterior,
        model * believed + (1 - model) * among,
        _ratio(ballots.per_person(sums.right), given),
        given.astype(np.int64),
        _worst_class(sums, ballots.packed.n_classes),
        trust.model,
        trust.annotators,
    )


def _worst_class(sums: VoteSums, n_classes: int) -> IntArray:
    """Least often right; of those given most; of those with the best consensus; the first."""
    given, right, quality = (
        cells.reshape(-1, n_classes) for cells in (sums.given, sums.right, sums.quality)
    )
    left = _keep_best(given > 0, -_ratio(right, given))
    left = _keep_best(left, given)
    left = _keep_best(left, _ratio(quality, given))
    return np.where(left.any(axis=1), left.argmax(axis=1), -1)
