"""Making a release of a workspace: the candidate that passed, or a patch of what is released."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime

import pandas as pd

from .errors import ConflictError, EndError, GateNotPassed
from .gate.candidate import Candidate
from .gate.checks import evaluate
from .ports import Compacting
from .release import (
    Manifest,
    Release,
    build_release,
    parse_reference,
    publish,
)
from .release.build import Encode
from .released import Decode, newest_release, released_as, resolve, say_name, unless_said
from .reuse import split_conflicts
from .state import Event, State, Workspace, decide, load, load_events
from .state.facts import gate_facts
from .tables import PROPOSALS, TABLES, newest

__all__ = ["Extras", "Released", "release"]

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
    parent = newest_release(workspace, decode)
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
        _proposals(state),
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
    say_name(state.workspace, "latest", manifest, now)
    candidate = state.candidate
    if candidate is None:
        return
    # What its audit corrected is released too: the digest is that of the labels as released.
    closed = dataclasses.replace(
        candidate, closed=f"released {manifest.reference}", digest=state.labels_digest(state.frozen)
    )

    def conclude(state: State) -> tuple[None, list[Event]]:
        return None, unless_said(state, "candidate", str(closed.number), closed.to_body())

    decide(state.workspace, conclude, now, read=load_events)


def _proposals(state: State) -> pd.DataFrame:
    """Return all proposals of now, and those of earlier classes that frozen labels rest on."""
    frozen = state.frozen.loc[state.frozen["method"] == "accepted"]
    versions = [json.loads(text)["labeler_version"] for text in frozen["evidence"]]
    named = pd.MultiIndex.from_arrays([frozen["item_id"], versions])
    key = ["item_id", "labeler_version"]
    lacking = named[~named.isin(pd.MultiIndex.from_frame(state.proposals[key]))]
    if lacking.empty:
        return state.proposals
    read = state.workspace.tables.read(
        PROPOSALS.name, where={"labeler_version": lacking.unique(1).tolist()}
    )
    earlier = read.loc[pd.MultiIndex.from_frame(read[key]).isin(lacking)]
    return pd.concat([state.proposals, newest(PROPOSALS, earlier)], ignore_index=True)


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
        # Somebody else may be at it, or the disk be full; the release is made all the same, and
        # the next one will merge the rest.
        with suppress(ConflictError, EndError):
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
    if verdict.get("withdrawn", 0) != state.withdrawn_since:
        raise GateNotPassed("items were withdrawn since the gate judged these labels; run it again")
    if verdict.get("status") != "pass":
        raise GateNotPassed(f"the gate did not pass: {verdict.get('status')}")
    return verdict, mine["at"].iloc[-1].to_pydatetime()
