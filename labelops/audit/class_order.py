"""Whether a model's columns are in the classes' order, as far as the labels themselves tell.

A matrix says nowhere which class each column is. In another order, such as that of first
appearance, it contradicts nearly every label of some classes, and surely.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from scipy.optimize import linear_sum_assignment

from labelops.errors import UsageError, counted, percent, shown
from labelops.measure.codes import FloatArray, IntArray

__all__ = ["check_class_order"]

_MOST, _LEAST = 0.1, 0.4  # Labels repeated as the columns stand, and as they would in another order
_EACH, _ALL = 10, 40  # Labels of the classes that would move: a class, and together.
_SHOWN = 12


def check_class_order(
    probs: Mapping[str, FloatArray], codes: IntArray, classes: Sequence[str] | None = None
) -> None:
    """Refuse probabilities whose columns seem to be the classes in another order.

    Only where hardly a label of the classes in question is repeated as the columns stand, and
    most by moving them. Wrong labels do not do that, unless somebody renamed whole classes: then
    labels and columns are called differently as well.

    Parameters
    ----------
    probs : mapping of str to (N, K) float
    codes : (N,) int
        Labels; -1 is missing.
    classes : sequence of str, optional
        Names to say instead of codes.

    Raises
    ------
    UsageError
        With the order that would fit.

    Examples
    --------
    >>> codes = np.tile([0, 1], 30)
    >>> check_class_order({"mine": np.eye(2)[codes]}, codes)
    >>> check_class_order({"mine": np.eye(2)[1 - codes]}, codes, ("cat", "dog"))
    Traceback (most recent call last):
    labelops.errors.UsageError: probs 'mine' repeat 0 % of 60 labels of the classes 'cat', 'dog', \
and 100 % if the columns were 'dog', 'cat': put them in the classes' order, or list the classes in \
theirs
    """
    known = np.flatnonzero(codes >= 0)
    for name, array in probs.items():
        K = array.shape[1]
        said = array[known].argmax(axis=1)
        counts = np.bincount(codes[known] * K + said, minlength=K * K).reshape(K, K)
        fit = _better_order(counts)
        if fit is None:
            continue
        moved = np.flatnonzero(fit != np.arange(K))
        total = int(counts[moved].sum())
        shares = [counts[moved, to].sum() / total for to in (moved, fit[moved])]
        names = classes if classes is not None else [str(code) for code in range(K)]
        # Column `fit[c]` holds class c.
        order = np.argsort(fit)
        raise UsageError(
            f"probs {name!r} repeat {percent(shares[0])} of {counted(total, 'label')} of the "
            f"classes {_listed(names, moved)}, and {percent(shares[1])} if the columns were "
            f"{_listed(names, order)}: put them in the classes' order, or list the classes in "
            "theirs"
        )


def _better_order(counts: IntArray) -> IntArray | None:
    """Return which column each class would have, where that is beyond doubt; else None."""
    if (counts.argmax(axis=1) == np.arange(len(counts))).all():
        return None
    fit = np.asarray(linear_sum_assignment(-counts)[1], dtype=np.int64)
    labels = counts.sum(axis=1)
    # A class that nobody has, or hardly, goes wherever a column is left over.
    moved = np.flatnonzero((fit != np.arange(len(fit))) & (labels > 0))
    total = int(labels[moved].sum())
    if total < max(_ALL, _EACH * len(moved)):
        return None
    own, other = counts[moved, moved].sum(), counts[moved, fit[moved]].sum()
    return fit if own <= _MOST * total and other >= _LEAST * total else None


def _listed(names: Sequence[str], places: IntArray) -> str:
    more = f", … ({len(places)})" if len(places) > _SHOWN else ""
    return ", ".join(shown(names[place]) for place in places[:_SHOWN]) + more
