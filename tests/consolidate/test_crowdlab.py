"""CROWDLAB."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from labelops.consolidate.crowdlab import Crowdlab, crowdlab
from labelops.errors import TableError, UsageError
from labelops.measure.codes import FloatArray, IntArray
from labelops.measure.jit import numpy_only

pytestmark = pytest.mark.usefixtures("kernels")


def simulate(
    seed: int, items: int, accuracies: list[float], n_classes: int, model: float
) -> tuple[IntArray, IntArray, IntArray, IntArray, FloatArray]:
    """Truth, votes of every annotator on a random half of the items, and a model's probs."""
    rng = np.random.default_rng(seed)
    truth = rng.integers(0, n_classes, items)
    who, item = np.nonzero(rng.random((len(accuracies), items)) < 0.5)
    right = rng.random(item.size) < np.array(accuracies)[who]
    codes = np.where(right, truth[item], rng.integers(0, n_classes, item.size))
    probs = rng.dirichlet(np.ones(n_classes), items)
    probs[np.arange(items), truth] += model
    return truth, item, who, codes, probs / probs.sum(axis=1, keepdims=True)


def same(one: Crowdlab, two: Crowdlab) -> None:
    """Every field is the same to the last bit."""
    for field in dataclasses.fields(Crowdlab):
        np.testing.assert_array_equal(getattr(one, field.name), getattr(two, field.name))


def test_by_hand() -> None:
    """Three annotators on four items: weights and posterior worked out with a pencil."""
    items = [0, 0, 0, 1, 1, 2, 2, 3]
    who = [0, 1, 2, 0, 1, 1, 2, 0]
    codes = [0, 0, 1, 1, 1, 0, 0, 1]
    probs = np.array([[0.6, 0.4], [0.2, 0.8], [0.9, 0.1], [0.5, 0.5]])
    found = crowdlab(items, who, codes, probs, n_annotators=3)
    assert found.labels.tolist() == [0, 1, 0, 1]
    # Consensus 0, 1, 0 on shared items: it has 2/3, 1 and 1 of the votes; naming 0 errs in 1/3.
    hit = (2 / 3 + 1 + 1) / 3
    # Pairs that agree: a 1 of 2 with others and 1 of 1; b 1, 1, 1 of 4; c 0 of 2 and 1 of 1.
    agreed = np.array([2 / 3, 3 / 4, 1 / 3])
    weights = np.maximum(1 - (1 - agreed) / (1 / 3), 1e-6)
    np.testing.assert_allclose(found.annotator_weight, weights, rtol=1e-9)
    model = 1.0 * np.sqrt(8 / 4)  # never wrong on shared items; two votes an item
    assert found.model_weight == pytest.approx(model)
    mixed = model * 0.6 + (weights[0] + weights[1]) * hit + weights[2] * (1 - hit)
    assert found.posterior[0, 0] == pytest.approx(mixed / (model + weights.sum()))
    assert found.quality[0] == found.posterior[0, 0]
    assert found.agreement.tolist() == pytest.approx([2 / 3, 1, 1, 1])
    assert found.votes.tolist() == [3, 2, 2, 1]
    assert found.annotator_votes.tolist() == [3, 3, 2]
    assert found.annotator_agreement.tolist() == pytest.approx([1, 1, 1 / 2])
    assert found.worst_class.tolist() == [1, 0, 1]


def test_better_than_votes_or_model() -> None:
    """Votes and model together are right more often than either, and annotators are ranked."""
    accuracies = [0.9, 0.7, 0.55, 0.4]
    truth, items, who, codes, probs = simulate(0, 3000, accuracies, 3, 0.5)
    found = crowdlab(items, who, codes, probs, n_annotators=4)
    counts = np.zeros((3000, 3))
    np.add.at(counts, (items, codes), 1)
    votes_alone = (counts / counts.sum(axis=1, keepdims=True).clip(1))[np.arange(3000), truth]
    assert (found.labels == truth).mean() > max(
        votes_alone.mean(), (probs.argmax(1) == truth).mean()
    )
    assert (np.diff(found.annotator_quality) < 0).all()
    assert ((found.posterior >= 0) & (found.posterior <= 1)).all()


