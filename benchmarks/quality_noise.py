"""How well label errors are found: the default detector beside every single published score.

``python -m benchmarks.quality_noise [--quick] [--seeds 10]`` prints Markdown tables. Every peer
gets the same held-out probabilities of the same learners, in the same run. Sets:

- digits (scikit-learn) with planted noise: ``uniform``; ``pairs`` (each class taken for the
  next); ``hard`` (where a classifier that knew the truth hesitates, for the class it would take);
  ``copies`` (every item three times, one label, grouped);
- banking77, 20 intents, noise ``uniform`` and ``hard``;
- people's own errors: MNIST's test set (verified by reviewers, the set's own probabilities;
  bootstrap over items instead of seeds), textual entailment and five crowds, where the label is one
  vote drawn at random and the other votes are evidence, all of them or two an item.
"""

from __future__ import annotations

import argparse
import time
import warnings
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from cleanlab.filter import find_label_issues
from cleanlab.rank import get_label_quality_ensemble_scores, get_label_quality_scores
from crowdkit.aggregation import DawidSkene
from sklearn.datasets import load_digits
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.metrics import average_precision_score, roc_auc_score

from labelops.audit import detect_label_errors, out_of_fold_probs
from labelops.audit.out_of_fold import learners_for
from labelops.audit.review_model import Reviews

Array = npt.NDArray[Any]
_DATA = Path(__file__).resolve().parents[2] / "shared" / "data"
_OURS = "labelops default"
_REVIEWED = ("banking77 hard", *(f"{c}, all other votes" for c in ("dog", "face", "MS", "SP_amt")))


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


@dataclass
class Results:
    """Average precision and AUROC of every method on one set, a number a seed."""

    ap: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    auroc: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    ece: list[float] = field(default_factory=list)
    rates: list[tuple[float, float]] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)

    def add(self, name: str, wrong: Array, suspicion: Array) -> None:
        """Score one ranking; what it could not judge is unsuspicious."""
        filled = np.nan_to_num(suspicion, nan=np.nanmin(suspicion), posinf=1e9, neginf=-1e9)
        self.ap[name].append(float(average_precision_score(wrong, filled)))
        self.auroc[name].append(float(roc_auc_score(wrong, filled)))


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


def _with_noise(features: Any, truth: Array, kind: str) -> Callable[[int], Case]:
    K = int(truth.max()) + 1
    every = np.arange(len(truth))
    seen = out_of_fold_probs(
        features, truth, every, K, np.random.default_rng(99),
        learners=learners_for(features)[:1], repeats=1,
    ).mean  # fmt: skip

    def make(seed: int) -> Case:
        codes = _flip(truth, kind, 0.1, np.random.default_rng(seed), seen)
        return Case(codes, codes != truth, K, features)

    return make


def _copies(features: Array, truth: Array) -> Callable[[int], Case]:
    single = _with_noise(features[:600], truth[:600], "uniform")

    def make(seed: int) -> Case:
        one = single(seed)
        codes, wrong = np.repeat(one.codes, 3), np.repeat(one.wrong, 3)
        return Case(
            codes, wrong, one.n_classes, np.repeat(one.features, 3, axis=0),
            groups=np.repeat(np.arange(600), 3),
        )  # fmt: skip

    return make


def _banking() -> tuple[Any, Array]:
    frame = pd.read_csv(_DATA / "banking77" / "train.csv")
    truth = pd.factorize(frame["category"], sort=True)[0]
    rows = np.random.default_rng(0).permutation(len(frame))
    rows = rows[truth[rows] < 20][:1500]
    words = TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True, min_df=2)
    return words.fit_transform(frame["text"].iloc[rows]), truth[rows]


def _mnist(seed: int) -> Case:
    folder = _DATA / "mnist_label_errors"
    codes = pd.read_parquet(folder / "mnist_labels.parquet")["given"].to_numpy(np.int64)
    looked = pd.read_csv(folder / "mnist_mturk.csv")
    wrong = np.zeros(len(codes), dtype=bool)
    wrong[looked.loc[looked["mturk_given"] < 3, "id"]] = True
    probs = np.load(folder / "mnist_pred_probs.npy").astype(float)
    rows = np.random.default_rng(seed).integers(0, len(codes), len(codes))
    return Case(codes[rows], wrong[rows], 10, probs=probs[rows])


def _crowd_frame(name: str) -> tuple[pd.DataFrame, Array, Any]:
    """Votes as numbers, truth, and features of the items where there are any."""
    features = None
    if name == "RTE":
        folder = _DATA / "rte_snow"
        items = pd.read_csv(folder / "items.csv")
        votes = pd.read_csv(folder / "annotations.csv")
        truth = items.rename(columns={"item_id": "item", "gold": "truth"})[["item", "truth"]]
        texts = items["text"] + " " + items["hypothesis"]
        features = TfidfVectorizer(sublinear_tf=True).fit_transform(texts)
    else:
        votes = pd.read_csv(_DATA / "crowd" / name / "annotations.csv")
        truth = pd.read_csv(_DATA / "crowd" / name / "truth.csv")
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


