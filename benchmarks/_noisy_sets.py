"""Label sets whose errors are known: planted, or people's own."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from sklearn.datasets import load_digits
from sklearn.feature_extraction.text import TfidfVectorizer

from benchmarks._label_sets import data_folder
from labelops.audit import out_of_fold_probs
from labelops.audit.learners import learners_for

__all__ = ["Case", "crowd_case", "noisy_sets", "verified_mnist", "with_noise"]

Array = npt.NDArray[Any]


@dataclass(frozen=True)
class Case:
    """One noisy label set whose errors are known."""

    codes: Array
    wrong: Array
    n_classes: int
    features: Any = None
    probs: Array | None = None
    votes: tuple[Array, Array, Array] | None = None
    groups: Array | None = None
    only: bool = False
    """Whether there is but this one: nothing in it is drawn."""


def _flip(truth: Array, kind: str, rate: float, rng: np.random.Generator, seen: Array) -> Array:
    """Make a share of the labels wrong; `seen`: held-out probabilities learned from the truth."""
    N, K = seen.shape
    wrong = rng.random(N) < rate
    if kind == "uniform":
        other = (truth + rng.integers(1, K, N)) % K
    elif kind == "pairs":
        other = (truth + 1) % K
    else:
        rest = seen.copy()
        rest[np.arange(N), truth] = 0
        doubt = np.sqrt(rest.sum(axis=1))
        wrong = rng.random(N) < np.minimum(1, rate * N * doubt / doubt.sum())
        rest = (rest + 1e-12) / (rest + 1e-12).sum(axis=1, keepdims=True)
        other = (rng.random(N)[:, None] >= rest.cumsum(axis=1)).sum(axis=1).clip(0, K - 1)
    return np.where(wrong, other, truth)


def with_noise(
    features: Any,
    truth: Array,
    kind: str,
    rate: float = 0.1,
    size: int | None = None,
    *,
    skew: bool = False,
    numbered: bool = False,
) -> Callable[[int], Case]:
    """Return what makes labels of which so many are wrong, from a seed.

    With a size, each seed also draws that many of the items; `skew`: few of most classes, and
    `numbered`: features are the rows' numbers. There is one error at least.
    """
    K = int(truth.max()) + 1
    every = np.arange(len(truth))
    # Nothing beside words, so that the draws stay the same whatever the detector reads there.
    nothing = np.zeros((len(truth), 1)) if hasattr(features, "tocsr") else None
    seen = out_of_fold_probs(
        features, truth, every, K, rng=np.random.default_rng(99),
        learners=learners_for(features)[:1], repeats=1, embeddings=nothing,
    ).mean  # fmt: skip

    def make(seed: int) -> Case:
        rows = every if size is None else _some(truth, size, skew, np.random.default_rng([seed, 1]))
        rng = np.random.default_rng(seed)
        right = truth[rows]
        codes = _flip(right, kind, rate, rng, seen[rows])
        while (codes == right).all():
            codes = _flip(right, kind, rate, rng, seen[rows])
        return Case(codes, codes != right, K, rows[:, None] if numbered else features[rows])

    return make


def _some(truth: Array, size: int, skew: bool, rng: np.random.Generator) -> Array:
    """Draw rows; `skew`: of the j-th class (in random order) as many as 1/j to the first."""
    if not skew:
        return np.asarray(rng.choice(len(truth), size, replace=False))
    K = int(truth.max()) + 1
    share = 1 / (1.0 + rng.permutation(K)) ** (1 if K > 2 else 3)
    wanted = np.maximum(np.floor(size * share / share.sum()), 3).astype(int)
    taken = [rng.permutation(np.flatnonzero(truth == k))[: wanted[k]] for k in range(K)]
    return np.asarray(rng.permutation(np.concatenate(taken)))


def _copies(features: Array, truth: Array) -> Callable[[int], Case]:
    single = with_noise(features[:600], truth[:600], "uniform")

    def make(seed: int) -> Case:
        one = single(seed)
        codes, wrong = np.repeat(one.codes, 3), np.repeat(one.wrong, 3)
        return Case(
            codes, wrong, one.n_classes, np.repeat(one.features, 3, axis=0),
            groups=np.repeat(np.arange(600), 3),
        )  # fmt: skip

    return make


def _banking() -> tuple[Any, Array]:
    frame = pd.read_csv(data_folder() / "banking77" / "train.csv")
    truth = pd.factorize(frame["category"], sort=True)[0]
    rows = np.random.default_rng(0).permutation(len(frame))
    rows = rows[truth[rows] < 20][:1500]
    words = TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True, min_df=2)
    return words.fit_transform(frame["text"].iloc[rows]), truth[rows]


def verified_mnist(seed: int = 0) -> Case:
    """Return the set as it is, whatever the seed."""
    del seed
    folder = data_folder() / "mnist_label_errors"
    codes = pd.read_parquet(folder / "mnist_labels.parquet")["given"].to_numpy(np.int64)
    looked = pd.read_csv(folder / "mnist_mturk.csv")
    wrong = np.zeros(len(codes), dtype=bool)
    wrong[looked.loc[looked["mturk_given"] < 3, "id"]] = True
    return Case(
        codes, wrong, 10, probs=np.load(folder / "mnist_pred_probs.npy").astype(float), only=True
    )


def _crowd_frame(name: str) -> tuple[pd.DataFrame, Array, Any]:
    """Votes as numbers, truth, and features of the items where there are any."""
    features = None
    if name == "RTE":
        folder = data_folder() / "rte_snow"
        items = pd.read_csv(folder / "items.csv")
        votes = pd.read_csv(folder / "annotations.csv")
        truth = items.rename(columns={"item_id": "item", "gold": "truth"})[["item", "truth"]]
        texts = items["text"] + " " + items["hypothesis"]
        features = TfidfVectorizer(sublinear_tf=True).fit_transform(texts)
    else:
        votes = pd.read_csv(data_folder() / "crowd" / name / "annotations.csv")
        truth = pd.read_csv(data_folder() / "crowd" / name / "truth.csv")
    votes.columns, truth.columns = ["item", "worker", "label"], ["item", "truth"]
    votes = votes.loc[votes["item"].isin(truth["item"])]
    classes = sorted({*votes["label"], *truth["truth"]})
    return (
        pd.DataFrame(
            {
                "item": pd.Index(truth["item"]).get_indexer(votes["item"]),
                "worker": pd.factorize(votes["worker"])[0],
                "label": pd.Index(classes).get_indexer(votes["label"]),
            }
        ),
        pd.Index(classes).get_indexer(truth["truth"]),
        features,
    )


def crowd_case(name: str, others: int | None) -> Callable[[int], Case]:
    """Return what draws a label among an item's votes, and so many others as evidence."""
    votes, truth, features = _crowd_frame(name)
    K = int(max(truth.max(), votes["label"].max())) + 1

    def make(seed: int) -> Case:
        mixed = votes.sample(frac=1, random_state=seed)
        mixed = mixed[mixed.groupby("item").cumcount() <= (others or len(mixed))]
        codes = np.full(len(truth), -1)
        first = mixed.drop_duplicates("item")
        codes[first["item"]] = first["label"]
        arrays = (mixed[c].to_numpy() for c in ("item", "worker", "label"))
        item, who, label = arrays
        return Case(codes, (codes != truth) & (codes >= 0), K, features, votes=(item, who, label))

    return make


def noisy_sets() -> Iterator[tuple[str, Callable[[int], Case]]]:
    """Yield each set's name, and what makes it from a seed."""
    X, y = load_digits(return_X_y=True)
    for kind in ("uniform", "pairs", "hard"):
        yield f"digits {kind}", with_noise(X, y, kind)
    yield "digits copies", _copies(X, y)
    if not data_folder().is_dir():
        return
    words, intents = _banking()
    for kind in ("uniform", "hard"):
        yield f"banking77 {kind}", with_noise(words, intents, kind)
    yield "MNIST verified", verified_mnist
    for name in ("RTE", "dog", "face", "MS", "CF", "SP_amt"):
        for others in (2, None):
            yield f"{name}, {others or 'all'} other votes", crowd_case(name, others)
