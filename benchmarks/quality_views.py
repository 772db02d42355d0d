"""How well the views beside label errors work, each beside what others use for it.

``python -m benchmarks.quality_views [--quick] [--seeds 5]`` prints Markdown tables: tampered labels
on scikit-learn's digits; outliers and near-duplicates among them; ambiguity in simulated crowds
and in the real ones; power and false alarms of slices, spurious attributes and directed
confusions where the truth is known.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.stats import rankdata
from sklearn.datasets import load_digits
from sklearn.ensemble import IsolationForest
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import cross_val_predict
from sklearn.neighbors import LocalOutlierFactor

from benchmarks._label_sets import data_folder
from labelops.audit import (
    ambiguous_items,
    directed_confusions,
    find_outliers,
    near_pairs,
    nearest_graph,
    poison_views,
    spurious_attributes,
    underperforming_slices,
)

Array = npt.NDArray[Any]
Case = tuple[Array, Array, Array]


def main() -> None:
    """Print all tables."""
    options = argparse.ArgumentParser(prog="python -m benchmarks.quality_views")
    options.add_argument("--quick", action="store_true", help="one seed, fewer runs")
    options.add_argument("--seeds", type=int, default=5)
    asked = options.parse_args()
    seeds = range(1 if asked.quick else asked.seeds)
    runs = 20 if asked.quick else 100
    print("### Tampered labels on the digits: AUROC, mean (least) over seeds\n")
    print(_poison(seeds))
    print("\n### Outliers among the digits: AUROC, and what is flagged\n")
    print(_outliers(seeds))
    print("\n### Near-duplicates among the digits\n")
    print(_duplicates(seeds))
    print("\n### Ambiguity, simulated: 1,000 items, 30 annotators of accuracy .60 to .97\n")
    print(_simulated_ambiguity(seeds))
    print("\n### Ambiguity, real crowds\n")
    print(_real_ambiguity(seeds))
    print(f"\n### Slices, attributes, directed confusions: power and false alarms, {runs} runs\n")
    print(_tests(runs))


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = ["| " + " | ".join(head) + " |", "|---" + "|---:" * (len(head) - 1) + "|"]
    return "\n".join([*lines, *("| " + " | ".join(row) + " |" for row in rows)])


def _shown(values: Sequence[float]) -> str:
    return f"{np.mean(values):.3f} ({np.min(values):.2f})".replace("0.", ".")


def _flips(seed: int) -> Case:
    rng = np.random.default_rng(seed)
    X, y = load_digits(return_X_y=True)
    bad = rng.random(len(y)) < 0.1
    return X, np.where(bad, (y + rng.integers(1, 10, len(y))) % 10, y), bad


def _targeted(share: float) -> Callable[[int], Case]:
    def make(seed: int) -> Case:
        X, y = load_digits(return_X_y=True)
        bad = (y == 3) & (np.random.default_rng(seed).random(len(y)) < share)
        return X, np.where(bad, 8, y), bad

    return make


def _trigger(share: float, corners: Sequence[int]) -> Callable[[int], Case]:
    def make(seed: int) -> Case:
        X, y = load_digits(return_X_y=True)
        bad = (y != 0) & (np.random.default_rng(seed).random(len(y)) < share)
        X = X.copy()
        X[np.ix_(bad, corners)] = 16
        return X, np.where(bad, 0, y), bad

    return make


def _pocket(part: int) -> Callable[[int], Case]:
    def make(seed: int) -> Case:
        X, y = load_digits(return_X_y=True)
        sevens = np.flatnonzero(y == 7)
        far = ((X[sevens] - X[sevens[seed]]) ** 2).sum(axis=1)
        bad = np.zeros(len(y), dtype=bool)
        bad[sevens[np.argsort(far)[: len(sevens) // part]]] = True
        return X, np.where(bad, 1, y), bad

    return make


_ATTACKS: dict[str, Callable[[int], Case]] = {
    "flips 10 %": _flips,
    "targeted 10 %": _targeted(0.1),
    "targeted 30 %": _targeted(0.3),
    "targeted 70 %": _targeted(0.7),
    "trigger 1 %": _trigger(0.01, [56]),
    "trigger 5 %": _trigger(0.05, [56]),
    "bright trigger 5 %": _trigger(0.05, [7, 56, 63]),
    "subpopulation, 1/12": _pocket(12),
    "subpopulation, 1/4": _pocket(4),
}


def _poison(seeds: Iterable[int]) -> str:
    found: dict[str, dict[str, list[float]]] = {}
    for name, make in _ATTACKS.items():
        for seed in seeds:
            X, codes, bad = make(seed)
            views = poison_views(X, codes, nearest_graph(X))
            model = LogisticRegression(max_iter=300)
            probs = cross_val_predict(model, X / 16, codes, cv=5, method="predict_proba")
            scores = {
                "**neighbours, 10 + 50**": views.neighbours,
                "distance ratio": views.ratio,
                "spectral signatures": views.spectral,
                "activation clusters": views.clusters,
                "neighbours + ratio (rank sum)": rankdata(views.neighbours) + rankdata(views.ratio),
                "held-out logistic regression": probs[np.arange(len(codes)), codes],
            }
            for view, score in scores.items():
                at = found.setdefault(view, {}).setdefault(name, [])
                at.append(float(roc_auc_score(bad, -score)))
    rows = [[view, *(_shown(at[name]) for name in _ATTACKS)] for view, at in found.items()]
    return _table(["view", *_ATTACKS], rows)


def _odd_digits(seed: int, kind: str) -> tuple[Array, Array]:
    rng = np.random.default_rng(seed)
    X, y = load_digits(return_X_y=True)
    if kind == "shuffled pixels, 3 %":
        X = np.vstack([X, rng.permuted(X[rng.choice(len(X), 54, replace=False)], axis=1)])
        return X, np.arange(len(X)) >= len(y)
    if kind == "an unknown class, 2 %":
        kept = (y != 4) | (rng.random(len(y)) < 0.18)
        return X[kept], y[kept] == 4
    if kind == "half blanked, 3 %":
        odd = rng.random(len(y)) < 0.03
        X = X.copy()
        X[odd, 32:] = 0
        return X, odd
    return X, np.zeros(len(y), dtype=bool)


def _outliers(seeds: Iterable[int]) -> str:
    kinds = ("shuffled pixels, 3 %", "half blanked, 3 %", "an unknown class, 2 %", "none")
    rows = []
    for kind in kinds:
        got: dict[str, list[float]] = {}
        for seed in seeds:
            X, odd = _odd_digits(seed, kind)
            found = find_outliers(nearest_graph(X))
            scores = {
                "ours": found.distances,
                "local outlier factor": -LocalOutlierFactor(20).fit(X).negative_outlier_factor_,
                "isolation forest": -IsolationForest(random_state=seed).fit(X).score_samples(X),
            }
            for name, score in scores.items():
                area = roc_auc_score(odd, score) if odd.any() else np.nan
                got.setdefault(name, []).append(float(area))
            got.setdefault("found", []).append(found.flagged[odd].mean() if odd.any() else np.nan)
            got.setdefault("false", []).append(float(found.flagged[~odd].sum()))
        rows.append([kind, *(f"{np.mean(v):.3f}" for v in got.values())])
    head = ["planted", "mean distance to 10 (ours)", "local outlier factor", "isolation forest"]
    return _table([*head, "share flagged", "false flags of 1,797"], rows)


def _duplicates(seeds: Iterable[int]) -> str:
    rows = []
    for noise in (0.0, 0.25, 0.5, 1.0):
        precision, recall = [], []
        for seed in seeds:
            rng = np.random.default_rng(seed)
            X, _ = load_digits(return_X_y=True)
            of = rng.choice(len(X), 100, replace=False)
            both = np.vstack([X, X[of] + noise * rng.normal(size=(100, 64))])
            first, second, _ = near_pairs(nearest_graph(both, 10))
            hit = (second >= len(X)) & (first == of[np.maximum(second - len(X), 0)])
            precision.append(hit.sum() / max(len(hit), 1))
            recall.append(hit.sum() / 100)
        name = "exact copies" if not noise else f"noise of {noise} of 16 grey levels a pixel"
        rows.append([name, f"{np.mean(precision):.3f}", f"{np.mean(recall):.3f}"])
    return _table(["100 planted", "precision", "recall"], rows)


def _crowd(
    seed: int, n: int, K: int, share: float, N: int = 1_000, A: int = 30
) -> tuple[Array, Array, Array, Array]:
    rng = np.random.default_rng(seed)
    accuracy, truth = rng.uniform(0.6, 0.97, A), rng.integers(0, K, N)
    torn, other = rng.random(N) < share, (truth + rng.integers(1, K, N)) % K
    who = np.argsort(rng.random((N, A)), axis=1)[:, :n]
    sees = rng.random((N, n)) < rng.uniform(0.3, 0.7, N)[:, None]
    seen = np.where(torn[:, None] & sees, other[:, None], truth[:, None])
    wrong = (seen + rng.integers(1, K, (N, n))) % K
    codes = np.where(rng.random((N, n)) < accuracy[who], seen, wrong)
    return np.repeat(np.arange(N), n), who.ravel(), codes.ravel(), torn


def _entropy(items: Array, codes: Array, N: int, K: int) -> Array:
    counts = np.bincount(items * K + codes, minlength=N * K).reshape(N, K)
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    return np.asarray(-(shares * np.log(np.maximum(shares, 1e-12))).sum(axis=1))


def _simulated_ambiguity(seeds: Iterable[int]) -> str:
    rows = []
    for K in (2, 5):
        for n in (3, 5, 10, 20):
            size, power, flags, false, found, ours, plain = ([] for _ in range(7))
            for seed in seeds:
                items, who, codes, torn = _crowd(seed, n, K, 0.1)
                told = ambiguous_items(items, who, codes, rng=np.random.default_rng(seed))
                size.append((told.p_values[~torn] <= 0.05).mean())
                power.append((told.p_values[torn] <= 0.05).mean())
                flags.append(int(told.flagged.sum()))
                false.append(int(told.flagged[~torn].sum()))
                found.append(told.flagged[torn].mean())
                ours.append(roc_auc_score(torn, told.probability))
                plain.append(roc_auc_score(torn, _entropy(items, codes, len(torn), K)))
            wrongly = f"{sum(false) / sum(flags):.2f}" if sum(flags) else "–"
            cells = (f"{np.mean(v):.3f}" for v in (size, power, ours, plain))
            rows.append([f"{K}", f"{n}", *cells, f"{np.mean(found):.2f}", wrongly])
    head = ["classes", "votes an item", "size at .05", "power at .05", "AUROC"]
    return _table([*head, "AUROC of entropy", "share flagged", "clear among flagged"], rows)


def _real_crowd(name: str) -> tuple[Array, Array, Array, Array]:
    data = data_folder()
    folder, item = (
        (data / "crowd" / name, "item") if name != "RTE" else (data / "rte_snow", "item_id")
    )
    votes = pd.read_csv(folder / "annotations.csv")
    file, column = ("truth.csv", "truth") if name != "RTE" else ("items.csv", "gold")
    truth = pd.read_csv(folder / file).set_index(item)[column]
    items, ids = pd.factorize(votes[item], sort=True)
    return (
        items,
        pd.factorize(votes["worker"])[0],
        votes["label"].to_numpy(),
        truth.reindex(ids).to_numpy(),
    )


def _real_ambiguity(seeds: Iterable[int]) -> str:
    if not data_folder().is_dir():
        return "(the real crowds are not here)"
    rows = []
    for name in ("RTE", "dog", "face", "SP_amt", "CF", "MS"):
        items, who, codes, truth = _real_crowd(name)
        N, K = len(truth), int(codes.max()) + 1
        told = ambiguous_items(items, who, codes, rng=np.random.default_rng(0))
        counts = np.bincount(items * K + codes, minlength=N * K).reshape(N, K)
        known, wrong = ~pd.isna(truth), counts.argmax(axis=1) != truth
        flagged = told.flagged
        errors = [
            wrong[m & known].mean() if (m & known).any() else np.nan for m in (flagged, ~flagged)
        ]
        halves = np.mean([_halves(items, who, codes, N, K, seed) for seed in seeds], axis=0)
        shown = ("–" if np.isnan(x) else f"{x:.2f}" for x in errors)
        low = (told.p_values <= 0.05).mean()
        rows.append(
            [name, f"{len(items) / N:.1f}", f"{told.prevalence:.3f}", f"{low:.3f}",
             f"{flagged.sum()} of {N}", *shown, *(f"{x:.3f}" for x in halves)]
        )  # fmt: skip
    head = [
        "crowd",
        "votes an item",
        "prevalence",
        "p ≤ .05",
        "flagged",
        "majority errors, flagged",
    ]
    last = ["errors, rest", "AUROC for a split in the other half", "of entropy"]
    return _table([*head, *last], rows)


def _halves(
    items: Array, who: Array, codes: Array, N: int, K: int, seed: int
) -> tuple[float, float]:
    """Predict from half of each item's votes whether the other half is split."""
    rng = np.random.default_rng(seed)
    order = np.lexsort((rng.random(len(items)), items))
    size = np.bincount(items, minlength=N)
    place = np.empty(len(items), dtype=np.int64)
    place[order] = np.arange(len(items)) - np.repeat(np.cumsum(size) - size, size)
    one = place < size[items] / 2
    told = ambiguous_items(items[one], who[one], codes[one], n_items=N, n_classes=K, rng=rng)
    other = np.bincount(items[~one] * K + codes[~one], minlength=N * K).reshape(N, K)
    total = other.sum(axis=1)
    split = 1 - other.max(axis=1) / np.maximum(total, 1) >= 0.3
    judged = total >= 2
    entropy = _entropy(items[one], codes[one], N, K)
    return (
        float(roc_auc_score(split[judged], told.probability[judged])),
        float(roc_auc_score(split[judged], entropy[judged])),
    )


