"""Majority vote and one accuracy for the crowd."""

from __future__ import annotations

import numpy as np
import pytest

from labelops.consolidate.counts import majority_vote, vote_counts, vote_shares
from labelops.consolidate.crowd import crowd_accuracy, one_coin_posterior
from labelops.consolidate.majority import majority, majority_shards
from labelops.errors import UsageError
from labelops.measure.codes import IntArray
from labelops.measure.jit import numpy_only
from labelops.measure.votes import pack_votes

pytestmark = pytest.mark.usefixtures("kernels")


def _votes(
    rng: np.random.Generator, accuracy: list[float], items: int, n_classes: int
) -> tuple[IntArray, IntArray, IntArray]:
    """Every annotator votes on every item, wrong answers spread evenly."""
    truth = rng.integers(0, n_classes, size=items)
    item = np.repeat(np.arange(items), len(accuracy))
    who = np.tile(np.arange(len(accuracy)), items)
    right = rng.random(item.size) < np.array(accuracy)[who]
    other = (truth[item] + rng.integers(1, n_classes, size=item.size)) % n_classes
    return item, who, np.where(right, truth[item], other)


def test_counts_by_hand() -> None:
    """Votes are counted per item and class, missing ones not, weights as given."""
    counts = vote_counts([0, 0, 1, 1], [1, 1, 0, -1], 3, 2, [1, 0.5, 1, 1])
    assert counts.tolist() == [[0.0, 1.5], [1.0, 0.0], [0.0, 0.0]]


def test_a_vote_of_no_weight_is_none() -> None:
    """Nobody is judged by it, nor is anybody heard: given apart or in shards, the answer is one."""
    votes = ([0, 0, 0, 1], [0, 1, 2, 2], [1, 1, 0, 1])
    size = {"n_items": 2, "n_annotators": 3, "n_classes": 2}
    found = majority(*votes, **size, weights=[1, 1, 0, 1])
    packed = majority_shards([pack_votes(*votes, **size, weights=[1, 1, 0, 1])])
    assert found.accuracy.tolist() == packed.accuracy.tolist() == [1.0, 1.0, 1.0]


def test_majority_by_hand() -> None:
    """Labels, ties, votes and accuracies of four items, one of them without a vote."""
    found = majority(
        [0, 0, 0, 1, 1, 2, 3], [0, 1, 2, 0, 1, 2, 0], [2, 1, 2, 1, 0, 0, -1],
        n_items=4, n_annotators=4, n_classes=3,
    )  # fmt: skip
    assert found.labels.tolist() == [2, 0, 0, -1]
    assert found.tied.tolist() == [False, True, False, False]
    assert found.votes.tolist() == [3, 2, 1, 0]
    np.testing.assert_allclose(
        found.shares, [[0, 1 / 3, 2 / 3], [0.5, 0.5, 0], [1, 0, 0], [1 / 3] * 3]
    )
    np.testing.assert_allclose(found.accuracy, [1 / 2, 1 / 2, 1, np.nan])


@pytest.mark.parametrize("n_classes", [1, 2, 9])
@pytest.mark.parametrize("weighted", [False, True])
def test_numpy_alone_gives_the_same(n_classes: int, weighted: bool) -> None:
    """Compiled or not, in any order of votes, majority, counts and shares are the same."""
    rng = np.random.default_rng(0)
    items, who = rng.integers(0, 50, 200), rng.integers(0, 5, 200)
    codes = rng.integers(-1, n_classes, 200)
    weights = rng.integers(0, 8, 200) / 4 if weighted else None
    size = {"n_items": 50, "n_annotators": 5, "n_classes": n_classes}
    one = majority(items, who, codes, **size, weights=weights)
    packed = vote_shares(pack_votes(items, who, codes, **size, weights=weights))
    order = rng.permutation(200)
    with numpy_only():
        two = majority(
            items[order], who[order], codes[order], **size,
            weights=None if weights is None else weights[order],
        )  # fmt: skip
        same = vote_shares(pack_votes(items, who, codes, **size, weights=weights))
    for name in ("shares", "labels", "tied", "votes", "accuracy"):
        np.testing.assert_array_equal(getattr(one, name), getattr(two, name))
    np.testing.assert_array_equal(packed, one.shares)
    np.testing.assert_array_equal(packed, same)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (([0], [0, 1], [0]), "2 annotators and 1 codes"),
        (([0, 0], [0], [0]), "2 items, 1 codes"),
        (([2], [0], [0]), "items: row 0 is 2"),
        (([0], [0], [3]), "codes: row 0 is 3"),
    ],
)
def test_majority_refuses(arguments: tuple[list[int], ...], message: str) -> None:
    """Votes out of range or of different lengths are refused in one line."""
    with pytest.raises(UsageError, match=message):
        majority(*arguments, n_items=2, n_annotators=2, n_classes=2)


