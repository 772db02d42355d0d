"""Dawid–Skene: each annotator's own confusion matrix and each item's class, by EM."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial, reduce
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from labelops.errors import UsageError
from labelops.measure.codes import BoolArray, FloatArray, check_probs
from labelops.measure.votes import Votes, pack_votes

from ._em import Shard, SkillCounts
from .majority import vote_shares

__all__ = ["DawidSkene", "dawid_skene", "dawid_skene_shards"]

Compat = Literal["crowd-kit"]

_FLOOR = 1e-10
"""crowd-kit's least count of a confusion, and least share of a class."""


@dataclass(frozen=True, slots=True)
class DawidSkene:
    """What EM found.

    Attributes
    ----------
    posterior : (N, K) float
        Belief about each item's class; far too sure of itself, see `evidence`. An item without a
        vote has the class prior.
    confusion : (A, K, K) float
        P(given class | true class) by annotator, true class (row), given class (column). An
        annotator without a vote has even rows.
    class_prior : (K,) float
        Share of each class.
    iterations : int
        EM steps taken.
    converged : bool
        Whether the last step moved no posterior by more than the tolerance.
    """

    posterior: FloatArray
    confusion: FloatArray
    class_prior: FloatArray
    iterations: int
    converged: bool


@dataclass(frozen=True, slots=True)
class _Skills:
    """Log P(given | true) as (annotator * K + given, true), and log P(class)."""

    log_confusion: FloatArray
    log_prior: FloatArray


