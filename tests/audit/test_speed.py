"""Who rushes, and whose haste costs accuracy."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import binom, fisher_exact, hypergeom

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
    quick = judge_speed(who, np.full(90, 2.0), np.full(90, np.nan))
    assert quick.cut.tolist() == [1.0] * 3 and not quick.rushed.any(), "two seconds is no haste"
    assert judge_speed([0, 1], [0.0, 3.0], [1, 1]).timed.tolist() == [1, 1]


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


def _ten_each(quick_wrong: tuple[int, int]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Let two people answer in 1, 2 … 10 seconds: four are wrong, so many of the first five."""
    right = np.ones((2, 10))
    for person, wrong in enumerate(quick_wrong):
        right[person, :wrong] = right[person, 5 : 9 - wrong] = 0
    return np.repeat([0, 1], 10), np.tile(np.arange(1.0, 11), 2), right.ravel()


def test_the_risk_of_a_look_is_the_one_told() -> None:
    """Exactly: two whose speed tells nothing are hasty with at most its chance.

    Any four of ten answers are the wrong ones. Twice the risk would break it, and so does one test
    for each of them.
    """
    law = hypergeom(10, 4, 5).pmf(np.arange(5))
    risk = float(law[4]) * 1.0001
    ours = double = each = 0.0
    for pair in np.ndindex(5, 5):
        crowd, chance = _ten_each(pair), law[pair[0]] * law[pair[1]]
        found = judge_speed(*crowd, look_risk=risk)
        ours += chance * found.hasty.any()
        double += chance * judge_speed(*crowd, look_risk=2 * risk).hasty.any()
        each += chance * (found.p_values <= risk).any()
    assert 0 < ours <= risk < min(double, each)


def _rush(quick: int, of: int, risk: float = 0.01) -> tuple[float, bool]:
    """Judge one of three by so many quick answers: the evidence, and whether it is a flag."""
    who, seconds = np.repeat([0, 1, 2], of), np.full(3 * of, 4.0)
    seconds[:quick] = 0.5
    found = judge_speed(who, seconds, np.full(3 * of, np.nan), risk=risk)
    assert not found.rushed[1:].any()
    return float(np.exp(found.log_e[0])), bool(found.rushed[0])


def test_evidence_is_one_on_average_where_half_are_quick() -> None:
    """Over all counts of quick answers; evidence that counts double would be two."""
    values = [_rush(k, 9)[0] for k in range(10)]
    assert float(binom.pmf(np.arange(10), 9, 0.5) @ values) == pytest.approx(1.0)


def test_a_flag_takes_as_many_times_the_evidence_as_there_are_people() -> None:
    """One of three needs three over the risk, and just less is no flag."""
    evidence, _ = _rush(15, 16)
    assert _rush(15, 16, 3.003 / evidence)[1] and not _rush(15, 16, 2.997 / evidence)[1]


def test_little_to_go_by() -> None:
    """Unknown times, one vote, equal times: nobody is accused; no votes are no error."""
    unknown = judge_speed([0, 0, 1], [np.nan] * 3, [1, 0, 1])
    assert not (unknown.rushed | unknown.hasty).any() and unknown.timed.tolist() == [0, 0]
    alike = judge_speed(np.zeros(50, int), np.full(50, 3.0), np.arange(50) % 2)
    assert alike.p_values.tolist() == [1.0]
    assert judge_speed([], [], []).timed.size == 0


