"""A pool of several methods' posteriors, weighed by how well each predicts votes it did not see.

No method is best on every crowd. Averaging those that differ in what they assume errs less than
most of them, and where they disagree the average is unsure, as it should be. Which ones are pooled
depends on whether classes look even (`members`). On votes that they did not see (`held_out`) each
is first softened until it predicts them best (a method that is merely less sure of itself shall
not win by that), then they are weighed. Last, what the pool believes is softened by how far people
share mistakes, and where it helps annotators' skills are counted once more (`refine`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from labelops.measure.codes import FloatArray
from labelops.measure.votes import Votes

from ._family import Start
from .evidence import soften, softening
from .few_people import first_belief
from .held_out import HeldOut, held_out_votes, member_weights
from .members import Fit, members_for
from .refine import refine

__all__ = ["Blend", "blend"]


@dataclass(frozen=True, slots=True)
class Blend:
    """A pooled posterior and what it was pooled from.

    Attributes
    ----------
    posterior : (N, K) float
        The pooled posterior after `refine`.
    pooled : (N, K) float
        Weighted mean of the methods' softened posteriors.
    dependence : float
        How far votes on an item go wrong together, in [0, 1]; see `vote_dependence`.
    weights : mapping of str to float
        Weight of each method; they sum to 1.
    scores : mapping of str to float
        Mean log probability of the held-out votes under each method; empty where too few votes
        could be held out, the weights are even then.
    temperatures : mapping of str to float
        How much each method was softened; 1 is not at all.
    held_out : HeldOut or None
        The held-out votes, beliefs softened.
    iterations : int
        Steps of all methods.
    converged : bool
        Whether every one stood still.
    """

    posterior: FloatArray
    pooled: FloatArray
    dependence: float
    weights: Mapping[str, float]
    scores: Mapping[str, float]
    temperatures: Mapping[str, float]
    held_out: HeldOut | None
    iterations: int
    converged: bool


def blend(
    votes: Votes,
    *,
    members: Mapping[str, Fit] | None = None,
    start: Start = None,
    least: int = 50,
) -> Blend:
    """Pool the posteriors of several methods by how well they predict held-out votes.

    Parameters
    ----------
    votes : Votes
        From `labelops.measure.votes.pack_votes`.
    members : mapping of str to callable, optional
        Methods by name; those of `members_for` when left out.
    start : (N, K) array-like or DawidSkene, optional
        Warm start of every method; else votes' shares, those of few people weighed.
    least : int
        Fewest held-out votes for weights of their own.

    Examples
    --------
    >>> from labelops.measure.votes import pack_votes
    >>> votes = pack_votes([0, 0, 0, 1, 1], [0, 1, 2, 0, 1], [1, 1, 0, 0, 0],
    ...                    n_items=2, n_annotators=3, n_classes=2)
    >>> found = blend(votes)
    >>> found.posterior.argmax(axis=1).tolist(), round(sum(found.weights.values()), 6)
    ([1, 0], 1.0)
    """
    members = members_for(votes) if members is None else members
    begin = first_belief(votes) if start is None else start
    fits = [fit(votes, start=begin, max_iterations=100) for fit in members.values()]
    held = held_out_votes(votes, members)
    weights: FloatArray = np.full(len(fits), 1 / len(fits))
    temperatures, scores = [1.0] * len(fits), {}
    if held is not None and len(held.codes) >= least:
        beliefs = held.beliefs.transpose(1, 0, 2)
        temperatures = [softening(b, held.chances) for b in beliefs]
        held = held.softened(temperatures)
        means = held.scores
        weights = member_weights(list(members), means)
        scores = dict(zip(members, map(float, means), strict=True))
    pooled: FloatArray = np.zeros((votes.n_items, votes.n_classes))
    for weight, temperature, found in zip(weights, temperatures, fits, strict=True):
        pooled += weight * soften(found.posterior, temperature)
    refined = refine(votes, pooled)
    return Blend(
        refined.posterior,
        pooled,
        refined.dependence,
        dict(zip(members, map(float, weights), strict=True)),
        scores,
        dict(zip(members, temperatures, strict=True)),
        held if scores else None,
        sum(f.iterations for f in fits),
        all(f.converged for f in fits),
    )
