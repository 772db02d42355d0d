"""Results that say in a line what they hold, instead of printing every number."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any, TypeVar

import numpy as np
import pandas as pd

__all__ = ["brief"]

T = TypeVar("T")

_ENTRIES = 8
"""A longer tuple, list or mapping is told by its length."""
_CHARACTERS = 200
"""A longer text is cut."""


def brief(result: type[T]) -> type[T]:
    """Let a dataclass show arrays, frames and long lists by their sizes.

    Else the last line of a notebook's cell would fill pages. Short arrays are shown whole.

    Parameters
    ----------
    result : dataclass

    Examples
    --------
    >>> @brief
    ... @dataclasses.dataclass
    ... class Found:
    ...     codes: np.ndarray
    ...     reason: str
    >>> Found(np.arange(1000), "why"), Found(np.arange(3), "why")
    (Found(codes=<int64 (1000,)>, reason='why'), Found(codes=array([0, 1, 2]), reason='why'))
    """
    result.__repr__ = _repr  # type: ignore[method-assign]
    return result


def _repr(result: Any) -> str:
    cells = (f"{f.name}={_cell(getattr(result, f.name))}" for f in _shown(result))
    return f"{type(result).__name__}({', '.join(cells)})"


def _shown(result: Any) -> list[dataclasses.Field[Any]]:
    return [f for f in dataclasses.fields(result) if f.repr]


def _cell(value: object) -> str:
    if isinstance(value, np.ndarray):
        return repr(value) if value.size <= _ENTRIES else f"<{value.dtype} {value.shape}>"
    if isinstance(value, pd.DataFrame | pd.Series | pd.Index):
        return f"<{type(value).__name__} {value.shape}>"
    if isinstance(value, tuple | list | Mapping | set | frozenset) and len(value) > _ENTRIES:
        return f"<{type(value).__name__} of {len(value):,}>"
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{k!r}: {_cell(v)}" for k, v in value.items()) + "}"
    if isinstance(value, list):
        return f"[{', '.join(map(_cell, value))}]"
    if isinstance(value, tuple):
        return f"({', '.join(map(_cell, value))}{',' if len(value) == 1 else ''})"
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return _repr(value)
    said = repr(value)
    return said if len(said) <= _CHARACTERS else f"{said[:_CHARACTERS]}…"
