"""Class names and integer codes in a fixed order, and the checks arrays pass on the way in."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from numbers import Real
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from labelops.errors import SchemaError, TableError, UsageError, shown

from .aligned import array_of
from .brief import brief
from .given import check_flags, check_integer

__all__ = [
    "BoolArray",
    "FloatArray",
    "IntArray",
    "VoteArrays",
    "among",
    "check_codes",
    "check_flags",
    "check_probs",
    "code_count",
    "decode",
    "encode",
    "flat_integers",
    "vote_arrays",
]

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]
BoolArray = NDArray[np.bool_]

_SUM_TOLERANCE = 1e-6


@brief
@dataclass(frozen=True, slots=True)
class VoteArrays:
    """Votes as integer arrays, ready for the statistics; `items[v]` indexes `item_ids`.

    Attributes
    ----------
    items, annotators, codes : (V,) int
        Item, annotator and class of each vote, in the order the votes came.
    item_ids, annotator_ids : (N,), (A,) object
        What the integers stand for, sorted.
    """

    items: IntArray
    annotators: IntArray
    codes: IntArray
    item_ids: NDArray[np.object_]
    annotator_ids: NDArray[np.object_]


def among(ids: ArrayLike, known: ArrayLike | pd.Series[Any]) -> BoolArray:
    """Say which ids are among known ones, by hashing: `numpy.isin` sorts the strings.

    Examples
    --------
    >>> among(["b", "c"], ["a", "b"]).tolist()
    [True, False]
    """
    found: BoolArray = pd.Index(np.asarray(ids, dtype=object)).isin(np.asarray(known, dtype=object))
    return found


def encode(values: ArrayLike | pd.Series[Any], classes: Sequence[str]) -> IntArray:
    """Turn class names into their positions in `classes`; missing values become -1.

    Parameters
    ----------
    values : (N,) array-like of str
        Class names; None, NaN and NA are missing.
    classes : sequence of str
        The schema's classes, in its order.

    Returns
    -------
    (N,) int64
        Codes in 0 … K-1, or -1 where the value is missing.

    Raises
    ------
    SchemaError
        A value is not one of the classes, or a class is listed twice.

    Examples
    --------
    >>> encode(["dog", None, "cat"], ["cat", "dog"]).tolist()
    [1, -1, 0]
    """
    index = pd.Index(list(classes), dtype=object)
    if not index.is_unique:
        twice = index[index.duplicated()][0]
        raise SchemaError(f"class {shown(twice)} is listed twice; every class needs its own name")
    series = pd.Series(values, dtype=object).reset_index(drop=True)
    codes = np.asarray(index.get_indexer(pd.Index(series)), dtype=np.int64)
    unknown = np.flatnonzero((codes < 0) & series.notna().to_numpy())
    if unknown.size:
        row = int(unknown[0])
        raise SchemaError(
            f"row {row}: {shown(series.iloc[row])} is not one of the {len(index)} classes "
            f"{shown(list(classes))}; correct the value or extend the schema"
        )
    return codes


def decode(codes: ArrayLike, classes: Sequence[str]) -> NDArray[np.object_]:
    """Turn codes back into class names; -1 becomes None.

    Raises
    ------
    UsageError
        A code is outside -1 … K-1.

    Examples
    --------
    >>> decode([1, -1], ["cat", "dog"]).tolist()
    ['dog', None]
    """
    checked = check_codes(codes, len(classes))
    names = np.array([*classes, None], dtype=object)
    return names[checked]


def check_codes(
    codes: ArrayLike, n_classes: int, *, missing: bool = True, name: str = "codes"
) -> IntArray:
    """Return `codes` as a flat int64 array after checking that each one is a class.

    Parameters
    ----------
    codes : (N,) array-like of int
        Class codes.
    n_classes : int
        K; codes run from 0 to K-1.
    missing : bool
        Whether -1 (missing) is allowed.
    name : str
        What errors call them.

    Raises
    ------
    UsageError
        The array is not flat, not integers, or holds a code out of range.

    Examples
    --------
    >>> check_codes([0, -1, 2], 3).tolist()
    [0, -1, 2]
    """
    array = flat_integers(codes, name)
    n_classes = check_integer(f"the number of {name}", n_classes)
    lowest = -1 if missing else 0
    # As given: in 64 bits with a sign the largest unsigned number is -1.
    bad = np.flatnonzero((array < lowest) | (array >= n_classes))
    if bad.size:
        row = int(bad[0])
        raise UsageError(f"{name}: row {row} is {array[row]}, expected {lowest} to {n_classes - 1}")
    return array.astype(np.int64)


def flat_integers(given: ArrayLike, name: str) -> NDArray[Any]:
    """Return a flat array of integers, of the type they came in.

    Raises
    ------
    UsageError
        It is not flat, or holds names, shares or truth values where codes belong; what to do is
        said.

    Examples
    --------
    >>> flat_integers(np.array([[0], [1]]), "codes")
    Traceback (most recent call last):
    labelops.errors.UsageError: codes: expected one dimension, found shape (2, 1)
    """
    array = array_of(name, given, "a list or an array of integers")
    if not array.ndim and not np.isscalar(given):
        kind = type(given).__name__
        raise UsageError(f"{name}: expected a list or an array of integers, found a {kind}")
    if array.ndim != 1:
        raise UsageError(f"{name}: expected one dimension, found shape {array.shape}")
    _check_integers(array, name)
    return array


def _check_integers(array: NDArray[Any], name: str) -> None:
    if array.size and array.dtype.kind not in "iu":
        raise UsageError(f"{name}: expected integers, found {array.dtype}; {_remedy(array)}")


def _remedy(array: NDArray[Any]) -> str:
    """Say how what is there becomes integers."""
    missing = pd.isna(array)
    if all(isinstance(value, Real | np.bool_) for value in array[~missing][:100]):
        fill = ".fillna(-1)" if missing.any() else ""
        return f"write {fill}.astype(int), and -1 where one is missing"
    return "names become integers by labelops.measure.codes.encode(names, classes)"


def code_count(codes: ArrayLike, given: int | None = None, *, name: str = "codes") -> int:
    """Return how many different codes there may be: as given, or the largest plus one.

    Errors call them by `name`.

    Examples
    --------
    >>> code_count([0, 2, -1]), code_count([]), code_count([0], given=4)
    (3, 0, 4)

    Raises
    ------
    UsageError
        The codes are not integers.
    """
    if given is not None:
        return check_integer(f"the number of {name}", given)
    array = array_of(name, codes, "integers")
    _check_integers(array, name)
    return max(int(array.max()), -1) + 1 if array.size else 0


def check_probs(probs: ArrayLike, n_classes: int) -> FloatArray:
    """Return `probs` as a C-contiguous float64 `(N, K)` array after checking every row.

    Parameters
    ----------
    probs : (N, K) array-like
        One row an item, one column a class in the schema's order; each row sums to 1.
    n_classes : int
        K.

    Raises
    ------
    TableError
        Wrong shape, or a row that holds NaN, infinity or a negative number or does not sum to 1
        (within 1e-6 K); the first bad row is named.

    Examples
    --------
    >>> check_probs([[0.25, 0.75]], 2).shape
    (1, 2)
    """
    try:
        array = np.ascontiguousarray(probs, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise TableError("probs", ["expected a rectangular table of numbers"]) from error
    if np.ndim(probs) != 2 or array.shape[1] != n_classes:
        found = f"found shape {np.shape(probs)}"
        raise TableError("probs", [f"expected shape (items, {n_classes} classes), {found}"])
    total = array.sum(axis=1)
    negative = (array < 0).any(axis=1)
    unfit = ~np.isfinite(total) | negative | (np.abs(total - 1) > _SUM_TOLERANCE * n_classes)
    bad = np.flatnonzero(unfit)
    if bad.size:
        raise TableError("probs", [_row_problem(array, int(row)) for row in bad[:100]])
    return array


def _row_problem(array: FloatArray, row: int) -> str:
    """Say what is wrong with one row of probabilities."""
    values = array[row]
    if not np.isfinite(values).all():
        column = int(np.flatnonzero(~np.isfinite(values))[0])
        return f"row {row}, column {column}: {values[column]} is not a probability"
    if (values < 0).any():
        column = int(np.flatnonzero(values < 0)[0])
        return f"row {row}, column {column}: {values[column]:g} is negative"
    return f"row {row}: sums to {values.sum():.6g}, expected 1"


def vote_arrays(
    items: ArrayLike | pd.Series[Any],
    annotators: ArrayLike | pd.Series[Any],
    values: ArrayLike | pd.Series[Any],
    classes: Sequence[str],
) -> VoteArrays:
    """Turn three columns of votes into integer arrays; the ids come out sorted.

    Parameters
    ----------
    items, annotators, values : (V,) array-like of str
        The item, the annotator and the class of each vote; a class may be missing, the others not.
    classes : sequence of str
        The schema's classes, in its order.

    Raises
    ------
    UsageError
        They are not flat, or differ in length.
    TableError
        A vote has no item or no annotator; the row is named.
    SchemaError
        A value is not one of the classes.

    Examples
    --------
    >>> votes = vote_arrays(["b", "a"], ["human:x", "human:x"], ["cat", "dog"], ["cat", "dog"])
    >>> votes.items.tolist(), votes.codes.tolist(), votes.item_ids.tolist()
    ([1, 0], [0, 1], ['a', 'b'])
    """
    arrays = [np.asarray(given, dtype=object) for given in (items, annotators, values)]
    if any(array.ndim != 1 for array in arrays) or len({len(array) for array in arrays}) > 1:
        raise UsageError(
            "votes: expected items, annotators and values of one length, found shapes "
            f"{', '.join(str(array.shape) for array in arrays)}"
        )
    for name, array in zip(("item", "annotator"), arrays, strict=False):
        missing = np.flatnonzero(pd.isna(array))
        if missing.size:
            raise TableError("votes", [f"row {missing[0]} has no {name}; every vote needs one"])
    item_codes, item_ids = pd.factorize(arrays[0], sort=True)
    annotator_codes, annotator_ids = pd.factorize(arrays[1], sort=True)
    return VoteArrays(
        item_codes.astype(np.int64),
        annotator_codes.astype(np.int64),
        encode(values, classes),
        np.asarray(item_ids, dtype=object),
        np.asarray(annotator_ids, dtype=object),
    )
