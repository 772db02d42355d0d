"""GLAD: items differ in difficulty, annotators in ability; both decide whether a vote is right."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import expit, softmax

from labelops.errors import UsageError
from labelops.measure.codes import FloatArray, IntArray
from labelops.measure.confusion import annotator_confusion, confusion_rates
from labelops.measure.votes import Votes, pack_votes

from ._family import DawidSkene
from .counts import vote_shares

__all__ = ["Glad", "fit_glad", "glad"]

_MOST = 6.0
_INNER = 5


@dataclass(frozen=True, slots=True)
class Glad:
    """What GLAD found.

    Attributes
    ----------
    posterior : (N, K) float
        Belief about each item's class.
    ability : (A,) float
        0 guesses, below 0 votes against the truth.
    ease : (N,) float
        Above 0; a vote of ability a is right with probability 1 / (1 + exp(-a * ease)).
    iterations : int
        EM steps taken.
    converged : bool
        Whether the posterior stood still.
    """

    posterior: FloatArray
    ability: FloatArray
    ease: FloatArray
    iterations: int
    converged: bool


def glad(
    items: ArrayLike,
    annotators: ArrayLike,
    codes: ArrayLike,
    *,
    n_items: int,
    n_annotators: int,
    n_classes: int,
    weights: ArrayLike | None = None,
    start: Glad | None = None,
    max_iterations: int = 100,
    tolerance: float = 1e-3,
) -> Glad:
    """Estimate classes, item ease and annotator ability together.

    Parameters
    ----------
    items, annotators, codes : (V,) array-like of int
        Item, annotator and class of each vote; class -1 (missing) is no vote.
    n_items, n_annotators, n_classes : int
        N, A and K.
    weights : (V,) array-like of float, optional
        What each vote counts; 0 leaves it out.
    start : Glad, optional
        A warm start: an earlier result, whose annotators and items come first among those there
        are. Shards cannot be added up: an item's ease is of no use to another shard.
    max_iterations, tolerance
        Most EM steps; stop when no posterior moves further than this.

    Raises
    ------
    UsageError
        Arrays differ in length, codes are out of range, or the start knows more annotators or
        items than there are, or other classes.

    References
    ----------
    Whitehill, Ruvolo, Wu, Bergsma, Movellan 2009,
    https://papers.nips.cc/paper/3644-whose-vote-should-count-more

    Examples
    --------
    >>> items, who = np.repeat(np.arange(20), 5), np.tile(np.arange(5), 20)
    >>> given = np.where((items < 5) & (who < 2), 1, 0)  # the first five are harder
    >>> found = glad(items, who, given, n_items=20, n_annotators=5, n_classes=2)
    >>> bool(found.ease[:5].max() < found.ease[5:].min())
    True
    """
    votes = pack_votes(
        items, annotators, codes, n_items=n_items, n_annotators=n_annotators,
        n_classes=n_classes, weights=weights,
    )  # fmt: skip
    return _fit(votes, max_iterations, tolerance, start)


def fit_glad(votes: Votes, *, max_iterations: int = 100, tolerance: float = 1e-3) -> DawidSkene:
    """Do what `glad` does for packed votes, with confusions as Dawid–Skene has them."""
    found = _fit(votes, max_iterations, tolerance)
    counts = annotator_confusion(
        votes.items, votes.annotators, votes.codes, found.posterior, votes.n_annotators,
        votes.weights,
    )  # fmt: skip
    prior = found.posterior.sum(axis=0) + 1
    return DawidSkene(
        found.posterior, confusion_rates(counts, 0.01), prior / prior.sum(), found.iterations,
        found.converged,
    )  # fmt: skip


def _fit(votes: Votes, max_iterations: int, tolerance: float, start: Glad | None = None) -> Glad:
    item, who, code = (x.astype(np.int64) for x in (votes.items, votes.annotators, votes.codes))
    weight = np.ones(code.size) if votes.weights is None else votes.weights
    posterior = vote_shares(votes)
    ability: FloatArray = np.ones(votes.n_annotators)
    log_ease: FloatArray = np.zeros(votes.n_items)
    if start is not None:
        known = start.ability.size, start.ease.size, start.posterior.shape[1]
        if known[0] > ability.size or known[1] > log_ease.size or known[2] != votes.n_classes:
            raise UsageError(
                f"start knows {known[0]} annotators, {known[1]} items and {known[2]} classes, "
                f"expected at most {ability.size} and {log_ease.size}, and {votes.n_classes}"
            )
        ability[: known[0]], log_ease[: known[1]] = start.ability, np.log(start.ease)
        posterior = _expect(posterior.shape, ability, log_ease, item, who, code, weight)
    steps, still = 0, False
    while steps < max_iterations and not still:
        right = posterior[item, code]
        for _ in range(_INNER):
            ability = _ability_step(ability, log_ease, item, who, weight, right)
            log_ease = _ease_step(ability, log_ease, item, who, weight, right)
        updated = _expect(posterior.shape, ability, log_ease, item, who, code, weight)
        still = bool(np.abs(updated - posterior).max(initial=0.0) <= tolerance)
        posterior, steps = updated, steps + 1
    return Glad(posterior, ability, np.exp(log_ease), steps, still)


def _ability_step(
    ability: FloatArray,
    log_ease: FloatArray,
    item: IntArray,
    who: IntArray,
    weight: FloatArray,
    right: FloatArray,
) -> FloatArray:
    """One Newton step, a normal prior of mean 1 and variance 1 on every ability."""
    ease = np.exp(log_ease)[item]
    chance = expit(ability[who] * ease)
    slope = np.bincount(who, weight * (right - chance) * ease, minlength=ability.size)
    bend = np.bincount(who, weight * chance * (1 - chance) * ease**2, minlength=ability.size)
    moved = ability + np.clip((slope - (ability - 1)) / (bend + 1), -1, 1)
    return np.clip(moved, -_MOST, _MOST)


def _ease_step(
    ability: FloatArray,
    log_ease: FloatArray,
    item: IntArray,
    who: IntArray,
    weight: FloatArray,
    right: FloatArray,
) -> FloatArray:
    """One Newton step, a normal prior of mean 0 and variance 1 on every log ease."""
    reach = ability[who] * np.exp(log_ease)[item]
    chance = expit(reach)
    slope = np.bincount(item, weight * (right - chance) * reach, minlength=log_ease.size)
    bend = np.bincount(item, weight * chance * (1 - chance) * reach**2, minlength=log_ease.size)
    moved = log_ease + np.clip((slope - log_ease) / (bend + 1), -1, 1)
    return np.clip(moved, -_MOST, _MOST)


def _expect(
    shape: tuple[int, ...],
    ability: FloatArray,
    log_ease: FloatArray,
    item: IntArray,
    who: IntArray,
    code: IntArray,
    weight: FloatArray,
) -> FloatArray:
    # log P(right) - log P(one of the other classes): right against wrong, and their number.
    gain = ability[who] * np.exp(log_ease)[item] + np.log(max(shape[1] - 1, 1))
    total = np.bincount(
        item * shape[1] + code, weight * gain, minlength=shape[0] * shape[1]
    ).reshape(shape)
    return np.asarray(softmax(total.astype(np.float64), axis=1) if total.size else np.zeros(shape))
