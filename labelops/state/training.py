"""What people are asked about so that the labeler can learn, and what waits until it has."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import sparse

from ..measure.codes import among
from ..measure.samples import ActiveSelection, choose_active
from ..ports import Features
from ..route.active import CANDIDATES, diverse_choice
from ..route.policy import DIVERSE
from . import State

__all__ = ["asked_now"]


def asked_now(
    state: State, ids: npt.NDArray[np.object_], features: Features | None
) -> npt.NDArray[np.bool_]:
    """Say which undecided items to ask about now.

    All, once acceptance was tried on them (or never will be); before, what is begun and as
    many new ones as the labeler needs to learn from.

    Parameters
    ----------
    state : State
    ids : (N,) item ids without a label
    features : callable or None
        For the order `diverse`; without them the order is `doubt`.
    """
    policy = state.workspace.policies
    if policy.accept.rule == "never" or state.acceptance_tried:
        return np.ones(len(ids), dtype=bool)
    learned = state.evidence.loc[state.evidence["purpose"] != "calibrate", "item_id"].unique()
    if not len(state.calibration_stream) and len(learned) >= state.training_enough:
        # Nothing to try acceptance on: nobody waits for a test that never comes.
        return np.ones(len(ids), dtype=bool)
    seats = state.open_seats
    # What was chosen and has no answer yet stays chosen, whatever else became known meanwhile.
    asked = among(ids, seats.loc[seats["purpose"] == "label", "item_id"])
    begun = (state.given(ids, "label") > 0) | asked
    first = state.labeler_version is None
    target = min(policy.route.seed, state.training_target) if first else state.training_target
    # Nothing of the calibration sample is learned from, so none of it is chosen for that.
    apart = among(ids, state.calibration_stream.ids)
    coming = ids[asked & ~apart & ~among(ids, learned)]
    size, fresh = target - len(learned) - len(coming), ids[~begun & ~apart]
    if first:
        chosen = state.workspace.sample("seed", fresh, size).ids
    else:
        known = np.concatenate([learned, coming])
        chosen = _to_learn_from(state, fresh, size, known, features).ids
    now: npt.NDArray[np.bool_] = begun | among(ids, chosen)
    return now


def _to_learn_from(
    state: State,
    fresh: npt.NDArray[np.object_],
    size: int,
    known: npt.NDArray[np.object_],
    features: Features | None,
) -> ActiveSelection:
    """Choose what the labeler is unsure of and, in the order `diverse`, not one thing twice."""
    unsure, apart = _uncertainty(state, fresh), [state.calibration_stream]
    diverse = state.workspace.policies.route.order == DIVERSE
    if not diverse or features is None or not 0 < size < len(fresh):
        return choose_active(fresh, unsure, size, apart_from=apart)
    near = choose_active(fresh, unsure, math.ceil(CANDIDATES * size), apart_from=apart).ids
    places = pd.Index(state.item_ids).get_indexer(np.concatenate([near, known]))
    found = features(state.items.iloc[places[places >= 0]].reset_index(drop=True))
    points = found.toarray() if sparse.issparse(found) else found
    doubt = _uncertainty(state, near)
    order = diverse_choice(doubt, points[: len(near)], size, points[len(near) :])
    return choose_active(near[order], -np.arange(len(order)), size, apart_from=apart)


def _uncertainty(state: State, ids: npt.NDArray[np.object_]) -> npt.NDArray[np.float64]:
    known = state.current_proposals.set_index("item_id")["confidence"].reindex(ids)
    value: npt.NDArray[np.float64] = 1.0 - known.fillna(0.0).to_numpy(dtype=np.float64)
    return value
