"""One function a stage: core functions and the ends passed in; no orchestrator, no vendor.

Every function reads the workspace's tables, computes what is new, and appends it. None
keeps state in the process, so each may be killed at any moment and run again, alone or
beside another of its kind: what was already said is not said twice.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np
import pandas as pd

from .audit.duplicates import duplicate_conflicts
from .audit.findings import finding_status, suspects
from .audit.noise import audit_noise
from .autolabel.hypotheses import try_labeler
from .autolabel.proposals import check_answers, proposals_frame
from .collect import accept_votes
from .consolidate.labels import changed_labels
from .digest import canonical_json, digest, seed_of
from .errors import SchemaError, SourceError, shown
from .gate.candidate import ADJUDICATED, Candidate, labels_digest
from .gate.checks import Facts, evaluate
from .gate.verdict import FAIL, Verdict
from .ingest import RAW_COLUMNS, Ingested, Rights, ingest_rows
from .kinds import kind_of
from .kinds.choice import codes_of, values_of
from .measure.adjudication import NO_VOTE, PENDING, WRONG
from .ports import BatchObjects, Detector, Labeler, Objects, Pausing, Queue, Sent, Source
from .route.plan import make_plan
from .schema import Schema
from .state import NO_VOTES, State, Workspace, load, load_events, say
from .state.facts import annotator_table, gate_facts
from .state.needs import all_needs, work_in_flight
from .tables import ITEMS, LABELS, PLAN, frame_of, newest

__all__ = [
    "Autolabeled",
    "Collected",
    "Consolidated",
    "Gated",
    "Intake",
    "Routed",
    "audit",
    "autolabel",
    "collect",
    "consolidate",
    "gate",
    "ingest",
    "route",
    "send",
]


# --- schema ------------------------------------------------------------------------------


def adopt_schema(workspace: Workspace, *, now: datetime) -> None:
    """Record the schema in force, and refuse one that would lose answers already given.

    Raises
    ------
    SchemaError
        If a class of the schema before is gone and no rename says what it is called now, or
        the kind, media or name changed.
    """
    state = load_events(workspace)
    rows = state.latest("schema").sort_values("revision", kind="stable")
    schema = workspace.schema
    if len(rows):
        before = Schema.from_json(_body(rows))
        if before.digest == schema.digest:
            return
        _refuse_lost(before, schema)
    say(state, [("schema", schema.digest, len(rows), schema.to_json())], now)


def _refuse_lost(before: Schema, schema: Schema) -> None:
    for what in ("name", "kind", "media"):
        old, new = getattr(before, what), getattr(schema, what)
        if old != new:
            raise SchemaError(
                f"schema.{what} was {old!r} in this workspace and is {new!r} now; "
                "use another workspace for another label set"
            )
    for name in before.classes:
        if name not in schema.classes and name not in schema.renames:
            raise SchemaError(
                f"class {shown(name)} was in the schema and is gone; say what it is called now "
                f"under [schema.renames], or put it back"
            )


# --- ingest ------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Intake:
    """A source and what its owner says of it.

    Parameters
    ----------
    source : Source
    rights : Rights
        What the source's owner allows.
    gold : str
        Name of the attribute that holds known answers; empty for none.
    """

    source: Source
    rights: Rights
    gold: str = ""


def ingest(
    workspace: Workspace, intakes: Sequence[Intake], *, now: datetime, revise: bool = False
) -> dict[str, Ingested]:
    """Take all rows of all sources into the items table, or none of any; by source's name.

    Parameters
    ----------
    workspace : Workspace
    intakes : sequence of Intake
    now : datetime
    revise : bool
        Take another payload under a known key as its next revision.

    Raises
    ------
    SourceError, ChangedPayloadError
        For what is wrong with a file; the workspace stays as it was.
    """
    state = load(workspace)
    items, found, known = state.items, {}, []
    held: dict[str, bytes] = {}
    for intake in intakes:
        raw = _raw_rows(intake.source, held)
        took = ingest_rows(
            raw,
            items,
            source=intake.source.name,
            rights=intake.rights,
            key=workspace.key,
            now=now,
            revise=revise,
        )
        known += _gold_events(took.new, raw, intake.gold, workspace)
        found[intake.source.name] = took
        if len(intakes) > 1:
            items = newest(ITEMS, pd.concat([items, took.new], ignore_index=True))
    for intake in intakes:
        wanted = set(found[intake.source.name].new["payload"])
        _store_payloads(workspace, intake.source, wanted, held)
    # Known answers first: a run killed in between finds the items new, and says both again.
    say(state, known, now)
    every = [took.new for took in found.values()]
    workspace.tables.append("items", pd.concat(every, ignore_index=True) if every else items[:0])
    return found


_HELD = 64_000_000
"""Bytes of files kept from the first reading; what is beyond is read a second time."""


def _raw_rows(source: Source, held: dict[str, bytes]) -> pd.DataFrame:
    """Return all rows without what files hold; keep the files, by URI, as far as they are few."""
    blocks, size = [], sum(map(len, held.values()))
    for block in source.rows():
        blocks.append(block.frame.drop(columns="content"))
        files = block.frame.loc[block.frame["uri"].notna(), ["uri", "content"]]
        for uri, content in files.itertuples(index=False):
            if uri not in held and size + len(content) <= _HELD:
                held[uri] = content
                size += len(content)
    return pd.concat(blocks, ignore_index=True) if blocks else _no_rows()


def _no_rows() -> pd.DataFrame:
    return pd.DataFrame({name: [] for name in RAW_COLUMNS if name != "content"}, dtype=object)


def _store_payloads(
    workspace: Workspace, source: Source, wanted: set[str], held: Mapping[str, bytes]
) -> None:
    """Store the files that items refer to, under their digests, before any item does."""
    files = {name for name in wanted if name.startswith("object:")}
    _put_all(workspace.objects, {uri: held[uri] for uri in files & held.keys()})
    files -= held.keys()
    if not files:
        return
    for block in source.rows():
        named = zip(block.frame["uri"], block.frame["content"], strict=True)
        _put_all(workspace.objects, {uri: content for uri, content in named if uri in files})


def _put_all(objects: Objects, contents: Mapping[str, bytes]) -> None:
    named = [(uri.removeprefix("object:"), contents[uri]) for uri in sorted(contents)]
    if isinstance(objects, BatchObjects):
        objects.put_all(named)
        return
    for name, content in named:
        objects.put_new(name, content)


def _gold_events(
    items: pd.DataFrame, raw: pd.DataFrame, column: str, workspace: Workspace
) -> list[tuple[str, str, int, dict[str, object]]]:
    """Return an event for every item whose owner gave a known answer."""
    if not column:
        return []
    if not raw["attributes"].str.contains(f"{canonical_json(column)}:", regex=False).any():
        raise SourceError(
            "there is no such column for `gold`; correct the name or leave it out",
            file=str(raw["file"].iloc[0]),
            column=column,
        )
    events: list[tuple[str, str, int, dict[str, object]]] = []
    kind = kind_of(workspace.schema)
    for item_id, revision, text in zip(
        items["item_id"], items["revision"], items["attributes"], strict=True
    ):
        answer = json.loads(text).get(column)
        if answer not in (None, ""):
            try:
                value = kind.canonical(str(answer), workspace.schema)
            except SchemaError as error:
                raise _misanswered(error, raw, item_id, column, answer) from None
            events.append(("gold", item_id, int(revision), {"value": value}))
    return events


def _misanswered(
    error: SchemaError, raw: pd.DataFrame, item_id: str, column: str, answer: object
) -> SourceError:
    """Name the row whose known answer is none of the schema's."""
    rows = raw.loc[raw["key"] == item_id]
    file, row = (
        (None, None) if rows.empty else (str(rows["file"].iloc[0]), int(rows["row"].iloc[0]))
    )
    return SourceError(
        f"{error}; mend the cell, or add the class to the schema",
        file=file,
        row=row,
        column=column,
        value=answer,
    )


