"""What every rule of acceptance shares: a cut-off, and the checks of scores and outcomes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from labelops.errors import UsageError
from labelops.measure.codes import BoolArray, FloatArray, IntArray
from labelops.measure.given import check_share

__all__ = ["NONE_WRONG", "Acceptance", "accept", "at_or_above", "checked", "nothing"]

NONE_WRONG = "no sample, however large, shows that none of what is accepted is wrong"


@dataclass(frozen=True, slots=True)
class Acceptance:
    """A cut-off for scores and how it came about.

    Attributes
    ----------
    rule : str
        `joint` or `selective`.
    threshold : float or None
        Scores at or above it are accepted; None accepts nothing.
    accepted : int
        Items of the pool that are accepted.
    calibration : int
        Items of the calibration sample.
    errors : int
        Wrong proposals of the calibration sample among the accepted scores.
    critical : int
        The most wrong proposals the rule would have borne there; -1 when it bears none at all.
    error, risk : float
        What was asked for.
    reason : str
        One sentence on why the threshold is where it is.
    """

    rule: str
    threshold: float | None
    accepted: int
    calibration: int
    errors: int
    critical: int
    error: float
    risk: float
    reason: str

    def accepts(self, scores: ArrayLike) -> BoolArray:
        """Tell for each score `(N,)` whether it is accepted; a missing score (NaN) never is.

        Examples
        --------
        >>> rule = Acceptance("joint", 0.9, 1, 99, 0, 0, 0.1, 0.05, "")
        >>> rule.accepts([0.95, 0.2, float("nan")]).tolist()
        [True, False, False]
        """
        values = np.asarray(scores, dtype=np.float64)
        if self.threshold is None:
            return np.zeros(values.shape, dtype=np.bool_)
        return np.asarray(values >= self.threshold)


def at_or_above(scores: FloatArray, grid: FloatArray) -> IntArray:
    """Count the scores at or above each cut-off; missing scores are above none."""
    ranked = np.sort(scores[~np.isnan(scores)])
    return np.asarray(ranked.size - np.searchsorted(ranked, grid, side="left"), dtype=np.int64)


def checked(
    scores_pool: ArrayLike,
    scores_calibration: ArrayLike,
    errors_calibration: ArrayLike,
    error: float,
    risk: float,
) -> tuple[FloatArray, FloatArray, BoolArray]:
    """Check scores and outcomes and return them as arrays."""
    check_share("error", error)
    check_share("risk", risk, inside=True)
    pool = np.asarray(scores_pool, dtype=np.float64)
    sample = np.asarray(scores_calibration, dtype=np.float64)
    outcome = np.asarray(errors_calibration, dtype=np.float64)
    if pool.ndim != 1 or sample.ndim != 1 or sample.shape != outcome.shape:
        raise UsageError(
            f"acceptance: pool {pool.shape}, calibration scores {sample.shape} and outcomes "
            f"{outcome.shape}; expected flat arrays, the last two of one length"
        )
    for name, scores in (("pool", pool), ("calibration", sample)):
        if np.isinf(scores).any():
            row = int(np.flatnonzero(np.isinf(scores))[0])
            raise UsageError(
                f"{name} score of row {row} is {scores[row]}, expected a finite number"
            )
    if not np.isin(outcome, (0, 1)).all():
        row = int(np.flatnonzero(~np.isin(outcome, (0, 1)))[0])
        raise UsageError(
            f"calibration outcome of row {row} is {outcome[row]}, expected true or false"
        )
    return pool, sample, outcome.astype(np.bool_)


def nothing(rule: str, n: int, critical: int, error: float, risk: float, reason: str) -> Acceptance:
    return Acceptance(rule, None, 0, n, 0, critical, error, risk, reason)


def accept(
    rule: str,
    threshold: float,
    pool: FloatArray,
    sample: FloatArray,
    wrong: BoolArray,
    critical: int,
    error: float,
    risk: float,
    reason: str,
) -> Acceptance:
    accepted = int((pool >= threshold).sum())
    errors = int((sample[wrong] >= threshold).sum())
    return Acceptance(rule, threshold, accepted, sample.size, errors, critical, error, risk, reason)
