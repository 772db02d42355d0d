"""Runs several benchmarks one after the other, each in a process of its own."""

from __future__ import annotations

import argparse
import subprocess
import sys
from collections.abc import Sequence

__all__ = ["run_all"]


def run_all(name: str, parts: Sequence[str], describe: str) -> None:
    """Run the parts in turn; what they print is the result.

    Parameters
    ----------
    name : str
        Of the collecting benchmark.
    parts : sequence of str
        Modules of `benchmarks`, in order.
    describe : str
        For the help.
    """
    options = argparse.ArgumentParser(prog=f"python -m benchmarks.{name}", description=describe)
    options.add_argument("--quick", action="store_true", help="smaller sizes, fewer seeds")
    options.add_argument("--part", action="append", choices=parts, help="only this one")
    asked = options.parse_args()
    failed = []
    for part in asked.part or parts:
        print(f"\n## `python -m benchmarks.{part}`\n", flush=True)
        command = [sys.executable, "-m", f"benchmarks.{part}", *(["--quick"] * asked.quick)]
        if subprocess.run(command, check=False).returncode:
            failed.append(part)
    if failed:
        raise SystemExit(f"failed: {', '.join(failed)}")
