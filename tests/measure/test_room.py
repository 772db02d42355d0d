"""Arrays in one piece."""

from __future__ import annotations

import numpy as np
import pytest

from labelops.measure.room import rooms


@pytest.mark.parametrize("length", [0, 1, 1000, 100_003, 1_000_001])
def test_they_do_not_overlap(length: int) -> None:
    """Each has its length and kind, begins at a cache line, and keeps what is written to it."""
    kinds = (np.float32, np.bool_, np.int64, np.int32)
    made = rooms(length, *kinds)
    for number, array in enumerate(made):
        array[:] = number
    for number, (array, kind) in enumerate(zip(made, kinds, strict=True)):
        assert array.shape == (length,)
        assert array.dtype == kind
        assert length == 0 or array.ctypes.data % 64 == 0
        assert (array == (number > 0 if kind is np.bool_ else number)).all()
