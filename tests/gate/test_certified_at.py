"""The look at which an audit was certified is the first one after which its certificate passes."""

from __future__ import annotations

import numpy as np
import pytest

from labelops.errors import UsageError
from labelops.gate.certificate import certified_at, certify
from labelops.measure.finite import drawn_interval, hypergeometric_cdf
from labelops.measure.intervals import clopper_pearson
from labelops.measure.planning import audit_plan


def _first_pass(wrong: np.ndarray, bound: float, population: int | None, missed: float) -> object:
    looks = range(1, wrong.size + 1)
    said = (certify(wrong[:n], bound, 0.1, population, missed=missed).status for n in looks)
    return next((n for n, status in zip(looks, said, strict=True) if status == "pass"), None)


@pytest.mark.slow
@pytest.mark.parametrize("missed", [0.0, 0.1])
@pytest.mark.parametrize("population", [None, 30, 80, 200])
@pytest.mark.parametrize("seed", range(2))
def test_it_is_the_first_look_that_passes(seed: int, population: int | None, missed: float) -> None:
    """Errors early, late or none, sets that are good and bad, looked at wholly or in part."""
    rng = np.random.default_rng([seed, population or 0])
    for share in (0.0, 0.02, 0.1, 0.4):
        wrong = rng.random(min(population or 120, 120)) < share
        found = certified_at(wrong, 0.08, 0.1, population, missed=missed)
        assert found == _first_pass(wrong, 0.08, population, missed), (share, wrong.nonzero())


@pytest.mark.parametrize("corrected", [0, 1])
@pytest.mark.parametrize("missed", [pytest.param(0.0, marks=pytest.mark.slow), 0.1])
def test_looks_at_nearly_all_of_a_small_set(missed: float, corrected: int) -> None:
    """Where certainty decides: what is left unseen may be wrong, and the verdict passes at once."""
    for places in ([0], [0, 1], [9], []):
        wrong = np.isin(np.arange(30), places)
        mended = min(corrected, len(places))
        at = certified_at(wrong, 0.1, 0.1, 30, mended, missed)
        for n in range(1 + max(places, default=0), 31):
            passes = certify(wrong[:n], 0.1, 0.1, 30, mended, missed).status == "pass"
            assert passes == (at is not None and at <= n), (places, n)


def test_what_was_certified_before_it_was_refuted() -> None:
    """A pass at an early look is one, though later errors take it back; at the end all is known."""
    for population in (None, 600):
        wrong = np.arange(260) >= 200
        at = certified_at(wrong, 0.02, 0.05, population)
        assert at is not None and at <= 178
        assert certify(wrong[:at], 0.02, 0.05, population).status == "pass"
        assert certify(wrong, 0.02, 0.05, population).status == "fail"
    # The first look spoke against the set; the error is corrected, and there is no more to come.
    whole = np.arange(19) == 0
    assert certify(whole[:18], 0.1, 0.3, 19, corrected=1, missed=0.2).status == "fail"
    assert certify(whole, 0.1, 0.3, 19, corrected=1, missed=0.2).status == "pass"
    assert certified_at(whole, 0.1, 0.3, 19, corrected=1, missed=0.2) == 19


def test_a_stream_and_a_bound_of_one() -> None:
    """At bound 1 the first look is enough, whatever it found; a stream has its own first look."""
    for population in (None, 20):
        assert certified_at([True] * 5, 1.0, 0.05, population) == 1
    assert certified_at([False] * 400, 0.02, 0.05) == 178
    assert certified_at([False] * 177, 0.02, 0.05) is None
    assert certified_at([], 0.02, 0.05) is None


@pytest.mark.slow
def test_two_early_errors_in_a_large_set() -> None:
    """With two errors that stay in a set of 10,000 both say 589, and of a stream 438."""
    wrong = np.arange(1500) // 2 == 25  # looks 51 and 52
    for population, at in ((10_000, 589), (None, 438)):
        assert certified_at(wrong, 0.02, 0.05, population) == at
        for n, status in ((at - 1, "inconclusive"), (at, "pass")):
            assert certify(wrong[:n], 0.02, 0.05, population).status == status


@pytest.mark.slow
@pytest.mark.parametrize("size", [500, 20_000, 20_001])
def test_a_plan_is_what_the_certificate_asks(size: int) -> None:
    """A clean audit ends at the look that the plan names, below and above where steps end."""
    (plan,) = audit_plan(0.02, 0.05, [0.0], size=size)
    assert plan.median == certify([], 0.02, 0.05, size).needed
    assert plan.median == certified_at([False] * 300, 0.02, 0.05, size)


def test_an_empty_set_is_no_set() -> None:
    """One line says what a population is."""
    for call in (certify, certified_at):
        with pytest.raises(UsageError, match="size is 0, expected a whole number, 1 or"):
            call([], 0.02, 0.05, size=0)


def test_corrections_that_cannot_be() -> None:
    """What `certify` refuses is refused here too."""
    for call in (certify, certified_at):
        with pytest.raises(UsageError, match="2 errors corrected of 1 found"):
            call([True], 0.02, 0.05, size=100, corrected=2)
        with pytest.raises(UsageError, match="only in a set of a known size"):
            call([True], 0.02, 0.05, corrected=1)
        with pytest.raises(UsageError, match="missed is 1"):
            call([True], 0.02, 0.05, missed=1.0)


def test_a_census_leaves_no_doubt_but_of_what_it_missed() -> None:
    """After a look at all labels the interval is what was found, and no more where looks miss."""
    found = certify([False] * 96 + [True] * 4, 0.05, 0.05, size=100)
    assert found.interval is not None
    assert (found.interval.low, found.interval.high) == (0.04, 0.04)
    mended = certify([False] * 96 + [True] * 4, 0.05, 0.05, size=100, corrected=3).interval
    assert mended is not None
    assert (mended.low, mended.high) == pytest.approx((0.01, 0.01))
    missing = certify([False] * 96 + [True] * 4, 0.05, 0.05, size=100, missed=0.1).interval
    assert missing is not None
    assert missing.low == 0.04 < missing.high


@pytest.mark.parametrize(
    ("size", "n"),
    [(40, 1), (40, 15), (40, 39), (40, 40), pytest.param(200, 60, marks=pytest.mark.slow)],
)
def test_the_interval_of_a_draw_covers(size: int, n: int) -> None:
    """Whatever is wrong, it covers with 95 %; it lies within that of an endless stream."""
    found = [drawn_interval(k, n, size, 0.05) for k in range(n + 1)]
    for wrong in range(size + 1):
        below = [hypergeometric_cdf(k, size, wrong, n) for k in range(-1, n + 1)]
        inside = [interval.low <= wrong / size <= interval.high for interval in found]
        assert np.diff(below)[inside].sum() >= 0.95 - 1e-9
    for k, interval in enumerate(found):
        wide = clopper_pearson(k, n, risk=0.05)
        assert wide.low - 1 / size <= interval.low <= k / n <= interval.high
        assert interval.high <= wide.high + 1 / size