def _tests(runs: int) -> str:
    rows = []
    for name, run in (
        ("slice of 1/6 with 25 % wrong among 5 %, 2,000 items, 60 slices", _slice_run),
        ("source that holds 30 % of one of four classes, 1,000 items, 10 others", _attribute_run),
        ("1 → 2 in 30 % by one of ten annotators, base 2 %, 100 items a class", _directed_run),
    ):
        got = np.array([run(seed) for seed in range(runs)])
        rows.append([name, *(f"{x:.2f}" for x in got.mean(axis=0))])
    head = ["planted", "found", "any false flag beside it", "any flag where nothing is planted"]
    return _table(head, rows)


def _facts(rng: np.random.Generator, N: int) -> dict[str, Array]:
    return {f"fact {i}": rng.integers(0, 6, N).astype(str) for i in range(10)}


def _slice_run(seed: int) -> tuple[bool, bool, bool]:
    rng = np.random.default_rng(seed)
    facts = _facts(rng, 2_000)
    rate = np.where(facts["fact 3"] == "4", 0.25, 0.05)
    told = underperforming_slices(rng.random(2_000) < rate, facts, least=0.0)
    hit = (told.attributes == "fact 3") & (told.values == "4")  # noqa: PD011 - our own field
    none = underperforming_slices(rng.random(2_000) < 0.05, facts, least=0.0)
    return bool(told.flagged[hit].any()), bool(told.flagged[~hit].any()), bool(none.flagged.any())


