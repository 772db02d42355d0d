"""Confident learning beside cleanlab and beside one pass of `numpy.sum`.

``python -m benchmarks.speed_confident [--quick] [--big]`` prints Markdown tables; ``--big`` adds
1,280,000 × 1,000 probabilities in a memory-mapped file of 5 GB, cold and warm. A cell has the
median and the least time by the wall and, in brackets, the least of all cores together; a ratio
is that of the medians, of the least times and, in brackets, of the least times of all cores.
"""

from __future__ import annotations

import argparse
import ctypes
import math
import mmap
import os
import statistics
import subprocess
import sys
import tempfile
import time
import tracemalloc
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks._measure import _load, _machine
from labelops.audit.confident import find_label_issues
from labelops.measure.jit import can_compile, compile_always, numpy_only

FILTERS = ("prune_by_noise_rate", "confident_learning", "prune_by_class", "low_self_confidence")
SIZES = ((1_000_000, 10), (100_000, 100), (200_000, 1000))
QUICK = ((100_000, 10), (20_000, 100), (10_000, 1000))
BIG = (1_280_000, 1000)


@dataclass(frozen=True)
class Cost:
    """Seconds by the wall, the median and the least of some runs, and the least of all cores."""

    wall: float
    least: float
    cpu: float

    def over(self, other: Cost) -> str:
        """How many times the other's costs these are."""
        walls = f"{self.wall / other.wall:.1f}, {self.least / other.least:.1f}"
        return f"{walls} ({self.cpu / other.cpu:.1f})"

    def ms(self) -> str:
        """Milliseconds."""
        return f"{self.wall * 1e3:,.0f}, {self.least * 1e3:,.0f} ({self.cpu * 1e3:,.0f})"


def labels(N: int, K: int) -> tuple[np.ndarray, np.ndarray]:
    """Draw true classes, and labels of which 15 % are any class."""
    rng = np.random.default_rng(N + K)
    true = rng.integers(0, K, N)
    wrong = rng.random(N) < 0.15
    return true, np.where(wrong, rng.integers(0, K, N), true)


def rows(true: np.ndarray, K: int, first: int) -> np.ndarray:
    """Probabilities of some rows, float32; their true classes get about half of the mass."""
    rng = np.random.default_rng(first)
    made = rng.standard_exponential((len(true), K), dtype=np.float32)
    made[np.arange(len(true)), true] += (K * np.exp(rng.normal(0.3, 1.2, len(true)))).astype("f4")
    made /= made.sum(axis=1, keepdims=True)
    return made


def in_memory(N: int, K: int) -> tuple[np.ndarray, np.ndarray]:
    """Labels and probabilities in memory."""
    true, codes = labels(N, K)
    probs = np.empty((N, K), dtype=np.float32)
    for first in range(0, N, 50_000):
        probs[first : first + 50_000] = rows(true[first : first + 50_000], K, first)
    return codes, probs


def in_turn(calls: Mapping[str, tuple[Callable[[], Any], int]], rounds: int) -> dict[str, Cost]:
    """Call everything in turn, round after round, so that other work falls on all alike.

    Each call comes with how often a round has it: several times where it is short.
    """
    walls: dict[str, list[float]] = {name: [] for name in calls}
    cpus: dict[str, list[float]] = {name: [] for name in calls}
    for _ in range(rounds):
        for name, (call, times) in calls.items():
            for _ in range(times):
                wall, cpu = time.perf_counter(), time.process_time()
                call()
                walls[name].append(time.perf_counter() - wall)
                cpus[name].append(time.process_time() - cpu)
    return {n: Cost(statistics.median(walls[n]), min(walls[n]), min(cpus[n])) for n in calls}


def timed(call: Callable[[], Any], repeat: int) -> Cost:
    """Call several times."""
    return in_turn({"it": (call, repeat)}, 1)["it"]


def peak(call: Callable[[], Any]) -> float:
    """Give what a call allocates at most beside its input, in MB."""
    tracemalloc.start()
    call()
    found = tracemalloc.get_traced_memory()[1] / 1e6
    tracemalloc.stop()
    return found


def cleanlab(codes: np.ndarray, probs: np.ndarray, filter_by: str) -> np.ndarray:
    """Rank with cleanlab in memory, in one process."""
    from cleanlab.filter import find_label_issues as theirs

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found: np.ndarray = theirs(
            codes, probs, filter_by=filter_by, return_indices_ranked_by="self_confidence", n_jobs=1
        )
    return found


