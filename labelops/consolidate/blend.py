"""A pool of several methods' posteriors, weighed by how well each predicts votes it did not see.

No method is best on every crowd. Averaging those that differ in what they assume errs less than
most of them, and where they disagree the average is unsure, as it should be. Which ones are pooled
depends on whether classes look even (`members`). On votes that they did not see (`held_out`) each
is first softened until it predicts them best (a method that is merely less sure of itself shall
not win by that), then they are weighed. Last, what the pool believes is softened by how far people
share mistakes, and where it helps annotators' skills are counted once more (`refine`). Vote shares,
which are always in the pool, grow no surer with more votes; where these are many and people do not
share mistakes, the others say how sure one may be of the label (`surer`).

Running every method without each fold is most of the work, and says the same again while the same
people give nearly the same votes. So a blend that goes on from an earlier one takes over what its
methods were worth until a twentieth of the votes is another, counted from when they were weighed.
To begin the fits without a fold where the whole ones ended would save no step: who was left out is
a fifth of the crowd, and they end elsewhere.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from labelops.errors import UsageError
from labelops.measure.codes import FloatArray
from labelops.measure.given import check_integer, check_kind, check_named
from labelops.measure.votes import Votes

from ._family import DawidSkene, Start, check_start
from .evidence import soften, softening
from .few_people import first_belief
from .held_out import HeldOut, held_out_votes, member_weights
from .members import Fit, members_for, step_say
from .refine import refine
from .surer import Surer, learn_surer

__all__ = ["Blend", "blend"]

_BLOCK = 1 << 16
_ANEW = 0.05
"""Share of votes, other than they were, from which on methods are weighed anew."""


@dataclass(frozen=True, slots=True)
class Blend:
    """A pooled posterior and what it was pooled from.

    Attributes
    ----------
    posterior : (N, K) float
        The pooled posterior after `refine`, labels raised (`surer`).
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
    fits : mapping of str to DawidSkene
        What each method learned of annotators and classes, without items: a later blend begins
        there.
    weighed_on : (A * K,) float
        Votes by annotator and class given when the methods were weighed; in an earlier blend, it
        may be.
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
    fits: Mapping[str, DawidSkene]
    weighed_on: FloatArray

    def without_items(self) -> Blend:
        """Keep what a later blend needs of this one."""
        none = self.posterior[:0].copy()  # A view would hold all of it.
        return replace(self, posterior=none, pooled=none)


@dataclass(frozen=True, slots=True)
class _Worth:
    """What methods are worth, and the votes by annotator and class that say so."""

    weights: FloatArray
    scores: Mapping[str, float]
    temperatures: list[float]
    held_out: HeldOut | None
    weighed_on: FloatArray


def blend(
    votes: Votes,
    *,
    members: Mapping[str, Fit] | None = None,
    start: Start | Blend = None,
    least: int = 50,
) -> Blend:
    """Pool the posteriors of several methods by how well they predict held-out votes.

    Parameters
    ----------
    votes : Votes
        From `labelops.measure.votes.pack_votes`.
    members : mapping of str to callable, optional
        Methods by name; those of `members_for` when left out.
    start : (N, K) array-like, DawidSkene or Blend, optional
        Warm start of every method; else votes' shares, those of few people weighed. An earlier
        blend has one for each method, and says what methods are worth while at most a twentieth of
        the votes is another: twice as fast, at much the same weights.
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
    check_kind("votes", votes, Votes, "`pack_votes`")
    check_integer("least", least)
    members = members_for(votes) if members is None else check_named("members", members)
    if not members:
        raise UsageError("members: expected at least one method, found none")
    earlier = start if isinstance(start, Blend) else None
    begins = {} if earlier is None else earlier.fits
    if begins:
        check_start(max(begins.values(), key=lambda fit: fit.skills.n_annotators), votes)
    begin = first_belief(votes) if start is None or isinstance(start, Blend) else start
    worth = _worth(votes, members, earlier, least)
    pooled: FloatArray = np.zeros((votes.n_items, votes.n_classes))
    fits: dict[str, DawidSkene] = {}
    for (name, member), weight, temperature in zip(
        members.items(), worth.weights, worth.temperatures, strict=True
    ):
        found = member(votes, start=begins.get(name, begin), max_iterations=100)
        _add(pooled, weight, found.posterior, temperature)
        # Of very many items one method's beliefs at a time is all that there is room for.
        fits[name] = replace(found, posterior=found.posterior[:0].copy())
        del found
    refined = refine(votes, pooled, say=step_say(list(members), worth.weights))
    posterior = refined.posterior
    if (surer := _surer(votes, pooled, worth, list(members))) is not None:
        for some, part in votes.blocks(_BLOCK):
            posterior[some] = surer.raised(part, posterior[some], pooled[some])
    return Blend(
        posterior,
        pooled,
        refined.dependence,
        dict(zip(members, map(float, worth.weights), strict=True)),
        worth.scores,
        dict(zip(members, worth.temperatures, strict=True)),
        worth.held_out,
        sum(f.iterations for f in fits.values()),
        all(f.converged for f in fits.values()),
        fits,
        worth.weighed_on,
    )


def _add(pooled: FloatArray, weight: float, posterior: FloatArray, temperature: float) -> None:
    for first in range(0, len(pooled), _BLOCK):
        some = slice(first, first + _BLOCK)
        pooled[some] += weight * soften(posterior[some], temperature)


def _surer(votes: Votes, pooled: FloatArray, worth: _Worth, names: list[str]) -> Surer | None:
    """Learn how sure the others may make, where vote shares are in the pool and all are weighed."""
    if not worth.scores or "majority" not in names:
        return None
    place = names.index("majority")
    return learn_surer(votes, pooled, float(worth.weights[place]), worth.temperatures[place])


def _worth(votes: Votes, members: Mapping[str, Fit], earlier: Blend | None, least: int) -> _Worth:
    """Weigh methods, or take over what they were worth where the votes are nearly the same."""
    given = votes.given.ravel()
    if earlier is not None and earlier.scores and list(earlier.weights) == list(members):
        before = np.zeros(given.size)
        before[: earlier.weighed_on.size] = earlier.weighed_on
        if np.abs(given - before).sum() <= _ANEW * before.sum():
            return _Worth(
                np.array(list(earlier.weights.values())),
                earlier.scores,
                list(earlier.temperatures.values()),
                earlier.held_out,
                before,
            )
    held = held_out_votes(votes, members)
    if held is None or len(held.codes) < least:
        even: FloatArray = np.full(len(members), 1 / len(members))
        return _Worth(even, {}, [1.0] * len(members), None, given)
    temperatures = [softening(b, held.chances) for b in held.beliefs.transpose(1, 0, 2)]
    held = held.softened(temperatures)
    means = held.scores
    scores = dict(zip(members, map(float, means), strict=True))
    return _Worth(member_weights(list(members), means), scores, temperatures, held, given)
