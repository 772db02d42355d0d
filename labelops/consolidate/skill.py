"""How good each annotator is, with an interval, and what for what is given."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from labelops.errors import UsageError
from labelops.measure.brief import brief
from labelops.measure.codes import FloatArray, IntArray, check_codes
from labelops.measure.given import check_kind, check_share
from labelops.measure.votes import Votes

from ._confusions import Confusions
from .accuracy import measure_accuracies
from .expected import crowd_confusions, expected_counts

__all__ = ["Skill", "annotator_confusions", "annotator_skill"]


@brief
@dataclass(frozen=True, slots=True)
class Skill:
    """What the votes say of A annotators.

    Attributes
    ----------
    accuracy, low, high : (A,) float
        Share of right votes and its interval; NaN without a vote.
    skills : Confusions
        What was learned of each one's mistakes.
    """

    accuracy: FloatArray
    low: FloatArray
    high: FloatArray
    skills: Confusions = field(repr=False)

    @property
    def confusion(self) -> FloatArray:
        """P(given | true) by annotator, true class (row), given class (column); (A, K, K).

        Shrunk to what the crowd and the annotator's accuracy let expect; the crowd's without a
        vote.
        """
        return np.asarray(self.skills)


def annotator_skill(
    votes: Votes,
    posterior: FloatArray,
    *,
    truth: IntArray | None = None,
    evidence: FloatArray | None = None,
    confidence: float = 0.95,
) -> Skill:
    """Estimate annotators' accuracies, with intervals, and their confusions.

    Each vote is held against what the others say of its item, never against a belief that it helped
    to form: the intervals hold good, middling and bad annotators alike. What people get wrong
    together is in them as far as the posterior doubts it: where most are misled alike and there is
    no `truth`, 95 % intervals held 7 of 10 people, the others being less accurate than they say;
    with 100 items of `truth`, on six real crowds, 93 in 100. With two annotators and neither
    `truth` nor `evidence` an interval is nearly [0, 1]: whether they agree does not tell who is
    right.

    Parameters
    ----------
    votes : Votes
        From `labelops.measure.votes.pack_votes`.
    posterior : (N, K) float
        Calibrated belief about each item.
    truth : (N,) int, optional
        Classes known from elsewhere, -1 where unknown. They judge the votes on their items.
    evidence : (N, K) float, optional
        What something other than these votes says of each item, such as a model's probabilities.
    confidence : float
        Of the intervals.

    Raises
    ------
    UsageError
        The confidence is out of range, or an array is not by item.

    Examples
    --------
    >>> from labelops.measure.votes import pack_votes
    >>> items, who = np.repeat(np.arange(50), 6), np.tile(np.arange(6), 50)
    >>> codes = np.where((items + 7 * who) % 10 == 0, 1 - items % 2, items % 2)
    >>> votes = pack_votes(items, who, codes, n_items=50, n_annotators=6, n_classes=2)
    >>> skill = annotator_skill(votes, np.eye(2)[np.arange(50) % 2])
    >>> skill.accuracy.round(1).tolist(), bool((skill.low < 0.9).all() and (skill.high > 0.9).all())
    ([0.9, 0.9, 0.9, 0.9, 0.9, 0.9], True)
    """
    check_share("confidence", confidence, inside=True)
    check_kind("votes", votes, Votes, "`pack_votes`")
    if np.shape(posterior) != (votes.n_items, votes.n_classes):
        raise UsageError(
            f"posterior: shape {np.shape(posterior)}, expected {(votes.n_items, votes.n_classes)}"
        )
    if truth is not None and np.shape(truth) != (votes.n_items,):
        raise UsageError(f"truth: shape {np.shape(truth)}, expected {votes.n_items} items")
    if evidence is not None and np.shape(evidence) != posterior.shape:
        raise UsageError(f"evidence: shape {np.shape(evidence)}, expected {posterior.shape}")
    counts = expected_counts(votes, posterior)
    alone = votes.given.any(axis=1)
    known = None if truth is None else check_codes(truth, votes.n_classes)
    found = measure_accuracies(
        votes, posterior, truth=known, evidence=evidence, confidence=confidence
    )
    accuracy, low, high = (
        np.where(alone, x, np.nan) for x in (found.estimate, found.low, found.high)
    )
    return Skill(accuracy, low, high, crowd_confusions(counts))


def annotator_confusions(votes: Votes, posterior: FloatArray) -> Confusions:
    """Estimate annotators' confusions as `annotator_skill` does.

    Examples
    --------
    >>> from labelops.measure.votes import pack_votes
    >>> votes = pack_votes([0, 1], [0, 0], [0, 1], n_items=2, n_annotators=1, n_classes=2)
    >>> np.asarray(annotator_confusions(votes, np.eye(2))).round(2).tolist()
    [[[0.94, 0.06], [0.06, 0.94]]]
    """
    return crowd_confusions(expected_counts(votes, posterior))
