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

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from labelops.errors import UsageError, shown
from labelops.measure.brief import brief
from labelops.measure.codes import FloatArray, IntArray, check_probs
from labelops.measure.votes import Votes, pack_votes

from ._crowdlab_kernels import Trust, VoteSums, blend, top, vote_sums
from ._crowdlab_steps import (
    Ballots,
    keep_best,
    majorities,
    merged,
    pair_agreement,
    per_person,
    ratio,
    trust_in,
)
from ._family import check_shards

__all__ = ["Crowdlab", "crowdlab", "crowdlab_shards"]


@brief
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
    n_annotators: int | None = None,
) -> Crowdlab:
    """Estimate labels from votes and a model's probabilities; linear in votes and probabilities.

    Deterministic; the order of the votes does not matter. Two passes in closed form: there is
    nothing that climbs, so no start would save a step. What it learns of people and the model are
    sums over items, so yesterday goes on as a shard of its own (`crowdlab_shards`).

    Parameters
    ----------
    items, annotators, codes : (V,) array-like of int
        Item, annotator and class of each vote; class -1 (missing) is no vote. When an annotator
        voted twice on an item the later row counts.
    probs : (N, K) array-like of float
        The model's probabilities, from a model that never saw the item's own votes.
    n_annotators : int, optional
        A; one more than the largest number there is when left out.

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
    return _fit([Ballots.of(votes, model)])


def crowdlab_shards(shards: Sequence[tuple[Votes, ArrayLike]]) -> Crowdlab:
    """Do what `crowdlab` does for packed votes, whose items may lie in several shards.

    Only each shard's sums by annotator and class, (A, K), would have to travel between machines;
    see `dawid_skene_shards`.

    Parameters
    ----------
    shards : sequence of (Votes, (N_s, K) array-like of float)
        Votes from `labelops.measure.votes.pack_votes`, without weights and with at most one of an
        annotator on an item (`repeats="last"`), and the model's probabilities of the same items.

    Raises
    ------
    UsageError
        There is no shard; they differ in annotators or classes, or from their probabilities; votes
        have weights or are there twice; there are fewer than two classes; or no item has two votes.
    TableError
        A row of probabilities is not a distribution.

    Examples
    --------
    >>> size = {"n_items": 2, "n_annotators": 2, "n_classes": 2}
    >>> days = [(pack_votes([0, 0, 1, 1], [0, 1, 0, 1], given, **size), [[0.8, 0.2], [0.3, 0.7]])
    ...         for given in ([0, 0, 1, 1], [1, 1, 0, 1])]
    >>> crowdlab_shards(days).labels.tolist()
    [0, 1, 1, 1]
    """
    if not isinstance(shards, Sequence) or not all(map(_is_pair, shards)):
        raise UsageError(f"shards is {shown(shards)}, expected a list of pairs of votes and probs")
    check_shards([votes for votes, _ in shards])
    return _fit([Ballots.of(*_checked(votes, probs)) for votes, probs in shards])


def _fit(held: list[Ballots]) -> Crowdlab:
    if not any((b.votes > 1).any() for b in held):
        raise UsageError(
            "CROWDLAB: no item has two votes, so nothing says what a vote is worth; "
            "collect second votes or use consolidate_with_model"
        )
    most, agreed = majorities(held), pair_agreement(held)
    trust = trust_in(held, agreed, most)
    labels = [_best(blend(b.packed, b.model, trust), m) for b, m in zip(held, most, strict=True)]
    trust = trust_in(held, agreed, labels)
    return _result(held, [blend(b.packed, b.model, trust) for b in held], labels, trust)


def _is_pair(shard: object) -> bool:
    return isinstance(shard, tuple | list) and len(shard) == 2


def _checked(votes: Votes, probs: ArrayLike) -> tuple[Votes, FloatArray]:
    if votes.n_classes < 2:
        raise UsageError(f"CROWDLAB: {votes.n_classes} classes, expected two or more")
    model = check_probs(probs, votes.n_classes)
    if len(model) != votes.n_items:
        raise UsageError(f"CROWDLAB: probs has {len(model)} rows, expected {votes.n_items} items")
    if votes.weights is not None:
        raise UsageError("CROWDLAB counts every vote once; pack votes without weights")
    again = np.diff(votes.annotators) == 0
    begins = votes.rows[1:-1]
    again[begins[(begins > 0) & (begins <= again.size)] - 1] = False
    if again.any():
        item = int(np.searchsorted(votes.rows, np.flatnonzero(again)[0], side="right")) - 1
        raise UsageError(
            f"CROWDLAB: an annotator has several votes on item {item}; pack with repeats='last'"
        )
    return votes, model


def _best(posterior: FloatArray, most: IntArray) -> IntArray:
    """Take the most believed class; where several are, the majority's."""
    best, several = top(posterior)
    return np.where(several, most, best)


def _result(
    held: list[Ballots], posteriors: list[FloatArray], labels: list[IntArray], trust: Trust
) -> Crowdlab:
    qualities = [p[np.arange(c.size), c] for p, c in zip(posteriors, labels, strict=True)]
    sums = merged(
        [
            vote_sums(b.packed, c, p, q)
            for b, c, p, q in zip(held, labels, posteriors, qualities, strict=True)
        ]
    )
    people = held[0].packed.n_annotators
    given, right, believed, shared, right_shared = (
        per_person(cells, people)
        for cells in (sums.given, sums.right, sums.believed, sums.shared, sums.right_shared)
    )
    votes = np.concatenate([b.votes for b in held])
    # The weight of all annotators of a mean item, as if every one were equally often there.
    everybody = trust.annotators[given > 0].mean() * votes[votes > 0].mean()
    model = trust.model / (trust.model + everybody)
    return Crowdlab(
        np.concatenate(labels),
        np.concatenate(qualities),
        np.concatenate([b.agreement(c) for b, c in zip(held, labels, strict=True)]),
        votes,
        posteriors[0] if len(held) == 1 else np.concatenate(posteriors),
        model * ratio(believed, given) + (1 - model) * ratio(right_shared, shared),
        ratio(right, given),
        given.astype(np.int64),
        _worst_class(sums, held[0].packed.n_classes),
        trust.model,
        trust.annotators,
    )


def _worst_class(sums: VoteSums, n_classes: int) -> IntArray:
    """Least often right; of those given most; of those with the best consensus; the first."""
    given, right, quality = (
        cells.reshape(-1, n_classes) for cells in (sums.given, sums.right, sums.quality)
    )
    left = keep_best(given > 0, -ratio(right, given))
    left = keep_best(left, given)
    left = keep_best(left, ratio(quality, given))
    return np.where(left.any(axis=1), left.argmax(axis=1), -1)
