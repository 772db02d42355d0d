"""The one entry from votes to calibrated class probabilities."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from labelops.consolidate.choose import METHODS, consolidate_codes
from labelops.consolidate.dawid_skene import dawid_skene
from labelops.consolidate.policy import ConsolidatePolicy
from labelops.errors import UsageError
from labelops.measure.calibration import expected_calibration_error

from ..crowds import accuracy, clear_crowd, first_votes, read_crowd, simulate


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "least", "error"), [("dog", 0.835, 0.06), ("rte", 0.925, 0.05), ("face", 0.64, 0.21)]
)
def test_real_crowds(shared_data: Path, name: str, least: float, error: float) -> None:
    """With many votes it blends, and without gold halves Dawid–Skene's over-confidence or so."""
    items, who, codes, truth, size = read_crowd(shared_data, name)
    found = consolidate_codes(items, who, codes, size["n_items"], size["n_classes"])
    assert (found.method, found.calibration) == ("blend", "held-out votes")
    assert sum(found.weights.values()) == pytest.approx(1.0)
    assert max(found.scores, key=lambda k: found.scores[k]) in found.reason
    assert accuracy(found.posterior, truth) >= least
    raw = dawid_skene(items, who, codes, **size).posterior
    after = expected_calibration_error(found.posterior, truth)
    assert after <= error
    assert after < 0.8 * expected_calibration_error(raw, truth)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["dog", "face", "rte"])
def test_gold_calibrates_best(shared_data: Path, name: str) -> None:
    """With 100 gold items the error on the rest is small, even where annotators err together."""
    items, who, codes, truth, size = read_crowd(shared_data, name)
    use = np.random.default_rng(0).permutation(truth.size)[:100]
    gold = np.full(truth.size, -1)
    gold[use] = truth[use]
    found = consolidate_codes(items, who, codes, size["n_items"], size["n_classes"], gold=gold)
    assert found.calibration == "gold"
    rest = truth.copy()
    rest[use] = -1
    # On face annotators err together: what a hundred items tell of that varies with the draw.
    assert expected_calibration_error(found.posterior, rest) <= (0.14 if name == "face" else 0.10)


@pytest.mark.parametrize("name", ["dog", "face", "rte"])
def test_one_vote_an_item_takes_majority(shared_data: Path, name: str) -> None:
    """At one vote an item Dawid–Skene collapses; majority is taken.

    Nothing tells how often votes are right: half-way between guessing and always is what is said.
    """
    items, who, codes, truth, size = read_crowd(shared_data, name)
    rows = first_votes(items, 1, seed=0)
    few = (items[rows], who[rows], codes[rows], size["n_items"], size["n_classes"])
    found = consolidate_codes(*few)
    assert (found.method, found.calibration) == ("majority", "none")
    assert "no item has two votes" in found.reason
    collapsed = consolidate_codes(*few, method="dawid_skene")
    assert accuracy(found.posterior, truth) > accuracy(collapsed.posterior, truth)
    assert found.posterior.max() == pytest.approx((1 + 1 / size["n_classes"]) / 2)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["dog", "rte"])
def test_every_third_item_with_a_second_vote_is_enough(shared_data: Path, name: str) -> None:
    """People known from the items they share are worth knowing on those they do not."""
    items, who, codes, truth, size = read_crowd(shared_data, name)
    gains = []
    for seed in range(3):
        rows = first_votes(items, 2, seed)
        again = np.r_[False, items[rows][1:] == items[rows][:-1]]
        rows = rows[~again | (items[rows] % 3 == 0)]
        few = (items[rows], who[rows], codes[rows], size["n_items"], size["n_classes"])
        found, plain = consolidate_codes(*few), consolidate_codes(*few, method="majority")
        assert found.method == "blend"
        gains.append(accuracy(found.posterior, truth) - accuracy(plain.posterior, truth))
    assert min(gains) > -0.005
    assert np.mean(gains) > 0.005


def test_few_shared_votes_take_majority() -> None:
    """One item in ten that two people saw tells too little of them, and it says so."""
    items = np.r_[np.arange(100), np.arange(10)]
    found = consolidate_codes(items, np.arange(110) % 7, items % 2, 100, 2)
    assert found.method == "majority"
    assert "only 18% of the votes" in found.reason
    more = np.r_[np.arange(100), np.arange(40)]
    assert consolidate_codes(more, np.arange(140) % 7, more % 2, 100, 2).method == "blend"


def test_few_votes_per_annotator_take_majority() -> None:
    """Annotators with too few votes for a confusion matrix are not given one."""
    items = np.repeat(np.arange(30), 3)
    found = consolidate_codes(items, np.arange(90), items % 5, 30, 5)
    assert found.method == "majority"
    assert "1.0 votes on average" in found.reason
    assert found.posterior.shape == (30, 5)


