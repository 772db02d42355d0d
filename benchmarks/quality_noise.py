"""How well label errors are found: the default detector beside every single published score.

``python -m benchmarks.quality_noise [--quick] [--seeds 10]`` prints Markdown tables. Every peer
gets the same held-out probabilities of the same learners, in the same run. Sets:

- digits (scikit-learn) with planted noise: ``uniform``; ``pairs`` (each class taken for the
  next); ``hard`` (where a classifier that knew the truth hesitates, for the class it would take);
  ``copies`` (every item three times, one label, grouped);
- banking77, 20 intents, noise ``uniform`` and ``hard``;
- people's own errors: MNIST's test set (verified by reviewers, the set's own probabilities; one
  set, so differences get a bootstrap interval over items), textual entailment and five crowds,
  where the label is one vote drawn at random and the other votes are evidence, all of them or two
  an item.
"""

from __future__ import annotations

import argparse
import time
import warnings
from collections import defaultdict
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
from cleanlab.filter import find_label_issues
from cleanlab.rank import get_label_quality_ensemble_scores, get_label_quality_scores
from crowdkit.aggregation import DawidSkene
from sklearn.metrics import average_precision_score, roc_auc_score

from labelops.audit import detect_label_errors, out_of_fold_probs
from labelops.audit.out_of_fold import learners_for
from labelops.audit.review_model import Reviews

from ._noisy_sets import Array, Case, noisy_sets

_OURS = "labelops default"
_CROWDS = ("face", "dog", "MS", "SP_amt")
_REVIEWED = (
    *(f"{crowd}, {others} other votes" for crowd in _CROWDS for others in ("all", "2")),
    "banking77 hard",
    "MNIST verified",
)
_VERDICTS = (20, 50, 100, 300)
_RESAMPLES = 1000


@dataclass
class Results:
    """Average precision and AUROC of every method on one set, a number a seed."""

    ap: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    auroc: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    ece: list[float] = field(default_factory=list)
    rates: list[tuple[float, float]] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)
    last: dict[str, tuple[Array, Array]] = field(default_factory=dict)

    def add(self, name: str, wrong: Array, suspicion: Array) -> None:
        """Score one ranking; what it could not judge is unsuspicious."""
        filled = np.nan_to_num(suspicion, nan=np.nanmin(suspicion), posinf=1e9, neginf=-1e9)
        self.last[name] = wrong, filled
        self.ap[name].append(float(average_precision_score(wrong, filled)))
        self.auroc[name].append(float(roc_auc_score(wrong, filled)))


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
    results.ece.append(ece(chance, wrong))
    results.rates.append((float(chance.mean()), float(wrong.mean())))


def ece(chance: Array, wrong: Array) -> float:
    """Ten equal bins: distance of the mean probability from the share of errors."""
    at = np.minimum((chance * 10).astype(int), 9)
    sums = np.bincount(at, chance - wrong, minlength=10)
    return float(np.abs(sums).sum() / len(chance))


