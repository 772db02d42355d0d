"""Held-out probabilities."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import sparse
from sklearn.metrics import average_precision_score
from threadpoolctl import threadpool_info, threadpool_limits  # type: ignore[import-untyped]

from labelops.audit import out_of_fold
from labelops.audit.confident import label_quality_scores
from labelops.audit.out_of_fold import (
    fit_learner,
    grouped_folds,
    out_of_fold_probs,
    rows_to_learn,
)
from labelops.errors import UsageError

from ..digits import digits


@given(st.integers(0, 10_000), st.integers(2, 6), st.integers(2, 40))
def test_groups_stay_whole_and_folds_are_used(seed: int, folds: int, groups: int) -> None:
    """No group is split, every fold is used when there are groups enough."""
    rng = np.random.default_rng(seed)
    names = rng.integers(0, groups, 80)
    if len(np.unique(names)) < 2:
        return
    dealt = grouped_folds(rng.integers(-1, 3, 80), names, folds, rng=rng)
    assert all(len(set(dealt[names == g])) == 1 for g in np.unique(names))
    assert len(np.unique(dealt)) == min(folds, len(np.unique(names)))


def test_folds_are_stratified() -> None:
    """Each fold gets its share of each class, within one item, when groups are single items."""
    rng = np.random.default_rng(0)
    codes = np.repeat([0, 1, 2], [103, 50, 7])
    dealt = grouped_folds(codes, np.arange(160), 5, rng=rng)
    counts = np.array([np.bincount(dealt[codes == c], minlength=5) for c in range(3)])
    assert (counts.max(axis=1) - counts.min(axis=1) <= 1).all()


@pytest.mark.parametrize(
    ("codes", "folds", "match"),
    [
        ([0.0, float("nan"), 1.0], 2, "codes: expected integers"),
        (["a", "b", "a"], 2, "codes: expected integers"),
        ([[0], [1], [0]], 2, "codes: expected one dimension"),
        ([0, -2, 1], 2, "codes: row 1 is -2"),
        ([0, 1, 0], 2.5, "folds is 2.5"),
    ],
)
def test_folds_of_what_are_no_codes_are_refused(codes: object, folds: int, match: str) -> None:
    """By name, and not by what numpy or pandas say of them."""
    with pytest.raises(UsageError, match=match):
        grouped_folds(codes, [1, 2, 3], folds, rng=np.random.default_rng(0))  # type: ignore[arg-type]


@pytest.mark.slow
def test_group_mates_are_never_trained_on() -> None:
    """Copies with labels nothing explains stay unexplained with groups, and leak without them."""
    rng = np.random.default_rng(0)
    X = np.repeat(rng.normal(size=(100, 8)), 3, axis=0)
    y = np.repeat(rng.integers(0, 2, 100), 3)
    groups = np.repeat(np.arange(100), 3)
    kept = out_of_fold_probs(X, y, groups, 2, rng=rng, learners=("trees",), repeats=1)
    leaked = out_of_fold_probs(X, y, np.arange(300), 2, rng=rng, learners=("trees",), repeats=1)
    assert (kept.mean.argmax(axis=1) == y).mean() < 0.65
    assert (leaked.mean.argmax(axis=1) == y).mean() > 0.9


@pytest.mark.slow
def test_shapes_and_sums() -> None:
    """One view a learner and repeat; rows sum to 1; items without a label are predicted too."""
    rng = np.random.default_rng(0)
    y = np.tile([0, 1, -1], 20)
    X = sparse.csr_matrix(rng.normal(size=(60, 4)) + 3 * (y == 1)[:, None])
    held = out_of_fold_probs(
        X, y, np.arange(60), 4, rng=rng, learners=("logistic", "trees", "knn"), repeats=2
    )
    assert held.learners == ("logistic", "trees", "knn") * 2
    assert len(held.views) == 6
    assert held.folds.shape == (2, 60)
    assert all(np.allclose(view.sum(axis=1), 1) for view in held.views)
    assert held.judged.tolist() == (y >= 0).tolist()


def test_tiny_classes_are_not_judged() -> None:
    """A class of one item cannot be learned without it: said so, not scored 0."""
    rng = np.random.default_rng(0)
    y = np.array([0] * 20 + [1] * 20 + [2])
    X = rng.normal(size=(41, 3)) + 3 * np.eye(3)[y]
    held = out_of_fold_probs(X, y, np.arange(41), 3, rng=rng, learners=("logistic",))
    assert held.judged.tolist() == [True] * 40 + [False]


def test_two_groups_are_enough() -> None:
    """A fold whose training rows hold one class predicts that class, and no row is judged by it."""
    rng = np.random.default_rng(0)
    held = out_of_fold_probs(
        rng.normal(size=(6, 2)), [0, 0, 0, 1, 1, 1], list("aaabbb"), 2, rng=rng, repeats=1
    )
    assert not held.judged.any()
    assert np.allclose(held.mean.sum(axis=1), 1)


@pytest.mark.parametrize(
    ("codes", "groups", "learners", "match"),
    [
        ([0, 0, 0], [0, 1, 2], ("logistic",), "fewer than two classes"),
        ([0, 1, 1], [0, 0, 0], ("logistic",), "at least 2 of each"),
        ([0, 1, 1], [0, 1], ("logistic",), "groups"),
        ([0, 1, 1], [0, 1, 2], ("svm",), "'svm'"),
        ([0, 1, 1], [0, 1, 2], (), "at least one"),
    ],
)
def test_malformed_input_is_refused(
    codes: list[int], groups: list[int], learners: tuple[str, ...], match: str
) -> None:
    """What cannot be held out is named."""
    with pytest.raises(UsageError, match=match):
        out_of_fold_probs(
            np.eye(3), codes, groups, 2, rng=np.random.default_rng(0), learners=learners
        )


@pytest.mark.slow
def test_same_rng_same_answer() -> None:
    """The result is fixed by the generator."""
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(40, 3)), np.tile([0, 1], 20)
    a, b = (
        out_of_fold_probs(X, y, np.arange(40), 2, rng=np.random.default_rng(5), repeats=1)
        for _ in range(2)
    )
    assert np.array_equal(a.mean, b.mean)


def _noisy_digits(kind: str, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    X, y = digits()
    bad = rng.random(len(y)) < 0.1
    shift = rng.integers(1, 10, bad.sum()) if kind == "uniform" else 1
    codes = y.copy()
    codes[bad] = (y[bad] + shift) % 10
    return X, codes, bad


@pytest.mark.slow
@pytest.mark.parametrize(("kind", "needed"), [("uniform", 0.98), ("asymmetric", 0.93)])
def test_digits_average_precision(kind: str, needed: float) -> None:
    """10 % wrong labels on the digits are ranked first, on both seeds."""
    for seed in range(2):
        X, codes, bad = _noisy_digits(kind, seed)
        held = out_of_fold_probs(X, codes, np.arange(len(X)), 10, rng=np.random.default_rng(seed))
        ap = average_precision_score(bad, -label_quality_scores(codes, held.mean))
        assert ap >= needed


@pytest.mark.slow
def test_grouping_copies_keeps_the_ranking() -> None:
    """Items three times over: with groups the ranking stays as good, without it loses."""
    X, codes, bad = _noisy_digits("uniform", 0)
    X, codes, bad = (np.repeat(a, 3, axis=0) for a in (X[:500], codes[:500], bad[:500]))

    def ap(groups: np.ndarray) -> float:
        held = out_of_fold_probs(X, codes, groups, 10, rng=np.random.default_rng(0), repeats=1)
        return float(average_precision_score(bad, -label_quality_scores(codes, held.mean)))

    grouped = ap(np.repeat(np.arange(500), 3))
    assert grouped >= 0.95
    assert ap(np.arange(1500)) < grouped - 0.03


@pytest.mark.slow
def test_large_sets_are_learned_by_samples(monkeypatch: pytest.MonkeyPatch) -> None:
    """Above the limit each tree learns from a sample, and wrong labels still rank first."""
    monkeypatch.setattr("labelops.audit.learners._ROWS_A_TREE", 100)
    rng = np.random.default_rng(0)
    y = rng.integers(0, 3, 400)
    X = rng.normal(size=(400, 3)) + 5 * np.eye(3)[y]
    bad = np.arange(400) < 20
    codes = np.where(bad, (y + 1) % 3, y)
    held = out_of_fold_probs(X, codes, np.arange(400), 3, rng=rng, learners=("trees",), repeats=1)
    assert average_precision_score(bad, -label_quality_scores(codes, held.mean)) > 0.95


def test_models_are_fitted_by_one_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever calls, and whoever else wants the cores; after it all threads are there again."""
    seen: list[set[int]] = []

    def threads() -> set[int]:
        return {i["num_threads"] for i in threadpool_info() if i["user_api"] == "blas"}

    def watched(*given: Any) -> Any:
        seen.append(threads())
        return fit_learner(*given)

    monkeypatch.setattr(out_of_fold, "fit_learner", watched)
    features, codes = np.repeat(np.eye(2), 10, axis=0), np.repeat([0, 1], 10)
    with threadpool_limits(2, "blas"):
        out_of_fold_probs(features, codes, np.arange(20), 2, rng=np.random.default_rng(0),
                          learners=["logistic"], repeats=1)  # fmt: skip
        assert threads() == {2}
    assert len(seen) == 5 and all(found == {1} for found in seen)


