"""A release's or an audit's facts as one self-contained HTML page, and the same facts as JSON.

`ReportFacts` holds the facts, `render` makes the page, `facts_json` the JSON.
"""

from __future__ import annotations

from .facts import (
    AnnotatorRow,
    ClassRow,
    Confusion,
    Counts,
    FindingRow,
    LineageRow,
    ReportFacts,
    RightsRow,
    ViewRow,
    facts_json,
)
from .html import render
from .pictures import thumbnail
from .rows import annotator_rows, confusion_of, finding_rows

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
    "annotator_rows",
    "confusion_of",
    "facts_json",
    "finding_rows",
    "render",
    "thumbnail",
]
