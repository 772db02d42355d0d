"""For whom open seats wait that nobody else can take."""

from __future__ import annotations

import json
from collections import Counter

from ..errors import counted
from . import State

__all__ = ["awaited"]

_NEW = "somebody new: everybody who may be asked has looked at those items"


def awaited(state: State) -> str:
    """Say how many open seats wait for experts or for somebody new; empty where none do.

    Nobody who has voted so far, and is no expert, can take these. Seats at gold wait for nobody.
    """
    experts, team = set(state.workspace.policies.route.experts), set(state.team)
    if not state.people:
        return ""
    seats = state.open_seats.loc[state.open_seats["purpose"] != "gold"]
    votes = state.votes.loc[state.votes["item_id"].isin(seats["item_id"])]
    votes = votes.loc[(votes["status"] != "deleted") & (votes["purpose"] != "gold")]
    looked = votes.groupby("item_id")["annotator"].agg(set).to_dict()
    waits = Counter[str]()
    for item, barred, n in seats[["item_id", "exclude", "open"]].itertuples(index=False, name=None):
        left = team - set(json.loads(barred)) - looked.get(item, set())
        lacking = n - len(left - experts)
        named = sorted(left & experts)
        if lacking > 0 and named:
            waits[" or ".join(named)] += min(lacking, len(named))
        if lacking > len(named):
            waits[_NEW] += lacking - len(named)
    if not waits:
        return ""
    each = (f"{counted(n, 'vote waits', 'votes wait')} for {who}" for who, n in waits.items())
    return ", ".join(sorted(each, key=lambda text: text.endswith(_NEW)))
