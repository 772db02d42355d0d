"""How long the views that look at neighbours take, up to a million items of 64 dimensions.

One search feeds all views. Beside it stands the exact search over a tenth of the items, whose
time grows with their square. Run it as ``python -m benchmarks.speed_views [--quick]``; the
recall of the approximate search is printed at the end.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

from benchmarks._measure import Clock, Plan, main
from labelops.adapters.faiss_search import FaissSearch
from labelops.audit import (
    ExactSearch,
    activation_clusters,
    ambiguous_items,
    duplicate_clusters,
    find_outliers,
    find_outliers_in_class,
    judge_by_neighbours,
    label_conflicts,
    nearest_graph,
    nearest_ratio,
    neighbour_votes,
    spectral_signatures,
    split_leakage,
    spurious_attributes,
    underperforming_slices,
)
from labelops.testing.neighbours import recall_at, true_neighbours

DIMENSIONS, HIDDEN, CLASSES, K = 64, 16, 20, 50
_BLOCK = 50_000


def prepare(rows: int, place: Path) -> None:
    """Write points in 200 clusters of 16 hidden dimensions, with 1 % near copies, and labels."""
    rng = np.random.default_rng(0)
    centres = 1.5 * rng.normal(size=(200, HIDDEN))
    mixing = rng.normal(size=(HIDDEN, DIMENSIONS)) / 4
    cluster = rng.integers(0, 200, rows)
    points = np.empty((rows, DIMENSIONS), dtype=np.float32)
    for start in range(0, rows, _BLOCK):
        part = cluster[start : start + _BLOCK]
        hidden = centres[part] + rng.normal(size=(len(part), HIDDEN))
        noise = 0.1 * rng.normal(size=(len(part), DIMENSIONS))
        points[start : start + len(part)] = np.tanh(hidden @ mixing) + noise
    copies = rng.choice(rows, rows // 100, replace=False)
    points[copies] = points[rng.permutation(copies)] + 1e-4
    codes = cluster % CLASSES
    wrong = rng.random(rows) < 0.05
    codes[wrong] = rng.integers(0, CLASSES, int(wrong.sum()))
    np.save(place / "points.npy", points)
    np.save(place / "codes.npy", codes)
    np.save(place / "wrong.npy", wrong)


def views(clock: Clock, rows: int, prepared: Path, scratch: Path) -> None:
    """One search, then every view that reads it."""
    points, codes = np.load(prepared / "points.npy"), np.load(prepared / "codes.npy")
    with clock.step("search and graph", rows):
        graph = nearest_graph(points, K, search=FaissSearch())
    with clock.step("label disagreement", rows):
        judge_by_neighbours(neighbour_votes(graph, codes), codes)
    with clock.step("duplicates with other labels", rows):
        label_conflicts(codes, duplicate_clusters(graph))
    with clock.step("outliers", rows):
        find_outliers(graph)
    with clock.step("outliers in class", rows):
        find_outliers_in_class(graph, codes)
    with clock.step("leakage", rows):
        split_leakage(np.where(np.arange(rows) % 5, "train", "test"), graph)
    with clock.step("distance ratio", rows):
        nearest_ratio(graph, codes)


def classwise(clock: Clock, rows: int, prepared: Path, scratch: Path) -> None:
    """Time views that look at one class at a time, and at attributes."""
    points, codes = np.load(prepared / "points.npy"), np.load(prepared / "codes.npy")
    wrong, rng = np.load(prepared / "wrong.npy"), np.random.default_rng(0)
    facts = {f"fact {i}": rng.integers(0, 30, rows).astype(str) for i in range(3)}
    facts["length"] = rng.normal(size=rows)
    with clock.step("spectral signatures", rows):
        spectral_signatures(points, codes)
    with clock.step("activation clusters", rows):
        activation_clusters(points, codes)
    with clock.step("slices", rows):
        underperforming_slices(wrong, facts)
    with clock.step("spurious attributes", rows):
        spurious_attributes(codes, facts, rng=rng)


def votes(clock: Clock, rows: int, prepared: Path, scratch: Path) -> None:
    """Time a tenth of the items with five votes each."""
    rng, N = np.random.default_rng(0), rows // 10
    truth = rng.integers(0, 5, N)
    said = np.where(rng.random((N, 5)) < 0.85, truth[:, None], rng.integers(0, 5, (N, 5)))
    who = rng.integers(0, 200, 5 * N)
    with clock.step("ambiguity, 5 votes an item", N):
        ambiguous_items(np.repeat(np.arange(N), 5), who, said.ravel(), rng=rng)


def exact(clock: Clock, rows: int, prepared: Path, scratch: Path) -> None:
    """Compare every pair of a tenth of the items."""
    points = np.load(prepared / "points.npy")[: rows // 10]
    with clock.step("exact search and graph, a tenth", len(points)):
        nearest_graph(points, K, search=ExactSearch())
    with clock.step("search and graph, a tenth", len(points)):
        nearest_graph(points, K, search=FaissSearch())


def recall(rows: int, place: Path) -> float:
    """Share of the ten nearest that the search finds, for 500 items compared with all."""
    prepare(rows, place)
    points = np.load(place / "points.npy")
    graph = nearest_graph(points, K, search=FaissSearch())
    asked = np.random.default_rng(1).choice(rows, min(rows, 500), replace=False)
    unit = points / np.linalg.norm(points, axis=1, keepdims=True)
    return recall_at(graph.indices[asked, :10], true_neighbours(unit, asked, 10))


PLAN = Plan(
    "benchmarks.speed_views",
    1_000_000,
    ("views", "classwise", "votes", "exact"),
    {"search and graph, a tenth": "exact search and graph, a tenth"},
)

if __name__ == "__main__":
    if "--quick" in sys.argv:
        at = sys.argv.index("--quick")
        sys.argv[at : at + 1] = ["--rows", "60000", "--repeat", "1"]
    main(PLAN, "Views over a shared neighbour graph (k = 50, 64 dimensions)", prepare)
    if "--child" not in sys.argv:
        import tempfile

        with tempfile.TemporaryDirectory(prefix="labelops-bench-") as folder:
            print(f"\nrecall@10 at 100,000 items: {recall(100_000, Path(folder)):.3f}")
