"""Dawid–Skene: each annotator's own confusion matrix and each item's class, by EM."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from labelops.errors import UsageError
from labelops.measure.codes import BoolArray
from labelops.measure.given import check_number
from labelops.measure.votes import Votes, pack_votes

from ._confusions import Confusions, pseudo_confusions
from ._em import Shard, SkillCounts
from ._family import DawidSkene, Skills, Start, check_shards, fit_votes, rates

__all__ = ["DawidSkene", "dawid_skene", "dawid_skene_shards"]

Compat = Literal["crowd-kit"]

_FLOOR = 1e-10
"""crowd-kit's least count of a confusion, and least share of a class and of a posterior."""
_LIMITS = (300, 1e-6)
_THEIR_LIMITS = (100, 1e-5)
_BLOCK = 1 << 16


def dawid_skene(
    items: ArrayLike,
    annotators: ArrayLike,
    codes: ArrayLike,
    n_items: int | None = None,
    n_classes: int | None = None,
    *,
    n_annotators: int | None = None,
    weights: ArrayLike | None = None,
    start: ArrayLike | DawidSkene | None = None,
    prior: float = 0.01,
    max_iterations: int | None = None,
    tolerance: float | None = None,
    compat: Compat | None = None,
) -> DawidSkene:
    """Estimate every item's class and every annotator's confusion from their votes.

    Deterministic, to the last bit on one processor: neither the order of the votes, nor the
    number of cores, nor whether numba is installed matters. Time and memory are linear in votes
    and items; integer arrays of any width are taken as they are (int32 items, int16 annotators
    and int8 codes need least).

    Parameters
    ----------
    items, annotators, codes : (V,) array-like of int
        Item, annotator and class of each vote; class -1 (missing) is no vote. An annotator's
        second vote on an item counts as one more, as in the paper; `consolidate` keeps the later.
    n_items, n_classes, n_annotators : int, optional
        N, A and K; one more than the largest number there is when left out.
    weights : (V,) array-like of float, optional
        What each vote counts; 0 leaves it out.
    start : (N, K) array-like of float, or DawidSkene, optional
        A warm start: a posterior to begin with, or an earlier result, whose annotators' skills
        are believed first (annotators it did not know come after those it did). Shares of votes
        when left out.
    prior : float
        Dirichlet prior added to every cell of every confusion matrix and to every class.
    max_iterations : int, optional
        Most EM steps; 300 when left out.
    tolerance : float, optional
        Stop when no posterior moves further than this; 1e-6 when left out, -inf takes all steps.
    compat : {'crowd-kit'}, optional
        Give what crowd-kit's ``DawidSkene`` gives: `prior` is not used, but counts below 1e-10 are
        raised to it, and confusions are shared out among the classes that an annotator gave.
        `max_iterations` and `tolerance` are its ``n_iter`` and ``tol``, 100 and 1e-5 when left out:
        it stops when its evidence bound, divided by the votes, grows by less.

    Raises
    ------
    UsageError
        Arrays differ in length, codes are out of range, or the prior is not positive.

    References
    ----------
    Dawid, Skene 1979, https://doi.org/10.2307/2346806

    Examples
    --------
    >>> items, who = np.repeat(np.arange(20), 3), np.tile([0, 1, 2], 20)
    >>> truth = np.arange(20) % 2
    >>> given = np.where(who == 2, 1 - truth[items], truth[items])  # the third one always lies
    >>> found = dawid_skene(items, who, given, n_items=20, n_annotators=3, n_classes=2)
    >>> bool((found.posterior.argmax(axis=1) == truth).all()), found.confusion[2].round(2).tolist()
    (True, [[0.0, 1.0], [1.0, 0.0]])
    """
    votes = pack_votes(
        items,
        annotators,
        codes,
        n_items=n_items,
        n_annotators=n_annotators,
        n_classes=n_classes,
        weights=weights,
    )
    return _fit([votes], start, prior, max_iterations, tolerance, compat)


