"""The plan: nothing asked twice, never over budget, nothing shown that biases."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from labelops.errors import SettingsError
from labelops.measure.samples import RandomSample, draw_sample
from labelops.route import (
    RoutePolicy,
    Worth,
    gold_needs,
    in_flight,
    label_needs,
    make_plan,
    money_bound,
    overlap_needs,
    sample_needs,
)
from labelops.route.again import doubt_needs
from labelops.route.needs import CROWD, EXPERT
from labelops.tables import PLAN, PROPOSALS, VOTES, check, empty, frame_of

NOW = datetime(2026, 1, 1, tzinfo=UTC)
IDS = [f"i{i}" for i in range(12)]
DRAWS = {i: n / len(IDS) for n, i in enumerate(IDS)}
NO_VOTES, NO_PLAN, NO_PROPOSALS = empty(VOTES), empty(PLAN), empty(PROPOSALS)


def _drawn(*ids: str) -> RandomSample:
    """Draw all of some items."""
    return draw_sample(b"k", "test", ids)


def _votes(rows: list[tuple[str, str, str, str, int]]) -> pd.DataFrame:
    """Make votes from (item, annotator, purpose, status, round)."""
    cells = list(zip(*rows, strict=True)) if rows else [()] * 5
    return frame_of(
        VOTES,
        {
            "vote_id": [f"v{n}" for n in range(len(rows))],
            "revision": 0,
            "item_id": list(cells[0]),
            "annotator": list(cells[1]),
            "purpose": list(cells[2]),
            "status": list(cells[3]),
            "round": list(cells[4]),
            "value": None,
            "saw_proposal": False,
            "seconds": np.nan,
            "queue": "q",
            "schema_digest": "d",
            "given_at": NOW,
        },
        len(rows),
    )


def _proposals(ids: list[str]) -> pd.DataFrame:
    return frame_of(
        PROPOSALS,
        {
            "item_id": ids,
            "labeler": "model:m",
            "labeler_version": "v1",
            "value": ['"cat"'] * len(ids),
            "confidence": 0.9,
            "schema_digest": "d",
            "proposed_at": NOW,
        },
        len(ids),
    )


def _plan(
    needs: list[pd.DataFrame],
    plan: pd.DataFrame = NO_PLAN,
    votes: pd.DataFrame = NO_VOTES,
    proposals: pd.DataFrame = NO_PROPOSALS,
    policy: RoutePolicy | None = None,
    draws: Mapping[str, float] = DRAWS,
    round_number: int = 1,
) -> pd.DataFrame:
    return make_plan(
        needs,
        plan,
        votes,
        proposals,
        draws,
        policy or RoutePolicy(),
        round_number=round_number,
        schema_digest="d",
        now=NOW,
    )


def _asked(ids: Sequence[str], given: Sequence[int], value: npt.ArrayLike) -> pd.DataFrame:
    """Ask for labels as if a vote were worth `value`: up to the next odd number of votes."""
    counts, worth = np.asarray(given, dtype=np.int64), np.asarray(value, dtype=np.float64)
    action = np.full(len(counts), CROWD, dtype=object)
    return label_needs(ids, counts, Worth(action, 1 + counts % 2, worth, worth))


def _label(n: int, given_votes: int = 0, twice: bool = False) -> pd.DataFrame:
    if twice:
        return overlap_needs(_drawn(*IDS[:n]), [0] * n, [2] * n, "label")
    return _asked(IDS[:n], [given_votes] * n, np.linspace(0, 1, n))


WANTED = st.lists(st.tuples(st.sampled_from(IDS), st.integers(1, 4)), max_size=10)


@pytest.mark.slow
@settings(max_examples=20, deadline=None)
@given(WANTED, st.integers(1, 12), st.integers(0, 12))
def test_budget_and_idempotence(wanted: list[tuple[str, int]], each: int, total: int) -> None:
    """Never more votes than either budget, and the same state asks for nothing more."""
    needs = _asked([i for i, _ in wanted], [w - 1 for _, w in wanted], [0.5] * len(wanted))
    policy = RoutePolicy(votes_per_round=each, votes_total=total)
    rows = _plan([needs], policy=policy)
    asked = int(rows["annotators"].sum())
    assert asked <= each
    assert not total or asked <= total
    assert _plan([needs], plan=rows, policy=policy, round_number=2).empty


def test_a_need_of_many_votes_keeps_no_other_from_being_asked() -> None:
    """Of gold for nine people a round of five asks five; the rest once they came, labels before."""
    policy, gold, nobody = RoutePolicy(votes_per_round=5), _drawn("i11"), NO_VOTES
    first = _plan([gold_needs(gold, [0], [9]), _label(3)], policy=policy)
    assert first[["purpose", "annotators"]].values.tolist() == [["gold", 5]]
    second = _plan([gold_needs(gold, [0], [9]), _label(3)], first, nobody, policy=policy)
    assert second["purpose"].tolist() == ["label"] * 3
    came = _votes([("i11", f"human:{k}", "gold", "given", 1) for k in range(5)])
    third = _plan([gold_needs(gold, [5], [4])], first, came, policy=policy, round_number=3)
    assert third[["purpose", "annotators"]].values.tolist() == [["gold", 4]]
    assert len(json.loads(third["exclude"].iloc[0])) == 5


def test_gold_is_offered_once_at_a_time() -> None:
    """Somebody joins while a seat is open: a second offer could be taken by whoever has both."""
    first = _plan([gold_needs(_drawn("i0"), [0], [2])])
    came = _votes([("i0", "human:a", "gold", "given", 1)])
    assert _plan([gold_needs(_drawn("i0"), [1], [2])], first, came, round_number=2).empty
    came = _votes([("i0", f"human:{k}", "gold", "given", 1) for k in "ab"])
    rows = _plan([gold_needs(_drawn("i0"), [2], [1])], first, came, round_number=2)
    assert json.loads(rows["exclude"].iloc[0]) == ["human:a", "human:b"]


def test_rounds_of_one_vote_come_to_two_looks_at_an_item() -> None:
    """An overlap of two is asked for one by one, each blind, where a round has one vote."""
    policy, needs = RoutePolicy(votes_per_round=1, blind_share=0.0), [_label(1, twice=True)]
    first = _plan(needs, proposals=_proposals(IDS), policy=policy)
    votes = _votes([("i0", "human:a", "label", "given", 1)])
    second = _plan(needs, first, votes, _proposals(IDS), policy, round_number=2)
    rows = pd.concat([first, second])
    assert rows["annotators"].tolist() == [1, 1] and not rows["show_proposal"].any()
    assert json.loads(rows["exclude"].iloc[1]) == ["human:a"]


def test_money_for_a_part_is_spent_on_it() -> None:
    """Of two looks that an expert may take at 5, 9 pay one, and four looks of people at 1."""
    needs = [
        overlap_needs(_drawn("i0"), [0], [2], "calibrate"),
        _asked(IDS[1:9], [0] * 8, [0.5] * 8),
    ]
    rows = _plan(needs, policy=_priced(budget=9.0))
    assert rows[["purpose", "annotators"]].values.tolist() == [
        ["calibrate", 1],
        *[["label", 1]] * 4,
    ]


def test_rounds_never_pass_the_total() -> None:
    """Round after round with nobody ever satisfied, the total budget holds."""
    policy = RoutePolicy(votes_per_round=5, votes_total=17)
    plan, votes = NO_PLAN, NO_VOTES
    for number in range(1, 10):
        new = _plan([_label(12, number - 1)], plan, votes, policy=policy, round_number=number)
        plan = pd.concat([plan, new], ignore_index=True)
        given_rows = [
            (r.item_id, f"human:{k}", "label", "given", int(r.round))
            for r in plan.itertuples()
            for k in range(int(r.annotators))
        ]
        votes = _votes(given_rows)
    assert 0 < plan["annotators"].sum() <= 17


def test_worked_example() -> None:
    """Of three votes wanted, one given and one on its way, one is asked."""
    plan = _plan([overlap_needs(_drawn("i0"), [0], [2], "label")])
    assert plan["annotators"].tolist() == [2]
    votes = _votes([("i0", "human:a", "label", "given", 1)])
    rows = _plan([_asked(["i0"], [2], [0.5])], plan, votes, round_number=2)
    assert rows[["item_id", "round", "annotators"]].values.tolist() == [["i0", 2, 1]]
    assert json.loads(rows["exclude"].iloc[0]) == ["human:a"]


def test_open_seats() -> None:
    """A skipped or deleted vote leaves the seat open; a given one fills one of its own round."""
    plan = _plan([_label(1, twice=True)])
    votes = _votes(
        [
            ("i0", "human:a", "label", "given", 1),
            ("i0", "human:b", "label", "skipped", 1),
            ("i0", "human:c", "label", "deleted", 1),
            ("i0", "human:d", "label", "given", 2),
            ("i0", "human:e", "audit", "given", 1),
        ]
    )
    assert in_flight(plan, votes)["open"].tolist() == [1]
    filled = _votes([("i0", f"human:{k}", "label", "given", 1) for k in range(3)])
    assert in_flight(plan, filled).empty
    assert in_flight(plan, NO_VOTES)["open"].tolist() == [2]


def test_seats_that_nobody_is_left_for() -> None:
    """Who has seen an item answers its gold still; a label that failed waits for a newcomer."""
    again = doubt_needs(["i1", "i2"], [0.3, 0.2], [0, 0], "audit")
    plan = _plan([_label(3), again, gold_needs(_drawn("i1"), [0], [2])])
    rows = in_flight(plan, NO_VOTES, seen_by_all=["i1"])
    assert sorted(zip(rows["item_id"], rows["purpose"], strict=True)) == [
        ("i0", "label"), ("i1", "audit"), ("i1", "gold"), ("i2", "audit"), ("i2", "label"),
    ]  # fmt: skip


def test_who_skipped_is_not_asked_again() -> None:
    """Those who answered or skipped are excluded; who took the answer back may look again."""
    votes = _votes(
        [
            ("i0", "human:a", "label", "given", 1),
            ("i0", "human:b", "audit", "skipped", 1),
            ("i0", "human:c", "label", "deleted", 1),
        ]
    )
    rows = _plan([_asked(["i0"], [1], [0.5])], votes=votes)
    assert json.loads(rows["exclude"].iloc[0]) == ["human:a", "human:b"]


def test_gold_is_never_asked_twice_of_one_person() -> None:
    """Whoever answered, skipped or took the answer back has seen the question; others have not."""
    votes = _votes(
        [
            ("i0", "human:a", "gold", "given", 1),
            ("i0", "human:b", "gold", "skipped", 1),
            ("i0", "human:c", "gold", "deleted", 1),
            ("i0", "human:d", "label", "given", 1),
            ("i1", "human:e", "gold", "given", 1),
        ]
    )
    needs = [gold_needs(_drawn("i0"), [1], [3]), _asked(["i0"], [1], [0.5])]
    rows = _plan(needs, votes=votes).set_index("purpose")["exclude"]
    assert json.loads(rows["gold"]) == ["human:a", "human:b", "human:c"]
    assert json.loads(rows["label"]) == ["human:d"]


def test_what_is_shown() -> None:
    """Audits see no pre-label, nor does the random blind share, nor where there is none."""
    needs = [_label(12), sample_needs(_drawn(*IDS[:3]), [0] * 3, [True] * 3, "audit")]
    rows = _plan(needs, proposals=_proposals(IDS[:10]), policy=RoutePolicy(blind_share=0.25))
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
    votes = _votes([("i0", "human:a", "label", "given", 1)])
    needs = [_asked(["i0", "i1"], [1, 0], [0.5, 0.5])]
    policy = RoutePolicy(blind_share=0.0)
    rows = _plan(needs, votes=votes, proposals=_proposals(IDS), policy=policy)
    assert rows.set_index("item_id")["show_proposal"].to_dict() == {"i0": False, "i1": True}


def test_show_nothing() -> None:
    """Pre-labels can be turned off altogether."""
    rows = _plan([_label(12)], proposals=_proposals(IDS), policy=RoutePolicy(show_proposals=False))
    assert not rows["show_proposal"].any()


def test_samples_come_before_labels() -> None:
    """A budget too small for everything goes to the random sample first."""
    needs = [_label(12), sample_needs(_drawn(*IDS[:4]), [0] * 4, [True] * 4, "calibrate")]
    rows = _plan(needs, policy=RoutePolicy(votes_per_round=4))
    assert rows["purpose"].tolist() == ["calibrate"] * 4


def test_rows_fit_the_table() -> None:
    """The rows keep the table's contract and its key is unique; nothing needed is no row."""
    rows = _plan([_label(12), _label(5)])
    pd.testing.assert_frame_equal(check(PLAN, rows), rows)
    assert not rows.duplicated(list(PLAN.key)).any()
    assert rows["priority"].is_monotonic_decreasing
    assert _plan([]).empty and _plan([_label(0)]).empty


