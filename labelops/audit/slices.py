"""Slices: groups that are labeled worse than the rest, and attributes that give the label away.

Both look at many attributes at once, so flags are corrected for looking often, and need an
effect as well: with a million rows every difference is significant.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy.stats import chi2, false_discovery_control, hypergeom, rankdata
from scipy.stats.contingency import expected_freq

from labelops.errors import UsageError, shown
from labelops.measure.codes import BoolArray, FloatArray, IntArray, check_codes
from labelops.measure.intervals import check_share

__all__ = ["Slices", "SpuriousAttributes", "spurious_attributes", "underperforming_slices"]

_BINS = 10
_MISSING = "missing"
_OTHERS = "others"
_VALUES = 200  # Of an attribute; rarer ones are looked at together.
_FEW = 5  # Expected counts below which the chi-squared approximation is not trusted.
_TABLES = 2_000


@dataclass(frozen=True, slots=True)
class Slices:
    """One row a value of an attribute, the worst first.

    Attributes
    ----------
    attributes, values : (S,) object
        What the slice is: ``source`` = ``scanner 2``; numbers as ranges, ``[3, 8)``.
    sizes, errors : (S,) int
        Judged items in the slice, and errors among them.
    rates, rest : (S,) float
        Share of errors in the slice and outside of it; NaN where nobody is.
    p_values, q_values : (S,) float
        Of "no worse than the rest" (Fisher's exact test), and corrected for all slices.
    flagged : (S,) bool
    """

    attributes: NDArray[np.object_]
    values: NDArray[np.object_]
    sizes: IntArray
    errors: IntArray
    rates: FloatArray
    rest: FloatArray
    p_values: FloatArray
    q_values: FloatArray
    flagged: BoolArray


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


@dataclass(frozen=True, slots=True)
class _Binned:
    """An attribute as codes: `names[codes[i]]` is item i's value."""

    codes: IntArray
    names: list[str]
    numbers: FloatArray | None


def underperforming_slices(
    wrong: ArrayLike,
    attributes: Mapping[str, ArrayLike],
    *,
    least: float = 0.05,
    risk: float = 0.05,
) -> Slices:
    """Find values of attributes among which more is wrong than among the rest.

    Parameters
    ----------
    wrong : (N,) array-like of bool or of 0 and 1
        Confirmed errors, or disagreements with a model or among annotators; NaN or None where
        nobody judged.
    attributes : mapping of name to (N,) array-like
        Facts about the items: source, annotator, length, a cluster of the features. Numbers
        with more than ten values are cut at their deciles; what is missing is a value too, and
        so are all values after the 200 commonest together.
    least : float
        A slice is flagged only if its rate is above the rest by this much, in [0, 1].
    risk : float
        Tolerated share of false flags (Benjamini–Hochberg over all slices), in (0, 1).

    Raises
    ------
    UsageError
        A length differs, or `wrong` holds something else than 0, 1 and missing.

    References
    ----------
    Fisher 1922, https://doi.org/10.2307/2340521
    Benjamini, Hochberg 1995, https://doi.org/10.1111/j.2517-6161.1995.tb02031.x

    Examples
    --------
    >>> wrong = [1] * 8 + [0] * 2 + [0] * 40
    >>> found = underperforming_slices(wrong, {"source": ["a"] * 10 + ["b"] * 40})
    >>> found.values.tolist(), found.rates.tolist(), found.flagged.tolist()
    (['a', 'b'], [0.8, 0.0], [True, False])
    """
    check_share("least", least)
    check_share("risk", risk, inside=True)
    outcome = _outcomes(wrong)
    judged = outcome >= 0
    total, bad = int(judged.sum()), int((outcome == 1).sum())
    names: list[str] = []
    values: list[str] = []
    sizes: list[IntArray] = []
    errors: list[IntArray] = []
    for name, given in attributes.items():
        binned = _bin(name, given, len(outcome))
        S = len(binned.names)
        names += [name] * S
        values += binned.names
        sizes.append(np.bincount(binned.codes[judged], minlength=S))
        errors.append(np.bincount(binned.codes[outcome == 1], minlength=S))
    n, x = (np.concatenate([*parts, np.zeros(0, dtype=np.int64)]) for parts in (sizes, errors))
    p_values = np.where(n > 0, hypergeom.sf(x - 1, total, bad, n), 1.0)
    # Whole tables may add up to 1 + 1e-16.
    q_values = _corrected(np.clip(p_values, 0, 1))
    rates = np.divide(x, n, out=np.full(len(n), np.nan), where=n > 0)
    rest = np.divide(bad - x, total - n, out=np.full(len(n), np.nan), where=total > n)
    with np.errstate(invalid="ignore"):
        flagged = (q_values <= risk) & (rates - rest >= least)
    order = np.lexsort((-np.nan_to_num(rates), p_values, ~flagged))
    return Slices(
        np.array(names, dtype=object)[order],
        np.array(values, dtype=object)[order],
        *(part[order] for part in (n, x, rates, rest, p_values, q_values, flagged)),
    )


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
    if not 0 <= least <= 0.25:
        raise UsageError(f"least is {least}, expected 0 to 0.25")
    check_share("risk", risk, inside=True)
    target = check_codes(codes, int(np.max(codes, initial=-1)) + 1)
    rows = []
    for name, given in attributes.items():
        binned = _bin(name, given, len(target))
        known = target >= 0
        table = _table(binned.codes[known], target[known])
        rows.append((*_information(table, rng), _best_auroc(binned.numbers, target)))
    information, p_values, auroc = np.array(rows, dtype=np.float64).reshape(-1, 3).T
    q_values = _corrected(p_values)
    with np.errstate(invalid="ignore"):
        strong = (information >= least) | (auroc >= 0.5 + 2 * least)
    return SpuriousAttributes(
        np.array([*attributes], dtype=object), information, auroc, p_values, q_values,
        strong & (q_values <= risk),
    )  # fmt: skip


def _outcomes(wrong: ArrayLike) -> IntArray:
    """Return 0, 1, or -1 where nobody judged."""
    try:
        values = np.asarray(pd.Series(np.asarray(wrong)).astype("float64"))
    except (TypeError, ValueError) as error:
        raise UsageError("wrong: expected one of 0, 1 or missing for each item") from error
    bad = np.flatnonzero(~(np.isnan(values) | (values == 0) | (values == 1)))
    if bad.size:
        raise UsageError(f"wrong: row {bad[0]} is {values[bad[0]]}, expected 0, 1 or missing")
    return np.where(np.isnan(values), -1, values).astype(np.int64)


def _bin(name: str, given: ArrayLike, rows: int) -> _Binned:
    series = pd.Series(np.asarray(given) if not isinstance(given, pd.Series) else given.array)
    if len(series) != rows:
        raise UsageError(f"attribute {shown(name)}: found {len(series)} values for {rows} items")
    if pd.api.types.is_numeric_dtype(series) and not pd.api.types.is_bool_dtype(series):
        return _bin_numbers(np.asarray(series, dtype=np.float64))
    codes, names = pd.factorize(series.astype(object), sort=False)
    texts = [str(n) for n in names]
    if len(texts) > _VALUES:
        codes, texts = _pooled(codes, texts)
    return _with_missing(codes.astype(np.int64), texts, None)


def _pooled(codes: IntArray, names: list[str]) -> tuple[IntArray, list[str]]:
    """Keep the commonest values; all others are one more."""
    size = np.bincount(codes[codes >= 0], minlength=len(names))
    kept = np.sort(np.argsort(-size, kind="stable")[:_VALUES])
    number = np.full(len(names) + 1, _VALUES)
    number[kept], number[-1] = np.arange(_VALUES), -1
    return number[codes], [*(names[k] for k in kept), _OTHERS]


def _bin_numbers(numbers: FloatArray) -> _Binned:
    known = numbers[~np.isnan(numbers)]
    different = np.unique(known)
    if len(different) <= _BINS:
        codes = np.searchsorted(different, numbers).astype(np.int64)
        names = [f"{value:g}" for value in different]
    else:
        edges = np.unique(np.quantile(known, np.arange(1, _BINS) / _BINS, method="inverted_cdf"))
        edges = edges[edges > different[0]]
        codes = np.searchsorted(edges, numbers, side="right").astype(np.int64)
        ends = [f"{different[0]:g}", *(f"{e:g}" for e in edges), f"{different[-1]:g}"]
        names = [f"[{low}, {high})" for low, high in pairwise(ends)]
        names[-1] = names[-1][:-1] + "]"
    codes[np.isnan(numbers)] = -1
    return _with_missing(codes, names, numbers)


def _with_missing(codes: IntArray, names: list[str], numbers: FloatArray | None) -> _Binned:
    if (codes < 0).any():
        codes, names = np.where(codes < 0, len(names), codes), [*names, _MISSING]
    return _Binned(codes, names, numbers)


def _table(rows: IntArray, columns: IntArray) -> IntArray:
    """Return the counts of each pair of codes, without empty rows and columns."""
    K = int(columns.max(initial=-1)) + 1
    R = int(rows.max(initial=-1)) + 1
    counts = np.bincount(rows * K + columns, minlength=R * K).reshape(R, K)
    kept = counts[counts.any(axis=1)][:, counts.any(axis=0)]
    return np.asarray(kept, dtype=np.int64)


def _information(table: IntArray, rng: np.random.Generator) -> tuple[float, float]:
    """Share of the columns' uncertainty that the rows remove, and its p-value."""
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
    from scipy.stats import random_table  # lazy: only for sparse tables

    margins = random_table(table.sum(axis=1), table.sum(axis=0))
    step = max(1, 2_000_000 // table.size)
    parts = []
    for start in range(0, _TABLES, step):
        parts.append(_mutual(margins.rvs(min(step, _TABLES - start), random_state=rng)))
    return np.concatenate(parts)


def _best_auroc(numbers: FloatArray | None, target: IntArray) -> float:
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


def _corrected(p_values: FloatArray) -> FloatArray:
    if not p_values.size:
        return p_values
    return np.asarray(false_discovery_control(p_values, method="bh"), dtype=np.float64)
