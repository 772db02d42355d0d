"""What a labeler should learn from next: what it is unsure of, and not the same thing twice."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from ..errors import UsageError

__all__ = ["CANDIDATES", "diverse_choice", "until_learned_anew"]

CANDIDATES = 1.5
"""From how many of the least certain items, for each one wanted, the choice is made. From all of
them the far-off and nearly certain ones win, which taught a model less than uncertainty alone."""


def diverse_choice(
    uncertainty: npt.ArrayLike,
    features: npt.ArrayLike,
    size: int,
    known: npt.ArrayLike | None = None,
) -> npt.NDArray[np.int64]:
    """Choose unsure items that differ from one another and from what is known, greedily.

    Each choice is the item with the largest uncertainty times squared distance to the nearest item
    known or chosen before: the same input gives the same choice.

    Parameters
    ----------
    uncertainty : (N,) float array, 0 or more
        Of the candidates.
    features : (N, D) float array
        Not learned from labels; only directions count.
    size : int
        At most so many.
    known : (M, D) float array, optional
        Features of the items learned from already.

    Returns
    -------
    (n,) int array of row numbers, in the order of choice.

    Raises
    ------
    UsageError
        If the shapes do not fit, or a number is not finite.

    References
    ----------
    Gonzalez 1985, https://doi.org/10.1016/0304-3975(85)90224-5 (farthest first; weighted here)

    Examples
    --------
    >>> twins = [[1.0, 0.0], [1.0, 0.0], [0.0, 1.0]]
    >>> diverse_choice([0.9, 0.8, 0.5], twins, 2).tolist()
    [0, 2]
    """
    unsure, points = np.asarray(uncertainty, dtype=np.float64), _directions(features)
    if unsure.shape != points.shape[:1] or not (np.isfinite(unsure) & (unsure >= 0)).all():
        raise UsageError(
            f"diverse_choice: {len(points)} items need as many finite uncertainties, 0 or more"
        )
    far = np.full(len(points), 2.0)
    before = points[:0] if known is None else _directions(known)
    if before.shape[1] != points.shape[1]:
        raise UsageError(
            f"diverse_choice: known have {before.shape[1]} features, candidates {points.shape[1]}"
        )
    for point in before:
        far = np.minimum(far, _distance(points, point))
    chosen: list[int] = []
    open_ = np.ones(len(points), dtype=bool)
    for _ in range(min(size, len(points))):
        # What lies on a known point is worth its uncertainty still, after all that does not.
        worth = unsure * (far + 1e-9)
        best = int(np.where(open_, worth, -1.0).argmax())
        chosen.append(best)
        open_[best] = False
        far = np.minimum(far, _distance(points, points[best]))
    return np.array(chosen, dtype=np.int64)


def _directions(features: npt.ArrayLike) -> npt.NDArray[np.float64]:
    points = np.asarray(features, dtype=np.float64)
    if points.ndim != 2 or not np.isfinite(points).all():
        raise UsageError(f"features: shape {points.shape}, expected (N, D) of finite numbers")
    # In units of each row's largest number, whose square is then neither too large nor lost.
    points = points / np.maximum(np.abs(points).max(axis=1, initial=0.0, keepdims=True), 1e-300)
    length = np.linalg.norm(points, axis=1, keepdims=True)
    return np.asarray(points / np.maximum(length, 1e-12))


def _distance(
    points: npt.NDArray[np.float64], point: npt.NDArray[np.float64]
) -> npt.NDArray[np.float64]:
    return np.asarray(((points - point) ** 2).sum(axis=1))


def until_learned_anew(fitted: int, usable: int, coming: int, growth: float) -> int:
    """Count the items to begin with now, so that people go on until the labeler learns anew.

    What the next version is sure of then needs no answer. Where the labels have grown already, and
    no version came of it, as many as they would have to grow again: asking never stops for that.

    Parameters
    ----------
    fitted : int
        Labels that the version in force has learned from.
    usable : int
        Those that the next one could learn from.
    coming : int
        Items that were asked about and may still become usable.
    growth : float > 1

    Examples
    --------
    >>> until_learned_anew(100, 110, 5, 1.25), until_learned_anew(100, 125, 0, 1.25)
    (10, 32)
    """
    target = math.ceil(growth * fitted)
    if usable >= target:
        target = math.ceil(growth * usable)
    return max(target - usable - coming, 0)