@pytest.mark.parametrize(
    ("name", "bad"),
    [("blind_share", 1.1), ("overlap_share", float("nan")), ("max_votes", 0), ("votes_total", -1)],
)
def test_bad_policy(name: str, bad: float) -> None:
    """A number out of range is named with its section."""
    with pytest.raises(SettingsError, match=f"route.{name}"):
        RoutePolicy(**{name: bad})  # type: ignore[arg-type]


EVE = "human:eve"


def _priced(**more: float) -> RoutePolicy:
    return RoutePolicy(experts=(EVE,), expert_cost=5.0, **more)  # type: ignore[arg-type]


def test_an_expert_is_asked_alone_and_people_without_them() -> None:
    """A seat for an expert excludes everybody known but experts; one for people, the experts."""
    votes = _votes([("i5", who, "label", "given", 1) for who in ("human:ann", EVE)])
    needs = [_asked(IDS[:1], [0], [0.5]), _asked(IDS[1:2], [0], [0.4]).assign(by=EXPERT)]
    needs.append(sample_needs(_drawn("i2"), [0], [True], "calibrate"))
    rows = _plan(needs, votes=votes, policy=_priced()).set_index("item_id")["exclude"]
    assert rows.to_dict() == {"i0": f'["{EVE}"]', "i1": '["human:ann"]', "i2": "[]"}