# --- autolabel ---------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Autolabeled:
    """What `autolabel` did.

    Parameters
    ----------
    labeler_version : str or None
        The version in force; None while there are too few votes to learn from.
    trained_on, proposed : int
        Items the labeler learned from, and items it proposed for just now.
    accepted : int
        Items whose proposals stand as labels now.
    reason : str
        In words.
    """

    labeler_version: str | None
    trained_on: int
    proposed: int
    accepted: int
    reason: str


def autolabel(workspace: Workspace, labeler: Labeler, *, now: datetime) -> Autolabeled:
    """Fit the labeler on the votes so far, let it propose, and try whether it may be accepted."""
    state = _up_to_date(workspace, now)
    rows = _training_rows(state)
    wanted = 0.9 * min(workspace.policies.route.seed, state.training_target)
    enough = len(rows) >= wanted and len(set(rows["code"])) > 1
    if state.fits.empty and not enough:
        return Autolabeled(None, len(rows), 0, 0, "too few votes to learn from")
    rows, is_new = _rows_to_fit(state, rows)
    proposed = _propose(state, labeler, rows, is_new, now)
    reason = _try_to_accept(load(workspace), len(rows), now)
    state = load(workspace)
    return Autolabeled(state.labeler_version, len(rows), proposed, len(state.accepted), reason)


