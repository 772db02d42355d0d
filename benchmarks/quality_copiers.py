"""Labels where some people copy one another: the default beside the same blend and majority.

Usage: ``python -m benchmarks.quality_copiers [--seeds 6]``. Of fifteen people five give the answer
of one who is right on six to seven items of ten; the others are each right on .75 to .85.
"""

from __future__ import annotations

import argparse
from itertools import product

import numpy as np

from labelops.consolidate import consolidate_codes, majority_vote, vote_counts

from ._crowds import Floats, Ints

_PEOPLE, _COPIERS = 15, 5
_SIZES = ((300, 5), (300, 15), (1000, 8), (3000, 5))


def _answers(truth: Ints, right: float, classes: int, rng: np.random.Generator) -> Ints:
    wrong = (truth + rng.integers(1, classes, truth.size)) % classes
    return np.where(rng.random(truth.size) < right, truth, wrong)


def _accuracy(belief: Floats, truth: Ints) -> float:
    """Share of right labels, a tie counting its share."""
    best = belief >= belief.max(axis=1, keepdims=True) - 1e-9
    return float((best[np.arange(truth.size), truth] / best.sum(axis=1)).mean())


def _crowd(n: int, each: int, classes: int, rng: np.random.Generator) -> tuple[Floats, bool]:
    """Accuracy of majority, of the blend and of the default; whether it found who copies."""
    truth = rng.integers(classes, size=n)
    skill = rng.uniform(0.75, 0.85, _PEOPLE)
    skill[0] = rng.uniform(0.6, 0.7)
    said = np.stack([_answers(truth, right, classes, rng) for right in skill])
    said[1:_COPIERS] = said[0]
    who = np.argsort(rng.random((n, _PEOPLE)), axis=1)[:, :each].ravel()
    items = np.repeat(np.arange(n), each)
    codes = said[who, items]
    seat = rng.permutation(_PEOPLE)
    plain = consolidate_codes(items, seat[who], codes, n, classes, method="blend")
    found = consolidate_codes(items, seat[who], codes, n, classes)
    majority = majority_vote(vote_counts(items, codes, n, classes))
    beliefs = (majority, plain.posterior, found.posterior)
    copiers = tuple(sorted(seat[:_COPIERS].tolist()))
    return np.array([_accuracy(b, truth) for b in beliefs]), found.copies == (copiers,)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=6)
    seeds = parser.parse_args().seeds
    print(
        "| classes | items, votes | majority | blend | default | found | below majority by .005 |"
    )
    print("|---|---|---:|---:|---:|---:|---:|")
    for classes, (n, each) in product((2, 3, 5), _SIZES):
        drawn = [_crowd(n, each, classes, np.random.default_rng([4100, classes, n, each, seed]))
                 for seed in range(seeds)]  # fmt: skip
        accuracy = np.array([a for a, _ in drawn])
        below = int((accuracy[:, 2] < accuracy[:, 0] - 0.005).sum())
        means = " | ".join(f"{a:.3f}" for a in accuracy.mean(axis=0))
        found = sum(exact for _, exact in drawn)
        print(f"| {classes} | {n:,}, {each} | {means} | {found} of {seeds} | {below} |", flush=True)


if __name__ == "__main__":
    main()
