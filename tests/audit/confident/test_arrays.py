"""Numpy's twins of the compiled loops, at the edges of what floats hold."""

from __future__ import annotations

import numpy as np
import pytest

from labelops.audit.confident import arrays, kernels


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("least", [0.0, 5e-6, 0.3])
def test_leads_at_the_edge(dtype: type[np.floating], least: float) -> None:
    """A lead of about the edge is on the same side of it as in double precision."""
    rng, edge = np.random.default_rng(0), 1e-6
    own = (least + rng.random(4000) * 1e-5).astype(dtype)
    other = (own.astype(np.float64) + edge).astype(dtype)
    for _ in range(3):
        other = np.nextafter(other, rng.choice(np.array([0, 1], dtype), 4000))
    codes, guess = rng.integers(-1, 3, (2, 4000)).astype(np.int32)
    found = [np.empty(4000, np.bool_) for _ in range(4)]
    arrays.compare(codes, own, other, guess, edge, *found[:2])
    kernels.compare.python(codes, own, other, guess, edge, *found[2:])
    assert np.array_equal(found[0], found[2])
    assert np.array_equal(found[1], found[3])
    assert 0 < found[0].sum() < (codes >= 0).sum()


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_sums_of_small_and_large(dtype: type[np.floating]) -> None:
    """Each class's sum has the same two halves, down to numbers that no double holds beside 1."""
    rng = np.random.default_rng(1)
    own = np.exp2(-rng.uniform(0, 70, 3000)).astype(dtype)
    own[:6] = 0, 1, 1.5, 2.0**-7, np.nextafter(dtype(2.0**-7), dtype(0)), 2.0**-62
    codes = rng.integers(-1, 4, 3000).astype(np.int32)
    made = [[np.zeros(4, np.int64) for _ in range(3)] for _ in range(2)]
    assert arrays.add_up(own, codes, *made[0])
    probs = np.where(np.arange(4) == codes[:, None], own[:, None], 0)
    assert kernels.gather.python(probs, codes, np.zeros(3000, dtype), *made[1])
    for one, other in zip(*made, strict=True):
        assert one.tolist() == other.tolist()
    for bad in (np.nan, -1e-9, 1.51):
        own[7], codes[7] = bad, 0
        assert not arrays.add_up(own, codes, *made[0])
