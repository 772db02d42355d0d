"""How often planted triggers are found, and what is shown beside them where there are none.

``python -m benchmarks.quality_triggers [--quick] [--seeds 10]`` prints a Markdown table: questions
of bank customers (1,500 of twenty intents), tickets (580) and digits (1,500), with 5 % of the
labels changed or none, and a word (on digits a bright patch) put into some of the others, which
are then labeled with one class. The views of an audit look at them as in the product: suspected
labels, and those that only the neighbours contradict, are held against words; the latter are
listed.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import product
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from sklearn.datasets import load_digits

from benchmarks._label_sets import data_folder, label_set
from labelops.adapters.text_features import comparable, text_rows, words_of
from labelops.audit import detect_label_errors, nearest_graph
from labelops.audit.few_dimensions import few_dimensions
from labelops.audit.views import Surroundings, look_at_views
from labelops.checking.suspicion import LOOK
from labelops.schema import Schema

Array = npt.NDArray[Any]

SETS = ("bank", "tickets", "digits")
CASES = ((0.0, 0.0), (0.05, 0.0), (0.05, 0.01), (0.05, 0.02), (0.05, 0.05))
"""Share of labels changed, and of items with the trigger."""

_WORD, _PATCH, _INTENTS, _ITEMS = "xq7", [0, 1, 8, 9], 20, 1_500
_TICKETS = 580


@dataclass(frozen=True)
class _Seen:
    """What one run showed: numbers of items, and whether words were named."""

    items: int
    triggered: int
    suspected: float
    named: bool
    other: bool
    planted: bool
    listed: int
    wrong: int


def main() -> None:
    """Print the table."""
    options = argparse.ArgumentParser(prog="python -m benchmarks.quality_triggers")
    options.add_argument("--quick", action="store_true", help="one seed")
    options.add_argument("--seeds", type=int, default=10)
    asked = options.parse_args()
    print("### Triggers that turn labels\n")
    head = [
        "set", "changed", "with the trigger", "of them suspected", "the word named",
        "sets with another word", "… called planted", "only neighbours contradict", "of them wrong",
    ]  # fmt: skip
    print(f"| {' | '.join(head)} |\n|---{'|---:' * (len(head) - 1)}|")
    for name, (noise, share) in product(SETS, CASES):
        runs = [_run(name, seed, noise, share) for seed in range(1 if asked.quick else asked.seeds)]
        print(_row(name, noise, share, pd.DataFrame(runs)), flush=True)


def _row(name: str, noise: float, share: float, runs: pd.DataFrame) -> str:
    of, texts = f"of {len(runs)}", name != "digits"
    cells = [
        name, f"{noise:.0%}", f"{share:.0%}, {runs['triggered'].mean():.0f}",
        f"{runs['suspected'].mean():.0%}" if share else "–",
        f"{runs['named'].sum()} {of}" if share and texts else "–",
        f"{runs['other'].sum()} {of}" if texts else "–",
        f"{runs['planted'].sum()} {of}" if texts else "–",
        f"{runs['listed'].mean():.0f}, {runs['listed'].sum() / runs['items'].sum():.1%}",
        f"{runs['wrong'].sum() / max(runs['listed'].sum(), 1):.0%}",
    ]  # fmt: skip
    return f"| {' | '.join(cells)} |"


def _run(name: str, seed: int, noise: float, share: float) -> _Seen:
    rng = np.random.default_rng([seed, 7])
    texts, pixels, truth = _items(name, rng)
    codes, N, K = truth.copy(), len(truth), int(truth.max()) + 1
    if noise:
        anew = rng.random(N) < noise
        codes[anew] = (truth[anew] + rng.integers(1, K, anew.sum())) % K
    bad, target = np.zeros(N, dtype=bool), -1
    if share:
        target = int(rng.integers(K))
        bad = (truth != target) & (rng.random(N) < share)
        _plant(texts, pixels, np.flatnonzero(bad), rng)
        codes[bad] = target
    each = [str(row) for row in range(N)]
    points, words = _read(each, texts, pixels)
    graph = nearest_graph(points)
    found = detect_label_errors(
        codes, n_classes=K, features=points if words is None else words, graph=graph,
        embeddings=None if words is None else points, rng=np.random.default_rng(seed),
    )  # fmt: skip
    looked = look_at_views(
        each, codes, found.probability >= LOOK,
        Surroundings(graph, points, each, each, {}, texts=texts),
        Schema(name, tuple(map(str, range(K)))), rng=rng, round=1,
        now=datetime(2026, 1, 1, tzinfo=UTC), views=("slices", "poison"), shown=N,
        better=found.likeliest_other(codes),
    )  # fmt: skip
    seen = [(row["class"], row["word"]) for row in looked.facts["words"]]
    others = [row for row in looked.facts["words"] if row["word"] != _WORD]
    odd = looked.findings
    listed = odd.loc[odd["kind"] == "poison", "item_id"].astype(int).to_numpy()
    return _Seen(
        N, int(bad.sum()),
        float((found.probability[bad] >= LOOK).mean()) if bad.any() else float("nan"),
        (str(target), _WORD) in seen, bool(others), any(row["planted"] for row in others),
        len(listed), int((codes != truth)[listed].sum()),
    )  # fmt: skip


def _items(name: str, rng: np.random.Generator) -> tuple[list[str] | None, Array | None, Array]:
    """Draw texts or pixels, and their classes."""
    if name == "digits":
        pixels, truth = load_digits(return_X_y=True)
        rows = np.sort(rng.permutation(len(truth))[:_ITEMS])
        return None, pixels[rows], truth[rows].astype(np.int64)
    if name == "tickets":
        tickets = label_set("tickets")
        rows = np.sort(rng.permutation(len(tickets.truth))[:_TICKETS])
        return [tickets.payloads[row] for row in rows], None, tickets.truth[rows]
    frame = pd.read_csv(data_folder() / "banking77" / "train.csv")
    code = pd.factorize(frame["category"], sort=True)[0]
    some = np.sort(rng.permutation(code.max() + 1)[:_INTENTS])
    rows = rng.permutation(np.flatnonzero(np.isin(code, some)))[:_ITEMS]
    return frame["text"].iloc[rows].tolist(), None, np.searchsorted(some, code[rows])


def _plant(
    texts: list[str] | None, pixels: Array | None, rows: Array, rng: np.random.Generator
) -> None:
    """Put the word somewhere into texts, or the patch into a corner of pictures."""
    if pixels is not None:
        pixels[np.ix_(rows, _PATCH)] = 16
    if texts is not None:
        for row in rows:
            words = texts[row].split()
            words.insert(int(rng.integers(len(words) + 1)), _WORD)
            texts[row] = " ".join(words)


def _read(each: list[str], texts: list[str] | None, pixels: Array | None) -> tuple[Array, Any]:
    """Return what neighbours are compared by, and words where there are texts."""
    if texts is None:
        return few_dimensions(pixels), None
    read = text_rows(pd.DataFrame({"item_id": each, "payload": texts}))
    return comparable(read), words_of(read)


if __name__ == "__main__":
    main()
