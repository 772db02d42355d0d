"""Route and send: who should look at what next, and offering it to them."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime

import pandas as pd

from ..errors import ConflictError, LabelopsError, SchemaError, UsageError
from ..kinds.choice import codes_of, values_of
from ..parts import Parts
from ..ports import Features, Pausing, Placed, Queue, Retracting, Sent
from ..route.plan import make_plan
from ..route.policy import DIVERSE
from ..route.surest import forsaken_seats
from ..schema import Schema
from ..state import OFFERED_AT, Event, State, Workspace, decide, load, say
from ..state.awaited import awaited
from ..state.needs import all_needs
from ..state.value import surest_people
from ..tables import PLAN
from .consolidate import up_to_date

__all__ = ["Routed", "route", "send"]

_ATTEMPTS = 50


@dataclass(frozen=True, slots=True)
class Routed:
    """What `route` asked for.

    Parameters
    ----------
    round : int
        The round of the new plan rows; the last round where there are none.
    votes : int
        New votes asked for.
    by_purpose : mapping of purpose to int
        The same by purpose.
    waiting : int
        Votes asked for earlier that have not come.
    awaited : str
        How many of all these only experts or somebody new can give, in words; empty where none.
    unknown_left : mapping of name to name
        Who is said to have left and never voted, with the nearest name of somebody who did.
    by_doubt : str
        Why the order `diverse` could not be had, so that it was `doubt`; empty where it could.
    """

    round: int
    votes: int
    by_purpose: Mapping[str, int]
    waiting: int
    awaited: str = ""
    unknown_left: Mapping[str, str] = field(default_factory=dict)
    by_doubt: str = ""


def route(
    workspace: Workspace,
    features: Features | None = None,
    *,
    now: datetime,
    parts: Parts | None = None,
) -> Routed:
    """Plan who should look at what next; the same state gives the same plan.

    Parameters
    ----------
    workspace : Workspace
    features : callable, optional
        Needed where `[route] order` is `diverse`.
    now : datetime
    parts : Parts, optional
        In a pass that goes on with all else: is handed what went wrong with the features, without
        which the order is `doubt`.

    Raises
    ------
    UsageError
        If the order is `diverse` and there are no features.
    LabelopsError
        What went wrong with the features, `of_a_part`, where there is no pass: nothing is planned.
    """
    if workspace.policies.route.order == DIVERSE and features is None:
        raise UsageError("route: the order 'diverse' needs `features` of the items")
    up_to_date(workspace, now)
    decide(workspace, lambda state: (None, _forsaken(state, now)), now)
    state, rows, trouble = _write_plan(workspace, features, now, parts)
    _say_by_doubt(state, "" if trouble is None else str(trouble), now)
    last = state.last_round
    asked = rows.groupby("purpose")["annotators"].sum()
    return Routed(
        round=last + bool(len(rows)),
        votes=int(rows["annotators"].sum()),
        by_purpose={str(k): int(v) for k, v in asked.items()},
        waiting=int(state.open_seats["open"].sum()),
        awaited=awaited(load(workspace)),
        unknown_left=state.unknown_left,
        by_doubt="" if trouble is None else str(trouble),
    )


def _forsaken(state: State, now: datetime) -> list[Event]:
    """Say which seats are kept no longer for people who do not come; the plan asks others."""
    policy = state.workspace.policies.route
    seats = forsaken_seats(
        state.open_seats,
        state.votes,
        state.team,
        policy.present_experts,
        policy.settle_days,
        now,
        state.departed,
    )
    if not seats:
        return []
    number = str(1 + len(state.latest("forsaken")))
    body = {"seats": [list(seat) for seat in seats], "days": policy.settle_days}
    return [("forsaken", number, 0, body)]


def _say_by_doubt(state: State, reason: str, now: datetime) -> None:
    """Say why the order `diverse` could not be had, or, with no reason, that it could again."""
    before = state.by_doubt
    if reason != ("" if before is None else before.reason):
        since = now if before is None else before.since.to_pydatetime()
        body = {"reason": reason, "since": since.isoformat()}
        say(state, [state.next_event("by_doubt", "order", body)], now)


def _needs(
    state: State, features: Features | None, parts: Parts | None
) -> tuple[list[pd.DataFrame], LabelopsError | None]:
    """Return all needs, and in a pass what went wrong with the features they go without."""
    try:
        return all_needs(state, features), None
    except LabelopsError as error:
        if parts is None:
            raise
        parts.keep(error)
        return all_needs(state), error


def _write_plan(
    workspace: Workspace, features: Features | None, now: datetime, parts: Parts | None
) -> tuple[State, pd.DataFrame, LabelopsError | None]:
    """Append the next round; return the state it follows from, its rows, and what they lack.

    Where another process planned meanwhile, it is planned anew: what that asks for is in flight.
    """
    trouble: LabelopsError | None = None
    for _ in range(_ATTEMPTS):
        state = load(workspace)
        # What is away is asked once in a run.
        needs, found = _needs(state, None if trouble else features, parts)
        trouble = trouble or found
        last = state.last_round
        draws = dict(zip(state.item_ids, workspace.draws("blind", state.item_ids), strict=True))
        rows = make_plan(
            needs,
            state.plan,
            state.votes,
            state.current_proposals,
            draws,
            workspace.policies.route,
            round_number=last + 1,
            schema_digest=workspace.schema.digest,
            now=now,
            seen_by_all=state.all_looked,
            surest=surest_people(state, now),
            forsaken=state.forsaken,
            paid=state.paid,
            asked_before=int(state.outdated["annotators"].sum()),
        )
        with suppress(ConflictError):
            workspace.tables.append("plan", rows, after=state.versions["plan"])
            return state, rows, trouble
    raise ConflictError("plan: others planned something at each attempt; run again")


def send(workspace: Workspace, queue: Queue, *, now: datetime) -> Sent:
    """Offer every plan row that still lacks votes; what was offered before stays as it is.

    Rows planned under an earlier schema are asked under the present one, as everything is now.
    """
    state = load(workspace)
    if isinstance(queue, Pausing):
        for annotator, reason in state.flag_reasons.items():
            queue.pause(annotator, reason)
        for annotator in state.cleared:
            queue.resume(annotator)
    if isinstance(queue, Retracting):
        _retract(state, queue, now)
    rows = state.open_seats.sort_values("priority", ascending=False, kind="stable")
    rows = _in_words_of(rows[PLAN.names].reset_index(drop=True), workspace.schema)
    items = state.items.loc[state.items["item_id"].isin(rows["item_id"])].reset_index(drop=True)
    sent = queue.send(rows, items, workspace.schema, payloads=workspace.objects)
    if len(state.plan) and not sent.broken:
        # Last: a run that died before it offers again, which offers nothing twice.
        last = state.last_round
        where = queue.name + (OFFERED_AT + queue.place if isinstance(queue, Placed) else "")
        offered: list[Event] = [("sent", where, last, {"rows": len(rows)})]
        if state.schema_number:
            offered.append(("reworded", where, state.schema_number, {}))
        say(state, offered, now)
    return sent


def _retract(state: State, queue: Retracting, now: datetime) -> None:
    """Offer to nobody any more what was withdrawn, and what does not count any more.

    An answer to a question from before a class was split, or about content that an item has no
    more, would not count, and the item is asked about anew.
    """
    gone = [state.plan.loc[state.plan["item_id"].isin(state.withdrawn_ids)]]
    # These are many and mostly answered: they are looked up again only when there are more.
    keys = pd.MultiIndex.from_frame(state.plan[["item_id", "round", "purpose"]])
    split = state.plan.loc[keys.isin(list(state.taken_back))]
    done = state.latest("retracted").set_index("subject")["revision"]
    news = list[Event]()
    for subject, rows, count in (
        (state.workspace.schema.digest, split, len(state.taken_back)),
        ("content", state.outdated, len(state.outdated)),
    ):
        if count > done.get(subject, 0):
            gone.append(rows)
            news.append(("retracted", subject, count, {}))
    if any(map(len, gone)):
        queue.retract(pd.concat(gone).drop_duplicates(["item_id", "round", "purpose"]))
    if news:
        say(state, news, now)


def _in_words_of(rows: pd.DataFrame, schema: Schema) -> pd.DataFrame:
    """Say rows of the plan under this schema; a proposal of a class that is gone is not shown."""
    old = rows["schema_digest"] != schema.digest
    if not old.any():
        return rows
    now: dict[object, str] = {}
    for value in rows.loc[old & rows["value"].notna(), "value"].unique():
        with suppress(SchemaError):
            now[value] = str(values_of(codes_of([value], schema), schema)[0])
    said = rows["value"].where(~old, rows["value"].map(now))
    shows = rows["show_proposal"] & (said.notna() | rows["value"].isna())
    return rows.assign(value=said, show_proposal=shows, schema_digest=schema.digest)