def batched(codes: np.ndarray, probs: np.ndarray) -> np.ndarray:
    """Run cleanlab's low-memory mode."""
    from cleanlab.experimental.label_issues_batched import find_label_issues_batched

    found: np.ndarray = find_label_issues_batched(codes, probs, batch_size=10_000, verbose=False)
    return found


def _in_numpy(call: Callable[[], Any]) -> Any:
    with numpy_only():
        return call()


_HEAD = (
    "| filter, ranked | compiled | numpy only | cleanlab | cleanlab / compiled | "
    "cleanlab / numpy only | compiled / sum | extra MB | cleanlab's MB |\n"
    "|---|---:|---:|---:|---:|---:|---:|---:|---:|"
)


def compared(codes: np.ndarray, probs: np.ndarray, rounds: int) -> None:
    """Print one size: each filter compiled and not, beside cleanlab and the sum."""
    N, K = probs.shape
    print(f"\n### {N:,} × {K:,} {probs.dtype}, ms; load {_load()}\n\n{_HEAD}")
    for name in FILTERS:
        _line(codes, probs, name, name, partial(cleanlab, filter_by=name), rounds)
    name = FILTERS[-1]
    _line(codes, probs, name, f"{name}, cleanlab batched", batched, rounds)


def _line(
    codes: np.ndarray, probs: np.ndarray, name: Any, shown: str, peer: Any, rounds: int
) -> None:
    def call() -> Any:
        return find_label_issues(codes, probs, filter_by=name)

    def theirs() -> Any:
        return peer(codes, probs)

    call()
    _in_numpy(call)
    each = 3
    cost = in_turn(
        {
            "sum": (probs.sum, each),
            "compiled": (call, each),
            "numpy": (lambda: _in_numpy(call), each),
            "peer": (theirs, 1),
        },
        rounds,
    )
    ours, plain, its, read = (cost[n] for n in ("compiled", "numpy", "peer", "sum"))
    more = peak(theirs) if probs.nbytes < 1e9 else math.nan
    print(
        f"| {shown} | {ours.ms()} | {plain.ms()} | {its.ms()} | {its.over(ours)} | "
        f"{its.over(plain)} | {ours.over(read)} | {peak(call):.0f} | {more:.0f} |",
        flush=True,
    )


