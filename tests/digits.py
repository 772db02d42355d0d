"""Real scanned digits, read once: reading them takes longer than many a test."""

from __future__ import annotations

from functools import cache
from typing import Any

from sklearn.datasets import load_digits


def digits() -> tuple[Any, Any]:
    """Return 1,797 rows of 64 pixels, 0 to 16, and what they show; they may be changed."""
    pixels, truth = _read()
    return pixels.copy(), truth.copy()


@cache
def _read() -> tuple[Any, Any]:
    found = load_digits(return_X_y=True)
    return found[0], found[1]
