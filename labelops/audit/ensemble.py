"""Several held-out opinions as one: each calibrated by the labels, then blended.

A view is a matrix of probabilities that did not see an item's own label. Each is first given the
temperature under which it predicts the labels best, so that one which cannot predict them is
flattened and has no say; then they are blended (`blend`). `docs/benchmarks.md` has what is found
so beside the mean of the learners.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from labelops.audit.graph import NeighbourGraph, neighbour_votes
from labelops.audit.neighbours import nearest_labels
from labelops.errors import UsageError
from labelops.measure.aligned import array_of
from labelops.measure.calibration import apply_temperature, fit_temperature
from labelops.measure.codes import BoolArray, FloatArray, IntArray
from labelops.measure.draws import check_rng, some_rows
from labelops.measure.logs import log_sum_exp

__all__ = ["View", "as_probs", "as_view", "blend", "margins", "neighbour_probs", "without_say"]

_FLOOR = 1e-6  # No single view makes more than a million to one of a label.
_ENOUGH = 50_000
_SUMS = 0.01  # Half-precision rows and softmaxes printed with three digits still pass.


@dataclass(frozen=True, slots=True)
class View:
    """One held-out opinion, calibrated.

    Attributes
    ----------
    name : str
    logs : (N, K) float
        Log probabilities at the temperature that predicts the labels best.
    raw : (N,) float
        The self-confidence of each label before that; low = bad, NaN where the label is missing.
    temperature : float
        Above 1: the view was over-confident; 100: it says nothing about these labels.
    """

    name: str
    logs: FloatArray
    raw: FloatArray
    temperature: float


def as_probs(raw: ArrayLike, rows: int, n_classes: int, name: str) -> FloatArray:
    """Return a matrix of probabilities as float64 with rows that sum to exactly 1.

    Half and single precision, any memory order, and rows within 1 % of 1 are taken.

    Raises
    ------
    UsageError
        Another shape, or a row that is not finite, is negative or does not sum to 1.

    Examples
    --------
    >>> as_probs(np.float16([[0.1, 0.9]]), 1, 2, "mine").sum()
    np.float64(1.0)
    """
    array = array_of(f"probs {name!r}", raw, "a rectangular table of numbers", np.float64)
    if array.shape != (rows, n_classes):
        raise UsageError(f"probs {name!r}: {_said_shape(array.shape, rows, n_classes)}")
    total = array.sum(axis=1)
    unfit = ~np.isfinite(total) | (array < 0).any(axis=1) | (np.abs(total - 1) > _SUMS)
    if unfit.any():
        row = int(np.flatnonzero(unfit)[0])
        raise UsageError(
            f"probs {name!r}: row {row} is {array[row][:6].tolist()} with the sum {total[row]:.6g}"
            "; expected numbers of at least 0 that sum to 1"
        )
    return np.asarray(array / total[:, None])


def _said_shape(shape: tuple[int, ...], rows: int, n_classes: int) -> str:
    """Say what shape was expected, and how one gets there that may be meant."""
    if len(shape) == 2 and shape[0] < shape[1] == rows:
        return f"found shape {shape} for {rows} codes, a column an item; pass probs.T"
    if len(shape) == 1:
        two = "; for two classes pass np.column_stack([1 - p, p])" if n_classes == 2 else ""
        return f"found shape {shape}, expected a row an item and a column a class{two}"
    said = f"found shape {shape}, expected ({rows}, {n_classes})"
    return f"{said}: a row an item, a column a class"


def as_view(
    name: str, probs: FloatArray, codes: IntArray, rng: np.random.Generator | None = None
) -> View:
    """Calibrate held-out probabilities by the labels they did not see; -1 where they saw it.

    Of more than 50,000 rows so many, drawn by `rng` (seeded with 0 when left out), say enough of
    the one number that is learned.
    """
    rng = np.random.default_rng(0) if rng is None else rng
    check_rng(rng)
    known = np.flatnonzero(codes >= 0)
    raw = np.full(len(codes), np.nan)
    raw[known] = probs[known, codes[known]]
    # Floored first: a forest's flat zeros are no certainty, and would set the temperature alone.
    some = some_rows(known, _ENOUGH, rng)
    temperature = fit_temperature(_at_least(probs[some], _FLOOR), codes[some])
    # What a far too sure model says beyond the floor still tells its errors from the labels'.
    cooled = apply_temperature(_at_least(probs, _least(probs)), temperature)
    logs = np.log(np.maximum(cooled, _FLOOR))
    return View(name, logs, raw, temperature)


def without_say(views: Mapping[str, View], held: Mapping[str, BoolArray]) -> dict[str, View]:
    """Take from views what they say of rows that they had seen: the others are blended there.

    All views say this blend of such a row, and so does their own blend. Where there is no other, it
    is what they say on average.

    Parameters
    ----------
    views : mapping of str to View
    held : mapping of str to (N,) bool
        Which rows a view is held out of; one that is not named, of all.

    Examples
    --------
    >>> logs = np.log([[0.9, 0.1], [0.9, 0.1]]), np.log([[0.2, 0.8], [0.2, 0.8]])
    >>> views = {n: View(n, a, np.ones(2), 1.0) for n, a in zip("ab", logs)}
    >>> np.exp(without_say(views, {"a": np.array([True, False])})["a"].logs).round(2).tolist()
    [[0.9, 0.1], [0.2, 0.8]]
    """
    N = len(next(iter(views.values())).logs)
    may = np.stack([held.get(name, np.ones(N, dtype=np.bool_)) for name in views])
    rows = np.flatnonzero(~may.all(axis=0))
    if not rows.size:
        return dict(views)
    whole = np.setdiff1d(np.arange(N), rows)
    usual = np.mean([np.exp(view.logs[whole]).mean(axis=0) for view in views.values()], axis=0)
    say = may[:, rows]
    there = _between([view.logs[rows] for view in views.values()], say)
    there[~say.any(axis=0)] = np.log(usual)
    found = {}
    for name, view in views.items():
        changed = view.logs.copy()
        changed[rows] = there
        found[name] = replace(view, logs=changed)
    return found


def _at_least(probs: FloatArray, floor: float) -> FloatArray:
    possible = np.maximum(probs, floor)
    return np.asarray(possible / possible.sum(axis=1, keepdims=True))


def _least(probs: FloatArray) -> float:
    """Say what a zero may stand for: the floor, or the least number said where that is below it."""
    return float(probs.min(where=probs > 0, initial=_FLOOR))


def neighbour_probs(
    features: Any,  # dense or scipy-sparse: no common type
    codes: IntArray,
    groups: Sequence[str] | NDArray[Any] | None,
    n_classes: int,
    rng: np.random.Generator,
    k: int = 10,
    graph: NeighbourGraph | None = None,
) -> FloatArray:
    """Give each class its share among the k nearest items outside the item's own group.

    Half a vote is spread over all classes, so that nothing is impossible. A graph of the
    features that is known already is read instead of looking anew.

    Examples
    --------
    >>> X, y = [[1, 0], [1, 0.1], [1, 0.2], [0, 1]], np.array([0, 0, 1, 1])
    >>> neighbour_probs(X, y, None, 2, np.random.default_rng(0), k=2)[2].tolist()
    [0.9, 0.1]
    """
    check_rng(rng)
    if graph is None:
        near = nearest_labels(features, codes, groups, k=k, rng=rng)
    else:
        near = neighbour_votes(graph, codes, groups)[:, :k]
    cells = np.arange(len(near))[:, None] * (n_classes + 1) + near + 1
    counts = np.bincount(cells.ravel(), minlength=len(near) * (n_classes + 1))
    votes = counts.reshape(len(near), n_classes + 1)[:, 1:] + 0.5 / n_classes
    return np.asarray(votes / votes.sum(axis=1, keepdims=True))


def margins(logs: FloatArray, rows: IntArray, codes: IntArray) -> FloatArray:
    """Say how far each row's class leads the best other class, in log odds; low = bad.

    Parameters
    ----------
    logs : (N, K) float
        Log probabilities.
    rows, codes : (M,) int
        Which rows are asked about, and the class in question for each.

    Examples
    --------
    >>> margins(np.log([[0.2, 0.8]]), np.array([0, 0]), np.array([0, 1])).round(2).tolist()
    [-1.39, 1.39]
    """
    every = np.arange(len(logs))
    first = logs.argmax(axis=1)
    rest = logs.copy()
    rest[every, first] = -np.inf
    second = rest.max(axis=1)
    other = np.where(codes == first[rows], second[rows], logs[rows, first[rows]])
    return np.asarray(logs[rows, codes] - other)


def blend(views: Mapping[str, View]) -> FloatArray:
    """Return what lies between the views' geometric and their arithmetic mean, (N, K).

    By the geometric mean one view's doubt rules a class out, by the arithmetic one view's belief
    keeps it in. In logs the blend lies half-way, which ranks better than either.

    References
    ----------
    Genest, Zidek 1986, https://doi.org/10.1214/ss/1177013825 (both kinds of pools)

    Examples
    --------
    >>> a, b = (View(n, np.log([[p, 1 - p]]), np.ones(1), 1.0) for n, p in (("a", 0.9), ("b", 0.5)))
    >>> blend({"a": a, "b": b}).round(2).tolist()
    [[0.73, 0.27]]
    """
    all_say = np.ones((len(views), 1), dtype=np.bool_)
    return np.exp(_between([view.logs for view in views.values()], all_say))


def _between(views: Sequence[FloatArray], say: BoolArray) -> FloatArray:
    """Blend the (M, K) logs of those views that have a say in a row; NaN where none has."""
    with np.errstate(invalid="ignore"):
        shares = say / say.sum(axis=0)
    # One view at a time: of a million rows all together would take a gigabyte.
    geometric, arithmetic = np.zeros(views[0].shape), np.zeros(views[0].shape)
    for logs, share in zip(views, shares, strict=True):
        normalised = logs - log_sum_exp(logs, axis=1, keepdims=True)
        geometric += share[:, None] * normalised
        arithmetic += share[:, None] * np.exp(normalised)
    geometric -= log_sum_exp(geometric, axis=1, keepdims=True)
    both = (geometric + np.log(arithmetic)) / 2
    return np.asarray(both - log_sum_exp(both, axis=1, keepdims=True))
