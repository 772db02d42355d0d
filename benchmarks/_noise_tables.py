"""What the label-error benchmark found, and its tables."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field

import numpy as np
from sklearn.metrics import average_precision_score, roc_auc_score

from ._noisy_sets import Array

__all__ = ["OURS", "RESAMPLES", "Results", "ece", "intervals", "summary", "table"]

OURS = "labelops default"
RESAMPLES = 1000
_VOTES = "share of votes that agree"


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


def ece(chance: Array, wrong: Array) -> float:
    """Ten equal bins: distance of the mean probability from the share of errors."""
    at = np.minimum((chance * 10).astype(int), 9)
    sums = np.bincount(at, chance - wrong, minlength=10)
    return float(np.abs(sums).sum() / len(chance))


def intervals(found: Results) -> str:
    """Bootstrap over items: average precision of each method, and the default's gain on it."""
    rng = np.random.default_rng(0)
    wrong, ours = found.last[OURS]
    others = {m: scores for m, (_, scores) in found.last.items() if m != OURS}
    drawn: dict[str, list[tuple[float, float]]] = defaultdict(list)
    for _ in range(RESAMPLES):
        rows = rng.integers(0, len(wrong), len(wrong))
        own = average_precision_score(wrong[rows], ours[rows])
        drawn[OURS].append((own, 0.0))
        for method, scores in others.items():
            other = average_precision_score(wrong[rows], scores[rows])
            drawn[method].append((other, own - other))
    lines = ["\n| method | AP | 95 % | the default's gain | 95 % |", "|---|---:|---:|---:|---:|"]
    for method, values in drawn.items():
        low, high = np.quantile(values, (0.025, 0.975), axis=0)
        ap = found.ap[method][0]
        lines.append(
            f"| {method} | {ap:.4f} | {low[0]:.3f} to {high[0]:.3f} | "
            f"{found.ap[OURS][0] - ap:+.4f} | {low[1]:+.4f} to {high[1]:+.4f} |"
        )
    return "\n".join(lines)


def table(results: dict[str, Results]) -> str:
    lines = []
    for name, found in results.items():
        lines += [
            f"\n### {name}\n",
            "| method | AP | ± | AUROC | ± |",
            "|---|---:|---:|---:|---:|",
        ]
        for method in sorted(found.ap, key=lambda m: -float(np.mean(found.ap[m]))):
            ap, auroc = found.ap[method], found.auroc[method]
            shown = f"**{method}**" if method == OURS else method
            lines.append(
                f"| {shown} | {np.mean(ap):.4f} | {np.std(ap):.4f} | {np.mean(auroc):.4f} | "
                f"{np.std(auroc):.4f} |"
            )
    return "\n".join(lines)


def summary(results: dict[str, Results]) -> str:
    lines = [
        "| set | AP, default | AP, best single | which | gain | AUROC, default | ECE |"
        " errors said | errors true | CPU s |",
        "|---|---:|---:|---|---:|---:|---:|---:|---:|---:|",
    ]
    gains = []
    for name, found in results.items():
        others = {m: float(np.mean(v)) for m, v in found.ap.items() if m != OURS}
        best = max(others, key=others.__getitem__)
        ours = float(np.mean(found.ap[OURS]))
        gains.append(ours - others[best])
        spread = np.std(np.subtract(found.ap[OURS], found.ap[best]))
        said, true = np.mean(found.rates, axis=0)
        lines.append(
            f"| {name} | {ours:.4f} | {others[best]:.4f} | {best} | "
            f"{gains[-1]:+.4f} ± {spread:.4f} | "
            f"{np.mean(found.auroc[OURS]):.4f} | {np.mean(found.ece):.4f} | {said:.4f} | "
            f"{true:.4f} | {np.median(found.seconds):.2f} |"
        )
    lines.append(
        f"\nMean gain over each set's own best single score: {np.mean(gains):+.4f}; worst "
        f"{np.min(gains):+.4f}."
    )
    lines += [_fixed(results, with_votes) for with_votes in (False, True)]
    return "\n".join(lines)


def _fixed(results: dict[str, Results], with_votes: bool) -> str:
    """Compare with the one score that is best over all sets with votes, or without."""
    chosen = [r.ap for r in results.values() if (_VOTES in r.ap) == with_votes]
    everywhere = set.intersection(*map(set, chosen)) - {OURS} if chosen else set()
    if not everywhere:
        return ""
    mean = {m: float(np.mean([np.mean(ap[m]) for ap in chosen])) for m in {*everywhere, OURS}}
    best = max(everywhere, key=mean.__getitem__)
    kind = "with votes" if with_votes else "without votes"
    return (
        f"\nOver all {len(chosen)} sets {kind}: mean AP {mean[OURS]:.4f}, of the best single "
        f"score in all of them, {best}, {mean[best]:.4f}."
    )
