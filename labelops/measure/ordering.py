"""Values of several types, of which no order is known: named, so that they can be mended."""

from __future__ import annotations

from collections.abc import Iterable
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
    remedy = "cannot be put in one order; give all of them as text"
    firsts: dict[type, tuple[object, object]] = {}
    for row, value in values:
        # Two of one type may have none either: days with and without a time zone.
        for first, other in firsts.values():
            if _unordered(other, value):
                return (
                    f"row {first} is {shown(other)} and row {row} is {shown(value)}, which {remedy}"
                )
        firsts.setdefault(type(value), (row, value))
    return f"some of them {remedy}"


def _unordered(one: Any, other: Any) -> bool:
    try:
        one < other  # noqa: B015 - only whether it can be said
    except TypeError:
        return True
    return False
