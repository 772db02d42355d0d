"""The design of an audit: whether it draws labels evenly or by doubt, said before anybody looks.

Evenly drawn looks count again for later candidates, and certify in the fewest looks where few
labels are wrong. Where many are expected to be wrong, labels are drawn by their doubt: errors
are met sooner, and each counts for less.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from ..errors import percent
from ..measure.weighted import audit_chances
from .policy import UNIFORM, WEIGHTED, GatePolicy

__all__ = ["choose_audit", "tried_doubt"]

_NEAR = 0.75
"""From which part of the bound on the errors expected are near it."""

_OF_MODEL = 1 / 3
"""Share of what a model's posteriors doubt that is wrong, where no random look has tried them. It
was a third on development sets: consensus leaves every label of a model some doubt."""

_TELLING = 0.8
"""Draws by doubt must vary at most so much as even ones do, or they cost more than they save."""


def choose_audit(
    doubt: npt.ArrayLike,
    policy: GatePolicy,
    *,
    carried: bool = False,
    untried: npt.ArrayLike = False,
) -> tuple[str, str]:
    """Say how the audit of a candidate is to draw its labels, and why, before anybody looked.

    Parameters
    ----------
    doubt : (N,) float array in [0, 1]
        One less each label's posterior: their mean is the share expected to be wrong.
    policy : GatePolicy
    carried : bool
        Whether looks at earlier candidates count on in the common, uniform order.
    untried : (N,) bool array
        A model's labels that stand by its posterior, at which nobody has looked.

    Examples
    --------
    >>> choose_audit([0.0] * 95 + [0.4] * 5, GatePolicy(error=0.02))
    ('weighted', '2 % are expected to be wrong, above three quarters of the bound')
    >>> choose_audit([0.01] * 100, GatePolicy(error=0.02))[0]
    'uniform'
    """
    if policy.audit != "auto":
        return policy.audit, f"[gate] audit is {policy.audit}"
    if carried:
        return UNIFORM, "looks at earlier candidates count on in its order"
    worth = np.asarray(doubt, dtype=np.float64)
    part = np.where(np.asarray(untried, dtype=bool), _OF_MODEL, 1.0)
    expected = float((worth * part).mean()) if worth.size else 0.0
    said = f"{percent(expected)} are expected to be wrong"
    if expected <= _NEAR * policy.error:
        return UNIFORM, f"{said}, no more than three quarters of the bound"
    chances = audit_chances(worth)
    spread = float((worth / chances).mean()) / (float(worth.mean()) * worth.size)
    if spread > _TELLING:
        return UNIFORM, f"{said}, but the doubts are too alike to tell where"
    return WEIGHTED, f"{said}, above three quarters of the bound"


def tried_doubt(
    doubt: npt.ArrayLike, tried: npt.ArrayLike, wrong: int, looks: int
) -> npt.NDArray[np.float64]:
    """Scale doubts down to what random looks at labels of their kind have shown; never up.

    A model that is sure of too little would let an audit expect errors that are not there.

    Parameters
    ----------
    doubt : (N,) float array in [0, 1]
    tried : (N,) bool array
        The labels of the kind that was looked at.
    wrong, looks : int
        Errors found in random looks at this kind, before any audit of these labels.

    Examples
    --------
    >>> tried_doubt([0.3, 0.1, 0.5], [True, True, False], wrong=1, looks=98).round(3).tolist()
    [0.03, 0.01, 0.5]
    """
    found = np.array(doubt, dtype=np.float64)
    some = np.asarray(tried, dtype=bool)
    mean = float(found[some].mean()) if some.any() else 0.0
    # One more error than was seen, in two more looks (Laplace): few looks calm little.
    shown = (wrong + 1) / (looks + 2)
    if looks and mean > shown:
        found[some] *= shown / mean
    return found
