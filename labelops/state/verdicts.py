"""What blind looks of earlier audits say of single labels: verdicts on the label of then."""

from __future__ import annotations

import json

import numpy as np
import numpy.typing as npt
import pandas as pd

from ..autolabel.hypotheses import REPLACED
from ..gate.candidate import Candidate
from ..gate.policy import UNIFORM
from ..kinds.choice import codes_of
from ..measure.adjudication import NO_VOTE, PENDING, WRONG, Adjudication
from ..measure.codes import among
from . import State

__all__ = ["audit_verdicts"]

_NO_EVIDENCE = ("review", "audit")
"""Purposes of votes that the search for label errors does not weigh: they are its verdicts."""


def audit_verdicts(state: State) -> pd.DataFrame:
    """Return what the audits of closed candidates found, label by label.

    Each verdict is on the value that was frozen, also where it was corrected since: an error that
    an audit found is none any more, but is evidence of where errors are. An audit's looks are those
    that its certificate read: none from before the freeze, none that it did not ask for.

    Parameters
    ----------
    state : State

    Returns
    -------
    frame with a row for each item and value judged
        ``item_id``; ``value``, the label that was judged; ``wrong``; ``even``, whether every label
        of the set was as likely to be looked at as this one; ``able``, whether somebody looked who
        could name each class of now.
    """
    kinds = {"item_id": object, "value": object, "wrong": bool, "even": bool, "able": bool}
    none = pd.DataFrame({name: pd.Series(dtype=kind) for name, kind in kinds.items()})
    parts, last = [none], dict[str, pd.DataFrame]()
    # Once for all: a label set that is released every hour has thousands of candidates.
    firsts, standing, confirms = _first_looks(state), _standing_items(state), dict[str, int]()
    for candidate in state.candidates:
        order = candidate.order
        confirms[order] = max(candidate.confirm, confirms.get(order, candidate.confirm))
    for candidate in state.candidates:
        labels = _with_since(state, candidate, last.get(candidate.order))
        last[candidate.order] = labels
        if not candidate.closed:
            continue
        labels = labels.assign(taken_back=_taken_back(state, labels, standing))
        found = _verdicts(state, candidate, labels, firsts, confirms[candidate.order])
        if len(found):
            parts.append(found)
    found = pd.concat(parts, ignore_index=True)
    # Candidates that go on with one order share their looks.
    return found.drop_duplicates(["item_id", "value"]).reset_index(drop=True)


def _with_since(state: State, candidate: Candidate, before: pd.DataFrame | None) -> pd.DataFrame:
    """Return a candidate's labels with when each was first frozen, as it is, in its order.

    Looks that an order has seen count on: they were given after the first freeze.
    """
    labels = state.labels_of(candidate)
    since = pd.Series(state.frozen_at(candidate), index=labels.index)
    if before is not None:
        same = before["value"].reindex(labels.index) == labels["value"]
        since = since.where(~same, before["since"].reindex(labels.index))
    return labels.assign(since=since)


def _verdicts(
    state: State, candidate: Candidate, labels: pd.DataFrame, firsts: pd.Series, confirms: int
) -> pd.DataFrame:
    """Read the looks of one audit as its certificate does: up to the first that is open.

    What was looked at beyond it was not asked for by this audit, and what people found there may
    have decided whether the label is still in question.
    """
    ids = state.audit_order(candidate, labels.index.to_numpy(dtype=object)).ids
    labels = labels.loc[ids]
    values = labels["value"]
    looks = state.looks(ids, values, state.outside_audits, confirms)
    first = firsts.reindex(ids)
    early = (first <= labels["since"]).to_numpy(dtype=bool)
    there = ~labels["taken_back"].to_numpy(dtype=bool)
    kept = ~early & _as_it_was(state, candidate, labels) & there
    asked = ~first.isna().to_numpy() | among(ids, _left_to_nobody(state))
    # As in the audit itself: to leave out a doubtful look would leave out errors.
    doubtful = _unsettled(looks, state.workspace.policies.route.max_votes)
    ends = np.flatnonzero(kept & (doubtful | ~asked))
    seen = kept & (looks.status != NO_VOTE)
    seen[ends[0] if len(ends) else len(seen) :] = False
    return pd.DataFrame(
        {
            "item_id": ids[seen],
            "value": values[seen].to_numpy(dtype=object),
            "wrong": looks.status[seen] == WRONG,
            "even": candidate.audit == UNIFORM,
            "able": among(ids[seen], state.able(state.outside_audits)["item_id"]),
        }
    )


