"""The watch by gold: good people are left alone, clickers are found soon, and since when."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from scipy.stats import binom

from labelops.audit.gold_watch import gold_evidence, golds_needed, watch_gold
from labelops.errors import UsageError
from labelops.measure.eprocess import hypothesis_risk

RISK = 0.05


def _alarm(right: npt.ArrayLike, floor: float, classes: int, risk: float = RISK) -> int | None:
    return watch_gold(right, floor=floor, chance=1 / classes, risk=risk).alarm


def test_worked_example() -> None:
    """Three wrong answers at floor .9 and ten classes, by hand."""
    # Wrong: .9/.1, .6333/.1, .3667/.1 times as likely; begun at answer s with weight 6/(π²s²).
    weights = 6 / (np.pi * np.arange(1, 4)) ** 2
    ratios = np.array([0.9, 1 - (0.1 + 0.8 / 3), 1 - (0.1 + 1.6 / 3)]) / 0.1
    for n in (1, 2, 3):
        begun = sum(weights[s] * ratios ** (n - s) for s in range(n)).mean()
        expected = np.log(begun + 1 - weights[:n].sum())
        assert gold_evidence([False] * 3, 0.9, 0.1)[n - 1] == pytest.approx(expected)


def test_an_expectation_of_one() -> None:
    """Over all 2⁸ courses of somebody exactly at the floor, the evidence averages one."""
    courses = np.array(np.meshgrid(*[[0, 1]] * 8)).reshape(8, -1).T
    for floor, chance in ((0.7, 0.25), (0.9, 0.5), (0.6, 0.1)):
        weight = (floor**courses * (1 - floor) ** (1 - courses)).prod(axis=1)
        value = np.array([np.exp(gold_evidence(c, floor, chance)[-1]) for c in courses])
        assert float((weight * value).sum()) == pytest.approx(1.0, abs=1e-9)


def test_an_alarm_takes_one_over_the_risk() -> None:
    """At just less evidence there is none: with a mean of one it comes with at most that chance."""
    right = [True] * 3 + [False] * 6
    reached = np.exp(gold_evidence(right, 0.7, 0.25))
    assert reached.argmax() == 8
    assert _alarm(right, 0.7, 4, 1.001 / reached[8]) == 8
    assert _alarm(right, 0.7, 4, 0.999 / reached[8]) is None


def test_golds_needed() -> None:
    """Accuracy .9 and a click are told apart by 13, 6 and 3 answers at 2, 4 and 10 classes."""
    for classes, n in ((2, 13), (4, 6), (10, 3)):
        assert golds_needed(0.9, 1 / classes, 0.05) == n

        def told_apart(n: int, chance: float) -> bool:
            most = np.arange(n)
            fails, passes = binom.cdf(most, n, 0.9), binom.sf(most, n, chance)
            return bool(((fails <= 0.05) & (passes <= 0.05)).any())

        assert told_apart(n, 1 / classes) and not told_apart(n - 1, 1 / classes)


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ((0.4, 0.6, 0.05), "accuracy 0.4 and chance 0.6 are not told apart"),
        ((1.2, 0.5, 0.05), "accuracy is 1.2, expected a share strictly between 0 and 1"),
        ((0.9, 0.0, 0.05), "chance is 0.0"),
        ((0.9, 0.5, "low"), "risk is 'low'"),
    ],
)
def test_golds_that_nothing_tells(given: tuple[Any, Any, Any], says: str) -> None:
    """What is no share is named; else no number of answers would do, without a word why."""
    with pytest.raises(UsageError, match=f"^{says}"):
        golds_needed(*given)


def test_with_large_risks_a_coin_is_told_from_itself() -> None:
    """Half of the time is as often as it may fail: nothing is refused that a search would find."""
    assert golds_needed(0.5, 0.5, 0.6) == 1


def _naive(right: npt.NDArray[np.bool_], floor: float) -> bool:
    """Pause whenever the binomial test of all answers so far is significant, at every look."""
    hits = right.cumsum()
    return bool((binom.cdf(hits, np.arange(1, len(right) + 1), floor) <= RISK).any())


@pytest.mark.slow
def test_good_people_are_left_alone() -> None:
    """A year of looks at 365 answers of each of seven people at the floor: anybody paused ≤ 5 %.

    Shares of the risk twice as large would show, and a test repeated at every look pauses most.
    """
    rng, runs, floor = np.random.default_rng(4), 200, 0.8
    ours = naive = even = 0
    for _ in range(runs):
        crowd = rng.random((7, 365)) < floor
        shares = [hypothesis_risk(j, RISK) for j in range(1, 8)]
        ours += any(
            _alarm(p, floor, 4, risk) is not None for p, risk in zip(crowd, shares, strict=True)
        )
        # The same evidence without sharing the risk among people.
        even += any(_alarm(p, floor, 4) is not None for p in crowd)
        naive += any(_naive(p, floor) for p in crowd)
    limit = RISK + 3 * np.sqrt(RISK * (1 - RISK) / runs)
    assert ours / runs <= limit
    assert even / runs > limit and naive / runs > 0.8


@pytest.mark.parametrize(("classes", "within"), [(2, 13), (4, 6), (10, 3)])
def test_clickers_are_found_soon(classes: int, within: int) -> None:
    """Most clickers within the answers of a single test (floor .9), nearly all within twice that.

    With the evidence halved it would be fewer.
    """
    rng, runs = np.random.default_rng(classes), 200
    clicks = rng.random((runs, 2 * within)) < 1 / classes
    found = [_alarm(c, 0.9, classes) for c in clicks]
    soon = np.mean([a is not None and a < within for a in found])
    later = np.mean([a is not None for a in found])
    halved = [gold_evidence(c[:within], 0.9, 1 / classes).max() / 2 for c in clicks]
    assert soon >= 0.7 and later >= 0.97
    assert np.mean(np.array(halved) >= np.log(1 / RISK)) < 0.7


@pytest.mark.slow
@pytest.mark.parametrize(
    ("classes", "bad", "floor"), [(4, 0.25, 0.7), (10, 0.1, 0.7), (2, 0.5, 0.8)]
)
def test_since_when(classes: int, bad: float, floor: float) -> None:
    """The change after 40 good answers is found; it began no earlier than said in 97 of 100.

    The likeliest start alone says too late in more than one case of seven. What is kept of the good
    time is most of it.
    """
    rng, covered, naive, kept = np.random.default_rng(5), [], [], []
    for _ in range(150):
        right = np.append(rng.random(40) < 0.95, rng.random(80) < bad)
        alarm = _alarm(right, floor, classes)
        if alarm is None or alarm < 40:
            continue
        found = watch_gold(right[: alarm + 1], floor=floor, chance=1 / classes, risk=RISK)
        assert found.since is not None and found.since <= alarm
        covered.append(found.since <= 40)
        kept.append(min(found.since, 40) / 40)
        steps = np.where(right[: alarm + 1], np.log(bad / floor), np.log((1 - bad) / (1 - floor)))
        naive.append(steps[::-1].cumsum()[::-1].argmax() <= 40)
    assert len(covered) >= 120
    assert np.mean(covered) >= 0.97 and np.mean(naive) < 0.86
    assert np.mean(kept) >= 0.6


def test_nothing_to_show() -> None:
    """No answers, or a floor no higher than chance, are no evidence and no alarm."""
    assert watch_gold([], floor=0.8, chance=0.5, risk=0.05).alarm is None
    assert gold_evidence([False] * 50, 0.5, 0.5).tolist() == [0.0] * 50
    bad_from_the_start = watch_gold([False] * 9, floor=0.8, chance=0.25, risk=0.05)
    assert bad_from_the_start.since == 0


@pytest.mark.parametrize("bad", [[[True]], [0.5], ["yes"]])
def test_bad_input(bad: npt.ArrayLike) -> None:
    """What is neither right nor wrong is refused."""
    with pytest.raises(UsageError, match="right: expected"):
        watch_gold(bad, floor=0.8, chance=0.5, risk=0.05)
