"""How well label errors are found: the default detector beside every single published score.

``python -m benchmarks.quality_noise [--quick] [--seeds 10] [--first 0] [--unseen]`` prints Markdown
tables. Every peer gets the same held-out probabilities of the same learners, in the same run. With
``--unseen``, from seed 500, sets of kinds it was not developed beside (`_unseen_sets`). Else:

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
from typing import Any

import numpy as np
import pandas as pd
from cleanlab.filter import find_label_issues
from cleanlab.rank import get_label_quality_ensemble_scores, get_label_quality_scores
from crowdkit.aggregation import DawidSkene
from sklearn.metrics import average_precision_score

from labelops.audit import detect_label_errors, out_of_fold_probs
from labelops.audit.learners import learners_for
from labelops.audit.review_model import Reviews

from ._noise_tables import OURS, RESAMPLES, Results, ece, intervals, summary, table
from ._noisy_sets import Array, Case, noisy_sets
from ._unseen_sets import unseen_sets

_CROWDS = ("face", "dog", "MS", "SP_amt")
_REVIEWED = (
    *(f"{crowd}, {others} other votes" for crowd in _CROWDS for others in ("all", "2")),
    "banking77 hard",
    "MNIST verified",
)
_VERDICTS = (20, 50, 100, 300)


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
        case.features, case.codes, groups, case.n_classes, rng=rng, learners=chosen, repeats=2
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
    results.add(OURS, case.wrong[labeled], found.probability[labeled])
    results.ece.append(ece(chance, wrong))
    results.rates.append((float(chance.mean()), float(wrong.mean())))


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


def main() -> None:
    """Measure and print."""
    options = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    options.add_argument("--quick", action="store_true", help="three seeds")
    options.add_argument("--seeds", type=int, default=10)
    options.add_argument("--first", type=int, help="the first seed; 0, or 500 of unseen sets")
    options.add_argument("--unseen", action="store_true", help="sets nothing was chosen on")
    options.add_argument("--only", default="", help="only sets whose name begins so")
    asked = options.parse_args()
    seeds = 3 if asked.quick else asked.seeds
    warnings.simplefilter("ignore")
    results: dict[str, Results] = {}
    once = []
    first = asked.first if asked.first is not None else 500 * asked.unseen
    for name, make in unseen_sets() if asked.unseen else noisy_sets():
        if not name.startswith(asked.only):
            continue
        results[name] = Results()
        for seed in range(first, first + seeds):
            case = make(seed)
            if case.only and seed > first:
                continue
            once += [name] if case.only else []
            _default(case, seed, results[name])
            _single_scores(case, seed, results[name])
            _vote_scores(case, results[name])
    print(f"## Label errors found, {seeds} seeds from {first}\n")
    print(summary(results))
    print(table(results))
    for name in once:
        print(f"\n### {name}: {RESAMPLES} resamples of its items")
        print(intervals(results[name]))
    if not asked.only and not asked.unseen:
        print("\n## After people's verdicts: a third the most suspicious labels, the rest random")
        print("\nMeasured on all other labels.\n")
        print(_reviewed(seeds))


if __name__ == "__main__":
    main()
