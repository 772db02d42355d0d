"""Labels become findings: wrong labels, weak annotators, duplicates that disagree.

`audit_noise` runs one audit; `suspects` chooses what people look at; `open_findings` says what
nobody has settled yet; `judge_annotators` and `anchoring` judge the people.
"""

from __future__ import annotations

from .annotators import Anchoring, anchoring, judge_annotators
from .duplicates import (
    Disagreement,
    duplicate_clusters,
    duplicate_conflicts,
    label_conflicts,
    near_pairs,
    near_threshold,
)
from .findings import (
    STATUS,
    Precision,
    finding_status,
    findings_of,
    open_findings,
    precision,
    suspects,
)
from .graph import ExactSearch, NeighbourGraph, nearest_graph, neighbour_votes
from .neighbours import NeighbourView, judge_by_neighbours, nearest_labels, neighbour_view
from .noise import NoiseAudit, audit_noise
from .outliers import Outliers, find_outliers, find_outliers_in_class
from .planted import Recall, recall

__all__ = [
    "STATUS",
    "Anchoring",
    "Disagreement",
    "ExactSearch",
    "NeighbourGraph",
    "NeighbourView",
    "NoiseAudit",
    "Outliers",
    "Precision",
    "Recall",
    "anchoring",
    "audit_noise",
    "duplicate_clusters",
    "duplicate_conflicts",
    "find_outliers",
    "find_outliers_in_class",
    "finding_status",
    "findings_of",
    "judge_annotators",
    "judge_by_neighbours",
    "label_conflicts",
    "near_pairs",
    "near_threshold",
    "nearest_graph",
    "nearest_labels",
    "neighbour_view",
    "neighbour_votes",
    "open_findings",
    "precision",
    "recall",
    "suspects",
]