def growth(sizes: tuple[tuple[int, int], ...], repeat: int) -> None:
    """Print CPU time at three sizes and the exponent of its growth."""
    print("\n### Growth with rows (default filter, compiled, CPU ms)\n")
    print("| classes | a tenth | a third | all | growth |\n|---:|---:|---:|---:|---|")
    for N, K in sizes:
        codes, probs = in_memory(N, K)
        cost = []
        for part in (N // 10, N // 3, N):
            some = codes[:part], probs[:part]
            cost.append(timed(partial(find_label_issues, *some), repeat).cpu)
        power = math.log(cost[-1] / cost[0]) / math.log(10)
        shown = " | ".join(f"{c * 1e3:.1f}" for c in cost)
        print(f"| {K:,} | {shown} | rows^{power:.2f} |", flush=True)


_START = """
import time, numpy as np
from labelops.audit.confident import find_label_issues
from labelops.measure.jit import compile_always
p = np.full((64, {K}), 1 / {K}, dtype=np.float32)
begin = time.perf_counter()
with compile_always():
    find_label_issues(np.arange(64) % {K}, p)
print(time.perf_counter() - begin)
"""


def cold_start() -> None:
    """Print what the first call of a process costs, with and without compiled code on disk."""
    print("\n### First call of a process, seconds\n")
    print("| classes | compiles all | compiled code cached | next call's |\n|---:|---:|---:|---|")
    for K in (10, 1000):
        with tempfile.TemporaryDirectory(prefix="labelops-bench-") as cache:
            first, second = (_process(K, cache) for _ in range(2))
        codes, probs = np.arange(64) % K, np.full((64, K), 1 / K, dtype=np.float32)
        with compile_always():
            then = timed(partial(find_label_issues, codes, probs), 3)
        print(f"| {K:,} | {first:.2f} | {second:.2f} | {then.wall:.4f} |", flush=True)


def _process(K: int, cache: str) -> float:
    made = subprocess.run(
        [sys.executable, "-c", _START.format(K=K)],
        env={**os.environ, "NUMBA_CACHE_DIR": cache},
        capture_output=True,
        text=True,
        check=True,
    )
    return float(made.stdout)


def big(N: int, K: int, peers: bool) -> None:
    """Print the memory-mapped size, warm beside cleanlab and cold beside reading the file."""
    true, codes = labels(N, K)
    with tempfile.TemporaryDirectory(prefix="labelops-bench-") as folder:
        file = Path(folder) / "probs.npy"
        held = np.lib.format.open_memmap(file, mode="w+", dtype=np.float32, shape=(N, K))
        for first in range(0, N, 20_000):
            held[first : first + 20_000] = rows(true[first : first + 20_000], K, first)
        held.flush()
        del held
        if peers:
            _warm(codes, np.load(file, mmap_mode="r"))
        _cold(codes, file)


def _warm(codes: np.ndarray, probs: np.ndarray) -> None:
    probs.sum()
    print(f"\n### {len(probs):,} × {probs.shape[1]:,} float32, memory-mapped, warm, ms\n")
    print(f"cleanlab once, the others three times; load {_load()}\n\n{_HEAD}")
    for name in FILTERS:
        _line(codes, probs, name, name, partial(cleanlab, filter_by=name), 1)
    _line(codes, probs, FILTERS[-1], f"{FILTERS[-1]}, cleanlab batched", batched, 1)


def _cold(codes: np.ndarray, file: Path) -> None:
    """Read the file and find its label issues, each time after the system has forgotten it."""

    def find() -> None:
        find_label_issues(codes, np.load(file, mmap_mode="r"))

    calls = {
        "reading it": lambda: _read(file),
        "finding label issues, compiled": find,
        "finding label issues, numpy only": lambda: _in_numpy(find),
    }
    walls: dict[str, list[float]] = {name: [] for name in calls}
    cpus: dict[str, list[float]] = {name: [] for name in calls}
    left = 0.0
    for _ in range(3):
        for name, call in calls.items():
            _forget(file)
            left = max(left, _held(file))
            begin, used = time.perf_counter(), time.process_time()
            call()
            walls[name].append(time.perf_counter() - begin)
            cpus[name].append(time.process_time() - used)
    warm = timed(lambda: _read(file), 3)
    print(f"\n### Cold file; load {_load()}\n")
    print(f"At most {left:.1%} of it in memory at the start; read warm: {warm.wall:.2f} s.\n")
    print("| | s: median, least | CPU s of each | as often as reading |\n|---|---:|---:|---:|")
    read = walls["reading it"]
    for name, wall in walls.items():
        middle, least = statistics.median(wall), min(wall)
        share = f"{middle / statistics.median(read):.2f}, {least / min(read):.2f}"
        each = ", ".join(f"{used:.2f}" for used in cpus[name])
        print(f"| {name} | {middle:.2f}, {least:.2f} | {each} | {share} |")


def _held(file: Path) -> float:
    """Say what share of a file's pages the system has in memory."""
    with file.open("rb") as opened:
        held = mmap.mmap(opened.fileno(), 0, prot=mmap.PROT_READ)
    pages = np.zeros(-(-len(held) // mmap.PAGESIZE), dtype=np.uint8)
    view = np.frombuffer(held, dtype=np.uint8)
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.mincore(
        *(ctypes.c_void_p(x) for x in (view.ctypes.data, len(held), pages.ctypes.data))
    ):
        raise OSError(ctypes.get_errno(), "mincore")
    return float((pages & 1).mean())


def _forget(file: Path) -> None:
    """Have the operating system forget the file's pages; it keeps those that are mapped."""
    with file.open("rb") as held:
        os.fsync(held.fileno())
        os.posix_fadvise(held.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def _read(file: Path) -> None:
    room = bytearray(8 << 20)
    with file.open("rb", buffering=0) as held:
        while held.readinto(room):
            pass


def main() -> None:
    """Measure and print."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--quick", action="store_true", help="small sizes")
    options.add_argument("--big", action="store_true", help="the 5 GB file too")
    options.add_argument("--only-big", action="store_true", help="nothing but the 5 GB file")
    options.add_argument("--rounds", type=int, default=5, help="runs of cleanlab")
    options.add_argument("--no-peers", action="store_true", help="the 5 GB file cold only")
    asked = options.parse_args()
    print(f"{_machine()}; numpy {np.__version__}; compiled: {can_compile()}; load {_load()}")
    print(f"cleanlab {asked.rounds} times, the others three times as often, in turn")
    sizes = QUICK if asked.quick else SIZES
    if not asked.only_big:
        for N, K in sizes:
            codes, probs = in_memory(N, K)
            compared(codes, probs, rounds=1 if asked.quick else asked.rounds)
        growth(sizes, 3)
        cold_start()
    if asked.big or asked.only_big:
        big(*BIG, peers=not asked.no_peers)


if __name__ == "__main__":
    main()
