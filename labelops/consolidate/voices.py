"""What rules say, as one opinion: votes that are not a person's, weighed by people's.

A rule that says nothing but "billing" is never right or wrong about the other classes, and ten
rules that look for the same word are one rule. Neither fits a consensus in which annotators err
independently of each other. So the rules' votes on an item (abstaining included) are taken
together, as what a regularised logistic regression has to tell the class from: copies share one
weight, and a rule that is no better than chance has none. It is fitted on the items that people
agree about, and what it says of an item comes from the fold that held its leakage group out.

References
----------
Ratner, Bach, Ehrenberg, Fries, Wu, Ré (2017), "Snorkel", https://doi.org/10.14778/3157794.3157797,
for labeling functions. There their accuracies are estimated from each other, under a model of how
they depend on each other; here people's votes are at hand, and nothing need be assumed.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import ArrayLike
from scipy.optimize import minimize
from scipy.sparse import csr_matrix
from scipy.special import log_softmax

from ..errors import UsageError
from ..measure.calibration import apply_temperature, fit_temperature
from ..measure.codes import FloatArray, IntArray, check_codes

__all__ = ["clear_majority", "heard_yet", "pool_opinions", "voice_opinion"]

_Predict = Callable[[csr_matrix], FloatArray]

_LEAST = 30
"""Items people agree about from which rules are heard; with fewer, nobody knows their worth."""

_LEAST_BOTH = 50
_LEAST_TWICE = 50
_EVEN = (0.5, 0.5)
_MOST_WEIGHT = 2.0
_TINY = 1e-12


def clear_majority(items: ArrayLike, codes: ArrayLike, n_items: int, n_classes: int) -> IntArray:
    """Return the class most votes name where one class does alone, -1 elsewhere.

    Parameters
    ----------
    items, codes : (V,) int arrays
        Item and class of each vote; class -1 is no vote.
    n_items, n_classes : int
        N and K.

    Examples
    --------
    >>> clear_majority([0, 0, 0, 1, 1], [1, 1, 0, 0, 1], 3, 2).tolist()
    [1, -1, -1]
    """
    item, code = np.asarray(items, dtype=np.int64), check_codes(codes, n_classes)
    there = code >= 0
    flat = np.bincount(item[there] * n_classes + code[there], minlength=n_items * n_classes)
    counts = flat.reshape(n_items, n_classes)
    best = counts.max(axis=1, initial=0)
    clear = (best > 0) & ((counts == best[:, None]).sum(axis=1) == 1)
    return np.asarray(np.where(clear, counts.argmax(axis=1), -1), dtype=np.int64)


def heard_yet(items: ArrayLike) -> bool:
    """Say whether enough items have votes of two people for voices to be heard.

    Where everybody looks alone, the voices learn people's mistakes with the rest, and then
    vouch for the people who taught them. Fifty items that two people looked at tell apart
    what a person is worth and what the voices are.

    Parameters
    ----------
    items : (V,) int array
        Item of each vote of a person.

    Examples
    --------
    >>> heard_yet(np.arange(500)), heard_yet(np.arange(100) // 2)
    (False, True)
    """
    array = np.asarray(items, dtype=np.int64)
    return bool((np.bincount(array) >= 2).sum() >= _LEAST_TWICE) if array.size else False


def voice_opinion(
    items: ArrayLike,
    voices: ArrayLike,
    codes: ArrayLike,
    people: ArrayLike,
    folds: ArrayLike,
    n_voices: int,
    n_classes: int,
) -> FloatArray:
    """Return what the voices together say of each item, fitted on what people say of others.

    Parameters
    ----------
    items, voices, codes : (V,) int arrays
        Item, voice and class of each vote of a rule or model; at most one a voice and item.
    people : (N,) int array
        The class people agree on, -1 where they do not or nobody looked.
    folds : (N,) int array
        Which items are held out together; a leakage group must not be split.
    n_voices, n_classes : int
        V̂ and K.

    Returns
    -------
    (N, K) float
        Rows sum to 1; NaN where no voice spoke, or where fewer than 30 items outside the fold
        have a class people agree on.

    Raises
    ------
    UsageError
        If arrays differ in length.

    Examples
    --------
    Ten copies of a rule that is right four times of five are worth one of it.

    >>> n = 200
    >>> people = np.arange(n) % 2
    >>> said = np.where(np.arange(n) % 10 < 8, people, 1 - people)
    >>> copies = voice_opinion(np.tile(np.arange(n), 10), np.repeat(np.arange(10), n),
    ...     np.tile(said, 10), people, np.arange(n) // 10 % 5, 10, 2)
    >>> bool(0.75 < copies.max() < 0.85)
    True
    """
    item, voice, code = (np.asarray(x, dtype=np.int64) for x in (items, voices, codes))
    truth, fold = check_codes(people, n_classes), np.asarray(folds, dtype=np.int64)
    if not item.size == voice.size == code.size or truth.size != fold.size:
        raise UsageError("voices: items, voices and codes, or people and folds, differ in length")
    features = _features(item, voice, code, (truth.size, n_voices, n_classes))
    spoke = np.bincount(item, minlength=truth.size) > 0
    found = np.full((truth.size, n_classes), np.nan)
    honest = _Honest(features, truth, fold, n_classes)
    for held_out in np.unique(fold[spoke]).tolist():
        rows = np.flatnonzero((fold == held_out) & spoke)
        if honest.known((held_out,)).size >= _LEAST:
            said = honest.predicted((held_out,), rows)
            found[rows] = apply_temperature(said, honest.temperature(held_out))
    return found


@dataclass(frozen=True, slots=True)
class _Honest:
    """Predictions for items of some folds from the items of the others."""

    features: csr_matrix
    truth: IntArray
    fold: IntArray
    n_classes: int
    fitted: dict[frozenset[int], _Predict] = field(default_factory=dict)

    def known(self, out: tuple[int, ...]) -> IntArray:
        """Return the items outside some folds whose class people agree on."""
        return np.flatnonzero((self.truth >= 0) & ~np.isin(self.fold, out))

    def predicted(self, out: tuple[int, ...], rows: IntArray) -> FloatArray:
        """Fit on the items known outside some folds, and predict."""
        key = frozenset(out)
        if key not in self.fitted:
            learned = self.known(out)
            self.fitted[key] = _fit(self.features[learned], self.truth[learned], self.n_classes)
        return self.fitted[key](self.features[rows])

    def temperature(self, held_out: int) -> float:
        """Fit how sure the opinion on a fold may be, on the other folds, each held out as well.

        Regularised on few items it is less sure than it is right; below 50 it is left so.
        """
        rows = self.known((held_out,))
        said = np.empty((rows.size, self.n_classes))
        for other in np.unique(self.fold[rows]).tolist():
            mine = self.fold[rows] == other
            said[mine] = self.predicted((held_out, other), rows[mine])
        found = fit_temperature(said, self.truth[rows])
        return found if rows.size >= _LEAST_BOTH else max(1.0, found)


def _features(
    item: IntArray, voice: IntArray, code: IntArray, size: tuple[int, int, int]
) -> csr_matrix:
    """One column a voice and class, 1 where that voice said so; abstaining is a row of zeros."""
    n_items, n_voices, n_classes = size
    cells = (np.ones(item.size), (item, voice * n_classes + code))
    return csr_matrix(cells, shape=(n_items, n_voices * n_classes))


def _fit(learned: csr_matrix, truth: IntArray, n_classes: int) -> _Predict:
    """Fit on learned rows; every class keeps the share of one unseen item."""
    from sklearn.linear_model import LogisticRegression  # slow to import, and few have rules

    classes = np.unique(truth)
    model = None
    if classes.size > 1:
        model = LogisticRegression(max_iter=500).fit(learned, truth)

    def predict(asked: csr_matrix) -> FloatArray:
        full = np.zeros((asked.shape[0], n_classes))
        full[:, classes] = 1.0 if model is None else model.predict_proba(asked)
        return np.asarray((truth.size * full + 1.0) / (truth.size + n_classes))

    return predict


def pool_opinions(model: FloatArray, voices: FloatArray, people: ArrayLike) -> FloatArray:
    """Return one opinion from a model's and the voices', as far as each says more than the other.

    Their logarithms are added with the two weights under which what people say is likeliest: a
    rule that the model has learned by heart adds nothing to it. With fewer than 50 items to fit
    on, each counts half.

    Parameters
    ----------
    model, voices : (N, K) float arrays
        Out-of-fold probabilities, rows of NaN where there are none.
    people : (N,) int array
        The class people agree on, -1 where they do not or nobody looked.

    Returns
    -------
    (N, K) float
        A row that only one of them has is that one's; NaN where neither has.

    Examples
    --------
    >>> model, rules = np.array([[0.9, 0.1], [0.6, 0.4]]), np.array([[0.9, 0.1], [np.nan] * 2])
    >>> pool_opinions(model, rules, [-1, -1]).round(2).tolist()
    [[0.9, 0.1], [0.6, 0.4]]
    """
    truth = check_codes(people, model.shape[1])
    by_model = np.asarray(np.isfinite(model).all(axis=1))
    both = np.asarray(by_model & np.isfinite(voices).all(axis=1))
    pooled = np.where(by_model[:, None], model, voices)
    if both.any():
        logs = np.log(np.maximum(np.stack([model[both], voices[both]]), _TINY))
        weights = _weights(logs, truth[both])
        pooled[both] = np.exp(log_softmax(np.tensordot(weights, logs, axes=1), axis=1))
    return np.asarray(pooled)


def _weights(logs: FloatArray, truth: IntArray) -> FloatArray:
    """Fit the two weights by maximum likelihood, or take them alike."""
    rows = np.flatnonzero(truth >= 0)
    if rows.size < _LEAST_BOTH:
        return np.array(_EVEN)
    said, right = logs[:, rows], truth[rows]

    def loss(weights: FloatArray) -> float:
        soft = log_softmax(np.tensordot(weights, said, axes=1), axis=1)
        return -float(soft[np.arange(rows.size), right].mean())

    bounds = [(0.0, _MOST_WEIGHT)] * 2
    return np.asarray(minimize(loss, _EVEN, bounds=bounds, method="L-BFGS-B").x)
