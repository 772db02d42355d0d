"""When an audit is better ended, the least certain labels looked at again, and a new one begun.

An even audit can mend a set that is too bad: every error it finds is corrected. But it finds them
one look in twenty or fifty, wherever they are. Where the errors it found so far are in labels that
were in doubt, looking at the doubtful ones finds most of the others at once. To end an audit early
certifies nothing and is valid at any look; what it costs is an attempt's share of the risk.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from ..measure.staircase import clean_looks_to_certify
from .certificate import Certificate
from .policy import UNIFORM

__all__ = ["better_again", "held_by"]

_LEFT = 0.75
"""Most errors that may be left after the doubtful labels, as a share of the bound: the new audit
would be long as well, were there more."""


def held_by(doubt: npt.ArrayLike, again: int, doubt_of_wrong: npt.ArrayLike) -> float:
    """Estimate which share of all errors the most doubtful labels hold.

    The labels that were looked at are a random sample, so the errors among them lie where the
    others do.

    Parameters
    ----------
    doubt : (M,) float array
        Of the labels that nobody has audited.
    again : int
        How many of these are to be looked at again, the most doubtful first.
    doubt_of_wrong : (k,) float array
        Of the labels that the audit found wrong, before it did, as it was told for the others:
        equal doubts must be equal numbers. NaN where it is not known; such a label is not held.

    Returns
    -------
    float in [0, 1]
        The share of the k that are as doubtful as those; of labels in equal doubt, as many as are
        among those. 0 where nothing was found.

    Examples
    --------
    >>> held_by([0.3, 0.2, 0.0, 0.0], 2, [0.5, 0.25, 0.2, 0.0])
    0.75
    >>> held_by([0.1] * 100, 20, [0.1, 0.1])
    0.2
    >>> held_by([0.3, 0.2, 0.0], 1, [0.5, float("nan")])
    0.5
    """
    open_, wrong = np.asarray(doubt, np.float64), np.asarray(doubt_of_wrong, np.float64)
    if not wrong.size or not open_.size or again < 1:
        return 0.0
    last = np.sort(open_)[::-1][min(again, open_.size) - 1]
    tied = open_ == last
    chosen = min(again, open_.size) - int((open_ > last).sum())
    held = (wrong > last).sum() + (wrong == last).sum() * chosen / tied.sum()
    return float(held / wrong.size)


def better_again(found: Certificate, again: int, held: float, next_risk: float) -> bool:
    """Say whether to end an audit, look at the least certain labels again, and audit anew.

    It is better where two things hold: what these labels hold of the errors leaves few enough; and
    even if no further error were found, to go on would take more looks than they and the clean
    looks of a new audit together. With more errors to come, to go on takes longer still.

    Parameters
    ----------
    found : Certificate
        What the audit has shown so far.
    again : int
        Labels to look at again.
    held : float
        Which share of the errors they hold (`held_by`).
    next_risk : float
        The next attempt's share of the risk.

    Examples
    --------
    >>> from labelops.gate.certificate import certify
    >>> found = certify(([False] * 25 + [True]) * 7, 0.02, 0.04, 1797, corrected=7)
    >>> better_again(found, 150, 0.8, 0.008), better_again(found, 150, 0.1, 0.008)
    (True, False)
    """
    if found.status != "inconclusive" or found.audit != UNIFORM or not found.errors or again < 1:
        return False
    if found.estimate * (1 - held) > _LEFT * found.bound:
        return False
    bound, size, missed = found.bound, found.size, found.missed
    fresh = clean_looks_to_certify(0, 0, bound, next_risk, size, missed=missed)
    return fresh is not None and (found.needed is None or found.needed > again + fresh)
