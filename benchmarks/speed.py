"""What the label statistics cost, beside the oracles in the same run.

python -m benchmarks.speed [--quick] [--part speed_confident]
"""

from __future__ import annotations

from benchmarks._collect import run_all

PARTS = ("speed_confident", "speed_consensus", "speed_views")

if __name__ == "__main__":
    run_all("speed", PARTS, "Time and memory beside the oracles, at several sizes.")
