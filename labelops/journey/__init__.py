"""One function a stage: core functions and the ends passed in; no orchestrator, no vendor.

Every function reads the workspace's tables, computes what is new, and appends it. None
keeps state in the process, so each may be killed at any moment and run again, alone or
beside another of its kind: what was already said is not said twice.
"""

from __future__ import annotations

from .adopt import adopt_schema, foresee_schema
from .audit import Audited, audit
from .autolabel import Autolabeled, autolabel
from .collect import Collected, collect
from .consolidate import Consolidated, consolidate
from .gate import Gated, gate
from .ingest import Intake, ingest, ingest_apart
from .route import Routed, route, send
from .rules import Ruled, vote_by_rules

__all__ = [
    "Audited",
    "Autolabeled",
    "Collected",
    "Consolidated",
    "Gated",
    "Intake",
    "Routed",
    "Ruled",
    "adopt_schema",
    "audit",
    "autolabel",
    "collect",
    "consolidate",
    "foresee_schema",
    "gate",
    "ingest",
    "ingest_apart",
    "route",
    "send",
    "vote_by_rules",
]
