"""The ends: the only ways out of the core, each a Protocol that adapters implement.

Every end has an embedded default and a conformance suite in `labelops.testing`. An end
raises only errors of `labelops.errors`; an `EndError` says whether trying again can help.
"""

from __future__ import annotations

from .encoder import TextEncoder
from .hands import Answer, BatchHands, Hands, Offer
from .labeler import (
    Estimate,
    Labeler,
    LearnsFromEarlierLabels,
    LearnsFromVectors,
    MayNotLearn,
    MayRefuse,
    Metered,
    SemiSupervised,
    Usage,
)
from .looking import Detected, Detector, Features, NeighbourSearch, WithWords
from .queue import Pausing, Placed, Queue, Received, Retracting, Sent
from .source import BadRow, RowBlock, SettingAside, Source
from .storage import BatchObjects, Compacting, Objects, Tables

__all__ = [
    "Answer",
    "BadRow",
    "BatchHands",
    "BatchObjects",
    "Compacting",
    "Detected",
    "Detector",
    "Estimate",
    "Features",
    "Hands",
    "Labeler",
    "LearnsFromEarlierLabels",
    "LearnsFromVectors",
    "MayNotLearn",
    "MayRefuse",
    "Metered",
    "NeighbourSearch",
    "Objects",
    "Offer",
    "Pausing",
    "Placed",
    "Queue",
    "Received",
    "Retracting",
    "RowBlock",
    "SemiSupervised",
    "Sent",
    "SettingAside",
    "Source",
    "Tables",
    "TextEncoder",
    "Usage",
    "WithWords",
]
