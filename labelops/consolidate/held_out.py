"""How well methods predict votes of annotators they did not see, and what that makes them worth.

Annotators are dealt into folds, and every method is run without a fold. What it believes of an
item is its prediction of the fold's votes there, once it is known what people say of items of each
class. That is learned for each method anew, from the fold's votes: one table for the whole crowd.
So a crowd that leans, or clickers who all say one thing, do not speak for the method that follows
them; what speaks for a method is that votes differ from item to item as it says.

Where people are few, without one of them they are another crowd: of two who look beside three who
click, one is left, and nothing says that this one is right. There votes are dealt, not people, and
an annotator's other votes say what the one left out is worth: a click tells nothing, and being
wrong about it neither.

That holds while votes are many beside the table's K² numbers. It is learned from the votes it then
judges, and with many classes it fits what it learned from, whatever sharp beliefs it is given: such
that have nothing to do with the votes come out at -2.83 nats a vote and flat ones at -2.99 with 20
classes and 1,000 votes, at -3.33 and -3.90 with 50 classes and 2,000 votes. So with twenty classes
or more a method that is too sure may weigh more than it should.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from labelops.measure.codes import FloatArray, IntArray
from labelops.measure.votes import Votes, pack_votes

from .content import numbered_by_votes, thinned_items
from .counts import vote_counts
from .crowd import crowd_accuracy
from .evidence import one_coin_chances, soften
from .few_people import are_few, first_belief
from .folds import FOLDS, annotator_folds, vote_folds
from .members import Fit
from .skill import annotator_confusions

__all__ = ["HeldOut", "held_out_votes", "member_weights"]

_MOST_VOTES = 20_000
_MOST_SCORED = 10_000
_MOST_CELLS = 8_000_000
_STEPS = 30
_TABLE_STEPS = 25
_TABLE_VOTES = 5.0
"""Votes of each class that even mistakes count for, before the crowd's own table is learned."""
_ABOVE_CHANCE = 0.05
_WORTH = 100.0
"""Independent votes that all held-out ones count for in weighing. They are many more, but depend
on each other, and a method that is a little better on them is often a little worse on items."""


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
    own : (H, K) float or None
        Probability of the vote under each true class, by its annotator's other votes; None where
        annotators were left out with all their votes.
    """

    beliefs: FloatArray
    codes: IntArray
    accuracy: float
    own: FloatArray | None = None

    @property
    def chances(self) -> FloatArray:
        """Probability of each vote under each true class, (H, K)."""
        if self.own is not None:
            return self.own
        return one_coin_chances(self.codes, self.accuracy, self.beliefs.shape[2])

    def softened(self, temperatures: Sequence[float]) -> HeldOut:
        """Soften each method by its temperature."""
        parts = [soften(self.beliefs[:, m], t) for m, t in enumerate(temperatures)]
        return replace(self, beliefs=np.stack(parts, axis=1))

    @property
    def scores(self) -> FloatArray:
        """Mean log probability that each method gives to the votes, (M,)."""
        if self.own is not None:
            hit = np.einsum("hmk,hk->hm", self.beliefs, self.own)
            return np.asarray(np.log(hit).mean(axis=0))
        some = slice(None, None, 1 + len(self.codes) // _MOST_SCORED)
        order = np.argsort(self.codes[some], kind="stable")
        codes = self.codes[some][order]
        methods = self.beliefs[some][order].transpose(1, 0, 2)
        return np.array([_score(np.ascontiguousarray(b), codes, self.accuracy) for b in methods])


def _score(beliefs: FloatArray, codes: IntArray, accuracy: float) -> float:
    """Mean log probability of votes, sorted by class, under what people say of each class."""
    n_classes = beliefs.shape[1]
    even = np.full((n_classes, n_classes), (1 - accuracy) / (n_classes - 1))
    np.fill_diagonal(even, accuracy)
    table = even  # true, given
    given, starts = np.unique(codes, return_index=True)
    for _ in range(_TABLE_STEPS):
        joint = beliefs * table.T[codes]
        joint /= joint.sum(axis=1, keepdims=True)
        counts = _TABLE_VOTES * even
        counts[:, given] += np.add.reduceat(joint, starts, axis=0).T
        table = counts / counts.sum(axis=1, keepdims=True)
    return float(np.log((beliefs * table.T[codes]).sum(axis=1)).mean())


def member_weights(names: Sequence[str], scores: FloatArray) -> FloatArray:
    """Weigh methods by how well they predict held-out votes; majority keeps an even share.

    Parameters
    ----------
    names : (M,) sequence of str
    scores : (M,) float
        Mean log probability of a held-out vote.

    Returns
    -------
    (M,) float
        Sums to 1; proportional to the probability of a hundred votes, majority's aside. Majority is
        no guess at how votes came about but what is fallen back to, whatever the others predict.

    References
    ----------
    Yao, Vehtari, Simpson, Gelman 2018 (weights from predictions of what was left out),
    https://doi.org/10.1214/17-BA1091

    Examples
    --------
    >>> member_weights(["majority", "ibcc", "one_coin"], np.array([-1.0, -0.5, -0.51])).round(2)
    array([0.33, 0.49, 0.18])
    """
    models = np.array([name != "majority" for name in names])
    if not models.any():
        return np.full(len(names), 1 / max(len(names), 1))
    best = scores[models].max()
    worth = np.where(models, np.exp(np.minimum(_WORTH * (scores - best), 0.0)), 0.0)
    return np.where(models, models.mean() * worth / worth.sum(), 1 / len(names))


def held_out_votes(votes: Votes, members: Mapping[str, Fit]) -> HeldOut | None:
    """Run every method without each fold of annotators, and ask it for the fold's votes.

    Where people are few, without each fold of votes. Items are thinned out so that the cost does
    not grow beyond some ten thousand votes. None where no item has two votes.
    """
    few = are_few(votes)
    votes = _thinned(votes, len(members))
    items, annotators, codes = votes.items, votes.annotators, votes.codes
    weights = np.ones(items.size) if votes.weights is None else votes.weights
    accuracy = crowd_accuracy(vote_counts(items, codes, votes.n_items, votes.n_classes, weights))
    if accuracy is None:
        return None
    if few:
        fold = vote_folds(items, annotators, codes)
    else:
        fold = annotator_folds(annotators, weights, votes.n_annotators)[annotators]
    none: FloatArray = np.empty((0, len(members), votes.n_classes))
    beliefs: list[FloatArray] = [none]
    own: list[FloatArray] = [none[:, 0]]
    asked_for = [codes[:0]]
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
        begin = first_belief(rest)
        fits = [f(rest, start=begin, max_iterations=_STEPS).posterior for f in members.values()]
        beliefs.append(np.stack([posterior[place[asked]] for posterior in fits], axis=1))
        asked_for.append(codes[asked])
        if few:
            mean = np.add.reduce(fits) / len(fits)
            cells = annotators[asked] * votes.n_classes + codes[asked]
            own.append(annotator_confusions(rest, mean).rows(cells))
    accuracy = max(accuracy, 1 / votes.n_classes + _ABOVE_CHANCE)
    return HeldOut(
        np.concatenate(beliefs), np.concatenate(asked_for), accuracy,
        np.concatenate(own) if few else None,
    )  # fmt: skip


def _thinned(votes: Votes, n_members: int) -> Votes:
    """Votes of so many of the items that have two or more, items and people numbered by them.

    From here on nothing depends on names, nor on the order of rows.
    """
    most = min(_MOST_VOTES, _MOST_CELLS // (n_members * max(votes.n_classes, 1)))
    ids = thinned_items(votes, most)
    many = votes.per_item[ids]
    place = np.repeat(np.arange(ids.size), many)
    at = np.repeat(votes.rows[ids] - (np.cumsum(many) - many), many) + np.arange(place.size)
    weights = None if votes.weights is None else votes.weights[at]
    who, code = np.divmod(votes.cells[at].astype(np.int64), votes.n_classes)
    packed = partial(
        pack_votes, codes=code, weights=weights, n_items=ids.size,
        n_annotators=votes.n_annotators, n_classes=votes.n_classes,
    )  # fmt: skip
    item, person = numbered_by_votes(packed(place, who))
    return packed(item[place], person[who])
