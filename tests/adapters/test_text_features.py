"""Numbers from texts, where texts say nothing, and for audits."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pandas as pd
import pytest
from scipy import sparse

from labelops.adapters import text_features
from labelops.adapters.sklearn_labeler import SklearnLabeler
from labelops.adapters.text_features import (
    LatentMap,
    TextMap,
    TextRows,
    TfidfMap,
    comparable,
    word_counts,
    words_of,
)
from labelops.audit.detect import detect_label_errors
from labelops.audit.few_dimensions import few_dimensions
from labelops.schema import Schema


def _rows(texts: list[str], size: int = 0) -> TextRows:
    vectors = np.random.default_rng(0).normal(size=(len(texts), size)).astype(np.float32)
    return TextRows(word_counts(texts), vectors if size else None)


@pytest.mark.parametrize("texts", [[], [""], ["", " ", ""]])
def test_texts_that_say_nothing_are_compared_by_nothing(texts: list[str]) -> None:
    """One column of zeros, for any number of texts; with vectors, those and nothing else."""
    assert np.array_equal(comparable(_rows(texts)), np.zeros((len(texts), 1)))
    rows = _rows(texts, 3)
    assert np.array_equal(comparable(rows), np.asarray(rows.vectors, dtype=np.float64))
    assert TfidfMap.learned(rows.counts)(word_counts(["red cat"])).shape == (1, 0)
    assert LatentMap.learned(rows.counts) is None


def test_many_texts_with_nothing_in_common_have_no_latent_directions() -> None:
    """No column stands in two texts, so none is left to learn from."""
    assert LatentMap.learned(word_counts([chr(0x5000 + n) * 3 for n in range(20)])) is None


def test_a_map_of_empty_texts_leaves_a_column_to_learn_from() -> None:
    """One column of zeros without vectors; with them they are enough."""
    rows = _rows(["", ""])
    assert TextMap.learned(rows)(rows).toarray().tolist() == [[0.0], [0.0]]
    rows = _rows(["", ""], 3)
    assert TextMap.learned(rows)(rows).shape == (2, 3)


@pytest.mark.parametrize("estimator", [None, "sklearn.tree.DecisionTreeClassifier"])
def test_empty_texts_are_proposed_by_how_often_classes_come(estimator: str | None) -> None:
    """A right answer: three of four say a, so a is likelier, and nothing else is known."""
    ids = list("pqrstuvw")
    items = pd.DataFrame({"item_id": ids, "payload": "", "payload_digest": ids, "group": ids})
    schema = Schema("s", ("a", "b"))
    labeler = SklearnLabeler(estimator, folds=2)
    labeler.read(items, schema)
    labeler.fit(items, [0, 0, 0, 1] * 2, items["group"], schema)
    asked = pd.DataFrame({"item_id": ["x", "y"], "payload": ["", "red cat"],
                          "payload_digest": ["x", "y"], "group": ["x", "y"]})  # fmt: skip
    probs = np.stack(labeler.propose(asked, schema)["probs"].to_list())
    np.testing.assert_allclose(probs, [[0.75, 0.25]] * 2, atol=0.1)


@pytest.mark.slow
def test_audits_take_texts_that_say_nothing() -> None:
    """They are taken for the same, and no label is called wrong for it."""
    found = detect_label_errors(np.arange(40) % 2, features=comparable(_rows([""] * 40)))
    assert len(found.probability) == 40
    assert not found.flagged.any()


@pytest.mark.slow
def test_projecting_words_first_is_as_good_as_projecting_both_together() -> None:
    """Oracle: one matrix of both; of the ten nearest as many are of the text's class."""
    rng = np.random.default_rng(7)
    y = rng.integers(0, 8, 600)
    own = [[f"k{k}w{n}" for n in range(12)] for k in range(8)]
    common = [f"c{n}" for n in range(200)]
    texts = [" ".join([*rng.choice(own[k], 1), *rng.choice(common, 8)]) for k in y]
    vectors = rng.normal(size=(8, 100))[y] + 2.5 * rng.normal(size=(600, 100))
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    rows = TextRows(word_counts(texts), vectors.astype(np.float32))
    words = TfidfMap.learned(rows.counts)(rows.counts)
    together = few_dimensions(sparse.hstack([words, rows.vectors], format="csr"))
    shares = [_same_class(f, y) for f in (comparable(rows), together, few_dimensions(words))]
    assert shares[0] > shares[1] - 0.02
    assert shares[0] > shares[2] + 0.1


def _same_class(features: np.ndarray, y: np.ndarray) -> float:
    unit = features / np.linalg.norm(features, axis=1, keepdims=True)
    near = unit @ unit.T
    np.fill_diagonal(near, -2)
    return float((y[np.argsort(-near, axis=1)[:, :10]] == y[:, None]).mean())


@pytest.mark.slow
def test_vectors_take_little_memory_beside_words() -> None:
    """For audits: at most half as much again as words alone; one sparse matrix takes twice."""
    rng = np.random.default_rng(0)
    words = [f"w{n}" for n in range(3_000)]
    rows = _rows([" ".join(rng.choice(words, 10)) for _ in range(1_500)], 256)
    peaks = []
    for asked in (TextRows(rows.counts), rows):
        tracemalloc.start()
        comparable(asked)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < 1.5 * peaks[0]


def test_words_of_very_many_texts_stand_in_several(monkeypatch: pytest.MonkeyPatch) -> None:
    """In one of so many at least, for who learns from a share of them meets others too seldom."""
    monkeypatch.setattr(text_features, "_TEXTS_A_WORD", 4)
    texts = ["one two"] * 2 + ["three"] * 3 + ["four"] * 9
    known = words_of(TextRows(word_counts(texts))).getnnz(axis=1) > 0
    assert known.tolist() == [False] * 2 + [True] * 12
