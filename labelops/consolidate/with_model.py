"""Votes and a model's out-of-fold probabilities together: EM with the model as prior on the truth.

Where most items have a single vote, votes alone cannot tell a careless annotator from a
careful one. A model that never saw the item's own votes is an independent opinion, and
enough of it: the posterior of an item is its model probabilities times each annotator's
likelihood, and each annotator's accuracy is what those posteriors say of their votes.

References
----------
Raykar, Yu, Zhao, Valadez, Florin, Bogoni, Moy (2010), "Learning from crowds", Journal of
Machine Learning Research 11, https://www.jmlr.org/papers/v11/raykar10a.html. Here with the
classifier fitted beforehand, out of fold, and one accuracy an annotator, shrunk to the crowd's.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

__all__ = ["WithModel", "consolidate_with_model"]

_FLOOR = 0.02
"""Share of the model's belief spread over all classes: no model is sure beyond any vote."""

_CROWD = 0.8
"""How often people are right before there are votes to tell."""


@dataclass(frozen=True, slots=True)
class WithModel:
    """Posterior and annotator accuracies.

    Parameters
    ----------
    posterior : (N, K) float array
        P(class | model, votes), rows sum to 1, as if people had not seen what the model
        proposes. It decides whom to ask again; what is guaranteed of labels rests on audits.
    accuracy : (A,) float array
        Estimated accuracy of each annotator.
    iterations : int
        EM iterations done.
    """

    posterior: npt.NDArray[np.float64]
    accuracy: npt.NDArray[np.float64]
    iterations: int


def consolidate_with_model(
    items: npt.ArrayLike,
    annotators: npt.ArrayLike,
    votes: npt.ArrayLike,
    probs: npt.ArrayLike,
    n_annotators: int,
    *,
    prior_votes: float = 10.0,
    max_iterations: int = 100,
    tolerance: float = 1e-6,
) -> WithModel:
    """Estimate the truth of N items from V votes and the model's (N, K) probabilities.

    Parameters
    ----------
    items, annotators, votes : (V,) int arrays
        Item code, annotator code and class code of each vote.
    probs : (N, K) float array
        Out-of-fold probabilities; a row of NaN (no proposal) counts as uniform.
    n_annotators : int
        A.
    prior_votes : float
        How many votes the crowd's mean accuracy counts for in each annotator's estimate, and an
        ordinary crowd's in that mean.
    max_iterations, tolerance
        EM stops when no posterior moves by more than `tolerance`.

    Examples
    --------
    Two people contradict the model on item 0, one agrees with it on item 1.

    >>> r = consolidate_with_model([0, 0, 1], [0, 1, 0], [1, 1, 0], [[0.7, 0.3], [0.9, 0.1]], 2)
    >>> r.posterior.argmax(axis=1).tolist()
    [1, 0]
    """
    i, a, v = (np.asarray(x, dtype=np.int64) for x in (items, annotators, votes))
    log_prior = _log_prior(np.asarray(probs, dtype=np.float64))
    classes = log_prior.shape[1]
    accuracy: npt.NDArray[np.float64] = np.full(n_annotators, _CROWD)
    posterior = _e_step(log_prior, i, a, v, accuracy, classes)
    for done in range(1, max_iterations + 1):
        accuracy = _m_step(posterior, i, a, v, n_annotators, prior_votes)
        previous, posterior = posterior, _e_step(log_prior, i, a, v, accuracy, classes)
        if np.abs(posterior - previous).max(initial=0.0) <= tolerance:
            return WithModel(posterior, accuracy, done)
    return WithModel(posterior, accuracy, max_iterations)


def _log_prior(probs: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    classes = probs.shape[1]
    known = np.where(np.isnan(probs), 1.0 / classes, probs)
    floored: npt.NDArray[np.float64] = np.log((1.0 - _FLOOR) * known + _FLOOR / classes)
    return floored


def _e_step(
    log_prior: npt.NDArray[np.float64],
    items: npt.NDArray[np.int64],
    annotators: npt.NDArray[np.int64],
    votes: npt.NDArray[np.int64],
    accuracy: npt.NDArray[np.float64],
    classes: int,
) -> npt.NDArray[np.float64]:
    # With one accuracy an annotator, a vote raises its own class by log(acc / wrong) and
    # leaves the others: one bincount over votes, never items × annotators × classes.
    sure = np.clip(accuracy, 1e-6, 1 - 1e-6)
    weight = np.log(sure) - np.log((1.0 - sure) / max(classes - 1, 1))
    gain = np.bincount(
        items * classes + votes, weights=weight[annotators], minlength=log_prior.size
    )
    logits = log_prior + gain.reshape(log_prior.shape)
    logits -= logits.max(axis=1, keepdims=True, initial=-np.inf)
    weights = np.exp(logits)
    posterior: npt.NDArray[np.float64] = weights / weights.sum(axis=1, keepdims=True)
    return posterior


def _m_step(
    posterior: npt.NDArray[np.float64],
    items: npt.NDArray[np.int64],
    annotators: npt.NDArray[np.int64],
    votes: npt.NDArray[np.int64],
    n_annotators: int,
    prior_votes: float,
) -> npt.NDArray[np.float64]:
    right = posterior[items, votes]
    # A few votes against the model do not make the whole crowd adversaries.
    crowd = (right.sum() + prior_votes * _CROWD) / (len(right) + prior_votes)
    hits = np.bincount(annotators, weights=right, minlength=n_annotators)
    given = np.bincount(annotators, minlength=n_annotators)
    accuracy: npt.NDArray[np.float64] = (hits + prior_votes * crowd) / (given + prior_votes)
    return accuracy
