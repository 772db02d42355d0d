"""Speed of consensus and agreement beside crowd-kit, cleanlab and the dense α, in one run.

`python -m benchmarks.speed_consensus` prints Markdown tables: seconds by the wall (median, least)
and the least of all cores; how many times faster than the peer by each of the three; memory beyond
the input, how far the results differ, and the exponent of growth with size. `--quick` takes
smaller sizes, `--items` those one asks for; `--huge` adds 10,000,000 and 100,000,000 votes. Every
case runs in a process of its own, whose votes are read from disk; the peer's and ours run in turn,
round after round, so that other work on the machine falls on all alike. Before it is timed a case
is run on few items, which loads the machine code (see "cold start" for what that costs), and once
on all.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks._consensus_cases import CASES, TABLES, make
from benchmarks._many_votes import ANNOTATORS, CLASSES, PER_ITEM
from benchmarks._measure import _load as system_load
from benchmarks._measure import _machine as machine
from labelops.measure.jit import compile_always, numpy_only

_SIZES = (10_000, 100_000, 1_000_000)

MANY_VOTES = {
    "majority": "Majority",
    "dawid_skene": "Dawid–Skene, five EM steps",
    "default": "`consolidate`, the default",
}


_ENOUGH = 0.3


"""Seconds of a round in which a case is run again, up to thirty times."""


def _child(name: str, way: str, place: Path, out: Path) -> None:
    """Run one case, a short one often; print what it took, and keep its result."""
    warnings.simplefilter("ignore")
    with numpy_only() if way == "numpy" else compile_always():
        CASES[name](place.parent / "warm")()
    with numpy_only() if way == "numpy" else nullcontext():
        run = CASES[name](place)
        held = int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()
        np.save(out, np.asarray(run()))
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
        wall: list[float] = []
        cpu: list[float] = []
        while not wall or (sum(wall) < _ENOUGH and len(wall) < 30):
            started, used = time.perf_counter(), time.process_time()
            run()
            wall.append(time.perf_counter() - started)
            cpu.append(time.process_time() - used)
    print(json.dumps({"wall": wall, "cpu": cpu, "extra": max(peak - held, 0) / 1e6}))


def _measured(
    cases: list[tuple[str, str]], place: Path, rounds: int
) -> dict[str, dict[str, float]]:
    """Run cases in turn, round after round; costs by `name-way`."""
    runs: dict[str, list[Any]] = {f"{name}-{way}": [] for name, way in cases}
    for _ in range(rounds):
        for name, way in cases:
            print(f"… {name}, {way}, {place.name} items", file=sys.stderr, flush=True)
            out = place / f"{name}-{way}.npy"
            arguments = ["--child", name, way, str(place), str(out)]
            runs[f"{name}-{way}"].append(_run("benchmarks.speed_consensus", arguments))
    return {case: _cost(found) for case, found in runs.items()}


def _cost(runs: list[Any]) -> dict[str, float]:
    walls = [wall for run in runs for wall in run["wall"]]
    return {
        "wall": statistics.median(walls),
        "least": min(walls),
        "cpu": min(cpu for run in runs for cpu in run["cpu"]),
        "extra": statistics.median(run["extra"] for run in runs),
    }


def _run(module: str, arguments: list[str]) -> dict[str, Any]:
    done = subprocess.run(
        [sys.executable, "-m", module, *arguments],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise SystemExit(done.stderr[-4000:])
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def _table(
    peer: str, theirs: str, ours: dict[str, str], limit: int, places: list[Path], repeat: int
) -> str:
    """Measure one table's cases at all sizes, peer and ours in turn."""
    lines = [
        "| input | items | wall s | CPU s | extra MB | times faster | differs by |",
        "|---|---:|---:|---:|---:|---:|---:|",
    ]
    costs: dict[str, list[tuple[int, float]]] = {}
    for place in places:
        items = int(place.name)
        both = [(name, way) for name in ours.values() for way in ("compiled", "numpy")]
        peers = [(theirs, "peer")] if items <= limit else []
        cost = _measured([*peers, *both], place, repeat)
        base = cost.get(f"{theirs}-peer")
        if base:
            lines.append(_row(peer, items, base, None, ""))
            costs.setdefault(peer, []).append((items, base["cpu"]))
        for label, name in ours.items():
            for way in ("compiled", "numpy"):
                one = cost[f"{name}-{way}"]
                costs.setdefault(f"{label}, {way}", []).append((items, one["cpu"]))
                apart = _apart(place, theirs, name, way) if base else ""
                lines.append(_row(f"{label}, {way}", items, one, base, apart))
    growth = [
        f"{label}: items^{_exponent(points):.2f}" for label, points in costs.items() if points[1:]
    ]
    return "\n".join(lines) + "\n\nGrowth of CPU time: " + "; ".join(growth) + "."


