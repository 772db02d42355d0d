"""Votes packed for counting: sorted by item, one small integer a vote, checked once.

The cost of every consensus and agreement statistic is the passes it makes over the votes, so
they are kept as narrow as they come: a vote is the one integer `annotator * K + class`, an item
is a range of them. Votes of an item stand in the order of that integer, whatever order they
came in, so that sums over them, rounding included, do not depend on it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from labelops.errors import UsageError, shown
from labelops.measure.aligned import array_of
from labelops.measure.codes import BoolArray, FloatArray, IntArray, flat_integers

from ._packing import AnyInts, Repeats, has_repeats, sort_votes, width_of
from .brief import brief
from .jit import can_compile
from .sizes import sizes_of

__all__ = [
    "AnyInts",
    "Repeats",
    "Votes",
    "check_ints",
    "check_weights",
    "compact",
    "named",
    "pack_votes",
]

_HEAVIEST = 1e15
_BLOCK = 1 << 20


@brief
@dataclass(frozen=True, slots=True)
class Votes:
    """Votes with a class, sorted by item; build them with `pack_votes`.

    Attributes
    ----------
    rows : (N + 1,) int32 or int64
        Item i has the votes `rows[i]` to `rows[i + 1]`.
    cells : (V,) int32 or int64
        `annotator * K + class` of each vote, ascending within an item.
    weights : (V,) float or None
        What each vote counts; None: 1 each.
    n_items, n_annotators, n_classes : int
        N, A and K.
    """

    rows: AnyInts
    cells: AnyInts
    weights: FloatArray | None
    n_items: int
    n_annotators: int
    n_classes: int

    @property
    def per_item(self) -> IntArray:
        """Votes on each item, (N,)."""
        return np.diff(self.rows).astype(np.int64)

    @property
    def items(self) -> IntArray:
        """Item of each vote, (V,)."""
        return np.repeat(np.arange(self.n_items), self.per_item)

    @property
    def annotators(self) -> AnyInts:
        """Annotator of each vote, (V,)."""
        return self.cells // self.n_classes

    @property
    def codes(self) -> AnyInts:
        """Class of each vote, (V,)."""
        return self.cells % self.n_classes

    @property
    def given(self) -> FloatArray:
        """Votes by annotator and class given, or what they count, (A, K)."""
        total: FloatArray = np.zeros(self.n_annotators * self.n_classes)
        for first in range(0, self.cells.size, _BLOCK):
            some = slice(first, first + _BLOCK)
            weights = None if self.weights is None else self.weights[some]
            total += np.bincount(self.cells[some], weights=weights, minlength=total.size)
        return total.reshape(self.n_annotators, self.n_classes)

    def blocks(self, items: int) -> Iterator[tuple[slice, Votes]]:
        """Cut into so many items at a time: which they are, and their votes, without a copy."""
        for first in range(0, self.n_items, items):
            rows = self.rows[first : first + items + 1]
            inside = slice(int(rows[0]), int(rows[-1]))
            weights = None if self.weights is None else self.weights[inside]
            part = replace(
                self, rows=rows - rows[0], cells=self.cells[inside], weights=weights,
                n_items=rows.size - 1,
            )  # fmt: skip
            yield slice(first, first + part.n_items), part


def pack_votes(
    items: ArrayLike,
    annotators: ArrayLike,
    codes: ArrayLike,
    n_items: int | None = None,
    n_classes: int | None = None,
    *,
    n_annotators: int | None = None,
    weights: ArrayLike | None = None,
    repeats: Repeats = "keep",
) -> Votes:
    """Check votes and sort them by item; time and memory are linear in votes and items.

    Parameters
    ----------
    items, annotators, codes : (V,) array-like of int
        Item, annotator and class of each vote, of any integer type (none is widened); class -1
        (missing) is no vote.
    n_items, n_classes, n_annotators : int, optional
        N, A and K; one more than the largest number there is when left out (`sizes_of`).
    weights : (V,) array-like of float, optional
        What each vote counts; 0 leaves it out.
    repeats : {'keep', 'last', 'refuse'}
        An annotator's second vote on an item: counts as another one, replaces the first, or is
        an error.

    Raises
    ------
    UsageError
        Arrays differ in length, hold anything but integers in range, or weights are negative or
        not finite; or an annotator voted twice on an item and `repeats` is 'refuse'.

    Examples
    --------
    >>> votes = pack_votes([1, 0, 1], [0, 0, 1], [1, -1, 0], n_items=2, n_annotators=2, n_classes=2)
    >>> votes.rows.tolist(), votes.annotators.tolist(), votes.codes.tolist()
    ([0, 0, 2], [0, 1], [1, 0])
    """
    n_items, n_annotators, n_classes = sizes_of(
        items, annotators, codes, n_items, n_annotators, n_classes
    )
    item = check_ints("items", items, n_items)
    annotator = check_ints("annotators", annotators, n_annotators)
    code = check_ints("codes", codes, n_classes, lowest=-1)
    weight = None if weights is None else check_weights(weights)
    sizes = [x.size for x in (item, annotator, code, weight) if x is not None]
    if len(set(sizes)) > 1:
        what = "items, annotators, codes" + ("" if weight is None else " and weights")
        raise UsageError(f"votes: {what} differ in length: {sizes}; expected one value a vote")
    there = _counting(code, weight)
    if there is not None:
        item, annotator, code = item[there], annotator[there], code[there]
        weight = None if weight is None else weight[there]
    if weight is not None and (weight == 1).all():
        weight = None
    cells = _cells(annotator, code, n_annotators, n_classes)
    rows, cells, weight = sort_votes(item, cells, weight, n_items, n_classes, repeats)
    votes = Votes(rows, cells, weight, n_items, n_annotators, n_classes)
    return votes if repeats == "keep" else _without_repeats(votes, repeats)


def compact(values: ArrayLike | Sequence[Any]) -> tuple[AnyInts, int]:
    """Give ids numbers from 0, and say how many numbers there are.

    Integers that lie close together are only shifted, so not every number need occur.

    Examples
    --------
    >>> [codes.tolist() for codes, _ in (compact([7, 9, 7]), compact(["b", "a", "b"]))]
    [[0, 2, 0], [1, 0, 1]]
    """
    array = _flat_ids(values)
    if not array.size:
        return np.empty(0, dtype=np.int32), 0
    if array.dtype.kind in "iu":
        low, high = int(array.min()), int(array.max())
        if high - low < 4 * array.size + 1024:
            if not low and array.dtype.kind == "i":
                return array, high + 1
            width = width_of(high - low)
            # Narrow integers do not hold their own range; wide ones do, as they lie close.
            wide = array if array.itemsize >= width.itemsize else array.astype(width)
            return (wide - wide.dtype.type(low)).astype(width), high - low + 1
    codes, ids = pd.factorize(array)
    _refuse_missing(codes, array, "an id")
    try:
        order = np.argsort(ids, kind="stable")
    except TypeError:  # Of several types; pandas puts numbers before strings.
        return pd.factorize(array, sort=True)[0], len(ids)
    rank = np.empty(len(ids), dtype=codes.dtype)
    rank[order] = np.arange(len(ids))
    return rank[codes], len(ids)


def named(values: ArrayLike | Sequence[Any], what: str = "an id") -> tuple[IntArray, list[Any]]:
    """Give ids numbers from 0 in their order, numbers before strings, and the ids themselves.

    Parameters
    ----------
    values : (V,) array-like
    what : str
        What each vote needs, with its article, for errors.

    Raises
    ------
    UsageError
        They are not flat, or one is missing; the row is named.

    Examples
    --------
    >>> codes, ids = named(["b", 7, "b"])
    >>> codes.tolist(), ids
    ([1, 0, 1], [7, 'b'])
    """
    array = _flat_ids(values)
    codes, ids = pd.factorize(array, sort=True)
    _refuse_missing(codes, array, what)
    return codes.astype(np.int64), pd.Index(ids).tolist()  # An array makes numbers of dates.


def _flat_ids(values: ArrayLike | Sequence[Any]) -> NDArray[Any]:
    array = np.asarray(values)
    if array.dtype.kind == "U" and not isinstance(values, np.ndarray):
        array = np.asarray(values, dtype=object)  # 7 is not "7", and a missing one not "nan".
    if array.ndim != 1:
        raise UsageError(f"ids: expected one dimension, found shape {array.shape}")
    return array


def _refuse_missing(codes: NDArray[Any], ids: NDArray[Any], what: str) -> None:
    if (codes < 0).any():
        row, noun = int(np.flatnonzero(codes < 0)[0]), what.split()[-1]
        raise UsageError(f"{noun}s: row {row} is {shown(ids[row])}; every vote needs {what}")


def check_ints(name: str, values: ArrayLike, size: int, *, lowest: int = 0) -> AnyInts:
    """Return a flat array of signed integers from `lowest` to `size - 1`, as narrow as it came.

    Raises
    ------
    UsageError
        The array is not flat, not integers, or holds one out of range; the row is named.

    Examples
    --------
    >>> check_ints("items", np.array([0, 2], dtype=np.int8), 3).dtype.name
    'int8'
    """
    array = flat_integers(values, name)
    if not array.size:
        return np.empty(0, dtype=np.int32)
    if array.min() < lowest or array.max() >= size:
        row = int(np.flatnonzero((array < lowest) | (array >= size))[0])
        raise UsageError(f"{name}: row {row} is {array[row]}, expected {lowest} to {size - 1}")
    if array.dtype.kind == "u":
        array = array.astype(np.int32 if size <= 2**31 else np.int64)
    return array


def check_weights(weights: ArrayLike) -> FloatArray:
    """Return flat weights, not negative and not so large that products of their sums overflow.

    Raises
    ------
    UsageError
        A weight is anything else; the row is named.

    Examples
    --------
    >>> check_weights([1, 0.5]).tolist()
    [1.0, 0.5]
    """
    array = array_of("weights", weights, "numbers", np.float64)
    if array.ndim != 1:
        raise UsageError(f"weights: expected one dimension, found shape {array.shape}")
    bad = np.flatnonzero(~((array >= 0) & (array <= _HEAVIEST)))
    if bad.size:
        row = int(bad[0])
        raise UsageError(
            f"weights: row {row} is {array[row]}, expected a number from 0 to {_HEAVIEST:g}"
        )
    return array


def _counting(code: AnyInts, weight: FloatArray | None) -> BoolArray | None:
    """Which votes count, or None when all do."""
    there = None if not code.size or code.min() >= 0 else code >= 0
    if weight is None or weight.all():
        return there
    return weight > 0 if there is None else there & (weight > 0)


def _cells(annotator: AnyInts, code: AnyInts, n_annotators: int, n_classes: int) -> AnyInts:
    """`annotator * K + class` without a wide temporary."""
    width = width_of(n_annotators * n_classes)
    cells = np.empty(code.size, dtype=width)
    np.multiply(annotator, n_classes, out=cells, dtype=width, casting="unsafe")
    np.add(cells, code, out=cells, dtype=width, casting="unsafe")
    return cells


def _without_repeats(votes: Votes, repeats: Repeats) -> Votes:
    """Keep the last vote of each annotator on each item."""
    if can_compile(votes.cells.size) and not has_repeats(votes.cells, votes.rows, votes.n_classes):
        return votes
    who = votes.annotators
    last = np.ones(who.size, dtype=np.bool_)
    np.not_equal(who[1:], who[:-1], out=last[:-1])
    ends = votes.rows[1:]
    last[ends[ends > 0] - 1] = True
    if last.all():
        return votes
    if repeats == "refuse":
        vote = int(np.flatnonzero(~last)[0])
        item = int(np.searchsorted(votes.rows, vote, side="right")) - 1
        raise UsageError(
            f"votes: annotator {who[vote]} voted more than once on item {item}; "
            "keep one of the votes"
        )
    # Votes left out are few; a running count of those that stay would be two numbers a vote more.
    before = np.searchsorted(np.flatnonzero(~last), votes.rows)
    rows = (votes.rows - before).astype(votes.rows.dtype)
    weights = None if votes.weights is None else votes.weights[last]
    return Votes(
        rows, votes.cells[last], weights, votes.n_items, votes.n_annotators, votes.n_classes
    )