def _crowd(name: str, others: int | None) -> Callable[[int], Case]:
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


def _sets() -> Iterator[tuple[str, Callable[[int], Case]]]:
    X, y = load_digits(return_X_y=True)
    for kind in ("uniform", "pairs", "hard"):
        yield f"digits {kind}", _with_noise(X, y, kind)
    yield "digits copies", _copies(X, y)
    if not _DATA.is_dir():
        return
    words, intents = _banking()
    for kind in ("uniform", "hard"):
        yield f"banking77 {kind}", _with_noise(words, intents, kind)
    yield "MNIST verified", _mnist
    for name in ("RTE", "dog", "face", "MS", "CF", "SP_amt"):
        for others in (2, None):
            yield f"{name}, {others or 'all'} other votes", _crowd(name, others)


def _single_scores(case: Case, seed: int, results: Results) -> None:
    """Score every published single score on held-out probabilities of the default's learners."""
    if case.features is None and case.probs is None:
        return
    known = np.flatnonzero(case.codes >= 0)
    codes, wrong = case.codes[known], case.wrong[known]
    if case.probs is not None:
        views = {"given model": case.probs[known]}
    else:
        views = _learned(case, seed)
        views = {name: array[known] for name, array in views.items()}
    for name, array in views.items():
        results.add(f"self-confidence, {name}", wrong, -array[np.arange(len(codes)), codes])
    mean = np.mean([array for name, array in views.items() if name != "neighbours"], axis=0)
    for method in ("self_confidence", "normalized_margin", "confidence_weighted_entropy"):
        score = get_label_quality_scores(codes, mean, method=method)
        results.add(f"cleanlab {method}, mean of learners", wrong, -score)
    both = get_label_quality_ensemble_scores(
        codes, [a for n, a in views.items() if n != "neighbours"], verbose=False
    )
    results.add("cleanlab ensemble scores", wrong, -both)
    issues = find_label_issues(codes, mean, return_indices_ranked_by="self_confidence", n_jobs=1)
    place = np.zeros(len(codes))
    place[issues] = np.arange(len(issues), 0, -1)
    results.add("cleanlab find_label_issues, ranked", wrong, place)


def _learned(case: Case, seed: int) -> dict[str, Array]:
    from labelops.audit.ensemble import neighbour_probs

    rng = np.random.default_rng(seed)
    chosen = learners_for(case.features)
    groups = np.arange(len(case.codes)) if case.groups is None else case.groups
    held = out_of_fold_probs(
        case.features, case.codes, groups, case.n_classes, rng, learners=chosen, repeats=2
    )
    views = {
        name: np.mean([v for v, n in zip(held.views, held.learners, strict=True) if n == name], 0)
        for name in chosen
    }
    near = neighbour_probs(case.features, case.codes, case.groups, case.n_classes, rng)
    return views | {"neighbours": near}


def _vote_scores(case: Case, results: Results) -> None:
    """Score what votes alone say: the share that disagrees, and Dawid–Skene's posterior."""
    if case.votes is None:
        return
    item, who, label = case.votes
    known = np.flatnonzero(case.codes >= 0)
    counts = np.zeros((len(case.codes), case.n_classes))
    np.add.at(counts, (item, label), 1)
    counts /= np.maximum(counts.sum(axis=1, keepdims=True), 1)
    own = counts[known, case.codes[known]]
    results.add("share of votes that agree", case.wrong[known], -own)
    frame = pd.DataFrame({"task": item, "worker": who, "label": label})
    said = DawidSkene(n_iter=100).fit_predict_proba(frame)
    posterior = said.reindex(index=range(len(case.codes)), columns=range(case.n_classes))
    chance = posterior.to_numpy()[known, case.codes[known]]
    results.add("Dawid–Skene posterior (crowd-kit)", case.wrong[known], -np.nan_to_num(chance))


def _default(case: Case, seed: int, results: Results) -> None:
    start = time.process_time()
    found = detect_label_errors(
        case.codes, n_classes=case.n_classes, features=case.features, probs=case.probs,
        out_of_sample=case.probs is not None, votes=case.votes, groups=case.groups,
        rng=np.random.default_rng(seed),
    )  # fmt: skip
    results.seconds.append(time.process_time() - start)
    known = ~np.isnan(found.probability)
    chance, wrong = found.probability[known], case.wrong[known]
    labeled = case.codes >= 0
    results.add(_OURS, case.wrong[labeled], found.probability[labeled])
    results.ece.append(_ece(chance, wrong))
    results.rates.append((float(chance.mean()), float(wrong.mean())))