def _training_rows(state: State) -> pd.DataFrame:
    """Return items people labeled, with code; none of the calibration sample or corrected."""
    schema = state.workspace.schema
    votes = state.evidence.loc[state.evidence["purpose"] != "calibrate"]
    majority = _clear_majority(votes, schema)
    labels = state.labels.loc[state.labels["value"].notna()].set_index("item_id")
    labels = labels.loc[~labels["method"].isin(["accepted", ADJUDICATED])]
    decided = pd.Series(codes_of(labels["value"], schema), index=labels.index, dtype=np.float64)
    both = decided.reindex(votes["item_id"].unique()).combine_first(majority).dropna()
    kept = both.loc[~both.index.isin(state.calibration_sample)].sort_index()
    ids = kept.index.to_numpy(dtype=object)
    return pd.DataFrame({"item_id": ids, "code": kept.to_numpy(dtype=np.int64)})


def _clear_majority(votes: pd.DataFrame, schema: Schema) -> pd.Series:
    """Return the class most votes name, by item id, where one class does alone."""
    classes = len(schema.classes)
    places, ids = pd.factorize(votes["item_id"].to_numpy(dtype=object))
    flat = places * classes + codes_of(votes["value"], schema)
    counts = np.bincount(flat, minlength=len(ids) * classes).reshape(-1, classes)
    clear = (counts == counts.max(axis=1, keepdims=True)).sum(axis=1) == 1
    return pd.Series(counts[clear].argmax(axis=1), index=ids[clear], dtype=np.float64)


def _rows_to_fit(state: State, rows: pd.DataFrame) -> tuple[pd.DataFrame, bool]:
    """Return the rows to fit on: the new ones when they grew enough, else those of last time."""
    if state.fits.empty:
        return rows, True
    last = json.loads(state.fits["body"].iloc[-1])
    reached = last["items"] < state.training_enough <= len(rows)
    if reached or len(rows) >= state.workspace.policies.accept.growth * last["items"]:
        return rows, True
    known = json.loads(state.workspace.objects.get(last["object"]))
    # As values: codes of an earlier schema would mean other classes now.
    codes = codes_of(known["values"], state.workspace.schema)
    rows = pd.DataFrame({"item_id": known["items"], "code": codes})
    # An item revised since has no vote on what it says now.
    return rows.loc[rows["item_id"].isin(state.votes["item_id"])].reset_index(drop=True), False


def _propose(
    state: State, labeler: Labeler, rows: pd.DataFrame, is_new: bool, now: datetime
) -> int:
    """Fit and propose for the items that lack a proposal of this version; count them."""
    workspace, schema = state.workspace, state.workspace.schema
    if not is_new and len(state.current_proposals) >= len(state.items):
        return 0
    by_id = state.items.set_index("item_id", drop=False)
    fitted = by_id.loc[rows["item_id"]]
    version = labeler.fit(
        fitted.reset_index(drop=True), rows["code"].tolist(), fitted["group"].tolist(), schema
    )
    known = state.proposals.loc[state.proposals["labeler_version"] == version, "item_id"]
    lacking = state.items.loc[~state.items["item_id"].isin(known)].reset_index(drop=True)
    if len(lacking):
        answers = check_answers(
            labeler.propose(lacking, schema), lacking, schema, trained=set(rows["item_id"])
        )
        frame = proposals_frame(answers, labeler.name, version, schema, now)
        workspace.tables.append("proposals", frame)
    if version not in set(state.fits["subject"]):
        name = f"training/{digest([version])[:32]}.json"
        values = values_of(rows["code"], schema).tolist()
        body = {"items": rows["item_id"].tolist(), "values": values}
        workspace.objects.put_new(name, canonical_json(body).encode())
        event = {"items": len(rows), "labeler": labeler.name, "object": name}
        say(state, [("fit", version, len(state.fits), event)], now)
    return len(lacking)


