"""Where the rule `audited` stands: which version was looked at, and whether an audit refused it."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pandas as pd

from ..autolabel.hypotheses import DRIFT, Hypothesis
from ..measure.codes import among
from . import State

__all__ = [
    "audited_before",
    "contradicted",
    "judged_before",
    "kept_by_release",
    "refused_until_released",
    "why_not_audited",
]


def audited_before(state: State) -> Hypothesis | None:
    """Return the look that another one at the version fitted last goes on with, if there is one."""
    policy, version = state.workspace.policies.accept, state.labeler_version
    for h in reversed(state.hypotheses):
        open_ = h.audited and not h.closed
        if open_ and h.labeler_version == version and h.asks(policy):
            return h
    return None


def judged_before(
    state: State, before: Hypothesis, item_ids: npt.NDArray[np.object_]
) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.float64]]:
    """Say which items an earlier look has judged as they are now, and how.

    Parameters
    ----------
    state : State
    before : Hypothesis
    item_ids : (N,) item ids

    Returns
    -------
    (N,) bool array, and (N,) float array with the posterior of those that stand, NaN of others.
    """
    revised = state.revised.index[state.revised > state.looked_at(before)]
    seen = among(item_ids, np.asarray(state.tested_items(before), dtype=object))
    seen &= ~among(item_ids, revised.to_numpy(dtype=object))
    stood = state.accepted_by(before).set_index("item_id")["confidence"]
    return seen, stood.reindex(item_ids).to_numpy(dtype=np.float64)


def _unseen(state: State, before: Hypothesis) -> bool:
    """Say whether anything has a proposal that came, or was revised, since an earlier look."""
    rows = state.current_proposals
    ids = rows.loc[rows["confidence"].notna(), "item_id"].to_numpy(dtype=object)
    return not judged_before(state, before, ids)[0].all()


def contradicted(
    state: State, item_ids: npt.NDArray[np.object_], proposed: pd.Series
) -> npt.NDArray[np.bool_]:
    """Say on which items a blind auditor named another class than a version proposes.

    Parameters
    ----------
    state : State
    item_ids : (N,) item ids
    proposed : (N,) series of canonical JSON or None

    Returns
    -------
    (N,) bool array
    """
    votes = state.outside_audits
    said = votes["item_id"].map(dict(zip(item_ids, proposed, strict=True)))
    against = votes.loc[said.notna() & (said != votes["value"]), "item_id"]
    return among(item_ids, against.to_numpy(dtype=object))


def kept_by_release(state: State, hypothesis: Hypothesis) -> pd.Series:
    """Return the posterior of a hypothesis' labels that the last release, or its audit, has too.

    These were certified. A newer version is no evidence against them: they stay as they are until
    people say otherwise, or their content is another. So do those that an open candidate has: when
    its audit has passed, they are released as they were frozen.

    Parameters
    ----------
    state : State
    hypothesis : Hypothesis

    Returns
    -------
    Float series by item id.
    """
    released = [c for c in state.candidates if c.closed.startswith("released")]
    stood = state.accepted_by(hypothesis).set_index("item_id")
    same = np.zeros(len(stood), dtype=bool)
    for candidate in (*released[-1:], *([state.candidate] if state.candidate else [])):
        certified = state.labels_of(candidate)["value"].reindex(stood.index)
        same |= (certified == stood["value"]).to_numpy(dtype=bool)
    return stood["confidence"].loc[same]


def refused_until_released(state: State) -> bool:
    """Say whether the audit of a release found too many wrong and none has passed since.

    That audit is all that judges what stands by its posterior. So until a release has passed,
    nothing more of a model's stands, and people decide everything; whichever rule was in force
    when it failed, and whatever closed what stood before.
    """
    released = [c.number for c in state.candidates if c.closed.startswith("released")]
    last = max(released, default=0)
    return any(c.refuted for c in state.candidates if c.number > last)


def why_not_audited(state: State) -> str:
    """Say why no label may be taken by its posterior now; empty where that is due."""
    version = state.labeler_version
    if refused_until_released(state):
        return "an audit found too many wrong: people decide everything until a release has passed"
    mine = [h for h in state.hypotheses if h.labeler_version == version]
    # Under whichever rule: what people found of a version they found of it under this one too.
    if any(h.refuted or h.cause == DRIFT for h in mine):
        return "this labeler version was closed: the next one is to learn from more labels"
    before = audited_before(state)
    return "" if before is None or _unseen(state, before) else before.reason
