"""A small label set in a dictionary of objects, for the release tests."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime

import numpy as np
import pandas as pd

from labelops.adapters.parquet import decode_parquet, encode_parquet
from labelops.digest import canonical_json, digest_bytes
from labelops.errors import NotFoundError
from labelops.release import Manifest, Release, ReleaseParts, build_release
from labelops.schema import Schema
from labelops.tables import FINDINGS, ITEMS, LABELS, PROPOSALS, VOTES, empty, frame_of

PETS = Schema("pets", ("cat", "dog"))
NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
TOOLS = {"labelops": "0.1.0", "numpy": "2.2.0"}
PASSED = {"status": "pass", "checks": []}


def said(value: str) -> str:
    return canonical_json(value)


def items(ids: list[str], **columns: object) -> pd.DataFrame:
    base: dict[str, object] = {
        "item_id": ids,
        "revision": 0,
        "payload": [f"text of {i}" for i in ids],
        "media_type": "text/plain",
        "payload_digest": [digest_bytes(i.encode()) for i in ids],
        "source": "mail",
        "group": ids,
        "licence": "CC0-1.0",
        "purposes": '["train","test"]',
        "region": "EU",
        "attributes": "{}",
        "ingested_at": NOW,
    }
    return frame_of(ITEMS, base | columns, len(ids))


def votes(given: Mapping[str, str], annotator: str = "human:ann", **more: object) -> pd.DataFrame:
    """One vote an item, with id `v-<item>`."""
    base: dict[str, object] = {
        "vote_id": [f"v-{i}" for i in given],
        "revision": 1,
        "item_id": list(given),
        "annotator": annotator,
        "value": [said(v) for v in given.values()],
        "status": "given",
        "purpose": "label",
        "round": 1,
        "saw_proposal": False,
        "queue": "q",
        "schema_digest": PETS.digest,
        "given_at": NOW,
    }
    return frame_of(VOTES, base | more, len(given))


def proposals(given: Mapping[str, str], version: str = "m1", **more: object) -> pd.DataFrame:
    base: dict[str, object] = {
        "item_id": list(given),
        "labeler": "model:m",
        "labeler_version": version,
        "value": [said(v) for v in given.values()],
        "confidence": 0.9,
        "probs": [np.array([0.9, 0.1])] * len(given),
        "schema_digest": PETS.digest,
        "proposed_at": NOW,
    }
    return frame_of(PROPOSALS, base | more, len(given))


def labels(
    people: Mapping[str, str], model: Mapping[str, str] | None = None, revision: int = 1
) -> pd.DataFrame:
    model = model or {}
    ids = [*people, *model]
    n_people = len(people)
    evidence = [canonical_json({"votes": [f"v-{i}"]}) for i in people]
    evidence += [
        canonical_json({"hypothesis": 1, "labeler_version": "m1", "votes": []}) for _ in model
    ]
    columns = {
        "item_id": ids,
        "revision": revision,
        "value": [said(v) for v in [*people.values(), *model.values()]],
        "posterior": 0.9,
        "probs": [np.array([0.9, 0.1])] * len(ids),
        "method": ["majority"] * n_people + ["accepted"] * len(model),
        "reason": "because",
        "evidence": evidence,
        "schema_digest": PETS.digest,
        "decided_at": NOW,
    }
    return frame_of(LABELS, columns, len(ids))


def planted(item_id: str, value: str) -> pd.DataFrame:
    columns = {
        "item_id": [item_id],
        "kind": "planted",
        "round": 1,
        "score": 0.1,
        "value": said(value),
        "detector": "d",
        "evidence": "{}",
        "planted": True,
        "found_at": NOW,
    }
    return frame_of(FINDINGS, columns, 1)


PEOPLE = {"a": "cat", "b": "dog"}
MODEL = {"c": "cat"}


def build(
    people: Mapping[str, str] = PEOPLE, model: Mapping[str, str] = MODEL, **changes: object
) -> ReleaseParts | None:
    ids = [*people, *model]
    given: dict[str, object] = {
        "labels": labels(people, model),
        "items": items(ids),
        "votes": votes(people),
        "proposals": proposals(model),
        "findings": empty(FINDINGS),
        "verdict": PASSED,
        "schema": PETS,
        "parent": None,
        "now": NOW,
        "tools": TOOLS,
        "encode": encode_parquet,
    }
    return build_release(**(given | changes))  # type: ignore[arg-type]


def built(*args: object, **changes: object) -> ReleaseParts:
    parts = build(*args, **changes)  # type: ignore[arg-type]
    assert parts is not None
    return parts


def read_back(manifest: Manifest, get: object) -> Release:
    frames = [decode_parquet(get(manifest.part_name(r))) for r in ("labels", "items")]  # type: ignore[operator]
    return Release(manifest, *frames)


def parent_of(parts: ReleaseParts) -> Release:
    return read_back(parts.manifest, parts.files.__getitem__)


class Memory:
    """Objects in a dictionary; can be told to die at a call."""

    def __init__(self, dies_at: int | None = None) -> None:
        self.content: dict[str, bytes] = {}
        self.calls = 0
        self.dies_at = dies_at

    def put_new(self, name: str, content: bytes) -> bool:
        self.calls += 1
        if self.calls == self.dies_at:
            raise KeyboardInterrupt
        return self.content.setdefault(name, content) is content

    def get(self, name: str) -> bytes:
        if name not in self.content:
            raise NotFoundError(name)
        return self.content[name]

    def list(self, prefix: str = "") -> list[str]:
        return sorted(n for n in self.content if n.startswith(prefix))
