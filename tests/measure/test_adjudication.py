"""Blind votes against a value: one agreement confirms, two against overturn."""

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
    if rival >= 2 and rival > agree:
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
        ([0, 1, 1], WRONG, 1),
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
