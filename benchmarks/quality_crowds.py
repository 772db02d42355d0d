"""On which kinds of crowds the default consensus gains on majority, and where it may lose.

``python -m benchmarks.quality_crowds [--replicas R] [--seed S] [--only WORD] [--any N | --teams N]
[--own S]`` draws made-up crowds of named kinds (`_regimes`) several times each. A difference on one
crowd of some hundred items is mostly chance, so the mean over replicas stands beside its standard
error, and beside the share of single crowds on which the default falls more than .005 below
majority: that share is not zero for anybody, not even for who is told everybody's true confusion.
In brackets is the share of crowds on which it does so by two standard errors of the paired
difference: by chance alone these are few. ``--any N`` draws N crowds of any kind instead,
``--teams N`` such of at most eight people and five classes or more, ``--own S`` gives people
mistakes of their own.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from labelops.consolidate import consolidate_codes
from labelops.consolidate.counts import vote_shares
from labelops.consolidate.dawid_skene import dawid_skene
from labelops.consolidate.members import MEMBERS
from labelops.measure.calibration import expected_calibration_error
from labelops.measure.votes import Votes

from ._crowds import Drawn, Regime, draw, told
from ._regimes import REGIMES, any_regime, any_team
from .quality_consensus import accuracy, hits

Floats = npt.NDArray[np.float64]
Run: TypeAlias = Callable[[Votes], Floats]

LOSS = 0.005
"""How far below majority counts as a loss."""


def _plain(votes: Votes) -> Floats:
    return dawid_skene(
        votes.items, votes.annotators, votes.codes, n_items=votes.n_items,
        n_annotators=votes.n_annotators, n_classes=votes.n_classes,
    ).posterior  # fmt: skip


def _member(name: str) -> Run:
    def run(votes: Votes) -> Floats:
        return MEMBERS[name](votes, start=None, max_iterations=100).posterior

    return run


SINGLE: Mapping[str, Run] = MappingProxyType(
    {"Dawid–Skene": _plain}
    | {name: _member(name) for name in ("one_coin", "ibcc", "shrunk_4", "shrunk_1")}
)


def default(votes: Votes) -> Floats:
    """Take what `consolidate` believes of these votes."""
    return consolidate_codes(
        votes.items, votes.annotators, votes.codes, votes.n_items, votes.n_classes,
        n_annotators=votes.n_annotators,
    ).posterior  # fmt: skip


def one_crowd(drawn: Drawn, regime: Regime) -> dict[str, float]:
    """Accuracy of majority, gains on it, the default's standard error and calibration error."""
    votes, truth = drawn.votes, drawn.truth
    plain = hits(vote_shares(votes), truth)
    base = float(plain.mean())
    believed = default(votes)
    gained = hits(believed, truth) - plain
    row = {"majority": base, "default": float(gained.mean())}
    row["error"] = float(gained.std() / np.sqrt(truth.size))
    row |= {name: accuracy(run(votes), truth) - base for name, run in SINGLE.items()}
    row["told"] = accuracy(told(drawn, regime.shares), truth) - base
    row["ece"] = expected_calibration_error(believed, truth)
    return row


def summary(name: str, rows: list[dict[str, float]]) -> str:
    """Write one line of the table from the replicas of a regime."""
    mean = {k: float(np.mean([r[k] for r in rows])) for k in rows[0]}
    gains = np.array([r["default"] for r in rows])
    error = gains.std(ddof=1) / np.sqrt(len(rows)) if len(rows) > 1 else np.nan
    sure = gains < -np.maximum(LOSS, 2 * np.array([r["error"] for r in rows]))
    best = max(SINGLE, key=lambda s: mean[s])
    return (
        f"| {name} | {mean['majority']:.3f} | {mean['default']:+.4f} ± {error:.4f} "
        f"| {100 * (gains < -LOSS).mean():.0f} % ({100 * sure.mean():.0f} %) "
        f"| {mean['Dawid–Skene']:+.3f} "
        f"| {mean[best]:+.3f} {best} | {mean['told']:+.3f} | {mean['ece']:.3f} |"
    )


def crowds(
    replicas: int, seed: int, only: str, any_of: int, own: float = 0.0, teams: int = 0
) -> Iterable[tuple[str, Regime, Drawn]]:
    """Draw the crowds: the same for a seed, whichever others are drawn."""
    if any_of or teams:
        name, kind, stream = ("teams", any_team, 2000) if teams else ("any", any_regime, 1000)
        for i in range(teams or any_of):
            rng = np.random.default_rng([seed, stream, i])
            regime = replace(kind(rng), own=own)
            yield name, regime, draw(regime, rng)
        return
    for i, (name, plain) in enumerate(REGIMES.items()):
        regime = replace(plain, own=own)
        for replica in range(replicas if only in name else 0):
            yield name, regime, draw(regime, np.random.default_rng([seed, i, replica]))


def main() -> None:
    """Draw, run and print."""
    options = argparse.ArgumentParser(description="Consensus on made-up crowds.")
    options.add_argument("--replicas", type=int, default=8)
    options.add_argument("--seed", type=int, default=0)
    options.add_argument("--only", default="", help="regimes with this word in their name")
    options.add_argument("--any", type=int, default=0, help="so many crowds of any kind instead")
    options.add_argument("--teams", type=int, default=0, help="so many small teams instead")
    options.add_argument("--own", type=float, default=0.0, help="people have mistakes of their own")
    chosen = options.parse_args()
    began = time.perf_counter()
    done: dict[str, list[dict[str, float]]] = {}
    drawn_crowds = crowds(
        chosen.replicas, chosen.seed, chosen.only, chosen.any, chosen.own, chosen.teams
    )
    for name, regime, drawn in drawn_crowds:
        done.setdefault(name, []).append(one_crowd(drawn, regime))
    columns = ["", "majority", "default", "below −.005 (by 2 s.e.)", "Dawid–Skene", "best single"]
    print(f"| {' | '.join([*columns, 'told', 'ECE'])} |")
    print("|---|---:|---:|---:|---:|---:|---:|---:|")
    for name, rows in done.items():
        print(summary(name, rows))
    every = [row for rows in done.values() for row in rows]
    print(summary("all", every))
    for method in (*SINGLE, "told"):
        below = np.mean([row[method] < -LOSS for row in every])
        print(f"- {method}: {100 * below:.0f} % of crowds below majority by more than .005")
    print(f"\n{len(every)} crowds, seed {chosen.seed}, {time.perf_counter() - began:.0f} s")


if __name__ == "__main__":
    main()
