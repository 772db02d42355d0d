"""What people are needed for now, from the state of a workspace."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pandas as pd

from ..errors import counted
from ..gate.candidate import ADJUDICATED
from ..measure.adjudication import NO_VOTE, PENDING
from ..measure.chosen import choose_active
from ..measure.codes import among
from ..ports import Features
from ..route.again import doubt_needs
from ..route.needs import (
    adjudication_needs,
    gold_needs,
    label_needs,
    overlap_needs,
    review_needs,
    sample_needs,
)
from . import State
from .gold import gold_lacking, gold_sample
from .late import calibration_needs, judged_already, late_items
from .money import money_of
from .overlap import overlap_sample
from .training import asked_now
from .value import label_worth
from .watch import spot_audit

__all__ = [
    "all_needs",
    "audit_stalled",
    "budget_spent",
    "calibration_waits",
    "label_doubt",
    "label_waits",
    "may_look_again",
    "work_in_flight",
]

_LEAST_BUDGET = 3
"""Votes that settle a doubt; with fewer left nothing more can be relied on to be settled."""


def all_needs(state: State, features: Features | None = None) -> list[pd.DataFrame]:
    """Return every reason to ask people, as needs frames.

    Parameters
    ----------
    state : State
    features : callable, optional
        For the order `diverse`; whether there are needs can be told without.
    """
    needs = [*calibration_needs(state), *_label_needs(state, features)]
    # Whoever audits an item must not be about to review it: one of the two waits.
    needs += [_apart(state, rows, "audit") for rows in _review_needs(state)]
    needs += [*_doubt_needs(state), *_overlap_needs(state), *_audit_needs(state)]
    needs += _spot_needs(state)
    # Whatever asks: nobody is asked about what was withdrawn.
    needs = [rows.loc[~rows["item_id"].isin(state.withdrawn_ids)] for rows in needs]
    return [*needs, *_gold_needs(state, _votes_to_come(state, needs))]


def _overlap_needs(state: State) -> list[pd.DataFrame]:
    """Ask a second person on the random overlap."""
    found = overlap_sample(state)
    return [overlap_needs(found.sample, found.given, found.lacking, found.purpose)]


def _audit_needs(state: State) -> list[pd.DataFrame]:
    audit = state.audit
    if audit is None:
        return []
    given = state.given(audit.planned.ids, "audit")
    return [
        sample_needs(audit.planned, given, audit.unseen, "audit", audit.confirms),
        adjudication_needs(audit.planned.ids, given, audit.pending, "audit", audit.needed),
    ]


def _spot_needs(state: State) -> list[pd.DataFrame]:
    """Ask for a blind look at a random share of what the model was trusted with, for good."""
    needs = []
    for hypothesis in state.standing:
        if hypothesis.watched:
            spot = spot_audit(state, hypothesis)
            ids, given = spot.asked.ids, state.given(spot.asked.ids, "audit")
            unseen, pending = spot.looks.status == NO_VOTE, spot.looks.status == PENDING
            needs.append(sample_needs(spot.asked, given, unseen, "audit"))
            needs.append(adjudication_needs(ids, given, pending, "audit", spot.looks.needed))
    under_review = state.suspicions["item_id"]
    return [
        _apart(state, rows.loc[~rows["item_id"].isin(under_review)], "review", "label")
        for rows in needs
    ]


def _apart(state: State, rows: pd.DataFrame, *purposes: str) -> pd.DataFrame:
    """Leave out needs of items that others are asked about for these purposes now."""
    seats = state.open_seats
    return rows.loc[~rows["item_id"].isin(seats.loc[seats["purpose"].isin(purposes), "item_id"])]


def _votes_to_come(state: State, needs: list[pd.DataFrame]) -> int:
    """Say how many votes are asked for or will be, for all these reasons."""
    if not needs:
        return 0
    keys = ["item_id", "purpose"]
    wanted = pd.concat(needs, ignore_index=True).groupby(keys)["wanted"].max()
    votes = state.votes.loc[state.votes["status"] == "given", keys].value_counts()
    lacking = wanted.astype(np.int64) - votes.reindex(wanted.index, fill_value=0)
    return int(lacking.clip(lower=0).sum())


def _gold_needs(state: State, coming: int) -> list[pd.DataFrame]:
    """Ask for answers that are known, among others: alone they would be known for what they are."""
    if not coming and state.workspace.policies.route.gold_rate < 1.0:
        return []
    sample = gold_sample(state, coming)
    lacking = gold_lacking(state, sample, coming)
    return [gold_needs(sample, state.given(sample.ids, "gold"), lacking)]


def _review_needs(state: State) -> list[pd.DataFrame]:
    rows = state.suspicions.sort_values("score").drop_duplicates("item_id")
    given = state.given(rows["item_id"], "review")
    more = given < state.workspace.policies.route.max_votes
    return [review_needs(rows["item_id"][more], rows["score"][more], given[more])]


def _doubt_needs(state: State) -> list[pd.DataFrame]:
    """Ask about the least certain labels that failed again when the audit found too many wrong.

    First where somebody is left to audit the label afterwards. Where that is too few to try labels
    again that nobody changed, somebody who has not looked yet audits the others right away, a
    newcomer or an expert: to ask them for a look at the label would take two such people.
    """
    if state.failed is None:
        return []
    labels = state.labels.loc[state.labels["value"].notna()]
    labels = labels.loc[labels["item_id"].isin(state.labels_of(state.failed).index)]
    ids = labels["item_id"].to_numpy(dtype=object)
    left = may_look_again(state, labels) & ~among(ids, state.looked_again)
    doubt = label_doubt(state, labels)
    size = state.wanted_again - len(state.looked_again)
    purpose = "review"
    if not left.any() and judged_already(state):
        purpose, most = "audit", state.workspace.policies.route.max_votes
        left = (state.given(ids, "audit") < most) & ~among(ids, state.looked_again)
    chosen = choose_active(ids[left], doubt[left], size, apart_from=[]).ids
    at = pd.Index(ids).get_indexer(chosen)
    return [doubt_needs(chosen, doubt[at], state.given(chosen, purpose), purpose)]


def may_look_again(state: State, labels: pd.DataFrame) -> npt.NDArray[np.bool_]:
    """Say on which labels somebody can look again, and somebody else audit them afterwards."""
    ids = labels["item_id"].to_numpy(dtype=object)
    given, looked = state.given(ids, "review"), state.lookers.reindex(ids, fill_value=0).to_numpy()
    left = (looked + 2 <= len(state.team)) & (given < state.workspace.policies.route.max_votes)
    found: npt.NDArray[np.bool_] = left & (labels["method"] != ADJUDICATED).to_numpy()
    return found


def label_doubt(state: State, labels: pd.DataFrame) -> npt.NDArray[np.float64]:
    """Return one less each label's posterior; 0 where an audit vote agreed or corrected it.

    One that could not name each class of now agrees with nothing.
    """
    votes = state.able(state.current.loc[state.current["purpose"] == "audit"])
    votes = votes[["item_id", "value"]]
    agreed = pd.MultiIndex.from_frame(labels[["item_id", "value"]]).isin(
        pd.MultiIndex.from_frame(votes)
    )
    known = agreed | (labels["method"] == ADJUDICATED).to_numpy()
    doubt = 1.0 - labels["posterior"].fillna(0.0).to_numpy(dtype=np.float64)
    return np.where(known, 0.0, doubt)


def _label_needs(state: State, features: Features | None) -> list[pd.DataFrame]:
    """Ask for labels: first enough to train on, then for whatever acceptance does not cover.

    Asking stops where the calibrated posterior suffices, or the item has its most votes.
    """
    ids = state.undecided
    seen = among(ids, state.evidence["item_id"].unique())
    # The calibration sample gets its votes for that purpose first, and others only after.
    ids = ids[seen | ~among(ids, state.calibration_stream.ids)]
    again = _asked_again(state, ids)
    now = asked_now(state, ids, features) | (again > 0)
    ids, again = ids[now], again[now]
    given, pairs = state.given(ids, "label"), state.workspace.policies.route.pairs
    return [label_needs(ids, given, label_worth(state, ids), pairs=pairs, again=again)]


def _asked_again(state: State, ids: npt.NDArray[np.object_]) -> npt.NDArray[np.float64]:
    """Say which items people had labeled before their class was split: more where released so.

    What only a model had given the class is proposed anew, once it has learned the new ones.
    """
    voted = among(ids, [item for item, _, _ in state.taken_back])
    return np.where(voted, 1.0 + 0.5 * among(ids, state.released_items), 0.0)


def budget_spent(state: State) -> str:
    """Say that no more votes may be asked for, once all that were asked for came; else empty.

    Gold waits for whoever comes, and holds nothing up.
    """
    if (state.open_seats["purpose"] != "gold").any():
        return ""
    policy = state.workspace.policies.route
    total, left = policy.votes_total, policy.votes_total - state.asked
    if total and left < _LEAST_BUDGET:
        return f"the vote budget is spent: route.votes_total = {total}"
    money = money_of(state)
    paid = money.spent + money.reserved
    if policy.budget and policy.budget - paid < _LEAST_BUDGET * policy.price(()):
        return f"the budget is spent: {paid:g} of route.budget = {policy.budget:g}"
    return ""


def audit_stalled(state: State) -> str:
    """Say why the open audit cannot go on with the people and votes there are; else empty."""
    if state.audit is None or state.audit.certificate.status != "inconclusive":
        return ""
    waiting = state.audit.planned.ids[state.audit.unseen | state.audit.pending]
    looked = state.lookers.reindex(waiting, fill_value=0).to_numpy()
    stuck = int((looked >= len(state.team)).sum())
    if not stuck or not state.team:
        return budget_spent(state)
    wait = counted(stuck, "of them waits", "of them wait")
    known = "the only one there is has" if len(state.team) == 1 else f"all {len(state.team)} have"
    return f"{wait} for another person: {known} looked"


def calibration_waits(items: int) -> str:
    """Say that items of the calibration sample are not settled yet.

    Examples
    --------
    >>> calibration_waits(1)
    '1 item of the calibration sample waits for people'
    """
    one, many = (f"{noun} of the calibration sample" for noun in ("item", "items"))
    return f"{counted(items, f'{one} waits', f'{many} wait')} for people"


def label_waits(without: int, doubtful: int) -> str:
    """Say how many items wait for a label, and how many labels for another vote.

    A label stands until its own votes change, also where these would not decide it any more, now
    that more is known of who gave them.

    Examples
    --------
    >>> label_waits(1, 2)
    '1 item has no label yet; 2 labels wait for another vote'
    >>> label_waits(0, 0)
    ''
    """
    said = []
    if without:
        said.append(f"{counted(without, 'item has', 'items have')} no label yet")
    if doubtful:
        said.append(f"{counted(doubtful, 'label waits', 'labels wait')} for another vote")
    return "; ".join(said)


def _undecided(state: State, late: npt.NDArray[np.object_]) -> tuple[int, int]:
    """Count what people may still decide: items without a label, and labels in doubt again."""
    labeled = state.labels.loc[state.labels["value"].notna(), "item_id"].to_numpy(dtype=object)
    ids = state.undecided[~among(state.undecided, late)]
    doubtful = int(among(ids, labeled).sum())
    return len(ids) - doubtful, doubtful


def work_in_flight(state: State) -> str:
    """Say what the label set still waits for before it can be audited; empty when nothing.

    Nothing of items that the next candidate does not wait for.
    """
    if state.items.empty:
        return "there are no items"
    late = late_items(state)

    def waiting(needs: list[pd.DataFrame]) -> int:
        return sum(int((~rows["item_id"].isin(late)).sum()) for rows in needs)

    if samples := waiting(calibration_needs(state)):
        return calibration_waits(samples)
    if labels := label_waits(*_undecided(state, late)):
        return labels
    if reviews := waiting(_review_needs(state)):
        return counted(reviews, "suspected label waits", "suspected labels wait") + " for review"
    return _again_waits(state)


def _again_waits(state: State) -> str:
    """Say how many of the labels that failed wait for another look, and whose; empty where none."""
    asked = [needs for needs in _doubt_needs(state) if len(needs)]
    if state.failed is None or not asked:
        return ""
    one, many = (f"of the least certain labels {wait}" for wait in ("waits", "wait"))
    known = asked[0]["purpose"].iloc[0] == "review"
    whose = "another look" if known else "somebody who has not looked at them yet"
    since = f"since the audit of candidate {state.failed.number} failed"
    return f"{counted(len(asked[0]), one, many)} for {whose}, {since}"
