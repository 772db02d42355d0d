"""What callers bring to an audit, checked: features, groups, votes, matrices of probabilities."""

from __future__ import annotations

import operator
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy import sparse

from labelops.consolidate.inputs import VoteTable, read_votes
from labelops.errors import UsageError
from labelops.measure.aligned import array_of, by_code
from labelops.measure.codes import (
    FloatArray,
    IntArray,
    check_codes,
    code_count,
    flat_integers,
)
from labelops.measure.ordering import unsorted_pair
from labelops.measure.votes import compact
from labelops.tables.brought import is_table

__all__ = [
    "Votes",
    "check_embeddings",
    "check_features",
    "check_groups",
    "check_numbers",
    "check_verdicts",
    "check_votes",
    "group_codes",
    "labels_and_classes",
    "named_probs",
    "vote_columns",
]

Votes = tuple[ArrayLike, ArrayLike, ArrayLike]
"""Items (rows), annotators and codes of all votes, each (V,)."""


_LARGEST = {np.float32: 1e15, np.float64: 1e150}
"""Beyond these, sums of squares over many rows and columns overflow."""

_ROOM = 100
"""Classes that a label without a name may be of, however few rows there are."""


def check_features(features: Any, rows: int | None = None) -> Any:  # dense or scipy-sparse
    """Return finite real numbers of shape (N, D): an array, or a sparse matrix in CSR.

    Numbers of single or double precision stay as they are; others become double.

    Raises
    ------
    UsageError
        Not a table of real numbers with a column at least, one is not finite, or N is not `rows`.

    Examples
    --------
    >>> check_features([[1, 2], [3, 4]]).dtype
    dtype('float64')
    """
    expected = "a rectangular table of real numbers"
    thin = sparse.issparse(features)
    matrix: Any = features.tocsr() if thin else array_of("features", features, expected)
    if matrix.dtype not in (np.float32, np.float64):
        try:
            cast = "safe" if matrix.dtype.kind == "c" else "unsafe"  # No imaginary part is dropped.
            matrix = matrix.astype(np.float64, casting=cast)
        except (TypeError, ValueError) as error:
            raise UsageError(f"features: expected {expected}") from error
    if matrix.ndim != 2:
        raise UsageError(f"features: expected numbers of shape (N, D), found shape {matrix.shape}")
    numbers = matrix.data if thin else matrix
    if not np.isfinite(numbers).all():
        first = int(np.flatnonzero(~np.isfinite(numbers))[0])
        row = np.searchsorted(matrix.indptr, first, "right") - 1 if thin else first // len(matrix.T)
        raise UsageError(
            f"features: row {row} has a NaN or an infinite number; expected finite ones"
        )
    if numbers.size and max(numbers.max(), -numbers.min()) > _LARGEST[matrix.dtype.type]:
        raise UsageError(
            "features: a number is so large that its square is none any more; scale the columns"
        )
    if rows is not None and matrix.shape[0] != rows:
        raise UsageError(f"found {matrix.shape[0]} rows of features for {rows} codes")
    if not matrix.shape[1]:
        raise UsageError("features: found no column")
    return matrix


def check_embeddings(embeddings: Any, features: Any) -> Any:
    """Return dense embeddings that stand beside sparse features, of as many rows; None stays.

    Raises
    ------
    UsageError
        The features are dense or missing, the embeddings are sparse, or their numbers do not fit.

    Examples
    --------
    >>> check_embeddings([[1, 2], [3, 4]], sparse.eye(2, format="csr")).shape
    (2, 2)
    """
    if embeddings is None:
        return None
    if not sparse.issparse(features) or sparse.issparse(embeddings):
        raise UsageError(
            "embeddings: expected dense ones beside sparse features; pass those alone as features"
        )
    return check_features(embeddings, features.shape[0])


