"""Consolidate: votes that count become labels, or stay open for want of evidence."""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime

import numpy as np
import pandas as pd

from ..consolidate.labels import changed_labels
from ..digest import canonical_json
from ..errors import ConflictError
from ..gate.candidate import ADJUDICATED
from ..kinds.choice import values_of
from ..state import HASTE, Event, State, Workspace, decide, load, say
from ..state.drift import next_drift_look
from ..state.gold import gold_alarms, newly_watched
from ..state.people import annotator_table, find_ties
from ..tables import LABELS, frame_of
from .acceptance import close_void

__all__ = ["Consolidated", "consolidate", "up_to_date"]

_ATTEMPTS = 50


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
    closed : tuple of str
        Why acceptances were closed just now; what they had accepted goes back to people.
    method, reason : str
        How votes were weighed, and why so.
    tied : tuple of tuple of str
        Annotators who were found just now to copy each other: their votes count once.
    cleared : tuple of str
        Annotators flagged for haste who were shown just now to be right: their votes count again.
    alarm : str
        How the random stream has changed, if that was found just now; else empty.
    """

    changed: int
    decided: int
    undecided: int
    accepted: int
    corrected: int
    flagged: tuple[str, ...]
    closed: tuple[str, ...]
    method: str
    reason: str
    alarm: str = ""
    tied: tuple[tuple[str, ...], ...] = ()
    cleared: tuple[str, ...] = ()


def _withdraw_split(state: State) -> tuple[None, list[Event]]:
    """Withdraw a candidate some of whose labels were taken back, because their class was split."""
    if state.candidate is None or not state.taken_apart:
        return None, []
    ended = replace(state.candidate, closed="withdrawn: a class was split")
    return None, [state.next_event("candidate", str(ended.number), ended.to_body())]


def consolidate(workspace: Workspace, *, now: datetime) -> Consolidated:
    """Decide labels from the votes that count, or say that the evidence is not enough."""
    decide(workspace, _withdraw_split, now)
    state = load(workspace)
    # First: who copies whom would pass for two who agree, and speak against the others.
    tied = _tie_annotators(state, now)
    if tied:
        state = load(workspace)
    if watched := newly_watched(state):
        say(state, watched, now)
    flagged, cleared = decide(workspace, _flag_annotators, now)
    alarm = decide(workspace, _watch_drift, now)
    closed = close_void(workspace, now)
    state, changed, corrected = _write_labels(workspace, now)
    consensus = state.decided[0]
    if state.votes_came:
        number = state.last_consolidated[0]
        say(state, [("consolidated", "votes", number + 1, {"votes": state.votes_digest})], now)
    left = load(workspace)
    after = left.labels.loc[~left.labels["item_id"].isin(left.withdrawn_ids)]
    decided = after["value"].notna()
    return Consolidated(
        changed=len(changed),
        decided=int(decided.sum()),
        undecided=int((~decided).sum()),
        accepted=int((after["method"] == "accepted").sum()),
        corrected=len(corrected),
        flagged=flagged,
        cleared=cleared,
        closed=closed,
        method=consensus.method,
        reason=consensus.reason,
        alarm=alarm,
        tied=tied,
    )


def _watch_drift(state: State) -> tuple[str, list[Event]]:
    """Look at the random stream if there is anything new in it; return an alarm in words."""
    due = next_drift_look(state)
    if due is None:
        return "", []
    return str(due[1]["alarm"]), [("drift", str(due[0]), 0, due[1])]


def _write_labels(workspace: Workspace, now: datetime) -> tuple[State, pd.DataFrame, pd.DataFrame]:
    """Append the labels that changed; return what they follow from, those, and corrections.

    Where another process decided labels meanwhile they are decided anew on top of its: of two
    revisions the later one rests on the later votes.
    """
    for _ in range(_ATTEMPTS):
        state = load(workspace)
        revision = 1 + (int(state.labels["revision"].max()) if len(state.labels) else 0)
        rows = state.decided[1].assign(revision=revision, decided_at=pd.Timestamp(now))
        adjudicated = state.labels.loc[state.labels["method"] == ADJUDICATED, "item_id"]
        # Of what was withdrawn nothing is decided: taken back, it has the label that it had.
        out = pd.Series(state.withdrawn_ids, dtype=object)
        fixed = pd.concat([state.frozen["item_id"], adjudicated, out])
        changed = changed_labels(rows, state.labels, fixed)
        corrected = _corrections(state, revision, now)
        every = pd.concat([changed, corrected], ignore_index=True)
        with suppress(ConflictError):
            workspace.tables.append("labels", every, after=state.versions["labels"])
            return state, changed, corrected
    raise ConflictError("labels: others decided some at each attempt; run again")


def up_to_date(workspace: Workspace, now: datetime) -> State:
    """Load the state; first decide labels from votes whose collecting run died before that."""
    decide(workspace, _withdraw_split, now)
    state = load(workspace)
    if state.votes_came:
        consolidate(workspace, now=now)
        state = load(workspace)
    return state


def _tie_annotators(state: State, now: datetime) -> tuple[tuple[str, ...], ...]:
    """Make one voice of those who copy each other; their first vote on an item counts."""
    ties = find_ties(state)
    bodies = [{"annotators": list(tie.annotators), "reason": tie.reason} for tie in ties]
    names = [" + ".join(tie.annotators) for tie in ties]
    say(
        state,
        [("annotators_tied", name, 0, body) for name, body in zip(names, bodies, strict=True)],
        now,
    )
    return tuple(tie.annotators for tie in ties)


def _flag_annotators(state: State) -> tuple[tuple[tuple[str, ...], ...], list[Event]]:
    """Judge people by gold and by what others, the model among them, are sure of.

    Returns who is flagged and who is cleared just now, and the events.
    """
    judged = annotator_table(state)
    # Evidence against the answers themselves is for good; that somebody is quick is not.
    known = set(state.flagged) - (set(state.hasty) - set(judged.loc[judged["hasty"], "annotator"]))
    new = judged.loc[judged["flagged"] & ~judged["annotator"].isin(known)]
    found: dict[str, dict[str, object]] = {
        row.annotator: {"reason": row.reason, **({"cause": HASTE} if row.hasty else {})}
        for row in new.itertuples()
    }
    # Who is bad altogether loses all votes; who went bad, only those since then.
    found |= {name: body for name, body in gold_alarms(state).items() if name not in found}
    right = judged.loc[judged["shown"] & judged["annotator"].isin(state.hasty)]
    ended: dict[str, dict[str, object]] = {
        row.annotator: {"cleared": f"right on {row.right} of {row.judged} judged votes"}
        for row in right.itertuples()
    }
    said = [state.next_event("annotator_flagged", *one) for one in (found | ended).items()]
    return (tuple(sorted(found)), tuple(sorted(ended))), said


def _corrections(state: State, revision: int, now: datetime) -> pd.DataFrame:
    """Write a new label wherever an audit of the open candidate settled on another class."""
    audit = state.audit
    if audit is None:
        return state.labels.iloc[:0]
    found = audit.wrong & (audit.correction >= 0)
    ids = audit.planned.ids[found]
    votes = state.judging[0].groupby("item_id")["vote_id"].agg(sorted).reindex(ids)
    old = state.labels.set_index("item_id").loc[ids]
    # Who corrected it before had a part in it too, and audits it no more.
    before = np.where(old["method"] == ADJUDICATED, old["evidence"], '{"votes":[]}')
    return frame_of(
        LABELS,
        {
            "item_id": ids,
            "revision": revision,
            "value": values_of(audit.correction[found], state.workspace.schema),
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
