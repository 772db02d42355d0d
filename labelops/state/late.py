"""What the next candidate goes without: items that came too late to be waited for.

Where items keep coming there is always one that waits for people, and never a moment at which all
are decided. So labels wait for later items only so long; then those that arrived before the first
item that still waits are frozen, all of them: which they are does not depend on their labels.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pandas as pd

from ..measure.adjudication import NO_VOTE, PENDING
from ..measure.codes import among
from ..route.needs import adjudication_needs, sample_needs
from . import State

__all__ = ["calibration_needs", "judged_already", "labels_to_freeze", "late_items"]


_TABLES = ("items", "votes", "plan", "proposals", "labels", "events")
"""What it depends on which items are late."""


def calibration_needs(state: State) -> list[pd.DataFrame]:
    """Ask for looks at the calibration sample, as needs frames."""
    sample, looks = state.calibration_stream, state.calibration_looks
    given = state.given(sample.ids, "calibrate")
    unseen = looks.status == NO_VOTE
    needs = [sample_needs(sample, given, unseen, "calibrate")]
    if state.to_be_tried:
        # What the labeler was not asked about yet has nothing that a vote could disagree with.
        asked = among(sample.ids, state.current_proposals["item_id"].to_numpy(dtype=object))
        pending = (looks.status == PENDING) & asked
        needs.append(adjudication_needs(sample.ids, given, pending, "calibrate", looks.needed))
    return needs


def late_items(state: State) -> npt.NDArray[np.object_]:
    """Return the items that the next candidate does not wait for, in id order.

    All that arrived, as they are now, with the first item that still waits for people or after it;
    none where everything may be waited for: nothing waits, no label that was not released arrived
    `[gate] wait_days` before the newest item, or something of the last release waits that has not
    changed since.
    """
    # A state may be looked at as it was before its last release.
    rest = (state.last_release, None if state.candidate is None else state.candidate.number)
    return state.kept("late", _TABLES, rest, lambda: _late_items(state))


def _late_items(state: State) -> npt.NDArray[np.object_]:
    none: npt.NDArray[np.object_] = np.empty(0, dtype=object)
    days = state.workspace.policies.gate.wait_days
    if not days:
        return none
    waiting = [rows["item_id"].to_numpy(dtype=object) for rows in calibration_needs(state)]
    waits = among(state.item_ids, np.concatenate([state.undecided, *waiting]))
    waits &= ~among(state.item_ids, state.withdrawn_ids)
    if not waits.any():
        return none
    arrived = state.arrived.reindex(state.item_ids)
    late = (arrived >= arrived[waits].min()).to_numpy()
    released = among(state.item_ids, state.released_items)
    if (late & released & (arrived <= state.last_release).to_numpy()).any():
        return none
    labeled = state.labels.loc[state.labels["value"].notna(), "item_id"].to_numpy(dtype=object)
    new = among(state.item_ids, labeled) & ~late & ~released
    # NaT where there are none, which is no longer than anything.
    waited = arrived.max() - arrived[new].min()
    return state.item_ids[late] if waited >= pd.Timedelta(days=days) else none


def labels_to_freeze(state: State) -> pd.DataFrame:
    """Return the labels that the next candidate would have: all but those of late items."""
    labels = state.labels.loc[state.labels["value"].notna()]
    late = late_items(state)
    return labels.loc[~labels["item_id"].isin(late)] if len(late) else labels


def judged_already(state: State) -> str:
    """Say why the labels as they stand are no new candidate; empty if they may be one."""
    return state.tried_before(labels_to_freeze(state))
