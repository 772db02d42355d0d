"""Real crowds, and made-up ones whose truth is known."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from labelops.measure.codes import FloatArray, IntArray


def crowd_table(folder: Path, name: str) -> tuple[pd.DataFrame, pd.Series]:
    """Item, annotator and label of each vote of one of the crowd sets, and the truth by item."""
    if name == "rte":
        votes = pd.read_csv(folder / "rte_snow" / "annotations.csv")
        truth = pd.read_csv(folder / "rte_snow" / "items.csv").set_index("item_id")["gold"]
    else:
        votes = pd.read_csv(folder / "crowd" / name / "annotations.csv")
        truth = pd.read_csv(folder / "crowd" / name / "truth.csv").set_index("item")["truth"]
    votes.columns = pd.Index(["item", "annotator", "label"])
    return votes, truth


def read_crowd(
    folder: Path, name: str
) -> tuple[IntArray, IntArray, IntArray, IntArray, dict[str, int]]:
    """Items, annotators, codes, truth (-1 unknown) and sizes of one of the crowd sets."""
    votes, truth = crowd_table(folder, name)
    classes = pd.Index(sorted(set(votes["label"]) | set(truth)))
    items, ids = pd.factorize(votes["item"], sort=True)
    who, names = pd.factorize(votes["annotator"], sort=True)
    codes = classes.get_indexer(votes["label"])
    size = {"n_items": len(ids), "n_annotators": len(names), "n_classes": len(classes)}
    return items, who, codes, classes.get_indexer(truth.reindex(ids)), size


def accuracy(posterior: FloatArray, truth: IntArray) -> float:
    """Share right, ties split evenly, over the items whose truth is known."""
    belief, code = posterior[truth >= 0], truth[truth >= 0]
    top = belief >= belief.max(axis=1, keepdims=True) - 1e-9
    return float((top[np.arange(code.size), code] / top.sum(axis=1)).mean())


def simulate(
    seed: int, items: int, confusion: FloatArray, per_item: int
) -> tuple[IntArray, IntArray, IntArray, IntArray]:
    """Truth and votes of annotators with the given (A, K, K) confusion."""
    rng = np.random.default_rng(seed)
    n_annotators, n_classes, _ = confusion.shape
    truth = rng.integers(0, n_classes, size=items)
    who = np.array([rng.permutation(n_annotators)[:per_item] for _ in range(items)]).ravel()
    item = np.repeat(np.arange(items), per_item)
    cumulative = confusion[who, truth[item]].cumsum(axis=1)
    codes = (cumulative < rng.random((item.size, 1))).sum(axis=1)
    return truth, item, who, np.minimum(codes, n_classes - 1)


def first_votes(items: IntArray, most: int, seed: int) -> IntArray:
    """Rows of at most so many random votes an item."""
    shuffled = np.random.default_rng(seed).permutation(items.size)
    rows = shuffled[np.argsort(items[shuffled], kind="stable")]
    rank = np.arange(rows.size) - np.searchsorted(items[rows], items[rows])
    return rows[rank < most]


def clear_crowd(seed: int, n_items: int = 200) -> tuple[IntArray, IntArray, IntArray, IntArray]:
    """Draw six annotators of three classes, four votes an item."""
    eye = np.eye(3)
    skill = [0.9, 0.85, 0.8, 0.75, 0.7, 0.4]
    confusion = np.array([p * eye + (1 - p) / 2 * (1 - eye) for p in skill])
    return simulate(seed, n_items, confusion, 4)
