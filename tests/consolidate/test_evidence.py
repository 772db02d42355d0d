"""Calibrating a consensus, and deciding."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from labelops.consolidate.counts import vote_counts
from labelops.consolidate.crowd import crowd_accuracy, one_coin_posterior
from labelops.consolidate.evidence import (
    decide,
    gold_softening,
    held_out_temperature,
    soften,
)
from labelops.errors import UsageError
from labelops.measure.calibration import expected_calibration_error
from labelops.measure.codes import FloatArray
from labelops.measure.votes import pack_votes


def test_decisions_by_hand() -> None:
    """Decided are items that are sure enough, have votes enough, and one class ahead."""
    posterior = [[0.95, 0.05], [0.85, 0.15], [0.5, 0.5], [0.05, 0.95], [0.95, 0.05]]
    votes = [3, 3, 3, 2, 1]
    assert decide(posterior, votes, min_posterior=0.9, min_votes=2).tolist() == [0, -1, -1, 1, -1]
    assert decide(posterior, votes, min_posterior=0.5).tolist() == [0, 0, -1, 1, 0]
    assert decide(np.empty((0, 2)), [], min_posterior=0.5).tolist() == []


@given(st.floats(0.5, 1.0), st.floats(0.5, 1.0), st.integers(0, 4), st.integers(0, 4))
def test_stricter_decides_less(a: float, b: float, m: int, n: int) -> None:
    """Asking for more never decides more items, and never another class."""
    rng = np.random.default_rng(0)
    posterior, votes = rng.dirichlet([0.3, 0.3, 0.3], size=50), rng.integers(0, 4, size=50)
    loose = decide(posterior, votes, min_posterior=min(a, b), min_votes=min(m, n))
    strict = decide(posterior, votes, min_posterior=max(a, b), min_votes=max(m, n))
    assert (loose[strict >= 0] == strict[strict >= 0]).all()


def test_decide_refuses_ragged() -> None:
    """Vote counts of another length are refused."""
    with pytest.raises(UsageError, match="2 vote counts"):
        decide([[0.5, 0.5]], [1, 1], min_posterior=0.5)


def test_gold_softens_where_it_is_wrong() -> None:
    """Gold as right as believed leaves beliefs alone; wrong gold softens; little says nothing."""
    sure = np.tile([0.9, 0.1], (100, 1))
    votes = np.ones(100)
    as_believed = gold_softening(sure, (np.arange(100) % 10 == 0).astype(int), votes, 30)
    assert as_believed is not None
    assert soften(sure, *as_believed)[0, 0] == pytest.approx(0.9, abs=0.001)
    wrong = np.arange(100) % 3 == 0
    softened = gold_softening(sure, wrong.astype(int), votes, 30)
    assert softened is not None
    assert soften(sure, *softened)[0, 0] == pytest.approx(0.66, abs=0.01)
    assert gold_softening(sure, np.where(np.arange(100) < 29, 0, -1), votes, 30) is None
    assert gold_softening(sure, np.zeros(100, int), np.zeros(100), 30) is None


def test_gold_that_is_right_sharpens_by_its_number() -> None:
    """By hand: n items believed to .9 that are all right are believed to n of n + 1, no more."""
    for many in (30, 100, 300):
        unsure = np.tile([0.9, 0.1], (many, 1))
        found = gold_softening(unsure, np.zeros(many, int), np.ones(many), 30)
        assert found is not None
        assert found[0] == pytest.approx(np.log(9) / np.log(many), abs=1e-3)
        assert soften(unsure, *found)[0, 0] == pytest.approx(many / (many + 1), abs=1e-4)
    # What is believed to 30/31 and more already is made no surer by thirty.
    sure = np.tile([0.97, 0.03], (30, 1))
    assert gold_softening(sure, np.zeros(30, int), np.ones(30), 30) == (1.0, 0.0)


@pytest.mark.parametrize("power", [0.25, 0.5, 1.0, 2.0, 4.0])
def test_three_hundred_gold_items_mend_either_error(power: float) -> None:
    """Calibrated log odds, shrunk or stretched, come back to what they were."""
    rng = np.random.default_rng(7)
    errors = []
    for _ in range(5):
        odds = rng.normal(3.0, 1.5, 5000)
        right = rng.random(5000) < 1 / (1 + np.exp(-odds))
        said = 1 / (1 + np.exp(-power * odds))
        belief = np.stack([said, 1 - said], axis=1)
        gold = np.where(np.arange(5000) < 300, (~right).astype(int), -1)
        found = gold_softening(belief, gold, np.ones(5000), 30)
        assert found is not None
        errors.append(expected_calibration_error(soften(belief, *found), (~right).astype(int)))
    assert np.mean(errors) < 0.02


@pytest.mark.parametrize(("shared", "low", "high"), [(0.0, 1.0, 1.45), (0.6, 1.6, 20.0)])
def test_hard_items_are_noticed(shared: float, low: float, high: float) -> None:
    """Where annotators err together on hard items it softens; where they err alone it does not."""
    rng = np.random.default_rng(2)
    n, crowd = 1500, 7
    truth = rng.integers(0, 3, size=n)
    hard = rng.random(n) < 0.4
    skill = np.where(hard, 0.85 - shared * 0.75, 0.85 + shared * 0.1)
    items, who = np.repeat(np.arange(n), crowd), np.tile(np.arange(crowd), n)
    right = rng.random(items.size) < skill[items]
    codes = np.where(right, truth[items], (truth[items] + rng.integers(1, 3, items.size)) % 3)
    votes = pack_votes(items, who, codes, n_items=n, n_annotators=crowd, n_classes=3)
    counts = vote_counts(items, codes, n, 3)
    accuracy = crowd_accuracy(counts)
    assert accuracy is not None

    def consensus(kept: FloatArray) -> FloatArray:
        return one_coin_posterior(vote_counts(items, codes, n, 3, kept), accuracy)

    found = held_out_temperature(votes, accuracy, consensus)
    assert found is not None
    assert low <= found <= high


def test_too_few_votes_say_nothing() -> None:
    """With fewer than 50 left-out votes there is no temperature."""
    items, who, codes = np.repeat(np.arange(20), 2), np.tile([0, 1], 20), np.zeros(40, dtype=int)
    votes = pack_votes(items, who, codes, n_items=20, n_annotators=2, n_classes=2)
    assert held_out_temperature(votes, 0.8, lambda _: np.tile([0.9, 0.1], (20, 1))) is None
