"""What people are asked about so that the labeler can learn, and what waits until it has."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import sparse

from ..autolabel.policy import AUDITED, NEVER
from ..gate.candidate import ADJUDICATED
from ..kinds.choice import codes_of
from ..measure.chosen import ActiveSelection, TrainingSet, choose_active, training_set
from ..measure.codes import among
from ..parts import as_a_part
from ..ports import Features
from ..route.active import CANDIDATES, diverse_choice, until_learned_anew
from ..route.policy import DIVERSE
from . import State
from .audited import refused_until_released
from .drift import stream_items
from .rows import last_body
from .votes import majority_codes

__all__ = ["asked_now", "training_rows"]


def training_rows(state: State) -> TrainingSet:
    """Return items people labeled, with code; none of the random stream, or corrected."""
    schema = state.workspace.schema
    votes = state.evidence.loc[state.evidence["purpose"] != "calibrate"]
    majority = majority_codes(votes, schema)
    labels = state.labels.loc[state.labels["value"].notna()].set_index("item_id")
    labels = labels.loc[~labels["method"].isin(["accepted", ADJUDICATED])]
    decided = pd.Series(codes_of(labels["value"], schema), index=labels.index, dtype=np.float64)
    both = decided.reindex(votes["item_id"].unique()).combine_first(majority).dropna()
    # Drift compares what the model says of the stream then and now: it learns from none of it,
    # though a growing set draws a sample that leaves some of the earlier items out.
    stream = [*state.calibration_stream.ids, *stream_items(state)["item_id"]]
    kept = both.loc[~both.index.isin([*stream, *state.withdrawn])].sort_index()
    return training_set(kept.index, kept, apart_from=[state.calibration_stream])


def asked_now(
    state: State, ids: npt.NDArray[np.object_], features: Features | None
) -> npt.NDArray[np.bool_]:
    """Say which undecided items to ask about now.

    All, once acceptance was tried on them (or never will be); before, what is begun and as
    many new ones as the labeler needs to learn from. Under the rule `audited` that goes on: as
    many new ones as the next version waits for, which may be sure of the rest; once nothing is
    left to begin with, all that is in doubt.

    While the labeler cannot be asked, what it may spare people waits for it, for a while.

    Parameters
    ----------
    state : State
    ids : (N,) item ids without a label
    features : callable or None
        For the order `diverse`; without them the order is `doubt`.
    """
    policy = state.workspace.policies
    audited = policy.accept.rule == AUDITED
    if policy.accept.rule == NEVER or (audited and refused_until_released(state)):
        return np.ones(len(ids), dtype=bool)
    if _given_up(state) or (not audited and state.acceptance_tried):
        return np.ones(len(ids), dtype=bool)
    learned = state.evidence.loc[state.evidence["purpose"] != "calibrate", "item_id"].unique()
    first = state.labeler_version is None
    untried = not audited and not len(state.calibration_stream)
    short = _short_of_rows(state)
    never = untried or (first and state.unasked is None)
    if never and (short <= 0 or not first) and len(learned) >= state.training_enough:
        # Nothing to try acceptance on, or nothing to try: nobody waits for what never comes.
        return np.ones(len(ids), dtype=bool)
    seats = state.open_seats
    # What was chosen and has no answer yet stays chosen, whatever else became known meanwhile.
    asked = among(ids, seats.loc[seats["purpose"] == "label", "item_id"])
    begun = (state.given(ids, "label") > 0) | asked
    seed = min(policy.route.seed, state.training_target)
    # A seed of one class alone teaches nothing: there it is followed by more of the same.
    target = seed if first and len(learned) < seed else state.training_target
    # Nothing of the calibration sample is learned from, so none of it is chosen for that.
    apart = among(ids, state.calibration_stream.ids)
    coming = ids[asked & ~apart & ~among(ids, learned)]
    size, fresh = max(target - len(learned), short) - len(coming), ids[~begun & ~apart]
    if not len(fresh) and (audited or short > len(coming)):
        # Nothing is ever tried, so the calibration sample waits for nothing either.
        return np.ones(len(ids), dtype=bool)
    if audited and not first:
        size = max(size, _until_the_next(state, ids[begun & ~apart]))
    if first:
        chosen = state.workspace.sample("seed", fresh, size).ids
    else:
        known = np.concatenate([learned, coming])
        chosen = _to_learn_from(state, fresh, size, known, features).ids
    now: npt.NDArray[np.bool_] = begun | among(ids, chosen)
    return now


def _given_up(state: State) -> bool:
    """Say whether nobody waits for a labeler that cannot be asked.

    It has been away for too long, or was tried and nothing of it stands.
    """
    tried = any(h.labeler_version == state.labeler_version for h in state.hypotheses)
    unasked = state.unasked
    return unasked is not None and (unasked.given_up or (tried and not state.standing))


def _short_of_rows(state: State) -> int:
    """Count the labels to learn from that lack for a first version, or for one to be tried.

    They lack where people disagree on what both were asked at once, and where labels are nothing
    to learn from any more: of withdrawn items, or of those that the random sample came to hold.
    """
    first = state.labeler_version is None
    if not first and state.workspace.policies.accept.rule == AUDITED:
        return 0
    enough = state.seed_enough if first else state.training_enough
    return math.ceil(enough - len(training_rows(state)))


def _until_the_next(state: State, begun: npt.NDArray[np.object_]) -> int:
    """Count the items to begin with, beside those that are begun, until there is a new version."""
    rows = training_rows(state)
    coming = int((~among(begun, rows.ids)).sum())
    fitted, growth = last_body(state.fits)["items"], state.workspace.policies.accept.growth
    return until_learned_anew(int(fitted), len(rows), coming, growth)


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
    # Whoever plans may go on by doubt alone where they cannot be had.
    with as_a_part():
        found = features(state.items.iloc[places[places >= 0]].reset_index(drop=True))
    points = found.toarray() if sparse.issparse(found) else found
    doubt = np.maximum(_uncertainty(state, near), 0.0)
    order = diverse_choice(doubt, points[: len(near)], size, points[len(near) :])
    return choose_active(near[order], -np.arange(len(order)), size, apart_from=apart)


def _uncertainty(state: State, ids: npt.NDArray[np.object_]) -> npt.NDArray[np.float64]:
    """Return how unsure the model is of each item, in [0, 1].

    What it was not asked about yet, and may be sure of, comes after all others, as it is drawn.
    """
    said = state.current_proposals.set_index("item_id")["confidence"]
    value: npt.NDArray[np.float64] = 1.0 - said.reindex(ids).fillna(0.0).to_numpy(dtype=np.float64)
    later = ~among(ids, said.index.to_numpy(dtype=object))
    value[later] = -state.workspace.draws("seed", ids[later])
    return value
