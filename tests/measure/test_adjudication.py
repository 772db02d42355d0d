"""Blind votes against a value: one agreement confirms, a lead of two against overturns."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from labelops.measure.adjudication import AGREES, NO_VOTE, PENDING, WRONG, adjudicate

K = 3


def _judge(value: int, votes: list[int], limit: int) -> tuple[int, int]:
    """Return status and consensus of one item by a plain reading of the rule."""
    counts = Counter(votes)
    agree = counts.pop(value, 0)
    ranked = counts.most_common()
    rival = ranked[0][1] if ranked else 0
    if not votes:
        return NO_VOTE, -1
    if agree > rival:
        return AGREES, value
    if rival >= agree + 2:
        alone = len(ranked) == 1 or ranked[1][1] < rival
        return WRONG, ranked[0][0] if alone else -1
    return (WRONG, -1) if len(votes) >= limit else (PENDING, -1)


@settings(max_examples=200, deadline=None)
@given(
    st.lists(
        st.tuples(st.integers(-1, K - 1), st.lists(st.integers(0, K - 1), max_size=7)), max_size=5
    ),
    st.integers(1, 6),
)
def test_agrees_with_a_plain_loop(rows: list[tuple[int, list[int]]], limit: int) -> None:
    """Vectorised and item by item the judgement is the same."""
    items = [i for i, (_, votes) in enumerate(rows) for _ in votes]
    votes = [v for _, given_votes in rows for v in given_votes]
    found = adjudicate([value for value, _ in rows], items, votes, K, max_votes=limit)
    expected = [_judge(value, votes, limit) for value, votes in rows]
    assert list(zip(found.status.tolist(), found.consensus.tolist(), strict=True)) == expected
    assert found.votes.tolist() == [len(votes) for _, votes in rows]


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, K - 1)), max_size=12))
def test_order_of_votes_changes_nothing(votes: list[tuple[int, int]]) -> None:
    """Votes may arrive in any order."""
    order = np.random.default_rng(len(votes)).permutation(len(votes))
    items, codes = (np.array([v[j] for v in votes], dtype=np.int64) for j in (0, 1))
    a = adjudicate([0, 1, 2, -1], items, codes, K)
    b = adjudicate([0, 1, 2, -1], items[order], codes[order], K)
    assert a.status.tolist() == b.status.tolist()
    assert a.consensus.tolist() == b.consensus.tolist()


@pytest.mark.parametrize(
    ("votes", "status", "consensus"),
    [
        ([], NO_VOTE, -1),
        ([0], AGREES, 0),
        ([1], PENDING, -1),
        ([1, 0], PENDING, -1),
        ([1, 0, 0], AGREES, 0),
        ([1, 1], WRONG, 1),
        ([0, 1, 1], PENDING, -1),
        ([0, 1, 1, 1], WRONG, 1),
        ([0, 0, 1, 1, 1], WRONG, -1),
        ([1, 2], PENDING, -1),
        ([1, 1, 2, 2], WRONG, -1),
        ([0, 1, 2, 0, 1], WRONG, -1),
    ],
)
def test_worked_examples(votes: list[int], status: int, consensus: int) -> None:
    """The value 0, by hand: one against proves nothing, a doubt at the cap counts as wrong."""
    found = adjudicate([0], [0] * len(votes), votes, K, max_votes=5)
    assert (found.status[0], found.consensus[0]) == (status, consensus)


def test_nothing_proposed_never_agrees() -> None:
    """A missing value is not confirmed by any number of votes."""
    assert adjudicate([-1], [0], [1], K).status.tolist() == [PENDING]
    assert adjudicate([-1], [0, 0], [1, 1], K).status.tolist() == [WRONG]


def test_no_items() -> None:
    """Nothing to judge is judged as nothing."""
    assert adjudicate([], [], [], K).status.tolist() == []


def _judged(rng: np.random.Generator, value: int, rule: str, items: int = 20_000) -> float:
    """Ask people who are right 84 times in 100 until it is settled; return the share found wrong.

    The true class is 0; half of the mistakes say 1, which is also what a wrong value says.
    """
    right = rng.random((items, 7)) < 0.84
    wrong = np.where(rng.random(right.shape) < 0.5, 1, rng.integers(1, 10, right.shape))
    said = np.where(right, 0, wrong)
    status = np.full(items, PENDING)
    for votes in (1, 3, 4, 5, 6, 7):
        rows = np.flatnonzero(status == PENDING)
        given_votes = said[rows, :votes]
        if rule == "lead of two":
            places = np.repeat(np.arange(len(rows)), votes)
            found = adjudicate([value] * len(rows), places, given_votes.ravel(), 10).status
        else:
            counts = np.stack([(given_votes == k).sum(axis=1) for k in range(10)], axis=1)
            agree = counts[:, value].copy()
            counts[:, value] = 0
            against = (counts.max(axis=1) > agree) & (counts.max(axis=1) >= 2)
            found = np.select([agree > counts.max(axis=1), against], [AGREES, WRONG], PENDING)
        status[rows] = found
    return float((status != AGREES).mean())


def test_right_values_are_seldom_found_wrong_and_wrong_ones_as_often_as_before() -> None:
    """A bare majority calls three times as many right values wrong, and finds no more errors."""
    rng = np.random.default_rng(0)
    ours, bare = (_judged(rng, 0, rule) for rule in ("lead of two", "majority"))
    assert ours <= 0.006
    assert bare >= 2.5 * ours
    assert _judged(rng, 1, "lead of two") >= _judged(rng, 1, "majority") - 0.01 >= 0.88
