"""Make beliefs of items with many votes as sure as these are, where people err independently.

A pool that gives vote shares a fixed part is never surer than these shares let it be: of ten votes,
eight for a class leave it at 1 - 1/6 · 2/10 at most, and a hundred votes no higher. That is right
where people share mistakes, for then more votes say little more. Where they do not, votes multiply,
and the methods that take them for independent are right about how sure one may be.

So an item's label is believed up to what those methods say alone, softened once for how far their
own residuals depend on each other. That dependence is believed only as far as it can be seen: a
belief formed of few votes explains it away, and the more so the more classes there are. With two
classes and three votes an item, no pattern of votes tells people who share mistakes from people who
are right less often. So items with few votes stay what they are.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from labelops.measure.codes import FloatArray
from labelops.measure.votes import Votes

from ._em import count_in_turn
from .counts import vote_shares
from .dependence import dependence_on, design_effect, looked_at, soften_items
from .evidence import soften
from .expected import crowd_confusions

__all__ = ["Surer", "learn_surer", "raise_labels", "visible_dependence"]

_BLOCK = 1 << 16
_LEAST_VISIBLE = 0.3
_CARE = 2.0
"""Power of the design effect: softened by as much again as the dependence found would have it,
because what is found falls short of what there is and a decision cannot be taken back."""
_TIE = 1e-12
_TINY = 1e-12


def visible_dependence(votes: ArrayLike, n_classes: int) -> FloatArray:
    """Say what part of the dependence of people can be seen on items with so many votes.

    Examples
    --------
    >>> visible_dependence([3, 5, 11, 41], 2).round(2).tolist()
    [0.0, 0.5, 0.8, 0.95]
    >>> visible_dependence([3, 5, 11, 41], 10).round(2).tolist()
    [0.0, 0.0, 0.0, 0.94]
    """
    over = np.asarray(votes, dtype=np.float64) - n_classes
    return np.asarray(np.clip((over - 1) / np.maximum(over + 1, 1.0), 0.0, 1.0))


def raise_labels(posterior: FloatArray, likely: FloatArray, part: FloatArray) -> FloatArray:
    """Believe each item's label a part of the way to what another belief says of it, never less.

    The other classes share what is left as before. Rows whose first place is shared stay.

    Parameters
    ----------
    posterior, likely : (N, K) float
    part : (N,) float
        From 0, stay, to 1, in log odds.

    Examples
    --------
    >>> belief, likely = np.array([[0.9, 0.1], [0.9, 0.1]]), np.array([[0.99, 0.01], [0.8, 0.2]])
    >>> raise_labels(belief, likely, np.array([0.5, 1.0])).round(3).tolist()
    [[0.968, 0.032], [0.9, 0.1]]
    """
    rows, label = np.arange(len(posterior)), posterior.argmax(axis=1)
    top = posterior[rows, label]
    alone = (posterior >= top[:, None] - _TIE).sum(axis=1) == 1
    odds = (1 - part) * _log_odds(top) + part * _log_odds(likely[rows, label])
    raised = np.where(alone, np.maximum(top, 1 / (1 + np.exp(-odds))), top)
    found: FloatArray = posterior * ((1 - raised) / np.maximum(1 - top, _TINY))[:, None]
    found[rows, label] = raised
    return found


@dataclass(frozen=True, slots=True)
class Surer:
    """How sure a pool's other methods may make of its labels.

    Attributes
    ----------
    weight, temperature : float
        What part of the pool vote shares are, and how much they were softened.
    dependence : float
        How far votes depend on each other by the beliefs of the others.
    """

    weight: float
    temperature: float
    dependence: float

    def raised(self, votes: Votes, posterior: FloatArray, pooled: FloatArray) -> FloatArray:
        """Raise labels' beliefs as far as votes are many and people independent; any items' rows.

        Parameters
        ----------
        votes : Votes
        posterior : (N, K) float
            The pool's beliefs after `refine`.
        pooled : (N, K) float
            The pool, vote shares among it.
        """
        seen = visible_dependence(votes.per_item, votes.n_classes)
        there = np.minimum(self.dependence / np.maximum(seen, _LEAST_VISIBLE), 1.0)
        likely = _models(votes, pooled, self.weight, self.temperature)
        even = np.full(votes.n_classes, 1 / votes.n_classes)
        likely = soften_items(likely, design_effect(votes, there) ** _CARE, even)
        return raise_labels(posterior, likely, seen)


def learn_surer(
    votes: Votes, pooled: FloatArray, weight: float, temperature: float
) -> Surer | None:
    """Learn how far votes depend on each other by what a pool believes without vote shares.

    Parameters
    ----------
    votes : Votes
    pooled : (N, K) float
        The pool, vote shares among it.
    weight, temperature : float
        What part of the pool vote shares are, and how much they were softened.

    Returns
    -------
    Surer or None
        None where no item has votes enough to tell, or the pool is vote shares alone.

    Examples
    --------
    Ten people, each right nine times in ten: of eight against two the pool is too unsure.

    >>> from labelops.measure.votes import pack_votes
    >>> right = np.random.default_rng(0).random((300, 10)) < 0.9
    >>> votes = pack_votes(np.repeat(np.arange(300), 10), np.tile(np.arange(10), 300),
    ...                    right.ravel().astype(int), n_items=300, n_annotators=10, n_classes=2)
    >>> sure = np.tile([0.001, 0.999], (300, 1))
    >>> pooled = sure * 5 / 6 + vote_shares(votes) / 6
    >>> posterior = learn_surer(votes, pooled, 1 / 6, 1.0).raised(votes, pooled, pooled)
    >>> eight = right.sum(axis=1) == 8
    >>> pooled[eight, 1].max().round(3), posterior[eight, 1].min() > 0.99
    (np.float64(0.966), np.True_)
    """
    most = int(np.diff(votes.rows).max(initial=0))
    if weight >= 1 or visible_dependence(most, votes.n_classes) <= 0:
        return None
    ids = looked_at(votes)
    belief = np.empty((ids.size, votes.n_classes))

    def models(some: slice, part: Votes) -> FloatArray:
        found = np.empty((part.n_items, votes.n_classes))
        for rows, block in part.blocks(_BLOCK):
            found[rows] = _models(block, pooled[some][rows], weight, temperature)
        here = (ids >= some.start) & (ids < some.stop)
        belief[here] = found[ids[here] - some.start]
        return found

    skills = crowd_confusions(count_in_turn(votes, models))
    return Surer(weight, temperature, dependence_on(votes, ids, belief, skills))


def _models(votes: Votes, pooled: FloatArray, weight: float, temperature: float) -> FloatArray:
    """Take vote shares out of a pool."""
    shares = soften(vote_shares(votes), temperature)
    rest = np.maximum(pooled - weight * shares, 0.0)
    return np.asarray(rest / rest.sum(axis=1, keepdims=True))


def _log_odds(belief: FloatArray) -> FloatArray:
    return np.asarray(np.log(np.maximum(belief, _TINY)) - np.log(np.maximum(1 - belief, _TINY)))
