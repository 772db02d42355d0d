"""Reasons to look: what each asks for, and in which order."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd

from labelops.measure.samples import draw_sample
from labelops.route import (
    Voters,
    Worth,
    adjudication_needs,
    gold_needs,
    label_needs,
    overlap_needs,
    review_needs,
    sample_needs,
    vote_worth,
)
from labelops.route.again import again_seats, doubt_needs, looks_again
from labelops.route.needs import CROWD, NEED_COLUMNS, seed_overlap

IDS = [f"i{i}" for i in range(40)]


def _label(ids: Sequence[str], given: Sequence[int], value: npt.ArrayLike) -> pd.DataFrame:
    """Ask for labels as if a vote were worth `value`: up to the next odd number of votes."""
    counts, worth = np.asarray(given, dtype=np.int64), np.asarray(value, dtype=np.float64)
    action = np.full(len(counts), CROWD, dtype=object)
    return label_needs(ids, counts, Worth(action, 1 + counts % 2, worth, worth))


def test_sample_needs() -> None:
    """Every item of the sample without a vote that counts is asked once more, first drawn first."""
    sample = draw_sample(b"k", "calibrate", IDS[:9], 3)
    needs = sample_needs(sample, [0, 1, 2], [True, False, True], "calibrate")
    assert list(needs.columns) == list(NEED_COLUMNS)
    assert needs["item_id"].tolist() == [sample.ids[0], sample.ids[2]]
    assert needs["wanted"].tolist() == [1, 3]
    assert needs["reason"].iloc[0] == "random calibration sample, 1 of 3 from 9 items"
    assert needs["priority"].is_monotonic_decreasing
    whole = sample_needs(draw_sample(b"k", "audit/1", IDS), [0] * 40, [True] * 40, "audit")
    assert (np.diff(whole["priority"]) < 0).all(), "an e-process reads looks in draw order"
    twice = sample_needs(draw_sample(b"k", "audit/1", ["a"]), [1], [True], "audit", votes=2)
    assert twice["wanted"].tolist() == [3]


def test_who_settles_a_doubt_is_not_who_looks_first() -> None:
    """Labels and reviews that nobody looked at are anybody's; what others left open is not."""
    assert _label(IDS[:3], [0, 1, 2], [0.1] * 3)["settles"].tolist() == [False, True, True]
    assert adjudication_needs(["a"], [1], [True], "audit", [1])["settles"].all()
    assert doubt_needs(["a"], [0.1], [0])["settles"].all()
    assert not doubt_needs(["a"], [0.1], [0], "audit")["settles"].any()
    sample = draw_sample(b"k", "audit/1", ["a"])
    assert not sample_needs(sample, [0], [True], "audit")["settles"].any()


def test_a_disputed_look_holds_up_all_others() -> None:
    """No look of the sample is more urgent."""
    sample = sample_needs(draw_sample(b"k", "audit/1", IDS), [0] * 40, [True] * 40, "audit")
    disputed = adjudication_needs(["a"], [1], [True], "audit", [2])
    assert disputed["priority"].iloc[0] >= sample["priority"].max()


def test_labels_of_a_class_that_was_split_come_first() -> None:
    """Before all that was never labeled, the largest first; and it is said why."""
    worth = Worth(np.full(3, CROWD, dtype=object), *np.ones((3, 3), dtype=np.int64))
    needs = label_needs(IDS[:3], [0, 0, 0], worth, again=[0.0, 1.5, 1.0])
    assert needs["priority"].rank(ascending=False).tolist() == [3.0, 1.0, 2.0]
    assert needs["reason"].str.startswith("its class was split").tolist() == [False, True, True]


def test_overlap_of_the_seed() -> None:
    """A share of it, thirty at least, and none where none is asked for."""
    assert [seed_overlap(0.2, n) for n in (100, 150, 151, 400)] == [30, 30, 31, 80]
    assert seed_overlap(0.0, 400) == 0


def test_label_needs() -> None:
    """So many more as the worth says, by what each is worth; whoever is left alone is not asked."""
    needs = _label(IDS[:4], [0, 0, 1, 3], [0.1, 0.2, 0.9, 1.0])
    assert needs["wanted"].tolist() == [1, 1, 3, 5]
    assert needs["reason"].tolist()[1:3] == [
        "no label yet; 1 more vote prevents 0.20 wrong labels",
        "not enough evidence yet; 2 more votes prevent 0.90 wrong labels",
    ]
    assert needs["priority"].rank().tolist() == [1.0, 2.0, 3.0, 4.0]
    assert set(needs["by"]) == {CROWD}
    odd = label_needs(IDS[:2], [0, 1], Worth(np.full(2, CROWD), *np.ones((3, 2), int)), pairs=True)
    assert odd["wanted"].tolist() == [1, 3]
    kinds = [Voters("crowd", 0.8)]
    worth = vote_worth([[0.5, 0.5]] * 3, kinds, [[0], [1], [1]], sure=[False, True, False])
    assert label_needs(IDS[:3], [0, 0, 0], worth)["item_id"].tolist() == ["i2"]


