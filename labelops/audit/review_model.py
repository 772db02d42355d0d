"""People's verdicts on findings become the detector: a logistic model over all scores.

It starts from the probability known without reviews and moves away from it as far as verdicts
ask for, and only where there are any: a few pseudo-verdicts all over the label set, equal to
what was known before, keep reviews chosen for their low scores from speaking for the rest.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import ArrayLike
from scipy.optimize import minimize
from scipy.special import expit

from labelops.errors import UsageError
from labelops.measure.codes import BoolArray, FloatArray, IntArray, check_codes
from labelops.measure.draws import check_rng
from labelops.measure.given import check_flags

__all__ = ["ReviewModel", "Reviews", "Verdicts", "cross_fitted", "fit_review_model"]

_SPREAD = np.array([2.0, 0.5, 0.5])  # How far intercept, first and other weights may wander.
_ANCHORS = 30.0  # What the pseudo-verdicts weigh together, in verdicts.
_FOLDS = 5


@dataclass(frozen=True, slots=True)
class Verdicts:
    """Checked verdicts, (R,): the row, the label judged, if it was wrong, if drawn at random."""

    rows: IntArray
    codes: IntArray
    wrong: BoolArray
    random: BoolArray


@dataclass(frozen=True, slots=True)
class Reviews:
    """Verdicts of people on labels.

    Parameters
    ----------
    rows : (R,) array-like of int
        The items reviewed; one may come more than once.
    wrong : (R,) array-like of bool
        Whether the label was an error.
    codes : (R,) array-like of int, optional
        The label that was judged, where it is no longer the item's label; -1: the present one.
    random : (R,) array-like of bool, optional
        Where the item was drawn at random, not because of its score: these alone measure recall.
    """

    rows: ArrayLike
    wrong: ArrayLike
    codes: ArrayLike | None = None
    random: ArrayLike | None = None

    def checked(self, labels: IntArray, n_classes: int) -> Verdicts:
        """Return the verdicts as arrays that fit each other; on unlabeled rows they drop out.

        Raises
        ------
        UsageError
            Lengths differ, a row does not exist, or a verdict is not true or false.
        """
        rows = check_codes(_ints(self.rows), len(labels), missing=False, name="reviews: rows")
        wrong = np.asarray(self.wrong)
        if wrong.size and not np.isin(wrong, (0, 1)).all():
            raise UsageError("reviews: `wrong` must be true or false for each row")
        given = np.full(len(rows), -1) if self.codes is None else self.codes
        codes = check_codes(_ints(given), n_classes, name="reviews: codes")
        chance = np.zeros(len(rows), bool) if self.random is None else np.asarray(self.random)
        if not rows.shape == wrong.shape == codes.shape == chance.shape:
            raise UsageError(
                f"reviews: {len(rows)} rows, {len(wrong)} verdicts, {len(codes)} codes, "
                f"{len(chance)} random flags; expected as many of each"
            )
        chance = check_flags("reviews: random", chance, len(rows))
        codes = np.where(codes < 0, labels[rows], codes)
        kept = codes >= 0
        return Verdicts(rows[kept], codes[kept], wrong[kept].astype(bool), chance[kept])


def _ints(values: ArrayLike) -> ArrayLike:
    """Give an empty list a type: no rows are whole numbers too."""
    return values if np.size(values) else np.zeros(0, dtype=np.int64)


@dataclass(frozen=True, slots=True)
class ReviewModel:
    """A logistic model over scores.

    Attributes
    ----------
    weights : (1 + F,) float
        Intercept, then one weight a score; ``(0, 1, 0, …)`` leaves the first score as it is.
    center, scale : (F,) float
        What each score is shifted and divided by; 0 and 1 for the first.
    """

    weights: FloatArray
    center: FloatArray = field(repr=False)
    scale: FloatArray = field(repr=False)

    def logits(self, scores: FloatArray) -> FloatArray:
        """Return the log odds of being wrong, (M,)."""
        return np.asarray(self._design(scores) @ self.weights)

    def _design(self, scores: FloatArray) -> FloatArray:
        return np.column_stack([np.ones(len(scores)), (scores - self.center) / self.scale])


def fit_review_model(scores: FloatArray, wrong: BoolArray, everywhere: FloatArray) -> ReviewModel:
    """Fit the weights of all scores to the verdicts.

    Parameters
    ----------
    scores : (R, F) float
        Of the reviewed labels. The first column is the log odds known without reviews.
    wrong : (R,) bool
        The verdicts.
    everywhere : (M, F) float
        Scores of the whole label set, or of a random part of it.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> s = rng.normal(size=(9000, 2))
    >>> wrong = rng.random(9000) < expit(s[:, 0] + 1)
    >>> np.abs(fit_review_model(s, wrong, s).weights - [1, 1, 0]).max() < 0.1
    np.True_
    """
    center, scale = everywhere.mean(axis=0), everywhere.std(axis=0) + 1e-9
    center[0], scale[0] = 0.0, 1.0
    start = np.zeros(1 + scores.shape[1])
    start[1] = 1.0
    model = ReviewModel(start, center, scale)
    design, anchors = model._design(scores), model._design(everywhere)
    known = expit(everywhere[:, 0])
    share = _ANCHORS / max(len(everywhere), 1)
    spread = np.r_[_SPREAD[:2], np.full(len(start) - 2, _SPREAD[2])]

    def loss(weights: FloatArray) -> tuple[float, FloatArray]:
        z, a = design @ weights, anchors @ weights
        away = (weights - start) / spread
        value = np.logaddexp(0, z).sum() - z[wrong].sum() + 0.5 * away @ away
        value += share * (np.logaddexp(0, a) - known * a).sum()
        slope = design.T @ (expit(z) - wrong) + share * anchors.T @ (expit(a) - known)
        return float(value), np.asarray(slope + away / spread)

    found = minimize(loss, start, jac=True, method="L-BFGS-B")
    return ReviewModel(np.asarray(found.x), center, scale)


def cross_fitted(
    scores: FloatArray,
    wrong: BoolArray,
    rows: IntArray,
    everywhere: FloatArray,
    rng: np.random.Generator,
) -> FloatArray:
    """Predict every verdict by a model fitted without that item's verdicts; log odds, (R,)."""
    check_rng(rng)
    items, member = np.unique(rows, return_inverse=True)
    fold = (rng.permutation(len(items)) % _FOLDS)[member]
    logits = np.zeros(len(wrong))
    for held in range(_FOLDS):
        out = fold == held
        model = fit_review_model(scores[~out], wrong[~out], everywhere)
        logits[out] = model.logits(scores[out])
    return logits
