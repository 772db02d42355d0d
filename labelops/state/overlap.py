"""Agreement between people: on which items two are asked, and what their votes say."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd

from ..digest import seed_of
from ..kinds.choice import codes_of
from ..measure.agreement import AgreementResult, krippendorff_alpha
from ..measure.samples import RandomSample, expect_sample
from . import State

__all__ = ["agreement", "overlap_sample"]


def overlap_sample(state: State) -> tuple[RandomSample, str]:
    """Return the random items that two people look at, and for which purpose.

    Drawn from the calibration sample where there is one, so that agreement is measured
    uniformly over the label set. It starts as the share that the settings name, and doubles
    while every item of it has two votes and the agreement's interval still holds the bound.
    """
    policies = state.workspace.policies
    ids, purpose = state.calibration_sample.ids, "calibrate"
    if not len(ids):
        ids, purpose = state.item_ids, "label"
    order = state.workspace.sample("overlap", ids)
    twice = state.given(order.ids, purpose) >= 2
    size = math.ceil(policies.route.overlap_share * len(order))
    while 0 < size < len(order) and twice[:size].all():
        found = _alpha(state, order.first(size), purpose)
        if found.low is None or found.high is None:
            break
        if not found.low < policies.gate.agreement <= found.high:
            break
        size = min(2 * size, len(order))
    return order.first(size), purpose


def agreement(state: State) -> AgreementResult:
    """Return Krippendorff's α between people on the random overlap.

    Only votes asked for at random count: items that got a second vote because the first was
    doubtful are the hard ones, and would say that people agree less than they do.
    """
    return _alpha(state, *overlap_sample(state))


def _alpha(state: State, sample: RandomSample, purpose: str) -> AgreementResult:
    workspace, ids = state.workspace, expect_sample(sample, RandomSample).ids
    rows = state.evidence.loc[state.evidence["item_id"].isin(ids)]
    # Whoever settles a doubt comes in a later round, or after two others.
    rows = rows.loc[rows["purpose"] == purpose].sort_values(["round", "vote_id"])
    rows = rows.loc[rows.groupby("item_id").cumcount() < 2]
    return krippendorff_alpha(
        pd.factorize(rows["item_id"])[0],
        pd.factorize(rows["annotator"])[0],
        codes_of(rows["value"], workspace.schema),
        len(workspace.schema.classes),
        rng=np.random.default_rng(seed_of(workspace.key, "agreement")),
    )
