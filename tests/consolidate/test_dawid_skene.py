"""Dawid–Skene by EM."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import pytest

from labelops.consolidate.counts import majority_vote, vote_counts
from labelops.consolidate.dawid_skene import dawid_skene, dawid_skene_shards
from labelops.consolidate.shrunk import shrunk_dawid_skene
from labelops.errors import UsageError
from labelops.measure.jit import numpy_only
from labelops.measure.votes import pack_votes

from ..crowds import accuracy, read_crowd, simulate

pytestmark = pytest.mark.usefixtures("kernels")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "majority", "expected"),
    [("dog", 0.822, 0.843), ("face", 0.637, 0.640), ("rte", 0.897, 0.9275)],
)
def test_published_accuracy(shared_data: Path, name: str, majority: float, expected: float) -> None:
    """On real crowds it has the published accuracy, and majority its own, ties split evenly."""
    items, who, codes, truth, size = read_crowd(shared_data, name)
    shares = majority_vote(vote_counts(items, codes, size["n_items"], size["n_classes"]))
    assert accuracy(shares, truth) == pytest.approx(majority, abs=6e-4)
    found = dawid_skene(items, who, codes, **size)
    assert accuracy(found.posterior, truth) == pytest.approx(expected, abs=6e-4)
    assert found.converged


def test_confusions_are_recovered() -> None:
    """Simulated annotators' confusion matrices come out within five points."""
    good = np.array([[0.9, 0.08, 0.02], [0.05, 0.9, 0.05], [0.1, 0.1, 0.8]])
    sly = np.array([[0.5, 0.5, 0.0], [0.05, 0.9, 0.05], [0.0, 0.1, 0.9]])
    click = np.full((3, 3), 1 / 3)
    confusion = np.array([good, good, sly, click, good])
    truth, items, who, codes = simulate(0, 4000, confusion, 4)
    found = dawid_skene(items, who, codes, n_items=4000, n_annotators=5, n_classes=3)
    np.testing.assert_allclose(found.confusion, confusion, atol=0.05)
    np.testing.assert_allclose(found.confusion.sum(axis=2), 1.0)
    shares = majority_vote(vote_counts(items, codes, 4000, 3))
    assert accuracy(found.posterior, truth) > accuracy(shares, truth)


def test_order_of_votes_and_names_do_not_matter() -> None:
    """Shuffled votes, renamed annotators and permuted classes give the permuted result."""
    confusion = np.array([[[0.8, 0.2], [0.3, 0.7]]] * 4)
    _, items, who, codes = simulate(1, 200, confusion, 3)
    size = {"n_items": 200, "n_annotators": 4, "n_classes": 2}
    one = dawid_skene(items, who, codes, **size)
    order = np.random.default_rng(2).permutation(items.size)
    two = dawid_skene(items[order], 3 - who[order], 1 - codes[order], **size)
    np.testing.assert_allclose(two.posterior[:, ::-1], one.posterior, atol=1e-9)
    np.testing.assert_allclose(two.confusion[::-1, ::-1, ::-1], one.confusion, atol=1e-9)
    three = dawid_skene(items[order], who[order], codes[order], **size)
    np.testing.assert_array_equal(three.posterior, one.posterior)
    np.testing.assert_array_equal(three.confusion, one.confusion)


@pytest.mark.parametrize("n_classes", [2, 3, 9, 40])
@pytest.mark.parametrize("kernels", ["compiled"], indirect=True)
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.slow
def test_numpy_alone_gives_the_same_bits(n_classes: int, weighted: bool) -> None:
    """Compiled or not, over several chunks of items, the result is the same to the last bit."""
    rng = np.random.default_rng(n_classes)
    n = 70_000 if n_classes < 9 else 3000
    items, who = rng.integers(0, n, 3 * n), rng.integers(0, 6, 3 * n)
    codes = np.where(rng.random(3 * n) < 0.7, items % n_classes, rng.integers(-1, n_classes, 3 * n))
    weights = rng.integers(0, 5, 3 * n) / 3 if weighted else None
    size = {"n_items": n, "n_annotators": 6, "n_classes": n_classes}
    one = dawid_skene(items, who, codes, **size, weights=weights, max_iterations=5)
    with numpy_only():
        two = dawid_skene(items, who, codes, **size, weights=weights, max_iterations=5)
    np.testing.assert_array_equal(two.posterior, one.posterior)
    np.testing.assert_array_equal(two.confusion, one.confusion)
    np.testing.assert_array_equal(two.class_prior, one.class_prior)


