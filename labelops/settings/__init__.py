"""labelops.toml and the environment → frozen dataclasses; nothing else reads either.

Every section is a dataclass, and its docstring is its documentation. A key nobody knows is
an error with the nearest known key, so a misspelt bound cannot silently be a default. A
setting `[gate] error` may be overridden by `LABELOPS_GATE_ERROR`. Secrets come from the
environment only: a file that holds one is refused.
"""

from __future__ import annotations

from .labelers import ChatSettings, LabelerSettings, RuleSettings
from .reading import find_settings, read_settings
from .secret import Secret
from .sections import QueueSettings, ScheduleSettings, SourceSettings, SplitSettings
from .settings import FILE, Settings

__all__ = [
    "FILE",
    "ChatSettings",
    "LabelerSettings",
    "QueueSettings",
    "RuleSettings",
    "ScheduleSettings",
    "Secret",
    "Settings",
    "SourceSettings",
    "SplitSettings",
    "find_settings",
    "read_settings",
]