def _topics(seed: int, N: int = 600, K: int = 4) -> tuple[Any, np.ndarray]:
    """Make short texts of four of the 100 words of their class, so that few share one."""
    rng = np.random.default_rng(seed)
    truth = rng.integers(0, K, N)
    words = truth[:, None] * 100 + rng.integers(0, 100, (N, 4))
    rows = np.repeat(np.arange(N), 4)
    return sparse.csr_matrix((np.ones(4 * N), (rows, words.ravel())), (N, K * 100)), truth


@pytest.mark.slow
def test_words_are_read_with_directions_that_texts_share() -> None:
    """A text none of whose words has a label is told by others that those words stand in."""
    right = np.zeros(3)
    for seed in range(3):
        X, truth = _topics(seed)
        labeled = np.where(np.arange(len(truth)) < 60, truth, -1)
        known = np.eye(4)[truth] + np.random.default_rng(seed).normal(0, 0.3, (len(truth), 4))
        for i, beside in enumerate((np.zeros((len(truth), 1)), None, known)):
            found = out_of_fold_probs(
                X, labeled, np.arange(len(truth)), 4, rng=np.random.default_rng(0),
                learners=("words",), repeats=1, embeddings=beside,
            )  # fmt: skip
            right[i] += (found.mean.argmax(axis=1) == truth)[60:].mean() / 3
    assert right[1] > right[0] + 0.05
    assert right[2] > right[0] + 0.05


