"""Confident learning over arrays, files and shards: one and the same result.

`find_label_issues` is the entry. For shards in other processes: `first_round` asks, each
`Shard` answers with a `Partial`, `merge` adds answers up, and `finish` makes the next round of
them or, at last, the `LabelIssues`.
"""

from __future__ import annotations

from .blocks import ProbBlocks
from .find import find_label_issues, label_quality_scores, run_rounds
from .messages import LabelIssues, Partial, Round
from .options import Filter, Options, Score
from .rounds import finish, first_round, merge
from .shard import Shard

__all__ = [
    "Filter",
    "LabelIssues",
    "Options",
    "Partial",
    "ProbBlocks",
    "Round",
    "Score",
    "Shard",
    "find_label_issues",
    "finish",
    "first_round",
    "label_quality_scores",
    "merge",
    "run_rounds",
]
