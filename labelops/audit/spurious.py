"""Attributes that give the label away, or the split, though they should not."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from labelops.audit.attributes import bin_attribute, corrected
from labelops.errors import UsageError
from labelops.measure.codes import BoolArray, FloatArray, IntArray, check_codes, code_count
from labelops.measure.draws import check_rng
from labelops.measure.given import check_named, check_share

__all__ = ["SpuriousAttributes", "spurious_attributes"]

_FEW = 5  # Expected counts below which the chi-squared approximation is not trusted.
_TABLES = 2_000


@dataclass(frozen=True, slots=True)
class SpuriousAttributes:
    """One row an attribute, in the order given.

    Attributes
    ----------
    attributes : (M,) object
    information : (M,) float
        Share of the target's uncertainty that the attribute removes, in [0, 1], corrected for
        what chance alone would (0 on average for an attribute that says nothing).
    auroc : (M,) float
        For numbers: the best of its areas under the ROC curve for one value of the target
        against the rest, either direction, in [0.5, 1]; NaN for other attributes.
    p_values, q_values : (M,) float
        Of "independent of the target", and corrected for all attributes.
    flagged : (M,) bool
    """

    attributes: NDArray[np.object_]
    information: FloatArray
    auroc: FloatArray
    p_values: FloatArray
    q_values: FloatArray
    flagged: BoolArray


def spurious_attributes(
    codes: ArrayLike,
    attributes: Mapping[str, ArrayLike],
    *,
    least: float = 0.05,
    risk: float = 0.05,
    rng: np.random.Generator,
) -> SpuriousAttributes:
    """Find attributes that tell the label, or the split, though they should not.

    Parameters
    ----------
    codes : (N,) array-like of int
        The target: labels, or which split an item is in; -1 is missing.
    attributes : mapping of name to (N,) array-like
        As in `underperforming_slices`: source, file size, brightness, length, day, annotator.
    least : float
        An attribute is flagged only if it removes this share of the target's uncertainty, or
        has an AUROC of at least 0.5 + 2 × `least`; in [0, 0.25].
    risk : float
        Tolerated share of false flags (Benjamini–Hochberg over the attributes), in (0, 1).
    rng : numpy.random.Generator
        Draws tables with the same margins where counts are too few for the χ² distribution.

    Raises
    ------
    UsageError
        A length differs or a number is out of range.

    References
    ----------
    Theil 1970, https://doi.org/10.1086/224909 (share of uncertainty removed)
    Miller 1955, Note on the bias of information estimates.
    Patefield 1981, https://doi.org/10.2307/2346669 (tables with given margins)
    Mann, Whitney 1947, https://doi.org/10.1214/aoms/1177730491

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> codes = rng.integers(0, 2, 400)
    >>> found = spurious_attributes(codes,
    ...     {"brightness": rng.normal(size=400) + codes, "noise": rng.normal(size=400)}, rng=rng)
    >>> found.flagged.tolist()
    [True, False]
    """
    check_rng(rng)
    if check_share("least", least) > 0.25:
        raise UsageError(f"least is {least}, expected 0 to 0.25")
    check_share("risk", risk, inside=True)
    target = check_codes(codes, code_count(codes))
    rows = []
    for name, given in check_named("attributes", attributes).items():
        binned = bin_attribute(name, given, len(target))
        known = target >= 0
        table = _table(binned.codes[known], target[known])
        rows.append((*_information(table, rng), _best_auroc(binned.numbers, target)))
    information, p_values, auroc = np.array(rows, dtype=np.float64).reshape(-1, 3).T
    q_values = corrected(p_values)
    with np.errstate(invalid="ignore"):
        strong = (information >= least) | (auroc >= 0.5 + 2 * least)
    return SpuriousAttributes(
        np.array([*attributes], dtype=object), information, auroc, p_values, q_values,
        strong & (q_values <= risk),
    )  # fmt: skip


def _table(rows: IntArray, columns: IntArray) -> IntArray:
    """Return the counts of each pair of codes, without empty rows and columns."""
    K = code_count(columns)
    R = code_count(rows)
    counts = np.bincount(rows * K + columns, minlength=R * K).reshape(R, K)
    kept = counts[counts.any(axis=1)][:, counts.any(axis=0)]
    return np.asarray(kept, dtype=np.int64)


def _information(table: IntArray, rng: np.random.Generator) -> tuple[float, float]:
    """Share of the columns' uncertainty that the rows remove, and its p-value."""
    from scipy.stats import chi2  # lazy: .4 s
    from scipy.stats.contingency import expected_freq

    if min(table.shape) < 2:
        return 0.0, 1.0
    N = int(table.sum())
    freedom = (table.shape[0] - 1) * (table.shape[1] - 1)
    found = float(_mutual(table[None])[0])
    columns = table.sum(axis=0) / N
    uncertainty = float(-(columns * np.log(columns)).sum())
    if expected_freq(table).min() >= _FEW:
        p_value, chance = float(chi2.sf(2 * N * found, freedom)), freedom / (2 * N)
    else:
        null = _by_chance(table, rng)
        p_value = float((1 + (null >= found - 1e-12).sum()) / (1 + len(null)))
        chance = float(null.mean())
    room = uncertainty - chance  # Nothing, where chance alone explains all: a value an item.
    share = (found - chance) / room if room > 1e-9 * uncertainty else 0.0
    return min(max(share, 0.0), 1.0), p_value


def _mutual(tables: NDArray[Any]) -> FloatArray:
    """Mutual information in nats of tables (T, R, K) of one and the same total."""
    shares = tables / tables.sum(axis=(1, 2), keepdims=True)
    apart = shares.sum(axis=2, keepdims=True) * shares.sum(axis=1, keepdims=True)
    with np.errstate(divide="ignore", invalid="ignore"):
        logs = np.where(shares > 0, shares * np.log(shares / apart), 0.0)
    return np.asarray(logs.sum(axis=(1, 2)), dtype=np.float64)


def _by_chance(table: IntArray, rng: np.random.Generator) -> FloatArray:
    """Mutual information of random tables with the same margins."""
    from scipy.stats import random_table  # lazy: .4 s

    margins = random_table(table.sum(axis=1), table.sum(axis=0))
    step = max(1, 2_000_000 // table.size)
    parts = []
    for start in range(0, _TABLES, step):
        parts.append(_mutual(margins.rvs(min(step, _TABLES - start), random_state=rng)))
    return np.concatenate(parts)


def _best_auroc(numbers: FloatArray | None, target: IntArray) -> float:
    from scipy.stats import rankdata  # lazy: .4 s

    if numbers is None:
        return float("nan")
    known = ~np.isnan(numbers) & (target >= 0)
    ranks, codes = rankdata(numbers[known]), target[known]
    size = np.bincount(codes)
    sums = np.bincount(codes, weights=ranks)
    pairs = size * (len(codes) - size)
    above = sums - size * (size + 1) / 2
    areas = np.divide(above, pairs, out=np.full(len(size), 0.5), where=pairs > 0)
    return float(np.maximum(areas, 1 - areas).max(initial=0.5))
