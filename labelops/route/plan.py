"""From needs to plan rows: subtract what is asked already, keep to the budget, hide what biases."""

from __future__ import annotations

import json
import math
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime

import numpy as np
import numpy.typing as npt
import pandas as pd

from ..digest import canonical_json
from ..tables import PLAN, empty, frame_of
from .again import again_seats
from .needs import CROWD, EXPERT, NEED_COLUMNS
from .policy import RoutePolicy

__all__ = ["SEAT", "Seat", "in_flight", "make_plan", "money_bound"]

Seat = tuple[str, int, str]
"""Item, round and purpose: the key of a plan row."""

SEAT = ["item_id", "round", "purpose"]


def in_flight(
    plan: pd.DataFrame,
    votes: pd.DataFrame,
    seen_by_all: npt.ArrayLike = (),
    forsaken: Collection[Seat] = (),
) -> pd.DataFrame:
    """Return plan rows that still lack votes, with `open`: how many are lacking.

    Parameters
    ----------
    plan : PLAN rows
    votes : VOTES rows
        Newest revisions only; a skipped or deleted vote does not fill a seat.
    seen_by_all : item ids
        Items that nobody is left to look at: their seats stay empty and are not waited for.
        Gold is another matter: everybody answers it. So are seats put up for somebody new.
    forsaken : seats
        Those for whom they were kept never came: they are not waited for either.

    Returns
    -------
    The plan's rows with at least one open seat and an int column `open`.
    """
    given = votes.loc[votes["status"] == "given", [*SEAT, "annotator"]]
    # Who was asked for it on two servers, one after the other, fills one seat.
    given = given.drop_duplicates()[SEAT]
    filled = given.value_counts().rename("filled").reset_index()
    joined = plan.merge(filled, on=SEAT, how="left")
    lacking = joined["annotators"] - joined["filled"].fillna(0).astype(np.int64)
    gone = joined["item_id"].isin(np.asarray(seen_by_all, dtype=object))
    gone &= (joined["purpose"] != "gold") & ~joined.index.isin(again_seats(joined).index)
    if forsaken:
        gone |= pd.MultiIndex.from_frame(joined[SEAT]).isin(list(forsaken))
    rows = joined.assign(open=lacking).loc[(lacking > 0) & ~gone]
    return rows.drop(columns="filled")


def make_plan(
    needs: Sequence[pd.DataFrame],
    plan: pd.DataFrame,
    votes: pd.DataFrame,
    proposals: pd.DataFrame,
    draws: Mapping[str, float],
    policy: RoutePolicy,
    *,
    round_number: int,
    schema_digest: str,
    now: datetime,
    seen_by_all: npt.ArrayLike = (),
    surest: Collection[str] = (),
    forsaken: Collection[Seat] = (),
    paid: pd.DataFrame | None = None,
    asked_before: int = 0,
) -> pd.DataFrame:
    """Turn needs into new plan rows; asking again with the same state asks for nothing.

    Parameters
    ----------
    needs : sequence of needs frames
        From the functions of `needs.py`.
    plan, votes : PLAN and VOTES rows so far
        Votes as newest revisions.
    proposals : PROPOSALS rows
        At most one an item: the pre-label that may be shown.
    draws : mapping of item id to float in [0, 1)
        Permanent random numbers that pick the blind share.
    policy : RoutePolicy
    round_number : int
    schema_digest : str
    now : datetime
    seen_by_all : item ids
        As for `in_flight`.
    surest : names
        Whom to ask where it is to be settled what others left open (`best_half`); empty is
        everybody.
    forsaken : seats
        As for `in_flight`. Money stays reserved for them: who comes back may still take them.
    paid : VOTES rows, optional
        All that were given, also those that count no more; by default `votes`.
    asked_before : int
        Votes asked for beside those of `plan`, about content that items have no more.

    Returns
    -------
    PLAN rows, highest priority first; empty when nothing is needed or the budget is spent.
    """
    wanted = pd.concat(needs, ignore_index=True) if needs else pd.DataFrame(columns=NEED_COLUMNS)
    # Where two reasons ask about an item for one purpose, the one that asks for more counts; and
    # where one of them needs blind votes, nobody is shown anything.
    wanted["blind"] = wanted.groupby(["item_id", "purpose"])["blind"].transform("any")
    wanted = wanted.sort_values(["wanted", "priority"], ascending=False, kind="stable")
    wanted = wanted.drop_duplicates(["item_id", "purpose"])
    wanted = wanted.sort_values("priority", ascending=False, kind="stable")
    open_rows = in_flight(plan, votes, seen_by_all, forsaken)
    asked = _asked(wanted, open_rows, votes)
    wanted = wanted.assign(ask=wanted["wanted"].astype(np.int64) - asked, first=asked == 0)
    # Of two open offers of one gold item somebody might take both.
    gold_out = open_rows.loc[open_rows["purpose"] == "gold", "item_id"]
    wanted = wanted.loc[(wanted["purpose"] != "gold") | ~wanted["item_id"].isin(gold_out)]
    wanted = wanted.loc[wanted["ask"] > 0]
    wanted = wanted.assign(barred=_excluded(wanted, votes, policy, surest))
    bought = votes if paid is None else paid
    reserved = open_rows
    if forsaken or bought is not votes:
        reserved = in_flight(plan, bought, seen_by_all)
    spent = money_bound(reserved, bought, policy)
    asked_for = int(plan["annotators"].sum()) + asked_before
    wanted = wanted.assign(ask=_afforded(wanted, open_rows, asked_for, spent, policy))
    rows = wanted.loc[wanted["ask"] > 0]
    if rows.empty:
        return empty(PLAN)
    rows = _gold_mixed(rows, draws)
    return _plan_rows(rows, proposals, draws, policy, round_number, schema_digest, now)