def test_adjudication_review_and_gold() -> None:
    """A pending item gets one more person; the worst suspect comes first; gold goes to all."""
    pending = adjudication_needs(["a", "b"], [1, 2], [False, True], "audit", [0, 1])
    assert pending[["item_id", "purpose", "wanted"]].values.tolist() == [["b", "audit", 3]]
    review = review_needs(["a", "b"], [0.4, 0.1], [0, 1]).sort_values("priority", ascending=False)
    assert review[["item_id", "wanted"]].values.tolist() == [["b", 3], ["a", 1]]
    assert gold_needs(draw_sample(b"k", "gold", ["g"]), [2], [3])["wanted"].tolist() == [5]


def test_guarantees_are_paid_first() -> None:
    """No uncertainty, however large, outranks a random sample, gold, or a review."""
    label = _label(["a"], [0], [1.0])["priority"].iloc[0]
    review = review_needs(["a"], [0.999], [0])["priority"].iloc[0]
    most = review_needs(["a"], [0.0], [0])["priority"].iloc[0]
    gold = gold_needs(draw_sample(b"k", "gold", ["a"]), [0], [1])["priority"].iloc[0]
    sample = draw_sample(b"k", "audit/1", range(500))
    last = sample_needs(sample, [0] * 500, [True] * 500, "audit")
    assert label < review < most < gold < last["priority"].min()


def test_no_items() -> None:
    """Nothing to ask is an empty frame with its columns."""
    for needs in (
        sample_needs(draw_sample(b"k", "audit/1", []), [], [], "audit"),
        _label([], [], []),
        review_needs([], [], []),
        adjudication_needs([], [], [], "audit", []),
    ):
        assert (len(needs), list(needs.columns)) == (0, list(NEED_COLUMNS))


def test_overlap_asks_about_those_alone_that_lack_votes() -> None:
    """Of a sample some have all votes: nobody is asked about them, and blind about the others."""
    sample = draw_sample(b"k", "overlap", IDS[:3])
    needs = overlap_needs(sample, [2, 1, 0], [0, 1, 2], "label")
    assert needs["item_id"].tolist() == sample.ids[1:].tolist()
    assert needs["wanted"].tolist() == [2, 2]
    assert needs["blind"].all()


def test_looks_after_a_failed_audit_by_hand() -> None:
    """Those that hold the excess over half the bound, but twice as many as there are errors."""
    one_doubt = np.array([0.9] + [0.0] * 9)
    assert looks_again(one_doubt, error=0.1, bound=0.1) == 2
    assert looks_again(one_doubt, error=0.3, bound=0.1) == 6
    even = np.full(10, 0.5)
    assert looks_again(even, error=0.2, bound=0.1) == 8
    assert looks_again(even, error=0.9, bound=0.1) == 10
    assert looks_again(np.empty(0), error=0.2, bound=0.1) == 0
    assert looks_again(one_doubt, error=0.11, bound=0.1) == 3, "a part of a label is a label"
    doubts = [0.1, 0.55, 0.05, 0.3] + [0.0] * 96
    # At twice the bound three quarters of the doubt, which two labels hold; else one holds half.
    assert looks_again(doubts, error=0.01, bound=0.005) == 2
    assert looks_again(doubts, error=0.001, bound=0.005) == 1


def test_labels_that_failed_get_one_more_vote() -> None:
    """Beside those they have, by the size of the doubt."""
    needs = doubt_needs(["a", "b"], [0.1, 0.3], [0, 2])
    assert needs["wanted"].tolist() == [1, 3]
    assert needs["priority"].rank().tolist() == [1.0, 2.0]


def test_seats_for_somebody_new_are_told_from_all_others() -> None:
    """Those of an audit, for that reason, and since then; a review for it is none of them."""
    audit = doubt_needs(["a", "b"], [0.3, 0.1], [0, 0], "audit")
    review = doubt_needs(["c"], [0.3], [0])
    sample = sample_needs(draw_sample(b"k", "audit/1", ["d"]), [0], [True], "audit")
    rows = pd.concat([audit, review, sample], ignore_index=True)
    days = pd.to_datetime(["2026-01-01", "2026-01-02", "2026-01-03", "2026-01-03"], utc=True)
    plan = rows.assign(planned_at=days)
    assert again_seats(plan)["item_id"].tolist() == ["a", "b"]
    assert again_seats(plan, pd.Timestamp("2026-01-01", tz="UTC"))["item_id"].tolist() == ["b"]
