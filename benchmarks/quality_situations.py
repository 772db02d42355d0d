"""How the default consensus fares on crowds that are unlike those it was made on.

``python -m benchmarks.quality_situations [--replicas R] [--seed S] [--only WORD]`` takes the six
real crowds in other situations (`_resampled`), crowds made from tables of mistakes (`_structured`),
small teams with clickers and people with topics of their own, and prints accuracy beside
majority's and single methods', calibration error and log loss. *Below* counts crowds more than .005
below majority, in brackets those that are by two standard errors of the paired difference.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator, Mapping
from types import MappingProxyType

import numpy as np
import numpy.typing as npt
import pandas as pd

from labelops.consolidate import consolidate_codes
from labelops.consolidate.counts import vote_shares
from labelops.measure.calibration import expected_calibration_error
from labelops.measure.votes import Votes

from ._resampled import CHANGES, Known, of_crowd
from ._structured import KINDS, TEAMS, TOPICS, made, own_topics, team
from .quality_consensus import CROWDS, hits, read

LOSS = 0.005
SINGLE = ("majority", "dawid_skene", "one_coin", "ibcc", "shrunk")
Floats = npt.NDArray[np.float64]


def real_crowds() -> Mapping[str, Known]:
    """Read the six development crowds; items of unknown class are left out."""
    found = {}
    for name in CROWDS:
        crowd = read(name)
        item = pd.Index(crowd.items).get_indexer(crowd.votes["task"]).astype(np.int64)
        who = pd.factorize(crowd.votes["worker"])[0].astype(np.int64)
        code = crowd.votes["label"].to_numpy(np.int64)
        found[name] = of_crowd(item, who, code, crowd.truth, len(crowd.classes))
    return MappingProxyType(found)


def situations(seed: int, replicas: int, only: str) -> Iterator[tuple[str, Known]]:
    """Draw crowds by name; each is the same for a seed, whichever others are drawn."""
    for i, (name, known) in enumerate(real_crowds().items()):
        for j, (change, altered) in enumerate(CHANGES.items()):
            for replica in range(replicas if only in f"{name}, {change}" else 0):
                yield change, altered(known, np.random.default_rng([seed, i, j, replica]))
    for j, (name, kind) in enumerate(KINDS.items()):
        for replica in range(replicas if only in name else 0):
            yield name, made(kind, np.random.default_rng([seed, 100, j, replica]))
    for j, (name, (people, clicks)) in enumerate(TEAMS.items()):
        for replica in range(4 * replicas if only in name else 0):
            yield name, team(people, clicks, np.random.default_rng([seed, 200, j, replica]))
    for j, (name, size) in enumerate(TOPICS.items()):
        for replica in range(4 * replicas if only in name else 0):
            yield name, own_topics(*size, np.random.default_rng([seed, 300, j, replica]))


def measured(known: Known) -> dict[str, float]:
    """Gains on majority, the default's paired standard error, calibration error and log loss."""
    votes, truth = known.packed(), known.truth
    plain = hits(vote_shares(votes), truth)
    found = {"majority": float(plain.mean())}
    for method in ("auto", *SINGLE):
        belief = _believed(votes, method)
        gained = hits(belief, truth) - plain
        found[f"{method} gain"] = float(gained.mean())
        found[f"{method} ece"] = expected_calibration_error(belief, truth)
        own = np.maximum(belief[np.arange(truth.size), truth], 1e-12)
        found[f"{method} loss"] = -float(np.log(own).mean())
        if method == "auto":
            found["error"] = float(gained.std() / np.sqrt(truth.size))
    return found


def _believed(votes: Votes, method: str) -> Floats:
    return consolidate_codes(
        votes.items, votes.annotators, votes.codes, votes.n_items, votes.n_classes,
        n_annotators=votes.n_annotators, method=method,
    ).posterior  # fmt: skip


def summary(name: str, rows: list[dict[str, float]]) -> str:
    """Write one line of the table."""
    mean = {k: float(np.mean([row[k] for row in rows])) for k in rows[0]}
    gains, errors = (np.array([row[k] for row in rows]) for k in ("auto gain", "error"))
    below = int((gains < -LOSS).sum())
    sure = int((gains < -np.maximum(LOSS, 2 * errors)).sum())
    best = max(SINGLE, key=lambda method: mean[f"{method} gain"])
    return (
        f"| {name} | {len(rows)} | {mean['majority']:.3f} | {mean['auto gain']:+.3f} | {below} "
        f"({sure}) | {mean['dawid_skene gain']:+.3f} | {mean[f'{best} gain']:+.3f} {best} "
        f"| {mean['auto ece']:.3f} | {mean['majority ece']:.3f} | {mean['dawid_skene ece']:.3f} "
        f"| {mean['auto loss']:.2f} | {mean['majority loss']:.2f} |"
    )


def main() -> None:
    """Draw, run and print."""
    options = argparse.ArgumentParser(description="Consensus in other situations.")
    options.add_argument("--replicas", type=int, default=1)
    options.add_argument("--seed", type=int, default=0)
    options.add_argument("--only", default="", help="those with this word in their name")
    chosen = options.parse_args()
    began = time.perf_counter()
    done: dict[str, list[dict[str, float]]] = {}
    for name, known in situations(chosen.seed, chosen.replicas, chosen.only):
        done.setdefault(name, []).append(measured(known))
    columns = ["", "crowds", "majority", "default", "below", "Dawid–Skene", "best single", "ECE"]
    columns += ["majority's", "Dawid–Skene's", "log loss", "majority's"]
    print(f"| {' | '.join(columns)} |\n|---|{'---:|' * (len(columns) - 1)}")
    for name, rows in done.items():
        print(summary(name, rows))
    every = [row for rows in done.values() for row in rows]
    print(summary("**all**", every))
    print(f"\nseed {chosen.seed}, {time.perf_counter() - began:.0f} s")


if __name__ == "__main__":
    main()
