"""One more look at every annotator with what the pool believes, as far as it may be believed.

The pool takes votes for independent. Where annotators share mistakes it is far too sure, and what
it says beyond the class shares is softened by the square root of the design effect, by which
standard errors grow. What then is done depends on the class shares (`shares`).

With more than two classes that are even, skills are counted once more, from the softened pool, and
decide: the pool is right more often than its members, but none of them saw it when it learned the
annotators' skills. Softening towards even shares is what takes a leaning crowd's favourite class
back. More than one such step would again feed on its own certainty. The step says which class; how
sure one may be is what the pool says. So its beliefs stay, and the largest of an item's goes to the
class that the step found. It learns everybody's own mistakes rather freely: the less likely
methods that do are by held-out votes, the less say it has beside the softened pool (`step_say`).

With two classes, what people like to call and what is frequent are one number; where classes are
not even, the same step would fill the rare ones with hard items of the frequent ones. There the
pool softened towards its own class shares is the better answer: an item on which votes that count
for little are divided is of the class that is frequent.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from labelops.measure.codes import BoolArray, FloatArray
from labelops.measure.votes import Votes

from ._family import believed
from .dependence import design_effect, soften_items, vote_dependence
from .shares import look_even
from .shrunk import shrunk_skills
from .skill import annotator_confusions

__all__ = ["Refined", "refine"]

_TIE = 1e-9
_BLOCK = 1 << 16
_SURE = 0.25
"""Power of the design effect that beliefs are softened by. Less than the square root, because the
pool holds vote shares too, which do not grow surer with the number of votes."""

STRENGTHS = (4.0, 2.0, 1.0)
"""Votes a class that an annotator's expectation counts for; the mean of all is taken."""


@dataclass(frozen=True, slots=True)
class Refined:
    """A pool's posterior after one more step.

    Attributes
    ----------
    posterior : (N, K) float
        The pool's beliefs, softened where people share mistakes; each item's largest is given
        to the class that the step found.
    dependence : float
        How far votes on an item go wrong together, in [0, 1]; see `vote_dependence`.
    """

    posterior: FloatArray
    dependence: float


def refine(votes: Votes, pooled: FloatArray, *, say: float = 1.0) -> Refined:
    """Soften a pool by how far votes depend on each other, and decide once more from it.

    An item without a vote keeps its beliefs; one whose votes leave classes tied keeps their order.

    Parameters
    ----------
    votes : Votes
    pooled : (N, K) float
        Calibrated belief about each item's class.
    say : float
        What skills counted once more say beside the softened pool, from 0, nothing, to 1.

    Examples
    --------
    >>> from labelops.measure.votes import pack_votes
    >>> votes = pack_votes([0, 0, 0, 1, 1, 1], [0, 1, 2, 0, 1, 2], [0, 0, 1, 1, 1, 1], n_items=2,
    ...                    n_annotators=3, n_classes=2)
    >>> found = refine(votes, np.array([[0.9, 0.1], [0.1, 0.9]]))
    >>> found.posterior.argmax(axis=1).tolist()
    [0, 1]
    """
    dependence = vote_dependence(votes, pooled, annotator_confusions(votes, pooled))
    even = np.full(votes.n_classes, 1 / votes.n_classes)
    if votes.n_classes == 2 or not look_even(votes):
        shares = pooled.sum(axis=0, where=votes.per_item[:, None] > 0) + even
        shares /= shares.sum()
        strengths = []
    else:
        shares = even
        strengths = [times * votes.n_classes for times in STRENGTHS] if say > 0 else []
    refined = _softened(votes, pooled, dependence, shares)
    learned = shrunk_skills(votes, refined, strengths) if strengths else []
    for some, part in votes.blocks(_BLOCK):
        decided = refined[some]
        if learned:
            counted = np.add.reduce([believed(part, skills) for skills in learned])
            decided = (say / len(learned)) * counted + (1 - say) * decided
        sure = soften_items(pooled[some], design_effect(part, dependence) ** _SURE, shares)
        refined[some] = _with_winners(sure, decided, part.per_item > 0)
    return Refined(refined, dependence)


def _softened(
    votes: Votes, pooled: FloatArray, dependence: float, shares: FloatArray
) -> FloatArray:
    """Soften by the square root of the design effect."""
    found = np.empty_like(pooled)
    for some, part in votes.blocks(_BLOCK):
        effect = design_effect(part, dependence)
        found[some] = soften_items(pooled[some], np.sqrt(effect), shares)
    return found


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
