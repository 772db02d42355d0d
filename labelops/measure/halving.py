"""The first count for which something holds, found by halving."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable

__all__ = ["first_count"]


def first_count(holds: Callable[[int], bool], low: int, high: int) -> int:
    """Give the first count from `low` for which it holds, `high` if none before does.

    What holds for a count must hold for every larger one.

    Examples
    --------
    >>> first_count(lambda count: count * count >= 30, 0, 100)
    6
    >>> first_count(lambda count: False, 3, 7)
    7
    """
    return low + bisect_left(range(low, high), True, key=holds)