def _try_to_accept(state: State, trained_on: int, now: datetime) -> str:
    """Test the current version on the calibration sample, once, when people have settled it."""
    policy, workspace = state.workspace.policies, state.workspace
    sample = state.calibration_sample
    if policy.accept.rule == "never" or not len(sample):
        return "acceptance is switched off"
    if trained_on < state.training_enough:
        return f"{trained_on} items are too few to try acceptance"
    if state.acceptance_tried:
        return "this labeler version was tried on these items already"
    pool = state.current_proposals
    if len(pool) < len(state.items):
        pool = pool.merge(state.items[["item_id"]], on="item_id", how="right")
        pool["labeler_version"] = state.labeler_version
    looks = state.calibration_looks
    waiting = int(np.isin(looks.status, (NO_VOTE, PENDING)).sum())
    if waiting:
        return f"{waiting} items of the calibration sample wait for people"
    found = try_labeler(pool, sample, looks.status == WRONG, state.hypotheses, policy.accept)
    ids = sorted(pool.loc[pool["confidence"].notna(), "item_id"])
    workspace.objects.put_new(f"pools/{found.tested}.json", canonical_json(ids).encode())
    say(state, [("hypothesis", str(found.number), 0, found.to_body())], now)
    return found.reason


# --- route and send ----------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Routed:
    """What `route` asked for.

    Parameters
    ----------
    round : int
        The round of the new plan rows; the last round where there are none.
    votes : int
        New votes asked for.
    by_purpose : mapping of purpose to int
        The same by purpose.
    waiting : int
        Votes asked for earlier that have not come.
    """

    round: int
    votes: int
    by_purpose: Mapping[str, int]
    waiting: int


def route(workspace: Workspace, *, now: datetime) -> Routed:
    """Plan who should look at what next; the same state gives the same plan."""
    state = _up_to_date(workspace, now)
    last = int(state.plan["round"].max()) if len(state.plan) else 0
    draws = dict(zip(state.item_ids, workspace.draws("blind", state.item_ids), strict=True))
    rows = make_plan(
        all_needs(state),
        state.plan,
        state.votes,
        state.current_proposals,
        draws,
        workspace.policies.route,
        round_number=last + 1,
        schema_digest=workspace.schema.digest,
        now=now,
        seen_by_all=state.seen_by_all,
    )
    workspace.tables.append("plan", rows)
    asked = rows.groupby("purpose")["annotators"].sum()
    return Routed(
        round=last + bool(len(rows)),
        votes=int(rows["annotators"].sum()),
        by_purpose={str(k): int(v) for k, v in asked.items()},
        waiting=int(state.open_seats["open"].sum()),
    )


def send(workspace: Workspace, queue: Queue) -> Sent:
    """Offer every plan row that still lacks votes; what was offered before stays as it is."""
    state = load(workspace)
    if isinstance(queue, Pausing):
        reasons = state.latest("annotator_flagged").set_index("subject")["body"]
        for annotator, body in reasons.items():
            queue.pause(str(annotator), json.loads(body)["reason"])
    rows = state.open_seats.sort_values("priority", ascending=False, kind="stable")
    rows = rows[PLAN.names].reset_index(drop=True)
    items = state.items.loc[state.items["item_id"].isin(rows["item_id"])].reset_index(drop=True)
    return queue.send(rows, items, workspace.schema, payloads=workspace.objects)


# --- collect and consolidate -------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Collected:
    """What `collect` found.

    Parameters
    ----------
    received, new, rejected : int
        Answers the queue gave; those not known before; those refused.
    reasons : tuple of str
        Why answers were refused.
    """

    received: int
    new: int
    rejected: int
    reasons: tuple[str, ...]


