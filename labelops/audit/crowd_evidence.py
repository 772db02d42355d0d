"""What the votes say about each item's class: the consensus, as evidence that can be weighed.

The posterior is the default consensus's. It is softened by how far votes on an item go wrong
together, so a label is not called right with near certainty because ten people share a mistake.
Where nobody shared an item, votes tell nothing of how often they are wrong, and are no evidence.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import softmax

from labelops.audit.inputs import check_votes
from labelops.consolidate import CodeConsensus, consolidate_codes
from labelops.measure.codes import BoolArray, FloatArray

__all__ = ["CrowdEvidence", "crowd_evidence"]

_LEAST = 1e-12


@dataclass(frozen=True, slots=True)
class CrowdEvidence:
    """Likelihoods of every class given the votes.

    Attributes
    ----------
    log_likelihood : (N, K) float
        log P(the item's votes | class), up to a constant an item; 0 for an item without votes.
    prior : (K,) float
        The classes' shares.
    voted : (N,) bool
        Which items have a vote that tells something: none where no item has two.
    dependence : float
        How far votes on an item go wrong together beyond what its class explains, in [0, 1]; NaN
        where that cannot be told.
    doubt : (R,) float
        For some votes: the probability, by what others said of the item, that the vote is not the
        class expected most.
    missed : (R,) bool
        Whether it was not.
    """

    log_likelihood: FloatArray
    prior: FloatArray
    voted: BoolArray
    dependence: float
    doubt: FloatArray
    missed: BoolArray

    def posterior(self) -> FloatArray:
        """Return P(class | votes), (N, K); the prior for an item without votes."""
        return np.asarray(softmax(self.log_likelihood + np.log(self.prior), axis=1))


def crowd_evidence(
    items: ArrayLike, annotators: ArrayLike, codes: ArrayLike, n_items: int, n_classes: int
) -> CrowdEvidence:
    """Estimate from all votes what each item's votes say about its class.

    An annotator's later vote on an item replaces the earlier one; code -1 (missing) is no vote.

    Parameters
    ----------
    items, annotators, codes : (V,) array-like of int
        Row of the item, number of the annotator, class given.
    n_items, n_classes : int
        N and K.

    Raises
    ------
    UsageError
        Lengths differ, or an item, annotator or class does not exist.

    Examples
    --------
    >>> said = crowd_evidence([0, 0, 0, 1, 1, 1], [0, 1, 2] * 2, [0, 0, 0, 1, 1, 0], 3, 2)
    >>> said.posterior().argmax(axis=1)[:2].tolist(), said.voted.tolist()
    ([0, 1], [True, True, False])
    """
    item, who, vote = check_votes((items, annotators, codes), n_items, n_classes)
    found = consolidate_codes(item, who, vote, n_items, n_classes)
    # A majority starts from even classes, a blend from their shares.
    blended = found.method != "majority"
    prior: FloatArray = found.class_prior if blended else np.full(n_classes, 1 / n_classes)
    per_item = np.bincount(item, minlength=n_items)
    voted = (per_item > 0) & bool((per_item >= 2).any())
    logs = np.log(np.maximum(found.posterior, _LEAST)) - np.log(prior)
    doubt, missed = _foretold(found)
    return CrowdEvidence(
        np.where(voted[:, None], logs, 0.0), prior, voted, found.dependence, doubt,
        missed,
    )  # fmt: skip


def _foretold(found: CodeConsensus) -> tuple[FloatArray, BoolArray]:
    """Predict held-out votes by the others' on the item: how doubtful, and whether it was another.

    A vote is the item's class as often as votes of this crowd are right.
    """
    held = found.held_out
    if held is None:
        return np.zeros(0), np.zeros(0, dtype=np.bool_)
    belief, p = held.beliefs[:, 0], held.accuracy
    expected = belief.argmax(axis=1)
    miss = (1 - p) / (belief.shape[1] - 1)
    said = miss + (p - miss) * belief.max(axis=1)
    return np.asarray(1 - said), np.asarray(expected != held.codes)
