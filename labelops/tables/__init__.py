"""The tables that stages meet in: keys, columns, and a check that names every bad row.

Every table is append-only. A row is an event; a reader collapses rows by the table's key
and keeps, for each key, the row of the newest revision (`newest`). So the order in which
rows arrive, and whether they arrive twice, changes nothing.

In pandas, text is `object` holding `str` or None, JSON is text, lists of numbers are 1-D
float64 arrays (or None), timestamps are UTC microseconds, and a nullable integer or
boolean is the pandas type `Int64` or `boolean`.
"""

from __future__ import annotations

from .collapse import newest
from .contract import Column, TableSpec
from .declared import (
    EVENTS,
    FINDINGS,
    ITEMS,
    LABELS,
    PLAN,
    PROPOSALS,
    PURPOSES,
    TABLES,
    VOTE_STATUS,
    VOTES,
)
from .frames import check, empty, frame_of, probs_matrix

__all__ = [
    "EVENTS",
    "FINDINGS",
    "ITEMS",
    "LABELS",
    "PLAN",
    "PROPOSALS",
    "PURPOSES",
    "TABLES",
    "VOTES",
    "VOTE_STATUS",
    "Column",
    "TableSpec",
    "check",
    "empty",
    "frame_of",
    "newest",
    "probs_matrix",
]
