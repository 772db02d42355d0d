"""What a certified label costs in human votes, beside four rivals on the same people's answers.

python -m benchmarks.label_cost [--sets digits tickets] [--seeds 20] [--quick] [--journey]
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from typing import Any

import numpy as np

from benchmarks._label_sets import SETS, data_folder, label_set
from benchmarks._pipelines import RIVALS, Outcome, Rules
from labelops.measure.finite import fixed_audit_size
from labelops.measure.from_bound import calibration_size, least_posterior
from labelops.measure.intervals import clopper_pearson

BOUNDS = (0.02, 0.05)
OURS = [name for name in RIVALS if name.startswith("labelops")]
TOLD = "told the error curve"

RULES: Mapping[str, Mapping[str, Any]] = {
    "digits": {},
    "tickets": {"seed": 100, "training": 180},
    "tickets_vectors": {"seed": 100, "training": 180},
    "rte_snow": {},
    "banking77": {"training": 1000},
}
"""What a user would set, by set; the rest is as in `Rules`."""


def rules_for(name: str, bound: float) -> Rules:
    """Return a set's settings at a bound: those of `RULES`, and what follows from the bound."""
    size = calibration_size(bound, Rules(bound).risk, len(label_set(name).truth))
    planned = {"posterior": least_posterior(bound), "calibration": size}
    return Rules(bound, **{**planned, **RULES[name.partition("-")[0]]})


def one_seed(
    name: str, crowd: str, bound: float, seed: int, rivals: Sequence[str] = tuple(RIVALS)
) -> dict[str, Outcome]:
    """Run each pipeline once, on the same answers."""
    data = label_set(name)
    votes, rules = data.crowds[crowd](seed), rules_for(name, bound)
    return {rival: RIVALS[rival](data, votes, rules, seed) for rival in rivals}


def _all_seeds(run: Any, seeds: Sequence[int], jobs: int) -> Iterator[dict[str, Outcome]]:
    if jobs == 1:
        yield from map(run, seeds)
        return
    with ProcessPoolExecutor(jobs) as pool:
        yield from pool.map(run, seeds)


def table(found: Mapping[str, Sequence[Outcome]], bound: float) -> str:
    """Write one line a pipeline: means over the seeds, of votes with their standard error."""
    lines = [
        "| pipeline | votes per 1,000 | fewer than three on all | by the model | certified | "
        "true error, mean (max) | above the bound |",
        "|---|---:|---:|---:|---:|---:|---:|",
    ]
    for name, outcomes in found.items():
        done = [o for o in outcomes if o.released]
        if not done:
            lines.append(f"| {name} | {outcomes[0].note} | | | | | |")
            continue
        each = np.array([o.per_thousand for o in done])
        votes, spread = float(each.mean()), float(each.std() / np.sqrt(len(done)))
        model = float(np.mean([o.accepted / o.released for o in done]))
        errors = np.array([o.error for o in done])
        if len(done) < len(outcomes):
            name += f", {len(done)} of {len(outcomes)} released"
        certified = [o.certified for o in done if o.certified is not None]
        bounds = f"≤ {np.mean(certified or [0]):.2%} ({len(certified)} of {len(outcomes)})"
        lines.append(
            f"| {name} | {votes:,.0f} ± {spread:,.0f} | {1 - votes / 3000:.0%} | {model:.0%} | "
            f"{bounds if certified else 'nothing'} | {errors.mean():.2%} ({errors.max():.2%}) | "
            f"{int((errors > bound).sum())} of {len(done)} |"
        )
    return "\n".join(lines)


def purposes(found: Mapping[str, Sequence[Outcome]]) -> str:
    """Say what ours spent its votes on, under both rules, and what certainty cost."""
    return "\n".join(
        said
        for ours in OURS
        if ours in found and (said := _purposes(found[ours], found[TOLD], ours))
    )


def _purposes(ours: Sequence[Outcome], told: Sequence[Outcome], name: str) -> str:
    done = [o for o in ours if o.released]
    if not done:
        return ""
    names = sorted({p for o in done for p in o.votes})
    parts = [
        f"{p} {np.mean([1000 * o.votes.get(p, 0) / o.released for o in done]):,.0f}" for p in names
    ]
    said = f"Votes per 1,000 of *{name}*: " + ", ".join(parts)
    pairs = zip(ours, told, strict=True)
    prices = [a.per_thousand - b.per_thousand for a, b in pairs if a.released and b.released]
    return said + (f"; the price of certainty: {np.mean(prices):,.0f}" if prices else "") + "."


