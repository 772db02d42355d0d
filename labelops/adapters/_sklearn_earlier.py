"""What labels from before say beside the model of each fold."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt
import pandas as pd

from ..autolabel.earlier import Earlier, fit_weights
from ..autolabel.earlier_cells import EarlierCells
from ._sklearn_model import Learner

__all__ = ["WHOLE", "learn_earlier"]

WHOLE = -1
"""Stands for the fold of what no fold held out."""

_Codes = npt.NDArray[np.int64]
_Floats = npt.NDArray[np.float64]


def learn_earlier(cells: EarlierCells, items: pd.DataFrame, learner: Learner) -> dict[int, Earlier]:
    """Return what columns say beside the model of each fold, and under `WHOLE` of all rows.

    Nothing of a fold's own rows is in what it gets: its weights are fitted on the two folds next
    to it, judged by models that saw neither them nor it.

    Parameters
    ----------
    cells : EarlierCells
    items : (N,) items frame
        What is learned from.
    learner : Learner
        Of the same rows.
    """
    read, codes, folds = cells.of(items), learner.codes, learner.folds
    K, evenly = cells.n_classes, np.ones(1 + len(cells.names))

    def without(out: tuple[int, ...]) -> Earlier:
        rest = ~np.isin(folds, out)
        return Earlier.learned(read[rest], codes[rest], cells.sizes, K, evenly)

    def weights(asked: Sequence[tuple[tuple[int, ...], int]]) -> _Floats:
        said, told = [], []
        for out, fold in asked:
            rows = np.flatnonzero(folds == fold)
            probs = learner.opinion(out, rows, K)
            if probs is not None:
                said.append(without(out).logs(probs, read[rows]))
                told.append(codes[rows])
        return fit_weights(np.concatenate(said, axis=1), np.concatenate(told)) if said else evenly

    names = np.unique(folds).tolist()
    found = {WHOLE: replace(without(()), weights=weights([((fold,), fold) for fold in names]))}
    for place, fold in enumerate(names):
        beside = {names[place - 1], names[(place + 1) % len(names)]} - {fold}
        asked = [(tuple(sorted((fold, other))), other) for other in sorted(beside)]
        found[fold] = replace(without((fold,)), weights=weights(asked))
    return found
