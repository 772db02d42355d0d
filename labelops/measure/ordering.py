"""Values of several types, of which no order is known: named, so that they can be mended."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import combinations
from typing import Any

from labelops.errors import shown

__all__ = ["unsorted_pair"]


def unsorted_pair(values: Iterable[tuple[object, object]]) -> str:
    """Name two of these (row, value) pairs whose values no order is known of, in words.

    Examples
    --------
    >>> unsorted_pair([(0, 7), (1, 8), (5, "a"), (6, None)])
    "row 0 is 7 and row 5 is 'a', which cannot be put in one order; give all of them as text"
    """
    firsts: dict[type, tuple[object, Any]] = {}
    for row, value in values:
        firsts.setdefault(type(value), (row, value))
    first, second = next(filter(_unordered, combinations(firsts.values(), 2)), (None, None))
    if first is None or second is None:
        return "some of them cannot be put in one order; give all of them as text"
    return (
        f"row {first[0]} is {shown(first[1])} and row {second[0]} is {shown(second[1])}, which "
        "cannot be put in one order; give all of them as text"
    )


def _unordered(pair: tuple[tuple[object, Any], tuple[object, Any]]) -> bool:
    (_, one), (_, other) = pair
    try:
        return not (one < other or other <= one)
    except TypeError:
        return True
