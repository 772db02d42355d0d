"""How far long work is, told to whoever asked; the work itself knows no clock and no screen."""

from __future__ import annotations

from collections.abc import Callable

__all__ = ["Progress", "untold"]

Progress = Callable[[str, int, int], object]
"""Is called with what is being done, how many parts of it are done, and how many there are: with 0
when it begins, then after each part. Parts of one stage take about as long as each other."""


def untold(stage: str, done: int, parts: int) -> None:
    """Tell nobody."""
