"""One coin an annotator: right with one probability, else wrong in any other way alike."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import digamma

from labelops.measure.codes import FloatArray
from labelops.measure.given import check_flag, check_number
from labelops.measure.votes import Votes, pack_votes

from ._confusions import Confusions
from ._em import SkillCounts
from ._family import DawidSkene, Skills, Start, fit_votes

__all__ = ["one_coin", "one_coin_shards"]

_LEAST = 0.02
_FLOOR = 1e-10


def one_coin(
    items: ArrayLike,
    annotators: ArrayLike,
    codes: ArrayLike,
    n_items: int | None = None,
    n_classes: int | None = None,
    *,
    n_annotators: int | None = None,
    weights: ArrayLike | None = None,
    start: Start = None,
    prior_votes: float = 10.0,
    even_classes: bool = True,
    max_iterations: int = 100,
    tolerance: float = 1e-3,
) -> DawidSkene:
    """Estimate every item's class when each annotator has one accuracy, by variational Bayes.

    With a crowd of few votes an annotator this is as much as can be learned of each of them.

    Parameters
    ----------
    items, annotators, codes : (V,) array-like of int
        Item, annotator and class of each vote; class -1 (missing) is no vote. An annotator's
        second vote on an item counts as one more.
    n_items, n_classes, n_annotators : int, optional
        N, A and K; one more than the largest number there is when left out.
    weights : (V,) array-like of float, optional
        What each vote counts; 0 leaves it out.
    start : (N, K) array-like or DawidSkene, optional
        A warm start.
    prior_votes : float
        Votes that the crowd's accuracy counts for in each annotator's; 0 gives maximum
        likelihood, with point estimates instead of expectations.
    even_classes : bool
        Whether classes are taken to be equally common; else their shares are estimated.
    max_iterations, tolerance
        Most EM steps; stop when no posterior moves further than this.

    Raises
    ------
    UsageError
        Arrays differ in length, codes are out of range, or `prior_votes` is negative.

    References
    ----------
    Zhang, Chen, Zhou, Jordan 2014, section 3.3, https://arxiv.org/abs/1406.3824;
    Liu, Peng, Ihler 2012 (the prior), https://arxiv.org/abs/1204.3523

    Examples
    --------
    >>> found = one_coin([0, 0, 0, 1, 1, 1], [0, 1, 2, 0, 1, 2], [0, 0, 1, 1, 1, 0],
    ...                  n_items=2, n_annotators=3, n_classes=2)
    >>> found.posterior.argmax(axis=1).tolist(), bool(found.confusion[2, 0, 0] < 0.6)
    ([0, 1], True)
    """
    votes = pack_votes(
        items, annotators, codes, n_items=n_items, n_annotators=n_annotators,
        n_classes=n_classes, weights=weights,
    )  # fmt: skip
    return one_coin_shards(
        [votes], start=start, prior_votes=prior_votes, even_classes=even_classes,
        max_iterations=max_iterations, tolerance=tolerance,
    )  # fmt: skip


def one_coin_shards(
    shards: Sequence[Votes],
    *,
    start: Start = None,
    prior_votes: float = 10.0,
    even_classes: bool = True,
    max_iterations: int = 100,
    tolerance: float = 1e-3,
) -> DawidSkene:
    """Do what `one_coin` does for packed votes, whose items may lie in several shards.

    Only each shard's counts, K for each answer given, would have to travel between machines; see
    `dawid_skene_shards`.

    Examples
    --------
    >>> size = {"n_items": 2, "n_annotators": 2, "n_classes": 2}
    >>> days = [pack_votes([0, 0, 1, 1], [0, 1, 0, 1], given, **size)
    ...         for given in ([0, 0, 1, 1], [1, 1, 0, 1])]
    >>> one_coin_shards(days).posterior.shape
    (4, 2)
    """
    check_number("one coin: prior_votes", prior_votes)
    check_flag("even_classes", even_classes)
    maximise = partial(_maximise, prior_votes=prior_votes, even_classes=even_classes)
    return fit_votes(
        shards, maximise, start=start, max_iterations=max_iterations, tolerance=tolerance
    )


def _maximise(counts: SkillCounts, *, prior_votes: float, even_classes: bool) -> Skills:
    answers, n_classes = counts.answers, counts.classes.size
    hits, given = counts.hits, counts.people.sum(axis=1)
    crowd = max((hits.sum() + 1) / (given.sum() + 2), 1 / n_classes + _LEAST)
    if prior_votes:
        right = digamma(hits + prior_votes * crowd)
        wrong = digamma(np.maximum(given - hits, 0) + prior_votes * (1 - crowd))
    else:
        right, wrong = _likeliest(hits, given)
    wrong = wrong - np.log(max(n_classes - 1, 1))
    log_rates = np.repeat(wrong[answers.person][:, None], n_classes, axis=1)
    log_rates[np.arange(answers.code.size), answers.code] = right[answers.person]

    def confusions() -> Confusions:
        is_right, is_wrong = (
            np.repeat(np.exp(x)[:, None], n_classes, axis=1) for x in (right, wrong)
        )
        even = 1 - np.eye(n_classes)
        return Confusions(answers, np.exp(log_rates), is_right, is_wrong, even).normalised()

    return Skills(answers, log_rates, _shares(counts.classes, even_classes), confusions)


def _likeliest(hits: FloatArray, given: FloatArray) -> tuple[FloatArray, FloatArray]:
    share = np.divide(hits, given, out=np.full_like(hits, 0.5), where=given > 0)
    inside = np.clip(share, _FLOOR, 1 - _FLOOR)
    return np.log(inside), np.log(1 - inside)


def _shares(classes: FloatArray, even: bool) -> FloatArray:
    if even or classes.sum() <= 0:
        return np.full(classes.size, -np.log(max(classes.size, 1)))
    return np.asarray(np.log(np.maximum(classes / classes.sum(), _FLOOR)))
