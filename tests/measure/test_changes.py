"""Evidence of a rise of errors: an e-process, late rises are seen, and where they began."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
import pytest
from scipy.special import bdtrc
from scipy.stats import binom

from labelops.errors import UsageError
from labelops.measure.changes import (
    change_evidence,
    earliest_start,
    error_ratios,
    rise_evidence,
    rise_start,
)
from labelops.measure.eprocess import log_e_value_above

WANTED = math.log(20)


def _courses(n: int) -> npt.NDArray[np.int64]:
    return np.array(np.meshgrid(*[[0, 1]] * n)).reshape(n, -1).T


def test_an_expectation_of_one_at_the_bound_and_less_below() -> None:
    """Over all 2⁸ courses in batches of three, at the bound and below it."""
    courses, batches = _courses(8), np.array([0, 0, 0, 1, 1, 1, 2, 2])
    for bound in (0.02, 0.2, 0.6):
        values = np.exp([rise_evidence(c, batches, bound)[-1] for c in courses])
        for share in (bound, bound / 2, 0.0):
            weight = (share**courses * (1 - share) ** (1 - courses)).prod(axis=1)
            mean = float((weight * values).sum())
            assert mean == pytest.approx(1.0) if share == bound else mean < 1


def test_worked_example() -> None:
    """Two looks, one alternative, weights .5 and .25: by hand."""
    found = np.exp(change_evidence(error_ratios([False, True], 0.1, [0.4]), [0.5, 0.25]))
    clean, wrong = 0.6 / 0.9, 4.0
    expected = [0.5 * clean + 0.5, 0.5 * clean * wrong + 0.25 * wrong + 0.25]
    assert found == pytest.approx(expected)


def test_as_one_start_after_the_other() -> None:
    """The running sums equal the mixture written out, start by start."""
    rng = np.random.default_rng(3)
    ratios = error_ratios(rng.random(40) < 0.2, 0.1, [0.15, 0.3, 0.9])
    weights = rng.dirichlet(np.ones(41))[:40]
    weights[::7] = 0.0
    found = change_evidence(ratios, weights)
    for n in (1, 17, 40):
        parts = [weights[s] * np.exp(ratios[:, s:n].sum(axis=1)).mean() for s in range(n)]
        expected = sum(parts) + 1 - weights[:n].sum()
        assert found[n - 1] == pytest.approx(math.log(expected))


def test_more_wrong_looks_are_never_less_evidence() -> None:
    """What is not settled may so be read as clean: evidence only grows when it is wrong."""
    rng = np.random.default_rng(4)
    wrong, batches = rng.random(60) < 0.1, np.arange(60) // 7
    least = rise_evidence(wrong, batches, 0.1)
    for at in rng.choice(np.flatnonzero(~wrong), 10, replace=False):
        more = wrong.copy()
        more[at] = True
        assert (rise_evidence(more, batches, 0.1) >= least - 1e-12).all()


def test_earlier_looks_keep_their_evidence() -> None:
    """What comes later moves nothing before it, in a batch or after it."""
    rng = np.random.default_rng(5)
    wrong, batches = rng.random(500) < 0.1, np.sort(rng.integers(0, 40, 500))
    whole = rise_evidence(wrong, batches, 0.05)
    for n in (0, 1, 77, 300):
        assert rise_evidence(wrong[:n], batches[:n], 0.05) == pytest.approx(whole[:n])


def test_numbers_stay_numbers() -> None:
    """Only errors, only clean looks, thousands of batches, tiny and large bounds."""
    for bound in (1e-9, 0.02, 0.999):
        for outcome in (True, False):
            looks = np.full(5_000, outcome)
            found = rise_evidence(looks, np.arange(5_000), bound)
            assert np.isfinite(found).all() and (found[-1] > WANTED) == outcome


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda: rise_evidence([0.5], [0], 0.1), "true and false"),
        (lambda: rise_evidence([[True]], [0], 0.1), "true and false"),
        (lambda: rise_evidence([True], [0], 0.0), "bound"),
        (lambda: rise_evidence([True], [0, 1], 0.1), "batches"),
        (lambda: error_ratios([True], 0.1, [0.05]), "worse"),
        (lambda: error_ratios([True], 0.1, [1.0]), "worse"),
        (lambda: error_ratios([True], 0.1, [np.nan]), "worse"),
        (lambda: change_evidence(np.zeros((1, 2)), [0.9, np.nan]), "entering"),
        (lambda: change_evidence(np.zeros((1, 2)), [0.9, 0.2]), "entering"),
        (lambda: change_evidence(np.zeros((1, 2)), [0.9]), "entering"),
    ],
)
def test_bad_input(call: object, said: str) -> None:
    """One clear line."""
    with pytest.raises(UsageError, match=said):
        call()  # type: ignore[operator]


def _streams(
    rng: np.random.Generator, runs: int, before: float, after: float, days: int, at: int
) -> npt.NDArray[np.bool_]:
    share = np.repeat(np.where(np.arange(days) < at, before, after), 10)
    found: npt.NDArray[np.bool_] = rng.random((runs, share.size)) < share
    return found


@pytest.mark.slow
def test_size_over_a_year_of_looks() -> None:
    """Exactly at the bound at most 5 % of years may raise an alarm; by a test a month more do.

    Alarms come more seldom than that. That no less evidence would do is tested where it closes, and
    that it counts once above, exactly.
    """
    rng, years, days = np.random.default_rng(6), 250, np.arange(3_650) // 10
    streams = _streams(rng, years, 0.05, 0.05, 365, 0)
    alarms = sum(rise_evidence(w, days, 0.05).max() >= WANTED for w in streams)
    month = 300 * np.arange(1, 13)
    monthly = bdtrc(streams.cumsum(axis=1)[:, month - 1] - 1.0, month, 0.05) <= 0.05
    assert alarms <= binom.ppf(0.999, years, 0.05) < monthly.any(axis=1).sum()


@pytest.mark.slow
def test_a_late_rise_is_found_where_all_looks_together_miss_it() -> None:
    """After half a year at 1.5 %, 9.5 % wrong against 5 % is found within 100 days."""
    rng, days = np.random.default_rng(7), np.arange(2_800) // 10
    streams = _streams(rng, 60, 0.015, 0.095, 280, 180)
    ours = [rise_evidence(w, days, 0.05).max() >= WANTED for w in streams]
    looks = np.arange(1, 2_801)
    together = [(log_e_value_above(np.cumsum(w), looks, 0.05) >= WANTED).any() for w in streams]
    assert np.mean(ours) >= 0.9 and np.mean(together) <= 0.3


@pytest.mark.slow
def test_the_start_is_not_later_than_the_truth() -> None:
    """A rise on day 100 is dated too late in 2 % of streams; most are dated within a month."""
    rng, days = np.random.default_rng(8), np.arange(1_600) // 10
    found = np.array(
        [rise_start(w, days, 0.05) // 10 for w in _streams(rng, 400, 0.02, 0.2, 160, 100)]
    )
    assert (found > 100).mean() <= 0.02 + 3 * math.sqrt(0.02 * 0.98 / 400)
    assert np.median(100 - found) <= 30


@pytest.mark.parametrize("m", [1, 3])
def test_a_start_is_left_out_at_the_risk_that_is_told(m: int) -> None:
    """2 % in all: where it is 50 times less likely than the likeliest, times the alternatives."""
    for less, first in ((0.999, 0), (1.001, 1)):
        ratios = np.tile([-less * math.log(50 * m), 2.0], (m, 1))
        assert earliest_start(ratios) == first


def test_a_rise_begins_with_a_batch() -> None:
    """Clean looks of the same batch belong to it; those of the batch before do not."""
    wrong = np.r_[np.zeros(100), np.zeros(5), np.ones(15)].astype(bool)
    batches = np.r_[np.zeros(100), np.ones(20)]
    assert rise_start(wrong, batches, 0.05) == 100
    ratios = error_ratios(wrong, 0.05, [0.9])
    assert 100 <= earliest_start(ratios) <= 105
