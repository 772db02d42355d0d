"""Measuring: each run in a process of its own, medians, growth with size, and one table.

A measured run is a function ``(clock, rows, prepared, scratch)`` of a benchmark module, where
`prepared` is a folder with the input and `scratch` an empty one. It runs in a process of its
own, because the largest resident memory of a process (`ru_maxrss`) never falls again: a peak
measured second in one process would be the first one's.
"""

from __future__ import annotations

import argparse
import importlib
import json
import math
import os
import platform
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path

__all__ = ["Clock", "Plan", "Step", "main"]


@dataclass(frozen=True)
class Step:
    """What one step of a run cost: seconds by the wall and of all cores, rows worked on."""

    name: str
    rows: int
    wall: float
    cpu: float


@dataclass
class Clock:
    """Times the steps of a run; a step that is taken several times is added up.

    `notes` are sentences for under the table: what a run came to, where it may come to less.
    """

    steps: dict[str, Step] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    @contextmanager
    def step(self, name: str, rows: int) -> Iterator[None]:
        """Time what happens inside."""
        wall, cpu = time.perf_counter(), time.process_time()
        yield
        self.add(name, rows, time.perf_counter() - wall, time.process_time() - cpu)

    def add(self, name: str, rows: int, wall: float, cpu: float) -> None:
        """Add what was timed elsewhere."""
        before = self.steps.get(name, Step(name, rows, 0.0, 0.0))
        self.steps[name] = Step(name, rows, before.wall + wall, before.cpu + cpu)


@dataclass(frozen=True)
class Plan:
    """A benchmark: what is measured, beside what, and at which sizes.

    Parameters
    ----------
    module : str
        Its dotted name.
    rows : int
        The largest size; N/10 and N/3 are measured before it.
    ours : tuple of str
        Names of the module's functions that are measured.
    against : mapping of step to step
        Which other step a step is set in relation to.
    """

    module: str
    rows: int
    ours: tuple[str, ...]
    against: dict[str, str]


@dataclass(frozen=True)
class _Run:
    steps: dict[str, Step]
    peak: float
    notes: list[str]


def main(plan: Plan, describe: str, prepare: Callable[[int, Path], None] | None = None) -> None:
    """Measure at three sizes and print the tables."""
    options = argparse.ArgumentParser(prog=f"python -m {plan.module}", description=describe)
    options.add_argument("--rows", type=int, default=plan.rows, help="the largest size")
    options.add_argument("--repeat", type=int, default=3, help="runs a size; medians are shown")
    options.add_argument("--child", nargs=3, help=argparse.SUPPRESS)
    asked = options.parse_args()
    if asked.child:
        _as_child(plan.module, *asked.child)
        return
    sizes = sorted({asked.rows // 10, asked.rows // 3, asked.rows})
    print(f"{describe}\n\n{_machine()}; median of {asked.repeat}, load {_load()} at the start\n")
    found: dict[int, dict[str, list[_Run]]] = {}
    with tempfile.TemporaryDirectory(prefix="labelops-bench-") as folder:
        for rows in sizes:
            place = Path(folder) / str(rows)
            place.mkdir()
            if prepare is not None:
                prepare(rows, place)
            # In turn, so that other work on the machine falls on all alike.
            turns = [
                {name: _measured(plan.module, name, rows, place) for name in plan.ours}
                for _ in range(asked.repeat)
            ]
            found[rows] = {name: [turn[name] for turn in turns] for name in plan.ours}
    print(_table(plan, found[asked.rows]))
    print("\n" + _growth(plan, found))
    for notes in _notes(found):
        print(f"\n{notes}")
    print(f"\nload {_load()} at the end")


def _measured(module: str, name: str, rows: int, place: Path) -> _Run:
    """Run one function in a process of its own; its peak is the process's largest memory."""
    command = [sys.executable, "-m", module, "--child", name, str(rows), str(place)]
    print(f"… {name}, {rows:,} rows", file=sys.stderr, flush=True)
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(done.stderr[-4000:])
    said = json.loads(done.stdout.splitlines()[-1])
    return _Run({s["name"]: Step(**s) for s in said["steps"]}, said["peak"], said["notes"])


def _as_child(module: str, name: str, rows: str, place: str) -> None:
    measured = getattr(importlib.import_module(module), name)
    with tempfile.TemporaryDirectory(prefix="labelops-bench-") as folder:
        clock = Clock()
        measured(clock, int(rows), Path(place), Path(folder))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    steps = [asdict(s) for s in clock.steps.values()]
    print(json.dumps({"steps": steps, "peak": peak, "notes": clock.notes}))


def _notes(found: dict[int, dict[str, list[_Run]]]) -> list[str]:
    """Return what runs noted, each sentence once."""
    runs = (run for sizes in found.values() for every in sizes.values() for run in every)
    return list(dict.fromkeys(note for run in runs for note in run.notes))


def _table(plan: Plan, runs: dict[str, list[_Run]]) -> str:
    steps = {
        step: (name, _median(every, step))
        for name, every in runs.items()
        for step in every[0].steps
        if all(step in run.steps for run in every)
    }
    lines = [
        "| step | rows | wall s | CPU s | rows/s | peak GB of its process | wall, relative to |",
        "|---|---:|---:|---:|---:|---:|---|",
    ]
    for step, (name, cost) in steps.items():
        peak = statistics.median(run.peak for run in runs[name])
        peer = plan.against.get(step)
        ratio = f"{cost.wall / steps[peer][1].wall:.2f} × {peer}" if peer else ""
        lines.append(
            f"| {step} | {cost.rows:,} | {cost.wall:.2f} | {cost.cpu:.2f} | "
            f"{_short(cost.rows / max(cost.wall, 1e-9))} | {peak:.2f} | {ratio} |"
        )
    return "\n".join(lines)


def _median(runs: Sequence[_Run], step: str) -> Step:
    found = [run.steps[step] for run in runs]
    wall, cpu = (statistics.median(getattr(s, what) for s in found) for what in ("wall", "cpu"))
    return Step(step, found[0].rows, wall, cpu)


def _growth(plan: Plan, found: dict[int, dict[str, list[_Run]]]) -> str:
    """Show each step's CPU time at three sizes, and the exponent of its growth."""
    sizes = sorted(found)
    lines = [
        "| CPU s at | " + " | ".join(f"{n:,}" for n in sizes) + " | growth |",
        "|---|" + "---:|" * (len(sizes) + 1),
    ]
    for name in plan.ours:
        for step in found[sizes[-1]][name][0].steps:
            if not all(step in run.steps for n in sizes for run in found[n][name]):
                continue
            cost = [_median(found[n][name], step).cpu for n in sizes]
            power = math.log(cost[-1] / cost[0]) / math.log(sizes[-1] / sizes[0])
            shown = " | ".join(f"{c:.2f}" for c in cost)
            lines.append(f"| {step} | {shown} | rows^{power:.2f} |")
        peak = " | ".join(f"{statistics.median(r.peak for r in found[n][name]):.2f}" for n in sizes)
        lines.append(f"| peak GB, `{name}` | {peak} | |")
    return "\n".join(lines)


def _short(number: float) -> str:
    return f"{number:,.0f}" if number < 1e4 else f"{number / 1e3:,.0f} k"


def _machine() -> str:
    info = Path("/proc/cpuinfo")
    lines = info.read_text(encoding="utf-8").splitlines() if info.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    model = names[0] if names else platform.machine()
    return f"{os.cpu_count()} cores, {model}, {memory:.0f} GiB, Python {platform.python_version()}"


def _load() -> str:
    return " ".join(f"{x:.1f}" for x in os.getloadavg())
