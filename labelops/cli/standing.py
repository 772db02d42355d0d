"""Where a label set stands, and what happens next; reads everything and changes nothing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import pandas as pd

from ..errors import counted
from ..gate.candidate import Candidate
from ..gate.verdict import FAIL, PASS, Verdict
from ..ports import Usage
from ..released import names_of, released_as
from ..report.of_state import counts_of
from ..state import Refusal, State, Unasked
from ..state.awaited import awaited
from ..state.drift import DriftWatch, drift_watch
from ..state.late import late_items
from ..state.money import Money, money_of, priced
from ..state.needs import all_needs, budget_spent, work_in_flight
from ..state.plan import LabelingPlan, labeling_plan

__all__ = ["Standing", "standing_of"]

_GOLD = "gold"
"""The purpose that nothing waits for: those seats are for whoever comes next."""


@dataclass(frozen=True, slots=True)
class Standing:
    """Where a label set stands.

    Parameters
    ----------
    name, kind, media : str
        The label set, its label kind and what its items are.
    classes : int
    items, groups, grouped : int
        Items, leakage groups of two or more of them, and the items in these.
    by_people, accepted, undecided : int
        Items by how they were decided.
    to_come : int
        Those of the undecided that get a label when labels are next decided.
    votes : mapping of purpose to int
        Votes given.
    baseline : int
        Votes that three on everything would be.
    waiting : mapping of purpose to int
        Votes asked for that have not come.
    annotators : int
        People whose votes count, without those who left.
    flagged : tuple of str
        Annotators whose votes do not count.
    labeler_version : str or None
    acceptance : mapping or None
        The standing hypothesis as JSON.
    closed : str
        Why the last acceptance was closed, while no other stands; else empty.
    usage : tuple of Usage
        What the labeler's answers have cost, one entry a model and prompt.
    refused : mapping of item to reason
        Items that the labeler's model refused; people label them without a proposal.
    unasked : Unasked or None
        Why the labeler could not be asked; people label without its new proposals.
    by_doubt : Unasked or None
        Why what to learn from was chosen by doubt where the order is `diverse`.
    refusals : mapping of source to Refusal
        What was refused of each source when it was read last.
    candidate : Candidate or None
        The candidate under audit.
    verdict : mapping
        What the gate would say now, as JSON.
    releases : tuple of str
        `name@version`, oldest first.
    released_as : str or None
        The release that has the labels as they stand.
    names : mapping of alias to `name@version`
    next : str
        What happens next, in words.
    drift : DriftWatch
        The watch over the random stream.
    plan : LabelingPlan
        How sure a label has to be, and how many items are calibrated on.
    withdrawn : int
        Items that were taken out of the label set; none of the numbers above counts them.
    money : Money or None
        What people's votes cost, where `[route]` has a price or a budget.
    late : int
        Items that came too late for the next candidate to wait for them.
    left : tuple of str
        Who has left, as the settings say; the votes they gave count.
    unknown_left : mapping of name to name
        Who is said to have left and never voted, with the nearest name of somebody who did; empty
        where none is near.
    """

    name: str
    kind: str
    media: str
    classes: int
    items: int
    groups: int
    grouped: int
    by_people: int
    accepted: int
    undecided: int
    to_come: int
    votes: Mapping[str, int]
    baseline: int
    waiting: Mapping[str, int]
    annotators: int
    flagged: tuple[str, ...]
    labeler_version: str | None
    acceptance: object | None
    closed: str
    usage: tuple[Usage, ...]
    refused: Mapping[str, str]
    unasked: Unasked | None
    by_doubt: Unasked | None
    refusals: Mapping[str, Refusal]
    candidate: Candidate | None
    verdict: Mapping[str, object]
    releases: tuple[str, ...]
    released_as: str | None
    names: Mapping[str, str]
    next: str
    drift: DriftWatch
    plan: LabelingPlan
    withdrawn: int = 0
    money: Money | None = None
    late: int = 0
    left: tuple[str, ...] = ()
    unknown_left: Mapping[str, str] = field(default_factory=dict)


def standing_of(
    state: State,
    verdict: Verdict,
    releases: tuple[str, ...],
    queue: str = "",
    place: str = "",
) -> Standing:
    """Gather where a label set stands.

    Parameters
    ----------
    state : State
    verdict : Verdict
        What the gate would say now.
    releases : tuple of str
        `name@version`, oldest first.
    queue : str
        Where people label now, by kind: what another queue offers is not on offer there.
    place : str
        The address of that queue: nor is what another server offers.
    """
    schema, counts = state.workspace.schema, counts_of(state)
    waiting = _by_purpose(state.open_seats)
    sizes = state.present_items["group"].value_counts()
    return Standing(
        name=schema.name,
        kind=schema.kind,
        media=schema.media,
        classes=len(schema.classes),
        items=counts.items,
        groups=int((sizes > 1).sum()),
        grouped=int(sizes[sizes > 1].sum()),
        by_people=counts.by_people,
        accepted=counts.accepted,
        undecided=counts.undecided,
        to_come=_to_come(state),
        votes=counts.votes,
        baseline=counts.baseline,
        waiting=waiting,
        annotators=len(state.people),
        flagged=state.flagged,
        labeler_version=state.labeler_version,
        acceptance=next(iter(state.standing), None),
        closed=_closed(state),
        usage=state.usage,
        refused=state.refused,
        unasked=state.unasked,
        by_doubt=state.by_doubt,
        refusals=state.refusals,
        candidate=state.candidate,
        verdict=verdict.to_json(),
        releases=releases,
        released_as=released_as(state),
        names=names_of(state),
        next=_next(state, verdict, queue, place),
        drift=drift_watch(state),
        plan=labeling_plan(state),
        withdrawn=len(state.withdrawn),
        money=money_of(state) if priced(state.workspace.policies.route) else None,
        late=len(late_items(state)),
        left=state.departed,
        unknown_left=state.unknown_left,
    )


def _to_come(state: State) -> int:
    """Count items without a label that have one by what is known now, such as a proposal."""
    rows, labels = state.decided[1], state.labels
    labeled = labels.loc[labels["value"].notna(), "item_id"]
    named = rows.loc[rows["value"].notna() & ~rows["item_id"].isin(labeled), "item_id"]
    return int(named.isin(state.present_items["item_id"]).sum())


def _by_purpose(seats: pd.DataFrame) -> dict[str, int]:
    return {str(k): int(v) for k, v in seats.groupby("purpose")["open"].sum().items()}


def _closed(state: State) -> str:
    last = next(reversed(state.hypotheses), None)
    return "" if last is None or state.standing else last.closed


def _next(state: State, verdict: Verdict, queue: str, place: str) -> str:
    if state.items.empty:
        return "there are no items yet: `labelops run send` takes them in, and asks people"
    if state.candidate is not None and verdict.passed:
        return "the gate passes: `labelops run publish` releases the labels"
    if waits := _asked_for(state, queue, place):
        return waits
    asked, budget = state.asked, state.workspace.policies.route.votes_total
    if any((needs["purpose"] != _GOLD).any() for needs in all_needs(state)):
        if budget and asked >= budget:
            return f"the budget of {counted(budget, 'vote')} is used up: raise [route] votes_total"
        if spent := budget_spent(state):
            return f"{spent}; raise it to go on"
        return "people are needed: `labelops run send` plans and offers what to look at"
    if released_as(state) is not None:
        return "all labels are released; new items start the next round"
    frozen = state.candidate is not None
    if (frozen or verdict.status == FAIL) and not work_in_flight(state):
        against = ", ".join(c.name for c in verdict.checks if c.status != PASS)
        return (
            f"all answers are in, and no more are planned; in the way of a release: {against}. "
            "`labelops run receive` takes corrected answers in; the bounds are under [gate]"
        )
    if not state.votes_came and work_in_flight(state):
        # What nobody is asked about yet waits for the labeler, which learns and is tried there.
        return (
            "all answers are in: `labelops run send` lets the labeler learn from them, and plans "
            "what people look at next"
        )
    return "all answers are in: `labelops run receive` decides, audits and checks"


def _asked_for(state: State, queue: str, place: str) -> str:
    """Say what votes are to come, and from whom where not everybody can give them; else empty."""
    seats = state.open_seats.loc[state.open_seats["purpose"] != _GOLD]
    waiting = int(seats["open"].sum())
    if not waiting:
        return ""
    unsent = (seats["round"] > state.sent(queue, place)).any()
    offered = ": `labelops send` offers them, people answer" if unsent else " and on offer"
    if not unsent and not state.asks_as_now(queue, place):
        offered += ", in the classes of before until `labelops send` offers those of now"
    parts = [
        f"{counted(waiting, 'vote is', 'votes are')} asked for{offered}; `labelops run receive` "
        "takes the answers in",
        _offered_elsewhere(state, seats, queue, place) if unsent else "",
        awaited(state),
    ]
    return "; ".join(part for part in parts if part)


def _offered_elsewhere(state: State, seats: pd.DataFrame, queue: str, place: str) -> str:
    """Say what was offered where `[queue]` points no more, and how answers come in from there."""
    before = state.last_place()
    there = int(seats.loc[seats["round"] <= state.sent(*before), "open"].sum())
    if not queue or before == (queue, place) or not there:
        return ""
    where = before[1] or {"local": "the embedded queue"}.get(before[0], before[0])
    return (
        f"{counted(there, 'of them was', 'of them were')} offered at {where}, where [queue] points "
        "no more: answers given there come in by `labelops collect` while it points there again"
    )
