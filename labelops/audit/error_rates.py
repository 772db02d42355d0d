"""Do the probabilities of being wrong mean what they say: predicted beside seen, bin by bin."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from labelops.errors import UsageError
from labelops.measure.codes import BoolArray, FloatArray, IntArray
from labelops.measure.given import check_each

__all__ = ["ErrorBin", "calibration_error", "reliability"]

# Most labels are right: the bins are narrow where most probabilities lie.
_EDGES = np.array([0, 0.01, 0.05, 0.2, 0.4, 0.6, 0.8, 0.95, 1.0])


@dataclass(frozen=True, slots=True)
class ErrorBin:
    """Labels whose probability of being wrong lies in [low, high) (the last bin: [low, 1]).

    Attributes
    ----------
    low, high : float
    labels : int
        Labels in it, at least 1.
    predicted : float
        Their mean probability of being wrong.
    seen : float
        Share of them that was wrong.
    """

    low: float
    high: float
    labels: int
    predicted: float
    seen: float


def reliability(
    probability: FloatArray, *, seen: BoolArray | None = None, implied_by: FloatArray | None = None
) -> tuple[ErrorBin, ...]:
    """Set predicted beside seen errors.

    Parameters
    ----------
    probability : (N,) float in [0, 1]
        Of being wrong.
    seen : (N,) bool, optional
        Verdicts. Without them:
    implied_by : (P,) float, optional
        Probabilities given to planted errors. If real errors are like them, the share of errors
        in a bin is the error rate times the planted errors' share there, over all labels' share.

    Raises
    ------
    UsageError
        Not exactly one of the two is given, or lengths differ.

    Examples
    --------
    >>> [(b.predicted, b.seen) for b in reliability(np.array([0.25, 0.25]),
    ...     seen=np.array([True, False]))]
    [(0.25, 0.5)]
    """
    bins = len(_EDGES) - 1
    at = _bin(probability)
    count = np.bincount(at, minlength=bins)
    total = np.bincount(at, weights=probability, minlength=bins)
    if seen is not None and implied_by is None:
        if len(seen) != len(probability):
            raise UsageError(f"found {len(seen)} verdicts for {len(probability)} probabilities")
        wrong = np.bincount(at, weights=seen, minlength=bins)
    elif implied_by is None or seen is not None:
        raise UsageError("reliability: pass either verdicts or planted errors")
    else:
        planted = np.bincount(_bin(implied_by), minlength=bins) / max(len(implied_by), 1)
        wrong = np.minimum(planted * probability.sum(), count)
    return tuple(
        ErrorBin(float(_EDGES[b]), float(_EDGES[b + 1]), int(count[b]),
                 float(total[b] / count[b]), float(wrong[b] / count[b]))
        for b in np.flatnonzero(count)
    )  # fmt: skip


def _bin(probability: FloatArray) -> IntArray:
    at = np.searchsorted(_EDGES, probability, side="right") - 1
    return np.clip(at, 0, len(_EDGES) - 2).astype(np.int64)


def calibration_error(bins: Sequence[ErrorBin]) -> float:
    """Return the mean distance between predicted and seen, weighted by labels; NaN without bins.

    References
    ----------
    Guo, Pleiss, Sun, Weinberger 2017, https://arxiv.org/abs/1706.04599

    Examples
    --------
    >>> calibration_error([ErrorBin(0.2, 0.4, 10, 0.25, 0.35)])
    0.1
    """
    check_each("bins", bins, ErrorBin, "`reliability`")
    labels = sum(b.labels for b in bins)
    away = sum(b.labels * abs(b.predicted - b.seen) for b in bins)
    return round(away / labels, 12) if labels else float("nan")
