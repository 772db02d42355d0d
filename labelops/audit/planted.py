"""Errors planted on purpose, to measure how many real ones the detectors would find."""

from __future__ import annotations

import json
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from labelops.errors import UsageError
from labelops.measure.aligned import array_of
from labelops.measure.codes import FloatArray, IntArray, check_codes
from labelops.measure.draws import check_rng
from labelops.measure.given import check_share
from labelops.measure.intervals import Interval, clopper_pearson

__all__ = ["Planted", "Recall", "plant", "recall"]


@dataclass(frozen=True, slots=True)
class Planted:
    """Which rows got a wrong label, and which; only ever used inside an audit.

    Attributes
    ----------
    rows : (P,) int
        Rows of the audited arrays, ascending.
    codes : (P,) int
        The wrong labels planted there.
    """

    rows: IntArray
    codes: IntArray

    def applied_to(self, codes: IntArray) -> IntArray:
        """Return a copy of `codes` with the errors planted."""
        wrong = codes.copy()
        wrong[self.rows] = self.codes
        return wrong


@dataclass(frozen=True, slots=True)
class Recall:
    """How many of the planted errors the detectors found.

    Attributes
    ----------
    found, planted : int
        Counts.
    share : float
        found / planted; NaN when nothing was planted.
    interval : Interval
        Clopper–Pearson; (0, 1) when nothing was planted.
    """

    found: int
    planted: int
    share: float
    interval: Interval


def plant(
    codes: ArrayLike,
    share: float,
    n_classes: int,
    confusion: ArrayLike | None = None,
    *,
    chances: ArrayLike | None = None,
    rng: np.random.Generator,
) -> Planted:
    """Choose labeled rows at random and a wrong label for each.

    Parameters
    ----------
    codes : (N,) array-like of int
        Labels; a missing one (-1) is never planted on.
    share : float
        Share of the labeled rows that get an error, in [0, 1]; at least one row when above 0.
    n_classes : int
        K.
    confusion : (K, K) array-like, optional
        Row a, column b: how likely a is mistaken for b (counts or shares; the diagonal does not
        matter). Uniform over the other classes when left out or where a row has no mistakes.
    chances : (N, K) array-like, optional
        The same for each row instead of each class; goes before `confusion`.
    rng : numpy.random.Generator
        Draws rows and wrong classes.

    Raises
    ------
    UsageError
        The share, the codes or the confusion are impossible.

    Examples
    --------
    >>> planted = plant([0, 1, 0, 1], 0.5, 2, rng=np.random.default_rng(0))
    >>> codes = np.array([0, 1, 0, 1])
    >>> int((planted.applied_to(codes) != codes).sum())
    2
    """
    check_rng(rng)
    check_share("share", share)
    labels = check_codes(codes, n_classes)
    labeled = np.flatnonzero(labels >= 0)
    wanted = min(len(labeled), max(1, round(share * len(labeled)))) if share > 0 else 0
    rows = np.sort(rng.choice(labeled, wanted, replace=False))
    # Inverse of the cumulated row: one uniform number chooses one wrong class.
    mistakes = (
        _mistakes(np.eye(n_classes), confusion)[labels[rows]]
        if chances is None
        else _mistakes(np.eye(n_classes)[labels[rows]], _of_rows(chances, len(labels))[rows])
    )
    cumulated = mistakes.cumsum(axis=1)
    wrong = (rng.random(wanted)[:, None] >= cumulated).sum(axis=1)
    return Planted(rows.astype(np.int64), np.minimum(wrong, n_classes - 1).astype(np.int64))


def _of_rows(chances: ArrayLike, rows: int) -> FloatArray:
    found: FloatArray = array_of("chances", chances, "numbers", np.float64)
    if found.shape[:1] != (rows,):
        raise UsageError(f"chances: shape {found.shape}, expected a row for each of {rows} codes")
    return found


def _mistakes(right: FloatArray, raw: ArrayLike | None) -> FloatArray:
    """Row-stochastic chances of wrong classes, zero where `right` is 1."""
    if right.shape[1] < 2:
        raise UsageError(f"{right.shape[1]} classes: a wrong label needs at least two")
    found = (
        np.zeros(right.shape)
        if raw is None
        else np.array(array_of("confusion", raw, "numbers", np.float64))
    )
    if found.shape != right.shape or not (np.isfinite(found) & (found >= 0)).all():
        raise UsageError(
            f"confusion of shape {found.shape}: expected {right.shape} numbers of at least 0"
        )
    found *= 1 - right
    found[found.sum(axis=1) == 0] = 1
    found *= 1 - right
    return np.asarray(found / found.sum(axis=1, keepdims=True))


def recall(findings: pd.DataFrame, *, round: int | None = None, confidence: float = 0.95) -> Recall:  # noqa: A002 - the column's name
    """Count how many planted errors were found, with an interval.

    Parameters
    ----------
    findings : findings frame
        Rows marked `planted` carry ``{"found": true | false}`` as evidence.
    round : int, optional
        Only this audit; all of them when left out.
    confidence : float
        Of the interval.

    Examples
    --------
    >>> frame = pd.DataFrame({"planted": [True, True, False], "round": 1,
    ...     "evidence": ['{"found":true}', '{"found":false}', "{}"]})
    >>> recall(frame).found, recall(frame).planted
    (1, 2)
    """
    rows = findings[findings["planted"].astype(bool)]
    if round is not None:
        rows = rows[rows["round"] == round]
    found = sum(bool(json.loads(text).get("found")) for text in rows["evidence"])
    planted = len(rows)
    return Recall(
        found,
        planted,
        found / planted if planted else float("nan"),
        clopper_pearson(found, planted, confidence),
    )
