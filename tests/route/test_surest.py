"""Who settles what others leave open: those with the best record, as long as they last."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import numpy as np
import pandas as pd
import pytest

from labelops.errors import SettingsError
from labelops.measure.samples import draw_sample
from labelops.route import (
    RoutePolicy,
    adjudication_needs,
    best_half,
    doubt_needs,
    forsaken_seats,
    make_plan,
    sample_needs,
)
from labelops.tables import PLAN, PROPOSALS, VOTES, empty, frame_of

NOW = datetime(2026, 1, 1, tzinfo=UTC)
TEAM = [f"human:{name}" for name in "abcdef"]
BEST = tuple(TEAM[:3])


def _votes(rows: list[tuple[str, str]]) -> pd.DataFrame:
    """Make audit votes from (item, annotator)."""
    return frame_of(
        VOTES,
        {
            "vote_id": [f"v{n}" for n in range(len(rows))],
            "revision": 0,
            "item_id": [item for item, _ in rows],
            "annotator": [who for _, who in rows],
            "purpose": "audit",
            "status": "given",
            "round": 1,
            "saw_proposal": False,
            "queue": "q",
            "schema_digest": "d",
            "given_at": NOW,
        },
        len(rows),
    )


def _barred(needs: pd.DataFrame, votes: pd.DataFrame, surest: tuple[str, ...]) -> list[set[str]]:
    rows = make_plan(
        [needs], empty(PLAN), votes, empty(PROPOSALS), {"x": 0.5, "y": 0.5}, RoutePolicy(),
        round_number=2, schema_digest="d", now=NOW, surest=surest,
    )  # fmt: skip
    return [set(json.loads(text)) for text in rows["exclude"]]


def test_doubts_go_to_the_surest_and_first_looks_to_anybody() -> None:
    """After a disagreeing vote only those with the best record are asked; before, everybody is."""
    everybody = _votes([("y", who) for who in TEAM])
    votes = pd.concat([everybody, _votes([("x", TEAM[5])]).assign(vote_id="w")])
    doubted = adjudication_needs(["x"], [1], [True], "audit", [2])
    assert _barred(doubted, votes, BEST) == [{*TEAM[3:]}]
    again = doubt_needs(["x"], [0.3], [0])
    assert _barred(again, votes, BEST) == [{*TEAM[3:]}]
    first = sample_needs(draw_sample(b"k", "audit", ["x"]), [1], [True], "audit")
    assert _barred(first, votes, BEST) == [{TEAM[5]}]


@pytest.mark.parametrize("looked", [TEAM[:1], TEAM[1:3]])
def test_where_too_few_of_them_are_left_anybody_may(looked: list[str]) -> None:
    """Two are asked for and one more must be left: else the doubt would wait for ever."""
    votes = pd.concat(
        [_votes([("x", who) for who in looked]), _votes([("y", who) for who in TEAM])]
    ).assign(vote_id=lambda rows: [f"v{n}" for n in range(len(rows))])
    doubted = adjudication_needs(["x"], [1], [True], "audit", [2])
    assert _barred(doubted, votes, BEST) == [set(looked)]


def test_the_best_half_is_that_of_any_order() -> None:
    """The order of names changes nothing; those left out are no better than those named."""
    rng = np.random.default_rng(0)
    accuracy = dict(zip(TEAM, rng.random(6).tolist(), strict=True))
    found = best_half(accuracy)
    assert found == best_half(dict(reversed(accuracy.items())))
    assert min(accuracy[n] for n in found) >= max(accuracy[n] for n in set(TEAM) - set(found))
    assert len(found) == 3 and best_half(accuracy, 1.0) == ()


def test_small_teams_spare_nobody() -> None:
    """Five people are all asked."""
    assert best_half(dict.fromkeys(TEAM[:5], 0.9)) == ()


@pytest.mark.parametrize("share", [0.0, -0.1, 1.1, float("nan")])
def test_a_share_that_is_none_is_refused(share: float) -> None:
    """The message names the setting and the value."""
    with pytest.raises(SettingsError, match=r"route\.settle_share is"):
        RoutePolicy(settle_share=share)


def test_a_team_that_pauses_forsakes_no_seat_of_its_own() -> None:
    """A seat kept from an expert for the price stays one of those who may take it, if they pause.

    Where nobody else may take it, it is the expert's after so many days.
    """
    ann, zoe = TEAM[:2]
    seat = pd.DataFrame(
        {
            "item_id": ["x"],
            "round": [1],
            "purpose": ["label"],
            "exclude": [json.dumps([zoe])],
            "planned_at": [pd.Timestamp(NOW)],
        }
    )
    later, nobody = NOW + timedelta(days=8), empty(VOTES)
    assert forsaken_seats(seat, nobody, [ann, zoe], [zoe], 7.0, later) == []
    assert forsaken_seats(seat, nobody, [zoe], [zoe], 7.0, later) == [("x", 1, "label")]
    assert forsaken_seats(seat, nobody, [zoe], [zoe], 9.0, later) == []
