"""Confident learning beside cleanlab and beside one pass of `numpy.sum`.

``python -m benchmarks.speed_confident [--quick] [--big]`` prints Markdown tables; ``--big`` adds
1,280,000 × 1,000 probabilities in a memory-mapped file of 5 GB, cold and warm.
"""

from __future__ import annotations

import argparse
import contextlib
import math
import os
import statistics
import subprocess
import sys
import tempfile
import time
import tracemalloc
import warnings
from collections.abc import Callable, Iterator
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
    """Median seconds by the wall and of all cores."""

    wall: float
    cpu: float


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


def timed(call: Callable[[], Any], repeat: int) -> Cost:
    """Call several times; medians."""
    walls, cpus = [], []
    for _ in range(repeat):
        wall, cpu = time.perf_counter(), time.process_time()
        call()
        walls.append(time.perf_counter() - wall)
        cpus.append(time.process_time() - cpu)
    return Cost(statistics.median(walls), statistics.median(cpus))


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


@contextlib.contextmanager
def _either(compiled: bool) -> Iterator[None]:
    if compiled:
        yield
    else:
        with numpy_only():
            yield


def compared(codes: np.ndarray, probs: np.ndarray, repeat: int, peers: int) -> None:
    """Print one size: each filter compiled and not, beside cleanlab and the sum."""
    N, K = probs.shape
    read = timed(lambda: probs.sum(), repeat)
    print(f"\n### {N:,} × {K:,} {probs.dtype}\n")
    print(f"`numpy.sum`: {read.wall * 1e3:.1f} ms; load {_load()}\n")
    print(
        "| filter, ranked | compiled ms (CPU) | numpy only ms (CPU) | cleanlab ms | "
        "cleanlab / compiled | cleanlab / numpy only | compiled / sum | extra MB | cleanlab's MB |"
    )
    print("|---|---:|---:|---:|---:|---:|---:|---:|---:|")
    for name in FILTERS:
        theirs = timed(partial(cleanlab, codes, probs, name), peers)
        _line(codes, probs, name, name, theirs, read, repeat)
    low_memory = timed(lambda: batched(codes, probs), peers)
    for name in FILTERS[-1:]:
        _line(codes, probs, name, f"{name}, cleanlab batched", low_memory, read, repeat)


def _line(
    codes: np.ndarray,
    probs: np.ndarray,
    name: Any,
    shown: str,
    theirs: Cost,
    read: Cost,
    repeat: int,
) -> None:
    def call() -> Any:
        return find_label_issues(codes, probs, filter_by=name)

    def peer() -> Any:
        return batched(codes, probs) if "batched" in shown else cleanlab(codes, probs, name)

    costs = {}
    for compiled in (True, False):
        with _either(compiled):
            call()
            costs[compiled] = timed(call, repeat)
    ours, plain = costs[True], costs[False]
    more = peak(peer) if probs.nbytes < 1e9 else math.nan
    print(
        f"| {shown} | {_ms(ours)} | {_ms(plain)} | {theirs.wall * 1e3:,.0f} | "
        f"{theirs.wall / ours.wall:.1f} | {theirs.wall / plain.wall:.1f} | "
        f"{ours.wall / read.wall:.1f} | {peak(call):.0f} | {more:.0f} |",
        flush=True,
    )


def _ms(cost: Cost) -> str:
    return f"{cost.wall * 1e3:,.0f} ({cost.cpu * 1e3:,.0f})"


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
        probs = np.load(file, mmap_mode="r")
        print(f"\n### {N:,} × {K:,} float32, memory-mapped; load {_load()}\n")
        read = timed(lambda: probs.sum(), 3)
        print(f"`numpy.sum`, warm: {read.wall:.2f} s\n")
        print(
            "| warm | compiled s (CPU) | numpy only s (CPU) | cleanlab s | cleanlab / compiled | "
            "cleanlab / numpy only | compiled / sum | extra MB |"
        )
        print("|---|---:|---:|---:|---:|---:|---:|---:|")
        for name in FILTERS:
            _big_line(codes, probs, name, name, read, partial(cleanlab, filter_by=name), peers)
        _big_line(codes, probs, FILTERS[-1], "the same, batched", read, batched, peers)
        _cold(codes, file)


def _big_line(
    codes: np.ndarray, probs: np.ndarray, name: Any, shown: str, read: Cost, peer: Any, peers: bool
) -> None:
    def call() -> Any:
        return find_label_issues(codes, probs, filter_by=name)

    costs = []
    for compiled in (True, False):
        with _either(compiled):
            call()
            costs.append(timed(call, 3))
    theirs = timed(lambda: peer(codes, probs), 1).wall if peers else math.nan
    shown_costs = " | ".join(f"{c.wall:.2f} ({c.cpu:.2f})" for c in costs)
    print(
        f"| {shown} | {shown_costs} | {theirs:.1f} | {theirs / costs[0].wall:.1f} | "
        f"{theirs / costs[1].wall:.1f} | {costs[0].wall / read.wall:.1f} | {peak(call):.0f} |",
        flush=True,
    )


def _cold(codes: np.ndarray, file: Path) -> None:
    reading, finding = [], []
    for _ in range(3):
        _forget(file)
        begin = time.perf_counter()
        _read(file)
        reading.append(time.perf_counter() - begin)
        _forget(file)
        begin = time.perf_counter()
        find_label_issues(codes, np.load(file, mmap_mode="r"))
        finding.append(time.perf_counter() - begin)
    one, two = statistics.median(reading), statistics.median(finding)
    print("\n| cold file | s |\n|---|---:|")
    print(f"| reading it | {one:.2f} |\n| finding label issues | {two:.2f} |")
    print(f"| ratio | {two / one:.2f} |")


def _forget(file: Path) -> None:
    """Have the operating system forget the file's pages."""
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
    options.add_argument("--no-peers", action="store_true", help="the 5 GB file without cleanlab")
    asked = options.parse_args()
    print(f"{_machine()}; numpy {np.__version__}; compiled: {can_compile()}; load {_load()}")
    sizes = QUICK if asked.quick else SIZES
    if not asked.only_big:
        for N, K in sizes:
            codes, probs = in_memory(N, K)
            compared(codes, probs, repeat=5, peers=1 if asked.quick else 3)
        growth(sizes, 3)
        cold_start()
    if asked.big or asked.only_big:
        big(*BIG, peers=not asked.no_peers)


if __name__ == "__main__":
    main()
