"""Labels become findings: wrong labels, weak annotators, duplicates that disagree.

`detect_label_errors` finds label errors in plain arrays; `audit_noise` runs one audit of a
workspace; `suspects` chooses what people look at; `open_findings` says what nobody has settled
yet; `judge_annotators`, `judge_speed`, `judge_steadiness`, `directed_confusions`,
`find_collusion` and `anchoring` judge the people; `find_drift` watches a random stream over all
runs.

Views over one neighbour graph (`nearest_graph`): `duplicate_clusters` with `label_conflicts`,
`find_outliers`, `split_leakage`, `poison_views`. Over votes: `ambiguous_items`. Over attributes:
`underperforming_slices`, `spurious_attributes`; over texts: `label_in_text`.
"""

from __future__ import annotations

from .activation import ActivationClusters, activation_clusters
from .ambiguity import Ambiguity, ambiguous_items
from .anchoring import Anchoring, anchoring, find_swayed
from .annotators import judge_annotators, judged_votes
from .collusion import Collusion, find_collusion
from .confident import (
    LabelIssues,
    Partial,
    ProbBlocks,
    Round,
    Shard,
    find_label_issues,
    finish,
    first_round,
    label_quality_scores,
    merge,
)
from .crowd_evidence import CrowdEvidence, crowd_evidence
from .detect import detect_label_errors
from .directed import DirectedConfusions, directed_confusions
from .drift import Drift, accumulate, class_indicators, find_drift, run_places
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
from .leakage import LabelInText, SplitLeakage, label_in_text, split_leakage
from .neighbours import NeighbourView, judge_by_neighbours, nearest_labels, neighbour_view
from .noise import NoiseAudit, audit_noise
from .out_of_fold import OutOfFold, grouped_folds, out_of_fold_probs
from .outliers import Outliers, find_outliers, find_outliers_in_class
from .planted import Planted, Recall, plant, recall
from .planted_patterns import PlantedPattern, planted_patterns
from .poison import PoisonViews, nearest_ratio, poison_views
from .review_model import ReviewModel, Reviews
from .slices import Slices, underperforming_slices
from .spectral import spectral_signatures
from .speed import Speed, judge_speed
from .spurious import SpuriousAttributes, spurious_attributes
from .steadiness import Steadiness, judge_steadiness
from .words import SuspiciousWords, suspicious_words

__all__ = [
    "STATUS",
    "ActivationClusters",
    "Ambiguity",
    "Anchoring",
    "Collusion",
    "CrowdEvidence",
    "DirectedConfusions",
    "Disagreement",
    "Drift",
    "ErrorBin",
    "ExactSearch",
    "LabelErrorReport",
    "LabelInText",
    "LabelIssues",
    "NeighbourGraph",
    "NeighbourView",
    "NoiseAudit",
    "OutOfFold",
    "Outliers",
    "Partial",
    "Planted",
    "PlantedPattern",
    "PoisonViews",
    "Precision",
    "ProbBlocks",
    "Rate",
    "Recall",
    "ReviewModel",
    "Reviews",
    "Round",
    "Shard",
    "Slices",
    "Speed",
    "SplitLeakage",
    "SpuriousAttributes",
    "Steadiness",
    "SuspiciousWords",
    "accumulate",
    "activation_clusters",
    "ambiguous_items",
    "anchoring",
    "audit_noise",
    "calibration_error",
    "class_indicators",
    "crowd_evidence",
    "detect_label_errors",
    "directed_confusions",
    "duplicate_clusters",
    "duplicate_conflicts",
    "find_collusion",
    "find_drift",
    "find_label_issues",
    "find_outliers",
    "find_outliers_in_class",
    "find_swayed",
    "finding_status",
    "findings_of",
    "finish",
    "first_round",
    "grouped_folds",
    "judge_annotators",
    "judge_by_neighbours",
    "judge_speed",
    "judge_steadiness",
    "judged_votes",
    "label_conflicts",
    "label_in_text",
    "label_quality_scores",
    "merge",
    "near_pairs",
    "near_threshold",
    "nearest_graph",
    "nearest_labels",
    "nearest_ratio",
    "neighbour_view",
    "neighbour_votes",
    "open_findings",
    "out_of_fold_probs",
    "plant",
    "planted_patterns",
    "poison_views",
    "precision",
    "recall",
    "run_places",
    "spectral_signatures",
    "split_leakage",
    "spurious_attributes",
    "suspects",
    "suspicious_words",
    "underperforming_slices",
]
