"""Temperature scaling and the reliability table."""

from __future__ import annotations

import math

import numpy as np
import pytest

from labelops.errors import UsageError
from labelops.measure.calibration import (
    apply_temperature,
    expected_calibration_error,
    fit_temperature,
    reliability_table,
)
from labelops.measure.codes import FloatArray, IntArray


def _sample(rng: np.random.Generator, n: int) -> tuple[FloatArray, IntArray]:
    """Calibrated probabilities and labels drawn from them."""
    probs = rng.dirichlet([0.5, 0.5, 0.5], size=n)
    codes = (probs.cumsum(axis=1) < rng.random((n, 1))).sum(axis=1)
    return probs, np.minimum(codes, 2).astype(np.int64)


@pytest.mark.parametrize("truth", [0.5, 1.0, 3.0])
def test_finds_the_temperature_that_was_applied(truth: float) -> None:
    """Probabilities sharpened by a known factor are brought back, and are calibrated then."""
    probs, codes = _sample(np.random.default_rng(0), 8000)
    spoilt = apply_temperature(probs, 1 / truth)
    found = fit_temperature(spoilt, codes)
    assert found == pytest.approx(truth, rel=0.08)
    assert expected_calibration_error(apply_temperature(spoilt, found), codes) < 0.02


def test_ranking_stays() -> None:
    """A temperature changes how sure, not which class."""
    probs, _ = _sample(np.random.default_rng(1), 200)
    for temperature in (0.3, 4.0):
        scaled = apply_temperature(probs, temperature)
        np.testing.assert_array_equal(scaled.argmax(axis=1), probs.argmax(axis=1))
        np.testing.assert_allclose(scaled.sum(axis=1), 1.0)


def test_certainty_that_was_wrong_is_softened() -> None:
    """Probabilities of exactly 1 that are wrong one time in four do not stay at 1."""
    probs = np.tile([1.0, 0.0], (40, 1))
    codes = np.repeat([0, 1], [30, 10])
    assert apply_temperature(probs, fit_temperature(probs, codes))[0, 0] < 0.9999


def test_missing_labels_are_left_out() -> None:
    """Rows without a label change nothing."""
    probs, codes = _sample(np.random.default_rng(2), 300)
    more = np.vstack([probs, probs])
    missing = np.concatenate([codes, np.full(300, -1)])
    assert fit_temperature(more, missing) == fit_temperature(probs, codes)
    assert reliability_table(more, missing) == reliability_table(probs, codes)


@pytest.mark.parametrize("bins", [10, 100])
def test_a_probability_at_an_edge_is_below_it(bins: int) -> None:
    """Bins are open below and closed above: each edge is alone in the bin that it ends."""
    edges = np.arange(1, bins + 1) / bins
    edges = edges[edges >= 0.5]
    table = reliability_table(
        np.stack([edges, 1 - edges], axis=1), np.zeros(edges.size, dtype=int), bins
    )
    assert [b.high for b in table] == edges.tolist()
    assert [b.items for b in table] == [1] * edges.size


def test_reliability_by_hand() -> None:
    """Four items in two bins: the table and the error are what one counts by hand."""
    probs = [[0.95, 0.05], [0.05, 0.95], [0.65, 0.35], [0.65, 0.35]]
    table = reliability_table(probs, [0, 1, 0, 1])
    assert [(b.items, b.accuracy) for b in table] == [(2, 0.5), (2, 1.0)]
    assert [round(b.confidence, 6) for b in table] == [0.65, 0.95]
    assert expected_calibration_error(probs, [0, 1, 0, 1]) == pytest.approx(0.1)
    assert math.isnan(expected_calibration_error(probs, [-1] * 4))


@pytest.mark.parametrize(
    ("probs", "codes", "message"),
    [
        ([[0.5, 0.5]], [-1], "no row has a label"),
        ([[0.5, 0.5]], [0, 1], "1 rows of probs, 2 labels"),
        ([[0.5, 0.4]], [0], "sums to 0.9"),
        ([0.5], [0], "expected shape"),
    ],
)
def test_wrong_use(probs: object, codes: list[int], message: str) -> None:
    """Nothing to learn from, or malformed probabilities, are refused."""
    with pytest.raises(UsageError, match=message):
        fit_temperature(probs, codes)  # type: ignore[arg-type]


def test_temperature_must_be_positive() -> None:
    """A temperature of 0 is refused."""
    with pytest.raises(UsageError, match="above 0"):
        apply_temperature([[0.5, 0.5]], 0.0)


@pytest.mark.parametrize("bins", [0, -1, 2.5])
def test_there_are_whole_bins(bins: int) -> None:
    with pytest.raises(UsageError, match="bins"):
        expected_calibration_error([[0.5, 0.5]], [0], bins)