def collect(workspace: Workspace, queue: Queue, *, now: datetime) -> Collected:
    """Take new, edited, skipped and deleted answers from the queue into the votes table."""
    state = load(workspace)
    cursors = state.latest("collected")
    mine = cursors.loc[cursors["subject"] == queue.name]
    since, number = (
        (None, 0) if mine.empty else (_body(mine)["cursor"], int(mine["revision"].iloc[-1]))
    )
    received = queue.receive(since)
    votes = workspace.tables.read("votes")
    found = accept_votes(received.votes, votes, state.items, workspace.schema)
    workspace.tables.append("votes", found.new)
    if received.cursor != since:
        say(state, [("collected", queue.name, number + 1, {"cursor": received.cursor})], now)
    reasons = (*found.rejected["message"], *received.rejected)
    return Collected(len(received.votes), len(found.new), len(reasons), reasons)


def _body(rows: pd.DataFrame) -> Any:
    return json.loads(rows["body"].iloc[-1])


@dataclass(frozen=True, slots=True)
class Consolidated:
    """What `consolidate` decided.

    Parameters
    ----------
    changed, decided, undecided, accepted : int
        Labels that changed just now; items with and without a label; those from the model.
    corrected : int
        Labels that an audit found wrong and people corrected, just now.
    flagged : tuple of str
        Annotators whose votes stopped counting just now.
    method, reason : str
        How votes were weighed, and why so.
    """

    changed: int
    decided: int
    undecided: int
    accepted: int
    corrected: int
    flagged: tuple[str, ...]
    method: str
    reason: str


def consolidate(workspace: Workspace, *, now: datetime) -> Consolidated:
    """Decide labels from the votes that count, or say that the evidence is not enough."""
    state = load(workspace)
    flagged = _flag_annotators(state, now)
    if flagged:
        state = load(workspace)
    revision = 1 + (int(state.labels["revision"].max()) if len(state.labels) else 0)
    consensus, rows = state.decided
    rows = rows.assign(revision=revision, decided_at=pd.Timestamp(now))
    adjudicated = state.labels.loc[state.labels["method"] == ADJUDICATED, "item_id"]
    fixed = pd.concat([state.frozen["item_id"], adjudicated])
    changed = changed_labels(rows, state.labels, fixed)
    corrected = _corrections(state, revision, now)
    workspace.tables.append("labels", pd.concat([changed, corrected], ignore_index=True))
    number, before = _last_consolidated(state)
    if state.votes_digest != before:
        say(state, [("consolidated", "votes", number + 1, {"votes": state.votes_digest})], now)
    after = load(workspace).labels
    decided = after["value"].notna()
    return Consolidated(
        changed=len(changed),
        decided=int(decided.sum()),
        undecided=int((~decided).sum()),
        accepted=int((after["method"] == "accepted").sum()),
        corrected=len(corrected),
        flagged=flagged,
        method=consensus.method,
        reason=consensus.reason,
    )


def _last_consolidated(state: State) -> tuple[int, str]:
    """Return how often labels were decided, and the digest of the votes they rest on."""
    rows = state.latest("consolidated")
    if rows.empty:
        return 0, NO_VOTES
    return int(rows["revision"].iloc[-1]), str(_body(rows)["votes"])


def _up_to_date(workspace: Workspace, now: datetime) -> State:
    """Load the state; first decide labels from votes whose collecting run died before that."""
    state = load(workspace)
    if _last_consolidated(state)[1] != state.votes_digest:
        consolidate(workspace, now=now)
        state = load(workspace)
    return state


def _flag_annotators(state: State, now: datetime) -> tuple[str, ...]:
    """Judge people by gold and by what others, the model among them, are sure of."""
    judged = annotator_table(state)
    new = judged.loc[judged["flagged"] & ~judged["annotator"].isin(state.flagged)]
    say(
        state,
        [
            ("annotator_flagged", row.annotator, 0, {"reason": row.reason})
            for row in new.itertuples()
        ],
        now,
    )
    return tuple(new["annotator"])


