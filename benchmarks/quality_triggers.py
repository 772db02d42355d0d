"""How often a word planted in texts to turn their labels is named, and which others beside it.

``python -m benchmarks.quality_triggers [--quick] [--seeds 10]`` prints a Markdown table: 1,500
questions of twenty intents with 5 % of the labels drawn anew, and a word put into some of the
others, which are then labeled with the first intent. The views of an audit look at them as in the
product: suspected labels, and those that only the neighbours contradict, are held against words.
"""

from __future__ import annotations

import argparse
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pandas as pd
from sklearn.feature_extraction.text import TfidfVectorizer

from benchmarks._label_sets import data_folder
from labelops.audit import detect_label_errors, nearest_graph
from labelops.audit.few_dimensions import few_dimensions
from labelops.audit.views import Surroundings, look_at_views
from labelops.checking.suspicion import LOOK
from labelops.schema import Schema

SHARES = (0.0, 0.01, 0.02, 0.05)
_WORD, _NOISE, _INTENTS, _TEXTS = "cf", 0.05, 20, 1_500


def main() -> None:
    """Print the table."""
    options = argparse.ArgumentParser(prog="python -m benchmarks.quality_triggers")
    options.add_argument("--quick", action="store_true", help="one seed")
    options.add_argument("--seeds", type=int, default=10)
    asked = options.parse_args()
    print("### Words that turn labels, in questions of bank customers\n")
    print("| texts with the word | of them suspected | the word named | first of all | other words")
    print("|---:|---:|---:|---:|---:|")
    for share in SHARES:
        runs = [_run(seed, share) for seed in range(1 if asked.quick else asked.seeds)]
        held, suspected, named, first, others = np.array(runs).T
        of = f"of {len(runs)}"
        seen = f"{np.nanmean(suspected):.0%}" if share else "–"
        print(f"| {share:.0%}, {held.mean():.0f} | {seen} | {named.sum():.0f} {of} "
              f"| {first.sum():.0f} {of} | {others.mean():.1f} |")  # fmt: skip


def _run(seed: int, share: float) -> tuple[float, ...]:
    """How many texts hold the word, the share suspected, whether it is named, is first, others."""
    rng = np.random.default_rng(seed)
    texts, truth = _questions(rng)
    codes, N = truth.copy(), len(truth)
    anew = rng.random(N) < _NOISE
    codes[anew] = rng.integers(0, _INTENTS, anew.sum())
    bad = (truth != 0) & (rng.random(N) < share)
    for row in np.flatnonzero(bad):
        words = texts[row].split()
        words.insert(int(rng.integers(len(words) + 1)), _WORD)
        texts[row] = " ".join(words)
    codes[bad] = 0
    read = TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True, min_df=2).fit_transform(texts)
    found = detect_label_errors(codes, n_classes=_INTENTS, features=read)
    points = few_dimensions(read)
    each = [str(row) for row in range(N)]
    around = Surroundings(nearest_graph(points), points, each, each, {}, texts=texts)
    suspected = found.probability >= LOOK
    looked = look_at_views(
        each, codes, suspected, around, Schema("intents", tuple(map(str, range(_INTENTS)))),
        rng=rng, round=1, now=datetime(2026, 1, 1, tzinfo=UTC), views=("slices", "poison"),
    )  # fmt: skip
    rows = [(row["class"], row["word"]) for row in looked.facts["words"]]
    hit = ("0", _WORD)
    seen = float(suspected[bad].mean()) if bad.any() else float("nan")
    first = bool(rows) and rows[0] == hit
    return (
        float(bad.sum()),
        seen,
        float(hit in rows),
        float(first),
        float(len(rows) - (hit in rows)),
    )


def _questions(rng: np.random.Generator) -> tuple[list[str], np.ndarray[Any, Any]]:
    frame = pd.read_csv(data_folder() / "banking77" / "train.csv")
    code = pd.factorize(frame["category"], sort=True)[0]
    some = np.sort(rng.permutation(code.max() + 1)[:_INTENTS])
    rows = rng.permutation(np.flatnonzero(np.isin(code, some)))[:_TEXTS]
    return frame["text"].iloc[rows].tolist(), np.searchsorted(some, code[rows])


if __name__ == "__main__":
    main()