def test_shards_are_the_whole() -> None:
    """Items spread over shards have the result of all items together, whatever the shards."""
    _, items, who, codes = simulate(7, 300, np.array([[[0.8, 0.2], [0.3, 0.7]]] * 5), 3)
    size = {"n_annotators": 5, "n_classes": 2}
    whole = dawid_skene(items, who, codes, n_items=300, **size)
    shards = []
    for first, last in ((0, 100), (100, 100), (100, 250), (250, 300)):
        at = (items >= first) & (items < last)
        shards.append(
            pack_votes(items[at] - first, who[at], codes[at], n_items=last - first, **size)
        )
    merged = dawid_skene_shards(shards)
    assert merged.iterations == whole.iterations
    np.testing.assert_allclose(merged.posterior, whole.posterior, rtol=0, atol=1e-12)
    np.testing.assert_allclose(merged.confusion, whole.confusion, rtol=0, atol=1e-12)
    with pytest.raises(UsageError, match="at least one shard"):
        dawid_skene_shards([])
    other = pack_votes([], [], [], n_items=1, n_annotators=5, n_classes=3)
    with pytest.raises(UsageError, match="differ in annotators or classes"):
        dawid_skene_shards([shards[0], other])


def test_yesterdays_skills_warm_start_todays_items() -> None:
    """New items and a new annotator begin with what is known, and end where a cold start does."""
    confusion = np.array([[[0.9, 0.1], [0.2, 0.8]]] * 4)
    _, items, who, codes = simulate(8, 2000, confusion, 3)
    known = (items < 1900) & (who < 3)
    yesterday = dawid_skene(
        items[known], who[known], codes[known], n_items=1900, n_annotators=3, n_classes=2
    )
    size = {"n_items": 2000, "n_annotators": 4, "n_classes": 2}
    cold = dawid_skene(items, who, codes, **size)
    warm = dawid_skene(items, who, codes, **size, start=yesterday)
    assert warm.iterations < cold.iterations
    np.testing.assert_allclose(warm.posterior, cold.posterior, atol=1e-4)
    with pytest.raises(UsageError, match="start knows 4 annotators and 2 classes"):
        dawid_skene([0], [0], [0], n_items=1, n_annotators=1, n_classes=2, start=cold)


def test_the_given_start_is_left_alone() -> None:
    """A posterior to begin with is not written to, nor are the votes."""
    start = np.full((2, 2), 0.5)
    items, who, codes = np.array([1, 0]), np.array([0, 0]), np.array([1, 0])
    for array in (start, items, who, codes):
        array.flags.writeable = False
    found = dawid_skene(items, who, codes, n_items=2, n_annotators=1, n_classes=2, start=start)
    assert (start == 0.5).all()
    assert (items.tolist(), codes.tolist()) == ([1, 0], [1, 0])
    assert found.posterior is not start


@pytest.mark.parametrize(
    "dtype",
    # Each width is a machine code of its own, and takes a while to compile the first time.
    [np.int32, np.int8, np.int16, np.uint16],
)
def test_narrow_integers(dtype: type[np.integer]) -> None:
    """Votes in narrow integers give what they give in wide ones."""
    _, items, who, codes = simulate(9, 100, np.array([[[0.8, 0.2], [0.3, 0.7]]] * 3), 2)
    size = {"n_items": 100, "n_annotators": 3, "n_classes": 2}
    one = dawid_skene(items, who, codes, **size)
    two = dawid_skene(items.astype(dtype), who.astype(dtype), codes.astype(dtype), **size)
    np.testing.assert_array_equal(one.posterior, two.posterior)