def _ece(chance: Array, wrong: Array) -> float:
    """Ten equal bins: distance of the mean probability from the share of errors."""
    at = np.minimum((chance * 10).astype(int), 9)
    sums = np.bincount(at, chance - wrong, minlength=10)
    return float(np.abs(sums).sum() / len(chance))


def _reviewed(seeds: int) -> str:
    """Compare the default before and after people's verdicts on 300 labels, on the rest."""
    lines = [
        "| set | AP before | AP after 300 verdicts | ECE before | ECE after | said ECE |",
        "|---|---:|---:|---:|---:|---:|",
    ]
    for name, make in _sets():
        if name not in _REVIEWED:
            continue
        rows = [_before_and_after(make(seed), seed) for seed in range(seeds)]
        if rows:
            lines.append(f"| {name} | " + " | ".join(f"{v:.3f}" for v in np.mean(rows, 0)) + " |")
    return "\n".join(lines)


def _before_and_after(case: Case, seed: int) -> tuple[float, ...]:
    evidence = {
        "n_classes": case.n_classes, "features": case.features, "votes": case.votes,
    }  # fmt: skip
    first = detect_label_errors(case.codes, rng=np.random.default_rng(seed), **evidence)
    rng = np.random.default_rng(seed)
    worst = first.ranking[:100]
    drawn = rng.choice(first.ranking[100:], 200, replace=False)
    rows = np.concatenate([worst, drawn])
    verdicts = Reviews(rows, case.wrong[rows], random=np.arange(300) >= 100)
    then = detect_label_errors(
        case.codes, rng=np.random.default_rng(seed), reviews=verdicts, min_reviews=200, **evidence
    )
    rest = np.setdiff1d(first.ranking, rows)
    wrong = case.wrong[rest]
    return (
        float(average_precision_score(wrong, first.probability[rest])),
        float(average_precision_score(wrong, then.probability[rest])),
        _ece(first.probability[rest], wrong),
        _ece(then.probability[rest], wrong),
        then.calibration_error,
    )


def _table(results: dict[str, Results]) -> str:
    lines = []
    for name, found in results.items():
        lines += [
            f"\n### {name}\n",
            "| method | AP | ± | AUROC | ± |",
            "|---|---:|---:|---:|---:|",
        ]
        for method in sorted(found.ap, key=lambda m: -float(np.mean(found.ap[m]))):
            ap, auroc = found.ap[method], found.auroc[method]
            shown = f"**{method}**" if method == _OURS else method
            lines.append(
                f"| {shown} | {np.mean(ap):.4f} | {np.std(ap):.4f} | {np.mean(auroc):.4f} | "
                f"{np.std(auroc):.4f} |"
            )
    return "\n".join(lines)


def _summary(results: dict[str, Results]) -> str:
    lines = [
        "| set | AP, default | AP, best single | which | gain | AUROC, default | ECE |"
        " errors said | errors true | CPU s |",
        "|---|---:|---:|---|---:|---:|---:|---:|---:|---:|",
    ]
    gains = []
    for name, found in results.items():
        others = {m: float(np.mean(v)) for m, v in found.ap.items() if m != _OURS}
        best = max(others, key=others.__getitem__)
        ours = float(np.mean(found.ap[_OURS]))
        gains.append(ours - others[best])
        said, true = np.mean(found.rates, axis=0)
        lines.append(
            f"| {name} | {ours:.4f} | {others[best]:.4f} | {best} | {gains[-1]:+.4f} | "
            f"{np.mean(found.auroc[_OURS]):.4f} | {np.mean(found.ece):.4f} | {said:.3f} | "
            f"{true:.3f} | {np.median(found.seconds):.2f} |"
        )
    lines.append(
        f"\nMean gain over each set's own best single score: {np.mean(gains):+.4f}; worst "
        f"{np.min(gains):+.4f}."
    )
    return "\n".join(lines)


def main() -> None:
    """Measure and print."""
    options = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    options.add_argument("--quick", action="store_true", help="three seeds")
    options.add_argument("--seeds", type=int, default=10)
    options.add_argument("--only", default="", help="only sets whose name begins so")
    asked = options.parse_args()
    seeds = 3 if asked.quick else asked.seeds
    warnings.simplefilter("ignore")
    results: dict[str, Results] = {}
    for name, make in _sets():
        if not name.startswith(asked.only):
            continue
        results[name] = Results()
        for seed in range(seeds):
            case = make(seed)
            _default(case, seed, results[name])
            _single_scores(case, seed, results[name])
            _vote_scores(case, results[name])
    print(f"## Label errors found, {seeds} seeds\n")
    print(_summary(results))
    print(_table(results))
    if not asked.only:
        print("\n## After people's verdicts on the 100 most suspicious and 200 random labels")
        print("\nMeasured on all other labels.\n")
        print(_reviewed(seeds))


if __name__ == "__main__":
    main()