def test_order_of_votes_does_not_matter_nor_does_numba() -> None:
    """Shuffled votes and numpy alone give the same result to the last bit, ties included."""
    _, items, who, codes, probs = simulate(1, 400, [0.6] * 6, 4, 0.0)
    probs = np.full_like(probs, 0.25)
    one = crowdlab(items, who, codes, probs, n_annotators=6)
    order = np.random.default_rng(2).permutation(items.size)
    same(one, crowdlab(items[order], who[order], codes[order], probs, n_annotators=6))
    with numpy_only():
        same(one, crowdlab(items, who, codes, probs, n_annotators=6))


def test_items_and_annotators_without_votes() -> None:
    """An unseen item has the model's word, an unseen annotator no quality."""
    probs = [[0.9, 0.1], [0.2, 0.8], [0.3, 0.7]]
    found = crowdlab([0, 0, 1, 1, 1], [0, 1, 0, 1, 3], [0, 0, 1, 1, -1], probs, n_annotators=4)
    np.testing.assert_allclose(found.posterior[2], probs[2])
    assert (found.labels[2], found.votes[2]) == (1, 0)
    assert np.isnan(found.agreement[2])
    assert np.isnan(found.annotator_quality).tolist() == [False, False, True, True]
    assert found.worst_class.tolist()[2:] == [-1, -1]
    assert np.isfinite(found.annotator_quality[:2]).all()


def test_ties_go_to_the_model_then_the_rare_class_then_the_better_voters() -> None:
    """Each rule decides where those before it do not, and the first class where none does."""
    flat = np.full((5, 3), 1 / 3)
    items = np.array([0, 0, 1, 1, 2, 2, 2, 3, 3, 3, 4, 4])
    who = np.array([0, 1, 0, 1, 0, 1, 2, 0, 1, 2, 0, 1])
    codes = np.array([0, 1, 0, 1, 0, 0, 0, 1, 1, 0, 2, 1])
    probs = flat.copy()
    probs[0] = [0.2, 0.5, 0.3]
    found = crowdlab(items, who, codes, probs, n_annotators=3)
    assert found.labels[0] == 1  # the model's
    assert found.labels[4] == 2  # the rarest


def test_any_floats() -> None:
    """Single and half precision and Fortran order are taken; the last of repeated votes counts."""
    _, items, who, codes, probs = simulate(3, 50, [0.8] * 3, 2, 0.5)
    probs = np.round(probs * 64) / 64
    one = crowdlab(items, who, codes, probs, n_annotators=3)
    for other in (probs.astype(np.float16), np.asfortranarray(probs), probs.astype(np.float32)):
        same(one, crowdlab(items, who, codes, other, n_annotators=3))
    again = (np.append(items[0], items), np.append(who[0], who), np.append(1 - codes[0], codes))
    same(one, crowdlab(*again, probs, n_annotators=3))


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"probs": [[1.0], [1.0]]}, UsageError, "2 or more"),
        ({"probs": [1.0, 0.0]}, UsageError, "shape"),
        ({"probs": np.empty((0, 2))}, UsageError, "items: row 0 is 0"),
        ({"probs": [[0.5, 0.4], [1.0, 0.0]]}, TableError, "row 0: sums to 0.9"),
        ({"probs": [[np.nan, 0.4], [1.0, 0.0]]}, TableError, "row 0"),
        ({"codes": [0, 2, 0]}, UsageError, "codes: row 1 is 2"),
        ({"annotators": [0, 2, 0]}, UsageError, "annotators: row 1 is 2"),
        ({"annotators": [0, 0, 1]}, UsageError, "no item has two votes"),
        ({"items": [0, 0]}, UsageError, "differ in length"),
    ],
)
def test_wrong_use(change: dict[str, object], error: type[Exception], message: str) -> None:
    """Impossible votes and probabilities are refused in one line."""
    arguments: dict[str, object] = {
        "items": [0, 0, 1],
        "annotators": [0, 1, 0],
        "codes": [0, 1, 0],
        "probs": [[0.5, 0.5], [1.0, 0.0]],
    }
    with pytest.raises(error, match=message):
        crowdlab(**(arguments | change), n_annotators=2)  # type: ignore[arg-type]
