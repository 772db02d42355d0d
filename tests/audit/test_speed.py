"""Who rushes, and whose haste costs accuracy."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import fisher_exact

from labelops.audit.speed import judge_speed
from labelops.errors import UsageError
from labelops.measure.eprocess import hypothesis_risk


def crowd(rng: np.random.Generator, people: int, each: int) -> tuple[np.ndarray, np.ndarray]:
    """Return who answered, and in how many seconds: some four, as people do."""
    who = np.repeat(np.arange(people), each)
    return who, rng.lognormal(np.log(4), 0.5, who.size)


def test_one_second_for_everything_is_rushing() -> None:
    """Thirty answers of one second each are found beside people who take four; nobody else is."""
    rng = np.random.default_rng(0)
    who, seconds = crowd(rng, 5, 30)
    seconds[who == 2] = 1.0
    found = judge_speed(who, seconds, np.full(who.size, np.nan))
    assert found.rushed.tolist() == [False, False, True, False, False]
    assert (found.quick[2], found.timed[2]) == (30, 30)


def test_a_quarter_of_what_the_others_take() -> None:
    """Where an item takes a minute, ten seconds are too few; alone, the absolute time counts."""
    who = np.repeat([0, 1, 2], 30)
    seconds = np.repeat([60.0, 80.0, 10.0], 30)
    found = judge_speed(who, seconds, np.full(90, np.nan))
    assert found.cut.tolist() == [11.25, 8.75, 17.5]
    assert found.rushed.tolist() == [False, False, True]
    alone = judge_speed(np.zeros(30, int), np.full(30, 1.5), np.full(30, np.nan))
    assert alone.cut.tolist() == [1.0] and not alone.rushed.any()


def test_hasty_is_fishers_test_on_halves() -> None:
    """The p-value is Fisher's of the quicker half against the slower one."""
    rng = np.random.default_rng(1)
    seconds = rng.permutation(np.arange(1, 61.0))
    right = np.where(seconds <= 30, rng.random(60) < 0.6, rng.random(60) < 0.95).astype(float)
    found = judge_speed(np.zeros(60, int), seconds, right)
    fast = seconds <= 30
    table = [
        [(~right.astype(bool) & h).sum(), (right.astype(bool) & h).sum()] for h in (fast, ~fast)
    ]
    assert found.p_values[0] == pytest.approx(fisher_exact(table, alternative="greater").pvalue)
    assert found.fast_accuracy[0] == right[fast].mean()
    assert found.slow_accuracy[0] == right[~fast].mean()


def test_little_to_go_by() -> None:
    """Unknown times, one vote, equal times: nobody is accused; no votes are no error."""
    unknown = judge_speed([0, 0, 1], [np.nan] * 3, [1, 0, 1])
    assert not (unknown.rushed | unknown.hasty).any() and unknown.timed.tolist() == [0, 0]
    alike = judge_speed(np.zeros(50, int), np.full(50, 3.0), np.arange(50) % 2)
    assert alike.p_values.tolist() == [1.0]
    assert judge_speed([], [], []).timed.size == 0


def test_malformed_input_is_refused() -> None:
    with pytest.raises(UsageError, match="seconds"):
        judge_speed([0, 1], [1.0], [1, 1])
    with pytest.raises(UsageError, match="quick"):
        judge_speed([0], [1.0], [1], quick=np.nan)


@pytest.mark.slow
def test_a_year_of_looks_at_steady_people() -> None:
    """Eight people whose speed tells nothing: anybody is ever hasty in ≤ 5 % of years of looks.

    At a fixed risk each week, in many. Whose quick answers are right 60 % and slow ones 95 % is
    found in nine years of ten.
    """
    rng, risk, years = np.random.default_rng(2), 0.05, 60
    ever, naive, found = [], [], []
    for _ in range(years):
        who, seconds = crowd(rng, 8, 260)
        right = (rng.random(who.size) < 0.85).astype(float)
        careless = rng.random(who.size) < np.where(seconds < 4, 0.6, 0.95)
        p_values = np.array([
            judge_speed(who[part], seconds[part], right[part]).p_values
            for week in range(1, 27)
            if (part := np.arange(who.size) % 260 < 10 * week).any()
        ])  # fmt: skip
        best = p_values.min(axis=1) * 8
        ever.append(any(p <= hypothesis_risk(j, risk) for j, p in enumerate(best, 1)))
        naive.append((best <= risk).any())
        guilty = judge_speed(who, seconds, np.where(who == 0, careless, right),
                             look_risk=hypothesis_risk(26, risk))  # fmt: skip
        found.append(guilty.hasty[0])
    assert np.mean(ever) <= risk + 2 * np.sqrt(risk * (1 - risk) / years)
    assert np.mean(naive) > 2 * risk
    assert np.mean(found) >= 0.9
