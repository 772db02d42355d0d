"""Who settles what others leave open, and what becomes of seats kept for them that nobody takes."""

from __future__ import annotations

import json
import math
from collections.abc import Collection, Mapping
from datetime import datetime, timedelta

import pandas as pd

from .plan import Seat

__all__ = ["absent_people", "best_half", "forsaken_seats"]

_LEAST_TEAM = 6


def best_half(accuracy: Mapping[str, float], share: float = 0.5) -> tuple[str, ...]:
    """Name the people with the best record, who settle what others leave open.

    Whoever comes first may be anybody, so that everybody has work; what follows is a third of the
    votes, and there an error costs most: it decides.

    Parameters
    ----------
    accuracy : mapping of annotator to float
        As far as it is known, of everybody who may be asked.
    share : float in (0, 1]

    Returns
    -------
    Names, the best first; none in a team below six, where nobody can be spared.

    Examples
    --------
    >>> best_half({"a": 0.9, "b": 0.7, "c": 0.95, "d": 0.8, "e": 0.6, "f": 0.85})
    ('c', 'a', 'f')
    >>> best_half({"a": 0.9, "b": 0.7})
    ()
    """
    if len(accuracy) < _LEAST_TEAM or share >= 1:
        return ()
    ranked = sorted(accuracy, key=lambda name: (-accuracy[name], name))
    return tuple(ranked[: math.ceil(share * len(ranked))])


def absent_people(
    votes: pd.DataFrame, people: Collection[str], days: float, now: datetime
) -> frozenset[str]:
    """Name the people without a vote in the last days; nobody where `days` is 0.

    Parameters
    ----------
    votes : VOTES rows
    people : names
    days : float
    now : datetime
    """
    if not days:
        return frozenset()
    late = votes.loc[votes["given_at"] >= now - timedelta(days=days), "annotator"]
    return frozenset(people) - frozenset(late)


def forsaken_seats(
    open_rows: pd.DataFrame,
    votes: pd.DataFrame,
    people: Collection[str],
    experts: Collection[str],
    days: float,
    now: datetime,
    departed: Collection[str] = (),
) -> list[Seat]:
    """Find seats kept for the people with the best record, or experts, that none took for days.

    Only where others, who were kept away for their record or their price alone, voted in the
    meantime: a team that pauses forsakes nothing. Where only an expert is left, the seat waits.
    A seat that was kept from experts for their price, and that nobody else there is could take, is
    theirs after so many days. What was kept for people who left is for the others at once.

    Parameters
    ----------
    open_rows : PLAN rows
        From `in_flight`.
    votes : VOTES rows
        Newest revisions.
    people, experts : names
        Whoever may be asked, and those of them who are experts.
    days : float
        So long a seat is kept; 0 is for ever.
    now : datetime
    departed : names
        Who has left; none of `people`.

    Returns
    -------
    The seats, in the order of the rows.
    """
    late = (open_rows["planned_at"] < now - timedelta(days=days)) & bool(days)
    old = open_rows.loc[late | bool(departed)]
    if old.empty:
        return []
    looks = votes.loc[(votes["status"] != "deleted") & (votes["purpose"] != "gold")]
    looks = looks.loc[looks["item_id"].isin(old["item_id"])]
    looked = looks.groupby("item_id")["annotator"].agg(set).to_dict()
    last = votes.groupby("annotator")["given_at"].max().to_dict()
    absent = absent_people(votes, people, days, now)
    found = []
    columns = ["item_id", "round", "purpose", "exclude", "planned_at"]
    for item, number, purpose, text, planned in old[columns].itertuples(index=False, name=None):
        barred, seen = set(json.loads(text)), looked.get(item, set())
        kept_away = (set(people) & barred) - seen - set(experts)
        there = any(name in last and last[name] > planned for name in kept_away)
        left = set(people) - barred - seen
        if kept_away and not left and set(departed) - barred - seen:
            found.append((str(item), int(number), str(purpose)))
            continue
        if not days or planned >= now - timedelta(days=days):
            continue
        there |= not left and bool((set(experts) & barred & set(people)) - seen)
        if there and left <= absent:
            found.append((str(item), int(number), str(purpose)))
    return found
