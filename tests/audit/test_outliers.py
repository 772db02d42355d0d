"""Items far from the others."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import kstest
from sklearn.metrics import roc_auc_score
from sklearn.neighbors import NearestNeighbors

from labelops.audit import outliers
from labelops.audit.graph import nearest_graph
from labelops.audit.outliers import find_outliers, find_outliers_in_class
from labelops.errors import UsageError

from ..digits import digits


def _plane(seed: int, N: int = 500, D: int = 6) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(N, D))


def test_distance_is_scikit_learns_mean() -> None:
    """The mean distance to ten neighbours, as scikit-learn finds them."""
    X = _plane(0)
    far = NearestNeighbors(n_neighbors=10).fit(X).kneighbors()[0].mean(axis=1)
    found = find_outliers(nearest_graph(X, 12, metric="euclidean"))
    assert found.distances == pytest.approx(far, rel=1e-4)


def test_scores_are_quantiles() -> None:
    """The farthest has 1/N, the nearest 1, ties share."""
    found = find_outliers(nearest_graph([[0.0], [1.0], [2.0], [9.0]], 1, metric="euclidean"), k=1)
    assert found.scores.tolist() == [1.0, 1.0, 1.0, 0.25]


def test_what_cosine_and_euclidean_distance_see() -> None:
    """Bright digits are far only by distance; another direction among noisy lengths by cosine."""
    rng = np.random.default_rng(1)
    bright = digits()[0][:800]
    bright[:20] *= 3
    clusters = rng.normal(size=(20, 64))
    vectors = clusters[rng.integers(20, size=800)] + 0.6 * rng.normal(size=(800, 64))
    vectors[:20] = 1.2 * rng.normal(size=(20, 64))
    vectors *= rng.lognormal(0, 0.3, (800, 1))
    found = {
        (name, metric): find_outliers(nearest_graph(X, 10, metric=metric)).flagged[:20].mean()
        for name, X in (("bright", bright), ("turned", vectors))
        for metric in ("cosine", "euclidean")
    }
    assert min(found["bright", "euclidean"], found["turned", "cosine"]) >= 0.95
    assert max(found["bright", "cosine"], found["turned", "euclidean"]) <= 0.2


def test_shuffled_digits_are_found() -> None:
    """60 digits with shuffled pixels among 1,797: at least .95 flagged, at most 1 % false."""
    X, _ = digits()
    X = np.vstack([X, np.random.default_rng(0).permuted(X[:60], axis=1)])
    found = find_outliers(nearest_graph(X, 10))
    odd = np.arange(len(X)) >= 1797
    assert roc_auc_score(odd, -found.scores) >= 0.99
    assert found.flagged[odd].mean() >= 0.95
    assert found.flagged[~odd].sum() <= 0.1 * odd.sum()


def test_nothing_is_found_where_nothing_is() -> None:
    """Plain digits: at most five are flagged, and p-values below .05 are about a twentieth."""
    X, y = digits()
    graph = nearest_graph(X, 50)
    for found in (find_outliers(graph), find_outliers_in_class(graph, y)):
        assert found.flagged.sum() <= 5
        assert 0.03 <= (found.p_values < 0.05).mean() <= 0.07


@pytest.mark.slow
def test_conformal_p_values_are_uniform() -> None:
    """Of ordinary items not in the reference p-values are uniform, with outliers around."""
    X = _plane(3, 4_000, 3)
    X[:50] *= 6
    reference = np.arange(4_000) >= 2_000
    found = find_outliers(nearest_graph(X, 10, metric="euclidean"), reference=reference)
    assert kstest(found.p_values[50:2_000], "uniform").pvalue > 0.01
    assert found.flagged[:50].mean() >= 0.7


@pytest.mark.slow
@pytest.mark.parametrize("D", [2, 8, 32])
def test_false_flags_stay_below_the_risk(D: int) -> None:
    """With a reference, the mean share of ordinary items among the flagged is at most the risk.

    A fifth and more of the outliers is found, nearly all in many dimensions; p-values alone flag
    far too many.
    """
    false, hits, alone = [], [], []
    for seed in range(40):
        X = _plane(seed, 1_100, D)
        X[:50] *= 3
        reference = np.arange(1_100) >= 600
        graph = nearest_graph(X, 10, metric="euclidean")
        found = find_outliers(graph, reference=reference, risk=0.1)
        flagged, low = found.flagged[:600], found.p_values[:600] <= 0.1
        false.append(flagged[50:].sum() / max(flagged.sum(), 1))
        hits.append(flagged[:50].mean())
        alone.append(low[50:].sum() / max(low.sum(), 1))
    assert np.mean(false) <= 0.1 + 2 * np.std(false) / np.sqrt(len(false))
    assert np.mean(hits) >= {2: 0.2, 8: 0.9, 32: 0.99}[D]
    assert np.mean(alone) > 0.3


def test_copies_do_not_hide_an_outlier() -> None:
    """Eleven copies of one outlier are at distance 0 of each other, unless grouped."""
    X = _plane(4)
    X[:11] = 8
    graph = nearest_graph(X, 30, metric="euclidean")
    groups = np.maximum(np.arange(500), 10)
    assert not find_outliers(graph).flagged[:11].any()
    assert find_outliers(graph, groups=groups).flagged[:11].all()


def test_wrong_labels_are_outliers_in_their_class() -> None:
    """An item in another class's midst is far from its own, and no outlier at all."""
    y = np.repeat([0, 1], 250)
    X = _plane(5) + 7 * y[:, None]
    y[:4] = 1
    graph = nearest_graph(X, 30, metric="euclidean")
    found = find_outliers_in_class(graph, y).flagged
    assert found[:4].all()
    assert found[4:].sum() <= 5
    assert not find_outliers(graph).flagged[:4].any()


