"""Annotators who turn one class into another."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import comb
from scipy.stats import binom, fisher_exact, hypergeom, nchypergeom_fisher

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
    """The exact test of theirs against the others on items of that class, where little is odd."""
    who, codes, true = _votes(1, 0.3)
    found = directed_confusions(who, codes, true)
    i = int(np.flatnonzero(found.p_values > 0.05)[0])
    said = codes == found.given[i]
    one, rest = (
        (who == found.annotators[i]) & (true == found.true[i]),
        (who != found.annotators[i]) & (true == found.true[i]),
    )
    table = [[(said & m).sum(), (~said & m).sum()] for m in (one, rest)]
    assert found.p_values[i] == pytest.approx(fisher_exact(table, alternative="greater")[1])
    assert found.others[i] == pytest.approx(said[rest].mean())
    assert found.counts[i] == table[0][0]


def test_p_values_of_somebody_so_careless() -> None:
    """Where much is odd, the larger one of two: at their odds elsewhere, and among mistakes."""
    who, codes, true = _votes(1, 0.1)
    codes[(who == 3) & (true == 0) & (np.arange(len(who)) % 5 == 0)] = 3  # Careless elsewhere too.
    found = directed_confusions(who, codes, true)
    mine, there, said = who == 3, true == 1, codes == 2
    seen, others = ((m & ~there & (codes != true)).sum() for m in (mine, ~mine))
    rate = (others + 1) / ((~mine & ~there).sum() + 2)
    own = rate * (seen + 1) / ((mine & ~there).sum() * rate + 1)
    odds = own / (1 - own) / (rate / (1 - rate))
    count = (mine & there & said).sum()
    law = nchypergeom_fisher(there.sum(), (mine & there).sum(), (there & said).sum(), odds)
    spread = binom((mine & there & (codes != true)).sum(), 1 / 3)
    assert odds > 1.5
    assert found.p_values[_is_attack(found)] == pytest.approx(
        max(law.sf(count - 1), spread.sf(count - 1)), rel=1e-6
    )


@pytest.mark.parametrize("shared", [0.5, 0.9])
def test_a_careless_annotator_is_not_said_to_mix_up_classes(shared: float) -> None:
    """Right in 70 % where the rest are in 93 %, and erring anywhere: accused in ≤ 5 % of teams.

    Of the others' mistakes a share goes to one class each. By Fisher's test alone it is most teams.
    """
    ours = alone = 0
    for seed in range(100):
        rng = np.random.default_rng([8, seed])
        who, true = np.repeat(np.arange(8), 240), rng.integers(4, size=1920)
        wrong = rng.random(1920) > np.where(who == 0, 0.7, 0.93)
        common = rng.random(1920) < np.where(who == 0, 0.4, shared)
        codes = (true + wrong * np.where(common, 1, rng.integers(2, 4, 1920))) % 4
        found = directed_confusions(who, codes, true)
        ours += bool(found.flagged.any())
        alone += _fisher_alone(who, codes, true) <= 0.05 / (8 * 12)
    assert ours <= 5 < 50 < alone


def _fisher_alone(who: np.ndarray, codes: np.ndarray, true: np.ndarray) -> float:
    counts = np.zeros((8, 4, 4))
    np.add.at(counts, (who, true, codes), 1)
    every, pair, mine = counts.sum(axis=(0, 2))[:, None], counts.sum(axis=0), counts.sum(axis=2)
    p_values = hypergeom.sf(counts - 1, every, pair, mine[:, :, None])
    return float(p_values[:, ~np.eye(4, dtype=bool)].min())


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
