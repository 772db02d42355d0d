"""A workspace as it stands: its tables, collapsed, and what follows from them at once.

Nothing here decides anything; stages and `journey` do. One file a subject: `rows` is what
is read; `votes`, `proposals` and `labels` are what follows, each from those before it.
"""

from __future__ import annotations

from .events import decide, events_frame, say
from .foreseen import ForeseenTables
from .labels import State
from .lacking import Refusal, Unasked
from .reading import load, load_events
from .rows import (
    HASTE,
    NO_VOTES,
    OFFERED_AT,
    RULES,
    Event,
    last_body,
    refusals_of,
    rule_vote_id,
)
from .votes import EVIDENCE
from .workspace import Policies, Workspace

__all__ = [
    "EVIDENCE",
    "HASTE",
    "NO_VOTES",
    "OFFERED_AT",
    "RULES",
    "Event",
    "ForeseenTables",
    "Policies",
    "Refusal",
    "State",
    "Unasked",
    "Workspace",
    "decide",
    "events_frame",
    "last_body",
    "load",
    "load_events",
    "refusals_of",
    "rule_vote_id",
    "say",
]