def test_the_price_of_a_seat_is_the_dearest_who_may_take_it() -> None:
    """Of 12: one random look that an expert may take at 5, five votes of people at 1, no more."""
    needs = [_asked(IDS, [0] * 12, [0.5] * 12), sample_needs(_drawn("i2"), [0], [True], "audit")]
    rows = _plan(needs, policy=_priced(budget=10.0))
    assert rows["purpose"].tolist() == ["audit", *["label"] * 5]
    free = _plan(needs, policy=RoutePolicy(budget=10.0))
    assert len(free) == 10, "without experts every vote costs 1"


@pytest.mark.slow
def test_money_is_never_overspent() -> None:
    """Round after round, whoever takes the seats, what is given and asked for is paid for."""
    rng, policy = np.random.default_rng(3), _priced(budget=40.0, votes_per_round=9)
    plan, votes = NO_PLAN, NO_VOTES
    taken: list[tuple[str, str, str, str, int]] = []
    for number in range(1, 12):
        kinds = rng.choice([CROWD, EXPERT, ""], 12)
        needs = _label(12, number - 1).assign(by=kinds)
        new = _plan([needs], plan, votes, policy=policy, round_number=number)
        plan = pd.concat([plan, new], ignore_index=True)
        for row in plan.itertuples():
            here = {w for i, w, _, _, r in taken if (i, r) == (row.item_id, row.round)}
            barred = {*json.loads(row.exclude), *here}
            open_to = [w for w in (EVE, *(f"human:{k}" for k in range(6))) if w not in barred]
            more = int(rng.integers(0, row.annotators - len(here) + 1))
            who = rng.permutation(open_to)[:more]
            taken += [(row.item_id, str(w), "label", "given", int(row.round)) for w in who]
        votes = _votes(taken)
        assert money_bound(in_flight(plan, votes), votes, policy) <= 40.0
    assert money_bound(in_flight(plan, votes), votes, policy) > 30.0, "and it is spent"


