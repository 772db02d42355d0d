"""How often people err, and make one and the same mistake, estimated from their blind votes."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from ..measure.codes import FloatArray
from ..measure.confusion import confusion_rates

__all__ = ["chance_agreement", "same_mistake", "vote_errors"]

_PRIOR = 4.0
"""Votes for each class that say no more than how often people err at all."""


def chance_agreement(posterior: ArrayLike, codes: ArrayLike, confusion: ArrayLike) -> float:
    """Estimate how often somebody who looks blind at a wrong label names that same wrong class.

    As if people erred independently, given the class: where they err alike on the same items it
    is more often.

    Parameters
    ----------
    posterior : (N, K) float array
        Belief about each item's class.
    codes : (N,) int array
        The labels; -1 is none.
    confusion : (K, K) float array
        Counts of people's blind votes: true class (row), given class (column).

    Returns
    -------
    float
        In [0, 1].

    Examples
    --------
    Between two classes it is as often as people err at all, among many seldom.

    >>> two = np.array([[80.0, 20.0], [20.0, 80.0]])
    >>> round(chance_agreement([[0.9, 0.1]] * 50, [0] * 50, two), 2)
    0.2
    >>> ten = np.full((10, 10), 2.0) + np.diag([80.0] * 10)
    >>> round(chance_agreement([[0.91] + [0.01] * 9] * 50, [0] * 50, ten), 2)
    0.02
    """
    belief = np.asarray(posterior, dtype=np.float64)
    given = np.asarray(codes, dtype=np.int64)
    counts: FloatArray = np.asarray(confusion, dtype=np.float64)
    n_classes = counts.shape[0]
    if n_classes < 2:
        return 0.0
    wrong = vote_errors(counts)
    elsewhere = wrong / (n_classes - 1)
    expected = np.full_like(counts, elsewhere)
    np.fill_diagonal(expected, 1.0 - wrong)
    rates = confusion_rates(counts + _PRIOR * expected)
    labeled = np.flatnonzero(given >= 0)
    doubt = belief[labeled].copy()
    doubt[np.arange(labeled.size), given[labeled]] = 0.0
    hits = float((doubt * rates[:, given[labeled]].T).sum())
    # One wrong label of any kind beside those that are suspected: there may be none.
    return float((hits + elsewhere) / (float(doubt.sum()) + 1.0))


def vote_errors(confusion: ArrayLike) -> float:
    """Estimate how often people's blind votes are wrong, never 0.

    Parameters
    ----------
    confusion : (K, K) float array
        Counts of people's blind votes: true class (row), given class (column).

    Examples
    --------
    >>> round(vote_errors([[80.0, 20.0], [20.0, 80.0]]), 2)
    0.2
    """
    counts: FloatArray = np.asarray(confusion, dtype=np.float64)
    others = max(counts.shape[0] - 1, 1)
    return float(1.0 - (np.trace(counts) + 1.0) / (counts.sum() + 1.0 + 1.0 / others))


def same_mistake(confusion: ArrayLike) -> float:
    """Estimate how often somebody else makes a mistake that a person made, given its item's class.

    No mistake counts for itself: of two people's in a cell either tells of the other.

    Parameters
    ----------
    confusion : (K, K) float array
        Counts of people's blind votes: true class (row), given class (column).

    Examples
    --------
    >>> round(same_mistake([[81.0, 20.0], [20.0, 81.0]]), 2)
    0.19
    >>> round(same_mistake(np.full((10, 10), 2.0) + np.diag([80.0] * 10)), 2)
    0.01
    """
    counts: FloatArray = np.asarray(confusion, dtype=np.float64)
    rows = np.maximum(counts.sum(axis=1, keepdims=True) - 1.0, 1.0)
    off = counts * (1.0 - np.eye(len(counts)))
    again = float((off * np.maximum(off - 1.0, 0.0) / rows).sum())
    # One mistake of any kind beside those that were made: there may be none.
    elsewhere = vote_errors(counts) / max(len(counts) - 1, 1)
    return (again + elsewhere) / (float(off.sum()) + 1.0)
