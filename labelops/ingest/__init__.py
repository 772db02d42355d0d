"""Ingest: raw rows become items with an identity, rights and a leakage group."""

from __future__ import annotations

from .ingest import Ingested, ingest_rows
from .raw import RAW_COLUMNS
from .rights import Forbidden, Rights, forbids
from .set_aside import SetAside

__all__ = ["RAW_COLUMNS", "Forbidden", "Ingested", "Rights", "SetAside", "forbids", "ingest_rows"]
