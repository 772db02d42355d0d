"""Views on tampered labels."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from labelops.audit import poison
from labelops.audit.activation import activation_clusters
from labelops.audit.graph import nearest_graph
from labelops.audit.neighbours import neighbour_view
from labelops.audit.poison import nearest_ratio, poison_views
from labelops.audit.spectral import spectral_signatures
from labelops.errors import UsageError

from ..digits import digits


def _digits(bad: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Digits with 30 % of the 3s called 8, or with a bright corner on 5 % that are called 0."""
    rng = np.random.default_rng(0)
    X, y = digits()
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


@pytest.mark.slow
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
        labeled = codes.max(initial=-1) >= 0
        beside = [1.0 if labeled and N > 1 else np.nan] * N
        alone = [1.0 if labeled else np.nan] * N
        assert np.array_equal(views.ratio, beside, equal_nan=True)
        assert np.array_equal(np.isnan(views.neighbours), np.isnan(beside))
        for view in (views.spectral, views.clusters):
            assert np.array_equal(view, alone, equal_nan=True)


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


def test_ratio_by_hand() -> None:
    """Of the nearest with the same label, and with another; the farthest stands for the missing."""
    graph = nearest_graph([[0.0], [1.0], [2.0], [9.0]], 3, metric="euclidean")
    found = nearest_ratio(graph, [0, 0, 1, 1], k=1)
    assert found == pytest.approx([1 / 2, 1 / 1, 7 / 1, 7 / 8])
    two = nearest_ratio(graph, [0, 0, 1, 1], k=2)
    assert two == pytest.approx([10 / 11, 9 / 9, 14 / 3, 16 / 17])


def test_who_has_no_label_or_nobody_beside_them_has_no_ratio() -> None:
    """A missing label is not judged, and vouches for nobody."""
    graph = nearest_graph([[0.0], [1.0], [3.0]], 2, metric="euclidean")
    found = nearest_ratio(graph, [0, -1, 1], k=1)
    assert np.isnan(found).tolist() == [False, True, False]
    assert np.isnan(nearest_ratio(graph, [0, -1, -1], k=1)).all()


def test_items_that_are_all_the_same_are_as_far_as_usual() -> None:
    """Of any class, the first too; and they are no clump."""
    same, codes = np.ones((6, 3)), [0, 0, 0, 1, 1, -1]
    expected = [1.0, 1.0, 1.0, 1.0, 1.0, np.nan]
    assert np.array_equal(spectral_signatures(same, codes), expected, equal_nan=True)
    assert np.array_equal(activation_clusters(same, codes).scores, expected, equal_nan=True)


def test_blocks_of_rows_do_not_matter(monkeypatch: pytest.MonkeyPatch) -> None:
    """However many rows are read at a time."""
    X, codes, _ = _digits("targeted")
    graph = nearest_graph(X[:60], 10)
    whole = nearest_ratio(graph, codes[:60], k=3)
    monkeypatch.setattr(poison, "_BLOCK", 7)
    assert nearest_ratio(graph, codes[:60], k=3).tolist() == whole.tolist()
