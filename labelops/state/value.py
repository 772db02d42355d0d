"""What further votes on an item are worth, by what is believed of it and of the people."""

from __future__ import annotations

from datetime import datetime

import numpy as np
import numpy.typing as npt
import pandas as pd

from ..measure.codes import among
from ..route.needs import CROWD, EXPERT
from ..route.surest import absent_people, best_half
from ..route.value import Voters, Worth, vote_worth
from . import State

__all__ = ["label_worth", "surest_people", "voters_of"]

_EXPECTED = {CROWD: 0.85, EXPERT: 0.98}
"""How often people are right for all we know, before there are votes that say."""

_WEIGHT = 20.0
_ABOVE_CHANCE = 0.05
_MOST_SURE = 0.995
_LEAST_PEOPLE = 3
_TOGETHER = 3


def label_worth(state: State, item_ids: npt.ArrayLike) -> Worth:
    """Say whom to ask for a label of undecided items, how many, and what that is worth."""
    ids = np.asarray(item_ids, dtype=object)
    consensus = state.decided[0]
    places = pd.Index(consensus.item_ids).get_indexer(ids)
    # One at a time is the fewest votes: the next may settle what two were asked for.
    most = _TOGETHER if state.workspace.policies.route.pairs else 1
    voters, left = voters_of(state), _seats_left(state, ids)
    return vote_worth(consensus.posterior[places], voters, left, most=most)


def surest_people(state: State, now: datetime) -> tuple[str, ...]:
    """Name those with the best record, whom the settings have settle what others leave open.

    Who has not voted for `settle_days` is none of them.
    """
    policy = state.workspace.policies.route
    accuracy = state.decided[0].accuracy
    names = set(state.people) - set(policy.experts)
    names -= absent_people(state.votes, names, policy.settle_days, now)
    # Whoever is not judged yet has no record.
    known = {n: float(accuracy[n]) for n in names if not np.isnan(accuracy.get(n, np.nan))}
    return best_half(known | dict.fromkeys(names - set(known), 0.0), policy.settle_share)


def voters_of(state: State) -> list[Voters]:
    """Return the kinds of annotators there are: people, and experts where some are named."""
    policy = state.workspace.policies.route
    crowd = Voters(CROWD, _accuracy(state, CROWD), policy.vote_cost)
    if not policy.present_experts:
        return [crowd]
    return [crowd, Voters(EXPERT, _accuracy(state, EXPERT), policy.expert_cost)]


def _accuracy(state: State, kind: str) -> float:
    """Estimate how often votes of a kind are right, shrunk to what one expects of people."""
    accuracy = pd.Series(state.decided[0].accuracy, dtype=np.float64).dropna()
    people = accuracy.index.isin(state.people)
    people &= accuracy.index.isin(state.workspace.policies.route.experts) == (kind == EXPERT)
    accuracy = accuracy[people]
    votes = state.evidence["annotator"].value_counts().reindex(accuracy.index, fill_value=0)
    right = float((accuracy * votes).sum()) + _WEIGHT * _EXPECTED[kind]
    chance = 1 / len(state.workspace.schema.classes)
    return float(np.clip(right / (votes.sum() + _WEIGHT), chance + _ABOVE_CHANCE, _MOST_SURE))


def _seats_left(state: State, ids: npt.NDArray[np.object_]) -> npt.NDArray[np.int64]:
    """Count how many votes of each kind (a column each) the items can still get."""
    policy = state.workspace.policies.route
    counted = state.evidence["item_id"].value_counts().reindex(ids, fill_value=0)
    room = np.maximum(policy.max_votes - counted.to_numpy(dtype=np.int64), 1)
    experts = set(policy.present_experts)
    if not experts:
        return np.asarray(room[:, None])
    looked = _looked(state, ids, experts)
    crowd = len(set(state.people) - experts)
    left = [max(crowd, _LEAST_PEOPLE), len(experts - set(state.flagged))] - looked
    left = np.clip(left, 0, room[:, None])
    # No expert came for the seat that was kept for one; or none but experts is left to take it.
    gone = [item for item, _, purpose in state.forsaken - state.needless if purpose == "label"]
    others = crowd > looked[:, 0]
    left[among(ids, gone) & others & (left[:, 0] > 0), 1] = 0
    left[among(ids, gone) & ~others & (left[:, 1] > 0), 0] = 0
    # Where all have looked, the seat waits for somebody to join.
    left[(left == 0).all(axis=1), 0] = 1
    return left


def _looked(state: State, ids: npt.NDArray[np.object_], experts: set[str]) -> npt.NDArray[np.int64]:
    """Count who has looked at each item, skipping included: people who count, and experts."""
    votes = state.votes
    rows = votes.loc[(votes["status"] != "deleted") & (votes["purpose"] != "gold")]
    rows = rows.drop_duplicates(["item_id", "annotator"])
    dear = rows["annotator"].isin(experts)
    cheap = rows["annotator"].isin(state.people) & ~dear
    counts = [rows.loc[who, "item_id"].value_counts() for who in (cheap, dear)]
    columns = [c.reindex(ids, fill_value=0).to_numpy(dtype=np.int64) for c in counts]
    return np.stack(columns, axis=1)
