"""Gold, silently: which known items come next, who is watched by them, and who is paused."""

from __future__ import annotations

import json
import math

import pandas as pd

from ..audit.gold_watch import GoldWatch, watch_gold
from ..kinds.choice import codes_of
from ..measure.eprocess import hypothesis_risk
from ..measure.samples import RandomSample
from . import Event, State

__all__ = ["gold_alarms", "gold_answers", "gold_sample", "newly_watched"]

_EXPECTED_PEOPLE = 3
"""Among how many people the first round's questions are spread, before anybody has answered."""


def gold_sample(state: State) -> RandomSample:
    """Return the gold items that are out by now, in random order.

    So many that they are `gold_rate` of the questions of whoever answers most, those of the round
    to come included.
    """
    policy = state.workspace.policies.route
    there = set(state.gold) & set(state.item_ids) - set(state.withdrawn)
    known = state.workspace.sample("gold", sorted(there))
    if not policy.gold_rate:
        return known.first(0)
    rows = state.votes.loc[(state.votes["purpose"] != "gold") & (state.votes["status"] == "given")]
    most = int(rows["annotator"].value_counts().max()) if len(rows) else 0
    coming = policy.votes_per_round / max(len(state.people), _EXPECTED_PEOPLE)
    if policy.gold_rate == 1.0:
        return known
    return known.first(math.ceil(policy.gold_rate / (1 - policy.gold_rate) * (most + coming)))


def gold_answers(state: State) -> pd.DataFrame:
    """Return each annotator's gold answers in order: annotator, item_id, right, given_at.

    Each item counts once: an answer to what was seen before tells of memory.
    """
    rows = state.votes.loc[(state.votes["purpose"] == "gold") & (state.votes["status"] == "given")]
    rows = rows.loc[rows["item_id"].isin(set(state.gold))]
    rows = rows.sort_values(["given_at", "vote_id"], kind="stable")
    rows = rows.drop_duplicates(["annotator", "item_id"], keep="first")
    schema = state.workspace.schema
    truth = codes_of(rows["item_id"].map(state.gold), schema)
    found = rows[["annotator", "item_id", "given_at"]]
    right = codes_of(rows["value"], schema) == truth
    # A known answer of a class that is no more judges nobody.
    return found.assign(right=right).loc[truth >= 0]


def newly_watched(state: State) -> list[Event]:
    """Give numbers to people new to gold: it sets their share of the risk."""
    known = _numbers(state)
    names = [n for n in gold_answers(state)["annotator"].unique() if n not in known]
    return [
        ("gold_watched", name, 0, {"number": number})
        for number, name in enumerate(names, len(known) + 1)
    ]


def _numbers(state: State) -> dict[str, int]:
    """Return everybody's number, each given once.

    Two processes at the same moment may have given one number twice: all that came later have
    counted both, so the places in order are the numbers.
    """
    rows = state.latest("gold_watched")
    rows = rows.assign(number=[json.loads(body)["number"] for body in rows["body"]])
    names = rows.sort_values(["number", "at", "subject"], kind="stable")["subject"]
    return {str(name): place for place, name in enumerate(names, 1)}


def gold_alarms(state: State) -> dict[str, dict[str, object]]:
    """Return the flags that are due: who went bad, and since when their votes do not count.

    They count up to the last gold answer before the stretch that may be bad.
    """
    policy, schema = state.workspace.policies.audit, state.workspace.schema
    chance = 1 / len(schema.classes)
    if not policy.gold_risk or not chance < policy.annotator_floor < 1:
        return {}
    numbers = _numbers(state)
    flags: dict[str, dict[str, object]] = {}
    for name, rows in gold_answers(state).groupby("annotator", sort=True):
        if name in state.flagged or name not in numbers:
            continue
        risk = hypothesis_risk(numbers[str(name)], policy.gold_risk)
        found = watch_gold(rows["right"], floor=policy.annotator_floor, chance=chance, risk=risk)
        if found.since is not None:
            last = rows["given_at"].iloc[found.since - 1] if found.since else None
            flags[str(name)] = _body(found, found.since, last)
    return flags


def _body(found: GoldWatch, since: int, last: pd.Timestamp | None) -> dict[str, object]:
    wrong, answers = found.answers - found.right, found.answers
    reason = f"wrong on {wrong} of {answers} gold items"
    if last is None:
        return {"reason": reason, "since": ""}
    good = f"; good until {last:%Y-%m-%d %H:%M}, when {since} of them were answered"
    return {"reason": reason + good, "since": last.isoformat()}
