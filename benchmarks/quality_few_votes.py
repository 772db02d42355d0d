"""How sure the default consensus is of tiny sets: few items, and few people who voted on them.

``python -m benchmarks.quality_few_votes [--replicas R] [--seed S] [--most N]`` draws crowds of two
to five people (`_structured`; of two and of four classes, on average two thirds of the people on an
item) on 5 to 1,000 items, so many of each that they have 600 items together, times the replicas.
It prints the share of labels right and what was believed of them, the calibration error, the log
loss, and how many of the labels believed to .99 and more are right.
"""

from __future__ import annotations

import argparse

import numpy as np
import numpy.typing as npt

from labelops.consolidate import consolidate_codes
from labelops.measure.calibration import expected_calibration_error

from ._structured import Kind, made
from .quality_consensus import hits

ITEMS = (5, 10, 30, 100, 1000)
PEOPLE = (2, 3, 4, 5)
CLASSES = (2, 4)
_LABELS = 600
Floats = npt.NDArray[np.float64]


def crowds(items: int, people: int, n_classes: int, seed: int, replicas: int) -> Floats:
    """Draw crowds of one size; a row an item: beliefs, in four columns, and its class."""
    rows = []
    for replica in range(max(replicas * _LABELS // items, 1)):
        rng = np.random.default_rng([seed, items, people, n_classes, replica])
        kind = Kind(n_classes, items, people, 1 + (people - 1) / 1.5, clickers=0.0, tail=0.3)
        known = made(kind, rng)
        found = consolidate_codes(
            known.item, known.who, known.code, items, n_classes, n_annotators=people
        )
        belief = np.pad(found.posterior, ((0, 0), (0, max(CLASSES) - n_classes)))
        rows.append(np.column_stack([belief, known.truth]))
    return np.concatenate(rows)


def line(what: str, rows: Floats) -> str:
    """Write one line of the table."""
    belief, truth = rows[:, :-1], rows[:, -1].astype(np.int64)
    right, said = hits(belief, truth), belief.max(axis=1)
    loss = -np.log(np.maximum(belief[np.arange(truth.size), truth], 1e-12)).mean()
    sure = said >= 0.99
    held = f"{right[sure].mean():.3f}" if sure.any() else "none"
    return (
        f"| {what} | {right.mean():.3f} | {said.mean():.3f} "
        f"| {expected_calibration_error(belief, truth):.3f} | {loss:.3f} "
        f"| {sure.mean():.2f} | {held} |"
    )


def main() -> None:
    """Draw, run and print."""
    options = argparse.ArgumentParser(description="How sure the consensus is of tiny sets.")
    options.add_argument("--replicas", type=int, default=1)
    options.add_argument("--seed", type=int, default=0)
    options.add_argument("--most", type=int, default=max(ITEMS), help="most items")
    chosen = options.parse_args()
    print("| items, people | right | believed | ECE | log loss | at .99 or more | of these right |")
    print("|---|---:|---:|---:|---:|---:|---:|")
    for n_items in (n for n in ITEMS if n <= chosen.most):
        for people in PEOPLE:
            drawn = [crowds(n_items, people, k, chosen.seed, chosen.replicas) for k in CLASSES]
            print(line(f"{n_items}, {people}", np.concatenate(drawn)), flush=True)


if __name__ == "__main__":
    main()
