"""Attributes of items, cut into few values, for statistics over tables of counts."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from scipy.stats import false_discovery_control

from labelops.errors import UsageError, shown
from labelops.measure.codes import FloatArray, IntArray

__all__ = ["Binned", "bin_attribute", "corrected"]

_BINS = 10
_MISSING = "missing"
_OTHERS = "others"
_VALUES = 200  # Of an attribute; rarer ones are looked at together.


@dataclass(frozen=True, slots=True)
class Binned:
    """An attribute as codes: `names[codes[i]]` is item i's value."""

    codes: IntArray
    names: list[str]
    numbers: FloatArray | None


def bin_attribute(name: str, given: ArrayLike, rows: int) -> Binned:
    """Cut an attribute: numbers at their deciles, the values after the 200 commonest together.

    Examples
    --------
    >>> binned = bin_attribute("source", ["b", None, "b", "a"], 4)
    >>> binned.codes.tolist(), binned.names
    ([0, 2, 0, 1], ['b', 'a', 'missing'])
    """
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


def _bin_numbers(numbers: FloatArray) -> Binned:
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


def _with_missing(codes: IntArray, names: list[str], numbers: FloatArray | None) -> Binned:
    if (codes < 0).any():
        codes, names = np.where(codes < 0, len(names), codes), [*names, _MISSING]
    return Binned(codes, names, numbers)


def corrected(p_values: FloatArray) -> FloatArray:
    """Correct p-values for looking so often (Benjamini–Hochberg); none stay none.

    Examples
    --------
    >>> corrected(np.array([0.01, 0.5])).tolist()
    [0.02, 0.5]
    """
    if not p_values.size:
        return p_values
    return np.asarray(false_discovery_control(p_values, method="bh"), dtype=np.float64)
