"""How right the label statistics are, beside the oracles on the same data.

python -m benchmarks.quality [--quick] [--part quality_consensus]
"""

from __future__ import annotations

from benchmarks._collect import run_all

PARTS = (
    "quality_consensus",
    "quality_noise",
    "quality_profile",
    "quality_looks",
    "quality_views",
    "quality_triggers",
    "quality_patterns",
)

if __name__ == "__main__":
    run_all("quality", PARTS, "Accuracy, precision and calibration beside the oracles.")