def test_two_annotators_take_majority() -> None:
    """Where two differ nothing tells which is right: both classes stay alike, and it says why."""
    items, who = np.repeat(np.arange(60), 2), np.tile([0, 1], 60)
    codes = np.where((who == 1) & (items % 3 == 0), 1, 0)
    found = consolidate_codes(items, who, codes, 60, 2)
    assert found.method == "majority"
    assert "fewer than 3 annotators" in found.reason
    np.testing.assert_allclose(found.posterior[::3], 0.5)
    third = consolidate_codes(np.append(items, 0), np.append(who, 2), np.append(codes, 0), 60, 2)
    assert third.method == "blend"


def test_asked_for() -> None:
    """The caller's choice stands, and the reason says so."""
    items, who = np.repeat(np.arange(40), 3), np.tile([0, 1, 2], 40)
    for method in METHODS[1:]:
        found = consolidate_codes(items, who, items % 2, 40, 2, method=method)
        assert found.method == method
        assert found.reason.startswith("asked for")
        assert found.posterior.argmax(axis=1).tolist() == [i % 2 for i in range(40)], method


@pytest.mark.slow
@pytest.mark.parametrize("per_item", [2, 3])
def test_simulated_crowd_with_a_clicker(per_item: int) -> None:
    """From a few votes an item it is accurate and calibrated, and sees who clicks at random."""
    skill = [0.95, 0.9, 0.92, 0.85, 0.9, 0.93, 0.1]
    eye = np.eye(10)
    confusion = np.array([p * eye + (1 - p) / 9 * (1 - eye) for p in skill])
    truth, items, who, codes = simulate(0, 600, confusion, per_item)
    found = consolidate_codes(items, who, codes, 600, 10)
    assert found.method == "blend"
    assert found.accuracy.argmin() == 6
    assert found.accuracy[6] < 0.35 < 0.8 < found.accuracy[:6].min()
    confident = found.posterior.max(axis=1) >= 0.95
    assert confident.mean() > 0.4
    assert (found.posterior.argmax(axis=1) == truth)[confident].mean() >= 0.93


@pytest.mark.slow
def test_excluded_votes_are_as_if_not_given() -> None:
    """Masking an annotator's votes, or weighing them 0, equals leaving the rows out."""
    confusion = np.array([[[0.8, 0.2], [0.3, 0.7]]] * 5)
    _, items, who, codes = simulate(1, 150, confusion, 4)
    use = who != 2
    for method in ("majority", "dawid_skene", "blend"):
        masked = consolidate_codes(items, who, codes, 150, 2, method=method, use=use)
        light = consolidate_codes(items, who, codes, 150, 2, method=method, weights=use * 1.0)
        left = consolidate_codes(
            items[use], who[use], codes[use], 150, 2, method=method, n_annotators=5
        )
        np.testing.assert_allclose(masked.posterior, left.posterior)
        np.testing.assert_allclose(light.posterior, left.posterior)
        np.testing.assert_array_equal(masked.votes, left.votes)
    with pytest.raises(UsageError, match="use: row 0 is 'no'"):
        consolidate_codes([0], [0], [0], 1, 2, use=["no"])  # type: ignore[arg-type]


def test_every_method_is_named_where_it_is_set() -> None:
    """labelops.toml and the reference are written from this text, and show no Python."""
    assert all(f"`{method}`" in str(ConsolidatePolicy.__doc__) for method in METHODS)


@pytest.mark.parametrize("method", METHODS)
def test_no_votes(method: str) -> None:
    """Without a vote nothing fails: every class is as likely, no accuracy is claimed."""
    found = consolidate_codes([], [], [], 2, 3, method=method)
    np.testing.assert_allclose(found.posterior, 1 / 3)
    assert found.votes.tolist() == [0, 0]
    assert found.accuracy.size == 0
    assert found.calibration == "none"
    assert consolidate_codes([], [], [], 0, 3, method=method).posterior.shape == (0, 3)
    missing = consolidate_codes([0, 1], [0, 1], [-1, -1], 2, 3, method=method)
    assert np.isnan(missing.accuracy).all()


