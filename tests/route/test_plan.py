"""The plan: nothing asked twice, never over budget, nothing shown that biases."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from labelops.errors import SettingsError
from labelops.route import (
    RoutePolicy,
    gold_needs,
    in_flight,
    make_plan,
    overlap_needs,
    sample_needs,
)
from labelops.route.again import doubt_needs
from labelops.tables import PLAN, check

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
    proposal_rows,
    vote_rows,
)

WANTED = st.lists(st.tuples(st.sampled_from(IDS), st.integers(1, 4)), max_size=10)


@pytest.mark.slow
@settings(max_examples=20, deadline=None)
@given(WANTED, st.integers(1, 12), st.integers(0, 12))
def test_budget_and_idempotence(wanted: list[tuple[str, int]], each: int, total: int) -> None:
    """Never more votes than either budget, and the same state asks for nothing more."""
    needs = needs_of([i for i, _ in wanted], [w - 1 for _, w in wanted], [0.5] * len(wanted))
    policy = RoutePolicy(votes_per_round=each, votes_total=total)
    rows = plan_for([needs], policy=policy)
    asked = int(rows["annotators"].sum())
    assert asked <= each
    assert not total or asked <= total
    assert plan_for([needs], plan=rows, policy=policy, round_number=2).empty


def test_a_need_of_many_votes_keeps_no_other_from_being_asked() -> None:
    """Of gold for nine people a round of five asks five; the rest once they came, labels before."""
    policy, gold, nobody = RoutePolicy(votes_per_round=5), drawn("i11"), NO_VOTES
    first = plan_for([gold_needs(gold, [0], [9]), labels_wanted(3)], policy=policy)
    assert first[["purpose", "annotators"]].values.tolist() == [["gold", 5]]
    second = plan_for([gold_needs(gold, [0], [9]), labels_wanted(3)], first, nobody, policy=policy)
    assert second["purpose"].tolist() == ["label"] * 3
    came = vote_rows([("i11", f"human:{k}", "gold", "given", 1) for k in range(5)])
    third = plan_for([gold_needs(gold, [5], [4])], first, came, policy=policy, round_number=3)
    assert third[["purpose", "annotators"]].values.tolist() == [["gold", 4]]
    assert len(json.loads(third["exclude"].iloc[0])) == 5


def test_gold_is_offered_once_at_a_time() -> None:
    """Somebody joins while a seat is open: a second offer could be taken by whoever has both."""
    first = plan_for([gold_needs(drawn("i0"), [0], [2])])
    came = vote_rows([("i0", "human:a", "gold", "given", 1)])
    assert plan_for([gold_needs(drawn("i0"), [1], [2])], first, came, round_number=2).empty
    came = vote_rows([("i0", f"human:{k}", "gold", "given", 1) for k in "ab"])
    rows = plan_for([gold_needs(drawn("i0"), [2], [1])], first, came, round_number=2)
    assert json.loads(rows["exclude"].iloc[0]) == ["human:a", "human:b"]


def test_rounds_of_one_vote_come_to_two_looks_at_an_item() -> None:
    """An overlap of two is asked for one by one, each blind, where a round has one vote."""
    policy, needs = RoutePolicy(votes_per_round=1, blind_share=0.0), [labels_wanted(1, twice=True)]
    first = plan_for(needs, proposals=proposal_rows(IDS), policy=policy)
    votes = vote_rows([("i0", "human:a", "label", "given", 1)])
    second = plan_for(needs, first, votes, proposal_rows(IDS), policy, round_number=2)
    rows = pd.concat([first, second])
    assert rows["annotators"].tolist() == [1, 1] and not rows["show_proposal"].any()
    assert json.loads(rows["exclude"].iloc[1]) == ["human:a"]


def test_rounds_never_pass_the_total() -> None:
    """Round after round with nobody ever satisfied, the total budget holds."""
    policy = RoutePolicy(votes_per_round=5, votes_total=17)
    plan, votes = NO_PLAN, NO_VOTES
    for number in range(1, 10):
        new = plan_for(
            [labels_wanted(12, number - 1)], plan, votes, policy=policy, round_number=number
        )
        plan = pd.concat([plan, new], ignore_index=True)
        given_rows = [
            (r.item_id, f"human:{k}", "label", "given", int(r.round))
            for r in plan.itertuples()
            for k in range(int(r.annotators))
        ]
        votes = vote_rows(given_rows)
    assert 0 < plan["annotators"].sum() <= 17


def test_worked_example() -> None:
    """Of three votes wanted, one given and one on its way, one is asked."""
    plan = plan_for([overlap_needs(drawn("i0"), [0], [2], "label")])
    assert plan["annotators"].tolist() == [2]
    votes = vote_rows([("i0", "human:a", "label", "given", 1)])
    rows = plan_for([needs_of(["i0"], [2], [0.5])], plan, votes, round_number=2)
    assert rows[["item_id", "round", "annotators"]].values.tolist() == [["i0", 2, 1]]
    assert json.loads(rows["exclude"].iloc[0]) == ["human:a"]


def test_open_seats() -> None:
    """A skipped or deleted vote leaves the seat open; a given one fills one of its own round."""
    plan = plan_for([labels_wanted(1, twice=True)])
    votes = vote_rows(
        [
            ("i0", "human:a", "label", "given", 1),
            ("i0", "human:b", "label", "skipped", 1),
            ("i0", "human:c", "label", "deleted", 1),
            ("i0", "human:d", "label", "given", 2),
            ("i0", "human:e", "audit", "given", 1),
        ]
    )
    assert in_flight(plan, votes)["open"].tolist() == [1]
    filled = vote_rows([("i0", f"human:{k}", "label", "given", 1) for k in range(3)])
    assert in_flight(plan, filled).empty
    assert in_flight(plan, NO_VOTES)["open"].tolist() == [2]


def test_seats_that_nobody_is_left_for() -> None:
    """Who has seen an item answers its gold still; a label that failed waits for a newcomer."""
    again = doubt_needs(["i1", "i2"], [0.3, 0.2], [0, 0], "audit")
    plan = plan_for([labels_wanted(3), again, gold_needs(drawn("i1"), [0], [2])])
    rows = in_flight(plan, NO_VOTES, seen_by_all=["i1"])
    assert sorted(zip(rows["item_id"], rows["purpose"], strict=True)) == [
        ("i0", "label"), ("i1", "audit"), ("i1", "gold"), ("i2", "audit"), ("i2", "label"),
    ]  # fmt: skip


def test_who_skipped_is_not_asked_again() -> None:
    """Those who answered or skipped are excluded; who took the answer back may look again."""
    votes = vote_rows(
        [
            ("i0", "human:a", "label", "given", 1),
            ("i0", "human:b", "audit", "skipped", 1),
            ("i0", "human:c", "label", "deleted", 1),
        ]
    )
    rows = plan_for([needs_of(["i0"], [1], [0.5])], votes=votes)
    assert json.loads(rows["exclude"].iloc[0]) == ["human:a", "human:b"]


def test_gold_is_never_asked_twice_of_one_person() -> None:
    """Whoever answered, skipped or took the answer back has seen the question; others have not."""
    votes = vote_rows(
        [
            ("i0", "human:a", "gold", "given", 1),
            ("i0", "human:b", "gold", "skipped", 1),
            ("i0", "human:c", "gold", "deleted", 1),
            ("i0", "human:d", "label", "given", 1),
            ("i1", "human:e", "gold", "given", 1),
        ]
    )
    needs = [gold_needs(drawn("i0"), [1], [3]), needs_of(["i0"], [1], [0.5])]
    rows = plan_for(needs, votes=votes).set_index("purpose")["exclude"]
    assert json.loads(rows["gold"]) == ["human:a", "human:b", "human:c"]
    assert json.loads(rows["label"]) == ["human:d"]


def test_what_is_shown() -> None:
    """Audits see no pre-label, nor does the random blind share, nor where there is none."""
    needs = [labels_wanted(12), sample_needs(drawn(*IDS[:3]), [0] * 3, [True] * 3, "audit")]
    rows = plan_for(needs, proposals=proposal_rows(IDS[:10]), policy=RoutePolicy(blind_share=0.25))
    shown = rows.loc[rows["show_proposal"], "item_id"].tolist()
    assert sorted(shown) == sorted(IDS[3:10])
    assert (rows.loc[rows["show_proposal"], "purpose"] == "label").all()
    hidden = rows.loc[~rows["show_proposal"]]
    assert hidden["value"].isna().all()
    # Blind label votes name the version in force, so that they can be compared; nobody else does.
    beside = hidden["item_id"].isin(IDS[:10]) & (hidden["purpose"] == "label")
    assert set(hidden.loc[beside, "item_id"]) == {*IDS[:3]}
    assert hidden["labeler_version"].notna().tolist() == beside.tolist()


def test_only_the_first_vote_is_shown_a_proposal() -> None:
    """Whoever settles a doubt looks blind: two more votes on i0, the first one on i1."""
    votes = vote_rows([("i0", "human:a", "label", "given", 1)])
    needs = [needs_of(["i0", "i1"], [1, 0], [0.5, 0.5])]
    policy = RoutePolicy(blind_share=0.0)
    rows = plan_for(needs, votes=votes, proposals=proposal_rows(IDS), policy=policy)
    assert rows.set_index("item_id")["show_proposal"].to_dict() == {"i0": False, "i1": True}


def test_show_nothing() -> None:
    """Pre-labels can be turned off altogether."""
    rows = plan_for(
        [labels_wanted(12)], proposals=proposal_rows(IDS), policy=RoutePolicy(show_proposals=False)
    )
    assert not rows["show_proposal"].any()


def test_samples_come_before_labels() -> None:
    """A budget too small for everything goes to the random sample first."""
    needs = [labels_wanted(12), sample_needs(drawn(*IDS[:4]), [0] * 4, [True] * 4, "calibrate")]
    rows = plan_for(needs, policy=RoutePolicy(votes_per_round=4))
    assert rows["purpose"].tolist() == ["calibrate"] * 4


def test_rows_fit_the_table() -> None:
    """The rows keep the table's contract and its key is unique; nothing needed is no row."""
    rows = plan_for([labels_wanted(12), labels_wanted(5)])
    pd.testing.assert_frame_equal(check(PLAN, rows), rows)
    assert not rows.duplicated(list(PLAN.key)).any()
    assert rows["priority"].is_monotonic_decreasing
    assert plan_for([]).empty and plan_for([labels_wanted(0)]).empty