def _corrections(state: State, revision: int, now: datetime) -> pd.DataFrame:
    """Write a new label wherever an audit of the open candidate settled on another class."""
    audit = state.audit
    if audit is None:
        return state.labels.iloc[:0]
    found = audit.wrong & (audit.corrected >= 0)
    ids = audit.planned[found]
    votes = state.audit_votes.groupby("item_id")["vote_id"].agg(sorted).reindex(ids)
    old = state.labels.set_index("item_id").loc[ids]
    # Who corrected it before had a part in it too, and audits it no more.
    before = np.where(old["method"] == ADJUDICATED, old["evidence"], '{"votes":[]}')
    return frame_of(
        LABELS,
        {
            "item_id": ids,
            "revision": revision,
            "value": values_of(audit.corrected[found], state.workspace.schema),
            "method": ADJUDICATED,
            "reason": "a random audit found the label wrong, and people agreed on another",
            "evidence": [
                canonical_json({"replaces": value, "votes": json.loads(text)["votes"] + list(ids)})
                for value, text, ids in zip(old["value"], before, votes, strict=True)
            ],
            "schema_digest": state.workspace.schema.digest,
            "decided_at": now,
        },
        len(ids),
    )


# --- audit -------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Audited:
    """What `audit` found.

    Parameters
    ----------
    round : int
        The audit's number; 0 when none was due.
    suspects : int
        Items suspected of a wrong label, to be reviewed.
    planted, found : int
        Errors planted to measure recall, and how many of them were found.
    reason : str
        In words.
    """

    round: int
    suspects: int
    planted: int
    found: int
    reason: str


Features = Callable[[pd.DataFrame], Any]
"""Items frame → (N, D) matrix, dense or sparse, of features not learned from these labels."""


def audit(
    workspace: Workspace, features: Features, detectors: Sequence[Detector] = (), *, now: datetime
) -> Audited:
    """Look for wrong labels once all items are decided, before a candidate is frozen."""
    state = _up_to_date(workspace, now)
    reason = _audit_not_due(state)
    if reason:
        return Audited(0, 0, 0, 0, reason)
    labels = state.labels.loc[state.labels["value"].notna()]
    number = _cut_short(state, labels_digest(labels)) or 1 + len(state.latest("audited"))
    items = state.items.loc[state.items["item_id"].isin(labels["item_id"])].reset_index(drop=True)
    labels = labels.set_index("item_id").loc[items["item_id"]].reset_index()
    policy = workspace.policies
    seed = seed_of(workspace.key, "audit", labels_digest(labels))
    found = audit_noise(
        items["item_id"],
        features(items),
        codes_of(labels["value"], workspace.schema),
        items["group"].tolist(),
        workspace.schema,
        rng=np.random.default_rng(seed),
        round=number,
        now=now,
        detectors=detectors,
        planted_share=policy.audit.planted,
        repeats=policy.audit.repeats,
    )
    conflicts = duplicate_conflicts(items, labels, workspace.schema, round=number, now=now)
    every = pd.concat([found.findings, conflicts], ignore_index=True)
    settled = [*_settled_suspects(state), *state.seen_by_all]
    every = every.loc[every["planted"] | ~every["item_id"].isin(settled)]
    share = min(policy.audit.suspects, policy.route.review_share)
    chosen = suspects(every, len(items), share).drop(columns="place")
    rows = pd.concat([every.loc[every["planted"]], chosen], ignore_index=True)
    event = {
        "candidates": len(state.candidates),
        "findings": len(every) - found.recall.planted,
        "found": found.recall.found,
        "planted": found.recall.planted,
        "rows": len(rows),
        "suspects": len(chosen),
    }
    # The event first: killed in between, the same labels are audited again before anything
    # else happens to them. The other way round, reviews would come before the second audit.
    say(state, [("audited", labels_digest(labels), number, event)], now)
    workspace.tables.append("findings", rows)
    return Audited(
        number,
        len(chosen),
        found.recall.planted,
        found.recall.found,
        f"{len(chosen)} labels go back to people",
    )


def _audit_not_due(state: State) -> str:
    if state.candidate is not None:
        return "the labels are frozen for a release"
    waiting = work_in_flight(state)
    if waiting:
        return waiting
    labels = state.labels.loc[state.labels["value"].notna()]
    if labels["value"].nunique() < 2:
        return "there are labels of fewer than two classes"
    done = state.latest("audited")
    if _cut_short(state, labels_digest(labels)):
        return ""
    if labels_digest(labels) in set(done["subject"]):
        return "these labels were audited already"
    before = [json.loads(body)["candidates"] for body in done["body"]]
    if before.count(len(state.candidates)) >= state.workspace.policies.audit.rounds:
        return "audited often enough before this release"
    return ""


