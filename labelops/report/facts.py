"""What a report says, as plain values: every number on the page is one of these."""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime

import numpy as np

from labelops.audit import Anchoring, Precision, Recall
from labelops.gate.certificate import Certificate
from labelops.gate.progress import AuditProgress
from labelops.gate.verdict import Verdict
from labelops.schema import Schema
from labelops.state.drift import DriftWatch
from labelops.state.shares import ShareRow

from .tables import (
    AnnotatorRow,
    ClassRow,
    Confusion,
    Counts,
    FindingRow,
    LineageRow,
    RightsRow,
    ViewRow,
)

__all__ = [
    "AnnotatorRow",
    "ClassRow",
    "Confusion",
    "Counts",
    "FindingRow",
    "LineageRow",
    "ReportFacts",
    "RightsRow",
    "ViewRow",
    "facts_json",
]


@dataclass(frozen=True, slots=True)
class ReportFacts:
    """Everything the report says.

    Parameters
    ----------
    title : str
        The label set, in words.
    release : str
        Its name and version, or what was audited.
    created : str
        When, as ISO 8601 text.
    verdict : Verdict
    certificate : Certificate or None
        None when no random audit was made.
    counts : Counts
    classes : tuple of ClassRow
    confusions : tuple of Confusion
    annotators : tuple of AnnotatorRow
    floor : float
        Accuracy expected of an annotator; the line in the picture.
    anchoring : Anchoring or None
    findings : tuple of FindingRow
        The most suspicious items, worst first.
    findings_total : int
        How many findings there were in all.
    recall : Recall or None
        Of planted errors.
    precision : Precision or None
        Of reviewed findings.
    shown : tuple of FindingRow
        Items that are odd without a suspicion against their label: ambiguous, outlier, poison.
    shown_total : mapping of kind to int
        How many of each there were in all.
    shown_wrong : mapping of kind to float
        How many of their labels are wrong if the search for label errors is right; kinds of which
        that is not known, or means nothing, are left out.
    views : tuple of ViewRow
        What is odd about many items at once.
    drift : DriftWatch or None
        The watch over the random stream; None before its first look.
    shares : tuple of ShareRow
        Class shares of what came in last, estimated by the model.
    rights : tuple of RightsRow
    lineage : tuple of LineageRow
    schema : Schema or None
    tools : mapping of str to str
        Program → version.
    purpose : str
        What the labels are for; empty when nothing was said.
    audit_why : str
        Why the audited labels were drawn as they were; empty where nothing was said.
    released_as : str
        The release that already has the labels as they stand; empty if none.
    confidence : float
        What the settings ask for, over all attempts together; 0 where nothing was said.
    progress : AuditProgress or None
        How many of the audit's planned looks are answered.
    """

    title: str
    release: str
    created: str
    verdict: Verdict
    certificate: Certificate | None
    counts: Counts
    classes: tuple[ClassRow, ...] = ()
    confusions: tuple[Confusion, ...] = ()
    annotators: tuple[AnnotatorRow, ...] = ()
    floor: float = 0.8
    anchoring: Anchoring | None = None
    findings: tuple[FindingRow, ...] = ()
    findings_total: int = 0
    recall: Recall | None = None
    precision: Precision | None = None
    shown: tuple[FindingRow, ...] = ()
    shown_total: Mapping[str, int] = field(default_factory=dict)
    shown_wrong: Mapping[str, float] = field(default_factory=dict)
    views: tuple[ViewRow, ...] = ()
    drift: DriftWatch | None = None
    shares: tuple[ShareRow, ...] = ()
    rights: tuple[RightsRow, ...] = ()
    lineage: tuple[LineageRow, ...] = ()
    schema: Schema | None = None
    tools: Mapping[str, str] = field(default_factory=dict)
    purpose: str = ""
    audit_why: str = ""
    released_as: str = ""
    confidence: float = 0.0
    progress: AuditProgress | None = None

    def to_json(self) -> dict[str, object]:
        """Return the facts as a JSON object; a number that is absent (NaN) is null."""
        saved = {"votes_total": self.counts.votes_total, "saved": self.counts.saved}
        special: dict[str, object] = {
            "verdict": {"status": self.verdict.status, "checks": self.verdict.checks},
            "counts": {**_fields(self.counts), **saved},
            "schema": self.schema.to_json() if self.schema else None,
            "findings": _with_short_texts(self.findings),
            "shown": _with_short_texts(self.shown),
        }
        return {name: _plain(value) for name, value in {**_fields(self), **special}.items()}


def _with_short_texts(rows: tuple[FindingRow, ...]) -> list[FindingRow]:
    """Cut texts as the page does: the whole of a long one is in the release's items."""
    from .words import cut  # words are about these facts

    return [replace(row, text=None if row.text is None else cut(row.text)) for row in rows]


def _fields(value: object) -> dict[str, object]:
    names = (f.name for f in dataclasses.fields(value))  # type: ignore[arg-type]
    return {name: getattr(value, name) for name in names}


def _plain(value: object) -> object:
    """Turn dataclasses, mappings and sequences into what JSON has; not-a-number becomes null."""
    if dataclasses.is_dataclass(value):
        value = _fields(value)
    if isinstance(value, Mapping):
        return {str(key): _plain(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(inner) for inner in value]
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


def facts_json(facts: ReportFacts) -> str:
    """Write the facts as JSON text: ASCII only, sorted, one line feed at the end."""
    return json.dumps(facts.to_json(), indent=1, sort_keys=True, allow_nan=False) + "\n"
