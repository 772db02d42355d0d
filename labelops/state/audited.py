"""Where the rule `audited` stands: which version was looked at, and whether an audit refused it."""

from __future__ import annotations

from ..autolabel.hypotheses import AUDIT, DRIFT, SPOT, Hypothesis
from . import State

__all__ = ["audited_open", "refused_until_released", "why_not_audited"]

_REFUTED = (AUDIT, DRIFT, SPOT)
"""Causes of closing after which only a version that has learned more is taken again."""


def audited_open(state: State) -> list[Hypothesis]:
    """Return the looks of this rule that are not closed; there is one at most but for accidents."""
    return [h for h in state.hypotheses if h.audited and not h.closed]


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
