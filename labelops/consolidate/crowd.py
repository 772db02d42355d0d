"""How often a crowd's votes are right, from nothing but who agrees."""

from __future__ import annotations

import numpy as np

from labelops.measure.codes import FloatArray

from .counts import majority_vote

__all__ = ["crowd_accuracy", "one_coin_posterior"]

_MOST = 0.999


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


def one_coin_posterior(counts: FloatArray, accuracy: float | None) -> FloatArray:
    """Turn vote counts into class probabilities when every vote is right equally often.

    Parameters
    ----------
    counts : (N, K) float
        Votes for each class of each item.
    accuracy : float or None
        How often a vote is right. None: unknown, as where no item has two votes; then any accuracy
        from guessing to always right is as likely as any other, and the mean of these is taken.

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
    n_classes = counts.shape[1]
    if n_classes < 2:
        return majority_vote(counts + 1)
    chance = 1 / n_classes
    p = (1 + chance) / 2 if accuracy is None else min(max(accuracy, chance), _MOST)
    logits = counts * np.log(p * (n_classes - 1) / (1 - p))
    odds = np.exp(logits - logits.max(axis=1, keepdims=True))
    return np.asarray(odds / odds.sum(axis=1, keepdims=True), dtype=np.float64)
