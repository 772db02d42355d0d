"""Annotators who turn one class into another."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import comb
from scipy.stats import fisher_exact

from labelops.audit.directed import directed_confusions
from labelops.errors import UsageError


def _votes(seed: int, attacked: float, K: int = 4) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Ten annotators, 100 items a class each, base error 2 %; annotator 3 turns 1 into 2."""
    rng = np.random.default_rng(seed)
    who, true = np.repeat(np.arange(10), 100 * K), np.tile(np.repeat(np.arange(K), 100), 10)
    wrong = rng.random(len(who)) < 0.02
    codes = np.where(wrong, (true + rng.integers(1, K, len(who))) % K, true)
    hit = (who == 3) & (true == 1) & (rng.random(len(who)) < attacked)
    return who, np.where(hit, 2, codes), true


def _is_attack(found: object) -> np.ndarray:
    return np.asarray((found.annotators == 3) & (found.true == 1) & (found.given == 2))  # type: ignore[attr-defined]


@pytest.mark.parametrize("K", [3, pytest.param(10, marks=pytest.mark.slow)])
def test_power_and_size(K: int) -> None:
    """30 % on one pair: found in ≥ 95 % of runs; any false alarm in ≤ 7 %."""
    found = alarms = quiet = 0
    for seed in range(60):
        result = directed_confusions(*_votes(seed, 0.3, K))
        found += bool((_is_attack(result) & result.flagged).any())
        alarms += bool((~_is_attack(result) & result.flagged).any())
        quiet += bool(directed_confusions(*_votes(seed, 0.0, K)).flagged.any())
    assert found >= 57
    assert alarms <= 0.07 * 60
    assert quiet <= 0.07 * 60


def test_the_risk_of_everybody_is_the_one_told() -> None:
    """Exactly: of four people alike, somebody is flagged with at most its chance.

    Each gave six votes on one class and four of all are wrong, any four. Twice the risk would break
    it, and so does one test for each of them. Elsewhere hardly any of the risk is left unused.
    """
    who, true = np.repeat(np.arange(4), 6), np.zeros(24, int)

    def flagged(risk: float) -> tuple[float, float]:
        ours = each = 0.0
        for wrong in np.ndindex(5, 5, 5, 5):
            if sum(wrong) == 4:
                codes = np.concatenate([np.arange(6) < w for w in wrong]).astype(int)
                chance = float(np.prod(comb(6, wrong))) / comb(24, 4)
                found = directed_confusions(who, codes, true, risk=risk)
                ours += chance * found.flagged.any()
                each += chance * (found.p_values <= risk).any()
        return ours, each

    ours, each = flagged(0.08)
    assert 0 < ours <= 0.08 < min(flagged(0.16)[0], each)
    assert 0.14 < flagged(0.142)[0] <= 0.142


def test_p_values_are_fishers() -> None:
    """The exact test of theirs against the others on items of that class."""
    who, codes, true = _votes(1, 0.3)
    found = directed_confusions(who, codes, true)
    one = (who == 3) & (true == 1)
    rest = (who != 3) & (true == 1)
    table = [[(codes[m] == 2).sum(), (codes[m] != 2).sum()] for m in (one, rest)]
    assert found.p_values[_is_attack(found)] == pytest.approx(
        fisher_exact(table, alternative="greater")[1]
    )
    assert found.others[0] == pytest.approx((codes[rest] == 2).mean())
    assert found.counts[0] == table[0][0]


def test_order_of_votes_changes_nothing() -> None:
    """Shuffled votes give the same rows."""
    who, codes, true = _votes(2, 0.3)
    order = np.random.default_rng(0).permutation(len(who))
    one, other = (
        directed_confusions(who, codes, true),
        directed_confusions(who[order], codes[order], true[order]),
    )
    assert np.array_equal(one.counts, other.counts)
    assert np.array_equal(one.q_values, other.q_values)


def test_people_have_any_number() -> None:
    """Ids as large as they come are not multiplied, and one type is as good as another."""
    who, codes, true = _votes(2, 0.3)
    small = directed_confusions(who, codes, true)
    ids = np.sort(np.random.default_rng(0).integers(2**61, 2**63, who.max() + 1))
    large = directed_confusions(ids[who], codes.astype(np.uint64), true)
    assert np.array_equal(large.annotators, ids[small.annotators])
    assert np.array_equal(large.q_values, small.q_values)


def test_little_to_go_by() -> None:
    """No votes, one annotator, all right, no reference."""
    assert directed_confusions([], [], []).counts.shape == (0,)
    alone = directed_confusions([0] * 9, [1] * 9, [0] * 9)
    assert not alone.flagged.any()
    assert np.isnan(alone.others).all()
    assert directed_confusions([0, 1], [1, 1], [1, 1]).counts.shape == (0,)
    assert directed_confusions([0, 1], [1, 0], [-1, -1]).counts.shape == (0,)


def test_malformed_input_is_refused() -> None:
    """Lengths and ranges."""
    with pytest.raises(UsageError, match="2 annotators, 1 codes"):
        directed_confusions([0, 1], [0], [0, 1])
    with pytest.raises(UsageError, match="expected -1 to 1"):
        directed_confusions([0], [2], [0], n_classes=2)
    with pytest.raises(UsageError, match="risk"):
        directed_confusions([0], [0], [0], risk=0.0)
