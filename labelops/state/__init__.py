"""A workspace as it stands: its tables, collapsed, and what follows from them at once.

Nothing here decides anything; stages and `journey` do.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from ..audit.findings import open_findings
from ..audit.policy import AuditPolicy
from ..autolabel.hypotheses import (
    Hypothesis,
    accepted_items,
    best,
    pool_digest,
    read_hypotheses,
)
from ..autolabel.policy import AcceptancePolicy
from ..collect import current_votes
from ..consolidate.labels import UNDECIDED, Consensus, consolidate_votes, label_rows
from ..consolidate.policy import ConsolidatePolicy
from ..digest import canonical_json, digest, uniforms
from ..gate.candidate import (
    ADJUDICATED,
    AuditState,
    Candidate,
    attempt_of,
    audit_state,
    labels_digest,
    read_candidates,
)
from ..gate.policy import GatePolicy
from ..kinds.choice import codes_of, values_of
from ..measure.adjudication import NO_VOTE, PENDING, WRONG, Adjudication, adjudicate
from ..ports import Objects, Tables
from ..route.needs import first_by_draw
from ..route.plan import RoutePolicy, in_flight
from ..schema import Schema
from ..tables import (
    EVENTS,
    FINDINGS,
    ITEMS,
    LABELS,
    PLAN,
    PROPOSALS,
    TABLES,
    VOTES,
    TableSpec,
    empty,
    frame_of,
    newest,
    probs_matrix,
)

__all__ = ["EVIDENCE", "NO_VOTES", "Policies", "State", "Workspace", "load", "load_events", "say"]

NO_VOTES = f"{0:016x}"
"""The `votes_digest` of an empty table."""

EVIDENCE = ("label", "review", "calibrate")
"""Purposes whose votes decide labels; audit votes judge decided labels, gold judges people."""


@dataclass(frozen=True, slots=True)
class Policies:
    """The rules a label set is made by, one object a stage."""

    accept: AcceptancePolicy
    route: RoutePolicy
    consolidate: ConsolidatePolicy
    audit: AuditPolicy
    gate: GatePolicy


@dataclass(frozen=True, slots=True)
class Workspace:
    """Where a label set lives and by which rules it is made.

    Parameters
    ----------
    tables, objects : ends
    schema : Schema
    key : bytes
        Keys item digests and random draws.
    policies : Policies
    cache : dict
        What was read last, by table version; never needed for a right answer.
    """

    tables: Tables
    objects: Objects
    schema: Schema
    key: bytes
    policies: Policies
    cache: dict[str, Any] = field(default_factory=dict, repr=False, compare=False)

    def draws(self, stream: str, item_ids: npt.ArrayLike) -> npt.NDArray[np.float64]:
        """Return each item's permanent random number in a stream."""
        return uniforms(self.key, stream, (str(i) for i in np.asarray(item_ids, dtype=object)))


