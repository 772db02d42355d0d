"""The formulas of agreement over many weightings of vote patterns at once.

A weighting says how many items show each pattern: the sample itself, or a bootstrap resample of
its items. Everything is a ratio of sums over items, so a resample costs one product.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import ArrayLike

from labelops.errors import UsageError
from labelops.measure.codes import FloatArray

from .patterns import AgreementPartial

__all__ = ["Formulas", "Level", "Measure", "one_minus"]

Level: TypeAlias = Literal["nominal", "ordinal", "interval"]
Measure: TypeAlias = Callable[[FloatArray], FloatArray]

_ROWS = 1 << 12


class Formulas:
    """Coefficients of weightings (B, P) of a partial's P patterns, each (B,); NaN if undefined.

    Parameters
    ----------
    partial : AgreementPartial
        The patterns.
    level : {'nominal', 'ordinal', 'interval'}
        What is known of the classes.
    values : (K,) array-like of float or None
        What each class measures, for 'interval'.
    """

    def __init__(self, partial: AgreementPartial, level: Level, values: ArrayLike | None) -> None:
        if level not in ("nominal", "ordinal", "interval"):
            raise UsageError(
                f"agreement: level is {level!r}, expected 'nominal', 'ordinal' or 'interval'"
            )
        self.partial = partial
        self.level = level
        self.values = _checked_values(values, level, partial.n_classes)
        self.counts = partial.counts
        self.m = partial.sizes.astype(np.float64)
        self.paired = (self.m > 1).astype(np.float64)
        self.others = np.maximum(self.m - 1, 1.0)
        self.weights = _agreement_weights(level, self.values)
        # Every item's classes weigh one item, however many votes it has.
        self.shares = self.counts.multiply(1 / self.m[:, None]).tocsr()

    def alpha(self, weighting: FloatArray) -> FloatArray:
        """Krippendorff's α."""
        paired = weighting * self.paired
        votes = paired @ self.m
        totals = np.asarray((self.counts.T @ paired.T).T)
        if self.level == "ordinal":
            observed, chance = self._by_rank(paired, totals, votes)
        elif self.level == "interval":
            observed, chance = self._by_value(paired, totals, votes)
        else:
            squares = self.counts.multiply(self.counts)
            same = np.asarray(squares.sum(axis=1)).ravel()
            observed = paired @ ((self.m**2 - same) / self.others)
            chance = votes**2 - (totals**2).sum(axis=1)
        return one_minus(np.asarray(observed * (votes - 1)), chance)

    def differences(self) -> tuple[int, float]:
        """Count the sample's items whose votes differ; how often two votes of all do (nominal)."""
        paired = self.partial.items * self.paired
        same = np.asarray(self.counts.multiply(self.counts).sum(axis=1)).ravel()
        votes, totals = float(paired @ self.m), np.asarray(self.counts.T @ paired)
        pairs = max(votes * (votes - 1), 1.0)
        chance = (votes**2 - float((totals**2).sum())) / pairs
        return int(paired @ (same < self.m**2)), chance

    def _by_value(
        self, paired: FloatArray, totals: FloatArray, votes: FloatArray
    ) -> tuple[FloatArray, FloatArray]:
        """Squared differences of values, within items and between any two votes."""
        value = self.values
        squared = self.m * (self.counts @ value**2) - (self.counts @ value) ** 2
        observed = paired @ (2 * squared / self.others)
        return observed, 2 * (votes * (totals @ value**2) - (totals @ value) ** 2)

    def _by_rank(
        self, paired: FloatArray, totals: FloatArray, votes: FloatArray
    ) -> tuple[FloatArray, FloatArray]:
        """Squared differences of mean ranks, which each resample has of its own."""
        ranks = totals.cumsum(axis=1) - totals / 2 - votes[:, None] / 2
        sums, squares = self.counts @ ranks.T, self.counts @ (ranks**2).T
        within = 2 * (self.m[:, None] * squares - sums**2) / self.others[:, None]
        observed = np.einsum("bp,pb->b", paired, within)
        spread = votes * (totals * ranks**2).sum(axis=1) - (totals * ranks).sum(axis=1) ** 2
        return observed, 2 * spread

    def percent(self, weighting: FloatArray) -> FloatArray:
        """Mean share of equal pairs of votes on an item."""
        return self._observed(weighting, None)

    def kappa(self, weighting: FloatArray) -> FloatArray:
        """Fleiss' κ, weighted where classes are ordered."""
        common = self._class_shares(weighting)
        weighted = common if self.weights is None else common @ self.weights
        return self._beyond(weighting, (weighted * common).sum(axis=1))

    def ac(self, weighting: FloatArray) -> FloatArray:
        """Gwet's AC1 or AC2."""
        common, n_classes = self._class_shares(weighting), self.partial.n_classes
        if n_classes < 2:
            return np.full(len(weighting), np.nan)
        total = n_classes if self.weights is None else self.weights.sum()
        chance = total * (common * (1 - common)).sum(axis=1) / (n_classes * (n_classes - 1))
        return self._beyond(weighting, chance)

    def _beyond(self, weighting: FloatArray, chance: FloatArray) -> FloatArray:
        observed = self._observed(weighting, self.weights)
        return one_minus(1 - observed, 1 - chance)

    def _class_shares(self, weighting: FloatArray) -> FloatArray:
        """How common each class is, (B, K)."""
        items = weighting.sum(axis=1)[:, None]
        return np.asarray((self.shares.T @ weighting.T).T / np.maximum(items, 1))

    def _observed(self, weighting: FloatArray, weights: FloatArray | None) -> FloatArray:
        pairs = self.m * self.others
        share = (self._agreeing(weights) - self.m) / pairs
        paired = weighting * self.paired
        items = paired.sum(axis=1)
        return np.asarray(np.where(items > 0, (paired @ share) / np.maximum(items, 1), np.nan))

    def _agreeing(self, weights: FloatArray | None) -> FloatArray:
        """Ordered pairs of votes that agree in each pattern, a vote with itself too."""
        if weights is None:
            return np.asarray(self.counts.multiply(self.counts).sum(axis=1)).ravel()
        parts: list[FloatArray] = [np.empty(0)]
        for first in range(0, self.m.size, _ROWS):
            counts = self.counts[first : first + _ROWS]
            parts.append(np.asarray(counts.multiply(counts @ weights).sum(axis=1)).ravel())
        return np.concatenate(parts)