def _reviewed(seeds: int) -> str:
    """Compare the default before and after people's verdicts, on the labels nobody reviewed."""
    lines = [
        "| set | verdicts | AP before | AP after | ECE before | ECE after | errors said before |"
        " said after | true |",
        "|---|---:|---:|---:|---:|---:|---:|---:|---:|",
    ]
    sets = dict(noisy_sets())
    for name in _REVIEWED:
        rows = (
            [_before_and_after(sets[name](seed), seed) for seed in range(seeds)]
            if name in sets
            else []
        )
        for n, means in zip(_VERDICTS, np.mean(rows, axis=0) if rows else (), strict=False):
            cells = [*(f"{v:.3f}" for v in means[:4]), *(f"{v:.1f}" for v in means[4:])]
            lines.append(f"| {name} | {n} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def _before_and_after(case: Case, seed: int) -> list[tuple[float, ...]]:
    """Review more and more labels: a third the most suspicious, the rest drawn at random."""
    evidence: dict[str, Any] = {
        "n_classes": case.n_classes, "features": case.features, "votes": case.votes,
        "probs": case.probs, "out_of_sample": case.probs is not None,
    }  # fmt: skip
    first = detect_label_errors(case.codes, rng=np.random.default_rng(seed), **evidence)
    found = []
    for n in _VERDICTS:
        worst = n // 3
        drawn = np.random.default_rng(seed).choice(first.ranking[worst:], n - worst, replace=False)
        rows = np.concatenate([first.ranking[:worst], drawn])
        verdicts = Reviews(rows, case.wrong[rows], random=np.arange(n) >= worst)
        then = detect_label_errors(
            case.codes, rng=np.random.default_rng(seed), reviews=verdicts,
            min_reviews=min(_VERDICTS), **evidence,
        )  # fmt: skip
        rest = np.setdiff1d(first.ranking, rows)
        wrong, before, after = case.wrong[rest], first.probability[rest], then.probability[rest]
        found.append(
            (
                float(average_precision_score(wrong, before)),
                float(average_precision_score(wrong, after)),
                ece(before, wrong),
                ece(after, wrong),
                float(before.sum()),
                float(after.sum()),
                float(wrong.sum()),
            )
        )
    return found


def _intervals(found: Results) -> str:
    """Bootstrap over items: average precision of each method, and the default's gain on it."""
    rng = np.random.default_rng(0)
    wrong, ours = found.last[_OURS]
    others = {m: scores for m, (_, scores) in found.last.items() if m != _OURS}
    drawn: dict[str, list[tuple[float, float]]] = defaultdict(list)
    for _ in range(_RESAMPLES):
        rows = rng.integers(0, len(wrong), len(wrong))
        own = average_precision_score(wrong[rows], ours[rows])
        drawn[_OURS].append((own, 0.0))
        for method, scores in others.items():
            other = average_precision_score(wrong[rows], scores[rows])
            drawn[method].append((other, own - other))
    lines = ["\n| method | AP | 95 % | the default's gain | 95 % |", "|---|---:|---:|---:|---:|"]
    for method, values in drawn.items():
        low, high = np.quantile(values, (0.025, 0.975), axis=0)
        ap = found.ap[method][0]
        lines.append(
            f"| {method} | {ap:.4f} | {low[0]:.3f} to {high[0]:.3f} | "
            f"{found.ap[_OURS][0] - ap:+.4f} | {low[1]:+.4f} to {high[1]:+.4f} |"
        )
    return "\n".join(lines)


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
        spread = np.std(np.subtract(found.ap[_OURS], found.ap[best]))
        said, true = np.mean(found.rates, axis=0)
        lines.append(
            f"| {name} | {ours:.4f} | {others[best]:.4f} | {best} | "
            f"{gains[-1]:+.4f} ± {spread:.4f} | "
            f"{np.mean(found.auroc[_OURS]):.4f} | {np.mean(found.ece):.4f} | {said:.4f} | "
            f"{true:.4f} | {np.median(found.seconds):.2f} |"
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
    once = []
    for name, make in noisy_sets():
        if not name.startswith(asked.only):
            continue
        results[name] = Results()
        for seed in range(seeds):
            case = make(seed)
            if case.only and seed:
                continue
            once += [name] if case.only else []
            _default(case, seed, results[name])
            _single_scores(case, seed, results[name])
            _vote_scores(case, results[name])
    print(f"## Label errors found, {seeds} seeds\n")
    print(_summary(results))
    print(_table(results))
    for name in once:
        print(f"\n### {name}: {_RESAMPLES} resamples of its items")
        print(_intervals(results[name]))
    if not asked.only:
        print("\n## After people's verdicts: a third the most suspicious labels, the rest random")
        print("\nMeasured on all other labels.\n")
        print(_reviewed(seeds))


if __name__ == "__main__":
    main()