def group_codes(groups: ArrayLike, rows: int, name: str = "groups") -> IntArray:
    """Return the number of each row's group, counted from 0; `name` is for what is refused.

    Raises
    ------
    UsageError
        Another length, a row without a group, or two of which no order is known, such as a number
        and a day.

    Examples
    --------
    >>> group_codes(["b", "a", "b"], 3).tolist()
    [1, 0, 1]
    """
    values = array_of("groups", groups, "a group a row")
    if values.shape != (rows,):
        raise UsageError(f"{name}: found shape {values.shape}, expected ({rows},)")
    if values.dtype.kind in "fOMm" and (missing := np.flatnonzero(pd.isna(values))).size:
        raise UsageError(f"{name}: row {missing[0]} has none; give it one of its own")
    if values.dtype.kind == "O":  # Perhaps of several types, which numpy does not sort.
        try:
            return np.asarray(pd.factorize(values, sort=True)[0], dtype=np.int64)
        except TypeError as problem:
            raise UsageError(f"{name}: {unsorted_pair(enumerate(values))}") from problem
    return np.asarray(np.unique(values, return_inverse=True)[1], dtype=np.int64)


def check_groups(groups: Sequence[str] | NDArray[Any] | None, rows: int) -> IntArray | None:
    """Return the number of each row's group as `group_codes` does; None where none is given."""
    return None if groups is None else group_codes(groups, rows)


def check_numbers(name: str, given: ArrayLike, expected: str = "numbers") -> FloatArray:
    """Return a flat array of floats, NaN where one is missing (None, NaN or NA).

    Raises
    ------
    UsageError
        The array is not flat, or holds anything else, such as names, days or complex numbers.

    Examples
    --------
    >>> check_numbers("seconds", [1, None, 2.5]).tolist()
    [1.0, nan, 2.5]
    """
    column = given.array if isinstance(given, pd.Series) else given
    if not isinstance(column, pd.api.extensions.ExtensionArray):
        column = np.asarray(column)
    try:
        values = pd.Series(column).astype("Float64").to_numpy(dtype=np.float64, na_value=np.nan)
    except (TypeError, ValueError) as error:
        raise UsageError(f"{name}: expected {expected}") from error
    return np.asarray(values, dtype=np.float64)


def check_verdicts(name: str, given: ArrayLike) -> FloatArray:
    """Return 0 and 1, and NaN where nobody judged, as a flat array of floats.

    Parameters
    ----------
    name : str
        What errors call them.
    given : (N,) array-like of bool, or of 0 and 1
        NaN, None and NA are missing, in columns of any type.

    Raises
    ------
    UsageError
        The array is not flat, or holds anything else.

    Examples
    --------
    >>> check_verdicts("right", [True, None, 0]).tolist()
    [1.0, nan, 0.0]
    """
    values = check_numbers(name, given, "one of 0, 1 or missing in each row")
    bad = np.flatnonzero(~(np.isnan(values) | (values == 0) | (values == 1)))
    if bad.size:
        raise UsageError(f"{name}: row {bad[0]} is {values[bad[0]]:g}, expected 0, 1 or missing")
    return values


def check_votes(
    votes: Votes, n_items: int, n_classes: int
) -> tuple[IntArray, IntArray, IntArray]:  # fmt: skip
    """Return items, annotators and codes of the votes that count.

    A vote with code -1 (missing) is none; an annotator's later vote on an item replaces the
    earlier one.

    Raises
    ------
    UsageError
        Not three arrays of one length, or an item, annotator or class does not exist.

    Examples
    --------
    >>> [a.tolist() for a in check_votes(([0, 0, 0], [7, 7, 9], [1, 0, -1]), 1, 2)]
    [[0], [0], [0]]
    """
    items, annotators, codes = _three(votes)
    vote = check_codes(codes, n_classes, name="votes' codes")
    item = check_codes(items, n_items, missing=False, name="votes' items")
    named = np.asarray(annotators)
    if named.size and (named.dtype.kind == "f" or (named.dtype.kind == "i" and (named < 0).any())):
        raise UsageError("votes: annotators are names, or whole numbers from 0 upwards")
    who = compact(annotators)[0]
    if not item.shape == vote.shape == who.shape:
        raise UsageError(
            f"votes: {item.size} items, {who.size} annotators, {vote.size} codes; expected as many "
            "of each"
        )
    given = vote >= 0
    item, vote = item[given], vote[given]
    who = np.unique(who[given], return_inverse=True)[1].astype(np.int64)
    pair = item * (int(who.max(initial=0)) + 1) + who
    last = len(pair) - 1 - np.unique(pair[::-1], return_index=True)[1]
    return item[last], who[last], vote[last]


