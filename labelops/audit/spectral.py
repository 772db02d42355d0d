"""Spectral signatures: poisoned items of a class share a direction that its others lack."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from labelops.audit.classes import along_main_directions, dense_rows, rows_by_class
from labelops.measure.codes import FloatArray
from labelops.measure.given import check_whole

__all__ = ["spectral_signatures"]


def spectral_signatures(features: Any, codes: ArrayLike, *, directions: int = 1) -> FloatArray:
    """Score items by their part in the directions their class varies most in.

    Parameters
    ----------
    features : (N, D) array
        Finite numbers.
    codes : (N,) array-like of int
        Labels; -1 is missing and not scored.
    directions : int
        Main directions of each class that count; the paper takes 1.

    Returns
    -------
    (N,) float
        Length of the centred features' projection, in units of the class's median; high = bad.
        NaN without a label; 1 where all of a class lie as far.

    Raises
    ------
    UsageError
        Shapes differ or a feature is not finite.

    References
    ----------
    Tran, Li, Madry 2018, https://doi.org/10.48550/arXiv.1811.00636

    Examples
    --------
    >>> points = [[0, 0.1], [0, -0.1], [0.1, 0], [-0.1, 0], [3, 0]]
    >>> int(spectral_signatures(points, [0] * 5).argmax())
    4
    """
    points, labels = dense_rows(features, codes)
    check_whole("directions", directions)
    scores = np.full(len(labels), np.nan)
    for rows in rows_by_class(labels):
        far = np.linalg.norm(along_main_directions(points, rows, directions), axis=1)
        usual = float(np.median(far))
        scores[rows] = far / usual if usual > 0 else 1.0
    return scores
