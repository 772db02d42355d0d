"""Accuracy over time: who goes on as they began is left alone, who does not is found."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import binom

from labelops.audit import steadiness
from labelops.audit.drift import find_drift
from labelops.audit.steadiness import Steadiness, judge_steadiness
from labelops.errors import UsageError


def test_who_got_worse_is_found() -> None:
    """From 95 % to 70 % after 150 of 300 votes: found, named with both numbers; nobody else is."""
    rng = np.random.default_rng(0)
    who = np.tile(np.arange(6), 300)
    good = np.where((who == 3) & (np.arange(who.size) >= 900), 0.7, 0.95)
    found = judge_steadiness(who, rng.random(who.size) < good, rng=rng)
    assert found.changed.tolist() == [a == 3 for a in range(6)]
    assert found.latest[3] < 0.8 < 0.85 < found.before[3]
    assert found.window.tolist() == [100] * 6


def test_unjudged_votes_are_no_votes() -> None:
    """Votes that nothing judges change nothing; few or none give no alarm."""
    rng = np.random.default_rng(1)
    right = (rng.random(200) < 0.9).astype(float)
    gaps = np.full(400, np.nan)
    gaps[::2] = right
    one, two = (
        judge_steadiness(np.zeros(r.size, int), r, rng=np.random.default_rng(5))
        for r in (right, gaps)
    )
    assert one.log_e == pytest.approx(two.log_e) and one.judged == two.judged
    few = judge_steadiness([0, 1], [1, np.nan], rng=rng)
    assert few.log_e.tolist() == [0, 0] and np.isnan(few.before).all()
    assert judge_steadiness([], [], rng=rng).changed.size == 0


def test_more_votes_leave_earlier_evidence() -> None:
    """What ended with the last full run is the same before the next one is full."""
    right = (np.random.default_rng(2).random(130) < 0.9).astype(float)
    evidence = [
        judge_steadiness(np.zeros(n, int), right[:n], rng=np.random.default_rng(3)).log_e[0]
        for n in (120, 130)
    ]
    assert evidence[0] == evidence[1]


def _three(risk: float = 0.05) -> Steadiness:
    """Watch three people of whom the first got worse after 60 of 120 votes."""
    right = np.random.default_rng(6).random((3, 120)) < 0.95
    right[0, 60::2] = False
    who = np.repeat([0, 1, 2], 120)
    return judge_steadiness(who, right.ravel(), risk=risk, rng=np.random.default_rng(7))


def test_evidence_is_that_of_the_watch_over_streams() -> None:
    """In runs of twenty it is `find_drift`'s, which is a fair game, once for each person."""
    right = np.random.default_rng(6).random((3, 120)) < 0.95
    right[0, 60::2] = False
    rngs = np.random.default_rng(7).spawn(3)
    runs = np.arange(120) // 20
    each = [
        find_drift({"right": row}, runs, rng=draws) for row, draws in zip(right, rngs, strict=True)
    ]
    assert _three().log_e == pytest.approx(np.log([one.e_values[-1] for one in each]))


def test_a_flag_takes_as_many_times_the_evidence_as_there_are_people() -> None:
    """One of three needs three over the risk, and just less is no flag."""
    evidence = np.exp(_three().log_e)
    assert evidence[0] > 100 > 10 > evidence[1:].max()
    assert _three(3.003 / evidence[0]).changed.tolist() == [True, False, False]
    assert not _three(2.997 / evidence[0]).changed.any()


def _years(bad: float, harder: bool) -> tuple[int, int]:
    """Watch 60 teams of six over 240 votes each; halfway one may become `bad`, and items harder.

    Gives how many teams have anybody accused, and how many the first one.
    """
    anybody = first = 0
    for seed in range(60):
        rng = np.random.default_rng([14, seed])
        who, later = np.tile(np.arange(6), 240), np.arange(1440) >= 720
        skill = rng.uniform(0.93, 0.97, 6)[who] - 0.2 * (harder & later)
        right = rng.random(1440) < np.where(later & (who == 0), skill - bad, skill)
        changed = judge_steadiness(who, right, rng=rng).changed
        anybody, first = anybody + changed.any(), first + changed[0]
    return anybody, first