@pytest.mark.parametrize(
    ("features", "embeddings", "said"),
    [
        (np.eye(4), np.eye(4), "dense"),
        (sparse.eye(4, format="csr"), sparse.eye(4, format="csr"), "dense"),
        (sparse.eye(4, format="csr"), np.eye(3), "3 rows"),
        (sparse.eye(4, format="csr"), np.full((4, 1), np.nan), "row 0"),
    ],
)
def test_embeddings_that_do_not_fit_are_refused(features: Any, embeddings: Any, said: str) -> None:
    """They are dense, of the same rows, finite, and stand beside sparse features."""
    from labelops.audit import detect_label_errors

    rng = np.random.default_rng(0)
    with pytest.raises(UsageError, match=said):
        out_of_fold_probs(
            features, [0, 1, 0, 1], range(4), 2, rng=rng, learners=("words",), embeddings=embeddings
        )
    with pytest.raises(UsageError, match=said):
        detect_label_errors([0, 1, 0, 1], features=features, embeddings=embeddings)


def test_rows_to_learn_from_are_of_each_class_its_share() -> None:
    """Of a small class all or twenty; of few rows all, and then no number is drawn."""
    labels = np.repeat(np.arange(4), [9_000, 900, 60, 5])
    rng = np.random.default_rng(0)
    drawn = rows_to_learn(np.arange(len(labels)), labels, rng, limit=1_000)
    assert np.bincount(labels[drawn]).tolist() == [904, 91, 20, 5]
    assert (np.diff(drawn) > 0).all()
    before = rng.bit_generator.state
    assert rows_to_learn(drawn, labels, rng, limit=5_000) is drawn
    assert rng.bit_generator.state == before


