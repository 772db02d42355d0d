"""How often people err, and make one and the same mistake: by hand, and by laws."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from labelops.gate.mistakes import chance_agreement, same_mistake, vote_errors
from labelops.measure.codes import FloatArray

COUNTS = np.array([[9.0, 1.0], [2.0, 8.0]])
THREE = np.array([[80.0, 12.0, 3.0], [2.0, 60.0, 9.0], [1.0, 1.0, 30.0]])
ERRORS = 1 - (17 + 1) / (20 + 1 + 1)
"""Of `COUNTS`: one right vote and one mistake beside those there are."""


def test_errors_by_hand() -> None:
    """One right vote, and one mistake spread over the other classes, beside those there are."""
    assert vote_errors(COUNTS) == pytest.approx(ERRORS)
    assert vote_errors(THREE) == pytest.approx(1 - (170 + 1) / (198 + 1 + 1 / 2))
    assert vote_errors([[5.0]]) == pytest.approx(1 - 6 / 7)
    assert vote_errors(np.eye(3) * 1e6) > 0


def test_the_chance_to_name_a_wrong_label_by_hand() -> None:
    """One label of class 1 that is 0 with .3: how often votes on class 0 say 1, as four more do."""
    says_it = (1 + 4 * ERRORS) / (10 + 4)
    expected = (0.3 * says_it + ERRORS) / (0.3 + 1)
    assert chance_agreement([[0.3, 0.7]], [1], COUNTS) == pytest.approx(expected)


def test_mistakes_are_spread_over_the_other_classes() -> None:
    """Between three classes a prior mistake is either of two: at no doubt it is half as likely."""
    sure = [[1.0, 0.0, 0.0]]
    assert chance_agreement(sure, [0], THREE) == pytest.approx(vote_errors(THREE) / 2)
    assert chance_agreement(sure, [0], np.zeros((3, 3))) == pytest.approx((1 / 3) / 2)


@given(st.lists(st.sampled_from([-1, 0, 1, 2]), max_size=12), st.permutations(range(3)))
def test_no_class_is_another_than_the_rest(codes: list[int], names: list[int]) -> None:
    """Classes in another order give the same estimates; items without a label give nothing."""
    belief = np.random.default_rng(3).dirichlet([3.0, 1.0, 1.0], len(codes))
    label, back = np.array(codes, dtype=int), np.argsort(names)
    renamed: FloatArray = np.empty_like(THREE)
    renamed[np.ix_(names, names)] = THREE
    found = chance_agreement(belief, label, THREE)
    other = np.where(label < 0, -1, np.array(names)[label])
    assert chance_agreement(belief[:, back], other, renamed) == pytest.approx(found)
    there = label >= 0
    assert chance_agreement(belief[there], label[there], THREE) == pytest.approx(found)
    assert same_mistake(renamed) == pytest.approx(same_mistake(THREE))
    assert vote_errors(renamed) == pytest.approx(vote_errors(THREE))


def test_the_same_mistake_by_hand() -> None:
    """Of two mistakes in a row of ten, one of the nine other votes makes each one again."""
    counts = [[8.0, 2.0], [3.0, 7.0]]
    errors = 1 - (15 + 1) / (20 + 1 + 1)
    again = 2 * (1 / 9) + 3 * (2 / 9)
    assert same_mistake(counts) == pytest.approx((again + errors) / (5 + 1))
    assert same_mistake([[5.0]]) == pytest.approx(vote_errors([[5.0]]))


def test_a_mistake_is_one_of_several() -> None:
    """Between three classes what nobody has made yet is spread over two cells of a row."""
    again = sum(n * (n - 1) / 94 for n in (12, 3)) + sum(n * (n - 1) / 70 for n in (2, 9))
    expected = (again + vote_errors(THREE) / 2) / (28 + 1)
    assert same_mistake(THREE) == pytest.approx(expected)


def test_parts_of_a_mistake_are_not_less_than_none() -> None:
    """Where it is not known for certain what was right, counts are parts of a vote.

    Less than one mistake was made by nobody else; and votes in a row are one at least.
    """
    parts = [[90.0, 0.5], [0.25, 90.0]]
    assert same_mistake(parts) == pytest.approx(vote_errors(parts) / (0.75 + 1))
    few = [[0.0, 1.5], [0.0, 50.0]]
    assert same_mistake(few) == pytest.approx((1.5 * 0.5 / 1.0 + vote_errors(few)) / (1.5 + 1))


@given(st.lists(st.floats(0, 40), min_size=9, max_size=9))
def test_they_are_chances(cells: list[float]) -> None:
    """Whatever was counted, in parts or wholes."""
    counts = np.array(cells).reshape(3, 3)
    belief, label = np.eye(3)[[0, 1, 2]] * 0.4 + 0.2, [1, 2, 0]
    for chance in (vote_errors(counts), same_mistake(counts),
                   chance_agreement(belief, label, counts)):  # fmt: skip
        assert 0 < chance < 1
