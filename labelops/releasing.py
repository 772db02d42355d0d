"""Releases of a workspace: making one, finding one, reading one back.

A module of its own beside `journey` because reading needs only write-once objects: no
tables, no queue, no labeler.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime

import pandas as pd

from .digest import canonical_json
from .errors import ConflictError, GateNotPassed, IntegrityError, NotFoundError
from .gate.candidate import Candidate
from .gate.checks import evaluate
from .ports import Compacting, Objects
from .release import (
    Manifest,
    Reference,
    Release,
    Version,
    build_release,
    check_alias,
    intact,
    manifest_name,
    parse_reference,
    publish,
    released_versions,
)
from .release.build import Encode
from .reuse import split_conflicts
from .state import Event, State, Workspace, decide, load, load_events
from .state.facts import gate_facts
from .tables import TABLES

__all__ = [
    "Extras",
    "Released",
    "name_release",
    "names_of",
    "noted_digests",
    "read_release",
    "release",
    "released_as",
    "resolve",
]

Decode = Callable[[bytes], pd.DataFrame]
Extras = Callable[[State, Mapping[str, object], str, str], Mapping[str, bytes]]
"""(state, verdict, when it was given, `name@version`) → further files of a release: its report."""


@dataclass(frozen=True, slots=True)
class Released:
    """What `release` made.

    Parameters
    ----------
    reference : str
        `name@version`.
    manifest : Manifest
    new : bool
        False if nothing had changed since that release.
    """

    reference: str
    manifest: Manifest
    new: bool


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
        known = ", ".join(map(str, versions))
        others = (
            f"there are: {known}" if versions else f"nothing named {reference.name} is released"
        )
        raise NotFoundError(f"there is no release {reference}; {others}")
    return _manifest_of(objects, reference.name, wanted)


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


def _newest(workspace: Workspace, decode: Decode) -> Release | None:
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
    _say_name(workspace, alias, manifest, now)
    return manifest.reference


def _say_name(workspace: Workspace, alias: str, manifest: Manifest, now: datetime) -> None:
    body = canonical_json({"digest": manifest.digest, "release": manifest.reference})

    def conclude(state: State) -> tuple[None, list[Event]]:
        return None, _unless_said(state, "name", alias, body)

    decide(workspace, conclude, now, read=load_events)


def _unless_said(state: State, kind: str, subject: str, body: str) -> list[Event]:
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


def release(
    workspace: Workspace,
    *,
    tools: Mapping[str, str],
    encode: Encode,
    decode: Decode,
    extras: Extras,
    now: datetime,
) -> Released:
    """Write the candidate that passed the gate as the next version; doing it again is fine.

    Labels that were released as they are stay that release; where only what is known of their
    items changed since (source, rights, attributes) or the question's wording, they become its
    next patch, if the gate passes with that.

    Raises
    ------
    GateNotPassed
        If no candidate passed.
    ConflictError
        If another process released something else meanwhile.
    """
    state = load(workspace)
    reference = released_as(state)
    parent = _newest(workspace, decode)
    if reference is None:
        verdict, when = _passed(state, state.candidate)
    else:
        state = _reopened(state)
        if parent is None or not _amended(state, parent):
            return _released_already(state, reference, parent, now)
        verdict, when = _judged_anew(state, now)
    frozen = state.frozen
    parts = build_release(
        frozen,
        state.items,
        pd.concat([state.votes, state.machine_votes], ignore_index=True),
        state.proposals,
        state.findings,
        verdict,
        workspace.schema,
        parent=parent,
        now=when,
        tools={**tools, **_encoders(state)},
        encode=encode,
        extras=lambda reference: extras(state, verdict, when.isoformat(), reference),
    )
    if parts is None and parent is not None:
        manifest, new = parent.manifest, False
    elif parts is not None:
        publish(parts, workspace.objects.put_new, workspace.objects.get)
        manifest, new = parts.manifest, True
    else:
        raise GateNotPassed("there are no labels to release")
    _conclude(state, manifest, now)
    _compact(workspace)
    return Released(manifest.reference, manifest, new)


def _released_already(
    state: State, reference: str, parent: Release | None, now: datetime
) -> Released:
    """Return the release that has the labels; a run may have died before it said which."""
    if parent is None or parent.manifest.reference == reference:
        objects = state.workspace.objects
        return Released(reference, resolve(objects, parse_reference(reference), {}), new=False)
    _conclude(state, parent.manifest, now)
    return Released(parent.manifest.reference, parent.manifest, new=False)


def _conclude(state: State, manifest: Manifest, now: datetime) -> None:
    """Name a release the latest, and close its candidate as released."""
    # The name first: a run killed in between finds its candidate as it was, and does both again.
    _say_name(state.workspace, "latest", manifest, now)
    candidate = state.candidate
    if candidate is None:
        return
    # What its audit corrected is released too: the digest is that of the labels as released.
    closed = dataclasses.replace(
        candidate, closed=f"released {manifest.reference}", digest=state.labels_digest(state.frozen)
    )

    def conclude(state: State) -> tuple[None, list[Event]]:
        return None, _unless_said(state, "candidate", str(closed.number), closed.to_body())

    decide(state.workspace, conclude, now, read=load_events)


def _encoders(state: State) -> dict[str, str]:
    """Return whose vectors the labelers learned from, where any did, for the release to name."""
    named = {json.loads(text).get("labeler_version") for text in state.frozen["evidence"]}
    fits = state.fits.loc[state.fits["subject"].isin({*named, state.labeler_version})]
    found = dict.fromkeys(json.loads(body).get("encoder") for body in fits["body"])
    said = ", ".join(encoder for encoder in found if encoder)
    return {"vectors": said} if said else {}


_TOLD = ("source", "licence", "purposes", "region", "expires", "attributes", "owner_group")
"""What owners tell of an item beside its content: a change of it is a patch."""


def _reopened(state: State) -> State:
    """Return the state as it was before its last release was made, with today's votes."""
    released = [c.number for c in state.candidates if c.closed.startswith("released")]
    number = str(released[-1])
    events = state.events
    closing = (events["kind"] == "candidate") & (events["subject"] == number)
    kept = events.loc[~(closing & (events["revision"] > 0))].reset_index(drop=True)
    return dataclasses.replace(state, events=kept)


