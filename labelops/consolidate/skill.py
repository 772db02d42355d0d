"""How good each annotator is, with an interval, from what is believed of the items."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import betaincinv

from labelops.errors import UsageError
from labelops.measure.codes import FloatArray
from labelops.measure.confusion import annotator_confusion
from labelops.measure.votes import Votes

from .shrunk import expected_confusion

__all__ = ["Skill", "annotator_skill", "skill_interval"]

_CROWD_VOTES = 10.0


@dataclass(frozen=True, slots=True)
class Skill:
    """What the votes say of A annotators.

    Attributes
    ----------
    accuracy, low, high : (A,) float
        Share of right votes and its interval; NaN without a vote.
    confusion : (A, K, K) float
        P(given | true) by annotator, true class (row), given class (column), shrunk to what the
        crowd and the annotator's accuracy let expect; the crowd's without a vote.
    """

    accuracy: FloatArray
    low: FloatArray
    high: FloatArray
    confusion: FloatArray


def annotator_skill(votes: Votes, posterior: FloatArray, *, confidence: float = 0.95) -> Skill:
    """Estimate annotators' accuracies and confusions from a calibrated posterior.

    Parameters
    ----------
    votes : Votes
        From `labelops.measure.votes.pack_votes`.
    posterior : (N, K) float
        Belief about each item; where it is too sure, intervals are too narrow.
    confidence : float
        Of the intervals.

    Examples
    --------
    >>> from labelops.measure.votes import pack_votes
    >>> votes = pack_votes(np.repeat(np.arange(50), 2), np.tile([0, 1], 50), np.zeros(100, int),
    ...                    n_items=50, n_annotators=2, n_classes=2)
    >>> skill = annotator_skill(votes, np.tile([0.9, 0.1], (50, 1)))
    >>> skill.accuracy.round(2).tolist(), bool(skill.low[0] < 0.9 < skill.high[0])
    ([0.9, 0.9], True)
    """
    n_classes = votes.n_classes
    counts = annotator_confusion(
        votes.items, votes.annotators, votes.codes, posterior, votes.n_annotators, votes.weights
    )
    hits, given = np.einsum("akk->a", counts), counts.sum(axis=(1, 2))
    crowd = float((hits.sum() + 0.7) / (given.sum() + 1))
    alone = given > 0
    accuracy = (hits + _CROWD_VOTES * crowd) / (given + _CROWD_VOTES)
    known = _effective_votes(votes, posterior, accuracy, given)
    low, high = skill_interval(accuracy, known + _CROWD_VOTES, confidence)
    expected = expected_confusion(counts.transpose(0, 2, 1), _CROWD_VOTES).transpose(0, 2, 1)
    seen = counts + 2 * n_classes * expected
    return Skill(
        np.where(alone, accuracy, np.nan),
        np.where(alone, low, np.nan),
        np.where(alone, high, np.nan),
        seen / seen.sum(axis=2, keepdims=True),
    )


def _effective_votes(
    votes: Votes, posterior: FloatArray, accuracy: FloatArray, given: FloatArray
) -> FloatArray:
    """Votes on items of known class that would tell as much: an unsure item tells less."""
    right = posterior[votes.items, votes.codes]
    unsure = np.bincount(
        votes.annotators, weights=right * (1 - right), minlength=votes.n_annotators
    )
    spread = accuracy * (1 - accuracy)
    return np.asarray(given * spread / np.maximum(spread + unsure / np.maximum(given, 1), 1e-12))


def skill_interval(
    accuracy: FloatArray, votes: FloatArray, confidence: float = 0.95
) -> tuple[FloatArray, FloatArray]:
    """Give the equal-tailed Beta interval of an accuracy known from so many votes.

    Parameters
    ----------
    accuracy, votes : (A,) float
        Posterior mean, and votes it rests on, the prior's included. NaN stays NaN.
    confidence : float
        Between 0 and 1.

    Raises
    ------
    UsageError
        The confidence is out of range.

    Examples
    --------
    >>> low, high = skill_interval(np.array([0.8]), np.array([100.0]))
    >>> low.round(2).tolist(), high.round(2).tolist()
    ([0.72], [0.87])
    """
    if not 0 < confidence < 1:
        raise UsageError(f"confidence is {confidence}, expected between 0 and 1")
    right = np.maximum(accuracy * votes, 1e-9)
    wrong = np.maximum((1 - accuracy) * votes, 1e-9)
    tail = (1 - confidence) / 2
    return betaincinv(right, wrong, tail), betaincinv(right, wrong, 1 - tail)
