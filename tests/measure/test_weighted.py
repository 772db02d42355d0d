"""Weighted audits certify as often as they may, and sooner where suspicions are good."""

from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest

from labelops.errors import UsageError
from labelops.measure.eprocess import check_outcomes
from labelops.measure.planning import audit_plan
from labelops.measure.weighted import (
    audit_chances,
    log_e_values_count,
    log_e_values_weighted,
    log_e_values_weighted_above,
    weighted_estimate,
    weighted_order,
)


def looks_needed(
    share: float, skill: float, *, seed: int, repeats: int, size: int, most: int, bound: float
) -> np.ndarray:
    """Simulate audits at risk 0.05 of sets whose errors stand out by `skill` deviations."""
    rng, found = np.random.default_rng(seed), []
    for _ in range(repeats):
        wrong = np.zeros(size, bool)
        wrong[rng.choice(size, round(share * size), replace=False)] = True
        seen = skill * (rng.normal(size=size) + skill * wrong)
        prior = np.log(share / (1 - share)) - skill**2 / 2
        chances = audit_chances(1 / (1 + np.exp(-seen - prior)))
        order = weighted_order(rng.random(size), chances)[:most]
        grown = log_e_values_weighted(wrong[order], order, chances, bound)
        reached = np.flatnonzero(grown >= np.log(20))
        found.append(reached[0] + 1 if reached.size else np.inf)
    return np.array(found)


def test_order_follows_chances() -> None:
    """The first drawn, and the second among those left, come as often as their chances say."""
    rng, chances = np.random.default_rng(3), np.array([0.1, 0.2, 0.7])
    orders = np.array([weighted_order(rng.random(3), chances) for _ in range(4000)])
    first = np.bincount(orders[:, 0], minlength=3) / 4000
    assert first == pytest.approx(chances, abs=0.03)
    second = np.bincount(orders[orders[:, 0] == 2][:, 1], minlength=3)[:2]
    assert second / second.sum() == pytest.approx([1 / 3, 2 / 3], abs=0.03)


@pytest.mark.parametrize("worth", [[9, 9, 1, 1, 1, 1, 1], [0, 0, 1, 1, 2, 3, 4], [1] * 7])
def test_a_fair_game_at_the_bound(worth: list[float]) -> None:
    """Over all draws of three of seven, two of them wrong: evidence has a mean of 1, either way.

    Whether the doubts are high where errors are, lowest there, or worth nothing.
    """
    chances, wrong = audit_chances(worth), np.arange(7) < 2
    for evidence in (log_e_values_weighted, log_e_values_weighted_above):
        mean = np.zeros(3)
        for drawn in permutations(range(7), 3):
            left, chance = 1.0, 1.0
            for item in drawn:
                chance *= chances[item] / left
                left -= chances[item]
            places = list(drawn)
            mean += chance * np.exp(evidence(wrong[places], places, chances, 2 / 7))
        assert mean == pytest.approx(1.0, abs=1e-9)


def test_certainty_at_the_end() -> None:
    """When all items are seen, fewer errors than the bound are proven and as many are not."""
    even = audit_chances(np.ones(50))
    for errors, proven in ((4, True), (5, False), (9, False)):
        grown = log_e_values_weighted(np.arange(50) >= 50 - errors, np.arange(50), even, 0.1)
        assert bool(np.isinf(grown[-1]) and grown[-1] > 0) is proven


def test_needs_no_suspicion() -> None:
    """All-zero suspicions are even chances; a clean audit takes hardly more than the uniform."""
    even = audit_chances(np.zeros(5000))
    assert np.ptp(even) == 0
    grown = log_e_values_weighted(np.zeros(190, bool), np.arange(190), even, 0.02)
    assert grown[-1] >= np.log(20)


@pytest.mark.slow
@pytest.mark.parametrize("skill", [0.0, 1.0, 3.0])
def test_wrong_certificates_stay_rare(skill: float) -> None:
    """Just above the bound, looking after every audit, a certificate comes at most 5 % of times."""
    found = looks_needed(
        0.0501, skill, seed=7, repeats=600, size=10_000, most=3000, bound=0.05
    )  # fmt: skip
    assert np.isfinite(found).mean() <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / 600)


@pytest.mark.slow
def test_finds_that_are_not_weighed_break_it() -> None:
    """Without weighing the finds by their chances, the same audit is wrong far too often."""
    rng, size, wrongly = np.random.default_rng(8), 10_000, 0
    for _ in range(200):
        wrong = np.arange(size) < 501
        # Suspicions that point away from the errors, taken at face value.
        chances = audit_chances(1.0 - wrong, 0.3)
        order = weighted_order(rng.random(size), chances)[:2000]
        even = np.full(size, 1 / size)
        naive = log_e_values_weighted(wrong[order], order, even, 0.05)
        right = log_e_values_weighted(wrong[order], order, chances, 0.05)
        assert right.max() < naive.max()
        wrongly += naive.max() >= np.log(20)
    assert wrongly / 200 > 0.9


