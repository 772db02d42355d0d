"""One more look at every annotator with what the pool believes, as far as it may be believed.

A pool of methods is right more often than its members, but none of them saw it when it learned
the annotators' skills. Counting skills once more from the pool, and deciding from them, gives its
gain to the skills too. The pool takes votes for independent, and would be believed too much where
annotators share mistakes: it is softened first, by the square root of the design effect, by which
standard errors grow. More than one such step would again feed on its own certainty.

The step says which class; how sure one may be is what the pool learned from held-out votes. So the
pool's beliefs stay, and the largest of an item's goes to the class that the step found.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from labelops.measure.codes import BoolArray, FloatArray
from labelops.measure.votes import Votes

from .dependence import design_effect, soften_items, vote_dependence
from .shrunk import fit_shrunk
from .skill import annotator_skill

__all__ = ["Refined", "refine"]

_TIE = 1e-9

STRENGTHS = (4.0, 2.0, 1.0)
"""Votes a class that an annotator's expectation counts for; the mean of all is taken."""


@dataclass(frozen=True, slots=True)
class Refined:
    """A pool's posterior after one more step.

    Attributes
    ----------
    posterior : (N, K) float
        The pool's beliefs, each item's largest given to the class that the step found.
    dependence : float
        How far votes on an item go wrong together, in [0, 1]; see `vote_dependence`.
    """

    posterior: FloatArray
    dependence: float


def refine(votes: Votes, pooled: FloatArray) -> Refined:
    """Count annotators' skills from a softened posterior, and decide once from them.

    An item without a vote keeps its beliefs, as does one whose votes leave classes tied.

    Parameters
    ----------
    votes : Votes
    pooled : (N, K) float
        Calibrated belief about each item's class.

    Examples
    --------
    >>> from labelops.measure.votes import pack_votes
    >>> votes = pack_votes([0, 0, 0, 1, 1, 1], [0, 1, 2, 0, 1, 2], [0, 0, 1, 1, 1, 1], n_items=2,
    ...                    n_annotators=3, n_classes=2)
    >>> found = refine(votes, np.array([[0.9, 0.1], [0.1, 0.9]]))
    >>> found.posterior.argmax(axis=1).tolist()
    [0, 1]
    """
    confusion = annotator_skill(votes, pooled).confusion
    dependence = vote_dependence(votes, pooled, confusion)
    effect = design_effect(votes, dependence)
    start = soften_items(pooled, np.sqrt(effect))
    steps = [
        fit_shrunk([votes], start=start, strength=times * votes.n_classes, max_iterations=1)
        for times in STRENGTHS
    ]
    decided = np.add.reduce([step.posterior for step in steps])
    return Refined(_with_winners(pooled, decided, votes.per_item > 0), dependence)


def _with_winners(pooled: FloatArray, decided: FloatArray, voted: BoolArray) -> FloatArray:
    """Swap each row's largest belief with that of the class decided on, where one class is."""
    found = pooled.copy()
    tops = decided.max(axis=1, keepdims=True, initial=0.0)
    alone = (decided >= tops - _TIE).sum(axis=1) == 1
    rows = np.flatnonzero(voted & alone)
    if rows.size:
        new, old = decided[rows].argmax(axis=1), pooled[rows].argmax(axis=1)
        found[rows, new], found[rows, old] = pooled[rows, old], pooled[rows, new]
    return found
