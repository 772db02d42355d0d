"""What is known of a label set: people's agreement, and the gate's facts."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

import numpy as np

from ..gate.checks import Facts
from ..ingest import forbids
from ..kinds.choice import codes_of
from . import State
from .auditors import auditors_lacking
from .late import judged_already, labels_to_freeze, late_items
from .needs import audit_stalled, budget_spent, work_in_flight
from .overlap import agreement

__all__ = ["agreement", "gate_facts"]


def gate_facts(state: State, now: datetime, split_groups: Mapping[str, str]) -> Facts:
    """Gather what the gate's checks need to know."""
    schema, items, labels = state.workspace.schema, state.present_items, state.frozen
    if state.candidate is None:
        labels = labels_to_freeze(state)
        items = items.loc[~items["item_id"].isin(late_items(state))]
    else:
        # Later items are the next candidate's: neither help nor hindrance to this one.
        known = items["item_id"].isin(labels["item_id"])
        items = items.loc[known | state.came_by(state.candidate, items["item_id"])]
    counts = np.bincount(codes_of(labels["value"], schema), minlength=len(schema.classes))
    # Before there is a label it is said of all items: nobody should label what may not be used.
    inside = items if labels.empty else items.loc[items["item_id"].isin(labels["item_id"])]
    rights = forbids(inside, state.workspace.policies.gate.purpose, now)
    forbidden = dict(zip(inside["item_id"][rights.mask], rights.reasons[rights.mask], strict=True))
    return Facts(
        items=len(items),
        decided=len(labels),
        class_counts={c: int(n) for c, n in zip(schema.classes, counts, strict=True)},
        certificate=None if state.audit is None else state.audit.certificate,
        unaided=0 if state.audit is None else state.audit.unaided,
        confirms=1 if state.audit is None else state.audit.confirms,
        firsts=state.candidate is not None and state.candidate.firsts,
        before_classes=state.before_classes,
        tied=0 if state.audit is None else state.audit.tied,
        lost=0 if state.audit is None else state.audit.lost,
        progress=None if state.audit is None else state.audit.progress,
        agreement=agreement(state),
        forbidden=forbidden,
        open_findings=int(state.suspicions["item_id"].nunique()),
        split_groups=split_groups,
        waiting=work_in_flight(state) or judged_already(state),
        spent=_short_of(state) if state.audit is None else audit_stalled(state),
    )


def _short_of(state: State) -> str:
    """Say what an audit to come will lack: people to look, or votes; empty where it will not."""
    return "; ".join(filter(None, [auditors_lacking(state), budget_spent(state)]))