@pytest.mark.slow
def test_good_suspicions_save_audits_near_the_bound() -> None:
    """At half the bound and telling suspicions, fewer audits than the uniform audit's mean."""
    found = looks_needed(0.01, 3.0, seed=9, repeats=80, size=20_000, most=6000, bound=0.02)
    (uniform,) = audit_plan(0.02, 0.05, [0.01], budget=6000, size=20_000)
    assert np.isfinite(found).all()
    assert found.mean() + 3 * found.std() / np.sqrt(80) < uniform.mean


@pytest.mark.parametrize(
    ("outcomes", "drawn", "chances", "bound"),
    [
        ([0, 1], [0], [0.5, 0.5], 0.1),
        ([0, 1], [0, 0], [0.5, 0.5], 0.1),
        ([0], [2], [0.5, 0.5], 0.1),
        ([0], [0], [0.5, 0.5], 0.0),
        ([0], [0.7], [0.5, 0.5], 0.1),
        ([0], [0], [0.5, 0.0], 0.1),
        ([0], [0], [0.5, np.nan], 0.1),
        ([0], [0], [0.5, np.inf], 0.1),
    ],
)
def test_impossible_audits(
    outcomes: list[int], drawn: list[int], chances: list[float], bound: float
) -> None:
    with pytest.raises(UsageError):
        log_e_values_weighted(check_outcomes(outcomes), drawn, chances, bound)


@pytest.mark.parametrize("suspicion", [[-1.0, 2.0], [np.nan, 1.0], [[1.0]]])
def test_impossible_suspicions(suspicion: list[float]) -> None:
    with pytest.raises(UsageError):
        audit_chances(suspicion)


def test_no_look_no_evidence() -> None:
    assert log_e_values_weighted(np.zeros(0, bool), np.zeros(0, int), [1.0], 0.1).shape == (0,)


@pytest.mark.parametrize("scale", [5e-324, 1e308])
def test_suspicions_of_any_size(scale: float) -> None:
    """Only how they compare counts; their sum may be no float, or hardly be one."""
    found = audit_chances(np.array([1.0, 0.0, 1.0]) * scale)
    assert found == pytest.approx(audit_chances([1.0, 0.0, 1.0]))
    assert found.sum() == pytest.approx(1.0)


@pytest.mark.parametrize(
    ("uniforms", "chances"),
    [
        ([0.0, 0.5], [0.5, 0.5]),
        ([1.0, 0.5], [0.5, 0.5]),
        ([0.5, 0.5], [0.0, 1.0]),
        ([0.5, 0.5], [np.inf, 1.0]),
        ([0.5, 0.5], [np.nan, 1.0]),
        ([0.5], [0.5, 0.5]),
    ],
)
def test_impossible_draws(uniforms: list[float], chances: list[float]) -> None:
    with pytest.raises(UsageError):
        weighted_order(uniforms, chances)


@pytest.mark.parametrize("floor", [0.0, -0.1, 1.1, np.nan])
def test_some_part_is_even_and_no_more_than_all(floor: float) -> None:
    with pytest.raises(UsageError, match="floor"):
        audit_chances([0.5, 0.5], floor)
    assert audit_chances([1.0, 3.0], 1.0).tolist() == [0.5, 0.5]


def test_the_estimate_is_right_on_average() -> None:
    """Over all draws of two of five, two of them wrong, it is their share, whatever the chances."""
    chances, wrong, mean = audit_chances([0, 5, 1, 1, 3], 0.2), np.array([1, 0, 0, 0, 1]), 0.0
    for drawn in permutations(range(5), 2):
        chance = chances[drawn[0]] * chances[drawn[1]] / (1 - chances[drawn[0]])
        # As it is before it is cut at 1.
        first = wrong[drawn[0]] / chances[drawn[0]] / 5
        left = (1 - chances[drawn[0]]) / chances[drawn[1]]
        second = (wrong[drawn[0]] + wrong[drawn[1]] * left) / 5
        mean += chance * (first + second) / 2
        found = weighted_estimate(wrong[list(drawn)], drawn, chances)
        assert found == pytest.approx(min(1.0, (first + second) / 2))
    assert mean == pytest.approx(2 / 5)
    assert weighted_estimate([], [], [0.5, 0.5]) == 0.0


@pytest.mark.parametrize("count", [0, 1, 3, 4, 5])
def test_counts_of_a_set_of_five(count: int) -> None:
    """After a look at all it is certain whether more than so many are wrong."""
    for errors in range(6):
        wrong = np.arange(5) >= 5 - errors
        grown = log_e_values_count(wrong, np.arange(5), np.full(5, 0.2), count)
        assert (grown[-1] == np.inf) == (errors <= count)
