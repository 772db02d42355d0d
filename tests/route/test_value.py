"""The worth of a vote: exact against every outcome, and what it promises comes."""

from __future__ import annotations

from itertools import product
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from labelops.errors import UsageError
from labelops.route import Voters, prevented_errors, vote_worth

from ..examples import examples

BELIEF = st.lists(st.floats(0.01, 1.0), min_size=2, max_size=5).map(
    lambda cells: (np.array(cells) / sum(cells))[None, :]
)


def _brute(belief: npt.NDArray[np.float64], accuracy: float, votes: int) -> float:
    """Go through every way that the votes can fall."""
    K = len(belief)
    said = np.full((K, K), (1 - accuracy) / (K - 1))
    np.fill_diagonal(said, accuracy)
    best = sum(
        (belief * said[:, list(v)].prod(axis=1)).max() for v in product(range(K), repeat=votes)
    )
    return float(best - belief.max())


@examples(40)
@given(BELIEF, st.floats(0.3, 0.99), st.integers(1, 3))
def test_against_every_outcome(
    belief: npt.NDArray[np.float64], accuracy: float, votes: int
) -> None:
    """One vote, and any number between two classes, are exact; several among more, at most that."""
    accuracy = max(accuracy, 1 / belief.shape[1])
    found = float(prevented_errors(belief, accuracy, votes)[0, -1])
    exact = _brute(belief[0], accuracy, votes)
    assert found <= exact + 1e-9
    if votes == 1 or belief.shape[1] == 2:
        assert found == pytest.approx(exact, abs=1e-9)


@examples(40)
@given(BELIEF, st.floats(0.5, 0.99), st.permutations(range(5)))
def test_laws(belief: npt.NDArray[np.float64], accuracy: float, order: list[int]) -> None:
    """More votes never prevent less, nor more than there is; the order of classes is nothing."""
    gains = prevented_errors(belief, accuracy, 4)[0]
    assert (np.diff(gains) >= 0).all() and gains[0] >= 0
    assert gains[-1] <= 1 - belief.max() + 1e-9
    shuffled = belief[:, [c for c in order if c < belief.shape[1]]]
    assert prevented_errors(shuffled, accuracy, 4)[0] == pytest.approx(gains)


def test_worked_example() -> None:
    """Even odds, someone right four times in five: .3 of an error less; at 9 : 1 it takes two."""
    gains = prevented_errors([[0.5, 0.5], [0.9, 0.1]], 0.8, 2)
    # 9 : 1 against two contrary votes: .9 · .2² = .036 < .1 · .8² = .064.
    assert gains.tolist() == [
        pytest.approx([0.3, 0.3]),
        pytest.approx([0.0, 0.064 - 0.036]),
    ]


def test_two_at_once_where_one_changes_nothing() -> None:
    """Where one contrary vote would not be believed, two are asked at once, at half the worth."""
    found = vote_worth([[0.9, 0.1]], [Voters("crowd", 0.8)], [[2]])
    assert (found.votes[0], found.per_cost[0]) == (2, pytest.approx(0.014))
    one = vote_worth([[0.9, 0.1]], [Voters("crowd", 0.8)], [[1]])
    assert (one.votes[0], one.prevents[0], one.action[0]) == (1, 0.0, "crowd")


def test_whom_to_ask() -> None:
    """Sure: nobody; nobody left: leave; a crowd that guesses: the expert, if worth the cost."""
    belief, left = np.full((4, 2), 0.5), [[5, 1], [5, 1], [0, 1], [0, 0]]
    kinds = [Voters("crowd", 0.55), Voters("expert", 0.99, 5.0)]
    found = vote_worth(belief, kinds, left, sure=[True, False, False, False])
    assert found.action.tolist() == ["accept", "expert", "expert", "leave"]
    assert found.votes.tolist() == [0, 1, 1, 0]
    dear = vote_worth(belief, [kinds[0], Voters("expert", 0.99, 50.0)], left)
    assert dear.action.tolist()[:3] == ["crowd", "crowd", "expert"]


def _answers(
    rng: np.random.Generator, truth: npt.NDArray[np.int64], accuracy: float, K: int
) -> npt.NDArray[np.int64]:
    slip = rng.integers(1, K, len(truth))
    return np.where(rng.random(len(truth)) < accuracy, truth, (truth + slip) % K)


def _updated(
    belief: npt.NDArray[np.float64], said: npt.NDArray[np.int64], accuracy: float
) -> npt.NDArray[np.float64]:
    K = belief.shape[1]
    chance = np.full(belief.shape, (1 - accuracy) / (K - 1))
    chance[np.arange(len(said)), said] = accuracy
    return np.asarray(belief * chance / (belief * chance).sum(axis=1, keepdims=True))


def _doubtful(rng: np.random.Generator, N: int, K: int) -> tuple[npt.NDArray[np.float64], ...]:
    belief = rng.dirichlet(np.full(K, 0.4), N)
    truth = (belief.cumsum(axis=1) > rng.random((N, 1))).argmax(axis=1)
    return belief, truth


