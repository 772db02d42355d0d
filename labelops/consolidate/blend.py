"""A pool of several methods' posteriors, weighed by how well each predicts votes it did not see.

No method is best on every crowd. Averaging those that differ in what they assume errs less than
most of them, and where they disagree the average is unsure, as it should be. Annotators are dealt
into folds, and every method is run without a fold: what it believes of an item, times how often
a vote is right, is its prediction of the fold's votes. On these each method is first softened
until it predicts them best (a method that is merely less sure of itself shall not win by that),
then the weights are fitted. Last, annotators' skills are counted once more from what the pool
believes (`refine`), which decides between classes that the pool holds nearly alike.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import TypeAlias

import numpy as np

from labelops.measure.codes import BoolArray, FloatArray, IntArray
from labelops.measure.votes import Votes, pack_votes

from ._family import DawidSkene, Start
from .evidence import annotator_folds, soften, softening
from .ibcc import fit_ibcc
from .majority import crowd_accuracy, vote_counts, vote_shares
from .one_coin import fit_one_coin
from .refine import refine
from .shrunk import fit_shrunk

__all__ = ["MEMBERS", "Blend", "HeldOut", "blend", "held_out_votes", "pool_weights"]

Fit: TypeAlias = Callable[..., DawidSkene]

FOLDS = 5
_MOST_VOTES = 20_000
_MOST_CELLS = 8_000_000
_STEPS = 30
_ABOVE_CHANCE = 0.05
_EVEN = 1000.0
"""Held-out votes that the even weighing of methods counts for."""


def _majority(votes: Votes, *, start: Start, max_iterations: int) -> DawidSkene:
    """Shares of votes, in the shape of the other members."""
    del start, max_iterations
    shares = vote_shares(votes)
    n_classes = votes.n_classes
    none = np.empty((0, n_classes, n_classes))
    return DawidSkene(shares, none, np.full(n_classes, 1 / max(n_classes, 1)), 0, True)


def _family(fit: Fit) -> Fit:
    def run(votes: Votes, *, start: Start, max_iterations: int) -> DawidSkene:
        return fit([votes], start=start, max_iterations=max_iterations)

    return run


def _shrunk(times: float) -> Fit:
    def run(votes: Votes, *, start: Start, max_iterations: int) -> DawidSkene:
        return fit_shrunk(
            [votes], start=start, strength=times * votes.n_classes, max_iterations=max_iterations
        )

    return run


MEMBERS: Mapping[str, Fit] = MappingProxyType(
    {
        "majority": _majority,
        "one_coin": _family(fit_one_coin),
        "ibcc": _family(fit_ibcc),
        "shrunk_4": _shrunk(4.0),
        "shrunk_2": _shrunk(2.0),
        "shrunk_1": _shrunk(1.0),
    }
)
"""What is pooled; `shrunk_4` counts the expectation of an annotator for four votes a class."""


@dataclass(frozen=True, slots=True)
class HeldOut:
    """What each method, run on the other annotators' votes, believed of left-out votes' items.

    Attributes
    ----------
    beliefs : (H, M, K) float
        Posterior of the vote's item under each method.
    codes : (H,) int
        The vote.
    accuracy : float
        How often votes of this crowd are right, by how often they agree.
    """

    beliefs: FloatArray
    codes: IntArray
    accuracy: float

    def softened(self, temperatures: Sequence[float]) -> HeldOut:
        """Soften each method by its temperature."""
        parts = [soften(self.beliefs[:, m], t) for m, t in enumerate(temperatures)]
        return replace(self, beliefs=np.stack(parts, axis=1))

    @property
    def chances(self) -> FloatArray:
        """Probability that each method gave to each vote, (H, M)."""
        miss = (1 - self.accuracy) / (self.beliefs.shape[2] - 1)
        right = self.beliefs[np.arange(len(self.codes)), :, self.codes]
        return np.asarray(miss + (self.accuracy - miss) * right)


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
    votes: Votes, *, members: Mapping[str, Fit] = MEMBERS, start: Start = None, least: int = 50
) -> Blend:
    """Pool the posteriors of several methods by how well they predict held-out votes.

    Parameters
    ----------
    votes : Votes
        From `labelops.measure.votes.pack_votes`.
    members : mapping of str to callable
        Methods by name.
    start : (N, K) array-like or DawidSkene, optional
        Warm start of every method.
    least : int
        Fewest held-out votes for weights of their own.

    References
    ----------
    Yao, Vehtari, Simpson, Gelman 2018 (stacking predictive distributions),
    https://doi.org/10.1214/17-BA1091

    Examples
    --------
    >>> votes = pack_votes([0, 0, 0, 1, 1], [0, 1, 2, 0, 1], [1, 1, 0, 0, 0],
    ...                    n_items=2, n_annotators=3, n_classes=2)
    >>> found = blend(votes)
    >>> found.posterior.argmax(axis=1).tolist(), round(sum(found.weights.values()), 6)
    ([1, 0], 1.0)
    """
    fits = [fit(votes, start=start, max_iterations=100) for fit in members.values()]
    held = held_out_votes(votes, members)
    weights: FloatArray = np.full(len(fits), 1 / len(fits))
    temperatures, scores = [1.0] * len(fits), {}
    if held is not None and len(held.codes) >= least:
        beliefs = held.beliefs.transpose(1, 0, 2)
        temperatures = [softening(b, held.codes, held.accuracy) for b in beliefs]
        held = held.softened(temperatures)
        weights = pool_weights(held.chances)
        means = np.log(held.chances).mean(axis=0)
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


def pool_weights(chances: FloatArray, steps: int = 100) -> FloatArray:
    """Find the mixture of methods under which the held-out votes are most likely.

    Parameters
    ----------
    chances : (H, M) float
        Probability each method gave to each vote.
    steps : int
        EM steps.

    Returns
    -------
    (M,) float
        Sums to 1; the even weighing counts for 1,000 votes.

    Examples
    --------
    >>> weights = pool_weights(np.tile([0.9, 0.1], (1000, 1)))
    >>> bool(weights[0] > 0.7)
    True
    """
    size = chances.shape[1]
    weights = np.full(size, 1 / size)
    for _ in range(steps):
        parts = chances * weights
        parts /= parts.sum(axis=1, keepdims=True)
        weights = (parts.sum(axis=0) + _EVEN / size) / (len(chances) + _EVEN)
    return weights


def held_out_votes(votes: Votes, members: Mapping[str, Fit] = MEMBERS) -> HeldOut | None:
    """Run every method without each fold of annotators, and ask it for the fold's votes.

    Items are thinned out so that the cost does not grow beyond some ten thousand votes. None where
    no item has two votes.
    """
    items, annotators, codes, weights = _thinned(votes)
    accuracy = crowd_accuracy(vote_counts(items, codes, votes.n_items, votes.n_classes, weights))
    if accuracy is None:
        return None
    fold = annotator_folds(annotators, weights, votes.n_annotators)[annotators]
    beliefs, asked_for = [np.empty((0, len(members), votes.n_classes))], [codes[:0]]
    for left_out in range(FOLDS):
        out = fold == left_out
        known = np.zeros(votes.n_items, dtype=np.bool_)
        known[items[~out]] = True
        asked = out & known[items]
        if not asked.any():
            continue
        ids = np.flatnonzero(known)
        place = np.searchsorted(ids, items)
        rest = pack_votes(
            place[~out], annotators[~out], codes[~out], n_items=ids.size,
            n_annotators=votes.n_annotators, n_classes=votes.n_classes, weights=weights[~out],
        )  # fmt: skip
        fits = [f(rest, start=None, max_iterations=_STEPS).posterior for f in members.values()]
        beliefs.append(np.stack([posterior[place[asked]] for posterior in fits], axis=1))
        asked_for.append(codes[asked])
    accuracy = max(accuracy, 1 / votes.n_classes + _ABOVE_CHANCE)
    return HeldOut(np.concatenate(beliefs), np.concatenate(asked_for), accuracy)


def _thinned(votes: Votes) -> tuple[IntArray, IntArray, IntArray, FloatArray]:
    """Votes of every so-many-th item that has two votes or more."""
    per_item = votes.per_item
    ids = np.flatnonzero(per_item >= 2)
    most = min(_MOST_VOTES, _MOST_CELLS // (len(MEMBERS) * max(votes.n_classes, 1)))
    chosen = np.zeros(votes.n_items, dtype=np.bool_)
    chosen[ids[:: 1 + int(per_item[ids].sum()) // max(most, 1)]] = True
    keep: BoolArray = np.repeat(chosen, per_item)
    weights = np.ones(keep.size) if votes.weights is None else votes.weights
    arrays = votes.items[keep], votes.annotators[keep], votes.codes[keep]
    items, annotators, codes = (a.astype(np.int64) for a in arrays)
    return items, annotators, codes, weights[keep]
