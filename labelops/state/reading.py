"""Reading a workspace: every table collapsed, and what is about earlier content left out."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
import pandas as pd

from ..consolidate.labels import UNDECIDED
from ..kinds.choice import codes_of, renamed, values_of
from ..measure.codes import among
from ..route.plan import SEAT, Seat
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
    newest,
)
from .labels import State
from .splits import Split, left_out, splits_of
from .withdrawn import out_when_frozen, read_withdrawals, without_labels
from .workspace import Workspace

__all__ = ["content_came", "load", "load_events"]


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
            now = newest(spec, read)
            came = content_came(read, now) if spec is ITEMS else None
            known = (versions[spec.name], now, came)
            workspace.cache[spec.name] = known
        frame: pd.DataFrame = known[1]
        return frame

    schema, items, events = workspace.schema, rows(ITEMS), rows(EVENTS)
    out = np.array(sorted(out_when_frozen(read_withdrawals(events))), dtype=object)
    arrived, since = workspace.cache[ITEMS.name][2]
    splits = _splits(workspace, events, rows(VOTES), versions)
    plan, outdated = _planned(rows(PLAN), since)
    given = rows(VOTES)
    votes = _still_about(given, "given_at", since)
    votes, taken_back = _without(votes.loc[~_in_seats(votes, outdated)], splits)
    human = _by_people(votes)
    left_out = given.loc[~given["vote_id"].isin(votes["vote_id"])]
    proposals = rows(PROPOSALS)
    proposals = proposals.loc[proposals["schema_digest"] == schema.digest].reset_index(drop=True)
    labels = _undecided_anew(_in_words_of(rows(LABELS), schema), since)
    labels, had = without_labels(_taken_back(labels, splits), out)
    return State(
        workspace=workspace,
        items=items,
        votes=votes.loc[human].reset_index(drop=True),
        machine_votes=votes.loc[~human].reset_index(drop=True),
        plan=plan,
        outdated=outdated,
        left_out=left_out.loc[_by_people(left_out)].reset_index(drop=True),
        proposals=_still_about(proposals, "proposed_at", since),
        labels=labels,
        findings=_without_findings(_renamed(rows(FINDINGS), schema), splits, events),
        events=events,
        arrived=arrived,
        revised=since,
        splits=splits,
        taken_back=taken_back,
        versions=versions,
        withdrawn_labels=had,
    )


def _by_people(votes: pd.DataFrame) -> npt.NDArray[np.bool_]:
    names = votes["annotator"]
    people = [name for name in names.unique() if name.startswith("human:")]
    found: npt.NDArray[np.bool_] = names.isin(people).to_numpy(dtype=bool)
    return found


def _splits(
    workspace: Workspace, events: pd.DataFrame, votes: pd.DataFrame, versions: Mapping[str, int]
) -> tuple[Split, ...]:
    """Return the classes that others were cut out of, with the items that they had before."""
    if not workspace.schema.splits:
        return ()
    bodies = tuple(events.loc[events["kind"] == "schema", "body"])
    key = (versions[LABELS.name], versions[VOTES.name], bodies)
    known = workspace.cache.get("splits")
    if known is None or known[0] != key:
        columns = ["item_id", "value", "revision", "schema_digest"]
        labels = workspace.tables.read(LABELS.name, columns=columns)
        known = (key, splits_of(workspace.schema, bodies, labels, votes))
        workspace.cache["splits"] = known
    found: tuple[Split, ...] = known[1]
    return found


def _without(
    votes: pd.DataFrame, splits: tuple[Split, ...]
) -> tuple[pd.DataFrame, frozenset[Seat]]:
    """Leave out what people said of a class before it was split, and return whose seats that is."""
    if not splits:
        return votes, frozenset()
    gone = left_out(votes, splits)
    seats = votes.loc[gone, ["item_id", "round", "purpose"]].itertuples(index=False, name=None)
    return votes.loc[~gone].reset_index(drop=True), frozenset(seats)


def _without_findings(
    findings: pd.DataFrame, splits: tuple[Split, ...], events: pd.DataFrame
) -> pd.DataFrame:
    """Leave out suspicions of labels that were taken back: nobody corrected them."""
    if not splits:
        return findings
    schemas = events.loc[events["kind"] == "schema"]
    gone = np.zeros(len(findings), dtype=bool)
    for split in splits:
        since = schemas.loc[~schemas["subject"].isin(list(split.before)), "at"].min()
        earlier = (findings["found_at"] < since).to_numpy(dtype=bool)
        same = (findings["value"] == split.value).to_numpy(dtype=bool)
        gone |= same & earlier & among(findings["item_id"], split.items)
    gone &= ~findings["planted"].to_numpy(dtype=bool)
    return findings.loc[~gone].reset_index(drop=True)


def load_events(workspace: Workspace) -> State:
    """Read the events only; the other tables are empty."""
    rest = {t.name: empty(t) for t in (ITEMS, VOTES, PLAN, PROPOSALS, LABELS, FINDINGS)}
    versions = {"events": workspace.tables.version("events")}
    events = newest(EVENTS, workspace.tables.read("events"))
    return State(workspace, events=events, versions=versions, **rest)


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


def _renamed(findings: pd.DataFrame, schema: Schema) -> pd.DataFrame:
    """Say suspicions in the present class names, as labels are: a new name corrects nothing."""
    if not schema.renames:
        return findings
    return findings.assign(
        value=renamed(findings["value"], schema), suggestion=renamed(findings["suggestion"], schema)
    )


def content_came(history: pd.DataFrame, items: pd.DataFrame) -> tuple[pd.Series, pd.Series]:
    """Return when each item's present content came, and that of items whose content was revised.

    Both by item id, the former in the order of `items`, the newest rows of the history. A row that
    only says more of an item, as under which licence it is, brings no content. Content that comes
    back came last, not when it was there before: what was said meanwhile is about another.
    """
    came = items.set_index("item_id")["ingested_at"]
    rows = history.loc[history["item_id"].duplicated(keep=False)]
    if rows.empty:
        return came, came.iloc[:0]
    rows = rows.sort_values(["item_id", "revision", "ingested_at"], kind="stable")
    content = ["item_id", "payload_digest"]
    brought = rows.loc[~rows[content].eq(rows[content].shift()).all(axis=1)]
    present = brought.merge(items[content], on=content).drop_duplicates("item_id", keep="last")
    came.loc[present["item_id"]] = present["ingested_at"].to_numpy()
    revised = brought.loc[brought["item_id"].duplicated(), "item_id"]
    return came, came.loc[came.index.isin(revised)]


def _still_about(rows: pd.DataFrame, column: str, since: pd.Series) -> pd.DataFrame:
    """Drop what was said about an item's earlier content."""
    if since.empty:
        return rows
    changed = rows["item_id"].map(since)
    return rows.loc[~(rows[column] < changed)].reset_index(drop=True)


