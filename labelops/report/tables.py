"""The rows of the report's tables: counts, classes, confusions, people, findings, rights."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass

from labelops.errors import UsageError, shown

__all__ = [
    "AnnotatorRow",
    "ClassRow",
    "Confusion",
    "Counts",
    "FindingRow",
    "LineageRow",
    "RightsRow",
    "ViewRow",
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
    now : str or None
        The label as it is now, which is another one where it was corrected.

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
    now: str | None = None

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
        slices, words, attributes, leakage, names or clumps.
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
