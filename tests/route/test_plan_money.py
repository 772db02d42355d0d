"""Plans within a budget: what seats and experts cost, what was paid and is promised."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest

from labelops.route import (
    RoutePolicy,
    in_flight,
    make_plan,
    money_bound,
    overlap_needs,
    sample_needs,
)
from labelops.route.needs import CROWD, EXPERT

from .plans import (
    DRAWS,
    IDS,
    NO_PLAN,
    NO_PROPOSALS,
    NO_VOTES,
    NOW,
    drawn,
    labels_wanted,
    needs_of,
    plan_for,
    vote_rows,
)

EVE = "human:eve"


def _priced(**more: float) -> RoutePolicy:
    return RoutePolicy(experts=(EVE,), expert_cost=5.0, **more)  # type: ignore[arg-type]


def test_an_expert_is_asked_alone_and_people_without_them() -> None:
    """A seat for an expert excludes everybody known but experts; one for people, the experts."""
    votes = vote_rows([("i5", who, "label", "given", 1) for who in ("human:ann", EVE)])
    needs = [needs_of(IDS[:1], [0], [0.5]), needs_of(IDS[1:2], [0], [0.4]).assign(by=EXPERT)]
    needs.append(sample_needs(drawn("i2"), [0], [True], "calibrate"))
    rows = plan_for(needs, votes=votes, policy=_priced()).set_index("item_id")["exclude"]
    assert rows.to_dict() == {"i0": f'["{EVE}"]', "i1": '["human:ann"]', "i2": "[]"}


def test_the_price_of_a_seat_is_the_dearest_who_may_take_it() -> None:
    """Of 12: one random look that an expert may take at 5, five votes of people at 1, no more."""
    needs = [needs_of(IDS, [0] * 12, [0.5] * 12), sample_needs(drawn("i2"), [0], [True], "audit")]
    rows = plan_for(needs, policy=_priced(budget=10.0))
    assert rows["purpose"].tolist() == ["audit", *["label"] * 5]
    free = plan_for(needs, policy=RoutePolicy(budget=10.0))
    assert len(free) == 10, "without experts every vote costs 1"


def test_money_for_a_part_is_spent_on_it() -> None:
    """Of two looks that an expert may take at 5, 9 pay one, and four looks of people at 1."""
    needs = [
        overlap_needs(drawn("i0"), [0], [2], "calibrate"),
        needs_of(IDS[1:9], [0] * 8, [0.5] * 8),
    ]
    rows = plan_for(needs, policy=_priced(budget=9.0))
    assert rows[["purpose", "annotators"]].values.tolist() == [
        ["calibrate", 1],
        *[["label", 1]] * 4,
    ]


@pytest.mark.slow
def test_money_is_never_overspent() -> None:
    """Round after round, whoever takes the seats, what is given and asked for is paid for."""
    rng, policy = np.random.default_rng(3), _priced(budget=40.0, votes_per_round=9)
    plan, votes = NO_PLAN, NO_VOTES
    taken: list[tuple[str, str, str, str, int]] = []
    for number in range(1, 12):
        kinds = rng.choice([CROWD, EXPERT, ""], 12)
        needs = labels_wanted(12, number - 1).assign(by=kinds)
        new = plan_for([needs], plan, votes, policy=policy, round_number=number)
        plan = pd.concat([plan, new], ignore_index=True)
        for row in plan.itertuples():
            here = {w for i, w, _, _, r in taken if (i, r) == (row.item_id, row.round)}
            barred = {*json.loads(row.exclude), *here}
            open_to = [w for w in (EVE, *(f"human:{k}" for k in range(6))) if w not in barred]
            more = int(rng.integers(0, row.annotators - len(here) + 1))
            who = rng.permutation(open_to)[:more]
            taken += [(row.item_id, str(w), "label", "given", int(row.round)) for w in who]
        votes = vote_rows(taken)
        assert money_bound(in_flight(plan, votes), votes, policy) <= 40.0
    assert money_bound(in_flight(plan, votes), votes, policy) > 30.0, "and it is spent"


def _items_asked(
    needs: list[pd.DataFrame], budget: float, plan: pd.DataFrame = NO_PLAN, **more: object
) -> list[str]:
    """Name the items that are asked about."""
    rows = make_plan(
        needs, plan, NO_VOTES, NO_PROPOSALS, DRAWS, _priced(budget=budget),
        round_number=2, schema_digest="d", now=NOW, **more,  # type: ignore[arg-type]
    )  # fmt: skip
    return sorted(rows["item_id"])


def test_votes_that_count_no_more_are_paid() -> None:
    """Of 10, six votes were given that were withdrawn since: four more can be paid."""
    gone = vote_rows([(f"i{n}", "human:a", "label", "given", 1) for n in range(6)])
    needs = [needs_of(IDS, [0] * 12, np.linspace(1, 0, 12))]
    assert len(_items_asked(needs, 10.0)) == 10
    assert len(_items_asked(needs, 10.0, paid=gone)) == 4
    assert len(_items_asked(needs, 6.0, paid=gone)) == 0


def test_a_seat_that_nobody_takes_is_put_up_again_and_paid_twice() -> None:
    """It is not waited for, but who comes back may take it: its money stays reserved."""
    plan = plan_for([labels_wanted(2)], policy=_priced())
    needs = [needs_of(IDS[:3], [0] * 3, [0.9, 0.8, 0.7])]
    seat = ("i0", 1, "label")
    assert in_flight(plan, NO_VOTES, forsaken=[seat])["item_id"].tolist() == ["i1"]
    assert _items_asked(needs, 9.0, plan) == ["i2"]
    assert _items_asked(needs, 9.0, plan, forsaken=[seat]) == ["i0", "i2"]
    assert _items_asked(needs, 3.0, plan, forsaken=[seat]) == ["i0"]
    assert _items_asked(needs, 2.0, plan, forsaken=[seat]) == []


def test_what_is_paid_and_promised_by_hand() -> None:
    """Two votes of people at 1 and one of an expert at 5; a seat for both may cost 5."""
    votes = vote_rows(
        [
            ("i0", "human:ann", "label", "given", 1),
            ("i1", "human:bob", "audit", "given", 1),
            ("i2", EVE, "label", "given", 1),
            ("i3", "human:ann", "label", "skipped", 1),
            ("i4", EVE, "label", "deleted", 1),
        ]
    )
    seats = plan_for([overlap_needs(drawn("i5"), [0], [2], "calibrate")], policy=_priced())
    none = in_flight(NO_PLAN, votes)
    assert money_bound(none, votes, _priced()) == 7.0
    assert money_bound(in_flight(seats, votes), votes, _priced()) == 7.0 + 2 * 5.0
    assert money_bound(in_flight(seats, votes), votes, RoutePolicy()) == 3.0 + 2 * 1.0