def _cut_short(state: State, digest_of_labels: str) -> int:
    """Return the number of an audit of these labels that died before it stored findings, or 0."""
    done = state.latest("audited")
    mine = done.loc[done["subject"] == digest_of_labels]
    if mine.empty or not json.loads(mine["body"].iloc[-1])["rows"]:
        return 0
    number = int(mine["revision"].iloc[-1])
    return 0 if (state.findings["round"] == number).any() else number


def _settled_suspects(state: State) -> list[str]:
    """Items whose present label reviewers already confirmed or changed."""
    real = state.findings.loc[~state.findings["planted"]]
    status = finding_status(real, state.votes, state.labels)
    return [str(i) for i in real.loc[status.isin(["confirmed", "corrected"]), "item_id"]]


# --- gate --------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Gated:
    """What `gate` found.

    Parameters
    ----------
    verdict : Verdict
    candidate : Candidate or None
        The frozen labels it is about.
    """

    verdict: Verdict
    candidate: Candidate | None


def gate(workspace: Workspace, *, now: datetime, split_groups: Mapping[str, str]) -> Gated:
    """Freeze a candidate when the labels are ready, and hold it against the policy.

    Parameters
    ----------
    workspace : Workspace
    now : datetime
    split_groups : mapping of group to str
        Leakage groups on two sides of a split, with explanations.
    """
    state = _up_to_date(workspace, now)
    if state.candidate is None and _freeze(state, now):
        state = load(workspace)
    facts = gate_facts(state, now, split_groups)
    verdict = evaluate(facts, workspace.policies.gate)
    candidate = state.candidate
    if candidate is not None:
        body = verdict.to_json() | {"candidate": candidate.number}
        number = len(state.events.loc[state.events["kind"] == "verdict"])
        if verdict.to_json() != _last_verdict(state, candidate):
            say(state, [("verdict", str(candidate.number), number, body)], now)
        if facts.certificate is not None and facts.certificate.status == "fail":
            _close_failed(state, candidate, now)
        elif _outgrown(state, facts, verdict):
            why = "withdrawn: the labels went on, and no audit can mend a check that failed"
            closed = dataclasses.replace(candidate, closed=why)
            say(state, [("candidate", str(candidate.number), 1, closed.to_body())], now)
    return Gated(verdict, candidate)


def _outgrown(state: State, facts: Facts, verdict: Verdict) -> bool:
    """Say whether a frozen set that cannot pass keeps newer labels from being tried."""
    if facts.certificate is None or facts.certificate.status != "pass":
        return False
    if verdict.status != FAIL or facts.waiting:
        return False
    newer = state.labels.loc[~state.labels["item_id"].isin(state.frozen["item_id"])]
    return bool(newer["value"].notna().any())


def _last_verdict(state: State, candidate: Candidate) -> object:
    rows = state.latest("verdict")
    rows = rows.loc[rows["subject"] == str(candidate.number)]
    if rows.empty:
        return None
    body = _body(rows)
    return {"checks": body["checks"], "status": body["status"]}


def _freeze(state: State, now: datetime) -> bool:
    """Freeze the labels when nothing is in flight and they are not those judged last."""
    labels = state.labels.loc[state.labels["value"].notna()]
    if labels.empty or work_in_flight(state) or not _audit_not_due(state):
        return False
    if state.judged_already:
        return False
    limit = state.workspace.policies.gate.open_findings * len(state.items)
    if state.suspicions["item_id"].nunique() > limit:
        return False
    failed = sum(c.closed.startswith("failed") for c in state.candidates)
    candidate = Candidate(
        number=len(state.candidates) + 1,
        revision=int(state.labels["revision"].max()),
        stream=failed + 1,
        items=len(labels),
        digest=state.labels_digest(labels),
    )
    say(state, [("candidate", str(candidate.number), 0, candidate.to_body())], now)
    return True


def _close_failed(state: State, candidate: Candidate, now: datetime) -> None:
    """Give a failed candidate up: what the model was trusted with goes back to people."""
    closed = dataclasses.replace(candidate, closed="failed: the audit found too many errors")
    events = [("candidate", str(candidate.number), 1, closed.to_body())]
    for hypothesis in state.hypotheses:
        if not hypothesis.closed:
            ended = dataclasses.replace(
                hypothesis, closed=f"the audit of candidate {candidate.number} failed"
            )
            events.append(("hypothesis", str(hypothesis.number), 1, ended.to_body()))
    say(state, events, now)
