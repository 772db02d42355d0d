"""How right and how sure a consensus is on six real crowds, beside crowd-kit in the same run.

``python -m benchmarks.quality_consensus [--quick]`` prints Markdown tables: accuracy (a tie counts
its share), expected calibration error, seconds, and what the default chose and why. ``--quick``
leaves crowd-kit's slow methods and EBCC out.
"""

from __future__ import annotations

import argparse
import time
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from benchmarks._label_sets import data_folder
from labelops.consolidate import METHODS, consolidate
from labelops.measure.calibration import expected_calibration_error

CROWDS = ("dog", "face", "MS", "CF", "SP_amt", "rte")
_SLOW = ("GLAD", "MACE")
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Crowd:
    """Votes as (task, worker, label), and each item's true class, -1 where it is not known."""

    votes: pd.DataFrame
    items: npt.NDArray[Any]
    classes: npt.NDArray[np.int64]
    truth: npt.NDArray[np.int64]


def read(name: str) -> Crowd:
    """Read one of the development crowds."""
    if name == "rte":
        votes = pd.read_csv(data_folder() / "rte_snow" / "annotations.csv")
        truth = pd.read_csv(data_folder() / "rte_snow" / "items.csv").set_index("item_id")["gold"]
    else:
        votes = pd.read_csv(data_folder() / "crowd" / name / "annotations.csv")
        truth = pd.read_csv(data_folder() / "crowd" / name / "truth.csv").set_index("item")["truth"]
    votes.columns = pd.Index(["task", "worker", "label"])
    items = np.sort(votes["task"].unique())
    classes = np.arange(int(max(votes["label"].max(), truth.max())) + 1)
    return Crowd(votes, items, classes, truth.reindex(items).fillna(-1).to_numpy(np.int64))


def hits(belief: Floats, truth: npt.NDArray[np.int64]) -> Floats:
    """How right each label of known truth is, 0 or 1; of c classes in a tie each counts 1/c."""
    known = np.flatnonzero(truth >= 0)
    best = belief[known] >= belief[known].max(axis=1, keepdims=True) - 1e-9
    return np.asarray(best[np.arange(known.size), truth[known]] / best.sum(axis=1))


def accuracy(belief: Floats, truth: npt.NDArray[np.int64]) -> float:
    """Share of right labels; of c classes in a tie each counts 1/c."""
    return float(hits(belief, truth).mean())


def _ours(method: str) -> Callable[[Crowd], Floats]:
    def run(crowd: Crowd) -> Floats:
        return consolidate(crowd.votes, classes=crowd.classes, method=method).posterior

    return run


def _theirs(name: str) -> Callable[[Crowd], Floats]:
    def run(crowd: Crowd) -> Floats:
        from crowdkit import aggregation

        model = getattr(aggregation, name)()
        if hasattr(model, "fit_predict_proba"):
            found = model.fit_predict_proba(crowd.votes)
            return found.reindex(index=crowd.items, columns=crowd.classes, fill_value=0).to_numpy()
        labels = model.fit_predict(crowd.votes).reindex(crowd.items).to_numpy()
        return (labels[:, None] == crowd.classes).astype(np.float64)

    return run


def _runs(quick: bool) -> Mapping[str, Callable[[Crowd], Floats]]:
    ours = [m for m in METHODS if not (quick and m == "ebcc")]
    theirs = ["MajorityVote", "DawidSkene", "OneCoinDawidSkene", "KOS", "Wawa", "ZeroBasedSkill"]
    theirs += ["MMSR", *([] if quick else _SLOW)]
    return {f"labelops {m}": _ours(m) for m in ours} | {
        f"crowd-kit {t}": _theirs(t) for t in theirs
    }


def _row(name: str, values: list[float | None], digits: int) -> str:
    known = [v for v in values if v is not None]
    mean = f"{np.mean(known):.{digits}f}" if len(known) == len(values) else "–"
    cells = [("–" if v is None else f"{v:.{digits}f}") for v in values]
    return f"| {name} | {' | '.join(cells)} | {mean} |"


def _print(title: str, rows: Mapping[str, list[float | None]], digits: int) -> None:
    print(f"\n### {title}\n\n| | {' | '.join(CROWDS)} | average |")
    print("|---|" + "---|" * (len(CROWDS) + 1))
    for name, values in rows.items():
        print(_row(name, values, digits))


def main() -> None:
    """Run every method on every crowd and print what came out."""
    options = argparse.ArgumentParser(description="Consensus on real crowds.")
    options.add_argument("--quick", action="store_true", help="without the slow methods")
    quick = options.parse_args().quick
    crowds = {name: read(name) for name in CROWDS}
    right: dict[str, list[float | None]] = {}
    error: dict[str, list[float | None]] = {}
    spent: dict[str, list[float | None]] = {}
    consolidate(crowds["CF"].votes)  # compiling is not timed
    for method, run in _runs(quick).items():
        for crowd in crowds.values():
            began = time.perf_counter()
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                try:
                    belief = run(crowd)
                except (ValueError, TypeError, IndexError, KeyError, AttributeError) as problem:
                    print(f"{method}: {type(problem).__name__}: {str(problem)[:80]}")
                    belief = None
            hit = None if belief is None else accuracy(belief, crowd.truth)
            off = (
                None
                if belief is None
                else expected_calibration_error(
                    belief / np.maximum(belief.sum(axis=1, keepdims=True), 1e-12), crowd.truth
                )
            )
            right.setdefault(method, []).append(hit)
            error.setdefault(method, []).append(off)
            spent.setdefault(method, []).append(time.perf_counter() - began)
    _print("Accuracy, ties split evenly", right, 4)
    _print("Expected calibration error, without gold", error, 3)
    _print("Seconds", spent, 2)
    print("\n### What the default chose\n")
    for name, crowd in crowds.items():
        found = consolidate(crowd.votes, classes=crowd.classes)
        weights = ", ".join(f"{k} {v:.2f}" for k, v in found.found.weights.items())
        print(f"- {name}: {found.method}: {found.reason} ({weights})")


if __name__ == "__main__":
    main()
