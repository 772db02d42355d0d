"""What blind looks of earlier audits say of single labels: verdicts on the label of then."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pandas as pd

from ..gate.candidate import Candidate
from ..gate.policy import UNIFORM
from ..kinds.choice import codes_of
from ..measure.adjudication import NO_VOTE, PENDING, WRONG, Adjudication
from . import State

__all__ = ["audit_verdicts"]

_NO_EVIDENCE = ("review", "audit")
"""Purposes of votes that the search for label errors does not weigh: they are its verdicts."""


def audit_verdicts(state: State) -> pd.DataFrame:
    """Return what the audits of closed candidates found, label by label.

    Each verdict is on the value that was frozen, also where it was corrected since: an error that
    an audit found is none any more, but is evidence of where errors are.

    Parameters
    ----------
    state : State

    Returns
    -------
    frame with a row for each item and value judged
        ``item_id``; ``value``, the label that was judged; ``wrong``; ``even``, whether every label
        of the set was as likely to be looked at as this one.
    """
    closed = [c for c in reversed(state.candidates) if c.closed]
    parts = [_verdicts(state, candidate) for candidate in closed]
    none = pd.DataFrame({"item_id": [], "value": [], "wrong": [], "even": []}).astype(
        {"item_id": object, "value": object, "wrong": bool, "even": bool}
    )
    found = pd.concat([none, *(part for part in parts if len(part))], ignore_index=True)
    # Candidates that go on with one order share their looks.
    return found.drop_duplicates(["item_id", "value"]).reset_index(drop=True)


def _verdicts(state: State, candidate: Candidate) -> pd.DataFrame:
    labels = state.labels_of(candidate)
    ids = state.audit_order(candidate, labels.index.to_numpy(dtype=object)).ids
    values = labels["value"].reindex(ids)
    same = [c.confirm for c in state.candidates if c.order == candidate.order]
    looks = state.looks(ids, values, state.outside_audits, max(same))
    seen = _as_it_was(state, candidate, ids, values) & (looks.status != NO_VOTE)
    # As in the audit itself: to leave out a doubtful look would leave out errors.
    doubtful = np.flatnonzero(seen & _unsettled(looks, state.workspace.policies.route.max_votes))
    seen[doubtful[0] if len(doubtful) else len(seen) :] = False
    return pd.DataFrame(
        {
            "item_id": ids[seen],
            "value": values[seen].to_numpy(dtype=object),
            "wrong": looks.status[seen] == WRONG,
            "even": candidate.audit == UNIFORM,
        }
    )


def _unsettled(looks: Adjudication, max_votes: int) -> npt.NDArray[np.bool_]:
    """Say where people disagree and somebody else would have to look, whether there is one or not.

    A certificate counts it as an error where nobody is left: in a small team that is most often
    the mistake of the one who looked.
    """
    left = (looks.status == WRONG) & (looks.consensus < 0) & (looks.votes < max_votes)
    found: npt.NDArray[np.bool_] = (looks.status == PENDING) | left
    return found


def _as_it_was(
    state: State, candidate: Candidate, ids: npt.NDArray[np.object_], values: pd.Series
) -> npt.NDArray[np.bool_]:
    """Say of which labels as much is known today as when they were frozen, verdicts apart.

    Where people voted since, the search would know better than it could have known then; where
    the content was revised, the value is another item's. Neither depends on what a look showed.
    """
    rows = state.events.loc[state.events["kind"] == "candidate"]
    frozen_at = rows.loc[rows["subject"] == str(candidate.number), "at"].min()
    votes = state.votes.loc[state.votes["given_at"] > frozen_at]
    later = votes.loc[~votes["purpose"].isin(_NO_EVIDENCE), "item_id"]
    revised = state.revised.index[state.revised > frozen_at]
    moved = pd.Index(ids).isin(pd.Index(later).union(revised))
    found: npt.NDArray[np.bool_] = ~moved & (codes_of(values, state.workspace.schema) >= 0)
    return found