def _amended(state: State, parent: Release) -> bool:
    """Say whether something changed since a release that a patch would say."""
    if parent.manifest.schema.to_json() != state.workspace.schema.to_json():
        return True
    columns = ["item_id", *_TOLD]
    before = parent.items[columns].sort_values("item_id", ignore_index=True)
    after = state.items.loc[state.items["item_id"].isin(before["item_id"]), columns]
    after = after.sort_values("item_id", ignore_index=True)
    return not before.astype(object).fillna("").equals(after.astype(object).fillna(""))


def _judged_anew(state: State, now: datetime) -> tuple[dict[str, object], datetime]:
    """Hold released labels against the policy with what is known of their items now.

    The time is that of the last change, so that two runs write the same release.
    """
    facts = gate_facts(state, now, split_conflicts(state.items))
    verdict = evaluate(facts, state.workspace.policies.gate)
    verdict.raise_if_failed()
    number = None if state.candidate is None else state.candidate.number
    changes = [state.items["ingested_at"].max(), state.latest("schema")["at"].max()]
    when = pd.Series(changes).max().to_pydatetime()
    return {**verdict.to_json(), "candidate": number}, when


def _compact(workspace: Workspace) -> None:
    """Merge the small files of the rounds before the release, where tables are made of files."""
    if not isinstance(workspace.tables, Compacting):
        return
    for name in TABLES:
        # Somebody else may be at it; the release is made, and the next one will merge the rest.
        with suppress(ConflictError):
            workspace.tables.compact(name)


def _passed(state: State, candidate: Candidate | None) -> tuple[dict[str, object], datetime]:
    """Return the passing verdict on the open candidate, and when it was given."""
    if candidate is None:
        raise GateNotPassed("no labels are frozen for a release; run the gate")
    rows = state.latest("verdict")
    mine = rows.loc[rows["subject"] == str(candidate.number)]
    if mine.empty:
        raise GateNotPassed("the gate has not judged these labels yet; run the gate")
    verdict: dict[str, object] = json.loads(mine["body"].iloc[-1])
    if verdict.get("status") != "pass":
        raise GateNotPassed(f"the gate did not pass: {verdict.get('status')}")
    return verdict, mine["at"].iloc[-1].to_pydatetime()