def test_gold_lies_among_the_others() -> None:
    """By its draw, not at the front, where it would be known; the others stay in their order."""
    urgent = _label(6).assign(priority=[1.9, 1.8, 1.7, 1.6, 1.5, 1.4])
    rows = _plan([gold_needs(_drawn("i0", "i6", "i11"), [0] * 3, [1] * 3), urgent])
    gold = rows["purpose"] == "gold"
    assert rows.loc[~gold, "item_id"].tolist() == urgent["item_id"].tolist()
    assert rows.loc[gold, "item_id"].tolist() == ["i11", "i6", "i0"]
    assert np.flatnonzero(gold).tolist() == [0, 3, 8]


def test_open_seats_take_room_in_a_round() -> None:
    """Three votes are on their way and five may be: two more are asked for; gold takes no room."""
    policy = RoutePolicy(votes_per_round=5)
    first = _plan([_label(3), gold_needs(_drawn("i11"), [0], [2])], policy=policy)
    rows = _plan([_label(12)], first, policy=policy, round_number=2)
    assert first["annotators"].sum() == 5 and rows["annotators"].sum() == 2
    answered = _votes([(f"i{n}", "human:a", "label", "given", 1) for n in range(3)])
    rows = _plan([_label(12)], first, answered, policy=policy, round_number=2)
    assert rows["annotators"].sum() == 5


