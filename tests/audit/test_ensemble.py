"""Views calibrated and blended."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import sparse

from labelops.audit.ensemble import (
    View,
    as_probs,
    as_view,
    blend,
    margins,
    neighbour_probs,
    without_say,
)
from labelops.errors import UsageError
from labelops.measure.calibration import apply_temperature


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
@pytest.mark.parametrize("order", ["C", "F"])
def test_any_float_and_memory_order_is_taken(dtype: type, order: str) -> None:
    """Rows come back as doubles that sum to one, from half precision and Fortran order too."""
    rng = np.random.default_rng(0)
    raw = np.asarray(rng.dirichlet(np.ones(5), 20), dtype=dtype, order=order)  # type: ignore[call-overload]
    taken = as_probs(raw[::2], 10, 5, "mine")
    assert taken.dtype == np.float64
    assert np.allclose(taken.sum(axis=1), 1, atol=1e-15)
    assert np.allclose(taken, raw[::2], atol=2e-3)


@pytest.mark.parametrize(
    ("raw", "match"),
    [
        ([[0.5, np.nan]], "row 0"),
        ([[1.5, -0.5]], "row 0"),
        ([[0.2, 0.2]], "sum"),
        ([[0.2, 0.3, 0.5]], r"shape \(1, 3\)"),
        ([0.5, 0.5], "shape"),
        ([[0.5, 0.5], [1.0]], "rectangular"),
    ],
)
def test_malformed_probabilities_are_refused(raw: object, match: str) -> None:
    """NaN, negative, unnormalised and misshapen rows are named."""
    with pytest.raises(UsageError, match=match):
        as_probs(raw, 1, 2, "mine")  # type: ignore[arg-type]


def test_a_view_that_knows_nothing_is_flattened() -> None:
    """Confident noise gets so high a temperature that its margins vanish."""
    rng = np.random.default_rng(0)
    codes = rng.integers(0, 2, 500)
    loud = np.where(rng.random(500)[:, None] < 0.5, [0.99, 0.01], [0.01, 0.99])
    view = as_view("loud", loud, codes)
    assert view.temperature > 20
    assert np.abs(margins(view.logs, np.arange(500), codes)).max() < 0.25
    assert np.allclose(view.raw, loud[np.arange(500), codes])


def test_a_far_too_sure_view_keeps_its_order() -> None:
    """One in a billion and one in 10³⁰ stay apart, as the temperature makes both likelier."""
    rng = np.random.default_rng(0)
    codes = rng.integers(0, 2, 400)
    said = np.where(rng.random(400) < 0.85, codes, 1 - codes)
    other = 10.0 ** -rng.uniform(3, 30, 400)
    probs = np.where(np.arange(2) == said[:, None], 1 - other[:, None], other[:, None])
    view = as_view("sure", probs, codes)
    wrong = said != codes
    lead = margins(view.logs, np.arange(400), codes)[wrong]
    assert view.temperature > 3
    assert len(np.unique(lead)) > 0.8 * wrong.sum()
    assert (np.argsort(lead) == np.argsort(other[wrong])).mean() > 0.8


def test_a_zero_is_no_more_than_a_million_to_one() -> None:
    """A forest's zero is the floor, as it was: whatever it stands for, it is no certainty."""
    probs = np.array([[1.0, 0.0], [0.7, 0.3], [0.4, 0.6]] * 50)
    view = as_view("forest", probs, np.array([0, 0, 1] * 50))
    floored = np.maximum(probs, 1e-6) / np.maximum(probs, 1e-6).sum(axis=1, keepdims=True)
    assert np.allclose(
        view.logs, np.log(np.maximum(apply_temperature(floored, view.temperature), 1e-6))
    )


