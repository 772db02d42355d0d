"""Refusing probabilities of models that had learned the labels they are to judge.

Such a model repeats a wrong label with confidence, so its errors stay hidden. Whoever brings
probabilities says which fold each row was held out of, or declares that the model never saw the
items; and both are checked as far as the numbers allow.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy.special import bdtr, expit, pdtr

from labelops.errors import UsageError, counted, percent
from labelops.measure.aligned import array_of
from labelops.measure.codes import BoolArray, FloatArray, IntArray

__all__ = ["check_folds", "check_not_memorised", "split_rows", "too_many_split"]

_FEW = 10  # Contradicted labels below which nothing can be said.
_STRONG = 0.8  # Share of the neighbours that must carry one other class.
_HONEST = 0.4  # Held-out models repeated at most 15 % of such labels, trained ones 60 to 100 %.
_SPLIT = 0.05  # Share of rows in groups that lie in several folds.
_RISK = 1e-3  # Of refusing a model that repeats four in ten, or half of its doubts.
_PERFECT, _SURE, _MANY = 0.999, 0.99, 500
_LOYAL, _TRUE = 0.998, 0.5  # Repeated at least; share of honest doubts, sharpened, that come true.
_LEAST = 1e-9


def check_folds(
    folds: ArrayLike | None,
    out_of_sample: bool,
    rows: int,
    group: IntArray | None,
    matrices: int = 1,
) -> BoolArray:
    """Say of which rows each matrix of probabilities is held out: all, but those of split groups.

    A model that learned from a copy of a row had seen the row. What it says of the others stands,
    so such rows are set aside where they are few. Where they are many, nobody kept copies
    together, and more of them go unnoticed than are found.

    Returns
    -------
    (matrices, rows) bool

    Raises
    ------
    UsageError
        Neither folds nor the declaration; one fold only; more than 5 % of the rows in groups that
        lie in several folds.

    Examples
    --------
    >>> check_folds([0, 0, 1, 1], False, 4, np.array([0, 0, 1, 1])).all()
    np.True_
    >>> group = np.arange(100) // 2
    >>> np.flatnonzero(~check_folds([0] * 51 + [1] * 49, False, 100, group)[0])
    array([50, 51])
    """
    if folds is None:
        if not out_of_sample:
            raise UsageError(
                "probs: say how they were held out: folds=(N,) with the fold each row was "
                "predicted in, or out_of_sample=True for a model that never saw these items"
            )
        return np.ones((matrices, rows), dtype=np.bool_)
    array = array_of("folds", folds, "a fold a row")
    if pd.isna(array).any():
        raise UsageError("folds: a row has none, so nothing says that it was held out")
    if array.shape[-1:] != (rows,) or array.ndim > 2:
        raise UsageError(f"folds: found shape {array.shape}, expected ({rows},) or (views, {rows})")
    if array.ndim == 2 and len(array) not in (1, matrices):
        raise UsageError(f"folds: found {len(array)} rows for {matrices} matrices of probs")
    held = np.stack([_whole(row, group) for row in np.atleast_2d(array)])
    return np.repeat(held, matrices // len(held), axis=0)


def _whole(folds: NDArray[Any], group: IntArray | None) -> BoolArray:
    """Say which rows have their whole group in their fold; refuse where too many have not."""
    if len(np.unique(folds)) < 2:
        raise UsageError("folds: one fold only, so every model saw the rows it predicted")
    if group is None:
        return np.ones(len(folds), dtype=np.bool_)
    split = split_rows(folds, group)
    if too_many_split(split):
        row, apart = int(split.argmax()), counted(int(split.sum()), "row")
        raise UsageError(
            f"folds: the group of row {row} lies in more than one fold, so its copies were "
            f"learned, and so it is of {apart} of {len(split):,}; split by group"
        )
    return ~split


def split_rows(folds: NDArray[Any], group: NDArray[Any]) -> BoolArray:
    """Say which rows belong to a group that lies in several folds, (N,).

    Examples
    --------
    >>> split_rows(np.array([0, 1, 1]), np.array(["a", "a", "b"])).tolist()
    [True, True, False]
    """
    of = pd.Series(pd.factorize(folds)[0]).groupby(pd.factorize(group)[0])
    return np.asarray(of.transform("min") != of.transform("max"), dtype=np.bool_)


def too_many_split(split: BoolArray) -> bool:
    """Say whether more than 5 % of the rows belong to groups that lie in several folds.

    Examples
    --------
    >>> too_many_split(np.arange(100) < 5), too_many_split(np.arange(100) < 6)
    (False, True)
    """
    return bool(split.sum() > _SPLIT * len(split))


def check_not_memorised(
    probs: Mapping[str, FloatArray],
    codes: IntArray,
    near: FloatArray | None,
    held: BoolArray | None = None,
) -> None:
    """Refuse probabilities that repeat labels which nothing but having learned them explains.

    Parameters
    ----------
    probs : mapping of str to (N, K) float
    codes : (N,) int
        Labels; -1 is missing.
    near : (N, K) float or None
        Each class's share among the neighbours. With it, the labels that four in five
        neighbours contradict are asked about: a held-out model repeats few of them. Without it,
        a model is refused that repeats practically every label, surely; or that doubts many and
        contradicts next to none. Out of few labels, or where a model is smoothed so far that it
        contradicts some of what it learned, learning them cannot be seen.
    held : (views, N) bool, optional
        The rows that each matrix is asked about; by default all.

    Raises
    ------
    UsageError
        A matrix is not believable as held-out.
    """
    contradicted = None if near is None else _contradicted(near, codes)
    asked = np.ones((len(probs), len(codes)), dtype=np.bool_) if held is None else held
    for (name, array), rows in zip(probs.items(), asked & (codes >= 0), strict=True):
        if contradicted is None:
            sign = _sign_alone(array[rows], codes[rows])
        else:
            sign = _sign_beside(array.argmax(axis=1) == codes, contradicted & rows)
        if sign:
            raise UsageError(
                f"probs {name!r} {sign}, as a model does that was trained on them; predict every "
                "item by a model that did not see it (out-of-fold), or pass check_memorised=False "
                "if you are sure"
            )


def _sign_beside(repeats: BoolArray, contradicted: BoolArray) -> str:
    """Say what shows, beside neighbours, that labels were learned; empty where nothing does."""
    if not _too_loyal(repeats, contradicted):
        return ""
    share = percent(repeats[contradicted].mean())
    return f"repeat {share} of the labels that their neighbours contradict"


def _sign_alone(array: FloatArray, codes: IntArray) -> str:
    """Say what shows by itself that labels were learned; empty where nothing does."""
    repeats = array.argmax(axis=1) == codes
    if _too_good(repeats, array[np.arange(len(codes)), codes]):
        return f"repeat {percent(repeats.mean())} of the labels"
    kept = int((~repeats).sum())
    if _too_timid(array, kept):
        doubts = round(float((1 - array.max(axis=1)).sum()))
        return f"contradict {kept:,} of {counted(len(codes), 'label')} where they expect {doubts:,}"
    return ""


def _contradicted(near: FloatArray, codes: IntArray) -> BoolArray:
    own = near[np.arange(len(codes)), codes]
    return np.asarray((codes >= 0) & (near.max(axis=1) >= _STRONG) & (own <= 1 - _STRONG))


def _too_loyal(repeats: BoolArray, contradicted: BoolArray) -> bool:
    """Whether more of the contradicted labels are repeated than a held-out model would repeat."""
    n = int(contradicted.sum())
    kept = int(repeats[contradicted].sum())
    return bool(n >= _FEW and kept > 0 and 1 - bdtr(kept - 1, n, _HONEST) < _RISK)


def _too_good(repeats: BoolArray, own: FloatArray) -> bool:
    return bool(len(own) >= _MANY and repeats.mean() >= _PERFECT and np.median(own) >= _SURE)


def _too_timid(array: FloatArray, contradicted: int) -> bool:
    """Whether far fewer labels are contradicted than by a model that had such doubts of its own.

    One that was trained on the labels repeats them where it is in doubt as well. A held-out one
    may doubt too much everywhere (regularised, smoothed, cooled), so the logs are multiplied until
    the surer half of the rows would hardly hold an error; what is still in doubt is counted.
    """
    rows = len(array)
    if not rows or contradicted > (1 - _LOYAL) * rows:
        return False
    second, first = np.log(np.maximum(np.partition(array, -2, axis=1)[:, -2:], _LEAST)).T
    lead = first - second
    sharper = max(1.0, np.log(rows) / max(float(np.median(lead)), _LEAST))
    doubts = float(expit(-sharper * lead).sum())
    return bool(pdtr(contradicted, _TRUE * doubts) < _RISK)
