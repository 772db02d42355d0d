"""How often a crowd's votes are right, from nothing but who agrees."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from labelops.measure.aligned import array_of
from labelops.measure.codes import FloatArray

from .counts import as_counts, majority_vote

__all__ = ["as_sure_as_known", "crowd_accuracy", "likely_accuracies", "one_coin_posterior"]

_MOST = 0.999
_KNOWN = 10_000
"""Comparisons from which on the likeliest accuracy stands for all: the others are within .01."""
_FINE, _NODES = 4000, 32
_TINY = 1e-300


def crowd_accuracy(counts: FloatArray) -> float | None:
    """Estimate how often a vote is right from how often two votes on an item agree.

    With accuracy p and errors spread evenly, two independent votes agree with probability
    p² + (1-p)²/(K-1); this is solved for p.

    Parameters
    ----------
    counts : (N, K) float
        Votes for each class of each item.

    Returns
    -------
    float or None
        Between 1/K and .999; None when no item has two votes.

    Examples
    --------
    >>> round(crowd_accuracy(np.array([[2.0, 0.0]] * 17 + [[1.0, 1.0]] * 8)), 2)  # agree 68 %
    0.8
    """
    n_classes = counts.shape[1]
    total = counts.sum(axis=1)
    pairs = (total * np.maximum(total - 1, 0)).sum()
    if pairs <= 0 or n_classes < 2:
        return None
    agreement = (counts * np.maximum(counts - 1, 0)).sum() / pairs
    root = np.sqrt(max(0.0, (n_classes - 1) * (n_classes * agreement - 1)))
    return float(min((1 + root) / n_classes, _MOST))


def likely_accuracies(counts: FloatArray) -> FloatArray | None:
    """Say how often a vote may be right, as accuracies of which each is as likely as another.

    Few pairs of votes say little: five that agree are what people do of whom each is right 8 times
    in 10, once in seven times. Any accuracy from guessing to always right is as likely as any other
    at first, and the pairs' agreement says which are left. An item with m votes counts for m - 1
    comparisons, of the agreement that its pairs have.

    Parameters
    ----------
    counts : (N, K) float
        Votes for each class of each item.

    Returns
    -------
    (M,) float or None
        Ascending; the likeliest alone where it is known to a hundredth. None when no item has two
        votes.

    Examples
    --------
    >>> few, many = np.array([[2.0, 0.0]] * 5), np.array([[2.0, 0.0]] * 500)
    >>> [likely_accuracies(counts).mean().round(3).item() for counts in (few, many)]
    [0.888, 0.998]
    """
    best = crowd_accuracy(counts)
    if best is None:
        return None
    compared = float(np.maximum(counts.sum(axis=1) - 1, 0).sum())
    if compared >= _KNOWN:
        return np.array([best])
    chance = 1 / counts.shape[1]
    accuracy = chance + (1 - chance) * (np.arange(_FINE) + 0.5) / _FINE
    agree = _agreement(accuracy, chance)
    seen = float(_agreement(np.array(best), chance))
    logs = compared * (seen * np.log(agree) + (1 - seen) * np.log(np.maximum(1 - agree, _TINY)))
    below = np.cumsum(np.exp(logs - logs.max()))
    nodes = np.interp((np.arange(_NODES) + 0.5) / _NODES, below / below[-1], accuracy)
    return np.minimum(nodes, _MOST)


def _agreement(accuracy: FloatArray, chance: float) -> FloatArray:
    """Probability that two votes agree, errors spread evenly."""
    return np.asarray(accuracy**2 + (1 - accuracy) ** 2 * chance / (1 - chance))


def one_coin_posterior(counts: FloatArray, accuracy: ArrayLike | None) -> FloatArray:
    """Turn vote counts into class probabilities when every vote is right equally often.

    Parameters
    ----------
    counts : (N, K) float
        Votes for each class of each item.
    accuracy : float, (M,) array-like of float, or None
        How often a vote is right; of several, each as likely as another, the mean is taken. None:
        unknown, as where no item has two votes; then any accuracy from guessing to always right is
        as likely as any other, and the mean of these is taken.

    Returns
    -------
    (N, K) float
        Rows sum to 1; more votes never mean less.

    Examples
    --------
    >>> one_coin_posterior(np.array([[1.0, 0.0], [2.0, 0.0]]), 0.8).round(3).tolist()
    [[0.8, 0.2], [0.941, 0.059]]
    >>> one_coin_posterior(np.array([[1.0, 0.0]]), None).tolist()
    [[0.75, 0.25]]
    """
    counts = as_counts(counts)
    n_classes = counts.shape[1]
    if n_classes < 2:
        return majority_vote(counts + 1)
    chance = 1 / n_classes
    given = (1 + chance) / 2 if accuracy is None else accuracy
    likely = np.atleast_1d(array_of("accuracy", given, "numbers", np.float64)).clip(chance, _MOST)
    leads = counts - counts.max(axis=1, keepdims=True)
    found: FloatArray = np.zeros(counts.shape)
    for p in likely.tolist():
        odds = np.exp(leads * np.log(p * (n_classes - 1) / (1 - p)))
        found += odds / odds.sum(axis=1, keepdims=True)
    return found / likely.size


def as_sure_as_known(posterior: FloatArray, counts: FloatArray, likely: FloatArray) -> FloatArray:
    """Believe what all of an item's votes say no more than is known of how often votes are right.

    People who differ can be told apart, by whom the others side with. Where all of an item's votes
    agree there is nothing but how often such people are right. Beliefs above that are mixed with
    even ones, which leaves the classes in their order.

    Parameters
    ----------
    posterior : (N, K) float
    counts : (N, K) float
        Votes for each class of each item.
    likely : (M,) float
        From `likely_accuracies`.

    Examples
    --------
    >>> votes, sure = np.array([[2.0, 0.0], [2.0, 1.0]]), np.array([[0.999, 0.001]] * 2)
    >>> as_sure_as_known(sure, votes, np.array([0.8])).round(3).tolist()
    [[0.941, 0.059], [0.999, 0.001]]
    """
    even = 1 / counts.shape[1]
    one = np.flatnonzero((counts > 0).sum(axis=1) == 1)
    most, said = one_coin_posterior(counts[one], likely).max(axis=1), posterior[one].max(axis=1)
    above = said > np.maximum(most, even)
    one, keep = one[above], ((most[above] - even) / (said[above] - even))[:, None]
    found = posterior.copy()
    found[one] = keep * posterior[one] + (1 - keep) * even
    return found
