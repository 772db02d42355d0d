"""Where the rule `audited` stands: which version was looked at, and whether an audit refused it."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from ..autolabel.hypotheses import AUDIT, DRIFT, SPOT, Hypothesis
from ..measure.codes import among
from . import State

__all__ = [
    "audited_before",
    "audited_open",
    "judged_before",
    "refused_until_released",
    "why_not_audited",
]

_REFUTED = (AUDIT, DRIFT, SPOT)
"""Causes of closing after which only a version that has learned more is taken again."""


def audited_open(state: State) -> list[Hypothesis]:
    """Return the looks of this rule that are not closed; there is one at most but for accidents."""
    return [h for h in state.hypotheses if h.audited and not h.closed]


def audited_before(state: State) -> Hypothesis | None:
    """Return the look that another one at the version fitted last goes on with, if there is one."""
    policy, version = state.workspace.policies.accept, state.labeler_version
    for h in reversed(audited_open(state)):
        if h.labeler_version == version and h.since == state.stream_since and h.asks(policy):
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


def refused_until_released(state: State) -> bool:
    """Say whether the audit of a release found too many wrong and none has passed since.

    That audit is all that judges what stands by its posterior. So until a release has passed,
    nothing more of a model's stands, and people decide everything.
    """
    refused = [str(h.number) for h in state.hypotheses if h.audited and h.cause == AUDIT]
    if not refused:
        return False
    said = state.latest("hypothesis")
    closed_at = said.loc[said["subject"].isin(refused), "at"].max()
    released = [str(c.number) for c in state.candidates if c.closed.startswith("released")]
    rows = state.latest("candidate")
    passed = rows.loc[rows["subject"].isin(released), "at"]
    return bool(passed.empty or passed.max() <= closed_at)


def why_not_audited(state: State) -> str:
    """Say why no label may be taken by its posterior now; empty where that is due."""
    version, since = state.labeler_version, state.stream_since
    if refused_until_released(state):
        return "an audit found too many wrong: people decide everything until a release has passed"
    mine = [h for h in state.hypotheses if h.audited and h.labeler_version == version]
    if any(h.closed and h.cause in _REFUTED for h in mine):
        return "this labeler version was closed: the next one is to learn from more labels"
    key, policy = f"{version}/{state.pool}", state.workspace.policies.accept
    same = [h for h in mine if h.key == key and h.since == since and not h.closed]
    return same[-1].reason if any(h.asks(policy) for h in same) else ""
