"""Copies across splits, and labels in their own text."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from labelops.audit.graph import nearest_graph
from labelops.audit.leakage import label_in_text, split_leakage
from labelops.errors import UsageError


def test_planted_leaks_are_found() -> None:
    """Near copies of training items in the test set are found, and nothing else."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(600, 8))
    X[500:520] = X[:20] + 1e-3 * rng.normal(size=(20, 8))
    X[30] = X[31]  # within one split
    splits = np.repeat(["train", "test"], [500, 100])
    found = split_leakage(splits, nearest_graph(X, 5))
    assert np.flatnonzero(found.leaked).tolist() == [*range(20), *range(500, 520)]
    assert found.partner[500:520].tolist() == list(range(20))
    assert found.splits.tolist() == ["test", "train"]
    assert found.table.tolist() == [[0, 20], [20, 0]]


def test_reasons_are_kept_apart() -> None:
    """A copy, a relative and a near-duplicate each has its own mark; a digest names the partner."""
    graph = nearest_graph([[0.0], [9.0], [0.1], [5.0]], 3, metric="euclidean")
    found = split_leakage(
        ["a", "a", "b", "b"], graph, digests=["x", "y", "z", "y"], groups=[1, 2, 3, 1], within=0.2
    )
    assert found.by_digest.tolist() == [False, True, False, True]
    assert found.by_distance.tolist() == [True, False, True, False]
    assert found.by_group.tolist() == [True, False, False, True]
    assert found.partner.tolist() == [2, 3, 0, 1]
    assert found.table.tolist() == [[0, 2], [2, 0]]


def test_three_splits_are_counted_in_pairs() -> None:
    """An item with copies in two other splits counts in both."""
    found = split_leakage(["a", "b", "c", "c"], digests=[1, 1, 1, 2])
    assert found.table.tolist() == [[0, 1, 1], [1, 0, 1], [1, 1, 0]]


def test_one_split_leaks_nothing() -> None:
    """Copies inside a split are no leak; no items, nothing to say."""
    assert not split_leakage(["a"] * 3, digests=[1, 1, 1]).leaked.any()
    assert split_leakage([], digests=[]).table.shape == (0, 0)


def test_names_in_texts() -> None:
    """Whole words in any case and spelling of the gap; a part of a word is none."""
    texts = ["About Card_Arrival: late", "card  arrival?", "CARD-ARRIVAL", "discard arrivals"] * 5
    found = label_in_text(texts, [0, 0, 0, 1] * 5, ["card_arrival", "other"])
    assert found.inside[0] == 1
    assert found.outside[0] == 0
    assert found.flagged.tolist() == [True, False]
    assert found.leaked.tolist() == [True, True, True, False] * 5


@pytest.mark.slow
def test_false_flags_are_rare() -> None:
    """Names spread over texts by chance: a flag in at most a twentieth of runs."""
    rng = np.random.default_rng(1)
    names = [f"w{i}" for i in range(6)]
    runs = 0
    for _ in range(100):
        texts = [" ".join(rng.choice(names, 2)) for _ in range(120)]
        found = label_in_text(texts, rng.integers(0, 6, 120), names, least=0.0)
        runs += found.flagged.any()
    assert runs <= 8


def test_a_name_is_a_word_of_its_own() -> None:
    """Inside another word it is none; nor is a text leaked whose class is not given away."""
    texts = ["unspam", "spammer", "spam."] * 10 + ["lunch", "ham", "noon"] * 10
    found = label_in_text(texts, [0] * 30 + [1] * 30, ["spam", "ham"], least=0.5)
    assert found.inside.tolist() == pytest.approx([1 / 3, 1 / 3])
    assert not found.flagged.any() and not found.leaked.any()
    told = label_in_text(texts, [0] * 30 + [1] * 30, ["spam", "ham"], least=0.2)
    assert told.leaked.tolist() == [False, False, True] * 10 + [False, True, False] * 10


def test_a_topical_word_is_no_leak() -> None:
    """A name in few of its class's texts is not flagged, however sure the difference."""
    texts = ["refund please"] * 50 + ["where is it"] * 950 + ["hello"] * 1000
    codes = [0] * 1000 + [1] * 1000
    assert not label_in_text(texts, codes, ["refund", "other"]).flagged.any()
    assert label_in_text(texts, codes, ["refund", "other"], least=0.01).flagged[0]


def test_odd_names_and_missing_labels() -> None:
    """Signs in a name, a name of nothing but gaps, a class without items, no label."""
    found = label_in_text(["use C++!", "x"], [0, -1], ["C++", "_", "absent"], risk=0.5)
    assert found.inside[0] == 1
    assert np.isnan(found.inside[2])
    assert found.p_values[2] == 1
    assert not found.leaked[1]
    assert label_in_text([], [], []).flagged.shape == (0,)


@pytest.mark.slow
def test_real_questions_hold_few_names(shared_data: Path) -> None:
    """Bank questions: a known overlap of words (``pending top up``…), found as a few classes."""
    train = pd.read_csv(shared_data / "banking77" / "train.csv")
    codes, names = pd.factorize(train["category"], sort=True)
    found = label_in_text(train["text"].tolist(), codes, list(names))
    assert 0 < found.flagged.sum() < len(names) / 3


def test_malformed_input_is_refused() -> None:
    """Lengths that differ."""
    graph = nearest_graph([[1.0], [2.0]], 1)
    with pytest.raises(UsageError, match="splits"):
        split_leakage(["a"], graph)
    with pytest.raises(UsageError, match="one name an item"):
        split_leakage([["a", "b"]])
    with pytest.raises(UsageError, match="groups"):
        split_leakage(["a", "b"], digests=["x"])
    with pytest.raises(UsageError, match="texts"):
        label_in_text(["a"], [0, 1], ["x", "y"])
    with pytest.raises(UsageError, match="least"):
        label_in_text(["a"], [0], ["x"], least=2.0)


@pytest.mark.parametrize("missing", [None, np.nan, pd.NA, pd.NaT])
def test_an_item_of_no_split_is_named(missing: object) -> None:
    """None is no name: it would have been a split beside the others."""
    splits = np.array(["train", missing, "test"], dtype=object)
    with pytest.raises(UsageError, match="splits: row 1 is in none; leave it out, or name one"):
        split_leakage(splits, digests=["a", "b", "a"])
    splits[1] = "None"
    assert split_leakage(splits, digests=["a", "b", "a"]).splits.tolist() == [
        "None",
        "test",
        "train",
    ]


def test_splits_that_are_numbers() -> None:
    """Folds of a cross-validation are splits by their numbers."""
    assert split_leakage([1, 0, 1], groups=["g", "g", "h"]).table.tolist() == [[0, 1], [1, 0]]
