"""How a probability of being wrong is put into words, and who says so."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from ..measure.codes import FloatArray

__all__ = [
    "APART",
    "CALLS",
    "FEW",
    "LONE",
    "LOOK",
    "SUSPECTED",
    "UNLABELED",
    "UNREAD",
    "UNVOTED",
    "WRONG",
    "calls",
    "reasons",
]

WRONG, LOOK = 0.5, 0.2
"""From here a label is more probably wrong than right; from here one look in five finds one."""

CALLS = ("wrong", "look", "fine", "not judged")
"""What is said of a label: more probably wrong than right; worth a look, by its probability or
since copies of the row or the one vote on it say otherwise, a planted word or pattern stands in it,
or the model contradicts it that alone judges; neither; nothing could judge it."""

SUSPECTED = CALLS[:2]

UNLABELED, UNREAD = "no label", "nothing to read"
FEW, UNVOTED = "too few different rows of its class", "no vote"
LONE = "nothing but one vote, and no row has two"
APART = "in another fold than a copy or its group"
"""Why nothing judged a label."""

_SAID = {"neighbours": "the nearest rows", "votes": "the votes"}
_DOUBT = 0.5


def calls(probability: FloatArray, contradicted: npt.NDArray[np.bool_]) -> npt.NDArray[np.object_]:
    """Say of each label what its probability of being wrong comes to.

    Parameters
    ----------
    probability : (N,) float
        NaN where nothing could judge it.
    contradicted : (N,) bool
        Whether most copies of the row, or the model that alone judges, say another class.

    Examples
    --------
    >>> calls(np.array([0.9, 0.3, 0.1, 0.1, np.nan]), np.array([0, 0, 1, 0, 0], bool)).tolist()
    ['wrong', 'look', 'look', 'fine', 'not judged']
    """
    judged = np.nan_to_num(probability, nan=-1.0)
    said = [judged >= WRONG, (judged >= LOOK) | ((judged >= 0) & contradicted), judged >= 0]
    return np.asarray(np.select(said, CALLS[:3], CALLS[3]), dtype=object)


def reasons(scores: Mapping[str, FloatArray], models: frozenset[str]) -> npt.NDArray[np.object_]:
    """Name who gives each label less than even chances: models, neighbours, votes, your own.

    Parameters
    ----------
    scores : mapping of view to (N,) float
        As of `LabelErrorReport`, low = bad.
    models : set of str
        The views that are held-out models trained here; they count as one.

    Examples
    --------
    >>> reasons({"words": np.array([0.1]), "neighbours": np.array([0.2])}, frozenset(["words"]))[0]
    'models, the nearest rows'
    """
    rows = len(next(iter(scores.values()), ()))
    said: dict[str, npt.NDArray[np.bool_]] = {}
    for view, values in scores.items():
        name = "models" if view in models else _SAID.get(view, view)
        against = np.nan_to_num(values, nan=1.0) < _DOUBT
        said[name] = said.get(name, np.zeros(rows, dtype=np.bool_)) | against
    texts = [", ".join(name for name, against in said.items() if against[i]) for i in range(rows)]
    return np.array(texts, dtype=object)
