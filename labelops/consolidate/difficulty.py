"""GLAD: items differ in difficulty, annotators in ability; both decide whether a vote is right."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import expit, softmax

from labelops.errors import UsageError
from labelops.measure.brief import brief
from labelops.measure.codes import FloatArray
from labelops.measure.given import check_kind, check_steps
from labelops.measure.votes import Votes, pack_votes

from ._confusions import pseudo_confusions
from ._em import Shard
from ._family import DawidSkene, check_shards
from .counts import vote_shares

__all__ = ["Glad", "fit_glad", "glad", "glad_shards"]

_MOST = 6.0
_INNER = 5


@brief
@dataclass(frozen=True, slots=True)
class Glad:
    """What GLAD found.

    Attributes
    ----------
    posterior : (N, K) float
        Belief about each item's class.
    ability : (A,) float
        0 guesses, below 0 votes against the truth.
    ease : (N,) float
        Above 0; a vote of ability a is right with probability 1 / (1 + exp(-a * ease)).
    iterations : int
        EM steps taken.
    converged : bool
        Whether the posterior stood still.
    """

    posterior: FloatArray
    ability: FloatArray
    ease: FloatArray
    iterations: int
    converged: bool


def glad(
    items: ArrayLike,
    annotators: ArrayLike,
    codes: ArrayLike,
    n_items: int | None = None,
    n_classes: int | None = None,
    *,
    n_annotators: int | None = None,
    weights: ArrayLike | None = None,
    start: Glad | None = None,
    max_iterations: int = 100,
    tolerance: float = 1e-3,
) -> Glad:
    """Estimate classes, item ease and annotator ability together.

    Parameters
    ----------
    items, annotators, codes : (V,) array-like of int
        Item, annotator and class of each vote; class -1 (missing) is no vote. An annotator's
        second vote on an item counts as one more.
    n_items, n_classes, n_annotators : int, optional
        N, A and K; one more than the largest number there is when left out.
    weights : (V,) array-like of float, optional
        What each vote counts; 0 leaves it out.
    start : Glad, optional
        A warm start: an earlier result, whose annotators and items come first among those there
        are.
    max_iterations, tolerance
        Most EM steps; stop when no posterior moves further than this.

    Raises
    ------
    UsageError
        Arrays differ in length, codes are out of range, or the start knows more annotators or
        items than there are, or other classes.

    References
    ----------
    Whitehill, Ruvolo, Wu, Bergsma, Movellan 2009,
    https://papers.nips.cc/paper/3644-whose-vote-should-count-more

    Examples
    --------
    >>> items, who = np.repeat(np.arange(20), 5), np.tile(np.arange(5), 20)
    >>> given = np.where((items < 5) & (who < 2), 1, 0)  # the first five are harder
    >>> found = glad(items, who, given, n_items=20, n_annotators=5, n_classes=2)
    >>> bool(found.ease[:5].max() < found.ease[5:].min())
    True
    """
    votes = pack_votes(
        items, annotators, codes, n_items=n_items, n_annotators=n_annotators,
        n_classes=n_classes, weights=weights,
    )  # fmt: skip
    return glad_shards([votes], start=start, max_iterations=max_iterations, tolerance=tolerance)


def glad_shards(
    shards: Sequence[Votes],
    *,
    start: Glad | None = None,
    max_iterations: int = 100,
    tolerance: float = 1e-3,
) -> Glad:
    """Do what `glad` does for packed votes, whose items may lie in several shards.

    An item's ease stays with its shard; only what each shard says of the abilities, (2, A), would
    have to travel between machines, five times an EM step. A start's items come first, over the
    shards in turn; see `dawid_skene_shards`.

    Examples
    --------
    >>> size = {"n_items": 2, "n_annotators": 2, "n_classes": 2}
    >>> days = [pack_votes([0, 0, 1, 1], [0, 1, 0, 1], given, **size)
    ...         for given in ([0, 0, 1, 1], [1, 1, 0, 1])]
    >>> glad_shards(days).ease.shape
    (4,)
    """
    check_shards(shards)
    check_steps(max_iterations, tolerance)
    held = [_Shard(votes) for votes in shards]
    ability: FloatArray = np.ones(shards[0].n_annotators)
    if start is not None:
        check_kind("start", start, Glad, "`glad`")
        _check_start(start, shards)
        ability[: start.ability.size] = start.ability
        cuts = np.cumsum([v.n_items for v in shards])[:-1]
        for shard, ease in zip(held, np.split(start.ease, cuts), strict=True):
            shard.log_ease[: ease.size] = np.log(ease)
            shard.expect(ability)
    steps, still = 0, False
    while steps < max_iterations and not still:
        for _ in range(_INNER):
            slope, bend = np.sum([shard.reach(ability) for shard in held], axis=0)
            ability = _newton(ability, slope - (ability - 1), bend + 1)
            for shard in held:
                shard.ease(ability)
        steps, still = steps + 1, max([shard.expect(ability) for shard in held]) <= tolerance
    return Glad(
        np.concatenate([shard.posterior for shard in held]),
        ability,
        np.exp(np.concatenate([shard.log_ease for shard in held])),
        steps,
        still,
    )


def fit_glad(votes: Votes, *, max_iterations: int = 100, tolerance: float = 1e-3) -> DawidSkene:
    """Do what `glad` does for packed votes, with confusions as Dawid–Skene has them."""
    found = glad_shards([votes], max_iterations=max_iterations, tolerance=tolerance)
    counts = Shard(votes, found.posterior).count()
    prior = found.posterior.sum(axis=0) + 1
    return DawidSkene(
        found.posterior, pseudo_confusions(counts, 0.01, 0.01), prior / prior.sum(),
        found.iterations, found.converged,
    )  # fmt: skip


def _check_start(start: Glad, shards: Sequence[Votes]) -> None:
    known = start.ability.size, start.ease.size, start.posterior.shape[1]
    people, items = shards[0].n_annotators, sum(v.n_items for v in shards)
    if known[0] > people or known[1] > items or known[2] != shards[0].n_classes:
        raise UsageError(
            f"start knows {known[0]} annotators, {known[1]} items and {known[2]} classes, "
            f"expected at most {people} and {items}, and {shards[0].n_classes}"
        )


class _Shard:
    """Votes on some items, how easy these are and what is believed of them."""

    def __init__(self, votes: Votes) -> None:
        item, who, code = (x.astype(np.int64) for x in (votes.items, votes.annotators, votes.codes))
        self.item, self.who, self.code = item, who, code
        self.weight = np.ones(code.size) if votes.weights is None else votes.weights
        self.posterior = vote_shares(votes)
        self.log_ease: FloatArray = np.zeros(votes.n_items)

    def reach(self, ability: FloatArray) -> FloatArray:
        """Slope and bend of the votes' likelihood in each ability, (2, A)."""
        ease = np.exp(self.log_ease)[self.item]
        chance = expit(ability[self.who] * ease)
        right = self.posterior[self.item, self.code]
        slope = self.weight * (right - chance) * ease
        bend = self.weight * chance * (1 - chance) * ease**2
        return np.array([np.bincount(self.who, x, minlength=ability.size) for x in (slope, bend)])

    def ease(self, ability: FloatArray) -> None:
        """One Newton step, a normal prior of mean 0 and variance 1 on every log ease."""
        reach = ability[self.who] * np.exp(self.log_ease)[self.item]
        chance = expit(reach)
        right = self.posterior[self.item, self.code]
        slope = self.weight * (right - chance) * reach
        bend = self.weight * chance * (1 - chance) * reach**2
        by_item = np.array([np.bincount(self.item, x, self.log_ease.size) for x in (slope, bend)])
        self.log_ease = _newton(self.log_ease, by_item[0] - self.log_ease, by_item[1] + 1)

    def expect(self, ability: FloatArray) -> float:
        """Believe what annotators of these abilities say; return the furthest move."""
        n_items, n_classes = self.posterior.shape
        # log P(right) - log P(one of the other classes): right against wrong, and their number.
        gain = ability[self.who] * np.exp(self.log_ease)[self.item] + np.log(max(n_classes - 1, 1))
        place = self.item * n_classes + self.code
        total = np.bincount(place, self.weight * gain, minlength=n_items * n_classes)
        before = self.posterior
        self.posterior = np.asarray(softmax(total.reshape(n_items, n_classes), axis=1))
        return float(np.abs(self.posterior - before).max(initial=0.0))


def _newton(values: FloatArray, slope: FloatArray, bend: FloatArray) -> FloatArray:
    """One step up, of at most 1; abilities have a normal prior of mean and variance 1."""
    return np.clip(values + np.clip(slope / bend, -1, 1), -_MOST, _MOST)
