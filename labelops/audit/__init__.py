"""Labels become findings: wrong labels, weak annotators, duplicates that disagree.

`audit_noise` runs one audit; `suspects` chooses what people look at; `open_findings` says what
nobody has settled yet; `judge_annotators` and `anchoring` judge the people.
"""

from __future__ import annotations

from .annotators import Anchoring, anchoring, judge_annotators
from .duplicates import duplicate_conflicts
from .findings import (
    STATUS,
    Precision,
    finding_status,
    findings_of,
    open_findings,
    precision,
    suspects,
)
from .noise import NoiseAudit, audit_noise
from .planted import Recall, recall

__all__ = [
    "STATUS",
    "Anchoring",
    "NoiseAudit",
    "Precision",
    "Recall",
    "anchoring",
    "audit_noise",
    "duplicate_conflicts",
    "finding_status",
    "findings_of",
    "judge_annotators",
    "open_findings",
    "precision",
    "recall",
    "suspects",
]
