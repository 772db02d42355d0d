"""Small teams with clickers: whose votes the consensus begins with."""

from __future__ import annotations

import numpy as np
import pytest

from labelops.consolidate import consolidate_codes
from labelops.consolidate.few_people import first_belief, weigh_by_agreement
from labelops.measure.calibration import expected_calibration_error
from labelops.measure.votes import Votes, pack_votes


def _team(
    seed: int, clickers: int, good: int, *, fixed: bool = True, items: int = 400, classes: int = 2
) -> tuple[np.ndarray, np.ndarray]:
    """Return the truth and everybody's votes, (items, people): right 9 times in 10, or clicks."""
    rng = np.random.default_rng(seed)
    truth = rng.integers(0, classes, items)
    other = (truth[:, None] + rng.integers(1, classes, (items, good))) % classes
    said = np.where(rng.random((items, good)) < 0.9, truth[:, None], other)
    shape = (items, clickers)
    clicks = np.ones(shape, np.int64) if fixed else rng.integers(0, classes, shape)
    clicks = np.where(rng.random(shape) < 0.05, 0, clicks)
    return truth, np.concatenate([said, clicks], axis=1)


def _packed(said: np.ndarray, classes: int = 2, weights: np.ndarray | None = None) -> Votes:
    items, people = said.shape
    return pack_votes(
        np.repeat(np.arange(items), people), np.tile(np.arange(people), items), said.ravel(),
        n_items=items, n_annotators=people, n_classes=classes, weights=weights,
    )  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("classes", [2, 4])
def test_two_who_look_are_heard_beside_three_who_click(classes: int) -> None:
    """Majority is the clickers' class on nearly all items; the consensus is the others'."""
    for seed in range(3):
        truth, said = _team(seed, 3, 2, classes=classes)
        items, people = said.shape
        found = consolidate_codes(
            np.repeat(np.arange(items), people), np.tile(np.arange(people), items), said.ravel(),
            items, classes,
        )  # fmt: skip
        assert ((said == 1).sum(axis=1) >= 3).mean() > 0.8, "clickers have the majority"
        assert (found.posterior.argmax(axis=1) == truth).mean() > 0.85, seed
        assert found.accuracy[:2].min() > found.accuracy[2:].max()
        # And it knows how good they are: clicks that it did not foretell are nobody's fault.
        right = (said == truth[:, None]).mean(axis=0)
        assert np.abs(found.accuracy - right).max() < 0.15, seed
        assert expected_calibration_error(found.posterior, truth) < 0.12, seed


@pytest.mark.parametrize("fixed", [True, False])
def test_clicks_weigh_next_to_nothing(fixed: bool) -> None:
    """Whether one class is clicked or any: no agreement beyond what habits explain."""
    for seed in range(3):
        _, said = _team(seed, 5, 3, fixed=fixed)
        (weighed,) = weigh_by_agreement([_packed(said)])
        assert weighed.weights is not None
        worth = weighed.weights[:8]
        assert worth[:3].min() > 3 * worth[3:].max(), seed


def test_a_team_without_clickers_is_weighed_evenly() -> None:
    """Five who are alike weigh alike, within what chance does."""
    _, said = _team(4, 0, 5)
    (weighed,) = weigh_by_agreement([_packed(said)])
    assert weighed.weights is not None
    assert np.ptp(weighed.weights[:5]) < 0.2 * weighed.weights[:5].mean()


def test_larger_crowds_are_as_they_are() -> None:
    """With twenty-one people, and where nobody shares an item, votes are not touched."""
    _, said = _team(5, 10, 11, items=40)
    many = _packed(said)
    assert weigh_by_agreement([many])[0] is many and first_belief(many) is None
    alone = pack_votes([0, 1, 2], [0, 1, 0], [0, 1, 1], n_items=3, n_annotators=2, n_classes=2)
    assert weigh_by_agreement([alone])[0] is alone
    assert weigh_by_agreement([]) == []


def test_shards_are_weighed_as_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """Sums over shards and blocks are those over all items."""
    _, said = _team(6, 3, 3, items=90, classes=3)
    (whole,) = weigh_by_agreement([_packed(said, 3)])
    parts = weigh_by_agreement([_packed(said[:20], 3), _packed(said[20:], 3)])
    monkeypatch.setattr("labelops.consolidate.few_people._BLOCK", 7)
    (blocks,) = weigh_by_agreement([_packed(said, 3)])
    assert whole.weights is not None and blocks.weights is not None
    joined = np.concatenate([part.weights for part in parts if part.weights is not None])
    np.testing.assert_allclose(joined, whole.weights, rtol=1e-12)
    np.testing.assert_allclose(blocks.weights, whole.weights, rtol=1e-12)


def test_numbers_of_people_who_did_not_vote_change_nothing() -> None:
    """Three who voted among a thousand numbers are three people."""
    _, said = _team(7, 1, 2, items=50)
    (known,) = weigh_by_agreement([_packed(said)])
    who = np.tile([7, 500, 999], 50)
    votes = pack_votes(
        np.repeat(np.arange(50), 3), who, said.ravel(), n_items=50, n_annotators=1000, n_classes=2
    )
    (found,) = weigh_by_agreement([votes])
    assert known.weights is not None and found.weights is not None
    np.testing.assert_allclose(found.weights, known.weights, rtol=1e-12)


def test_weights_by_hand() -> None:
    """Two people, two items, as one would count; a vote's own weight stays beside it."""
    said = np.array([[0, 0], [1, 0]])
    (weighed,) = weigh_by_agreement([_packed(said, weights=np.array([1.0, 1.0, 1.0, 0.5]))])
    habits = np.array([[1.5, 1.5], [2.0, 0.5]]) / [[3.0], [2.5]]
    chance = float(habits[0] @ habits[1])
    weight = np.array([[1.0, 1.0], [1.0, 0.5]])
    agrees = np.array([1.0, 0.0]) - chance
    beyond = weight.T @ agrees
    room = weight.sum(axis=0) * (1 - chance)
    usual = 10.0 * room.sum() / weight.sum()
    worth = (beyond + usual * beyond.sum() / room.sum()) / (room + usual)
    assert weighed.weights is not None
    np.testing.assert_allclose(
        weighed.weights.reshape(2, 2), np.maximum(worth, 0.02) * weight, rtol=1e-12
    )
