"""Names of classes, learned from as texts: what they add, and what is left when they mislead."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from labelops.adapters.class_names import ClassNames, spoken, spoken_apart
from labelops.adapters.sklearn_labeler import SklearnLabeler
from labelops.adapters.text_features import LatentMap, TextRows, word_counts
from labelops.adapters.text_graph import TextGraph
from labelops.schema import Schema

TOPICS = ("late_parcel", "lost-card", "newAddress", "refund")
LETTERS = ("A", "B", "C", "D")


def _texts(count: int, seed: int = 0) -> tuple[list[str], np.ndarray]:
    """Draw texts of four topics; half of them say the topic's name, all a few of its words."""
    rng = np.random.default_rng(seed)
    words = ["".join(letters) for letters in rng.choice(list("aeioubdgklmnprst"), (120, 6))]
    topics = rng.permutation(np.arange(count) % len(TOPICS))
    texts = []
    for number, topic in enumerate(topics.tolist()):
        part = 30 * topic + 6 * rng.integers(5)  # a topic is five things that share no word
        own = [words[part + k] for k in rng.choice(6, 3, replace=False)]
        named = [spoken(TOPICS[topic])] if rng.random() < 0.5 else []
        texts.append(" ".join([*own, *named, f"n{number}"]))
    return texts, topics


def _read(texts: list[str], names: list[str]) -> tuple[TextRows, ClassNames]:
    rows = TextRows(word_counts(texts))
    latent = LatentMap.learned(rows.counts)
    assert latent is not None
    graph = TextGraph.learned(texts, rows, latent)
    said = TextRows(word_counts(names))
    near = graph.near([f"class {name}" for name in names], said)
    rows = replace(rows, near=graph.near(texts, rows))
    return rows, ClassNames.read(graph, replace(said, near=near))


def _items(texts: list[str]) -> pd.DataFrame:
    ids = [f"i{n:04d}" for n in range(len(texts))]
    return pd.DataFrame({"item_id": ids, "payload": texts, "payload_digest": ids, "group": ids})


def _right(classes: tuple[str, ...], labeled: int, seed: int, only: int = 4) -> float:
    """Learn from some texts of the first `only` topics; return how often all others are right."""
    texts, topics = _texts(160, seed)
    items, schema = _items(texts), Schema("mail", classes)
    some = np.flatnonzero(topics < only)[:labeled]
    labeler = SklearnLabeler(folds=2)
    labeler.read(items, schema)
    rows = items.iloc[some]
    labeler.fit(rows, topics[some].tolist(), rows["group"].tolist(), schema)
    answers = labeler.propose(items, schema)
    found = np.stack(answers["probs"].to_list()).argmax(axis=1)
    return float(np.delete(found == topics, some).mean())


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("a__b", "a b"),
        ("topUpFailed2", "top Up Failed2"),
        ("-", ""),
        ("Überweisung", "Überweisung"),
    ],
)
def test_names_are_written_as_people_say_them(name: str, said: str) -> None:
    """Worked examples; a name of signs alone says nothing."""
    assert spoken(name) == said


def test_names_that_tell_are_those_that_are_right() -> None:
    """Law: of four names two of which are exchanged the other two are learned from."""
    texts, topics = _texts(200)
    right = [spoken(name) for name in TOPICS]
    rows, names = _read(texts, right)
    assert names.that_tell(rows[:60], topics[:60]).tolist() == [0, 1, 2, 3]
    rows, names = _read(texts, [right[1], right[0], *right[2:]])
    assert names.that_tell(rows[:60], topics[:60]).tolist() == [2, 3]
    rows, names = _read(texts, [*right[1:], right[0]])
    assert not names.that_tell(rows[:60], topics[:60]).size


def test_names_that_say_nothing_are_seldom_learned_from() -> None:
    """Size: labels that have nothing to do with the names pass the test in 1 of 100 at most."""
    texts, _ = _texts(200)
    rows, names = _read(texts, [spoken(name) for name in TOPICS])
    rng = np.random.default_rng(7)
    passed = sum(names.that_tell(rows[:60], rng.integers(0, 4, 60)).size > 0 for _ in range(300))
    assert passed <= 10  # P(more | one in a hundred) < .001


def test_names_that_no_text_is_near_are_not_learned_from() -> None:
    """Edge: no name stands anywhere; no text has been labeled."""
    texts, topics = _texts(80)
    rows, names = _read(texts, ["", "??", "", "!"])
    assert not names.that_tell(rows[:40], topics[:40]).size
    assert not names.that_tell(rows[:0], topics[:0]).size


def test_names_that_would_be_said_alike_are_not_learned_from() -> None:
    """Neither first nor second of two: by a name that both have no text is told for one of them."""
    texts, topics = _texts(200)
    alike = ["Refund", "refund++", "newAddress", "late_parcel"]
    assert spoken_apart(alike) == ["", "", "new Address", "late parcel"]
    topics = np.array([3, 2, 2, 0])[topics]  # late parcel, both others, new address, refund
    rows, names = _read(texts, spoken_apart(alike))
    told = set(names.that_tell(rows[:60], topics[:60]).tolist())
    assert told and told <= {2, 3} and not names.rows.near[:2].nnz
    rows, names = _read(texts, [spoken(name) for name in alike])
    assert {0, 1} & set(names.that_tell(rows[:60], topics[:60])), "else this shows nothing"


def test_no_word_stands_nowhere_whatever_an_encoder_says_of_it() -> None:
    """Vectors of an empty text do not make it a name."""
    texts, _ = _texts(80)
    rows, names = _read(texts, ["", *map(spoken, TOPICS[1:])])
    graph_near = rows.near[:4]  # as if the names stood where the first texts do
    latent = LatentMap.learned(rows.counts)
    assert latent is not None
    graph = TextGraph.learned(texts, TextRows(rows.counts), latent)
    read = ClassNames.read(graph, replace(names.rows, near=graph_near))
    assert np.diff(read.rows.near.indptr).tolist() == [0, 1, 1, 1]


@pytest.mark.slow
def test_few_labels_go_further_with_names_and_no_less_far_with_wrong_ones() -> None:
    """Power: twelve labels, means of three draws; exchanged names are no worse than letters."""
    told = np.mean([_right(TOPICS, 12, seed) for seed in range(3)])
    letters = np.mean([_right(LETTERS, 12, seed) for seed in range(3)])
    wrong = np.mean([_right((*TOPICS[1:], TOPICS[0]), 12, seed) for seed in range(3)])
    assert told > letters + 0.1
    assert wrong > letters - 0.02


@pytest.mark.slow
def test_a_class_that_nobody_has_labeled_is_proposed_by_its_name() -> None:
    """Power: three topics are labeled; texts of the fourth that say its name are found."""
    assert _right(TOPICS, 60, 3, only=3) > _right(LETTERS, 60, 3, only=3) + 0.05
