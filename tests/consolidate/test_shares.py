"""Class shares to expect: counted by majority, believed even or not."""

from __future__ import annotations

import numpy as np
import pytest

from labelops.consolidate.shares import even_classes, expected_shares, majority_counts
from labelops.measure.codes import IntArray
from labelops.measure.votes import Votes, pack_votes


def _votes(items: IntArray, codes: IntArray, n_items: int, n_classes: int) -> Votes:
    who = np.arange(items.size) % 7
    return pack_votes(
        items, who, codes, n_items=n_items, n_annotators=7, n_classes=n_classes
    )  # fmt: skip


def _random(seed: int, n_items: int = 60, n_classes: int = 4) -> tuple[IntArray, IntArray]:
    rng = np.random.default_rng(seed)
    return rng.integers(0, n_items, 150), rng.integers(0, n_classes, 150)


def test_counts_by_hand() -> None:
    """A clear majority counts for one, a tie of three for a third each, no vote for nothing."""
    votes = _votes(np.array([0, 0, 0, 1, 1, 1]), np.array([2, 2, 0, 0, 1, 2]), 3, 3)
    np.testing.assert_allclose(majority_counts([votes]), [1 / 3, 1 / 3, 4 / 3])
    assert majority_counts([]).size == 0
    assert majority_counts([_votes(np.array([], int), np.array([], int), 5, 3)]).tolist() == [0] * 3


@pytest.mark.parametrize("seed", range(5))
def test_counts_as_one_would_count(seed: int) -> None:
    """Item by item, in plain Python, it is the same; and shards add up to the whole."""
    items, codes = _random(seed)
    expected = np.zeros(4)
    for item in np.unique(items):
        given = np.bincount(codes[items == item], minlength=4)
        expected += (given == given.max()) / (given == given.max()).sum()
    whole = majority_counts([_votes(items, codes, 60, 4)])
    np.testing.assert_allclose(whole, expected)
    low = items < 25
    shards = [_votes(items[low], codes[low], 25, 4), _votes(items[~low] - 25, codes[~low], 35, 4)]
    np.testing.assert_allclose(majority_counts(shards), expected)


def test_names_of_classes_do_not_matter() -> None:
    """Renumbered classes are as even, and their expected shares are renumbered."""
    items, codes = _random(9)
    codes = np.where(np.arange(150) % 3 == 0, codes, 0)
    order = np.array([2, 0, 3, 1])
    one, two = _votes(items, codes, 60, 4), _votes(items, order[codes], 60, 4)
    assert even_classes(majority_counts([one])) == pytest.approx(
        even_classes(majority_counts([two]))
    )
    np.testing.assert_allclose(expected_shares([one]), expected_shares([two])[order])


def test_the_more_lopsided_the_less_even() -> None:
    """From half and half to one in a hundred the probability only falls."""
    found = [even_classes(np.array([k, 1000.0 - k])) for k in (500, 400, 300, 200, 100, 10)]
    assert (np.diff(found) < 0).all()
    assert found[0] > 0.5
    assert found[-1] < 0.001


def test_few_items_say_little() -> None:
    """Nine of ten in ten items may be chance; in a thousand it is not."""
    assert even_classes(np.array([9.0, 1.0])) > 2 * even_classes(np.array([900.0, 100.0]))


@pytest.mark.parametrize(("n_classes", "told"), [(2, 0.6), (4, 0.7), (10, 0.9)])
def test_it_tells_leaning_crowds_from_uneven_classes(n_classes: int, told: float) -> None:
    """By its own model it is right about each kind so often, more often the more classes there are.

    Two classes tell little: one in four may be a lean.
    """
    rng = np.random.default_rng(3)
    leaning = np.exp(rng.normal(0, 0.5, (400, n_classes)))
    leaning /= leaning.sum(axis=1, keepdims=True)
    natural = rng.dirichlet(np.ones(n_classes), 400)
    even = [np.mean([even_classes(1000 * s) > 0.5 for s in kind]) for kind in (leaning, natural)]
    assert even[0] >= told
    assert 1 - even[1] >= told


def test_two_classes_are_never_known_to_be_even() -> None:
    """However even they look it may be chance: expected is the mean over both answers."""
    assert even_classes(np.array([1e6, 1e6])) < 0.605
    chance = even_classes(np.array([65.0, 35.0]))
    assert chance > 0.5
    found = expected_shares([_votes(np.arange(100), np.repeat([0, 1], [65, 35]), 100, 2)])
    np.testing.assert_allclose(found, [0.5 + 0.15 * (1 - chance), 0.5 - 0.15 * (1 - chance)])


def test_expected_shares_are_even_or_majoritys() -> None:
    """A slight lean of three classes is none; what is frequent is believed as far as it may be."""
    slight = np.repeat([0, 1, 2], [40, 33, 27])
    strong = np.repeat([0, 1], [90, 10])
    np.testing.assert_array_equal(
        expected_shares([_votes(np.arange(100), slight, 100, 3)]), np.full(3, 1 / 3)
    )
    chance = even_classes(np.array([90.0, 10.0]))
    assert 0.01 < chance < 0.2
    np.testing.assert_allclose(
        expected_shares([_votes(np.arange(100), strong, 100, 2)])[1], 0.1 + 0.4 * chance
    )
    none = _votes(np.array([], int), np.array([], int), 5, 2)
    assert expected_shares([none]).tolist() == [0.5, 0.5]