def _planned(plan: pd.DataFrame, since: pd.Series) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return what was asked of present contents, and what was asked of earlier ones."""
    if since.empty:
        return plan, plan.iloc[:0]
    old = (plan["planned_at"] < plan["item_id"].map(since)).to_numpy(dtype=bool)
    return plan.loc[~old].reset_index(drop=True), plan.loc[old].reset_index(drop=True)


def _in_seats(votes: pd.DataFrame, outdated: pd.DataFrame) -> npt.NDArray[np.bool_]:
    """Tell which votes answer what was asked of earlier content, whenever they were given.

    A queue shows what was sent to it: whoever answers late has seen the earlier content.
    """
    found = np.zeros(len(votes), dtype=bool)
    if len(outdated):
        near = votes["item_id"].isin(outdated["item_id"].unique()).to_numpy(dtype=bool)
        asked = pd.MultiIndex.from_frame(outdated[SEAT])
        found[near] = pd.MultiIndex.from_frame(votes.loc[near, SEAT]).isin(asked)
    return found


def _undecided_anew(labels: pd.DataFrame, since: pd.Series) -> pd.DataFrame:
    """Take back what was decided of an item's earlier content, a frozen label too.

    The rows stay, so that the next revision is still a later one.
    """
    if since.empty:
        return labels
    return _blank(labels, (labels["decided_at"] < labels["item_id"].map(since)).to_numpy(bool))


def _taken_back(labels: pd.DataFrame, splits: tuple[Split, ...]) -> pd.DataFrame:
    """Take back labels of a class from before others were cut out of it."""
    for split in splits:
        labels = _blank(labels, split.about(labels))
    return labels


def _blank(labels: pd.DataFrame, old: npt.NDArray[np.bool_]) -> pd.DataFrame:
    if not old.any():
        return labels
    blank = {"value": None, "probs": None, "posterior": np.nan, "method": UNDECIDED, "evidence": ""}
    return labels.assign(**{name: labels[name].where(~old, to) for name, to in blank.items()})
