"""Agreement between people: on which items two are asked, and what their votes say."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from ..autolabel.policy import AUDITED
from ..digest import seed_of
from ..kinds.choice import codes_of
from ..measure.agreement import AgreementResult, krippendorff_alpha
from ..measure.codes import among
from ..measure.samples import RandomSample, expect_sample
from ..route.needs import seed_overlap
from . import State

__all__ = ["Overlap", "agreement", "overlap_sample"]

_ONE_CLASS = 100
"""Of so many items with votes for one class alone a second vote on more would hardly tell."""


@dataclass(frozen=True, slots=True)
class Overlap:
    """Random items that two people look at.

    Parameters
    ----------
    sample : RandomSample
        Of n items.
    purpose : {"calibrate", "label"}
        Of the votes.
    given : (n,) int array
        Votes given for the purpose, by whomever.
    lacking : (n,) int array
        Votes that are to be asked for now beside those.
    votes : frame
        Rows of VOTES that agreement is measured on, those on other items too.
    """

    sample: RandomSample
    purpose: str
    given: npt.NDArray[np.int64]
    lacking: npt.NDArray[np.int64]
    votes: pd.DataFrame


def overlap_sample(state: State) -> Overlap:
    """Return the random items that two people look at, and what they still lack.

    Drawn from the calibration sample where there is one, so that agreement is measured uniformly
    over the label set. Under the rule `audited` without one they are the first of the random seed,
    and two people look at each, blind, also where the model's label stands: what it left to people
    is what they disagree on. Elsewhere people label every item, and these get a second vote.

    It starts as the share that the settings name (of that sample, of the seed, of all items), and
    doubles while every item of it has two votes and the agreement's interval still holds the
    bound, or has no ends, as where all votes name one class; that up to a hundred items.
    """
    policies, sample = state.workspace.policies, state.calibration_sample
    at_seed = policies.accept.rule == AUDITED and not len(sample)
    purpose = "calibrate" if len(sample) else "label"
    ids = sample.ids if len(sample) else state.item_ids
    order = state.workspace.sample("seed" if at_seed else "overlap", ids)
    votes = state.evidence.loc[state.evidence["purpose"] == purpose]
    given = state.given(order.ids, purpose)
    lacking = np.maximum(2 - given, 0)
    if at_seed:
        votes = votes.loc[~votes["saw_proposal"]]
        counted = votes["item_id"].value_counts().reindex(order.ids, fill_value=0).to_numpy()
        lacking = np.maximum(2 - counted, 0)
        lacking[given >= policies.route.max_votes] = 0
    # Where nobody is left no second one will come.
    lacking[among(order.ids, state.nobody_left)] = 0
    share, seed = policies.route.overlap_share, min(policies.route.seed, state.training_target)
    size = min(seed_overlap(share, seed), len(order))
    if not at_seed:
        size = math.ceil(share * len(order))
    while 0 < size < len(order) and not lacking[:size].any():
        found = _alpha(state, order.first(size), votes)
        ends = found.cautious()  # As the gate judges it, or it would wait for what nobody is asked.
        if ends is None and size >= _ONE_CLASS:
            break
        low, high = ends or (-1.0, 1.0)
        if not low < policies.gate.agreement <= high:
            break
        size = min(2 * size, len(order))
    # Where people label every item, the first vote comes by itself.
    asked = lacking[:size] if at_seed or len(sample) else lacking[:size] % 2
    return Overlap(order.first(size), purpose, given[:size], asked, votes)


def agreement(state: State) -> AgreementResult:
    """Return Krippendorff's α between people on the random overlap.

    Only votes asked for at random count: items that got a second vote because the first was
    doubtful are the hard ones, and would say that people agree less than they do.
    """
    overlap = overlap_sample(state)
    return _alpha(state, overlap.sample, overlap.votes)


def _alpha(state: State, sample: RandomSample, votes: pd.DataFrame) -> AgreementResult:
    workspace, ids = state.workspace, expect_sample(sample, RandomSample).ids
    # Whoever settles a doubt comes in a later round, or after two others.
    rows = votes.loc[votes["item_id"].isin(ids)].sort_values(["round", "vote_id"])
    rows = rows.loc[rows.groupby("item_id").cumcount() < 2]
    return krippendorff_alpha(
        pd.factorize(rows["item_id"])[0],
        pd.factorize(rows["annotator"])[0],
        codes_of(rows["value"], workspace.schema),
        len(workspace.schema.classes),
        rng=np.random.default_rng(seed_of(workspace.key, "agreement")),
    )
