"""Attributes of items, cut into few values, for statistics over tables of counts."""

from __future__ import annotations

import json
from collections.abc import Collection
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from labelops.errors import UsageError, shown
from labelops.measure.codes import BoolArray, FloatArray, IntArray

__all__ = ["Binned", "attributes_of", "bin_attribute", "corrected", "worse_than_rest"]

_BINS = 10
_COLUMNS = 20
_MISSING = "missing"
_OTHERS = "others"
_EXACT = 2.0**53
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
    values = given if isinstance(given, pd.Series | pd.Index) else np.asarray(given)
    if isinstance(values, np.ndarray) and values.dtype.kind == "U":
        values = np.asarray(given, dtype=object)  # A missing one of a list is not called "nan".
    if values.ndim > 1:
        raise UsageError(f"attribute {shown(name)}: expected one value an item, found several")
    series = pd.Series(values.array if not isinstance(values, np.ndarray) else values)
    if len(series) != rows:
        raise UsageError(f"attribute {shown(name)}: found {len(series)} values for {rows} items")
    if _are_numbers(series):
        return _bin_numbers(np.asarray(series, dtype=np.float64))
    try:
        codes, names = pd.factorize(series.astype(object), sort=False)
    except TypeError as problem:
        raise UsageError(f"attribute {shown(name)}: expected numbers or strings") from problem
    texts = [str(n) for n in names]
    if len(texts) > _VALUES:
        codes, texts = _pooled(codes, texts)
    return _with_missing(codes.astype(np.int64), texts, None)


def _are_numbers(series: pd.Series) -> bool:
    """Say whether values are to be cut: whole numbers that floats do not tell apart are names."""
    types = pd.api.types
    if not types.is_numeric_dtype(series) or types.is_bool_dtype(series):
        return False
    if types.is_integer_dtype(series):
        return not (np.abs(np.asarray(series, dtype=np.float64)) > _EXACT).any()
    return not types.is_complex_dtype(series)


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
        names = _told_apart(different)
    else:
        edges = np.unique(np.quantile(known, np.arange(1, _BINS) / _BINS, method="inverted_cdf"))
        edges = edges[edges > different[0]]
        codes = np.searchsorted(edges, numbers, side="right").astype(np.int64)
        ends = _told_apart(np.concatenate([different[:1], edges, different[-1:]]))
        names = [f"[{low}, {high})" for low, high in pairwise(ends)]
        names[-1] = names[-1][:-1] + "]"
    codes[np.isnan(numbers)] = -1
    return _with_missing(codes, names, numbers)


def _told_apart(values: FloatArray) -> list[str]:
    """Write numbers with six digits, or as many more as tell different ones apart."""
    wanted = len(np.unique(values))
    for digits in range(6, 18):
        texts = [f"{value:.{digits}g}" for value in values]
        if len(set(texts)) >= wanted:
            break
    return texts


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
    from scipy.stats import false_discovery_control  # lazy: .4 s

    if not p_values.size:
        return p_values
    return np.asarray(false_discovery_control(p_values, method="bh"), dtype=np.float64)


def worse_than_rest(
    sizes: IntArray,
    errors: IntArray,
    total: ArrayLike,
    bad: ArrayLike,
    *,
    least: float,
    risk: float,
) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray, BoolArray]:
    """Hold the share of errors in parts against that of the rest, by Fisher's exact test.

    Parameters
    ----------
    sizes, errors : (S,) int
        Items of each part, and errors among them.
    total, bad : int, or (S,) int
        Items of the whole that each is a part of, and errors among them.
    least, risk : float
        As in `underperforming_slices`.

    Returns
    -------
    rates, rest, p_values, q_values, flagged : (S,) array each
        As in `Slices`.

    Examples
    --------
    >>> found = worse_than_rest(np.array([10, 40]), np.array([8, 0]), 50, 8, least=0.05, risk=0.05)
    >>> found[0].tolist(), found[1].tolist(), found[4].tolist()
    ([0.8, 0.0], [0.0, 0.8], [True, False])
    """
    from scipy.stats import hypergeom  # lazy: .4 s

    S = len(sizes)
    p_values = np.where(sizes > 0, hypergeom.sf(errors - 1, total, bad, sizes), 1.0)
    # Whole tables may add up to 1 + 1e-16.
    q_values = corrected(np.clip(p_values, 0, 1))
    others = np.asarray(total) - sizes
    rates = np.divide(errors, sizes, out=np.full(S, np.nan), where=sizes > 0)
    rest = np.divide(np.asarray(bad) - errors, others, out=np.full(S, np.nan), where=others > 0)
    with np.errstate(invalid="ignore"):
        flagged = (q_values <= risk) & (rates - rest >= least)
    return rates, rest, p_values, q_values, flagged


def attributes_of(
    items: pd.DataFrame, *, texts: bool, without: Collection[str] = ()
) -> dict[str, pd.Series]:
    """Return what a table of items says about each beside its content, by name.

    Parameters
    ----------
    items : items frame
    texts : bool
        Whether payloads are texts, whose length is an attribute too.
    without : collection of str
        Columns to leave out, such as those that are labels.

    Returns
    -------
    mapping of name to (N,) series
        The source, the length of a text, and single values among the other columns of the
        source; what is alike for all items, or different for nearly each, is left out. At most
        twenty columns, by name.

    Examples
    --------
    >>> items = pd.DataFrame({"source": ["web", "web", "mail"], "payload": ["a", "bb", "c"],
    ...     "attributes": ['{"by":"x"}', '{"by":"y"}', '{"by":"x","split":"test"}']})
    >>> sorted(attributes_of(items, texts=True))
    ['by', 'length', 'source']
    """
    rows = [json.loads(text) for text in items["attributes"]]
    names = sorted({name for row in rows for name in row} - {"split", *without})
    found = {name: pd.Series([_single(row.get(name)) for row in rows]) for name in names}
    found["source"] = items["source"].reset_index(drop=True)
    if texts:
        found["length"] = items["payload"].str.len().reset_index(drop=True)
    told = {name: values for name, values in found.items() if _tells(values)}
    return dict(sorted(told.items())[:_COLUMNS])


def _single(value: object) -> object:
    return value if isinstance(value, str | int | float | bool) else None


def _tells(values: pd.Series) -> bool:
    """Say whether values are neither all alike nor, but for numbers, nearly all different."""
    different = values.nunique(dropna=False)
    numbers = pd.api.types.is_numeric_dtype(values)
    return bool(different > 1 and (numbers or different <= max(len(values) / 2, 2)))
