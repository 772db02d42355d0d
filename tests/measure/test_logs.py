"""Sums of logarithms: scipy as the oracle, laws, and what must not overflow."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import logsumexp

from labelops.measure.logs import log_sum_exp


@pytest.mark.parametrize("axis", [None, 0, 1])
@pytest.mark.parametrize("keepdims", [False, True])
def test_oracle_scipy(axis: int | None, keepdims: bool) -> None:
    """Scipy's numbers and shapes, rows of nothing and hugely different numbers among them."""
    logs = np.random.default_rng(1).normal(size=(200, 7)) * 400
    logs[3], logs[5, :2] = -np.inf, -np.inf
    found = log_sum_exp(logs, axis=axis, keepdims=keepdims)
    expected = np.asarray(logsumexp(logs, axis=axis, keepdims=keepdims))
    assert found.shape == expected.shape
    np.testing.assert_allclose(found, expected, rtol=1e-14, atol=1e-12)


def test_a_factor_is_a_shift() -> None:
    """Multiplying all numbers by e^c adds c, however far out."""
    logs = np.log(np.arange(1.0, 9.0).reshape(2, 4))
    for shift in (-1e6, 700.0, 1e6):
        found = log_sum_exp(logs + shift, axis=1)
        np.testing.assert_allclose(found, shift + np.log([10.0, 26.0]), rtol=1e-12)


def test_what_is_unknown_stays_unknown() -> None:
    """NaN in a row is NaN of this row only; the given numbers are not written to."""
    logs = np.array([[0.0, np.nan], [-np.inf, 0.0]])
    logs.setflags(write=False)
    found = log_sum_exp(logs, axis=1)
    assert np.isnan(found[0]) and found[1] == 0.0
