"""How far the first labels go: the built-in labeler of texts, as it reads more than the labeled.

python -m benchmarks.few_labels [--seeds 5]
"""

from __future__ import annotations

import argparse

import numpy as np
import numpy.typing as npt
import pandas as pd

from benchmarks._label_sets import data_folder, label_set
from labelops.adapters.sklearn_labeler import SklearnLabeler
from labelops.adapters.text_vectors import TextVectors
from labelops.adapters.wordllama_encoder import WordLlamaEncoder
from labelops.measure.calibration import expected_calibration_error
from labelops.schema import Schema

SIZES = (50, 100, 180, 400)
INTENTS, QUESTIONS = 20, 1_200
ALONE, NUMBERED, READ, VECTORS = (
    "labeled texts only",
    "all texts read, classes by number",
    "all texts read",
    "all texts read, and vectors",
)


def intents(seed: int) -> tuple[list[str], npt.NDArray[np.int64], tuple[str, ...]]:
    """Draw twenty of banking77's intents, and 1,200 of their questions; give the classes, too."""
    rows = pd.concat(
        [pd.read_csv(data_folder() / "banking77" / f"{p}.csv") for p in ("train", "test")]
    )
    rng = np.random.default_rng(seed)
    chosen = rng.choice(sorted(rows["category"].unique()), INTENTS, replace=False)
    rows = rows.loc[rows["category"].isin(chosen)].sample(QUESTIONS, random_state=seed)
    codes, classes = pd.factorize(rows["category"], sort=True)
    return rows["text"].tolist(), codes.astype(np.int64), tuple(classes)


def of_the_rest(probs: npt.NDArray[np.float64], truth: npt.NDArray[np.int64]) -> list[float]:
    """Return accuracy, log loss, calibration error, and the share labeled at 1 % errors of all."""
    right = probs.argmax(axis=1) == truth
    loss = -np.log(np.maximum(probs[np.arange(len(truth)), truth], 1e-6))
    errors = np.cumsum(~right[np.argsort(-probs.max(axis=1), kind="stable")])
    covered = np.searchsorted(errors, 0.01 * len(truth), side="right") / len(truth)
    calibration = expected_calibration_error(probs, truth)
    return [float(right.mean()), float(loss.mean()), calibration, float(covered)]


def measured(
    texts: list[str],
    truth: npt.NDArray[np.int64],
    classes: tuple[str, ...],
    size: int,
    seed: int,
    vectors: TextVectors,
) -> dict[str, list[float]]:
    """Learn from so many random labels in each way, and judge all other items."""
    ids = [f"i{n:05d}" for n in range(len(texts))]
    items = pd.DataFrame({"item_id": ids, "payload": texts, "payload_digest": ids, "group": ids})
    numbers = tuple(f"class {k}" for k in range(len(classes)))
    chosen = np.sort(np.random.default_rng([seed, 5]).permutation(len(ids))[:size])
    rest = np.setdiff1d(np.arange(len(ids)), chosen)
    some, found = items.iloc[chosen], {}
    for name in (ALONE, NUMBERED, READ, VECTORS):
        schema = Schema("few", numbers if name == NUMBERED else classes)
        labeler = SklearnLabeler(folds=2, vectors=vectors if name == VECTORS else None)
        if name != ALONE:
            labeler.read(items, schema)
        labeler.fit(some, truth[chosen].tolist(), some["group"].tolist(), schema)
        probs = np.stack(labeler.propose(items.iloc[rest], schema)["probs"].to_list())
        found[name] = of_the_rest(probs, truth[rest])
    return found


def main() -> None:
    """Print one row a set, number of labels and way to learn."""
    options = argparse.ArgumentParser(description="Few labels, and what is read beside them.")
    options.add_argument("--seeds", type=int, default=5)
    asked = options.parse_args()
    print("| set | labels | learned from | right | log loss | calibration error | labeled at 1 % |")
    print("|---|---:|---|---:|---:|---:|---:|")
    tickets, vectors = label_set("tickets"), TextVectors(WordLlamaEncoder())
    the_tickets = tickets.payloads, tickets.truth, tickets.schema.classes
    for name in ("tickets", "20 bank intents"):
        for size in SIZES:
            rows: dict[str, list[list[float]]] = {}
            for seed in range(asked.seeds):
                drawn = the_tickets if name == "tickets" else intents(seed)
                for how, values in measured(*drawn, size, seed, vectors).items():
                    rows.setdefault(how, []).append(values)
            for how, values in rows.items():
                right, loss, error, covered = np.mean(values, axis=0)
                print(
                    f"| {name} | {size} | {how} | {right:.3f} | {loss:.2f} | {error:.3f} | "
                    f"{covered:.3f} |",
                    flush=True,
                )


if __name__ == "__main__":
    main()