@pytest.mark.slow
def test_order_of_votes_does_not_matter() -> None:
    """Shuffled votes give the same result."""
    _, items, who, codes = simulate(2, 200, np.array([[[0.8, 0.2], [0.3, 0.7]]] * 5), 3)
    order = np.random.default_rng(3).permutation(items.size)
    for method in ("majority", "dawid_skene", "blend"):
        one = consolidate_codes(items, who, codes, 200, 2, method=method)
        two = consolidate_codes(items[order], who[order], codes[order], 200, 2, method=method)
        np.testing.assert_allclose(one.posterior, two.posterior, atol=1e-8)
        assert one.reason == two.reason
        np.testing.assert_allclose(one.accuracy, two.accuracy, atol=1e-8)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (([0], [0], [0], 1, 1), "1 classes"),
        (([0], [0, 1], [0], 1, 2), "differ in length"),
        (([0], [0], [7], 1, 2), "row 0 is 7"),
        (([0], [0], [np.nan], 1, 2), "codes: expected integers"),
        (([0], [0.5], [0], 1, 2), "annotators: expected integers"),
        (([[0]], [0], [0], 1, 2), "items: expected one dimension"),
    ],
)
def test_wrong_use(arguments: tuple[object, ...], message: str) -> None:
    """Ragged votes and unknown classes are refused in one line."""
    with pytest.raises(UsageError, match=message):
        consolidate_codes(*arguments)  # type: ignore[arg-type]


def test_wrong_settings() -> None:
    """An unknown method and a negative weight are refused by name."""
    with pytest.raises(UsageError, match="method is 'best'"):
        consolidate_codes([0], [0], [0], 1, 2, method="best")
    with pytest.raises(UsageError, match="row 0 is -1"):
        consolidate_codes([0], [0], [0], 1, 2, weights=[-1.0])


@pytest.mark.slow
def test_names_of_annotators_and_classes_do_not_matter() -> None:
    """Renumbering annotators or classes renumbers the result and nothing else."""
    _, items, who, codes = clear_crowd(4)
    rng = np.random.default_rng(5)
    people, classes = rng.permutation(6), rng.permutation(3)
    for method in ("shrunk", "ibcc", "one_coin", "glad", "majority"):
        one = consolidate_codes(items, who, codes, 200, 3, method=method)
        two = consolidate_codes(items, people[who], classes[codes], 200, 3, method=method)
        np.testing.assert_allclose(one.posterior, two.posterior[:, classes], atol=0.05)
        np.testing.assert_allclose(one.accuracy, two.accuracy[people], atol=0.05)


@pytest.mark.slow
def test_skill_intervals_hold() -> None:
    """Intervals of accuracy hold the true one about as often as they claim."""
    inside, total = 0, 0
    for seed in range(6):
        truth, items, who, codes = clear_crowd(seed, 200)
        found = consolidate_codes(items, who, codes, 200, 3)
        right = np.bincount(who, weights=codes == truth[items]) / np.bincount(who)
        inside += int(((found.accuracy_low <= right) & (right <= found.accuracy_high)).sum())
        total += 6
        assert (found.accuracy_low < found.accuracy).all()
        assert (found.accuracy < found.accuracy_high).all()
    assert inside / total >= 0.9


def test_gold_admits_doubt() -> None:
    """Where all err alike on a fifth of the items, gold takes that share off every certainty."""
    items, who = np.repeat(np.arange(300), 5), np.tile(np.arange(5), 300)
    seems = np.arange(300) % 2
    truth = np.where(np.arange(300) % 5 == 0, 1 - seems, seems)
    gold = np.where(np.arange(300) < 100, truth, -1)
    found = consolidate_codes(items, who, seems[items], 300, 2, gold=gold)
    assert found.calibration == "gold"
    assert found.posterior.max(axis=1).mean() == pytest.approx(0.8, abs=0.05)


@pytest.mark.parametrize("kind", [np.int8, np.uint16, np.int64])
def test_any_integers_will_do(kind: type[np.integer]) -> None:
    """Narrow, wide and unsigned integers, strided or not, give one result."""
    arrays = [np.array(x, dtype=kind).repeat(2)[::2] for x in ([0, 0, 1], [0, 1, 0], [1, 1, 0])]
    found = consolidate_codes(arrays[0], arrays[1], arrays[2], 2, 2)
    assert found.posterior.argmax(axis=1).tolist() == [1, 0]


@pytest.mark.parametrize("method", METHODS)
def test_odd_crowds(method: str) -> None:
    """One vote, one annotator, one class given, a vote twice: finite, and rows sum to 1."""
    for items, who, codes in (
        ([0], [0], [2]),
        ([0, 1, 2], [0, 0, 0], [1, 1, 1]),
        ([0, 0, 0, 1], [0, 0, 0, 1], [1, 1, 1, 0]),
        ([0, 0, 1, 1], [0, 1, 0, 1], [0, 0, 0, 0]),
    ):
        found = consolidate_codes(items, who, codes, 4, 4, method=method)
        assert np.isfinite(found.posterior).all()
        np.testing.assert_allclose(found.posterior.sum(axis=1), 1.0)
        assert np.isfinite(found.confusion).all()


def test_ids_that_are_no_numbers_from_0_are_refused() -> None:
    """The confusions of everybody up to the largest id would end the process."""
    with pytest.raises(UsageError, match="64 GB; number annotators from 0"):
        consolidate_codes([0, 0], [0, 2**31], [0, 1], 1, 2, n_annotators=2**31 + 1)