def _attribute_run(seed: int) -> tuple[bool, bool, bool]:
    rng = np.random.default_rng(seed)
    codes = rng.integers(0, 4, 1_000)
    facts = _facts(rng, 1_000)
    none = spurious_attributes(codes, facts, least=0.0, rng=rng)
    taken = (codes == 2) & (rng.random(1_000) < 0.3)
    facts["source"] = np.where(taken, "s9", rng.choice(list("abc"), 1_000))
    told = spurious_attributes(codes, facts, least=0.0, rng=rng)
    return bool(told.flagged[-1]), bool(told.flagged[:-1].any()), bool(none.flagged.any())


def _directed_run(seed: int) -> tuple[bool, bool, bool]:
    rng = np.random.default_rng(seed)
    who, true = np.repeat(np.arange(10), 1_000), np.tile(np.repeat(np.arange(10), 100), 10)
    wrong = rng.random(len(who)) < 0.02
    codes = np.where(wrong, (true + rng.integers(1, 10, len(who))) % 10, true)
    none = directed_confusions(who, codes, true)
    hit = (who == 3) & (true == 1) & (rng.random(len(who)) < 0.3)
    told = directed_confusions(who, np.where(hit, 2, codes), true)
    attack = (told.annotators == 3) & (told.true == 1) & (told.given == 2)
    return (
        bool(told.flagged[attack].any()),
        bool(told.flagged[~attack].any()),
        bool(none.flagged.any()),
    )


if __name__ == "__main__":
    main()
