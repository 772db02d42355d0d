"""Releases that are there: found by a name, read back, given another name.

Reading needs only write-once objects: no tables, no queue, no labeler.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime

import pandas as pd

from .digest import canonical_json
from .errors import IntegrityError, NotFoundError
from .ports import Objects
from .release import (
    Manifest,
    Reference,
    Release,
    Version,
    check_alias,
    intact,
    manifest_name,
    parse_reference,
    released_versions,
)
from .state import Event, State, Workspace, decide, load_events

__all__ = [
    "Decode",
    "name_release",
    "names_of",
    "newest_release",
    "noted_digests",
    "read_release",
    "released_as",
    "resolve",
    "say_name",
    "unless_said",
]

Decode = Callable[[bytes], pd.DataFrame]


def resolve(objects: Objects, reference: Reference, names: Mapping[str, str]) -> Manifest:
    """Return the manifest that a reference means.

    Parameters
    ----------
    objects : Objects
    reference : Reference
    names : mapping of alias to `name@version`
        Names that move; `latest` without an entry is the newest version.

    Raises
    ------
    NotFoundError
        If there is no such release.
    """
    versions = released_versions(reference.name, objects.list(f"releases/{reference.name}/"))
    wanted = reference.version
    if reference.alias is not None and reference.alias in names:
        wanted = parse_reference(names[reference.alias]).version
    if wanted is None and reference.alias == "latest" and versions:
        wanted = versions[-1]
    if wanted is None or wanted not in versions:
        others = _others(reference, versions, names)
        raise NotFoundError(f"there is no release {reference}; {others}")
    return _manifest_of(objects, reference.name, wanted)


def _others(reference: Reference, versions: Sequence[Version], names: Mapping[str, str]) -> str:
    """Say what there is instead of a release that is not."""
    if versions:
        return f"there are: {', '.join(map(str, versions))}"
    if reference.name in names:
        return f"write {parse_reference(names[reference.name]).name}@{reference.name}"
    return f"nothing named {reference.name} is released"


def _manifest_of(objects: Objects, name: str, version: Version) -> Manifest:
    """Read the manifest of a version; one that was put in its place is refused."""
    place = manifest_name(name, version)
    found = Manifest.from_bytes(objects.get(place))
    if found.object_name != place:
        raise IntegrityError(
            f"{place}: the manifest says it is {found.reference}: it was moved from there; "
            "restore it from a backup"
        )
    return found


def read_release(objects: Objects, manifest: Manifest, decode: Decode) -> Release:
    """Read a release's labels and items back.

    Raises
    ------
    IntegrityError
        Naming the object, if a byte of it is not what was released.
    """

    def part(role: str) -> pd.DataFrame:
        name = manifest.part_name(role)
        content = objects.get(name)
        try:
            if not intact(manifest.part(role), content):
                raise IntegrityError("these bytes are not those released")
            return decode(content)
        except IntegrityError as error:
            raise IntegrityError(
                f"{name}: {error}; `labelops verify {manifest.reference}` looks at all of it"
            ) from error

    return Release(manifest, part("labels"), part("items"))


def newest_release(workspace: Workspace, decode: Decode) -> Release | None:
    """Return the newest release of the label set; None before the first."""
    name = workspace.schema.name
    versions = released_versions(name, workspace.objects.list(f"releases/{name}/"))
    if not versions:
        return None
    manifest = _manifest_of(workspace.objects, name, versions[-1])
    return read_release(workspace.objects, manifest, decode)


def names_of(state: State) -> dict[str, str]:
    """Return the names that move: alias → `name@version`."""
    rows = state.latest("name")
    bodies = (json.loads(body)["release"] for body in rows["body"])
    return dict(zip(rows["subject"], bodies, strict=True))


def noted_digests(state: State) -> dict[str, str]:
    """Return the digest that each release had when it was first given a name: it takes `latest`.

    What names mean now is not enough: they move on to later releases, or back to one that was
    rewritten meanwhile.
    """
    rows = state.events.loc[state.events["kind"] == "name"].sort_values("at", kind="stable")
    found: dict[str, str] = {}
    for body in map(json.loads, rows["body"]):
        found.setdefault(body["release"], body["digest"])
    return found


def name_release(workspace: Workspace, alias: str, reference: str, *, now: datetime) -> str:
    """Let a name such as `prod` mean a release from now on; return what it means.

    Raises
    ------
    UsageError
        If it is no name that a reference can have, or `latest`, which every release takes.
    NotFoundError
        If there is no such release.
    """
    check_alias(alias)
    names = names_of(load_events(workspace))
    manifest = resolve(workspace.objects, parse_reference(reference), names)
    say_name(workspace, alias, manifest, now)
    return manifest.reference


def say_name(workspace: Workspace, alias: str, manifest: Manifest, now: datetime) -> None:
    """Say that a name means a release from now on, unless it does."""
    body = canonical_json({"digest": manifest.digest, "release": manifest.reference})

    def conclude(state: State) -> tuple[None, list[Event]]:
        return None, unless_said(state, "name", alias, body)

    decide(workspace, conclude, now, read=load_events)


def unless_said(state: State, kind: str, subject: str, body: str) -> list[Event]:
    """Return the event that says something of a subject, unless that is what holds."""
    rows = state.latest(kind)
    said = rows.loc[rows["subject"] == subject, "body"].tolist()
    return [] if said == [body] else [state.next_event(kind, subject, body)]


def released_as(state: State) -> str | None:
    """Return the release that has the labels as they stand, as `name@version`; None if none."""
    done = [c for c in state.candidates if c.closed.startswith("released")]
    if state.candidate is not None or not done:
        return None
    labels = state.labels.loc[state.labels["value"].notna()]
    same = state.labels_digest(labels) == done[-1].digest
    return done[-1].closed.removeprefix("released ") if same else None
