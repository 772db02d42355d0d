"""Route and send: who should look at what next, and offering it to them."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime

import pandas as pd

from ..errors import ConflictError, SchemaError, UsageError
from ..kinds.choice import codes_of, values_of
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
    """

    round: int
    votes: int
    by_purpose: Mapping[str, int]
    waiting: int
    awaited: str = ""


def route(workspace: Workspace, features: Features | None = None, *, now: datetime) -> Routed:
    """Plan who should look at what next; the same state gives the same plan.

    Parameters
    ----------
    workspace : Workspace
    features : callable, optional
        Needed where `[route] order` is `diverse`.
    now : datetime

    Raises
    ------
    UsageError
        If the order is `diverse` and there are no features.
    """
    if workspace.policies.route.order == DIVERSE and features is None:
        raise UsageError("route: the order 'diverse' needs `features` of the items")
    up_to_date(workspace, now)
    decide(workspace, lambda state: (None, _forsaken(state, now)), now)
    state, rows = _write_plan(workspace, features, now)
    last = int(state.plan["round"].max()) if len(state.plan) else 0
    asked = rows.groupby("purpose")["annotators"].sum()
    return Routed(
        round=last + bool(len(rows)),
        votes=int(rows["annotators"].sum()),
        by_purpose={str(k): int(v) for k, v in asked.items()},
        waiting=int(state.open_seats["open"].sum()),
        awaited=awaited(load(workspace)),
    )


def _forsaken(state: State, now: datetime) -> list[Event]:
    """Say which seats are kept no longer for people who do not come; the plan asks others."""
    policy = state.workspace.policies.route
    seats = forsaken_seats(
        state.open_seats, state.votes, state.team, policy.experts, policy.settle_days, now
    )
    if not seats:
        return []
    number = str(1 + len(state.latest("forsaken")))
    body = {"seats": [list(seat) for seat in seats], "days": policy.settle_days}
    return [("forsaken", number, 0, body)]


def _write_plan(
    workspace: Workspace, features: Features | None, now: datetime
) -> tuple[State, pd.DataFrame]:
    """Append the next round; return the state it follows from, and its rows.

    Where another process planned meanwhile, it is planned anew: what that asks for is in flight.
    """
    for _ in range(_ATTEMPTS):
        state = load(workspace)
        last = int(state.plan["round"].max()) if len(state.plan) else 0
        draws = dict(zip(state.item_ids, workspace.draws("blind", state.item_ids), strict=True))
        rows = make_plan(
            all_needs(state, features),
            state.plan,
            state.votes,
            state.current_proposals,
            draws,
            workspace.policies.route,
            round_number=last + 1,
            schema_digest=workspace.schema.digest,
            now=now,
            seen_by_all=state.seen_by_all,
            surest=surest_people(state, now),
            forsaken=state.forsaken,
        )
        with suppress(ConflictError):
            workspace.tables.append("plan", rows, after=state.versions["plan"])
            return state, rows
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
    withdrawn = state.plan.loc[state.plan["item_id"].isin(state.withdrawn_ids)]
    if len(withdrawn) and isinstance(queue, Retracting):
        queue.retract(withdrawn)
    rows = state.open_seats.sort_values("priority", ascending=False, kind="stable")
    rows = _in_words_of(rows[PLAN.names].reset_index(drop=True), workspace.schema)
    items = state.items.loc[state.items["item_id"].isin(rows["item_id"])].reset_index(drop=True)
    sent = queue.send(rows, items, workspace.schema, payloads=workspace.objects)
    if len(state.plan) and not sent.broken:
        # Last: a run that died before it offers again, which offers nothing twice.
        last = int(state.plan["round"].max())
        where = queue.name + (OFFERED_AT + queue.place if isinstance(queue, Placed) else "")
        say(state, [("sent", where, last, {"rows": len(rows)})], now)
    return sent


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