@pytest.mark.parametrize("votes", [1, 2])
def test_what_is_promised_comes(votes: int) -> None:
    """Over 40,000 items the errors prevented are those promised, within a twentieth.

    A promise twice or half as large fails. With two votes it is a lower bound, not far below.
    """
    rng, N, K, accuracy = np.random.default_rng(1), 40_000, 4, 0.75
    belief, truth = _doubtful(rng, N, K)
    after = belief
    for _ in range(votes):
        after = _updated(after, _answers(rng, truth, accuracy, K), accuracy)
    wrong = [(b.argmax(axis=1) != truth).mean() for b in (belief, after)]
    promised = float(prevented_errors(belief, accuracy, votes)[:, -1].mean())
    assert promised == pytest.approx(wrong[0] - wrong[1], rel=0.05 if votes == 1 else 0.25)


def test_spending_by_worth_beats_spending_evenly() -> None:
    """With half a vote an item, the same money prevents 1.5 times the errors of an even hand."""
    rng, N, K, accuracy = np.random.default_rng(2), 8_000, 3, 0.8
    belief, truth = _doubtful(rng, N, K)
    kinds, left = [Voters("crowd", accuracy)], np.full((N, 1), 9)

    def wrong_after(by_worth: bool) -> float:
        now, budget = belief, N // 2
        while budget > 0:
            rank = vote_worth(now, kinds, left, most=1).per_cost if by_worth else rng.random(N)
            asked = np.argsort(-rank)[: min(N // 8, budget)]
            now = now.copy()
            now[asked] = _updated(now[asked], _answers(rng, truth[asked], accuracy, K), accuracy)
            budget -= len(asked)
        return float((now.argmax(axis=1) != truth).mean())

    before = float((belief.argmax(axis=1) != truth).mean())
    assert before - wrong_after(True) >= 1.5 * (before - wrong_after(False))


@pytest.mark.parametrize(
    ("name", "accuracy", "cost"), [("leave", 0.8, 1.0), ("x", 1.0, 1.0), ("x", 0.8, 0.0)]
)
def test_bad_voters(name: str, accuracy: float, cost: float) -> None:
    """A name that means an action, somebody never wrong and a free vote are refused."""
    with pytest.raises(UsageError, match="voters"):
        Voters(name, accuracy, cost)


def test_bad_shapes_and_no_items() -> None:
    """Arrays that do not fit are named; no items are no actions."""
    with pytest.raises(UsageError, match="do not fit"):
        vote_worth([[0.5, 0.5]], [Voters("crowd", 0.8)], [[1], [1]])
    kinds = [Voters("crowd", 0.8)]
    with pytest.raises(UsageError, match="sure is float64"):  # What is unknown is not sure.
        vote_worth([[0.5, 0.5]], kinds, [[1]], sure=[np.nan])
    with pytest.raises(UsageError, match="left float64"):
        vote_worth([[0.5, 0.5]], kinds, [[np.nan]])
    empty = vote_worth(np.empty((0, 3)), [Voters("crowd", 0.8)], np.empty((0, 1)))
    assert empty.action.tolist() == []


@pytest.mark.parametrize(
    ("posterior", "accuracy", "most", "says"),
    [
        ([[0.5, 0.5]], 1.8, 3, "accuracy is 1.8"),
        ([[0.5, 0.5]], float("nan"), 3, "accuracy is nan"),
        ([[0.5, 0.4]], 0.8, 3, "row 0: sums to 0.9"),
        ([[0.5, float("nan")]], 0.8, 3, "row 0, column 1: nan is not a probability"),
        ([0.5, 0.5], 0.8, 3, r"expected shape \(items, 2 classes\), found shape \(2,\)"),
        ([[0.5, 0.5]], 0.8, -1, "most is -1, expected a whole number, 1 or more"),
        ([[0.5, 0.5]], 0.8, 1.5, "most is 1.5"),
    ],
)
def test_what_is_no_belief_is_refused(
    posterior: Any, accuracy: float, most: Any, says: str
) -> None:
    """As voters are: no number comes out of what is no probability."""
    with pytest.raises(UsageError, match=says):
        prevented_errors(posterior, accuracy, most)


@pytest.mark.parametrize("accuracy", [0.1, 0.8])
def test_items_are_judged_alone(accuracy: float) -> None:
    """Also where classes are tied: an item's worth is that which it has without the others."""
    belief = np.array([[0.5, 0.5, 0.0], [0.5, 0.4, 0.1], [0.2, 0.4, 0.4], [0.7, 0.2, 0.1]])
    together = prevented_errors(belief, accuracy, 3)
    alone = np.concatenate([prevented_errors(row[None], accuracy, 3) for row in belief])
    np.testing.assert_array_equal(together, alone)


def test_one_class_is_never_wrong() -> None:
    """Where there is one class alone a vote prevents nothing."""
    np.testing.assert_allclose(prevented_errors([[1.0]], 0.8, 2), 0.0, atol=1e-12)
