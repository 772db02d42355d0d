"""One class at a time: its rows, and where its items lie along its main directions."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import sparse

from labelops.errors import UsageError
from labelops.measure.codes import FloatArray, IntArray, check_codes, code_count

__all__ = ["along_main_directions", "dense_rows", "rows_by_class"]

_BLOCK = 65_536


def dense_rows(features: Any, codes: ArrayLike) -> tuple[NDArray[np.float32], IntArray]:
    """Return features as a float32 table, and their codes, after checking both.

    Raises
    ------
    UsageError
        Shapes differ, or a feature is not finite.

    Examples
    --------
    >>> dense_rows([[1, 2]], [0])[0].shape
    (1, 2)
    """
    labels = check_codes(codes, code_count(codes))
    dense = features.toarray() if sparse.issparse(features) else features
    expected = "features: expected a rectangular table of real numbers"
    try:
        if np.iscomplexobj(dense):  # numpy would drop the imaginary part.
            raise UsageError(expected)
        with np.errstate(over="ignore"):  # Becomes infinite, which is refused below.
            points = np.ascontiguousarray(dense, dtype=np.float32)
    except (TypeError, ValueError) as error:
        raise UsageError(expected) from error
    if points.ndim != 2 or not np.isfinite(points).all():
        raise UsageError(f"features: expected finite numbers of shape (N, D), found {points.shape}")
    if len(points) != len(labels):
        raise UsageError(f"found {len(points)} rows of features for {len(labels)} codes")
    return points, labels


def rows_by_class(labels: IntArray) -> list[IntArray]:
    """Return the rows of each class that occurs, by class; rows without a label are in none.

    Examples
    --------
    >>> [rows.tolist() for rows in rows_by_class(np.array([1, -1, 0, 1]))]
    [[2], [0, 3]]
    """
    order = np.argsort(labels, kind="stable")
    ends = np.flatnonzero(np.diff(labels[order])) + 1
    return [rows for rows in np.split(order, ends) if rows.size and labels[rows[0]] >= 0]


def along_main_directions(
    points: NDArray[np.float32], rows: IntArray, directions: int
) -> FloatArray:
    """Project some rows, centred, on the directions in which they vary most.

    Parameters
    ----------
    points : (N, D) float32
    rows : (n,) int
        The rows that take part.
    directions : int
        At most so many.

    Returns
    -------
    (n, min(directions, D)) float, widest direction first. Memory is that of a block and D².

    Examples
    --------
    >>> points = np.array([[0, 0], [0, 2], [9, 9]], dtype=np.float32)
    >>> abs(along_main_directions(points, np.array([0, 1]), 1)).ravel().tolist()
    [1.0, 1.0]
    """
    middle = points[rows].mean(axis=0, dtype=np.float64)
    blocks = [rows[start : start + _BLOCK] for start in range(0, len(rows), _BLOCK)]
    spread = np.zeros((points.shape[1], points.shape[1]))
    for block in blocks:
        part = points[block] - middle
        spread += part.T @ part
    main = np.linalg.eigh(spread)[1][:, ::-1][:, :directions]
    return np.concatenate([(points[block] - middle) @ main for block in blocks])
