"""How many blind votes confirm a label: one, unless people often make the mistake it holds."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from ..measure.codes import FloatArray
from ..measure.confusion import confusion_rates
from .policy import GatePolicy

__all__ = ["chance_agreement", "choose_confirm", "may_tie"]

_OFTEN = 0.15
"""Chance agreement from which one vote is not enough: so many wrong labels slip through."""
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
    right = (np.trace(counts) + 1.0) / (counts.sum() + 1.0 + 1.0 / (n_classes - 1))
    elsewhere = (1.0 - right) / (n_classes - 1)
    expected = np.full_like(counts, elsewhere)
    np.fill_diagonal(expected, right)
    rates = confusion_rates(counts + _PRIOR * expected)
    labeled = np.flatnonzero(given >= 0)
    doubt = belief[labeled].copy()
    doubt[np.arange(labeled.size), given[labeled]] = 0.0
    hits = float((doubt * rates[:, given[labeled]].T).sum())
    # One wrong label of any kind beside those that are suspected: there may be none.
    return float((hits + elsewhere) / (float(doubt.sum()) + 1.0))


def choose_confirm(chance: float, policy: GatePolicy) -> int:
    """Say how many votes a label must lead by to be confirmed, before anybody looked.

    Parameters
    ----------
    chance : float
        From `chance_agreement`.
    policy : GatePolicy

    Examples
    --------
    >>> choose_confirm(0.02, GatePolicy()), choose_confirm(0.2, GatePolicy())
    (1, 2)
    >>> choose_confirm(0.2, GatePolicy(confirm=1))
    1
    """
    if policy.confirm:
        return policy.confirm
    return 2 if chance > _OFTEN else 1


def may_tie(chance: float, policy: GatePolicy) -> bool:
    """Say whether a label stands where two people are left to look and only one of them names it.

    It does where one vote confirms, and even two chances to name a wrong label's class are no more
    than what one vote may have.

    Examples
    --------
    >>> [may_tie(chance, GatePolicy()) for chance in (0.02, 0.1)]
    [True, False]
    >>> may_tie(0.02, GatePolicy(confirm=2))
    False
    """
    return choose_confirm(chance, policy) == 1 and 1 - (1 - chance) ** 2 <= _OFTEN
