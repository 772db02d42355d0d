"""Labels that spread from text to text: how far they come, and where they do not."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from labelops.adapters import text_graph
from labelops.adapters.sklearn_labeler import SklearnLabeler
from labelops.adapters.text_features import LatentMap, TextRows, word_counts
from labelops.adapters.text_graph import TextGraph
from labelops.schema import Schema


def _texts(count: int, seed: int = 0) -> tuple[list[str], np.ndarray]:
    """Draw texts of two classes, each of three topics that share some words."""
    rng = np.random.default_rng(seed)
    topics = rng.integers(0, 6, count)
    words = [f"w{topic}x{n}" for topic in range(6) for n in range(8)]
    texts = []
    for number, topic in enumerate(topics):
        own = rng.choice(8, 4, replace=False) + 8 * topic
        other = rng.integers(0, len(words), 2)
        texts.append(" ".join(words[k] for k in (*own, *other)) + f" n{number}")
    return texts, topics % 2


def _graph(texts: list[str]) -> tuple[TextGraph, TextRows]:
    rows = TextRows(word_counts(texts))
    latent = LatentMap.learned(rows.counts)
    assert latent is not None
    return TextGraph.learned(texts, rows, latent), rows


def test_spreading_is_the_solution_of_its_equation() -> None:
    """Oracle: (I - 0.8 S)⁻¹ Y, rows to a sum of one."""
    texts, truth = _texts(120)
    graph, rows = _graph(texts)
    given = np.zeros((120, 2))
    given[np.arange(20), truth[:20]] = 1.0
    dense = np.linalg.solve(np.eye(120) - 0.8 * graph.links.toarray(), given)
    dense += 1e-4 * dense.max()
    found = graph.spread(graph.near(texts[:20], rows[:20]), truth[:20], 2)
    np.testing.assert_allclose(found, dense / dense.sum(axis=1, keepdims=True), atol=2e-3)
    assert abs(graph.links - graph.links.T).max() < 1e-12 and graph.links.diagonal().max() == 0


def test_a_text_read_is_its_own_node_and_another_stands_near_the_like() -> None:
    """Of a text that nobody has read the nearest nodes speak, by shares that sum to one."""
    texts, _ = _texts(100)
    graph, rows = _graph(texts)
    assert (graph.near(texts, rows).toarray() == np.eye(100)).all()
    near = graph.near(["another"], TextRows(word_counts([texts[7] + " more"]))).toarray()[0]
    assert near.argmax() == 7 and near.sum() == pytest.approx(1.0) and (near > 0).sum() <= 10
    assert graph.near(["empty"], TextRows(word_counts([""]))).nnz == 0


def test_the_same_text_is_one_node() -> None:
    """Ten copies do not fill one another's neighbourhood."""
    texts, _ = _texts(60)
    graph, rows = _graph([*texts, *[texts[0]] * 10])
    assert len(graph.nodes) == 60
    assert graph.near([texts[0]] * 10, rows[60:]).argmax(axis=1).tolist() == [[0]] * 10


def test_where_nothing_was_labeled_near_all_classes_are_alike() -> None:
    """A group of texts without links to any label believes in every class as much."""
    texts = [f"red cat {n}" for n in range(40)] + [f"blau hund {n}" for n in range(40)]
    graph, rows = _graph(texts)
    found = graph.spread(graph.near(texts[:2], rows[:2]), np.array([0, 0]), 2)
    assert found[20, 0] > 0.9
    np.testing.assert_allclose(found[40:], 0.5, atol=0.01)


@pytest.mark.slow
def test_labels_reach_further_than_the_classifier_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """With 24 labels of 600 texts more are right than without spreading; and so with few nodes."""
    texts, truth = _texts(600, seed=1)
    ids = [f"i{n:03d}" for n in range(600)]
    items = pd.DataFrame({"item_id": ids, "payload": texts, "payload_digest": ids, "group": ids})
    schema = Schema("s", ("a", "b"))

    def right(nodes: int, *, spread: bool = True) -> float:
        monkeypatch.setattr(text_graph, "_MOST", nodes)
        labeler = SklearnLabeler(folds=2)
        labeler.read(items, schema)
        if not spread:
            labeler._graph = None
        labeler.fit(items[:24], truth[:24].tolist(), ids[:24], schema)
        said = labeler.propose(items[24:], schema)["value"]
        return float((said == np.where(truth[24:], '"b"', '"a"')).mean())

    alone, all_, some = right(5_000, spread=False), right(5_000), right(300)
    assert all_ > alone + 0.02 and some > alone


@pytest.mark.slow
def test_a_label_says_nothing_of_its_own_text() -> None:
    """A wrong label among right ones is not proposed back: its fold has not seen it."""
    texts, truth = _texts(200, seed=2)
    ids = [f"i{n:03d}" for n in range(200)]
    items = pd.DataFrame({"item_id": ids, "payload": texts, "payload_digest": ids, "group": ids})
    schema, codes = Schema("s", ("a", "b")), truth.copy()
    codes[:10] = 1 - codes[:10]
    labeler = SklearnLabeler()
    labeler.read(items, schema)
    labeler.fit(items, codes.tolist(), ids, schema)
    said = labeler.propose(items, schema)["value"][:10]
    assert (said == np.where(truth[:10], '"b"', '"a"')).mean() >= 0.8
