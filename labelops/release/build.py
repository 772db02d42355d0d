"""Labels, their evidence and a verdict become the bytes of a release."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Protocol

import numpy as np
import pandas as pd

from ..digest import digest_bytes
from ..schema import Schema
from ..tables import ITEMS, LABELS, PROPOSALS, VOTES, TableSpec
from .contents import frames_of, refuse_planted
from .diff import Diff, diff
from .manifest import Manifest, Parent, Part, release_folder
from .version import next_version

__all__ = ["PART_TABLES", "Encode", "Release", "ReleaseParts", "build_release"]

PART_TABLES: Mapping[str, TableSpec] = {
    "labels": LABELS,
    "votes": VOTES,
    "items": ITEMS,
    "proposals": PROPOSALS,
}
"""The tables of a release by role."""

ACCEPTED = "accepted"
"""The method of a label that came from a model and no person looked at."""


class Encode(Protocol):
    """Writes a frame as Parquet bytes: equal frames, equal bytes."""

    def __call__(
        self, frame: pd.DataFrame, types: Mapping[str, str], metadata: Mapping[str, str]
    ) -> bytes:
        """Return the file; `types` say what each column holds, in words of `labelops.tables`."""
        ...


@dataclass(frozen=True, slots=True)
class Release:
    """A release that was read back, as far as the next one needs it.

    Parameters
    ----------
    manifest : Manifest
    labels : LABELS rows
    items : ITEMS rows
    """

    manifest: Manifest
    labels: pd.DataFrame
    items: pd.DataFrame


@dataclass(frozen=True, slots=True)
class ReleaseParts:
    """A release that is ready to be written.

    Parameters
    ----------
    manifest : Manifest
    files : mapping of str to bytes
        Object name → bytes of every part; the manifest is not among them.
    diff : Diff
        Against the parent, or against nothing.
    """

    manifest: Manifest
    files: Mapping[str, bytes]
    diff: Diff


def build_release(
    labels: pd.DataFrame,
    items: pd.DataFrame,
    votes: pd.DataFrame,
    proposals: pd.DataFrame,
    findings: pd.DataFrame,
    verdict: Mapping[str, object],
    schema: Schema,
    *,
    parent: Release | None,
    now: datetime,
    tools: Mapping[str, str],
    encode: Encode,
    extras: Callable[[str], Mapping[str, bytes]] | None = None,
) -> ReleaseParts | None:
    """Build the next version of a label set, or None if nothing changed since its parent.

    Parameters
    ----------
    labels : LABELS rows
        The newest revision of each item counts; items without a value are left out.
    items, votes, proposals : rows of those tables
        More than the labels need may be given: only what the labels rest on goes in.
    findings : FINDINGS rows
        Those marked `planted` guard against releasing a planted error.
    verdict : mapping
        The gate's verdict as JSON.
    schema : Schema
        Its name is the release's name.
    parent : Release or None
        The newest release.
    now : datetime
        When; with a time zone.
    tools : mapping of str to str
        Tool → version.
    encode : Encode
        `labelops.adapters.parquet.encode_parquet`.
    extras : callable, optional
        `name@version` → more files, such as ``{"report.html": …}``. They do not make a new version
        by themselves.

    Raises
    ------
    UsageError
        If there is no label, a label's item or evidence is missing, or a label is a planted error.
    SchemaError
        If a value is none of the schema's classes.
    """
    frames = frames_of(labels, items, votes, proposals, schema)
    refuse_planted(frames, findings)
    encoded = {
        role: encode(frame, {c.name: c.type for c in PART_TABLES[role].columns}, {"table": role})
        for role, frame in frames.items()
    }
    found = _against(parent, frames["labels"], schema)
    parts = {role: _part(role, ".parquet", c, len(frames[role])) for role, c in encoded.items()}
    revised = _revised(parent, frames["items"])
    level = _level(parent, found, revised, parts, schema, verdict)
    if level is None:
        return None
    version = next_version(
        None if parent is None else parent.manifest.version, "major" if parent is None else level
    )
    more = {} if extras is None else extras(f"{schema.name}@{version}")
    parts |= {name: _extra_part(name, content) for name, content in more.items()}
    contents = {**encoded, **more}
    manifest = Manifest(
        name=schema.name,
        version=version,
        created_at=now.astimezone(UTC).isoformat(),
        schema=schema,
        parents=_parents(parent),
        parts=tuple(parts.values()),
        counts=_counts(frames, schema),
        verdict=_finite_mapping(verdict),
        rights=_rights(frames["items"]),
        tools=dict(tools),
        change={"level": level, **found.counts(), "payloads_revised": revised},
    )
    folder = release_folder(schema.name, version)
    files = {folder + part.file: contents[role] for role, part in parts.items()}
    return ReleaseParts(manifest, files, found)


def _extra_part(name: str, content: bytes) -> Part:
    """Describe a file beside the tables, such as the report; its role is its name."""
    stem, dot, ending = name.rpartition(".")
    return _part(stem, dot + ending, content, None, role=name)


def _part(stem: str, ending: str, content: bytes, rows: int | None, role: str = "") -> Part:
    sha256 = digest_bytes(content)
    return Part(role or stem, f"{stem}-{sha256[:16]}{ending}", sha256, len(content), rows)


def _against(parent: Release | None, labels: pd.DataFrame, schema: Schema) -> Diff:
    if parent is None:
        return diff(labels.iloc[:0], labels, schema, schema)
    return diff(parent.labels, labels, parent.manifest.schema, schema)


def _revised(parent: Release | None, items: pd.DataFrame) -> int:
    """Count items that are in both releases with another payload or leakage group."""
    if parent is None:
        return 0
    facts = ["payload_digest", "group"]
    both = parent.items[["item_id", *facts]].merge(items[["item_id", *facts]], on="item_id")
    differs = np.zeros(len(both), dtype=bool)
    for fact in facts:
        differs |= both[f"{fact}_x"].to_numpy() != both[f"{fact}_y"].to_numpy()
    return int(differs.sum())


def _level(
    parent: Release | None,
    found: Diff,
    revised: int,
    parts: Mapping[str, Part],
    schema: Schema,
    verdict: Mapping[str, object],
) -> str | None:
    if parent is None:
        return "first"
    if found.schema is not None:
        return "major"
    if not found.is_empty or revised:
        return "minor"
    before = parent.manifest
    same = all(before.part(role).sha256 == part.sha256 for role, part in parts.items())
    same = same and before.schema.to_json() == schema.to_json()
    return None if same and before.verdict.get("status") == verdict.get("status") else "patch"


def _parents(parent: Release | None) -> tuple[Parent, ...]:
    if parent is None:
        return ()
    before = parent.manifest
    return (Parent(before.name, str(before.version), before.digest),)


def _counts(frames: Mapping[str, pd.DataFrame], schema: Schema) -> dict[str, object]:
    labels, votes = frames["labels"], frames["votes"]
    by_value = labels["value"].value_counts()
    by_class = dict.fromkeys(schema.classes, 0)
    by_class |= {str(json.loads(value)): int(n) for value, n in by_value.items()}
    accepted = int((labels["method"] == ACCEPTED).sum())
    return {
        "items": len(labels),
        "classes": by_class,
        "methods": {str(m): int(n) for m, n in labels["method"].value_counts().items()},
        "accepted_from_model": accepted,
        "decided_by_people": len(labels) - accepted,
        "votes": len(votes),
        "annotators": int(votes["annotator"].nunique()),
    }


def _rights(items: pd.DataFrame) -> dict[str, object]:
    said = items["purposes"].dropna()
    lists = [set(json.loads(text)) for text in said.unique()]
    expires = items["expires"].dropna()
    return {
        "licences": _tally(items["licence"]),
        "purposes": sorted(set.intersection(*lists)) if lists else None,
        "items_without_purposes": len(items) - len(said),
        "regions": _tally(items["region"]),
        "earliest_expiry": expires.min().isoformat() if len(expires) else None,
        "sources": _tally(items["source"]),
    }


def _tally(column: pd.Series) -> dict[str, int]:
    """Count each value; what nobody said counts under the empty text."""
    return {str(v): int(n) for v, n in column.fillna("").value_counts().items()}


def _finite_mapping(raw: Mapping[str, object]) -> dict[str, object]:
    return {str(key): _finite(value) for key, value in raw.items()}


def _finite(value: object) -> object:
    """Return a JSON value where an infinite or undefined number is null."""
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return _finite_mapping(value)
    if isinstance(value, list | tuple | np.ndarray):
        return [_finite(inner) for inner in value]
    return value