def test_counts_of_shards_add_up() -> None:
    """Votes on the same items, counted apart in any split, have the majority of all together."""
    rng = np.random.default_rng(1)
    items, who, codes = (rng.integers(0, top, 90) for top in (20, 5, 3))
    shard = rng.integers(0, 3, 90)
    counts = sum(vote_counts(items[shard == s], codes[shard == s], 20, 3) for s in range(3))
    whole = majority(items, who, codes, n_items=20, n_annotators=5, n_classes=3)
    np.testing.assert_array_equal(majority_vote(np.asarray(counts)), whole.shares)


def test_no_items() -> None:
    """Nothing has no majority."""
    found = majority([], [], [], n_items=0, n_annotators=0, n_classes=2)
    assert found.shares.shape == (0, 2)
    assert found.labels.size == found.accuracy.size == 0


def test_shares() -> None:
    """Shares of votes sum to one, and an item without a vote favours no class."""
    shares = majority_vote(np.array([[2.0, 1.0, 0.0], [0.0, 0.0, 0.0]]))
    np.testing.assert_allclose(shares, [[2 / 3, 1 / 3, 0], [1 / 3] * 3])


@pytest.mark.parametrize(("accuracy", "n_classes"), [(0.6, 2), (0.8, 4), (0.95, 10)])
def test_accuracy_is_recovered_without_truth(accuracy: float, n_classes: int) -> None:
    """From agreement alone the accuracy of simulated annotators is found within two points."""
    items, _, codes = _votes(np.random.default_rng(0), [accuracy] * 3, 5000, n_classes)
    found = crowd_accuracy(vote_counts(items, codes, 5000, n_classes))
    assert found == pytest.approx(accuracy, abs=0.02)


def test_one_vote_each_tells_nothing() -> None:
    """Without two votes on an item no accuracy is claimed."""
    counts = vote_counts([0, 1], [0, 1], 2, 2)
    assert crowd_accuracy(counts) is None


def test_posterior_is_bayes() -> None:
    """Two votes against one at accuracy .8 are Bayes' 16 : 1 after cancelling, by hand."""
    found = one_coin_posterior(np.array([[2.0, 1.0]]), 0.8)
    assert found[0, 0] == pytest.approx(0.8)
    assert one_coin_posterior(np.array([[2.0, 0.0]]), 0.8)[0, 0] == pytest.approx(16 / 17)


@pytest.mark.parametrize("n_classes", [2, 3, 10])
def test_unknown_accuracy_is_the_mean_of_what_it_may_be(n_classes: int) -> None:
    """One vote, any accuracy from guessing to always right as likely: drawn, and by hand."""
    rng = np.random.default_rng(4)
    right = rng.random(200_000) < rng.uniform(1 / n_classes, 1, 200_000)
    found = one_coin_posterior(np.eye(n_classes)[:1], None)[0]
    assert found[0] == pytest.approx((1 + 1 / n_classes) / 2)
    assert found[0] == pytest.approx(right.mean(), abs=0.005)
    np.testing.assert_allclose(found[1:], (1 - found[0]) / (n_classes - 1))


def test_posterior_never_contradicts_the_majority() -> None:
    """The class with most votes has the largest probability."""
    counts = np.random.default_rng(2).integers(0, 5, size=(200, 4)).astype(float)
    found = one_coin_posterior(counts, 0.4)
    assert (found[np.arange(200), counts.argmax(axis=1)] >= found.max(axis=1) - 1e-12).all()
    np.testing.assert_allclose(found.sum(axis=1), 1.0)


def test_simulated_posterior_is_calibrated() -> None:
    """Among items given 90 % or so, about that share is right."""
    rng = np.random.default_rng(3)
    items, _, codes = _votes(rng, [0.7] * 3, 20_000, 3)
    truth = np.random.default_rng(3).integers(0, 3, size=20_000)
    found = one_coin_posterior(vote_counts(items, codes, 20_000, 3), 0.7)
    right = found.argmax(axis=1) == truth
    assert found.max(axis=1).mean() == pytest.approx(right.mean(), abs=0.01)