@pytest.mark.parametrize(
    ("name", "bad"),
    [("blind_share", 1.1), ("overlap_share", float("nan")), ("max_votes", 0), ("votes_total", -1)],
)
def test_bad_policy(name: str, bad: float) -> None:
    """A number out of range is named with its section."""
    with pytest.raises(SettingsError, match=f"route.{name}"):
        RoutePolicy(**{name: bad})  # type: ignore[arg-type]


def test_gold_lies_among_the_others() -> None:
    """By its draw, not at the front, where it would be known; the others stay in their order."""
    urgent = labels_wanted(6).assign(priority=[1.9, 1.8, 1.7, 1.6, 1.5, 1.4])
    rows = plan_for([gold_needs(drawn("i0", "i6", "i11"), [0] * 3, [1] * 3), urgent])
    gold = rows["purpose"] == "gold"
    assert rows.loc[~gold, "item_id"].tolist() == urgent["item_id"].tolist()
    assert rows.loc[gold, "item_id"].tolist() == ["i11", "i6", "i0"]
    assert np.flatnonzero(gold).tolist() == [0, 3, 8]


def test_open_seats_take_room_in_a_round() -> None:
    """Three votes are on their way and five may be: two more are asked for; gold takes no room."""
    policy = RoutePolicy(votes_per_round=5)
    first = plan_for([labels_wanted(3), gold_needs(drawn("i11"), [0], [2])], policy=policy)
    rows = plan_for([labels_wanted(12)], first, policy=policy, round_number=2)
    assert first["annotators"].sum() == 5 and rows["annotators"].sum() == 2
    answered = vote_rows([(f"i{n}", "human:a", "label", "given", 1) for n in range(3)])
    rows = plan_for([labels_wanted(12)], first, answered, policy=policy, round_number=2)
    assert rows["annotators"].sum() == 5