def _asked(
    wanted: pd.DataFrame, open_rows: pd.DataFrame, votes: pd.DataFrame
) -> npt.NDArray[np.int64]:
    keys = ["item_id", "purpose"]
    given = votes.loc[votes["status"] == "given", keys].value_counts()
    pending = open_rows.groupby(keys)["open"].sum()
    index = pd.MultiIndex.from_frame(wanted[keys])
    have = given.reindex(index, fill_value=0).to_numpy(dtype=np.int64)
    coming = pending.reindex(index, fill_value=0).to_numpy(dtype=np.int64)
    total: npt.NDArray[np.int64] = have + coming
    return total


def _afforded(
    wanted: pd.DataFrame,
    open_rows: pd.DataFrame,
    asked: int,
    paid: float,
    policy: RoutePolicy,
) -> npt.NDArray[np.int64]:
    """Say how many of the votes that each need asks for there is budget for now.

    A need that no round could ever hold, such as gold for a large team, is asked for in part: else
    it would keep all that come after it from being asked, for ever.
    """
    # Gold waits for whoever comes; it takes no place from the rest.
    waiting = open_rows.loc[open_rows["purpose"] != "gold", "open"]
    left = policy.votes_per_round - int(waiting.sum())
    total = policy.votes_total - asked if policy.votes_total else math.inf
    money = policy.budget - paid + 1e-9 if policy.budget else math.inf
    found = np.zeros(len(wanted), dtype=np.int64)
    for n, (ask, barred) in enumerate(zip(wanted["ask"], wanted["barred"], strict=True)):
        price = policy.price(barred)
        bought = int(max(min(ask, policy.votes_per_round, total, money / price), 0))
        if bought > left:
            break
        found[n] = bought
        left, total, money = left - bought, total - bought, money - bought * price
    return found


def _gold_mixed(rows: pd.DataFrame, draws: Mapping[str, float]) -> pd.DataFrame:
    """Give gold random places among the others: at the front it would be known for what it is."""
    gold = (rows["purpose"] == "gold").to_numpy()
    if not gold.any() or gold.all():
        return rows
    others = np.sort(rows["priority"].to_numpy(dtype=np.float64)[~gold])
    draw = np.array([draws[i] for i in rows["item_id"]])
    place = np.minimum((draw * len(others)).astype(np.int64), len(others) - 1)
    priority = np.where(gold, others[place], rows["priority"])
    # And where much is equally urgent, an order by id might give it away.
    mixed = rows.assign(priority=priority + 1e-9 * draw)
    return mixed.sort_values("priority", ascending=False, kind="stable")


