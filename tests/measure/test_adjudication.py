"""Blind votes against a value: one agreement confirms, a lead of three against overturns."""

from __future__ import annotations

from collections import Counter
from itertools import product

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from labelops.measure.adjudication import AGREES, NO_VOTE, PENDING, WRONG, Adjudication, adjudicate

from ..examples import examples

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
    if rival < agree + 3 and len(votes) < limit:
        return PENDING, -1
    alone = len(ranked) == 1 or (len(ranked) > 1 and ranked[1][1] < rival)
    return WRONG, ranked[0][0] if alone and rival >= agree + 2 else -1


@examples(200)
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
@given(
    st.integers(-1, K - 1),
    st.lists(st.integers(0, K - 1), min_size=1, max_size=6),
    st.integers(1, 3),
    st.integers(3, 7),
)
def test_as_many_as_are_needed_and_no_more(
    value: int, votes: list[int], confirms: int, limit: int
) -> None:
    """No fewer votes than are asked for settle a doubt whatever they say, and some so many do."""

    def judged(*more: int) -> Adjudication:
        said = [*votes, *more]
        return adjudicate([value], [0] * len(said), said, K, max_votes=limit, confirms=confirms)

    def settled(more: tuple[int, ...]) -> bool:
        return bool(judged(*more).status[0] != PENDING)

    needed = int(judged().needed[0])
    assert (needed == 0) == settled(())
    if needed:
        assert not any(settled(more) for more in product(range(K), repeat=needed - 1))
        assert any(settled(more) for more in product(range(K), repeat=needed))


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
        ([1, 1], PENDING, -1),
        ([1, 1, 1], WRONG, 1),
        ([0, 1, 1, 1], PENDING, -1),
        ([0, 1, 1, 1, 1], WRONG, 1),
        ([0, 0, 1, 1, 1], WRONG, -1),
        ([0, 1, 1, 1, 2], WRONG, 1),
        ([1, 2], PENDING, -1),
        ([1, 1, 1, 2, 2, 2], WRONG, -1),
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
    assert adjudicate([-1], [0, 0, 0], [1, 1, 1], K).status.tolist() == [WRONG]


def test_where_nobody_is_left_a_doubt_is_wrong() -> None:
    """Unsettled and nobody to ask: wrong; two who agree on another class still correct it."""
    items, votes = [0, 0, 1, 2], [1, 1, 1, 0]
    found = adjudicate([0, 0, 0, 0], items, votes, K, stuck=[True, True, True, True])
    assert found.status.tolist() == [WRONG, WRONG, AGREES, WRONG]
    assert found.consensus.tolist() == [1, -1, 0, -1]


def test_half_of_those_who_are_left_keep_a_value_that_may_tie() -> None:
    """One of two, two of four or of a split that leads nobody; never where somebody is left."""
    said = [[0, 1], [0, 1, 1, 0], [1, 0, 2], [1, 1], [1], [0, 1]]
    items = [n for n, votes in enumerate(said) for _ in votes]
    votes = [vote for each in said for vote in each]
    stuck = [True, True, True, True, True, False]
    found = adjudicate([0] * 6, items, votes, K, stuck=stuck, ties_stand=True)
    assert found.status.tolist() == [AGREES, AGREES, WRONG, WRONG, WRONG, PENDING]
    assert found.tied.tolist() == [True, True, False, False, False, False]
    assert found.consensus.tolist() == [0, 0, -1, 1, -1, -1]
    assert not adjudicate([0] * 6, items, votes, K, stuck=stuck).tied.any()


@pytest.mark.parametrize(("right", "same"), [(0.93, 0.03), (0.85, 0.07)])
def test_what_a_tie_costs_of_two_who_are_left(right: float, same: float) -> None:
    """Every outcome of two looks: wrong values pass twice as often at most, right ones stay."""
    outcomes = list(product([0, 1, 2], repeat=2))
    votes = np.array(outcomes).ravel()
    rows = np.repeat(np.arange(len(outcomes)), 2)
    of_right = {0: right, 1: same, 2: 1 - right - same}
    of_wrong = {0: same, 1: right, 2: 1 - right - same}

    def passes(chances: dict[int, float], tie: bool) -> float:
        """How often a value of class 0 stands; the second looks only where the first denies."""
        found = adjudicate([0] * 9, rows, votes, 3, stuck=True, ties_stand=tie).status == AGREES
        stands = [a == 0 or ok for (a, _), ok in zip(outcomes, found, strict=True)]
        return sum(
            chances[a] * chances[b] for (a, b), ok in zip(outcomes, stands, strict=True) if ok
        )

    assert passes(of_wrong, tie=False) == pytest.approx(same)
    assert passes(of_wrong, tie=True) == pytest.approx(1 - (1 - same) ** 2)
    assert passes(of_right, tie=False) == pytest.approx(right)
    assert passes(of_right, tie=True) == pytest.approx(1 - (1 - right) ** 2)


def test_no_items() -> None:
    """Nothing to judge is judged as nothing."""
    assert adjudicate([], [], [], K).status.tolist() == []


def _counted(said: npt.NDArray[np.int64], value: int, lead: int) -> npt.NDArray[np.int64]:
    """Judge by a lead against the value, counting votes by hand; lead 1 needs two votes."""
    counts = np.stack([(said == k).sum(axis=1) for k in range(10)], axis=1)
    agree = counts[:, value].copy()
    counts[:, value] = 0
    rival = counts.max(axis=1)
    against = (rival >= agree + lead) & (rival >= 2)
    return np.select([agree > rival, against], [AGREES, WRONG], PENDING)


def _found_wrong(value: int, lead: int | None, classes: int = 10, items: int = 40_000) -> float:
    """Ask people who are right 84 times in 100 until it is settled; return the share found wrong.

    The true class is 0; half of the mistakes, or all between two classes, say 1, which is also
    what a wrong value says. Without a lead it is `adjudicate` that judges.
    """
    rng = np.random.default_rng(0)
    right = rng.random((items, 7)) < 0.84
    wrong = np.where(rng.random(right.shape) < 0.5, 1, rng.integers(1, classes, right.shape))
    said = np.where(right, 0, wrong)
    status = np.full(items, PENDING)
    for votes in (1, 3, 4, 5, 6, 7):
        rows = np.flatnonzero(status == PENDING)
        given_votes = said[rows, :votes]
        if lead is None:
            places = np.repeat(np.arange(len(rows)), votes)
            values = [value] * len(rows)
            status[rows] = adjudicate(values, places, given_votes.ravel(), 10).status
        else:
            status[rows] = _counted(given_votes, value, lead)
    return float((status != AGREES).mean())


@pytest.mark.slow
@pytest.mark.parametrize(("classes", "most", "two"), [(10, 0.003, 0.0045), (2, 0.009, 0.012)])
def test_right_values_are_seldom_found_wrong(classes: int, most: float, two: float) -> None:
    """A lead of two calls half as many again right values wrong, a majority five times as many."""
    ours, by_two, bare = (_found_wrong(0, lead, classes) for lead in (None, 2, 1))
    assert ours <= most
    assert ours < by_two / 1.4
    assert ours < bare / 5
    assert by_two >= two


@pytest.mark.slow
@pytest.mark.parametrize("classes", [2, 10])
def test_wrong_values_are_found_as_often(classes: int) -> None:
    """What overturns a value more slowly confirms no more wrong ones: the first vote did that."""
    ours, bare = (_found_wrong(1, lead, classes) for lead in (None, 1))
    assert ours >= bare - 0.01
    assert ours >= {2: 0.8, 10: 0.88}[classes]
