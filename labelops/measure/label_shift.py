"""How common is each class now? Class shares of new items from a model's probabilities.

When the mix of classes changes but each class still looks the same (label shift), a model
fitted on the old mix is wrong about the new one, and its counted guesses are wrong too. Its
calibrated probabilities hold enough to undo that: expectation maximisation finds the shares
under which they agree with themselves. People need to label nothing new for it.

References
----------
Saerens, Latinne, Decaestecker 2002, https://doi.org/10.1162/089976602753284446
Alexandari, Kundaje, Shrikumar 2020, https://proceedings.mlr.press/v119/alexandari20a.html
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy.optimize import minimize
from scipy.special import softmax

from labelops.errors import UsageError
from labelops.measure.codes import FloatArray, IntArray, check_codes, check_probs
from labelops.measure.draws import check_rng
from labelops.measure.given import check_share, check_whole
from labelops.measure.logs import log_sum_exp

__all__ = ["BiasCorrected", "ClassShares", "class_shares", "fit_bias_corrected"]

_TINY = 1e-12
_RIDGE = 1e-2
_STILL = 1e-7
_STEPS = 3000


@dataclass(frozen=True, slots=True)
class BiasCorrected:
    """Bias-corrected temperature scaling (BCTS): softmax(log p / temperature + bias).

    Attributes
    ----------
    temperature : float
        Above 1 softens.
    bias : (K,) float
        Added to each class; their mean is 0.
    """

    temperature: float
    bias: FloatArray

    def apply(self, probs: ArrayLike) -> FloatArray:
        """Return calibrated (N, K) probabilities."""
        array = check_probs(probs, self.bias.size)
        found: FloatArray = softmax(
            np.log(np.maximum(array, _TINY)) / self.temperature + self.bias, axis=1
        )
        return found


def fit_bias_corrected(probs: ArrayLike, codes: ArrayLike) -> BiasCorrected:
    """Calibrate probabilities by one temperature and one bias a class, on held-out labels.

    Parameters
    ----------
    probs : (N, K) array-like
        For items the model has not learned these labels from.
    codes : (N,) array-like of int
        Their classes, a random sample of the old mix; -1 is left out.

    Raises
    ------
    UsageError
        No row has a label, or the arrays do not fit.

    Notes
    -----
    Labels are most likely under the result, less a small penalty that keeps a class nobody
    gave from being ruled out for ever.

    Examples
    --------
    >>> fitted = fit_bias_corrected([[0.9, 0.1]] * 10, [0] * 7 + [1] * 3)
    >>> fitted.apply([[0.9, 0.1]]).round(1).tolist()
    [[0.7, 0.3]]
    """
    array = check_probs(probs, np.shape(probs)[-1] if np.ndim(probs) else 0)
    n_classes = array.shape[1]
    labels = check_codes(codes, n_classes)
    if labels.size != len(array):
        raise UsageError(f"calibration: {len(array)} rows of probs, {labels.size} labels")
    there = labels >= 0
    if not there.any():
        raise UsageError("calibration: no row has a label; expected at least one")
    logits = np.log(np.maximum(array[there], _TINY))
    one_hot = np.eye(n_classes)[labels[there]]

    def loss(found: FloatArray) -> tuple[float, FloatArray]:
        beta, bias = np.exp(found[0]), found[1:]
        scores = beta * logits + bias
        log_total = log_sum_exp(scores, axis=1, keepdims=True)
        wrong = np.exp(scores - log_total) - one_hot
        penalty = _RIDGE / len(logits)
        value = float((log_total[:, 0] - (scores * one_hot).sum(axis=1)).mean())
        slope = np.concatenate(
            [[beta * (wrong * logits).sum(axis=1).mean()], wrong.mean(axis=0)]
        ) + penalty * np.asarray(found)
        return value + penalty * float(found @ found) / 2, slope

    # The loss is smooth and, in (1/temperature, bias), convex: one start suffices.
    best = minimize(loss, np.zeros(1 + n_classes), jac=True, method="L-BFGS-B").x
    return BiasCorrected(float(np.exp(-best[0])), best[1:] - best[1:].mean())


@dataclass(frozen=True, slots=True)
class ClassShares:
    """Estimated share of each class among new items.

    Attributes
    ----------
    shares : (K,) float
        Sum to 1.
    low, high : (K,) float
        Bootstrap interval of each share.
    old : (K,) float
        Shares in the labeled sample.
    steps : int
        Steps of expectation maximisation.
    """

    shares: FloatArray
    low: FloatArray
    high: FloatArray
    old: FloatArray
    steps: int


def class_shares(
    probs: ArrayLike,
    old_probs: ArrayLike,
    old_codes: ArrayLike,
    *,
    rng: np.random.Generator,
    confidence: float = 0.95,
    repeats: int = 200,
) -> ClassShares:
    """Estimate the class shares of new items from a model fitted on an old mix.

    Parameters
    ----------
    probs : (N, K) array-like
        For a random sample of the new items; actively chosen ones are meant to differ.
    old_probs, old_codes : (M, K), (M,) array-like
        Held-out probabilities and labels of a random sample of the old mix, which calibrate.
    rng : numpy.random.Generator
        Draws the bootstrap, of old and new rows alike.
    confidence : float in (0, 1)
        Of each share's interval by itself.
    repeats : int
        Bootstrap draws; 0 gives intervals without width.

    Raises
    ------
    UsageError
        There is no new item or no label, or the arrays do not fit.

    Examples
    --------
    A model that is right 8 times of 10 sees 9 of 10 items of the first class.

    >>> rng = np.random.default_rng(0)
    >>> def seen(classes):
    ...     said = np.where(rng.random(classes.size) < 0.8, classes, 1 - classes)
    ...     return np.where(np.eye(2)[said] > 0, 0.8, 0.2)
    >>> old, new = rng.permutation(2000) % 2, (rng.random(2000) > 0.9).astype(int)
    >>> found = class_shares(seen(new), seen(old), old, rng=rng, repeats=50)
    >>> bool(abs(found.shares[0] - 0.9) < 0.05), bool(found.low[0] < 0.9 < found.high[0])
    (True, True)
    """
    check_rng(rng)
    new = check_probs(probs, np.shape(probs)[-1] if np.ndim(probs) else 0)
    old = check_probs(old_probs, new.shape[1])
    codes = check_codes(old_codes, new.shape[1])
    risk = 1 - check_share("confidence", confidence, inside=True)
    check_whole("repeats", repeats, 0)
    if not len(new):
        raise UsageError("class shares: there is no new item")
    if codes.size != len(old) or not (codes >= 0).any():
        raise UsageError(f"class shares: {len(old)} rows of old probs, {codes.size} labels")
    old, codes = old[codes >= 0], codes[codes >= 0]
    shares, steps = _estimate(new, old, codes)
    before = np.bincount(codes, minlength=new.shape[1]) / len(codes)
    draws = np.empty((repeats, new.shape[1]))
    for i in range(repeats):
        mine, theirs = rng.integers(len(new), size=len(new)), rng.integers(len(old), size=len(old))
        draws[i] = _estimate(new[mine], old[theirs], codes[theirs])[0]
    if not repeats:
        return ClassShares(shares, shares, shares, before, steps)
    low, high = np.quantile(draws, [risk / 2, 1 - risk / 2], axis=0)
    return ClassShares(shares, low, high, before, steps)


def _estimate(new: FloatArray, old: FloatArray, codes: IntArray) -> tuple[FloatArray, int]:
    calibrated = fit_bias_corrected(old, codes)
    # The prior inside the calibrated model: what it says of the sample it was calibrated on.
    before: FloatArray = calibrated.apply(old).mean(axis=0)
    likelihood = calibrated.apply(new) / before
    shares, steps, moved = before, 0, 1.0
    while moved > _STILL and steps < _STEPS:
        first = _step(likelihood, shares)
        second = _step(likelihood, first)
        leap = _step(likelihood, _extrapolated(shares, first, second))
        moved = float(np.abs(leap - shares).max())
        shares, steps = leap, steps + 3
    return shares, steps


def _step(likelihood: FloatArray, shares: FloatArray) -> FloatArray:
    """One step of expectation maximisation."""
    responsible: FloatArray = likelihood.T @ (1 / (likelihood @ shares))
    updated: FloatArray = shares * responsible / (shares @ responsible)
    return updated


def _extrapolated(at: FloatArray, first: FloatArray, second: FloatArray) -> FloatArray:
    """Where many more steps in this direction would lead (SQUAREM), kept inside the simplex.

    Varadhan, Roland 2008, https://doi.org/10.1111/j.1467-9469.2007.00585.x
    """
    move, bend = first - at, second - 2 * first + at
    length = float(np.linalg.norm(bend))
    reach = max(1.0, float(np.linalg.norm(move)) / length) if length > 0 else 1.0
    ahead = np.maximum(at + 2 * reach * move + reach**2 * bend, _TINY)
    found: FloatArray = ahead / ahead.sum()
    return found
