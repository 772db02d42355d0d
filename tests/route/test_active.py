"""The choice of what to learn from: unsure, different, and no worse than uncertainty alone."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from labelops.errors import UsageError
from labelops.route.active import CANDIDATES, diverse_choice, until_learned_anew

from ..digits import digits


def test_worked_example() -> None:
    """The least certain comes first, its twin after a less unsure one elsewhere."""
    points = [[2.0, 0.0], [1.0, 0.0], [0.0, 1.0], [1.0, 1.0]]
    assert diverse_choice([0.9, 0.8, 0.5, 0.1], points, 4).tolist() == [0, 2, 3, 1]
    assert diverse_choice([0.9, 0.8, 0.5, 0.1], points, 1, [[1.0, 0.0]]).tolist() == [2]


def test_laws() -> None:
    """Nobody twice, a longer choice begins with a shorter one, and order of rows is nothing."""
    rng = np.random.default_rng(1)
    unsure, points = rng.random(50), rng.normal(size=(50, 4))
    found = diverse_choice(unsure, points, 20)
    assert len(set(found)) == 20
    assert found[:7].tolist() == diverse_choice(unsure, points, 7).tolist()
    order = rng.permutation(50)
    again = order[diverse_choice(unsure[order], points[order], 20)]
    assert again.tolist() == found.tolist()
    assert len(diverse_choice(unsure, points, 99)) == 50
    assert diverse_choice([], np.empty((0, 2)), 3).tolist() == []


def test_bad_input() -> None:
    """What does not fit, or is no number, is named."""
    with pytest.raises(UsageError, match="uncertainties"):
        diverse_choice([0.1], [[1.0], [2.0]], 1)
    with pytest.raises(UsageError, match="features"):
        diverse_choice([0.1], [[np.nan]], 1)
    with pytest.raises(UsageError, match="known have 2 features, candidates 1"):
        diverse_choice([0.1], [[1.0]], 1, known=[[1.0, 2.0]])


@pytest.mark.parametrize("scale", [1e-200, 1e300])
def test_only_directions_count(scale: float) -> None:
    """Lengths whose squares are no floats change nothing."""
    points = np.array([[1.0, 0.1], [1.0, 0.0], [0.0, 1.0]])
    plain = diverse_choice([0.9, 0.8, 0.5], points, 3)
    assert diverse_choice([0.9, 0.8, 0.5], points * scale, 3).tolist() == plain.tolist()


@pytest.mark.slow
def test_digits_are_learned_no_slower() -> None:
    """From 50 random digits and 50 chosen, over ten seeds: no worse than either way alone."""
    data, truth = digits()
    data = data / 16.0

    def learned(rows: np.typing.NDArray[np.int64]) -> LogisticRegression:
        return LogisticRegression(C=10, max_iter=300).fit(data[rows], truth[rows])

    right: dict[str, list[float]] = {}
    for seed in range(10):
        order = np.random.default_rng(seed).permutation(len(truth))
        test, have, rest = order[:450], order[450:500], order[500:]
        unsure = 1 - learned(have).predict_proba(data[rest]).max(axis=1)
        by_doubt = np.argsort(-unsure, kind="stable")
        near = by_doubt[: int(CANDIDATES * 50)]
        mixed = near[diverse_choice(unsure[near], data[rest[near]], 50, data[have])]
        choices = {"random": np.arange(50), "unsure": by_doubt[:50], "mixed": mixed}
        for name, chosen in choices.items():
            model = learned(np.append(have, rest[chosen]))
            right.setdefault(name, []).append(float(model.score(data[test], truth[test])))
    mean = {name: float(np.mean(scores)) for name, scores in right.items()}
    assert mean["mixed"] >= max(mean["unsure"], mean["random"])


@pytest.mark.parametrize("growth", [1.1, 1.25, 2.0])
def test_until_learned_anew_asking_reaches_the_growth_and_never_stops(growth: float) -> None:
    """What is asked for, once usable, makes a version anew; with nothing coming some is asked."""
    for fitted in (1, 7, 100):
        for usable in range(3 * fitted):
            size = until_learned_anew(fitted, usable, 0, growth)
            assert size > 0
            assert usable + size >= growth * fitted
            assert until_learned_anew(fitted, usable, size, growth) == 0, "asked again: nothing"
