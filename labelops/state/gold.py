"""Gold, silently: which known items come next, who is watched by them, and who is paused."""

from __future__ import annotations

import json
import math

import numpy as np
import numpy.typing as npt
import pandas as pd

from ..audit.gold_watch import GoldWatch, watch_gold
from ..kinds.choice import codes_of
from ..measure.eprocess import hypothesis_risk
from ..measure.samples import RandomSample
from ..schema import Schema
from . import Event, State

__all__ = [
    "gold_alarms",
    "gold_answers",
    "gold_due",
    "gold_lacking",
    "gold_sample",
    "may_be_judged",
    "newly_watched",
]

_EXPECTED_PEOPLE = 3
"""Among how many people the first round's questions are spread, before anybody has answered."""


def gold_due(state: State, coming: int) -> dict[str, int]:
    """Return how many gold items each of the team is due by now, and under "" whoever is new.

    So many that they are `gold_rate` of that person's questions, an equal part of those to come
    included.

    Parameters
    ----------
    state : State
    coming : int
        Votes that are to come beside gold.
    """
    policy = state.workspace.policies.route
    given = state.votes.loc[state.votes["status"] == "given"]
    answers = given.loc[given["purpose"] != "gold", "annotator"].value_counts()
    part = min(coming, policy.votes_per_round) / max(len(state.people), _EXPECTED_PEOPLE)
    if policy.gold_rate == 1.0:
        return dict.fromkeys((*state.team, ""), len(state.gold))
    per_answer = policy.gold_rate / (1 - policy.gold_rate)
    return {
        name: math.ceil(per_answer * (int(answers.get(name, 0)) + part))
        for name in (*state.team, "")
    }


def gold_sample(state: State, coming: int) -> RandomSample:
    """Return the gold items that are out by now, in random order: what the busiest is due.

    Parameters
    ----------
    state : State
    coming : int
        Votes that are to come beside gold.
    """
    there = set(state.gold) & set(state.item_ids) - set(state.withdrawn)
    known = state.workspace.sample("gold", sorted(there))
    return known.first(max(gold_due(state, coming).values()))


def gold_lacking(state: State, sample: RandomSample, coming: int) -> npt.NDArray[np.int64]:
    """Return how many people are due each item of the sample and have not seen it, (n,).

    Parameters
    ----------
    state : State
    sample : RandomSample
        `gold_sample`.
    coming : int
        Votes that are to come beside gold.
    """
    due = gold_due(state, coming)
    new = due.pop("")
    if not due:
        return np.full(len(sample.ids), 1 if new else 0, dtype=np.int64)
    # Whoever skipped it or took the answer back has seen it too.
    rows = state.votes.loc[state.votes["purpose"] == "gold"]
    seen = set(zip(rows["annotator"], rows["item_id"], strict=True))
    return np.array(
        [
            sum(place < most and (name, item) not in seen for name, most in due.items())
            for place, item in enumerate(sample.ids)
        ],
        dtype=np.int64,
    )


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
    return found.assign(right=right).loc[(truth >= 0) & may_be_judged(state, rows)]


def may_be_judged(state: State, votes: pd.DataFrame) -> npt.NDArray[np.bool_]:
    """Say which votes may be held against their item's known answer, if it has one: (V,).

    Not those from before that answer could be given. Nor, of a class that was split since its
    answer was said, those that name a class cut out of it: they know more than the answer does.

    Parameters
    ----------
    state : State
    votes : VOTES rows
    """
    schema, lacking = state.workspace.schema, state.lacking_classes
    fair = np.ones(len(votes), dtype=bool)
    if not lacking:
        return fair
    truth = codes_of(votes["item_id"].map(state.gold), schema)
    for digest, names in lacking.items():
        unable = np.isin(truth, [schema.classes.index(name) for name in names])
        fair &= ~(unable & (votes["schema_digest"] == digest).to_numpy(dtype=bool))
    answer = codes_of(votes["value"], schema)
    said = votes["item_id"].map(state.latest("gold").set_index("subject")["at"])
    since = _named_since(state)
    for whole, parts in schema.splits.items():
        # A schema that is only read was perhaps never in force, and nobody named its classes yet.
        for part in since.keys() & set(parts):
            old = (said < since[part]).to_numpy(dtype=bool)
            of_both = truth == schema.classes.index(whole), answer == schema.classes.index(part)
            fair &= ~(old & of_both[0] & of_both[1])
    return fair


def _named_since(state: State) -> dict[str, pd.Timestamp]:
    """Return since when each class can be named."""
    schema, found = state.workspace.schema, dict[str, pd.Timestamp]()
    rows = state.latest("schema").sort_values("at", kind="stable")
    for body, at in zip(rows["body"], rows["at"], strict=True):
        for name in Schema.from_json(json.loads(body)).classes:
            found.setdefault(schema.renames.get(name, name), at)
    return found


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
