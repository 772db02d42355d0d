"""For whom a label set waits, where nobody else can go on with it."""

from __future__ import annotations

import json
from collections import Counter, defaultdict

import pandas as pd

from ..errors import counted
from ..route.surest import absent_people
from . import State

__all__ = ["awaited"]

_NAMED = 4
"""So many people, and items, are named; of more people it is said that all have looked."""

_NEW = "somebody new: everybody who may be asked has looked at those items"


def awaited(state: State) -> str:
    """Say whom votes wait for, where not everybody can give them; empty where anybody can.

    For those of the team who alone are left for a seat; for experts; for people who stay away; for
    somebody other than all who have looked or are paused. Seats at gold wait for nobody. Items
    that everybody has looked at and that have no label wait for somebody new: no seat is at these.
    A few items that nobody of the team can go on with are named.
    People stay away who have no vote in the last `settle_days` before the newest there is: a team
    that pauses as a whole does not.
    """
    experts, team = set(state.workspace.policies.route.present_experts), set(state.team)
    seats = state.open_seats.loc[state.open_seats["purpose"] != "gold"]
    if not state.people:
        return _but_experts(seats, experts)
    away = _away(state) - experts
    votes = state.votes.loc[state.votes["item_id"].isin(seats["item_id"])]
    votes = votes.loc[(votes["status"] != "deleted") & (votes["purpose"] != "gold")]
    looked = votes.groupby("item_id")["annotator"].agg(set).to_dict()
    waits, items = Counter[str](), defaultdict[str, list[str]](list)
    for item, barred, n in seats[["item_id", "exclude", "open"]].itertuples(index=False, name=None):
        left = team - set(json.loads(barred)) - looked.get(item, set())
        present = left - experts - away
        lacking = n - len(present)
        if lacking >= 0 and present < team - experts:
            waits.update(dict.fromkeys(present, 1))
        named, gone = sorted(left & experts), sorted(left & away)
        if lacking > 0 and named:
            waits[" or ".join(named)] += min(lacking, len(named))
        lacking -= len(named)
        if lacking > 0 and gone:
            who = f"{' or '.join(gone)}, away for long, or somebody new"
            waits[who] += min(lacking, len(gone))
            items[who].append(item)
        if lacking > len(gone):
            waits[_others(state)] += lacking - len(gone)
            items[_others(state)].append(item)
    each = [
        f"{counted(waits[who], 'vote waits', 'votes wait')} for {who}{_named(items[who])}"
        for who in sorted(waits, key=lambda who: (who.startswith("somebody"), who))
    ]
    if split := len(state.split):
        one, many = (f"{have} no label though all looked" for have in ("item has", "items have"))
        each.append(f"{counted(split, one, many)}: a vote by somebody new may give one")
    return ", ".join(each)


def _named(items: list[str]) -> str:
    """Name items that none of the team can go on with, where they are few.

    Examples
    --------
    >>> _named(["T-2", "T-1", "T-2"]), _named(["1", "2", "3", "4", "5"])
    (' (T-1, T-2)', '')
    """
    few = sorted(set(items))
    return f" ({', '.join(few)})" if 0 < len(few) <= _NAMED else ""


def _but_experts(seats: pd.DataFrame, experts: set[str]) -> str:
    """Say where nobody has voted yet that all votes wait for people who are no experts."""
    open_to_experts = [bool(experts - set(json.loads(barred))) for barred in seats["exclude"]]
    if not experts or seats.empty or any(open_to_experts):
        return ""
    waits = counted(int(seats["open"].sum()), "vote waits", "votes wait")
    return f"{waits} for somebody who is not among [route] experts"


def _others(state: State) -> str:
    """Name those who do not suffice, where they are few."""
    names = [*state.team, *(f"{name} (paused)" for name in state.flagged)]
    names += [f"{name} (left)" for name in state.departed]
    if len(names) > _NAMED:
        return _NEW
    return f"somebody other than {', '.join(names)}"


def _away(state: State) -> frozenset[str]:
    if state.votes.empty:
        return frozenset()
    last = state.votes["given_at"].max().to_pydatetime()
    days = state.workspace.policies.route.settle_days
    return absent_people(state.votes, state.people, days, last)
