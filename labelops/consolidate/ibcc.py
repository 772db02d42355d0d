"""Independent Bayesian classifier combination: Dawid–Skene with a prior that trusts people."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import digamma

from labelops.measure.codes import FloatArray
from labelops.measure.given import check_number
from labelops.measure.votes import Votes, pack_votes

from ._confusions import pseudo_confusions
from ._em import SkillCounts
from ._family import DawidSkene, Skills, Start, check_shards, fit_votes
from .shares import expected_shares

__all__ = ["ibcc", "ibcc_shards"]


def ibcc(
    items: ArrayLike,
    annotators: ArrayLike,
    codes: ArrayLike,
    n_items: int | None = None,
    n_classes: int | None = None,
    *,
    n_annotators: int | None = None,
    weights: ArrayLike | None = None,
    start: Start = None,
    right: float = 4.0,
    wrong: float = 1.0,
    anchor: float = 0.5,
    max_iterations: int = 100,
    tolerance: float = 1e-3,
) -> DawidSkene:
    """Estimate every item's class by variational Bayes with a confusion matrix an annotator.

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
    right, wrong : float
        Dirichlet prior of each annotator's right and each wrong cell.
    anchor : float
        How much the class shares to be expected (`expected_shares`) count for beside the items; 0
        for the paper's.
    max_iterations, tolerance
        Most steps; stop when no posterior moves further than this.

    Raises
    ------
    UsageError
        Arrays differ in length, codes are out of range, or a prior is not positive.

    References
    ----------
    Kim, Ghahramani 2012, http://proceedings.mlr.press/v22/kim12.html; the variational form:
    Simpson, Roberts, Psorakis, Smith 2013, https://doi.org/10.1007/978-3-642-36406-8_1

    Examples
    --------
    >>> found = ibcc([0, 0, 1, 1], [0, 1, 0, 1], [0, 0, 1, 1], n_items=2, n_annotators=2,
    ...              n_classes=2)
    >>> found.posterior.argmax(axis=1).tolist()
    [0, 1]
    """
    votes = pack_votes(
        items, annotators, codes, n_items=n_items, n_annotators=n_annotators,
        n_classes=n_classes, weights=weights,
    )  # fmt: skip
    return ibcc_shards(
        [votes], start=start, right=right, wrong=wrong, anchor=anchor,
        max_iterations=max_iterations, tolerance=tolerance,
    )  # fmt: skip


def ibcc_shards(
    shards: Sequence[Votes],
    *,
    start: Start = None,
    right: float = 4.0,
    wrong: float = 1.0,
    anchor: float = 0.5,
    max_iterations: int = 100,
    tolerance: float = 1e-3,
) -> DawidSkene:
    """Do what `ibcc` does for packed votes, whose items may lie in several shards.

    Only each shard's counts, K for each answer given, would have to travel between machines; see
    `dawid_skene_shards`.

    Examples
    --------
    >>> size = {"n_items": 2, "n_annotators": 2, "n_classes": 2}
    >>> days = [pack_votes([0, 0, 1, 1], [0, 1, 0, 1], given, **size)
    ...         for given in ([0, 0, 1, 1], [1, 1, 0, 1])]
    >>> ibcc_shards(days).posterior.shape
    (4, 2)
    """
    check_number("IBCC: right", right, above=True)
    check_number("IBCC: wrong", wrong, above=True)
    check_number("IBCC: anchor", anchor)
    check_shards(shards)
    maximise = partial(
        _maximise, right=right, wrong=wrong, anchor=anchor, shares=expected_shares(shards)
    )
    return fit_votes(
        shards, maximise, start=start, max_iterations=max_iterations, tolerance=tolerance
    )


def _maximise(
    counts: SkillCounts, *, right: float, wrong: float, anchor: float, shares: FloatArray
) -> Skills:
    answers, n_classes = counts.answers, counts.classes.size
    place = np.arange(answers.code.size)
    log_rates = counts.cells + wrong
    log_rates[place, answers.code] = counts.cells[place, answers.code] + right
    total = digamma(counts.people + (right + (n_classes - 1) * wrong))
    for some in answers.blocks():
        digamma(log_rates[some], out=log_rates[some])
        log_rates[some] -= total[answers.person[some]]
    classes = counts.classes + 1 + anchor * counts.classes.sum() * shares
    return Skills(
        answers,
        log_rates,
        digamma(classes) - digamma(classes.sum()),
        partial(pseudo_confusions, counts, right, wrong, of=_expected_share),
    )


def _expected_share(votes: FloatArray, total: FloatArray) -> FloatArray:
    """Exponential of a share's expected logarithm."""
    return np.asarray(np.exp(digamma(votes) - digamma(total)))
