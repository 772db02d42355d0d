"""For whom a label set waits, where nobody else can go on with it."""

from __future__ import annotations

import json
from collections import Counter

from ..errors import counted
from ..route.surest import absent_people
from . import State

__all__ = ["awaited"]

_NEW = "somebody new: everybody who may be asked has looked at those items"


def awaited(state: State) -> str:
    """Say how much waits for experts, for people who stay away, or for somebody new; else empty.

    Nobody who still votes, and is no expert, can take these seats. Seats at gold wait for nobody.
    So it is with items that everybody has looked at and that have no label: no seat is at these.
    People stay away who have no vote in the last `settle_days` before the newest there is: a team
    that pauses as a whole does not.
    """
    experts, team = set(state.workspace.policies.route.experts), set(state.team)
    if not state.people:
        return ""
    away = _away(state) - experts
    seats = state.open_seats.loc[state.open_seats["purpose"] != "gold"]
    votes = state.votes.loc[state.votes["item_id"].isin(seats["item_id"])]
    votes = votes.loc[(votes["status"] != "deleted") & (votes["purpose"] != "gold")]
    looked = votes.groupby("item_id")["annotator"].agg(set).to_dict()
    waits = Counter[str]()
    for item, barred, n in seats[["item_id", "exclude", "open"]].itertuples(index=False, name=None):
        left = team - set(json.loads(barred)) - looked.get(item, set())
        lacking = n - len(left - experts - away)
        named, gone = sorted(left & experts), sorted(left & away)
        if lacking > 0 and named:
            waits[" or ".join(named)] += min(lacking, len(named))
        lacking -= len(named)
        if lacking > 0 and gone:
            waits[f"{' or '.join(gone)}, away for long, or somebody new"] += min(lacking, len(gone))
        if lacking > len(gone):
            waits[_NEW] += lacking - len(gone)
    each = [f"{counted(n, 'vote waits', 'votes wait')} for {who}" for who, n in waits.items()]
    each.sort(key=lambda text: text.endswith(_NEW))
    if split := len(state.split):
        one, many = (f"{have} no label though all looked" for have in ("item has", "items have"))
        each.append(f"{counted(split, one, many)}: a vote by somebody new may give one")
    return ", ".join(each)


def _away(state: State) -> frozenset[str]:
    if state.votes.empty:
        return frozenset()
    last = state.votes["given_at"].max().to_pydatetime()
    days = state.workspace.policies.route.settle_days
    return absent_people(state.votes, state.people, days, last)