def _team(
    rng: np.random.Generator, *, each: int = 3, gap: float = 0.0, others_first: float = 1.0
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Eight people, 320 items of two kinds, `each` votes an item; one kind is quick for anybody.

    The first person comes by the quick kind `others_first` times as often as anybody else.
    """
    kind = rng.random(320) < 0.5
    liking = np.ones((320, 8))
    liking[:, 0] = np.where(kind, others_first, 1 / others_first)
    who = np.argsort(rng.exponential(1 / liking), axis=1)[:, :each].ravel()
    items = np.repeat(np.arange(320), each)
    pace = rng.normal(np.log(30), 0.3, 8)[who] + rng.normal(0, 0.6, who.size)
    return who, items, kind[items], np.exp(pace - gap * kind[items])


@pytest.mark.slow
def test_who_errs_where_items_are_quick_and_hard_is_not_hasty() -> None:
    """In ≤ 5 % of teams anybody is; taken by itself, time accuses somebody in most of them."""
    ours = alone = 0
    for seed in range(100):
        rng = np.random.default_rng([11, seed])
        who, items, kind, seconds = _team(rng, gap=1.5)
        right = rng.random(who.size) < np.where(kind, 0.75, 0.97)
        ours += judge_speed(who, seconds, right, items=items, look_risk=0.05).hasty.any()
        alone += judge_speed(who, seconds, right, look_risk=0.05).hasty.any()
    assert ours <= 5 < 50 < alone


@pytest.mark.slow
def test_who_gets_the_quick_items_does_not_rush() -> None:
    """One who is given most of the quick items is left alone: in 100 teams at a risk of 1 %."""
    ours = alone = 0
    for seed in range(100):
        who, items, _, seconds = _team(np.random.default_rng([12, seed]), gap=2.2, others_first=8)
        ours += judge_speed(who, seconds, np.ones(who.size), items=items).rushed.any()
        alone += judge_speed(who, seconds, np.ones(who.size)).rushed.any()
    assert ours <= 2 < 20 < alone


@pytest.mark.parametrize("gap", [0.0, 1.5])
def test_rushing_and_haste_are_found_among_items_of_two_kinds(gap: float) -> None:
    """Somebody at a tenth of the time in 18 of 20 teams; 60 % right when quick, 95 % else, in 16.

    Where items differ much, their own times say little, and haste is found in hardly
    any without the others'.
    """
    rushed = hasty = alone = 0
    for seed in range(20):
        rng = np.random.default_rng([13, seed])
        who, items, kind, seconds = _team(rng, each=4, gap=gap)
        usual = np.median((seconds * np.exp(gap * kind))[who == 0])
        quick = (who == 0) & (seconds * np.exp(gap * kind) < usual)
        right = rng.random(who.size) < np.where(quick, 0.5, 0.97)
        hasty += judge_speed(who, seconds, right, items=items, look_risk=0.05).hasty[0]
        alone += judge_speed(who, seconds, right, look_risk=0.05).hasty[0]
        times = np.where(who == 0, seconds / 10, seconds)
        rushed += judge_speed(who, times, right, items=items).rushed[0]
    assert rushed >= 18 and hasty >= 16
    assert gap == 0 or alone <= 5


def test_an_item_is_as_slow_as_the_others_found_it() -> None:
    """Nobody's own time moves what it is measured by; a time alone on its item tells no haste."""
    who, items = np.tile([0, 1], 60), np.repeat(np.arange(60), 2)
    seconds = np.where(items < 30, 4.0, 40.0)
    right = np.where(items < 30, 0.0, 1.0)
    found = judge_speed(who, seconds, right, items=items)
    assert found.p_values.tolist() == [1.0, 1.0]
    assert judge_speed(who, seconds, right).p_values.max() < 1e-6
    apart = judge_speed(who, seconds, right, items=np.arange(120))
    assert np.isnan(apart.fast_accuracy).all() and apart.timed.tolist() == [60, 60]


def test_malformed_input_is_refused() -> None:
    with pytest.raises(UsageError, match="items: found shape"):
        judge_speed([0, 1], [1.0, 2.0], [1, 1], items=[0])
    with pytest.raises(UsageError, match="seconds"):
        judge_speed([0, 1], [1.0], [1, 1])
    with pytest.raises(UsageError, match="seconds: row 1 is -1"):
        judge_speed([0, 1], [1.0, -1.0], [1, 1])
    with pytest.raises(UsageError, match=r"right: row 0 is 0\.5"):
        judge_speed([0, 1], [1.0, 1.0], [0.5, 1])
    for seconds in (["fast", "slow"], np.array([1, 2], dtype="m8[s]"), [1j, 2.0]):
        with pytest.raises(UsageError, match="seconds: expected numbers"):
            judge_speed([0, 1], seconds, [1, 1])
    with pytest.raises(UsageError, match="quick"):
        judge_speed([0], [1.0], [1], quick=np.nan)


@pytest.mark.slow
def test_a_year_of_looks_at_steady_people() -> None:
    """Eight people whose speed tells nothing: anybody is ever hasty in ≤ 5 % of years of looks.

    At a fixed risk each week, in many. Whose quick answers are right 60 % and slow ones 95 % is
    found in nine years of ten.
    """
    rng, risk, years, looks = np.random.default_rng(2), 0.05, 200, 10 * np.arange(1, 27)
    seconds = rng.lognormal(np.log(4), 0.5, (years, 8, 260))
    wrong = rng.random(seconds.shape) > 0.85
    best = np.empty((years, looks.size))
    for look, n in enumerate(looks):
        quick = seconds[..., :n] <= np.median(seconds[..., :n], axis=-1, keepdims=True)
        both = (wrong[..., :n] & quick).sum(axis=-1)
        p_values = hypergeom.sf(both - 1, n, wrong[..., :n].sum(axis=-1), quick.sum(axis=-1))
        best[:, look] = 8 * p_values.min(axis=-1)
    last = judge_speed(np.repeat(np.arange(8), 260), seconds[0].ravel(), ~wrong[0].ravel())
    assert 8 * last.p_values.min() == pytest.approx(best[0, -1]), (
        "what is simulated is what it does"
    )
    shares = [hypothesis_risk(j, risk) for j in range(1, looks.size + 1)]
    ever, naive = ((best <= bar).any(axis=1).sum() for bar in (shares, risk))
    assert ever <= binom.ppf(0.999, years, risk) < naive
    found = 0
    for _ in range(20):
        who, seconds = crowd(rng, 8, 260)
        right = rng.random(who.size) < np.where((who == 0) & (seconds < 4), 0.6, 0.95)
        found += judge_speed(who, seconds, right, look_risk=shares[-1]).hasty[0]
    assert found >= 18


def test_times_without_end_are_not_known() -> None:
    """Two whose clocks ran on would make everybody else quick."""
    who, seconds = np.repeat([0, 1, 2], 30), np.repeat([5.0, np.inf, np.inf], 30)
    found = judge_speed(who, seconds, np.full(90, np.nan))
    assert not found.rushed.any() and found.timed.tolist() == [30, 0, 0]