def vote_columns(votes: VoteTable) -> Votes:
    """Return three arrays: each vote's item (row), annotator and code, from wherever they are.

    Raises
    ------
    UsageError
        Neither a table as `consolidate` reads it nor three arrays, or its votes have weights.
    TableError
        A column is missing, or a vote names no item or annotator.

    Examples
    --------
    >>> table = {"item": [0, 0, 1], "annotator": ["ann", "ben", "ann"], "label": [1, None, 0]}
    >>> [column.tolist() for column in vote_columns(table)]
    [[0, 1], ['ann', 'ann'], [1, 0]]
    """
    if not is_table(votes):
        return _three(votes)
    given = read_votes(votes)
    if given.weights is not None and (given.weights != 1).any():
        raise UsageError("votes: weights are not read here; leave out the column weight")
    codes = given.labels.infer_objects()
    if codes.dtype.kind == "f" and (codes % 1 == 0).all():
        codes = codes.astype(np.int64)  # A column with gaps holds whole numbers as floats.
    return given.items.to_numpy(), given.annotators.to_numpy(), codes.to_numpy()


def _three(votes: Any) -> Votes:
    if not isinstance(votes, tuple | list | np.ndarray) or len(votes) != 3:
        raise UsageError(
            "votes: expected three arrays, each vote's item (row), annotator and code, or a table "
            f"with the columns item, annotator and label; found a {type(votes).__name__}"
        )
    return votes[0], votes[1], votes[2]


def named_probs(
    probs: ArrayLike | Mapping[str, ArrayLike] | Sequence[ArrayLike] | None,
) -> dict[str, ArrayLike]:
    """Give each matrix a name: its own, or its number; a matrix alone is ``probs 1``.

    Examples
    --------
    >>> list(named_probs([[0.5, 0.5]])), list(named_probs([[[0.5, 0.5]]] * 2)), named_probs([])
    (['probs 1'], ['probs 1', 'probs 2'], {})
    """
    if probs is None:
        return {}
    if isinstance(probs, Mapping):
        return {str(name): by_code(f"probs {name!r}", array) for name, array in probs.items()}
    several: Any = probs
    if isinstance(probs, Sequence):
        many: Iterable[ArrayLike] = several if _dimensions(several[:1]) == 3 else [several]
        many = many if len(several) else ()
    else:
        many = several if np.ndim(several) == 3 else [several]
    numbered = {f"probs {i}": array for i, array in enumerate(many, 1)}
    return {name: by_code(f"probs {name!r}", array) for name, array in numbered.items()}


def _dimensions(array: Any) -> int:
    """Return how many dimensions something has, -1 where it is no array at all."""
    try:
        return int(np.ndim(array))
    except (TypeError, ValueError, RuntimeError):
        return -1  # Whoever reads it says what is wrong with it.


def labels_and_classes(
    codes: ArrayLike, n_classes: int | None, probs: Mapping[str, ArrayLike], votes: Votes | None
) -> tuple[IntArray, int]:
    """Return the labels and the number of classes, from wherever it shows.

    Raises
    ------
    UsageError
        Labels that are not classes, or fewer than two classes.

    Examples
    --------
    >>> labels_and_classes([0, 1, -1], None, {}, ([0], [0], [2]))[1]
    3
    """
    try:
        given = None if n_classes is None else operator.index(n_classes)
    except TypeError as error:
        raise UsageError(f"n_classes is {n_classes!r}, expected a whole number") from error
    widths = [np.shape(array)[-1] for array in probs.values() if _dimensions(array) == 2]
    seen = [code_count(flat_integers(codes, "codes"))]
    if votes is not None:
        seen.append(code_count(_three(votes)[2], name="votes' codes"))
    K = given if given is not None else max(widths or [*seen, 2])
    if given is None and not widths and max(_ROOM, np.size(codes)) < K:
        raise UsageError(
            f"codes: the largest of {np.size(codes)} labels is {K - 1:,}; classes are numbered "
            "from 0, so encode names first, or say how many there are with `n_classes`"
        )
    if K < 2:
        raise UsageError(f"{K} classes: a label can only be wrong where there are at least two")
    return check_codes(codes, K), K