def money_bound(open_rows: pd.DataFrame, votes: pd.DataFrame, policy: RoutePolicy) -> float:
    """Return what the votes given cost, and those asked for will cost at most.

    Parameters
    ----------
    open_rows : PLAN rows with `open`
        From `in_flight`.
    votes : VOTES rows
        Newest revisions; those skipped or deleted cost nothing.
    policy : RoutePolicy
    """
    given = votes.loc[votes["status"] == "given", "annotator"]
    dear = int(given.isin(policy.experts).sum())
    paid = policy.vote_cost * (len(given) - dear) + policy.expert_cost * dear
    prices = [policy.price(json.loads(barred)) for barred in open_rows["exclude"]]
    return float(paid + np.dot(prices, open_rows["open"]))


def _excluded(
    rows: pd.DataFrame, votes: pd.DataFrame, policy: RoutePolicy, surest: Collection[str]
) -> npt.NDArray[np.object_]:
    """Name who may not look: who has looked or left, and who is not of the kind asked for.

    Gold votes decide nothing, and exclude from gold only; for good, since whoever took an answer
    back knows the question. The surest alone are asked only where enough of them have not looked,
    and one to spare.
    """
    experts, left = policy.experts, set(policy.left)
    is_gold, looks = votes["purpose"] == "gold", votes["status"] != "deleted"
    by_item = {
        gold: part.groupby("item_id")["annotator"].agg(set).to_dict()
        for gold, part in ((True, votes.loc[is_gold]), (False, votes.loc[looks & ~is_gold]))
    }
    others = {
        "": set(),
        CROWD: set(experts),
        EXPERT: set(votes["annotator"].unique()) - set(experts),
    }
    less_sure = set(votes["annotator"].unique()) - set(surest) - set(experts)
    found = np.empty(len(rows), dtype=object)
    columns = ["item_id", "purpose", "by", "settles", "ask"]
    for n, (item, purpose, by, settles, ask) in enumerate(
        rows[columns].itertuples(index=False, name=None)
    ):
        barred = by_item[purpose == "gold"].get(item, set()) | others[by] | left
        enough = settles and by != EXPERT and len(set(surest) - barred) > ask
        found[n] = sorted(barred | less_sure if enough else barred)
    return found


def _plan_rows(
    rows: pd.DataFrame,
    proposals: pd.DataFrame,
    draws: Mapping[str, float],
    policy: RoutePolicy,
    round_number: int,
    schema_digest: str,
    now: datetime,
) -> pd.DataFrame:
    ids = rows["item_id"].to_numpy(dtype=object)
    purposes = rows["purpose"].to_numpy(dtype=object)
    draw = np.fromiter((draws[i] for i in ids), dtype=np.float64, count=len(ids))
    # Only the first vote: whoever settles a doubt in sight of a proposal that was no help adds
    # little, and what many say blind may stand for an audit where nobody else is left.
    first = rows["first"].to_numpy(dtype=bool)
    shown = (purposes == "label") & first & ~rows["blind"].to_numpy(dtype=bool)
    shown &= (draw >= policy.blind_share) & policy.show_proposals
    in_force = proposals.set_index("item_id")[["labeler_version", "value"]].reindex(ids)
    known = in_force["value"].notna().to_numpy()
    shown &= known
    # Blind label votes name the proposal too: anchoring compares them with those that saw theirs.
    beside = (purposes == "label") & known
    blank = np.full(len(ids), None, dtype=object)
    return frame_of(
        PLAN,
        {
            "item_id": ids,
            "round": round_number,
            "purpose": purposes,
            "annotators": rows["ask"].to_numpy(),
            "reason": rows["reason"].to_numpy(dtype=object),
            "priority": rows["priority"].to_numpy(),
            "show_proposal": shown,
            "labeler_version": np.where(beside, in_force["labeler_version"].to_numpy(), blank),
            "value": np.where(shown, in_force["value"].to_numpy(), blank),
            "exclude": [canonical_json(barred) for barred in rows["barred"]],
            "schema_digest": schema_digest,
            "planned_at": now,
        },
        len(ids),
    )
