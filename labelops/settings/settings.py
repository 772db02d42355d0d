"""All that a label set's labelops.toml says, in one object."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from ..audit.policy import AuditPolicy
from ..autolabel.policy import AcceptancePolicy
from ..consolidate.policy import ConsolidatePolicy
from ..errors import SettingsError
from ..gate.policy import GatePolicy
from ..route.policy import RoutePolicy
from ..schema import Schema
from .labelers import ChatSettings, LabelerSettings, RuleSettings
from .secret import Secret
from .sections import QueueSettings, ScheduleSettings, SourceSettings, SplitSettings

__all__ = ["FILE", "Settings"]

FILE = "labelops.toml"


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything a label set's labelops.toml says, checked.

    Parameters
    ----------
    root : Path
        The folder of labelops.toml; relative paths start there.
    workspace : str
        Folder or `s3://bucket/prefix` where everything is kept.
    schema : Schema
    sources : tuple of SourceSettings
    labeler, accept, route, consolidate, audit, gate, split, queue, schedule
        The sections, each with defaults.
    label_studio_key : Secret
        From `LABEL_STUDIO_API_KEY`.
    key : Secret
        From `LABELOPS_KEY`: keys item digests and random draws; empty: the workspace's own.
    labeler_token : Secret
        From the variable that `labeler.token_env` names.
    rules : tuple of RuleSettings
    chat : ChatSettings
    file : str
        The file's name as it was given, for messages.
    """

    root: Path
    workspace: str
    schema: Schema
    sources: tuple[SourceSettings, ...]
    labeler: LabelerSettings
    accept: AcceptancePolicy
    route: RoutePolicy
    consolidate: ConsolidatePolicy
    audit: AuditPolicy
    gate: GatePolicy
    split: SplitSettings
    queue: QueueSettings
    schedule: ScheduleSettings
    label_studio_key: Secret
    key: Secret
    labeler_token: Secret = field(default_factory=lambda: Secret(""))
    rules: tuple[RuleSettings, ...] = ()
    chat: ChatSettings = field(default_factory=ChatSettings)
    file: str = FILE

    @contextmanager
    def named(self) -> Iterator[None]:
        """Begin what is said of the settings with the file's name, unless it does."""
        try:
            yield
        except SettingsError as error:
            said = str(error)
            if said.startswith(f"{self.file}: "):
                raise
            raise SettingsError(f"{self.file}: {said}") from error
