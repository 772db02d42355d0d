"""Room for several arrays in one piece: first touches of memory cost more than arithmetic."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

__all__ = ["rooms"]

_LINE = 64  # Bytes; each array begins at a cache line of its own.
_HUGE = 1 << 22  # Bytes from which on numpy asks for large pages.


def rooms(length: int, *dtypes: DTypeLike) -> list[NDArray[Any]]:
    """Make empty arrays of one length, one after the other in the same memory.

    From 4 MB on, numpy asks the system for pages of 2 MB, of which a first touch costs a fifth or
    less of what it costs in pages of 4 KB. One piece has them where its parts alone would not. All
    of it is held as long as one of them is.

    Examples
    --------
    >>> codes, flags = rooms(3, np.int32, np.bool_)
    >>> codes.shape, flags.dtype.name, codes.base is flags.base
    ((3,), 'bool', True)
    """
    kinds = [np.dtype(kind) for kind in dtypes]
    sizes = [length * kind.itemsize for kind in kinds]
    wanted = sum(size + _LINE for size in sizes)
    # Of what is asked for too much nothing is touched.
    held = np.empty(_HUGE if _HUGE // 4 < wanted < _HUGE else wanted, dtype=np.uint8)
    made, at = [], 0
    for kind, size in zip(kinds, sizes, strict=True):
        at += -(held.ctypes.data + at) % _LINE
        made.append(held[at : at + size].view(kind))
        at += size
    return made
