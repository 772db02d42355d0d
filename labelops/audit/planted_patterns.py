"""Values of a few columns with which rows get a label that nothing else about them explains.

Who plants a trigger (a patch in pictures, a number nobody would enter) labels the rows that have it
with one class. Models learn that, and rows with a trigger are each other's neighbours. So each
value that nearly always goes with one label is left out in turn, and the rows that have it are
compared with those that have not: are their labels contradicted then, while the class's other
labels are not?
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from labelops.audit.attributes import corrected
from labelops.audit.classes import dense_rows
from labelops.measure.codes import BoolArray, FloatArray, IntArray
from labelops.measure.draws import check_rng, some_rows

__all__ = ["PlantedPattern", "planted_patterns"]

_ROWS = 20_000  # Of which patterns are looked for.
_FEWEST, _MOST = 4, 0.15  # Rows with a pattern: so many, and this share of all.
_TELLS = 0.8  # Of the rows with a pattern so many have one label …
_PART = 0.5  # … and are this part of the class's rows at most.
_ENDS = (0.005, 0.01, 0.02, 0.05, 0.1, 0.15)  # Shares of the rows at an end of a column.
_ALIKE = 0.7  # Of the rows of either, from which on two columns show one pattern.
_NEAR = 10
_ASKED, _OTHERS, _VOTERS = 100, 300, 5_000
# Of the labels with the pattern so many more are contradicted than of the class's others, and of
# these no more than so many: where they are, the class is told by such values, planted or not.
_LEAST, _DOUBTFUL = 0.6, 0.2
_RISK = 1e-3


@dataclass(frozen=True, slots=True)
class PlantedPattern:
    """Values that seem to turn labels.

    Attributes
    ----------
    code : int
        The class that the labels name.
    columns : tuple of int
        Where they stand; the first has the values `low` to `high`.
    low, high : float
    rows : (n,) int
        Rows that have them and this label.
    doubted, otherwise : float
        Share of these labels, and of the class's others, that the nearest rows contradict where
        the columns are left out.
    """

    code: int
    columns: tuple[int, ...]
    low: float
    high: float
    rows: IntArray
    doubted: float
    otherwise: float


@dataclass(slots=True)
class _Candidate:
    columns: list[int]
    low: float
    high: float
    held: BoolArray
    code: int


def planted_patterns(
    features: Any, codes: ArrayLike, *, ends: bool = False, rng: np.random.Generator
) -> tuple[PlantedPattern, ...]:
    """Find values with which labels are given that the rest of the row contradicts.

    Parameters
    ----------
    features : (N, D) array
        Numbers that mean something each: measurements, or pixels; at least two columns that vary.
    codes : (N,) array-like of int
        Labels; -1 is missing.
    ends : bool
        Whether the largest and the smallest values of a column are one, as a patch's are in
        pictures that were saved with losses; else only values that are exactly alike. Where
        columns have no bounds, ends are taken for planted that are not.
    rng : numpy.random.Generator
        Draws rows where there are many.

    Returns
    -------
    tuple of PlantedPattern, the surest first

    Raises
    ------
    UsageError
        Shapes differ or a feature is not finite.

    Notes
    -----
    A sound rule by one column that says a small part of a class looks the same, if the class's
    others are told by the other columns.

    References
    ----------
    Gu, Dolan-Gavitt, Garg 2017, https://doi.org/10.48550/arXiv.1708.06733 (patches as triggers)
    Fisher 1922, https://doi.org/10.2307/2340521
    Benjamini, Hochberg 1995, https://doi.org/10.1111/j.2517-6161.1995.tb02031.x

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> codes = np.repeat([0, 1], 100)
    >>> points = rng.normal(size=(200, 3)) + 6 * np.eye(3)[codes]
    >>> points[110:120, 2], codes[110:120] = 7.5, 0
    >>> [(p.code, p.columns, p.high, len(p.rows)) for p in planted_patterns(points, codes, rng=rng)]
    [(0, (2,), 7.5, 10)]
    """
    from scipy.stats import hypergeom  # lazy: .4 s

    check_rng(rng)
    points, labels = dense_rows(features, codes)
    some = some_rows(np.flatnonzero(labels >= 0), _ROWS, rng)
    values, known = points[some], labels[some]
    if not len(known) or values.shape[1] < 2:
        return ()
    scaled = _scaled(values)
    found: list[tuple[_Candidate, float, float]] = []
    chances: list[float] = []
    for pattern in _one_each(_candidates(values, known, ends)):
        doubted, otherwise, chance = 0.0, np.nan, 1.0
        rest = np.setdiff1d(np.arange(values.shape[1]), pattern.columns)
        if rest.size:
            doubted, otherwise, (x, n, y, m) = _doubts(scaled[:, rest], known, pattern, rng)
            chance = float(hypergeom.sf(x - 1, n + m, x + y, n)) if m else 1.0
        found.append((pattern, doubted, otherwise))
        chances.append(chance)
    sure = corrected(np.minimum(np.array(chances), 1.0)) <= _RISK
    kept: list[PlantedPattern] = []
    for i in np.argsort(chances, kind="stable"):
        _, doubted, otherwise = found[i]
        if sure[i] and otherwise <= _DOUBTFUL and doubted - otherwise >= _LEAST:
            one = _of_all(points, labels, *found[i])
            # The end of a column holds the value at its end, and most of the same rows.
            if not any(np.isin(one.rows, other.rows).mean() > _PART for other in kept):
                kept.append(one)
    return tuple(kept)


def _scaled(values: Any) -> FloatArray:
    spread = values.std(axis=0)
    return np.asarray((values - values.mean(axis=0)) / np.where(spread > 0, spread, 1))


def _candidates(values: Any, labels: IntArray, ends: bool) -> Iterator[_Candidate]:
    """Yield values, and ends of columns, that a few rows have, nearly all of one label."""
    N = len(labels)
    sizes = np.bincount(labels)
    for column, cells in enumerate(values.T):
        different, counts = np.unique(cells, return_counts=True)
        if len(different) < 2:
            continue
        fit = (counts >= _FEWEST) & (counts <= _MOST * N)
        spans = [(value, value) for value in different[fit]]
        up_to = counts.cumsum()
        for share in _ENDS if ends else ():
            low, high = np.searchsorted(up_to, [share * N, (1 - share) * N])
            spans += [(different[0], different[low])] if low < len(different) - 1 else []
            spans += [(different[high], different[-1])] if 0 < high < len(different) else []
        for low, high in spans:
            held = (cells >= low) & (cells <= high)
            n = int(held.sum())
            by = np.bincount(labels[held], minlength=len(sizes))
            code = int(by.argmax())
            few = _FEWEST <= n <= _MOST * N and by[code] <= _PART * sizes[code]
            if few and by[code] >= max(_TELLS * n, _FEWEST):
                yield _Candidate([column], float(low), float(high), held, code)


def _one_each(candidates: Iterator[_Candidate]) -> list[_Candidate]:
    """Put columns that about the same rows have together, as of a patch; values before ends."""
    kept: list[_Candidate] = []
    for one in sorted(candidates, key=lambda c: (c.low < c.high, -int(c.held.sum()))):
        for other in kept:
            shared = int((one.held & other.held).sum())
            if one.code == other.code and shared >= _ALIKE * int((one.held | other.held).sum()):
                other.columns += [c for c in one.columns if c not in other.columns]
                break
        else:
            kept.append(one)
    return kept


def _doubts(
    points: FloatArray, labels: IntArray, pattern: _Candidate, rng: np.random.Generator
) -> tuple[float, float, tuple[int, int, int, int]]:
    """Return which shares of labels, with the pattern and without, are contradicted; and counts."""
    own = labels == pattern.code
    voters = some_rows(np.flatnonzero(~pattern.held), _VOTERS, rng)
    asked = some_rows(np.flatnonzero(own & pattern.held), _ASKED, rng)
    with_it = _contradicted(points, labels, asked, voters, pattern.code)
    x, n = int(with_it.sum()), len(with_it)
    if x < _LEAST * n:
        return x / n, np.nan, (x, n, 0, 0)
    others = some_rows(np.flatnonzero(own & ~pattern.held), _OTHERS, rng)
    without = _contradicted(points, labels, others, voters, pattern.code)
    y, m = int(without.sum()), len(without)
    return x / n, y / m, (x, n, y, m)


def _contradicted(
    points: FloatArray, labels: IntArray, rows: IntArray, voters: IntArray, code: int
) -> BoolArray:
    """Say of which rows the nearest voters name another class, and half at most name this one."""
    if len(voters) <= _NEAR:
        return np.zeros(len(rows), dtype=np.bool_)
    half = np.einsum("nd,nd->n", points[voters], points[voters]) / 2
    far = half - points[rows] @ points[voters].T
    far[rows[:, None] == voters] = np.inf
    near = labels[voters][np.argpartition(far, _NEAR, axis=1)[:, :_NEAR]]
    flat = np.arange(len(rows))[:, None] * (labels.max() + 1) + near
    counts = np.bincount(flat.ravel(), minlength=len(rows) * (labels.max() + 1))
    counts = counts.reshape(len(rows), -1)
    return np.asarray((counts.argmax(axis=1) != code) & (counts[:, code] <= _NEAR / 2))


def _of_all(
    points: Any, labels: IntArray, pattern: _Candidate, doubted: float, otherwise: float
) -> PlantedPattern:
    cells = points[:, pattern.columns[0]]
    held = (cells >= pattern.low) & (cells <= pattern.high) & (labels == pattern.code)
    return PlantedPattern(
        pattern.code, tuple(pattern.columns), pattern.low, pattern.high, np.flatnonzero(held),
        doubted, otherwise,
    )  # fmt: skip