def test_weight_is_repetition() -> None:
    """A vote of weight two counts like the vote given twice, one of weight zero like none."""
    _, items, who, codes = simulate(3, 60, np.array([[[0.8, 0.2], [0.3, 0.7]]] * 3), 3)
    size = {"n_items": 60, "n_annotators": 3, "n_classes": 2}
    weights = np.random.default_rng(4).integers(0, 3, size=codes.size)
    weighted = dawid_skene(items, who, codes, weights=weights, **size)
    rows = np.repeat(np.arange(codes.size), weights)
    repeated = dawid_skene(items[rows], who[rows], codes[rows], **size)
    np.testing.assert_allclose(weighted.posterior, repeated.posterior, atol=1e-9)


def test_warm_start_ends_at_once_where_it_already_was() -> None:
    """Started from its own result it stays there, in a step or two."""
    _, items, who, codes = simulate(5, 300, np.array([[[0.9, 0.1], [0.2, 0.8]]] * 4), 3)
    size = {"n_items": 300, "n_annotators": 4, "n_classes": 2}
    cold = dawid_skene(items, who, codes, **size)
    warm = dawid_skene(items, who, codes, start=cold.posterior, **size)
    assert warm.iterations <= 2 < cold.iterations
    np.testing.assert_allclose(warm.posterior, cold.posterior, atol=1e-5)


def test_items_and_annotators_without_votes() -> None:
    """An unseen item has the class prior, an unseen annotator even rows, and nothing is NaN."""
    found = dawid_skene(
        [0, 0, 1, 1], [0, 1, 0, 1], [0, 0, 1, -1], n_items=3, n_annotators=3, n_classes=2
    )
    np.testing.assert_allclose(found.posterior[2], found.class_prior, atol=1e-3)
    np.testing.assert_allclose(found.confusion[2], 0.5)
    empty = dawid_skene([], [], np.empty(0, int), n_items=2, n_annotators=0, n_classes=2)
    np.testing.assert_allclose(empty.posterior, 0.5)


def test_many_votes_do_not_underflow() -> None:
    """Thousands of votes on an item leave a posterior that sums to one."""
    n = 5000
    codes = np.arange(n) % 2
    found = dawid_skene(
        np.zeros(n, int), np.arange(n), codes, n_items=1, n_annotators=n, n_classes=2
    )
    assert np.isfinite(found.posterior).all()
    np.testing.assert_allclose(found.posterior.sum(axis=1), 1.0)


def test_stops_when_told() -> None:
    """With one step allowed it says that it did not converge."""
    _, items, who, codes = simulate(6, 100, np.array([[[0.7, 0.3], [0.4, 0.6]]] * 3), 3)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = dawid_skene(
            items, who, codes, n_items=100, n_annotators=3, n_classes=2, max_iterations=1
        )
    assert (found.iterations, found.converged) == (1, False)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"annotators": [0, 0]}, "differ in length"),
        ({"annotators": [5]}, "row 0 is 5"),
        ({"items": [9]}, "row 0 is 9"),
        ({"prior": 0.0}, "prior is 0.0"),
        ({"start": [[0.5, 0.4]]}, "sums to 0.9"),
        ({"start": [[0.5, 0.5], [1.0, 0.0]]}, "start has 2 rows, expected 1 items"),
        ({"weights": [-1.0]}, "weights: row 0 is -1"),
        ({"codes": [2]}, "codes: row 0 is 2, expected -1 to 1"),
        ({"compat": "cleanlab"}, "compat is 'cleanlab'"),
    ],
)
def test_wrong_use(change: dict[str, object], message: str) -> None:
    """Codes out of range, ragged votes and impossible settings are refused in one line."""
    arguments: dict[str, object] = {"items": [0], "annotators": [0], "codes": [0]}
    arguments |= {"n_items": 1, "n_annotators": 1, "n_classes": 2}
    with pytest.raises(UsageError, match=message):
        dawid_skene(**(arguments | change))  # type: ignore[arg-type]


def test_one_class_leaves_nothing_to_tell() -> None:
    """All methods of the family answer: everything is of it."""
    for method in (dawid_skene, shrunk_dawid_skene):
        found = method([0, 0, 1], [0, 1, 0], [0, 0, 0], n_items=2, n_annotators=2, n_classes=1)
        assert found.posterior.tolist() == [[1.0], [1.0]]
        assert found.confusion.tolist() == [[[1.0]], [[1.0]]]
