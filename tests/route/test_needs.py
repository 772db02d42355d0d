"""Reasons to look: what each asks for, in which order, and that drawing stays random."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from labelops.digest import uniforms
from labelops.route import (
    adjudication_needs,
    first_by_draw,
    gold_needs,
    label_needs,
    review_needs,
    sample_needs,
)
from labelops.route.needs import NEED_COLUMNS

IDS = [f"i{i}" for i in range(40)]


@settings(max_examples=40)
@given(st.sets(st.sampled_from(IDS), min_size=1), st.integers(0, 45))
def test_draw_is_order_free_and_nested(ids: set[str], size: int) -> None:
    """The draw does not depend on the order of items; a larger sample begins with the smaller."""
    known = sorted(ids)
    draws = uniforms(b"k", "audit", known)
    sample = first_by_draw(known, draws, size).tolist()
    assert first_by_draw(known[::-1], draws[::-1], size).tolist() == sample
    assert first_by_draw(known, draws, size + 1).tolist()[: len(sample)] == sample
    assert len(sample) == min(size, len(known))


@settings(max_examples=40)
@given(st.sets(st.sampled_from(IDS)), st.sets(st.sampled_from(IDS)), st.integers(1, 20))
def test_earlier_looks_count_in_a_grown_set(before: set[str], more: set[str], size: int) -> None:
    """Of a grown set's sample, the items known before were all in the earlier sample."""
    first = first_by_draw(sorted(before), uniforms(b"k", "a", sorted(before)), size)
    grown = sorted(before | more)
    later = first_by_draw(grown, uniforms(b"k", "a", grown), size)
    assert set(later) & before <= set(first)


def test_a_draw_is_fair() -> None:
    """Over 2,000 keys each of ten items is drawn first about as often (χ², 0.1 %)."""
    ids = IDS[:10]
    firsts = [first_by_draw(ids, uniforms(str(k).encode(), "a", ids), 1)[0] for k in range(2_000)]
    counts = np.array([firsts.count(i) for i in ids])
    assert ((counts - 200) ** 2 / 200).sum() < 27.9


@pytest.mark.parametrize("size", [0, -3])
def test_nothing_to_draw(size: int) -> None:
    """A sample of no items is empty, not an error."""
    assert first_by_draw(IDS, uniforms(b"k", "a", IDS), size).tolist() == []


def test_sample_needs() -> None:
    """Every item of the sample without a vote that counts is asked once more, first drawn first."""
    needs = sample_needs(["c", "a", "b"], [0, 1, 2], [True, False, True], "calibrate", total=9)
    assert list(needs.columns) == list(NEED_COLUMNS)
    assert needs["item_id"].tolist() == ["c", "b"]
    assert needs["wanted"].tolist() == [1, 3]
    assert needs["reason"].iloc[0] == "random calibration sample, 1 of 3 from 9 items"
    assert needs["priority"].is_monotonic_decreasing


def test_label_needs() -> None:
    """Nobody yet: one; asked and not settled: up to the next odd number; surest last."""
    needs = label_needs(IDS[:4], [0, 0, 1, 3], [0.1, 0.2, 0.9, 1.0])
    assert needs["wanted"].tolist() == [1, 1, 3, 5]
    assert needs["reason"].tolist() == [
        "no label yet, by uncertainty",
        "no label yet, by uncertainty",
        "the votes so far are not enough evidence",
        "the votes so far are not enough evidence",
    ]
    assert needs["priority"].rank().tolist() == [1.0, 2.0, 3.0, 4.0]


def test_adjudication_review_and_gold() -> None:
    """A pending item gets one more person; the worst suspect comes first; gold goes to all."""
    pending = adjudication_needs(["a", "b"], [1, 2], [False, True], "audit")
    assert pending[["item_id", "purpose", "wanted"]].values.tolist() == [["b", "audit", 3]]
    review = review_needs(["a", "b"], [0.4, 0.1], [0, 1]).sort_values("priority", ascending=False)
    assert review[["item_id", "wanted"]].values.tolist() == [["b", 3], ["a", 1]]
    assert gold_needs(["g"], 0)["wanted"].tolist() == [1]


def test_guarantees_are_paid_first() -> None:
    """No uncertainty, however large, outranks a random sample, gold, or a review."""
    label = label_needs(["a"], [0], [1.0])["priority"].iloc[0]
    review = review_needs(["a"], [0.999], [0])["priority"].iloc[0]
    most = review_needs(["a"], [0.0], [0])["priority"].iloc[0]
    gold = gold_needs(["a"], 1)["priority"].iloc[0]
    last = sample_needs(["a"] * 500, [0] * 500, [True] * 500, "audit", total=500)
    assert label < review < most < gold < last["priority"].min()


def test_no_items() -> None:
    """Nothing to ask is an empty frame with its columns."""
    for needs in (
        sample_needs([], [], [], "audit", total=0),
        label_needs([], [], []),
        review_needs([], [], []),
        adjudication_needs([], [], [], "audit"),
    ):
        assert (len(needs), list(needs.columns)) == (0, list(NEED_COLUMNS))