def test_votes_asked_for_before_count_in_the_total() -> None:
    """Of a total of five, three were about content that is no more and one is on its way."""
    plan = plan_for([labels_wanted(1)])
    rows = make_plan(
        [labels_wanted(12)], plan, NO_VOTES, NO_PROPOSALS, DRAWS, RoutePolicy(votes_total=5),
        round_number=2, schema_digest="d", now=NOW, asked_before=3,
    )  # fmt: skip
    assert rows["annotators"].sum() == 1


def test_the_surest_settle_what_they_have_not_seen() -> None:
    """Whoever looked is not asked again; others only where too few of the surest are left."""
    votes = vote_rows(
        [("i0", "human:a", "label", "given", 1), ("i1", "human:e", "label", "given", 1)]
    )
    for surest, barred in (("abcd", ["human:a", "human:e"]), ("abc", ["human:a"])):
        rows = make_plan(
            [needs_of(["i0"], [1], [0.5])], NO_PLAN, votes, NO_PROPOSALS, DRAWS, RoutePolicy(),
            round_number=2, schema_digest="d", now=NOW, surest=[f"human:{n}" for n in surest],
        )  # fmt: skip
        assert rows["annotators"].tolist() == [2]
        assert json.loads(rows["exclude"].iloc[0]) == barred
