"""Kernels run compiled where numba is, and can be switched off."""

from __future__ import annotations

import numpy as np
import pytest

from labelops.measure.jit import can_compile, compile_always, in_threads, kernel, numpy_only


@kernel()
def _total(values: np.ndarray) -> float:
    found = 0.0
    for i in range(values.size):
        found += values[i]
    return found


@kernel()
def _mean(values: np.ndarray) -> float:
    return _total(values) / values.size


@pytest.mark.slow
def test_a_kernel_calls_another_of_its_module() -> None:
    """What it calls is compiled with it."""
    pytest.importorskip("numba")
    assert _mean(np.arange(5.0)) == 2
    assert _mean.compiled.nopython_signatures  # type: ignore[attr-defined]


@pytest.mark.slow
def test_compiled_is_the_same_as_python() -> None:
    """A kernel gives what its Python source gives."""
    pytest.importorskip("numba")
    values = np.arange(10.0)
    assert _total(values) == _total.python(values) == 45


def test_numpy_only_ends() -> None:
    """Kernels are off inside only, also when the inside fails."""
    before = can_compile()
    with pytest.raises(ZeroDivisionError), numpy_only():
        assert not can_compile()
        raise ZeroDivisionError
    assert can_compile() == before


def test_few_numbers_are_not_worth_loading_a_kernel() -> None:
    """Small work is numpy's, unless kernels are asked for; nothing is compiled without numba."""
    assert not can_compile(100)
    assert can_compile(10**6) == can_compile()
    with compile_always():
        assert can_compile(1) == can_compile()
        with numpy_only():
            assert not can_compile(10**6)


@pytest.mark.parametrize("rows", [0, 1, 2, 7, 1000])
def test_every_row_once(rows: int) -> None:
    """Blocks cover all rows in order, none twice."""
    blocks = in_threads(lambda first, last: list(range(first, last)), rows, block=3)
    assert [row for block in blocks for row in block] == list(range(rows))
    assert all(len(block) <= 3 for block in blocks)
