"""All benchmarks, one after the other; arguments go to each: ``benchmarks/run.py --repeat 1``."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

NAMES = ("ingest", "collect", "journey")

if __name__ == "__main__":
    for name in NAMES:
        command = [sys.executable, "-m", f"benchmarks.{name}", *sys.argv[1:]]
        subprocess.run(command, cwd=Path(__file__).parent.parent, check=True)
