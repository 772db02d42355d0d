"""How often values that turn labels are found among numbers and pixels, and what is taken for some.

``python -m benchmarks.quality_patterns [--quick] [--seeds 10]`` prints two Markdown tables: alarms
on sets in which nothing was planted, with right labels and with 5 and 15 % of them changed at
random; and of triggers planted in 1, 2 and 5 % of the rows those that are found. *Sets*: digits,
wine, breast cancer and iris of scikit-learn, of each a part drawn anew; made-up clouds, mixtures,
counts and rules; and bank customers' questions as 64 numbers each, where the data is there.
"""

from __future__ import annotations

import argparse
from collections import defaultdict
from collections.abc import Iterator
from itertools import product
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from sklearn import datasets

from benchmarks._label_sets import data_folder
from labelops.adapters.text_features import TextRows, comparable, word_counts
from labelops.audit.planted_patterns import PlantedPattern, planted_patterns

Array = npt.NDArray[Any]
Set = tuple[str, Array, Array]

_REAL = {"digits": 1_500, "wine": 160, "breast_cancer": 500, "iris": 140}
_PATCH = [0, 1, 8, 9]  # The top left corner of a digit.
KINDS = ("patch", "value", "beyond")
"""The largest values of three columns (of a digit's corner), one value between others, and one
beyond all others."""


def main() -> None:
    """Print both tables."""
    options = argparse.ArgumentParser(prog="python -m benchmarks.quality_patterns")
    options.add_argument("--quick", action="store_true", help="one seed")
    options.add_argument("--seeds", type=int, default=10)
    options.add_argument("--first", type=int, default=0, help="the first seed")
    asked = options.parse_args()
    false: dict[tuple[str, float], list[bool]] = defaultdict(list)
    hit: dict[tuple[str, str, float], list[bool]] = defaultdict(list)
    for seed in range(asked.first, asked.first + (1 if asked.quick else asked.seeds)):
        rng = np.random.default_rng([seed, 11])
        for name, X, y in _sets(rng):
            for noise in (0.0, 0.05, 0.15):
                codes = _changed(y, noise, rng)
                false[name, noise].append(bool(_found(name, X, codes, rng)))
            codes = _changed(y, 0.05, rng)
            for kind, share in product(KINDS, (0.01, 0.02, 0.05)):
                points, turned, target = _planted(name, X, codes, kind, share, rng)
                if target >= 0:
                    found = _found(name, points, turned, rng)
                    hit[name, kind, share].append(any(p.code == target for p in found))
    names = list(dict.fromkeys(name for name, _ in false))
    print("| set | no label changed | 5 % | 15 % |\n|---|---:|---:|---:|")
    for name in names:
        print(f"| {name} | {' | '.join(_of(false[name, n]) for n in (0.0, 0.05, 0.15))} |")
    print("\n| set | trigger | 1 % | 2 % | 5 % |\n|---|---|---:|---:|---:|")
    for name, kind in product(names, KINDS):
        cells = [_of(hit[name, kind, share]) for share in (0.01, 0.02, 0.05)]
        print(f"| {name} | {kind} | {' | '.join(cells)} |")


def _found(
    name: str, X: Array, codes: Array, rng: np.random.Generator
) -> tuple[PlantedPattern, ...]:
    return planted_patterns(X, codes, ends=name == "digits", rng=rng)  # Of pixels, as in a check.


def _of(runs: list[bool]) -> str:
    return f"{sum(runs)} of {len(runs)}" if runs else "–"


def _sets(rng: np.random.Generator) -> Iterator[Set]:
    for name, size in _REAL.items():
        X, y = getattr(datasets, f"load_{name}")(return_X_y=True)
        rows = rng.permutation(len(y))[:size]
        yield name, X[rows], y[rows]
    seed = int(rng.integers(2**31))
    yield (
        "mixture of 4",
        *datasets.make_classification(1_000, 20, n_informative=6, n_classes=4, random_state=seed),
    )
    yield (
        "mixture of 2",
        *datasets.make_classification(
            1_000, 10, n_informative=3, n_clusters_per_class=3, random_state=seed
        ),
    )
    yield "clouds", *datasets.make_blobs(800, 8, centers=5, random_state=seed)
    yield (
        "shells",
        *datasets.make_gaussian_quantiles(
            n_samples=800, n_features=5, n_classes=3, random_state=seed
        ),
    )
    X = np.hstack([rng.lognormal(size=(1_200, 6)), rng.integers(0, 3, (1_200, 3))])
    z = X[:, 0] - X[:, 1] + X[:, 6] + 0.3 * rng.normal(size=1_200)
    yield "skewed", X, np.digitize(z, np.quantile(z, [0.4, 0.7, 0.9]))
    X = np.hstack([rng.integers(0, 8, (1_000, 5)), rng.normal(size=(1_000, 4))])
    yield "counts", X, (2 * X[:, 0] + 2 * X[:, 5] + X[:, 1] > 12).astype(int) + (X[:, 1] > 5)
    X = rng.normal(size=(800, 6))
    yield "rules", X, ((X[:, 0] > 1.2) | (X[:, 1] + X[:, 2] > 1)).astype(int)
    if data_folder().is_dir():
        yield _bank(rng)


def _bank(rng: np.random.Generator) -> Set:
    frame = pd.read_csv(data_folder() / "banking77" / "train.csv")
    code = pd.factorize(frame["category"], sort=True)[0]
    some = np.sort(rng.permutation(code.max() + 1)[:20])
    rows = rng.permutation(np.flatnonzero(np.isin(code, some)))[:1_500]
    points = comparable(TextRows(word_counts(frame["text"].iloc[rows].tolist())))
    return "bank", points, np.searchsorted(some, code[rows])


def _changed(y: Array, noise: float, rng: np.random.Generator) -> Array:
    codes, K = y.copy(), int(y.max()) + 1
    anew = rng.random(len(y)) < noise
    codes[anew] = (y[anew] + rng.integers(1, K, anew.sum())) % K
    return codes


def _planted(
    name: str, X: Array, codes: Array, kind: str, share: float, rng: np.random.Generator
) -> tuple[Array, Array, int]:
    """Put a trigger into some rows and label them with one class; -1 where they are below five."""
    points, turned = X.copy(), codes.copy()
    target, D = int(rng.integers(codes.max() + 1)), X.shape[1]
    bad = (codes != target) & (rng.random(len(codes)) < share)
    columns = rng.choice(D, 3 if kind == "patch" else 1, replace=False)
    if kind == "patch" and name == "digits":
        points[np.ix_(bad, _PATCH)] = 16
    elif kind == "patch":
        points[np.ix_(bad, columns)] = X[:, columns].max(axis=0)
    else:
        column = X[:, columns[0]]
        beyond = column.max() + column.std()
        points[bad, columns[0]] = beyond if kind == "beyond" else np.quantile(column, 0.63) + 0.0123
    turned[bad] = target
    return points, turned, target if bad.sum() >= 5 else -1


if __name__ == "__main__":
    main()