def told_and_certified(found: Mapping[str, Sequence[Outcome]], bound: float, risk: float) -> str:
    """Say the least that a certificate adds to the told pipeline: looks, all clean, one vote each.

    After fewer clean looks a set with one error too many would pass with more than the risk,
    whatever the test.
    """
    told = [o for o in found[TOLD] if o.released]
    if not told:
        return "Nothing stays within the bound, even told the error curve."
    looks = fixed_audit_size(bound, risk, 0, told[0].items)
    votes = float(np.mean([o.per_thousand for o in told]))
    least = votes + 1000 * looks / told[0].items
    return (
        f"Told, {votes:,.0f}, and the {looks} clean looks without which no test can certify the "
        f"bound: {least:,.0f} votes per 1,000, {1 - least / 3000:.0%} fewer than three on all."
    )


def journey_beside(name: str, crowd: str, bound: float, seed: int) -> str:
    """Run the journey itself, every stage, on tables in memory, and say what it came to."""
    from benchmarks._in_memory import run_journey

    data = label_set(name)
    began = time.process_time()
    found = run_journey(data, data.crowds[crowd](seed), rules_for(name, bound), seed)
    took = time.process_time() - began
    votes = ", ".join(f"{p} {n}" for p, n in sorted(found.votes.items()))
    return (
        f"the journey itself, seed {seed}: {found.per_thousand:,.0f} votes per 1,000 ({votes}), "
        f"true error {found.error:.2%}, {took:.0f} CPU s {found.note}"
    )


def main() -> None:
    """Print a table for each set, crowd and bound."""
    options = argparse.ArgumentParser(description="Human votes for 1,000 certified labels.")
    options.add_argument(
        "--sets", nargs="+", default=list(SETS),
        help=f"of {', '.join(SETS)}; digits-0.95 has a label each from before, 95 %% of them right",
    )  # fmt: skip
    options.add_argument("--crowds", nargs="+", default=["real", "rte", "seven"])
    options.add_argument("--bounds", nargs="+", type=float, default=list(BOUNDS))
    options.add_argument("--seeds", type=int, default=20)
    options.add_argument("--jobs", type=int, default=1, help="processes")
    options.add_argument("--only", nargs="+", choices=OURS, help="no rivals but the told one")
    options.add_argument("--quick", action="store_true", help="two seeds of digits at 5 %%")
    options.add_argument("--journey", action="store_true", help="one seed of the journey beside")
    asked = options.parse_args()
    sets, bounds, seeds = asked.sets, asked.bounds, range(asked.seeds)
    rivals = [*asked.only, TOLD] if asked.only else list(RIVALS)
    if asked.quick:
        sets, bounds, seeds = ["digits"], list(BOUNDS[1:]), range(2)
    violations, certificates = 0, 0
    for name in sets:
        if not (data_folder() / "rte_snow").is_dir():
            print(f"\n{name}: skipped, the measured crowd is not at {data_folder()}")
            continue
        if name in ("rte_snow", "banking77") and not (data_folder() / name).is_dir():
            print(f"\n{name}: skipped, not at {data_folder()}")
            continue
        for crowd in (c for c in asked.crowds if c in label_set(name).crowds):
            for bound in bounds:
                run = partial(one_seed, name, crowd, bound, rivals=rivals)
                outcomes = list(_all_seeds(run, seeds, asked.jobs))
                found = {rival: [o[rival] for o in outcomes] for rival in rivals}
                size = len(label_set(name).truth)
                print(f"\n### {name}, {size:,} items, crowd `{crowd}`, ≤ {bound:.0%}\n")
                print(table(found, bound) + "\n\n" + purposes(found))
                print(told_and_certified(found, bound, Rules(bound).risk), flush=True)
                if asked.journey:
                    print("\n" + journey_beside(name, crowd, bound, 0), flush=True)
                mine = [o for ours in OURS for o in found.get(ours, ()) if o.certified is not None]
                certificates += len(mine)
                violations += sum(o.error > bound for o in mine)
    if certificates:
        high = clopper_pearson(violations, certificates, 0.95).high
        print(
            f"\n{violations} of {certificates} certificates were false (at most {high:.1%} at "
            f"95 % confidence); {Rules(0.02).risk:.0%} were allowed."
        )


if __name__ == "__main__":
    main()