def dawid_skene_shards(
    shards: Sequence[Votes],
    *,
    start: DawidSkene | None = None,
    prior: float = 0.01,
    max_iterations: int | None = None,
    tolerance: float | None = None,
    compat: Compat | None = None,
) -> DawidSkene:
    """Do what `dawid_skene` does for items that lie in several shards.

    The M step adds up the shards' counts, so nothing but those counts, K for each answer
    given, would have to travel between machines.

    Parameters
    ----------
    shards : sequence of Votes
        From `labelops.measure.votes.pack_votes`, each with the items 0 … N_s - 1 of its own and
        all with the same annotators and classes.
    start, prior, max_iterations, tolerance, compat
        See `dawid_skene`.

    Returns
    -------
    DawidSkene
        Its posterior has the shards' items one shard after the other.

    Raises
    ------
    UsageError
        There is no shard, or they differ in annotators or classes.

    Examples
    --------
    >>> size = {"n_items": 2, "n_annotators": 2, "n_classes": 2}
    >>> days = [pack_votes([0, 0, 1, 1], [0, 1, 0, 1], given, **size)
    ...         for given in ([0, 0, 1, 1], [1, 1, 0, 1])]
    >>> dawid_skene_shards(days).posterior.shape
    (4, 2)
    """
    return _fit(shards, start, prior, max_iterations, tolerance, compat)


def _fit(
    shards: Sequence[Votes],
    start: Start,
    prior: float,
    max_iterations: int | None,
    tolerance: float | None,
    compat: Compat | None,
) -> DawidSkene:
    check_number("Dawid–Skene: prior", prior, above=True)
    if compat not in ("crowd-kit", None):
        raise UsageError(f"Dawid–Skene: compat is {compat!r}, expected 'crowd-kit' or None")
    steps, least = _LIMITS if compat is None else _THEIR_LIMITS
    steps = steps if max_iterations is None else max_iterations
    least = least if tolerance is None else tolerance
    if compat is None:
        maximise = partial(_with_prior, prior=prior)
        return fit_votes(shards, maximise, start=start, max_iterations=steps, tolerance=least)
    check_shards(shards)
    maximise, stop = partial(_with_floor, given=_given(shards)), _BoundStop(least)
    return fit_votes(
        shards, maximise, start=start, max_iterations=steps, tolerance=least, stop=stop
    )


def _given(shards: Sequence[Votes]) -> BoolArray:
    """Say which classes each annotator ever gave, (A * K,)."""
    found = np.zeros(shards[0].n_annotators * shards[0].n_classes, dtype=np.bool_)
    for votes in shards:
        found[votes.cells] = True
    return found


def _with_prior(counts: SkillCounts, *, prior: float) -> Skills:
    """M step with a Dirichlet prior on every cell and class."""
    shares = counts.classes + prior
    total = counts.people + shares.size * prior
    return Skills(
        counts.answers,
        rates(counts.answers, counts.cells + prior, total),
        np.log(shares / shares.sum()),
        partial(pseudo_confusions, counts, prior, prior),
    )


def _with_floor(counts: SkillCounts, *, given: BoolArray) -> Skills:
    """M step as crowd-kit has it: a floor, no prior, over the classes an annotator gave."""
    answers = counts.answers
    cells = np.where(given[answers.cells, None], np.maximum(counts.cells, _FLOOR), 0.0)
    total = answers.by_person(cells)
    cells[(total == 0)[answers.person]] = 1.0
    unseen = np.where(total == 0, 1 / counts.classes.size, 0.0)
    total = np.where(total == 0, float(counts.classes.size), total)
    shares = counts.classes / max(counts.classes.sum(), _FLOOR)
    with np.errstate(divide="ignore"):  # a class never given is never looked up
        found = rates(answers, cells, total)
    return Skills(
        answers,
        found,
        np.log(np.maximum(shares, _FLOOR)),
        lambda: Confusions(
            answers, np.exp(found), unseen, unseen, 1 - np.eye(shares.size)
        ).normalised(),
    )


class _BoundStop:
    """Stop as crowd-kit does: when its evidence bound, divided by the votes, grows by less.

    Each vote counts its item's class share once more, which makes it no bound, but theirs.
    """

    def __init__(self, tolerance: float) -> None:
        self.tolerance, self.before = tolerance, -np.inf

    def __call__(self, shards: Sequence[Shard], counts: SkillCounts, skills: Skills) -> bool:
        cells = counts.cells
        expected = (cells * np.where(cells > 0, skills.log_rates, 0.0)).sum()
        expected += cells.sum(axis=0) @ skills.log_prior
        now = (expected + sum(map(_entropy, shards))) / max(cells.sum(), _FLOOR)
        before, self.before = self.before, now
        return bool(now - before < self.tolerance)


def _entropy(shard: Shard) -> float:
    """Entropy of what is believed of items with votes."""
    total = 0.0
    for some, part in shard.votes.blocks(_BLOCK):
        belief = np.maximum(shard.posterior[some][part.per_item > 0], _FLOOR)
        total -= float((belief * np.log(belief)).sum())
    return total