def _row(
    label: str, items: int, cost: dict[str, float], base: dict[str, float] | None, apart: str
) -> str:
    ratio = ""
    if base:
        times = {name: base[name] / cost[name] for name in ("wall", "least", "cpu")}
        ratio = f"{times['wall']:.1f}, {times['least']:.1f} ({times['cpu']:.1f})"
    return (
        f"| {label} | {items:,} | {cost['wall']:.4g}, {cost['least']:.4g} | {cost['cpu']:.4g} | "
        f"{cost['extra']:.0f} | {ratio} | {apart} |"
    )


def _apart(place: Path, theirs: str, ours: str, way: str) -> str:
    one, two = np.load(place / f"{theirs}-peer.npy"), np.load(place / f"{ours}-{way}.npy")
    return f"{np.abs(one - two).max():.0e}"


def _exponent(points: list[tuple[int, float]]) -> float:
    """Slope between the two largest sizes, where overheads no longer count."""
    (small, before), (large, after) = points[-2:]
    return math.log(after / before) / math.log(large / small)


def _cold_start() -> str:
    """Seconds of the first call in a new process."""
    lines = ["| first call of a process | imports s | call s |", "|---|---:|---:|"]
    with tempfile.TemporaryDirectory(prefix="labelops-bench-") as cache:
        for label, way in (
            ("compiled, nothing cached", "compiled"),
            ("compiled, machine code cached", "compiled"),
            ("numpy only", "numpy"),
        ):
            done = subprocess.run(
                [sys.executable, "-c", _COLD, way],
                capture_output=True,
                text=True,
                check=True,
                env=os.environ | {"NUMBA_CACHE_DIR": cache},
            )
            imports, call = done.stdout.split()
            lines.append(f"| {label} | {float(imports):.2f} | {float(call):.2f} |")
    return "\n".join(lines)


_COLD = """
import sys, time
started = time.perf_counter()
import numpy as np
from labelops.consolidate import dawid_skene
from labelops.measure.jit import compile_always, numpy_only
imported = time.perf_counter()
votes = np.arange(1000) // 2, np.arange(1000) % 7, np.arange(1000) % 3
with numpy_only() if sys.argv[1] == "numpy" else compile_always():
    dawid_skene(*votes, n_items=500, n_annotators=7, n_classes=3)
print(imported - started, time.perf_counter() - imported)
"""


def _huge(items: Sequence[int]) -> str:
    """Run consensuses of many votes, each in a process of its own."""
    lines = [
        "| | votes | wall s | CPU s | peak GB of its process, votes included | right |",
        "|---|---:|---:|---:|---:|---:|",
    ]
    for name, shown in MANY_VOTES.items():
        for n_items in items:
            cost = _run("benchmarks._many_votes", [name, str(n_items)])
            lines.append(
                f"| {shown} | {n_items * PER_ITEM:,} | {cost['wall']:.1f} | {cost['cpu']:.1f} | "
                f"{cost['peak']:.2f} | {cost['right']:.3f} |"
            )
    return "\n".join(lines)


def main() -> None:
    """Measure everything and print the tables."""
    options = argparse.ArgumentParser(prog="python -m benchmarks.speed_consensus")
    options.add_argument("--quick", action="store_true", help="smaller sizes")
    options.add_argument("--items", type=int, nargs="+", help="sizes")
    options.add_argument(
        "--huge", action="store_true", help="also 10,000,000 and 100,000,000 votes"
    )
    options.add_argument("--repeat", type=int, default=3, help="rounds")
    options.add_argument("--child", nargs=4, help=argparse.SUPPRESS)
    asked = options.parse_args()
    if asked.child:
        name, way, place, out = asked.child
        _child(name, way, Path(place), Path(out))
    else:
        sizes = asked.items or ((3_000, 10_000, 30_000) if asked.quick else _SIZES)
        _report(sizes, asked.huge, asked.repeat)


def _report(sizes: Sequence[int], huge: bool, repeat: int) -> None:
    print("# Speed of consensus and agreement\n")
    print(f"{machine()}; {repeat} rounds; load {system_load()} at the start.")
    print(f"{PER_ITEM} votes an item, {ANNOTATORS} annotators, {CLASSES} classes.\n")
    with tempfile.TemporaryDirectory(prefix="labelops-bench-") as folder:
        places = [Path(folder) / str(items) for items in sizes]
        for place, items in zip([Path(folder) / "warm", *places], (300, *sizes), strict=True):
            place.mkdir()
            make(items, place)
        for title, peer, theirs, ours, limit in TABLES:
            print(
                f"## {title}\n\n{_table(peer, theirs, ours, limit, places, repeat)}\n", flush=True
            )
    print(f"## Cold start\n\n{_cold_start()}\n")
    if huge:
        print(f"## Many votes\n\n{_huge((2_000_000, 20_000_000))}\n")
    print(f"Load {system_load()} at the end.")


if __name__ == "__main__":
    main()