def one_minus(part: FloatArray, whole: FloatArray) -> FloatArray:
    """1 - part / whole, NaN where there is no whole."""
    ratio = np.full(np.shape(whole), np.nan)
    np.divide(part, whole, out=ratio, where=whole > 1e-12)
    return 1 - ratio


def _checked_values(values: ArrayLike | None, level: Level, n_classes: int) -> FloatArray:
    """Return values about their mean and in units of their range, which no coefficient notices."""
    if values is None:
        array: FloatArray = np.arange(n_classes, dtype=np.float64)
    elif level != "interval":
        raise UsageError(f"agreement: values are for level 'interval', not {level!r}")
    else:
        array = _numbers(values)
        if array.shape != (n_classes,) or not np.isfinite(array).all():
            raise UsageError(f"agreement: values must be {n_classes} finite numbers, one a class")
    if not array.size:
        return array
    apart = float(array.max() - array.min())
    return np.asarray((array - array.mean()) / (apart if apart > 0 else 1.0))


def _numbers(values: ArrayLike) -> FloatArray:
    try:
        return np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError) as problem:
        raise UsageError(f"agreement: values must be numbers; {problem}") from problem


def _agreement_weights(level: Level, values: FloatArray) -> FloatArray | None:
    """How far two classes agree, (K, K), 1 on the diagonal; None: not at all if they differ.

    Gwet 2014: ordinal weights count the classes between, interval ones the squared difference.
    """
    if level == "nominal" or values.size < 2:
        return None
    if level == "interval":
        return np.asarray(1 - (values[:, None] - values[None, :]) ** 2)  # their range is 1
    rank = np.arange(values.size)
    between = np.abs(rank[:, None] - rank[None, :]) + 1.0
    pairs = between * (between - 1) / 2
    return np.asarray(1 - pairs / pairs.max())