def dawid_skene(
    items: ArrayLike,
    annotators: ArrayLike,
    codes: ArrayLike,
    *,
    n_items: int,
    n_annotators: int,
    n_classes: int,
    weights: ArrayLike | None = None,
    start: ArrayLike | DawidSkene | None = None,
    prior: float = 0.01,
    max_iterations: int = 300,
    tolerance: float = 1e-6,
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
        second vote on an item counts as one more.
    n_items, n_annotators, n_classes : int
        N, A and K.
    weights : (V,) array-like of float, optional
        What each vote counts; 0 leaves it out.
    start : (N, K) array-like of float, or DawidSkene, optional
        A warm start: a posterior to begin with, or an earlier result, whose annotators' skills
        are believed first (annotators it did not know come after those it did). Shares of votes
        when left out.
    prior : float
        Dirichlet prior added to every cell of every confusion matrix and to every class.
    max_iterations : int
        Most EM steps.
    tolerance : float
        Stop when no posterior moves further than this.
    compat : {'crowd-kit'}, optional
        Give what crowd-kit's ``DawidSkene`` gives after as many steps: `prior` is not used, but
        counts below 1e-10 are raised to it, and confusions are shared out among the classes
        that an annotator gave.

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
    if isinstance(start, DawidSkene):
        shard, earlier = Shard(votes, vote_shares(votes)), start
    else:
        shard, earlier = Shard(votes, _beliefs(votes, start)), None
    return _expectation_maximisation([shard], earlier, prior, max_iterations, tolerance, compat)


def dawid_skene_shards(
    shards: Sequence[Votes],
    *,
    start: DawidSkene | None = None,
    prior: float = 0.01,
    max_iterations: int = 300,
    tolerance: float = 1e-6,
    compat: Compat | None = None,
) -> DawidSkene:
    """Do what `dawid_skene` does for items that lie in several shards.

    The M step adds up the shards' counts, so nothing but those counts, (A, K, K), would have to
    travel between machines.

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
    if not shards:
        raise UsageError("Dawid–Skene: expected at least one shard")
    if len({(votes.n_annotators, votes.n_classes) for votes in shards}) > 1:
        raise UsageError("Dawid–Skene: shards differ in annotators or classes; number them alike")
    held = [Shard(votes, _beliefs(votes, None)) for votes in shards]
    return _expectation_maximisation(held, start, prior, max_iterations, tolerance, compat)


def _beliefs(votes: Votes, start: ArrayLike | None) -> FloatArray:
    """Give the posterior to begin with, an array of our own."""
    if start is None:
        return vote_shares(votes)
    posterior = check_probs(start, votes.n_classes)
    if len(posterior) != votes.n_items:
        raise UsageError(
            f"Dawid–Skene: start has {len(posterior)} rows, expected {votes.n_items} items"
        )
    return posterior.copy() if posterior is start else posterior


def _expectation_maximisation(
    shards: Sequence[Shard],
    earlier: DawidSkene | None,
    prior: float,
    max_iterations: int,
    tolerance: float,
    compat: Compat | None,
) -> DawidSkene:
    """Alternate the two steps until the posterior stands still."""
    if not prior > 0:
        raise UsageError(f"Dawid–Skene: prior is {prior}, expected a number above 0")
    votes = shards[0].votes
    maximise: Callable[[SkillCounts], _Skills]
    if compat is None:
        maximise = partial(_with_prior, prior=prior)
    elif compat == "crowd-kit":
        given = np.zeros(votes.n_annotators * votes.n_classes, dtype=np.bool_)
        for shard in shards:
            given[shard.votes.cells] = True
        maximise = partial(_with_floor, given=given)
    else:
        raise UsageError(f"Dawid–Skene: compat is {compat!r}, expected 'crowd-kit' or None")
    iterations, converged = 0, False
    counts = reduce(SkillCounts.merge, [shard.count() for shard in shards])
    skills = maximise(counts) if earlier is None else _known(earlier, votes)
    while iterations < max_iterations and not converged:
        counts = reduce(
            SkillCounts.merge,
            [shard.update(skills.log_confusion, skills.log_prior) for shard in shards],
        )
        iterations, converged = iterations + 1, counts.moved <= tolerance
        skills = maximise(counts)
    posterior = [shard.posterior for shard in shards]
    n_classes = votes.n_classes
    confusion = np.exp(skills.log_confusion).reshape(-1, n_classes, n_classes).transpose(0, 2, 1)
    return DawidSkene(
        posterior[0] if len(posterior) == 1 else np.concatenate(posterior),
        np.ascontiguousarray(confusion),
        np.exp(skills.log_prior),
        iterations,
        converged,
    )


def _with_prior(counts: SkillCounts, *, prior: float) -> _Skills:
    """M step with a Dirichlet prior on every cell and class."""
    n_classes = counts.classes.size
    cells = counts.cells.reshape(-1, n_classes, n_classes) + prior
    rates = np.log(cells) - np.log(cells.sum(axis=1, keepdims=True))
    shares = counts.classes + prior
    return _Skills(rates.reshape(-1, n_classes), np.log(shares / shares.sum()))


def _with_floor(counts: SkillCounts, *, given: BoolArray) -> _Skills:
    """M step as crowd-kit has it: a floor, no prior, over the classes an annotator gave."""
    n_classes = counts.classes.size
    cells = np.where(given[:, None], np.maximum(counts.cells, _FLOOR), 0.0)
    totals = cells.reshape(-1, n_classes, n_classes).sum(axis=1, keepdims=True)
    even = np.full((1, n_classes, n_classes), 1 / max(n_classes, 1))
    rates = np.where(totals > 0, cells.reshape(-1, n_classes, n_classes), even)
    with np.errstate(divide="ignore"):  # a class never given is never looked up
        rates = np.log(rates) - np.log(np.where(totals > 0, totals, 1.0))
    shares = counts.classes / max(counts.classes.sum(), _FLOOR)
    return _Skills(rates.reshape(-1, n_classes), np.log(np.maximum(shares, _FLOOR)))


def _known(earlier: DawidSkene, votes: Votes) -> _Skills:
    """Skills of an earlier result; whoever came since is taken for the mean annotator."""
    known, n_classes = earlier.confusion, votes.n_classes
    if known.shape[1:] != (n_classes, n_classes) or len(known) > votes.n_annotators:
        raise UsageError(
            f"Dawid–Skene: start knows {known.shape[0]} annotators and {known.shape[1]} classes, "
            f"expected at most {votes.n_annotators} annotators and {n_classes} classes"
        )
    mean = known.mean(axis=0) if len(known) else np.full((n_classes, n_classes), 1 / n_classes)
    new = np.broadcast_to(mean, (votes.n_annotators - len(known), n_classes, n_classes))
    confusion = np.maximum(np.concatenate([known, new]), _FLOOR).transpose(0, 2, 1)
    log_confusion = np.log(confusion).reshape(-1, n_classes)
    return _Skills(log_confusion, np.log(np.maximum(earlier.class_prior, _FLOOR)))