@pytest.mark.slow
def test_models_of_very_many_rows_learn_from_some(monkeypatch: pytest.MonkeyPatch) -> None:
    """All rows are judged, none by a model that had seen it, and wrong labels still rank first."""
    seen: list[int] = []

    def watched(name: str, seed: int, features: Any, labels: Any) -> Any:
        seen.append(len(labels))
        return fit_learner(name, seed, features, labels)

    monkeypatch.setattr(out_of_fold, "fit_learner", watched)
    monkeypatch.setattr(out_of_fold, "ROWS_A_MODEL", 150)
    rng = np.random.default_rng(0)
    y = rng.integers(0, 3, 600)
    X = rng.normal(size=(600, 3)) + 5 * np.eye(3)[y]
    bad = np.arange(600) < 30
    codes = np.where(bad, (y + 1) % 3, y)
    held = out_of_fold_probs(X, codes, np.arange(600), 3, rng=rng)
    assert held.judged.all() and set(seen) <= set(range(150, 154)) and len(seen) == 20
    assert average_precision_score(bad, -label_quality_scores(codes, held.mean)) > 0.95


def test_folds_are_told() -> None:
    """As many as there are to come, once when it begins and after each."""
    told: list[tuple[str, int, int]] = []
    X, y = np.random.default_rng(0).normal(size=(20, 2)), np.arange(20) % 2
    out_of_fold_probs(
        X, y, np.arange(20), 2, rng=np.random.default_rng(0), learners=("knn",), repeats=2,
        folds=3, progress=lambda *said: told.append(said),
    )  # fmt: skip
    assert told == [("training models", done, 6) for done in range(7)]


def test_many_words_of_many_classes_are_read_as_directions(monkeypatch: pytest.MonkeyPatch) -> None:
    """Their weights would take minutes: the learner of words gets few numbers, the others words."""
    read: dict[str, Any] = {}

    def watched(name: str, seed: int, features: Any, labels: Any) -> Any:
        read[name] = features
        return fit_learner(name, seed, features, labels)

    monkeypatch.setattr(out_of_fold, "fit_learner", watched)
    monkeypatch.setattr(out_of_fold, "_WEIGHTS", 100)
    monkeypatch.setattr(out_of_fold, "_DIRECTIONS", 8)
    rng = np.random.default_rng(0)
    y = np.arange(60) % 3
    words = sparse.csr_matrix(
        (rng.random((60, 40)) < 0.1) + 2.0 * (np.arange(40) % 3 == y[:, None])
    )
    found = out_of_fold_probs(
        words, y, np.arange(60), 3, rng=rng, learners=("words", "bayes"), repeats=1,
        embeddings=rng.normal(size=(60, 2)),
    )  # fmt: skip
    assert read["words"].shape[1] == 10 and isinstance(read["words"], np.ndarray)
    assert sparse.issparse(read["bayes"]) and read["bayes"].shape[1] == 40
    assert (found.views[0].argmax(axis=1) == y).mean() > 0.9
