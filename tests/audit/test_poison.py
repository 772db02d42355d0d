"""Views on tampered labels."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.datasets import load_digits
from sklearn.metrics import roc_auc_score

from labelops.audit.activation import activation_clusters
from labelops.audit.graph import nearest_graph
from labelops.audit.neighbours import neighbour_view
from labelops.audit.poison import nearest_ratio, poison_views
from labelops.audit.spectral import spectral_signatures
from labelops.errors import UsageError


def _digits(bad: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Digits with 30 % of the 3s called 8, or with a bright corner on 5 % that are called 0."""
    rng = np.random.default_rng(0)
    X, y = load_digits(return_X_y=True)
    X, codes = X.copy(), y.copy()
    poisoned = (y == 3) & (rng.random(len(y)) < 0.3)
    if bad == "trigger":
        poisoned = (y != 0) & (rng.random(len(y)) < 0.05)
        X[np.ix_(poisoned, [7, 56, 63])] = 16
    codes[poisoned] = 8 if bad == "targeted" else 0
    return X, codes, poisoned


@pytest.mark.parametrize("bad", ["targeted", "trigger"])
def test_poison_ranks_low(bad: str) -> None:
    """Neighbours ≥ .95 on both; the ratio on targeted flips, the two others on the trigger."""
    X, codes, poisoned = _digits(bad)
    views = poison_views(X, codes, nearest_graph(X))
    assert roc_auc_score(poisoned, -views.neighbours) >= 0.95
    if bad == "targeted":
        assert roc_auc_score(poisoned, -views.ratio) >= 0.97
    if bad == "trigger":
        assert roc_auc_score(poisoned, -views.spectral) >= 0.8
        assert roc_auc_score(poisoned, -views.clusters) >= 0.9


def test_neighbours_are_those_of_the_exact_view() -> None:
    """The rank sum from the shared graph is the one of `neighbour_view`."""
    X, codes, _ = _digits("targeted")
    views = poison_views(X, codes, nearest_graph(X))
    assert views.neighbours == pytest.approx(neighbour_view(X, codes).scores, abs=2e-3)


def test_spectral_is_the_main_singular_vector() -> None:
    """Scores are projections on numpy's first right singular vector of the centred class."""
    X = np.random.default_rng(2).normal(size=(50, 6)) * [5, 1, 1, 1, 1, 1]
    centred = X - X.mean(axis=0)
    far = abs(centred @ np.linalg.svd(centred)[2][0])
    assert spectral_signatures(X, [0] * 50) == pytest.approx(far / np.median(far), rel=1e-3)


def test_smuggled_items_are_the_smaller_half() -> None:
    """The tenth of a class that was smuggled in is one half of it; a plain class has no clumps."""
    rng = np.random.default_rng(3)
    y = np.repeat([0, 1], 200)
    X = rng.normal(size=(400, 5))
    X[:20] += 12
    found = activation_clusters(X, y)
    assert found.scores[:20] == pytest.approx(0.1)
    assert found.smaller[0] == pytest.approx(0.1)
    assert found.apart[0] > 0.7 > 0.5 > found.apart[1]


def test_ratio_ignores_own_group() -> None:
    """A copy with the same wrong label vouches for it unless they are of one group."""
    X = [[0.0], [0.0], [0.1], [0.2], [9.0], [9.1]]
    codes = [1, 1, 0, 0, 1, 1]
    graph = nearest_graph(X, 5, metric="euclidean")
    assert nearest_ratio(graph, codes, k=1)[0] == 0
    assert nearest_ratio(graph, codes, list("aabcde"), k=1)[0] == pytest.approx(90, rel=1e-3)


@pytest.mark.parametrize("N", [0, 1, 2])
def test_few_items_and_missing_labels(N: int) -> None:
    """Nothing to compare gives NaN or 1, never a warning."""
    X = np.ones((N, 3))
    graph = nearest_graph(X, 50)
    for codes in (np.zeros(N, dtype=int), np.full(N, -1)):
        views = poison_views(X, codes, graph)
        assert views.ratio.shape == views.clusters.shape == (N,)
        assert np.isnan(views.neighbours).all() == (codes.max(initial=-1) < 0 or N < 2)


def test_malformed_input_is_refused() -> None:
    """Lengths and features that cannot be."""
    with pytest.raises(UsageError, match="finite"):
        spectral_signatures([[np.inf]], [0])
    with pytest.raises(UsageError, match="1 rows of features for 2 codes"):
        activation_clusters([[1.0]], [0, 1])
    with pytest.raises(UsageError, match="directions"):
        spectral_signatures([[1.0]], [0], directions=0)
    with pytest.raises(UsageError, match="3 codes for 1"):
        nearest_ratio(nearest_graph([[1.0]], 1), [0, 1, 1])