def _planned(
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
    gone = _votes([(f"i{n}", "human:a", "label", "given", 1) for n in range(6)])
    needs = [_asked(IDS, [0] * 12, np.linspace(1, 0, 12))]
    assert len(_planned(needs, 10.0)) == 10
    assert len(_planned(needs, 10.0, paid=gone)) == 4
    assert len(_planned(needs, 6.0, paid=gone)) == 0


def test_a_seat_that_nobody_takes_is_put_up_again_and_paid_twice() -> None:
    """It is not waited for, but who comes back may take it: its money stays reserved."""
    plan = _plan([_label(2)], policy=_priced())
    needs = [_asked(IDS[:3], [0] * 3, [0.9, 0.8, 0.7])]
    seat = ("i0", 1, "label")
    assert in_flight(plan, NO_VOTES, forsaken=[seat])["item_id"].tolist() == ["i1"]
    assert _planned(needs, 9.0, plan) == ["i2"]
    assert _planned(needs, 9.0, plan, forsaken=[seat]) == ["i0", "i2"]
    assert _planned(needs, 3.0, plan, forsaken=[seat]) == ["i0"]
    assert _planned(needs, 2.0, plan, forsaken=[seat]) == []


def test_votes_asked_for_before_count_in_the_total() -> None:
    """Of a total of five, three were about content that is no more and one is on its way."""
    plan = _plan([_label(1)])
    rows = make_plan(
        [_label(12)], plan, NO_VOTES, NO_PROPOSALS, DRAWS, RoutePolicy(votes_total=5),
        round_number=2, schema_digest="d", now=NOW, asked_before=3,
    )  # fmt: skip
    assert rows["annotators"].sum() == 1


def test_what_is_paid_and_promised_by_hand() -> None:
    """Two votes of people at 1 and one of an expert at 5; a seat for both may cost 5."""
    votes = _votes(
        [
            ("i0", "human:ann", "label", "given", 1),
            ("i1", "human:bob", "audit", "given", 1),
            ("i2", EVE, "label", "given", 1),
            ("i3", "human:ann", "label", "skipped", 1),
            ("i4", EVE, "label", "deleted", 1),
        ]
    )
    seats = _plan([overlap_needs(_drawn("i5"), [0], [2], "calibrate")], policy=_priced())
    none = in_flight(NO_PLAN, votes)
    assert money_bound(none, votes, _priced()) == 7.0
    assert money_bound(in_flight(seats, votes), votes, _priced()) == 7.0 + 2 * 5.0
    assert money_bound(in_flight(seats, votes), votes, RoutePolicy()) == 3.0 + 2 * 1.0


def test_the_surest_settle_what_they_have_not_seen() -> None:
    """Whoever looked is not asked again; others only where too few of the surest are left."""
    votes = _votes([("i0", "human:a", "label", "given", 1), ("i1", "human:e", "label", "given", 1)])
    for surest, barred in (("abcd", ["human:a", "human:e"]), ("abc", ["human:a"])):
        rows = make_plan(
            [_asked(["i0"], [1], [0.5])], NO_PLAN, votes, NO_PROPOSALS, DRAWS, RoutePolicy(),
            round_number=2, schema_digest="d", now=NOW, surest=[f"human:{n}" for n in surest],
        )  # fmt: skip
        assert rows["annotators"].tolist() == [2]
        assert json.loads(rows["exclude"].iloc[0]) == barred
