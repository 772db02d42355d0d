"""How often a crowd's votes are right, and each annotator's, from nothing but who agrees."""

from __future__ import annotations

import numpy as np

from labelops.measure.codes import FloatArray, IntArray

from .counts import majority_vote

__all__ = ["crowd_accuracy", "one_coin_posterior", "pair_accuracies"]

_SHRINK = 10.0
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


def pair_accuracies(
    items: IntArray,
    annotators: IntArray,
    codes: IntArray,
    counts: FloatArray,
    n_annotators: int,
    weights: FloatArray,
) -> FloatArray:
    """Estimate each annotator's accuracy from their agreement with the others' votes.

    Parameters
    ----------
    items, annotators, codes : (V,) int
        The votes that `counts` counts.
    counts : (N, K) float
        Votes for each class of each item.
    n_annotators : int
        A.
    weights : (V,) float
        What each vote counts; at 0 it is as if it had not been given.

    Returns
    -------
    (A,) float
        Shrunk to the crowd's accuracy by ten votes; NaN for all when no item has two votes.

    Examples
    --------
    >>> from labelops.consolidate.counts import vote_counts
    >>> items = np.repeat(np.arange(50), 3)
    >>> who = np.tile([0, 1, 2], 50)
    >>> code = np.where(who < 2, 0, np.repeat(np.arange(50) % 2, 3))
    >>> pair_accuracies(items, who, code, vote_counts(items, code, 50, 2), 3,
    ...                 np.ones(150)).round(2).tolist()
    [0.91, 0.91, 0.55]
    """
    crowd, n_classes = crowd_accuracy(counts), counts.shape[1]
    if crowd is None:
        return np.full(n_annotators, np.nan)
    others = counts.sum(axis=1)[items] - weights
    paired = (others > 0) & (weights > 0)
    agree = (counts[items, codes] - weights)[paired] / others[paired]
    seen = np.bincount(annotators[paired], minlength=n_annotators)
    same = np.bincount(annotators[paired], weights=agree, minlength=n_annotators)
    miss = (1 - crowd) / (n_classes - 1)
    if crowd - miss < 1e-6:
        return np.full(n_annotators, crowd)
    # Agreement with a vote of accuracy c is p c + (1-p) (1-c)/(K-1): linear in p.
    expected = crowd * crowd + (1 - crowd) * miss
    share = (same + _SHRINK * expected) / (seen + _SHRINK)
    return np.clip((share - miss) / (crowd - miss), 0.0, _MOST)
