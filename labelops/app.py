"""The composition root: settings and the ends they name, wired to the journey.

The command line, the flows and `labelops.load` all start here, so that a label set is
opened in one way only. Vendors are imported when their end is first used.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import Any

import pandas as pd

from . import journey
from .errors import NotFoundError, SettingsError
from .ports import Detector, Labeler, Objects, Queue
from .settings import Settings, find_settings, read_settings
from .state import Policies, Workspace

__all__ = ["App", "open_app"]


def open_app(config: str | Path | None = None) -> App:
    """Open the label set of a labelops.toml: the one named, or the nearest above this folder.

    Raises
    ------
    SettingsError
        If there is none, or something in it is wrong.
    """
    path = Path(config) if config is not None else find_settings(Path.cwd())
    return App(read_settings(path / "labelops.toml" if path.is_dir() else path))


@dataclass(frozen=True)
class App:
    """A label set with its ends; one method a stage.

    Parameters
    ----------
    settings : Settings
    clock : callable
        Returns the time, with a time zone.
    """

    settings: Settings
    clock: Callable[[], datetime] = lambda: datetime.now(UTC)

    @cached_property
    def objects(self) -> Objects:
        """The workspace's write-once objects."""
        from .adapters.objects import open_objects

        return open_objects(self.settings.workspace)

    @cached_property
    def workspace(self) -> Workspace:
        """The workspace, with its schema checked against the one it was made with."""
        from .adapters.delta import DeltaTables

        s = self.settings
        root = s.workspace.rstrip("/") + "/tables"
        workspace = Workspace(
            tables=DeltaTables(root),
            objects=self.objects,
            schema=s.schema,
            key=self._key(),
            policies=Policies(s.accept, s.route, s.consolidate, s.audit, s.gate),
        )
        journey.adopt_schema(workspace, now=self.clock())
        return workspace

    def _key(self) -> bytes:
        """Return the key of digests and draws: from the environment, else the workspace's own."""
        if self.settings.key:
            return self.settings.key.reveal().encode()[:64]
        fresh = json.dumps({"key": secrets.token_hex(32)}).encode()
        self.objects.put_new("workspace.json", fresh)
        return bytes.fromhex(json.loads(self.objects.get("workspace.json"))["key"])

    def read_payload(self, uri: str) -> bytes:
        """Return the bytes a payload URI of this workspace names."""
        if not uri.startswith("object:"):
            raise NotFoundError(f"{uri!r} is not a payload of this workspace")
        return self.objects.get(uri.removeprefix("object:"))

    @cached_property
    def queue(self) -> Queue:
        """Where people label."""
        settings = self.settings
        if settings.queue.type == "local":
            from .adapters.local_queue import LocalQueue

            if "://" in settings.workspace:
                raise SettingsError(
                    "queue.type is 'local' and the workspace a bucket; "
                    "set it to 'label-studio', or keep the workspace in a folder"
                )
            return LocalQueue(Path(settings.workspace) / "queue")
        if settings.queue.type != "label-studio":
            raise SettingsError(
                f"queue.type is {settings.queue.type!r}, expected 'local' or 'label-studio'"
            )
        from .adapters.label_studio import LabelStudioQueue

        if not settings.queue.url or not settings.label_studio_key:
            raise SettingsError(
                "Label Studio needs LABEL_STUDIO_URL (or [queue] url) and LABEL_STUDIO_API_KEY"
            )
        return LabelStudioQueue(
            settings.queue.url,
            settings.label_studio_key.reveal(),
            settings.schema.name,
            timeout=settings.queue.timeout,
        )

    @cached_property
    def labeler(self) -> Labeler | None:
        """What proposes labels; None where people label everything."""
        settings = self.settings.labeler
        if settings.type == "none":
            return None
        if settings.type == "sklearn":
            from .adapters.sklearn_labeler import SklearnLabeler

            return SklearnLabeler(
                settings.estimator or None,
                params=settings.params,
                media=self.settings.schema.media,
                load=self.read_payload,
            )
        if settings.type == "http":
            from .adapters.http_labeler import HttpLabeler

            return HttpLabeler(settings.url, timeout=settings.timeout, load=self.read_payload)
        if settings.type == "rules":
            from .adapters.rule_labeler import RuleLabeler

            return RuleLabeler.from_names(settings.rules)
        raise SettingsError(
            f"labeler.type is {settings.type!r}, expected 'sklearn', 'http', 'rules' or 'none'"
        )

    def features(self, items: pd.DataFrame) -> Any:
        """Return features of items that are not learned from their labels."""
        from .adapters.sklearn_features import TfidfMap, pixels, word_counts

        if self.settings.schema.media == "image":
            return pixels(items, self.read_payload)
        counts = word_counts(items["payload"].tolist())
        return TfidfMap.learned(counts)(counts)

    @property
    def detectors(self) -> tuple[Detector, ...]:
        """Second opinions on label noise."""
        from .adapters.cleanlab_detector import CleanlabDetector

        return (CleanlabDetector(),)
