"""Folds by which a labeler never judges what it learned from."""

from __future__ import annotations

import warnings
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from sklearn.model_selection import GroupKFold, StratifiedGroupKFold, StratifiedKFold

__all__ = ["assign_folds"]

_Codes = npt.NDArray[np.int64]


def assign_folds(codes: _Codes, groups: Sequence[str], folds: int, seed: int) -> _Codes:
    """Deal rows to folds: a group stays in one fold, classes are spread evenly.

    There are fewer folds when there are fewer groups or when no class has that many rows.

    Parameters
    ----------
    codes : (N,) class codes
    groups : (N,) leakage groups
    folds : int
        At most this many folds.
    seed : int
        Fixes the deal.

    Returns
    -------
    (N,) int64 array of folds from 0; all 0 when there is nothing to hold out against.

    Examples
    --------
    >>> f = assign_folds(np.array([0, 1, 0, 1]), ["a", "a", "b", "c"], 2, seed=0)
    >>> bool(f[0] == f[1]), len(set(f.tolist()))
    (True, 2)
    """
    result = np.zeros(len(codes), dtype=np.int64)
    names = np.asarray(groups, dtype=object).astype(str)
    count = min(folds, len(set(names)))
    if count < 2:
        return result
    largest = int(np.bincount(codes).max())
    together: npt.NDArray[np.str_] | None = names
    if largest < 2:
        splitter = GroupKFold(count)
    elif len(set(names)) == len(names):
        # The same deal without groups to keep together, in a hundredth of the time.
        splitter = StratifiedKFold(min(count, largest), shuffle=True, random_state=seed)
        together = None
    else:
        splitter = StratifiedGroupKFold(min(count, largest), shuffle=True, random_state=seed)
    with warnings.catch_warnings():
        # A class with fewer rows than folds is expected while labels are few.
        warnings.filterwarnings("ignore", "The least populated class", UserWarning)
        for fold, (_, held_out) in enumerate(splitter.split(codes[:, None], codes, together)):
            result[held_out] = fold
    return result