@given(st.integers(0, 1000), st.integers(2, 6))
def test_margins_are_the_lead_over_the_best_other(seed: int, K: int) -> None:
    """The same as taking each row's other classes one by one."""
    rng = np.random.default_rng(seed)
    logs = np.log(rng.dirichlet(np.ones(K), 7))
    rows, codes = rng.integers(0, 7, 12), rng.integers(0, K, 12)
    plain = [logs[r, c] - max(np.delete(logs[r], c)) for r, c in zip(rows, codes, strict=True)]
    assert np.allclose(margins(logs, rows, codes), plain)


def test_blend_of_one_view_is_the_view() -> None:
    """And its rows sum to one."""
    rng = np.random.default_rng(0)
    probs, codes = rng.dirichlet(np.ones(3), 50), rng.integers(0, 3, 50)
    view = as_view("a", probs, codes)
    assert np.allclose(blend({"a": view}), np.exp(view.logs))
    assert np.allclose(blend({"a": view, "b": view}).sum(axis=1), 1)


@given(st.integers(0, 1000), st.integers(2, 6), st.integers(1, 4))
def test_a_blend_lies_half_way_between_both_means(seed: int, K: int, many: int) -> None:
    """In logs, as the formulas say."""
    rng = np.random.default_rng(seed)
    probs = rng.dirichlet(np.ones(K), (many, 9)) + 1e-4
    probs /= probs.sum(axis=2, keepdims=True)
    views = {str(n): View(str(n), np.log(p), np.ones(9), 1.0) for n, p in enumerate(probs)}
    geometric = np.exp(np.log(probs).mean(axis=0))
    geometric /= geometric.sum(axis=1, keepdims=True)
    middle = np.sqrt(geometric * probs.mean(axis=0))
    np.testing.assert_allclose(blend(views), middle / middle.sum(axis=1, keepdims=True))


def test_one_view_that_is_sure_is_outvoted_later_than_by_odds_alone() -> None:
    """Belief of one view keeps a class in: with odds averaged it would be behind."""
    said = np.array([[0.97, 0.03 - 1e-6, 1e-6], [0.3, 0.35, 0.35], [0.01, 0.5, 0.49]])
    views = {str(n): View(str(n), np.log(p)[None], np.ones(1), 1.0) for n, p in enumerate(said)}
    odds = np.log(said).mean(axis=0)
    assert odds.argmax() == 1
    assert blend(views)[0].argmax() == 0


def test_neighbours_of_the_own_group_do_not_vote() -> None:
    """Three copies with one label say nothing about each other, dense or sparse."""
    X = np.repeat(np.eye(4) + 0.1, 3, axis=0)
    codes, groups = np.repeat([0, 1, 0, 1], 3), np.repeat(np.arange(4), 3)
    for features in (X, sparse.csr_matrix(X)):
        alone = neighbour_probs(features, codes, None, 2, np.random.default_rng(0), k=2)
        apart = neighbour_probs(features, codes, groups, 2, np.random.default_rng(0), k=9)
        assert (alone.argmax(axis=1) == codes).all()
        assert (apart.argmax(axis=1) != codes).all()


def test_a_view_without_say_leaves_the_blend_of_the_others() -> None:
    """Whatever it said there; and of the other rows nothing changes, in the blend or in a view."""
    rng = np.random.default_rng(0)
    codes = rng.integers(0, 3, 50)
    views = {n: as_view(n, rng.dirichlet(np.ones(3), 50), codes) for n in "abc"}
    held = {"a": np.arange(50) >= 5, "b": np.arange(50) >= 2}
    found = blend(without_say(views, held))
    rest = {n: views[n] for n in "bc"}
    np.testing.assert_allclose(found[2:5], blend(rest)[2:5])
    np.testing.assert_allclose(found[:2], blend({"c": views["c"]})[:2])
    np.testing.assert_array_equal(found[5:], blend(views)[5:])
    np.testing.assert_array_equal(without_say(views, held)["a"].logs[5:], views["a"].logs[5:])
    nobody = {n: np.arange(50) > 0 for n in "abc"}
    alone = without_say(views, nobody)
    assert len({tuple(view.logs[0]) for view in alone.values()}) == 1