@dataclass(frozen=True)
class State:
    """The tables of a workspace, newest revisions only.

    Parameters
    ----------
    workspace : Workspace
    items, votes, plan, proposals, labels, findings, events : frames
    revised : series
        When each item whose content was revised got its present content, by item id.
    """

    workspace: Workspace
    items: pd.DataFrame
    votes: pd.DataFrame
    plan: pd.DataFrame
    proposals: pd.DataFrame
    labels: pd.DataFrame
    findings: pd.DataFrame
    events: pd.DataFrame
    revised: pd.Series = field(default_factory=lambda: pd.Series(dtype="datetime64[us, UTC]"))

    def latest(self, kind: str) -> pd.DataFrame:
        """Return the newest event of each subject of one kind, by subject."""
        rows = self.events.loc[self.events["kind"] == kind]
        rows = rows.sort_values(["subject", "revision"], kind="stable")
        return rows.drop_duplicates("subject", keep="last").reset_index(drop=True)

    @cached_property
    def item_ids(self) -> npt.NDArray[np.object_]:
        """All items' ids, sorted."""
        ids: npt.NDArray[np.object_] = self.items["item_id"].to_numpy(dtype=object)
        return ids

    @cached_property
    def votes_digest(self) -> str:
        """Which votes there are, in which revision; the same in any order."""
        rows = pd.util.hash_pandas_object(self.votes[["vote_id", "revision"]], index=False)
        return f"{int(rows.to_numpy().sum(dtype=np.uint64)):016x}"

    @cached_property
    def flagged(self) -> tuple[str, ...]:
        """Annotators whose votes no longer count."""
        return tuple(sorted(self.latest("annotator_flagged")["subject"]))

    @cached_property
    def gold(self) -> dict[str, str]:
        """Item id → the answer its owner knows."""
        rows = self.latest("gold")
        return {
            s: json.loads(b)["value"] for s, b in zip(rows["subject"], rows["body"], strict=True)
        }

    @cached_property
    def current(self) -> pd.DataFrame:
        """The votes that count: given, one an annotator, item and purpose, nobody flagged."""
        rows = current_votes(self.votes, self.workspace.schema)
        return rows.loc[~rows["annotator"].isin(self.flagged)].reset_index(drop=True)

    @cached_property
    def evidence(self) -> pd.DataFrame:
        """The votes that decide labels: the newest of each annotator and item."""
        rows = self.current.loc[self.current["purpose"].isin(EVIDENCE)]
        rows = rows.sort_values(["given_at", "vote_id"], kind="stable")
        rows = rows.drop_duplicates(["item_id", "annotator"], keep="last")
        # Sums must not depend, in their last bit, on who was quicker.
        return rows.sort_values("vote_id", kind="stable")

    @cached_property
    def audit_votes(self) -> pd.DataFrame:
        """Blind audit votes by people who had no part in the item's label.

        An item that everybody has looked at, three people at least, has nobody left to audit
        it: there the `spare_votes` count too. With fewer people it waits for another.
        """
        rows = self.current.loc[self.current["purpose"] == "audit"]
        pairs = pd.MultiIndex.from_frame(self.evidence[["item_id", "annotator"]])
        own = pd.MultiIndex.from_frame(rows[["item_id", "annotator"]]).isin(pairs)
        made = rows["vote_id"].isin(self._correcting_votes)
        return pd.concat([rows.loc[~own & ~made], self.spare_votes])

    @property
    def _correcting_votes(self) -> set[str]:
        """Audit votes that a corrected label rests on: they cannot judge it as well."""
        rows = self.labels.loc[self.labels["method"] == ADJUDICATED, "evidence"]
        return {vote for text in rows for vote in json.loads(text)["votes"]}

    @cached_property
    def spare_votes(self) -> pd.DataFrame:
        """Blind votes beyond those that made the label, where nobody else is left to look.

        Two votes for a label make it. What others said without seeing a proposal is as good
        as an audit: they would have said the same if asked afterwards.
        """
        rows = self.evidence.loc[self.evidence["item_id"].isin(self.seen_by_all)]
        values = self.labels.set_index("item_id")["value"]
        rows = rows.assign(agrees=rows["value"] == rows["item_id"].map(values))
        # Votes that saw a proposal are no audit, so they make the label first.
        rows = rows.sort_values(
            ["agrees", "saw_proposal", "vote_id"], ascending=[False, False, True]
        )
        made = rows["agrees"] & (rows.groupby("item_id").cumcount() < 2)
        return rows.loc[~made & ~rows["saw_proposal"]].drop(columns="agrees")

    @cached_property
    def people(self) -> tuple[str, ...]:
        """Everybody who has voted and whose votes count."""
        names = self.votes["annotator"]
        found = set(names.loc[names.str.startswith("human:")]) - set(self.flagged)
        return tuple(sorted(found))

    @cached_property
    def seen_by_all(self) -> npt.NDArray[np.object_]:
        """Items that everybody, three people at least, has looked at: nobody is left to ask.

        With fewer people an item waits for another one to join.
        """
        looked = self.lookers
        enough = looked >= max(len(self.people), 3)
        found: npt.NDArray[np.object_] = looked.index[enough].to_numpy(dtype=object)
        return found

    @cached_property
    def lookers(self) -> pd.Series:
        """How many people who count have looked at an item, skipping included, by item id."""
        rows = self.votes.loc[
            (self.votes["status"] != "deleted") & (self.votes["purpose"] != "gold")
        ]
        rows = rows.loc[rows["annotator"].isin(self.people)]
        return rows.drop_duplicates(["item_id", "annotator"])["item_id"].value_counts()

    @cached_property
    def open_seats(self) -> pd.DataFrame:
        """Plan rows that still lack votes, with how many are `open`."""
        return in_flight(self.plan, self.votes, self.seen_by_all)

    @cached_property
    def hypotheses(self) -> list[Hypothesis]:
        """All attempts to accept a labeler, by number."""
        return read_hypotheses(self.latest("hypothesis")["body"])

    @cached_property
    def candidates(self) -> list[Candidate]:
        """All release candidates, by number."""
        return read_candidates(self.latest("candidate")["body"])

    @property
    def candidate(self) -> Candidate | None:
        """The candidate under audit, if there is one."""
        return next((c for c in reversed(self.candidates) if not c.closed), None)

    @cached_property
    def fits(self) -> pd.DataFrame:
        """Every fit of a labeler in order: subject = version; body = {labeler, items, object}."""
        return self.latest("fit").sort_values("revision", kind="stable").reset_index(drop=True)

    @property
    def labeler_version(self) -> str | None:
        """The version fitted last."""
        return None if self.fits.empty else str(self.fits["subject"].iloc[-1])

    @cached_property
    def current_proposals(self) -> pd.DataFrame:
        """Proposals of the version fitted last, one an item."""
        return self.proposals.loc[self.proposals["labeler_version"] == self.labeler_version]

    @cached_property
    def probs(self) -> npt.NDArray[np.float64] | None:
        """(N, K) current probabilities in `item_ids` order, NaN where none; None without any."""
        rows = self.current_proposals
        rows = rows.loc[rows["probs"].notna()]
        if rows.empty:
            return None
        matrix = np.full((len(self.item_ids), len(self.workspace.schema.classes)), np.nan)
        places = pd.Index(self.item_ids).get_indexer(rows["item_id"])
        known = probs_matrix(rows["probs"], matrix.shape[1])
        matrix[places[places >= 0]] = known[places >= 0]
        return matrix

    @cached_property
    def accepted(self) -> pd.DataFrame:
        """Proposals accepted under the standing hypothesis."""
        standing = best(self.hypotheses)
        pool = (
            []
            if standing is None
            else json.loads(self.workspace.objects.get(f"pools/{standing.tested}.json"))
        )
        # Content that came after the test was not tested.
        revised = self.revised.index[self.revised > self._tested_at]
        rows = self.proposals.loc[~self.proposals["item_id"].isin(revised)]
        return accepted_items(standing, rows, pool)

    @property
    def _tested_at(self) -> pd.Timestamp:
        """When the standing hypothesis was tested."""
        number = "" if self.standing is None else str(self.standing.number)
        rows = self.latest("hypothesis")
        return rows.loc[rows["subject"] == number, "at"].max()

    @property
    def standing(self) -> Hypothesis | None:
        """The hypothesis under which proposals are accepted now."""
        return best(self.hypotheses)

    def given(self, item_ids: npt.ArrayLike, purpose: str) -> npt.NDArray[np.int64]:
        """Return how many votes each item was given for a purpose, by anybody."""
        rows = self.votes.loc[
            (self.votes["status"] == "given") & (self.votes["purpose"] == purpose), "item_id"
        ]
        counts: npt.NDArray[np.int64] = (
            rows.value_counts().reindex(np.asarray(item_ids, dtype=object), fill_value=0)
        ).to_numpy(dtype=np.int64)
        return counts

    def looks(
        self, item_ids: npt.ArrayLike, values: pd.Series, votes: pd.DataFrame
    ) -> Adjudication:
        """Judge values (canonical JSON or None, in `item_ids` order) by blind votes.

        A doubt that nobody is left to settle counts as wrong: it must not certify anything.
        """
        schema = self.workspace.schema
        index = pd.Index(np.asarray(item_ids, dtype=object))
        places = index.get_indexer(votes["item_id"])
        inside = places >= 0
        found = adjudicate(
            codes_of(values, schema),
            places[inside],
            codes_of(votes.loc[inside, "value"], schema),
            len(schema.classes),
            max_votes=self.workspace.policies.route.max_votes,
        )
        stuck = np.isin(found.status, (NO_VOTE, PENDING)) & index.isin(self.seen_by_all)
        return dataclasses.replace(found, status=np.where(stuck, WRONG, found.status))

    @cached_property
    def calibration_sample(self) -> npt.NDArray[np.object_]:
        """The random calibration sample's ids in draw order; at most a quarter of the items."""
        size = min(self.workspace.policies.route.calibration, len(self.item_ids) // 4)
        draws = self.workspace.draws("calibrate", self.item_ids)
        return first_by_draw(self.item_ids, draws, size)

    @cached_property
    def frozen(self) -> pd.DataFrame:
        """Labels of the open candidate, corrected ones included; none without a candidate."""
        candidate = self.candidate
        decided = self.labels.loc[self.labels["value"].notna()]
        if candidate is None:
            return decided.iloc[:0]
        inside = (decided["revision"] <= candidate.revision) | (decided["method"] == ADJUDICATED)
        return decided.loc[inside]

    @property
    def judged_already(self) -> str:
        """Why the labels as they stand are no new candidate, in words; empty if they may be one.

        Labels that failed are not tried again as they are, in the hope of a luckier sample.
        """
        closed = [c for c in self.candidates if c.closed]
        labels = self.labels.loc[self.labels["value"].notna()]
        same = closed and closed[-1].digest == self.labels_digest(labels)
        return (
            f"these labels are those of candidate {closed[-1].number}, {closed[-1].closed}"
            if same
            else ""
        )

    def labels_digest(self, labels: pd.DataFrame) -> str:
        """Return the digest of labels in the present schema, by which candidates are compared."""
        return digest(labels_digest(labels) + self.workspace.schema.digest)

    @property
    def frozen_at(self) -> pd.Timestamp:
        """When the open candidate was frozen; NaT without one."""
        number = "" if self.candidate is None else str(self.candidate.number)
        rows = self.latest("candidate")
        return rows.loc[rows["subject"] == number, "at"].max()

    @cached_property
    def audit(self) -> AuditState | None:
        """Where the audit of the open candidate stands; None without one."""
        candidate, frozen = self.candidate, self.frozen.set_index("item_id")
        if candidate is None:
            return None
        ids = frozen.index.to_numpy(dtype=object)
        draws = self.workspace.draws(f"audit/{candidate.stream}", ids)
        order = first_by_draw(ids, draws, len(ids))
        looks = self.looks(order, frozen["value"].reindex(order), self.audit_votes)
        began = min(c.revision for c in self.candidates if c.stream == candidate.stream)
        corrected = (frozen["method"] == ADJUDICATED) & (frozen["revision"] > began)
        blind = self.audit_votes.loc[self.audit_votes["purpose"] == "audit", "item_id"]
        return audit_state(
            order,
            corrected.reindex(order),
            looks,
            self.workspace.policies.gate,
            attempt=attempt_of(candidate, self.candidates),
            unaided=np.isin(order, self.seen_by_all) & ~np.isin(order, blind),
        )

    @cached_property
    def calibration_looks(self) -> Adjudication:
        """The current proposals of the calibration sample, judged by blind votes."""
        values = self.current_proposals.set_index("item_id")["value"]
        values = values.reindex(self.calibration_sample)
        votes = self.current.loc[self.current["purpose"] == "calibrate"]
        return self.looks(self.calibration_sample, values.where(values.notna(), None), votes)

    @cached_property
    def pool(self) -> str:
        """Digest of the ids of all items."""
        return pool_digest(self.item_ids)

    @property
    def acceptance_tried(self) -> bool:
        """Whether the version fitted last was tried on the items there are now."""
        key = f"{self.labeler_version}/{self.pool}"
        return any(h.key == key for h in self.hypotheses)

    @cached_property
    def decided(self) -> tuple[Consensus, pd.DataFrame]:
        """What the votes that count say now, and a label row for each item (not yet stamped)."""
        workspace, standing = self.workspace, self.standing
        policy = workspace.policies.consolidate
        consensus = consolidate_votes(
            self.item_ids, self.evidence, workspace.schema, policy, self.probs
        )
        number = None if standing is None else standing.number
        never = datetime.min.replace(tzinfo=UTC)
        rows = label_rows(consensus, self.accepted, number, workspace.schema, revision=0, now=never)
        return consensus, rows

    @cached_property
    def suspicions(self) -> pd.DataFrame:
        """Findings that nobody reviewed, or on which reviewers contradict the label.

        Not where nobody is left to review: there the votes there are decided.
        """
        rows = open_findings(self.findings, self.votes, self.labels)
        return rows.loc[~rows["item_id"].isin(self.seen_by_all)]

    @cached_property
    def undecided(self) -> npt.NDArray[np.object_]:
        """Items without a label that people may still give one, in id order."""
        rows = self.decided[1]
        open_rows = rows["value"].isna() & ~rows["item_id"].isin(self.frozen["item_id"])
        open_rows &= ~rows["item_id"].isin(self.seen_by_all)
        ids = rows.loc[open_rows, "item_id"].to_numpy(dtype=object)
        votes = self.evidence["item_id"].value_counts().reindex(ids, fill_value=0).to_numpy()
        found: npt.NDArray[np.object_] = ids[votes < self.workspace.policies.route.max_votes]
        return found

    @property
    def training_target(self) -> int:
        """Items that people are asked to label before acceptance is tried."""
        rest = len(self.item_ids) - len(self.calibration_sample)
        return min(self.workspace.policies.route.training, max(rest // 2, 1))

    @property
    def training_enough(self) -> float:
        """Labeled items from which acceptance is tried: some of those asked about stay unclear."""
        return 0.9 * self.training_target


def load(workspace: Workspace) -> State:
    """Read all tables of a workspace and keep the newest revision of everything."""
    versions = {name: workspace.tables.version(name) for name in TABLES}
    before = workspace.cache.get("state")
    if before is not None and before[0] == versions:
        state: State = before[1]
        return state
    state = _read_state(workspace, versions)
    workspace.cache["state"] = (versions, state)
    return state


def _read_state(workspace: Workspace, versions: Mapping[str, int]) -> State:
    def rows(spec: TableSpec) -> pd.DataFrame:
        """Read a table collapsed, unless it is as it was when it was read last."""
        known = workspace.cache.get(spec.name)
        if known is None or known[0] != versions[spec.name]:
            read = workspace.tables.read(spec.name)
            since = _revised_at(read) if spec is ITEMS else None
            known = (versions[spec.name], newest(spec, read), since)
            workspace.cache[spec.name] = known
        frame: pd.DataFrame = known[1]
        return frame

    schema, items = workspace.schema, rows(ITEMS)
    since = workspace.cache[ITEMS.name][2]
    proposals = rows(PROPOSALS)
    proposals = proposals.loc[proposals["schema_digest"] == schema.digest].reset_index(drop=True)
    return State(
        workspace=workspace,
        items=items,
        votes=_still_about(rows(VOTES), "given_at", since),
        plan=_still_about(rows(PLAN), "planned_at", since),
        proposals=_still_about(proposals, "proposed_at", since),
        labels=_undecided_anew(_in_words_of(rows(LABELS), schema), since),
        findings=rows(FINDINGS),
        events=rows(EVENTS),
        revised=since,
    )


def load_events(workspace: Workspace) -> State:
    """Read the events only; the other tables are empty."""
    rest = {t.name: empty(t) for t in (ITEMS, VOTES, PLAN, PROPOSALS, LABELS, FINDINGS)}
    return State(workspace, events=newest(EVENTS, workspace.tables.read("events")), **rest)


def _in_words_of(labels: pd.DataFrame, schema: Schema) -> pd.DataFrame:
    """Say labels decided under an earlier schema in the present one's class names.

    Their probabilities follow the earlier class order, so they are dropped.
    """
    old = (labels["schema_digest"] != schema.digest).to_numpy()
    if not old.any():
        return labels
    values = np.where(old, values_of(codes_of(labels["value"], schema), schema), labels["value"])
    probs = labels["probs"].where(~old, None)
    return labels.assign(value=values, probs=probs)


def _revised_at(history: pd.DataFrame) -> pd.Series:
    """Return when each item whose content was revised got its present content, by item id."""
    history = history.loc[history["item_id"].duplicated(keep=False)]
    contents = history.drop_duplicates(["item_id", "payload_digest"])
    revised = contents.loc[contents["item_id"].duplicated(), "item_id"]
    rows = history.loc[history["item_id"].isin(revised)].sort_values("revision", kind="stable")
    last = rows.drop_duplicates("item_id", keep="last")[["item_id", "payload_digest"]]
    since: pd.Series = (
        rows.merge(last, on=["item_id", "payload_digest"]).groupby("item_id")["ingested_at"].min()
    )
    return since


def _still_about(rows: pd.DataFrame, column: str, since: pd.Series) -> pd.DataFrame:
    """Drop what was said about an item's earlier content."""
    if since.empty:
        return rows
    changed = rows["item_id"].map(since)
    return rows.loc[~(rows[column] < changed)].reset_index(drop=True)


def _undecided_anew(labels: pd.DataFrame, since: pd.Series) -> pd.DataFrame:
    """Take back what was decided of an item's earlier content, a frozen label too.

    The rows stay, so that the next revision is still a later one.
    """
    old = (labels["decided_at"] < labels["item_id"].map(since)).to_numpy(dtype=bool)
    if not old.any():
        return labels
    blank = {"value": None, "probs": None, "posterior": np.nan, "method": UNDECIDED, "evidence": ""}
    return labels.assign(**{name: labels[name].where(~old, to) for name, to in blank.items()})


def say(
    state: State,
    events: Sequence[tuple[str, str, int, str | Mapping[str, object]]],
    now: datetime,
) -> None:
    """Append events (kind, subject, revision, body) that were not said before.

    The id of an event is its kind, subject and revision, so saying it again, in a re-run or
    in another process, is saying it once.
    """
    known = set(state.events["event_id"])
    fresh = [e for e in events if f"{e[0]}/{e[1]}/{e[2]}" not in known]
    if not fresh:
        return
    bodies = [b if isinstance(b, str) else canonical_json(b) for _, _, _, b in fresh]
    frame = frame_of(
        EVENTS,
        {
            "event_id": [f"{kind}/{subject}/{revision}" for kind, subject, revision, _ in fresh],
            "kind": [e[0] for e in fresh],
            "subject": [e[1] for e in fresh],
            "revision": [e[2] for e in fresh],
            "body": bodies,
            "at": now,
        },
        len(fresh),
    )
    state.workspace.tables.append("events", frame)
