"""What a report says, as plain values: every number on the page is one of these."""

from __future__ import annotations

import dataclasses
import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

import numpy as np

from labelops.audit import Anchoring, Precision, Recall
from labelops.errors import UsageError, shown
from labelops.gate.certificate import Certificate
from labelops.gate.verdict import Verdict
from labelops.schema import Schema
from labelops.state.drift import DriftWatch
from labelops.state.shares import ShareRow

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

_PICTURE = re.compile(r"data:image/(png|jpeg|gif|webp);base64,[A-Za-z0-9+/]+={0,2}")


@dataclass(frozen=True, slots=True)
class Counts:
    """How the labels came about and what they cost.

    Parameters
    ----------
    items : int
        Items in the label set.
    by_people, accepted, undecided : int
        Labels decided by votes, labels accepted from a model, items without enough evidence.
    votes : mapping of str to int
        Votes given by people, by purpose.
    baseline : int
        Votes that labeling everything by hand would have cost (three an item, say).
    """

    items: int
    by_people: int
    accepted: int
    undecided: int
    votes: Mapping[str, int]
    baseline: int = 0

    @property
    def votes_total(self) -> int:
        """Votes given, all purposes together."""
        return sum(self.votes.values())

    @property
    def saved(self) -> float:
        """Share of the baseline's votes that were not needed; NaN without a baseline."""
        return 1 - self.votes_total / self.baseline if self.baseline else math.nan


@dataclass(frozen=True, slots=True)
class ClassRow:
    """One class: its labels, how many of them a model gave, and what the audit found there."""

    name: str
    labels: int
    accepted: int = 0
    audited: int = 0
    wrong: int = 0


@dataclass(frozen=True, slots=True)
class Confusion:
    """Counts of one opinion (rows) against another (columns), in class order.

    Parameters
    ----------
    title, rows, columns : str
        What is compared, and what the rows and columns are.
    classes : tuple of str
    counts : tuple of tuple of int
        (K, K).
    """

    title: str
    rows: str
    columns: str
    classes: tuple[str, ...]
    counts: tuple[tuple[int, ...], ...]

    def mistakes(self, limit: int = 15) -> list[tuple[str, str, int, float]]:
        """Return the commonest disagreements: row, column, count, share of the row."""
        pairs = [
            (n, a, b)
            for a, row in enumerate(self.counts)
            for b, n in enumerate(row)
            if n and a != b
        ]
        pairs.sort(key=lambda pair: (-pair[0], pair[1], pair[2]))
        return [
            (self.classes[a], self.classes[b], n, n / sum(self.counts[a]))
            for n, a, b in pairs[:limit]
        ]


@dataclass(frozen=True, slots=True)
class AnnotatorRow:
    """One annotator, judged without their own votes; NaN where nothing judges them.

    `remarks` say what is odd, in words, without taking a vote away.
    """

    annotator: str
    votes: int
    judged: int
    accuracy: float
    low: float
    high: float
    seconds: float = math.nan
    flagged: bool = False
    reason: str = ""
    remarks: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class FindingRow:
    """One suspicious label.

    Parameters
    ----------
    item_id, kind, detector : str
    score : float
        Low = bad.
    label, suggestion : str or None
        Class names; no suggestion where none is better.
    status : str
        What became of it: open, disputed, confirmed, corrected.
    text : str or None
        The item's text, untrusted.
    image : str or None
        A data URI made by `thumbnail`.

    Raises
    ------
    UsageError
        If `image` is anything else than a base64 data URI of a png, jpeg, gif or webp.
    """

    item_id: str
    kind: str
    score: float
    label: str | None
    suggestion: str | None
    detector: str
    status: str = "open"
    text: str | None = None
    image: str | None = None

    def __post_init__(self) -> None:
        if self.image is not None and not _PICTURE.fullmatch(self.image):
            raise UsageError(
                f"picture of item {shown(self.item_id)}: found {shown(self.image)}, expected a "
                "base64 data URI of a png, jpeg, gif or webp; make it with `thumbnail`"
            )


@dataclass(frozen=True, slots=True)
class ViewRow:
    """One thing that a view of the label set showed.

    Parameters
    ----------
    view : str
        slices, attributes, leakage, names or clumps.
    subject : str
        What it is about, untrusted.
    text : str
        What was found, in words.
    """

    view: str
    subject: str
    text: str


@dataclass(frozen=True, slots=True)
class RightsRow:
    """Items that share a source and its rights; None is "nothing was said"."""

    source: str
    items: int
    licence: str | None = None
    purposes: tuple[str, ...] | None = None
    region: str | None = None
    expires: str | None = None


@dataclass(frozen=True, slots=True)
class LineageRow:
    """One thing this release was made from or by: a parent release, a labeler, a queue."""

    role: str
    name: str
    detail: str = ""


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

    def to_json(self) -> dict[str, object]:
        """Return the facts as a JSON object; a number that is absent (NaN) is null."""
        saved = {"votes_total": self.counts.votes_total, "saved": self.counts.saved}
        special: dict[str, object] = {
            "verdict": {"status": self.verdict.status, "checks": self.verdict.checks},
            "counts": {**_fields(self.counts), **saved},
            "schema": self.schema.to_json() if self.schema else None,
        }
        return {name: _plain(value) for name, value in {**_fields(self), **special}.items()}


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