def _first_looks(state: State) -> pd.Series:
    """When each item was first looked at blind, by anybody: also where that vote counts no more.

    What was looked at before it was frozen has no verdict here. Where that look found an error, the
    label was changed since, and might even rest on these votes; another audit, which drew it by
    other chances, has its verdict; and only where it left a doubt do people look again.
    """
    rows = state.votes.loc[(state.votes["purpose"] == "audit") & (state.votes["status"] == "given")]
    return rows.groupby("item_id")["given_at"].min()


def _left_to_nobody(state: State) -> npt.NDArray[np.object_]:
    """Items that an audit may have asked nobody about: three people or more had looked."""
    looked = state.lookers_ever
    found: npt.NDArray[np.object_] = looked.index[looked >= 3].to_numpy(dtype=object)
    return found


def _standing_items(state: State) -> pd.Series:
    """Items that acceptances which stand accept now."""
    accepted = [state.accepted_by(h)["item_id"] for h in state.standing]
    return pd.concat([*accepted, pd.Series(dtype=object)])


def _taken_back(state: State, labels: pd.DataFrame, standing: pd.Series) -> npt.NDArray[np.bool_]:
    """Say which labels were a model's under an acceptance that was closed since.

    People are asked about all of these but those that the audit corrected: their votes would take
    the right ones out and leave the wrong ones. A version that another one replaced took back only
    what the other one is not sure of.
    """
    rows = labels.loc[labels["method"] == "accepted"]
    said = {text: int(json.loads(text)["hypothesis"]) for text in rows["evidence"].unique()}
    under = rows["evidence"].map(said)
    voided = [h.number for h in state.hypotheses if h.closed and h.cause != REPLACED]
    stands = rows.index.isin(standing)
    own = under.isin([h.number for h in state.standing]) | (under > max(voided, default=0))
    gone = rows.index[~(stands & own.to_numpy(dtype=bool))]
    found: npt.NDArray[np.bool_] = labels.index.isin(gone)
    return found


def _unsettled(looks: Adjudication, max_votes: int) -> npt.NDArray[np.bool_]:
    """Say where people disagree and somebody else would have to look, whether there is one or not.

    A certificate counts it as an error where nobody is left: in a small team that is most often
    the mistake of the one who looked.
    """
    left = (looks.status == WRONG) & (looks.consensus < 0) & (looks.votes < max_votes)
    found: npt.NDArray[np.bool_] = (looks.status == PENDING) | left
    return found


def _as_it_was(state: State, candidate: Candidate, labels: pd.DataFrame) -> npt.NDArray[np.bool_]:
    """Say of which labels as much is known today as when they were frozen, verdicts apart.

    Where people voted since, the search would know better than it could have known then; where
    the content was revised, the value is another item's. Neither depends on what a look showed.
    """
    frozen_at = state.frozen_at(candidate)
    votes = state.votes.loc[state.votes["given_at"] > frozen_at]
    later = votes.loc[~votes["purpose"].isin(_NO_EVIDENCE), "item_id"]
    revised = state.revised.index[state.revised > frozen_at]
    moved = labels.index.isin(pd.Index(later).union(revised))
    known = codes_of(labels["value"], state.workspace.schema) >= 0
    found: npt.NDArray[np.bool_] = ~moved & known
    return found
