"""Labels become findings: wrong labels, weak annotators, duplicates that disagree.

`detect_label_errors` finds label errors in plain arrays; `audit_noise` runs one audit of a
workspace; `suspects` chooses what people look at; `open_findings` says what nobody has settled
yet; `judge_annotators` and `anchoring` judge the people.
"""

from __future__ import annotations

from .annotators import Anchoring, anchoring, judge_annotators
from .crowd_evidence import CrowdEvidence, crowd_evidence
from .detect import detect_label_errors
from .duplicates import (
    Disagreement,
    duplicate_clusters,
    duplicate_conflicts,
    label_conflicts,
    near_pairs,
    near_threshold,
)
from .error_rates import ErrorBin, calibration_error
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
from .label_error_report import LabelErrorReport, Rate
from .neighbours import NeighbourView, judge_by_neighbours, nearest_labels, neighbour_view
from .noise import NoiseAudit, audit_noise
from .out_of_fold import OutOfFold, grouped_folds, out_of_fold_probs
from .outliers import Outliers, find_outliers, find_outliers_in_class
from .planted import Planted, Recall, plant, recall
from .review_model import ReviewModel, Reviews

__all__ = [
    "STATUS",
    "Anchoring",
    "CrowdEvidence",
    "Disagreement",
    "ErrorBin",
    "ExactSearch",
    "LabelErrorReport",
    "NeighbourGraph",
    "NeighbourView",
    "NoiseAudit",
    "OutOfFold",
    "Outliers",
    "Planted",
    "Precision",
    "Rate",
    "Recall",
    "ReviewModel",
    "Reviews",
    "anchoring",
    "audit_noise",
    "calibration_error",
    "crowd_evidence",
    "detect_label_errors",
    "duplicate_clusters",
    "duplicate_conflicts",
    "find_outliers",
    "find_outliers_in_class",
    "finding_status",
    "findings_of",
    "grouped_folds",
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
    "out_of_fold_probs",
    "plant",
    "precision",
    "recall",
    "suspects",
]