@pytest.mark.slow
def test_harder_items_are_nobodys_change() -> None:
    """From 95 % to 75 % all alike: ≤ 5 of 60 teams have anybody accused, by evidence alone most.

    One who becomes 30 points worse than that is found in two teams of three, with steady items and
    with others that are worse as well.
    """
    accused, _ = _years(0.0, harder=True)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(steadiness, "_as_the_others", lambda *_: False)
        alone, _ = _years(0.0, harder=True)
    assert accused <= 5 < 40 < alone
    assert _years(0.3, harder=False)[1] >= 40
    assert _years(0.35, harder=True)[1] >= 40


def test_too_few_others_tell_nothing_of_the_items() -> None:
    """With 19 votes of another since, an alarm stands; with 20 that got as bad, it does not."""
    own = np.r_[np.ones(100), np.tile([1, 0], 50)]
    for others, stands in ((19, True), (20, False)):
        bad = np.r_[np.ones(20), np.tile([1, 0], 10)[:others]]
        who = np.r_[np.zeros(20), np.ones(134), np.zeros(others), np.ones(66)].astype(int)
        right = np.r_[bad[:20], own[:134], bad[20:], own[134:]]
        found = judge_steadiness(who, right, rng=np.random.default_rng(0))
        assert found.log_e[1] > np.log(1000)
        assert bool(found.changed[1]) is stands


def test_malformed_input_is_refused() -> None:
    with pytest.raises(UsageError, match="right"):
        judge_steadiness([0, 1], [1], rng=np.random.default_rng(0))
    with pytest.raises(UsageError, match="right: row 1 is 2"):
        judge_steadiness([0, 1], [1, 2], rng=np.random.default_rng(0))


@pytest.mark.slow
def test_a_year_of_looks_at_steady_people() -> None:
    """Six steady people, 13 looks: anybody is ever accused in ≤ 5 % of years; by halves, more.

    The rule we do not use compares each one's later half with the earlier at 5 % a look. Who falls
    from 95 to 65 % in the middle is found by the end in nine years of ten.
    """
    rng, years, risk = np.random.default_rng(4), 12, 0.05
    who = np.tile(np.arange(6), 260)
    ever, naive, found = [], [], []
    for _ in range(years):
        right = rng.random(who.size) < 0.9
        seed = int(rng.integers(2**32))
        looks = range(120, 1561, 120)
        found_at = [
            judge_steadiness(who[:n], right[:n], risk=risk, rng=np.random.default_rng(seed))
            for n in looks
        ]
        ever.append(any(look.changed.any() for look in found_at))
        naive.append(any(_halves(right[:n].reshape(-1, 6)).min() < risk / 6 for n in looks))
        tired = np.where((who == 0) & (np.arange(who.size) >= 780), rng.random(who.size) < 0.65,
                         rng.random(who.size) < 0.95)  # fmt: skip
        found.append(judge_steadiness(who, tired, risk=risk, rng=rng).changed[0])
    assert sum(ever) <= binom.ppf(0.999, years, risk) < sum(naive)
    assert np.mean(found) >= 0.9


def _halves(right: np.ndarray) -> np.ndarray:
    """Return a normal p-value an annotator of "the halves are alike"."""
    from scipy.stats import norm

    half = len(right) // 2
    first, last = right[:half].mean(axis=0), right[-half:].mean(axis=0)
    spread = np.sqrt(np.maximum(right.mean(axis=0) * (1 - right.mean(axis=0)), 1e-9) * 2 / half)
    return np.asarray(2 * norm.sf(np.abs(first - last) / spread))
