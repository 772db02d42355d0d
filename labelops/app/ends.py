"""The ends that a label set's settings name, each made when it is first used."""

from __future__ import annotations

import hashlib
import json
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property, lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from .. import journey
from ..adapters._patience import silent
from ..adapters.objects import open_objects
from ..digest import canonical_json
from ..errors import NotFoundError, SettingsError, StorageError
from ..ports import Detector, Labeler, NeighbourSearch, Objects, Queue, Tables, WithWords
from ..settings import Settings
from ..state import Policies, Workspace
from .labelers import LabelerParts, make_labeler, make_rules, make_vectors

if TYPE_CHECKING:
    from ..adapters.image_features import Grey
    from ..adapters.text_vectors import TextVectors

__all__ = ["Ends"]

_WORKSPACE = "workspace.json"
"""The object that holds a workspace's own random id and key."""

_DRAWN_BY = "drawn-by.json"
"""The object that tells by which key a workspace is drawn, and does not tell the key."""


@dataclass(frozen=True)
class Ends:
    """What a label set reads from and writes to.

    Parameters
    ----------
    settings : Settings
    clock : callable
        Returns the time, with a time zone.
    tell : callable
        Is told what is waited for while work goes on.
    """

    settings: Settings
    clock: Callable[[], datetime] = lambda: datetime.now(UTC)
    tell: Callable[[str], None] = silent

    @cached_property
    def objects(self) -> Objects:
        """The workspace's write-once objects."""
        return open_objects(self.settings.workspace)

    @cached_property
    def workspace(self) -> Workspace:
        """The workspace to work in: begun if need be, its schema checked and put in force."""
        key = self.key
        self._refuse_other_key(key, keep=True)
        opened = self._opened(key)
        journey.adopt_schema(opened, now=self.clock())
        return opened

    @property
    def to_read(self) -> Workspace:
        """The workspace as work would find it, to read from: none is begun, and nothing is said.

        Classes that work would refuse are refused.
        """
        opened = vars(self)
        if "workspace" in opened:  # No table is read twice.
            return self.workspace
        if "_as_foreseen" in opened or self.begun:
            return self._as_foreseen
        return journey.foresee_schema(self.as_it_is, now=self.clock())

    @cached_property
    def _as_foreseen(self) -> Workspace:
        self._refuse_other_key(self.key_to_read)
        return journey.foresee_schema(self.as_it_is, now=self.clock())

    @property
    def as_it_is(self) -> Workspace:
        """The workspace to read releases from, whatever classes are asked for: nothing is said.

        Who only reads may have older settings than those who label, and may not be let write.
        """
        # Where no workspace was begun, nothing is drawn by a key.
        return self._opened(self._known_key or b"none")

    def _opened(self, key: bytes) -> Workspace:
        s = self.settings
        with s.named():
            return Workspace(
                tables=self._tables,
                objects=self.objects,
                schema=s.schema,
                key=key,
                policies=Policies(s.accept, s.route, s.consolidate, s.audit, s.gate),
            )

    @cached_property
    def _tables(self) -> Tables:
        from ..adapters.delta import DeltaTables

        with self.settings.named():
            return DeltaTables(self.settings.workspace.rstrip("/") + "/tables")

    @property
    def key(self) -> bytes:
        """The secret key of digests and draws: from the environment, else the workspace's own."""
        own = self._identity["key"]  # drawn now in any case: a later failure must not leave it
        return self._given_key or bytes.fromhex(own)

    @property
    def key_to_read(self) -> bytes:
        """The same, without drawing one.

        Raises
        ------
        StorageError
            If there is none.
        """
        if self._known_key is None:
            raise self._without_identity("missing")
        return self._known_key

    @property
    def _known_key(self) -> bytes | None:
        found = self._read_identity()
        return self._given_key or (None if found is None else bytes.fromhex(found["key"]))

    @property
    def _given_key(self) -> bytes:
        return self.settings.key.reveal().encode()[:64]

    def _refuse_other_key(self, key: bytes, *, keep: bool = False) -> None:
        """Refuse another key than the workspace was begun with: all samples would be drawn anew.

        Such as where a scheduler runs without the variable that a shell has.
        """
        known = self._read_drawn_by()
        if known is None:
            if keep:
                self.objects.put_new(
                    _DRAWN_BY, _DrawnBy.of(key, secrets.token_bytes(16)).to_bytes()
                )
                self._refuse_other_key(key)  # Another process may have been first.
            return
        if known.is_of(key):
            return
        found = self._read_identity()
        if found is not None and known.is_of(bytes.fromhex(found["key"])):
            problem = "LABELOPS_KEY is set, and this workspace was begun without it; unset it"
        elif self._given_key:
            problem = "LABELOPS_KEY is another one than this workspace was begun with; set that one"
        else:
            problem = "LABELOPS_KEY is not set, and this workspace was begun with it; set it"
        raise SettingsError(
            f"{self.settings.workspace}: {problem}, for samples, audits and splits are drawn by it"
        )

    def _read_drawn_by(self) -> _DrawnBy | None:
        """Return what tells the key that this workspace is drawn by; None where nothing does."""
        try:
            found = json.loads(self.objects.get(_DRAWN_BY))
            return _DrawnBy(bytes.fromhex(found["salt"]), bytes.fromhex(found["digest"]))
        except NotFoundError:
            return None
        except (ValueError, LookupError, TypeError):
            raise StorageError(
                f"{self.settings.workspace}/{_DRAWN_BY} is damaged; restore it from a backup"
            ) from None

    @cached_property
    def _identity(self) -> dict[str, str]:
        """The workspace's own random id and key, drawn when it is begun."""
        found = self._read_identity()
        if found is None:
            # Asked before the key is looked for again: another process may just have begun it.
            lost = self._tables.version("events") > 0 and self._read_identity() is None
            if lost:
                raise self._without_identity("missing")
            fresh = json.dumps({"id": secrets.token_hex(4), "key": secrets.token_hex(32)}).encode()
            self.objects.put_new(_WORKSPACE, fresh)
            found = self._read_identity()  # Another process may have been first.
        if found is None:
            raise self._without_identity("missing")
        return found

    def _read_identity(self) -> dict[str, str] | None:
        """Return the workspace's own id and key; None where no workspace was begun."""
        try:
            content = self.objects.get(_WORKSPACE)
        except NotFoundError:
            return None
        try:
            found = json.loads(content)
            bytes.fromhex(found["key"])
            # The first workspaces had no id, and their projects are named without one.
            return {"id": str(found.get("id", "")), "key": str(found["key"])}
        except (ValueError, LookupError, TypeError, AttributeError):
            raise self._without_identity("damaged") from None

    def _without_identity(self, what: str) -> StorageError:
        return StorageError(
            f"{self.settings.workspace}/{_WORKSPACE} is {what}, and with it the key that items "
            "are drawn by; restore it from a backup"
        )

    @property
    def begun(self) -> bool:
        """Whether there is a workspace; asking begins none, and looks at nothing else in it."""
        return self._read_identity() is not None

    @property
    def namespace(self) -> str:
        """What tells this workspace's projects from others' on a shared labeling server."""
        return self._identity["id"]

    def read_payload(self, uri: str) -> bytes:
        """Return the bytes a payload URI of this workspace names."""
        if not uri.startswith("object:"):
            raise NotFoundError(f"{uri!r} is not a payload of this workspace")
        return self.objects.get(uri.removeprefix("object:"))

    @cached_property
    def queue(self) -> Queue:
        """Where people label."""
        with self.settings.named():
            return self._queue()

    def _queue(self) -> Queue:
        settings = self.settings
        if settings.queue.type == "local":
            from ..adapters.local_queue import LocalQueue

            if "://" in settings.workspace:
                raise SettingsError(
                    "queue.type is 'local' and the workspace a bucket; "
                    "set it to 'label-studio', or keep the workspace in a folder"
                )
            return LocalQueue(Path(settings.workspace) / "queue")
        from ..adapters.label_studio import LabelStudioQueue

        if not settings.queue.url or not settings.label_studio_key:
            raise SettingsError(
                "Label Studio needs LABEL_STUDIO_URL (or [queue] url) and LABEL_STUDIO_API_KEY"
            )
        return LabelStudioQueue(
            settings.queue.url,
            settings.label_studio_key.reveal(),
            settings.schema.name,
            key=self.key,
            namespace=self.namespace,
            timeout=settings.queue.timeout,
        )

    @cached_property
    def labeler(self) -> Labeler | None:
        """What proposes labels; None where people label everything."""
        with self.settings.named():
            parts = LabelerParts(
                self.objects, self.read_payload, self._greys, self._vectors, self.tell
            )
            return make_labeler(self.settings, parts)

    @cached_property
    def rules(self) -> tuple[Labeler, ...]:
        """Labeling functions, each of which votes under its own name."""
        with self.settings.named():
            return make_rules(self.settings.rules)

    def check_ends(self, *names: str) -> None:
        """Make ends that the settings name: what cannot serve is said before work begins.

        Parameters
        ----------
        names : {"workspace", "to_read", "labeler", "rules", "queue"}
            By default all of them but `to_read`.

        Raises
        ------
        SettingsError
            Naming the file and the setting.
        """
        for name in names or ("workspace", "labeler", "rules", "queue"):
            getattr(self, name)

    @cached_property
    def _greys(self) -> dict[str, Grey]:
        """Images decoded while this label set was open, by digest."""
        return {}

    @cached_property
    def _vectors(self) -> TextVectors | None:
        """Vectors of texts, each made once while this label set is open; None without any."""
        with self.settings.named():
            return make_vectors(self.settings)

    def features(self, items: pd.DataFrame) -> Any:
        """Return features of items that are not learned from their labels."""
        if self.settings.schema.media == "image":
            from ..adapters.image_features import pixels
            from ..audit.few_dimensions import few_dimensions

            return few_dimensions(pixels(items, self.read_payload, self._greys))
        from ..adapters.text_features import comparable, text_rows

        return comparable(text_rows(items, self._vectors))

    def audit_features(self, items: pd.DataFrame) -> Any:
        """Return the same with the words of texts beside it; each text is counted once."""
        if self.settings.schema.media == "image":
            return self.features(items)
        from ..adapters.text_features import comparable, text_rows, words_of

        rows = text_rows(items, self._vectors)
        return WithWords(comparable(rows), words_of(rows))

    @property
    def detectors(self) -> tuple[Detector, ...]:
        """Second opinions on label noise."""
        from ..adapters.cleanlab_detector import CleanlabDetector

        return (CleanlabDetector(),)

    @property
    def search(self) -> NeighbourSearch | None:
        """How neighbours are found among very many items; None without the extra `neighbours`."""
        if find_spec("faiss") is None:
            return None
        from ..adapters.faiss_search import FaissSearch

        return FaissSearch()


@lru_cache(maxsize=64)  # A process that serves opens the same label set again and again.
def _slow_digest(key: bytes, salt: bytes) -> bytes:
    """Take some 50 ms, so that keys cannot be guessed by the million."""
    return hashlib.scrypt(key, salt=salt, n=2**14, r=8, p=1)


@dataclass(frozen=True, slots=True)
class _DrawnBy:
    """What tells a key from others, and does not tell the key, however short it is."""

    salt: bytes
    digest: bytes

    @classmethod
    def of(cls, key: bytes, salt: bytes) -> _DrawnBy:
        return cls(salt, _slow_digest(key, salt))

    def is_of(self, key: bytes) -> bool:
        return self == self.of(key, self.salt)

    def to_bytes(self) -> bytes:
        said = {"digest": self.digest.hex(), "salt": self.salt.hex()}
        return canonical_json(said).encode()
