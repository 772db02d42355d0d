"""What is known of a label set: people's accuracy and agreement, and the gate's facts."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

import numpy as np
import pandas as pd

from ..audit.annotators import judge_annotators
from ..digest import seed_of
from ..gate.checks import Facts
from ..ingest import forbids
from ..kinds.choice import codes_of
from ..measure.agreement import AgreementResult, krippendorff_alpha
from ..tables import VOTES, frame_of
from . import EVIDENCE, State
from .needs import work_in_flight

__all__ = ["agreement", "annotator_table", "gate_facts"]


def annotator_table(state: State) -> pd.DataFrame:
    """Return every annotator's accuracy with interval, and whether it is too low."""
    workspace = state.workspace
    rows = state.votes.loc[state.votes["purpose"].isin((*EVIDENCE, "gold"))]
    asked = state.current_proposals.loc[
        state.current_proposals["item_id"].isin(rows["item_id"])
        & state.current_proposals["value"].notna()
    ]
    voices = pd.concat([rows, _as_votes(asked)], ignore_index=True)
    return judge_annotators(
        voices,
        workspace.schema,
        gold=state.gold,
        floor=workspace.policies.audit.annotator_floor,
    )


def _as_votes(proposals: pd.DataFrame) -> pd.DataFrame:
    """Write held-out proposals as votes of the model, for judging people by one more voice."""
    return frame_of(
        VOTES,
        {
            "vote_id": "proposal:" + proposals["item_id"],
            "revision": 0,
            "item_id": proposals["item_id"],
            "annotator": proposals["labeler"],
            "value": proposals["value"],
            "status": "given",
            "purpose": "label",
            "round": 1,
            "saw_proposal": False,
            "queue": "labeler",
            "schema_digest": proposals["schema_digest"],
            "given_at": proposals["proposed_at"],
        },
        len(proposals),
    )


def gate_facts(state: State, now: datetime, split_groups: Mapping[str, str]) -> Facts:
    """Gather what the gate's checks need to know."""
    schema = state.workspace.schema
    labels = state.labels.loc[state.labels["value"].notna()]
    counts = np.bincount(codes_of(labels["value"], schema), minlength=len(schema.classes))
    inside = state.items.loc[state.items["item_id"].isin(labels["item_id"])]
    rights = forbids(inside, state.workspace.policies.gate.purpose, now)
    forbidden = dict(zip(inside["item_id"][rights.mask], rights.reasons[rights.mask], strict=True))
    return Facts(
        items=len(state.items),
        decided=len(labels),
        class_counts={c: int(n) for c, n in zip(schema.classes, counts, strict=True)},
        certificate=None if state.audit is None else state.audit.certificate,
        agreement=agreement(state),
        forbidden=forbidden,
        open_findings=int(state.suspicions["item_id"].nunique()),
        split_groups=split_groups,
        waiting=work_in_flight(state),
    )


def agreement(state: State) -> AgreementResult:
    """Krippendorff's α between people on the random overlap.

    Only votes asked for at random count: items that got a second vote because the first was
    doubtful are the hard ones, and would say that people agree less than they do. Where
    there is a calibration sample, its overlap is uniform over the whole label set.
    """
    workspace = state.workspace
    ids, purpose = state.calibration_sample, "calibrate"
    if not len(ids):
        ids, purpose = state.item_ids, "label"
    drawn = ids[workspace.draws("overlap", ids) < workspace.policies.route.overlap_share]
    rows = state.evidence.loc[state.evidence["item_id"].isin(drawn)]
    # The first two seats are asked for at once; whoever settles a doubt comes in a later round.
    rows = rows.loc[rows["purpose"] == purpose].sort_values(["round", "vote_id"])
    rows = rows.loc[rows.groupby("item_id").cumcount() < 2]
    return krippendorff_alpha(
        pd.factorize(rows["item_id"])[0],
        pd.factorize(rows["annotator"])[0],
        codes_of(rows["value"], workspace.schema),
        len(workspace.schema.classes),
        rng=np.random.default_rng(seed_of(workspace.key, "agreement")),
    )