def test_missing_labels_are_not_judged() -> None:
    """Neither score nor flag for an item without a label."""
    graph = nearest_graph(_plane(6), 10, metric="euclidean")
    codes = np.r_[-1, np.zeros(499, dtype=int)]
    found = find_outliers_in_class(graph, codes)
    assert np.isnan(found.p_values[0])
    assert not found.flagged[0]
    assert not np.isnan(found.p_values[1:]).any()


@pytest.mark.parametrize(
    "X", [np.empty((0, 2)), np.ones((1, 2)), np.ones((30, 2)), np.zeros((2, 2))]
)
def test_degenerate_features_flag_nobody(X: np.ndarray) -> None:
    """No items, one, or items that are all the same."""
    graph = nearest_graph(X, 5)
    codes = np.zeros(len(X), dtype=int)
    for found in (find_outliers(graph), find_outliers_in_class(graph, codes)):
        known = [1.0 if len(X) > 1 else np.nan] * len(X)
        assert np.array_equal(found.p_values, known, equal_nan=True)
        assert np.array_equal(found.scores, known, equal_nan=True)
        assert found.flagged.tolist() == [False] * len(X)


def test_malformed_input_is_refused() -> None:
    """A reference of the wrong sort, no neighbours, a risk of 0."""
    graph = nearest_graph(_plane(7, 20), 5)
    for reference in (np.zeros(20, dtype=bool), np.ones(19, dtype=bool), np.ones(20)):
        with pytest.raises(UsageError, match="reference"):
            find_outliers(graph, reference=reference)
    with pytest.raises(UsageError, match="k is 0"):
        find_outliers(graph, k=0)
    with pytest.raises(UsageError, match="risk"):
        find_outliers(graph, risk=0.0)
    with pytest.raises(UsageError, match="codes"):
        find_outliers_in_class(graph, [0])


LINE = [[0.0], [1.0], [3.0], [6.0], [10.0], [15.0]]


def test_p_values_by_hand() -> None:
    """The rank among the reference and itself; of the reference an item counts itself once.

    Nearest neighbours are 1, 1, 2, 3, 4 and 5 away, and the first four are ordinary.
    """
    graph = nearest_graph(LINE, 1, metric="euclidean")
    found = find_outliers(graph, k=1, reference=np.arange(6) < 4)
    assert found.p_values.tolist() == [1.0, 1.0, 2 / 4, 1 / 4, 1 / 5, 1 / 5]


def test_neighbours_that_do_not_count_by_hand() -> None:
    """For those of the own group, and those beyond the graph, the farthest stands in."""
    graph = nearest_graph([[0.0], [1.0], [5.0]], 2, metric="euclidean")
    found = find_outliers(graph, k=2, groups=["a", "a", "b"])
    assert found.distances.tolist() == [5.0, 4.0, 4.5]


def test_blocks_of_rows_do_not_matter(monkeypatch: pytest.MonkeyPatch) -> None:
    """However many rows are read at a time."""
    graph = nearest_graph(_plane(2, 50), 5)
    whole = find_outliers(graph)
    monkeypatch.setattr(outliers, "_BLOCK", 7)
    parts = find_outliers(graph)
    assert parts.distances.tolist() == whole.distances.tolist()
    assert parts.p_values.tolist() == whole.p_values.tolist()
