"""Which labels of a file or frame are wrong, without a label set: `check_labels`."""

from __future__ import annotations

from .check import check_labels
from .columns import Evidence
from .result import LabelCheck
from .suspicion import CALLS, LOOK, WRONG

__all__ = ["CALLS", "LOOK", "WRONG", "Evidence", "LabelCheck", "check_labels"]
