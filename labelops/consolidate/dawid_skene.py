"""Dawid–Skene: each annotator's own confusion matrix and each item's class, by EM."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy import sparse

from labelops.errors import UsageError
from labelops.measure.codes import BoolArray, FloatArray, check_codes, check_probs

from .majority import majority_vote, vote_counts

__all__ = ["DawidSkene", "dawid_skene"]


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


def dawid_skene(
    items: ArrayLike,
    annotators: ArrayLike,
    codes: ArrayLike,
    *,
    n_items: int,
    n_annotators: int,
    n_classes: int,
    weights: ArrayLike | None = None,
    start: ArrayLike | None = None,
    prior: float = 0.01,
    max_iterations: int = 300,
    tolerance: float = 1e-6,
) -> DawidSkene:
    """Estimate every item's class and every annotator's confusion from their votes.

    Deterministic; time and memory are linear in votes and items. The order of the votes does not
    matter.

    Parameters
    ----------
    items, annotators, codes : (V,) array-like of int
        Item, annotator and class of each vote; class -1 (missing) is no vote.
    n_items, n_annotators, n_classes : int
        N, A and K.
    weights : (V,) array-like of float, optional
        What each vote counts; 0 leaves it out.
    start : (N, K) array-like of float, optional
        Posterior to begin with (a warm start); shares of votes when left out.
    prior : float
        Dirichlet prior added to every cell of every confusion matrix and to every class.
    max_iterations : int
        Most EM steps.
    tolerance : float
        Stop when no posterior moves further than this.

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
    item = check_codes(items, n_items, missing=False)
    annotator = check_codes(annotators, n_annotators, missing=False)
    code = check_codes(codes, n_classes)
    weight = np.ones(code.size) if weights is None else np.asarray(weights, dtype=np.float64)
    if not item.size == annotator.size == code.size == weight.size:
        raise UsageError("Dawid–Skene: items, annotators, codes and weights differ in length")
    if not prior > 0:
        raise UsageError(f"Dawid–Skene: prior is {prior}, expected a number above 0")
    there = (code >= 0) & (weight > 0)
    votes = sparse.csr_matrix(
        (weight[there], (annotator[there] * n_classes + code[there], item[there])),
        shape=(n_annotators * n_classes, n_items),
    )
    if start is None:
        posterior = majority_vote(vote_counts(item, code, n_items, n_classes, weight))
    else:
        posterior = check_probs(start, n_classes)
    return _expectation_maximisation(votes, posterior, prior, max_iterations, tolerance)


def _expectation_maximisation(
    votes: sparse.csr_matrix,
    posterior: FloatArray,
    prior: float,
    max_iterations: int,
    tolerance: float,
) -> DawidSkene:
    """Alternate the two steps until the posterior stands still."""
    by_item = votes.T.tocsr()
    voted = np.diff(by_item.indptr) > 0
    log_confusion, log_prior = _m_step(votes, posterior, voted, prior)
    iterations, converged = 0, False
    while iterations < max_iterations and not converged:
        updated = _e_step(by_item, log_confusion, log_prior)
        # Items without a vote follow the class prior and carry no information of their own.
        moved = np.abs(updated - posterior)[voted].max(initial=0.0)
        posterior, iterations, converged = updated, iterations + 1, bool(moved <= tolerance)
        log_confusion, log_prior = _m_step(votes, posterior, voted, prior)
    n_classes = posterior.shape[1]
    confusion = np.exp(log_confusion).reshape(-1, n_classes, n_classes).transpose(0, 2, 1)
    return DawidSkene(
        posterior, np.ascontiguousarray(confusion), np.exp(log_prior), iterations, converged
    )


def _m_step(
    votes: sparse.csr_matrix, posterior: FloatArray, voted: BoolArray, prior: float
) -> tuple[FloatArray, FloatArray]:
    """Give log P(given | true) as (annotator, given) by true class, and the log class prior."""
    n_classes = posterior.shape[1]
    counts = np.asarray(votes @ posterior).reshape(-1, n_classes, n_classes) + prior
    rates = np.log(counts) - np.log(counts.sum(axis=1, keepdims=True))
    shares = posterior[voted].sum(axis=0) + prior
    return rates.reshape(-1, n_classes), np.log(shares / shares.sum())


def _e_step(
    by_item: sparse.csr_matrix, log_confusion: FloatArray, log_prior: FloatArray
) -> FloatArray:
    """Give each item's posterior from its votes and their annotators' confusion."""
    joint: FloatArray = np.asarray(by_item @ log_confusion) + log_prior
    joint -= joint.max(axis=1, keepdims=True)
    odds = np.exp(joint, out=joint)
    odds /= odds.sum(axis=1, keepdims=True)
    return odds
