"""Ambiguous items told from errors."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import roc_auc_score

from labelops.audit.ambiguity import Ambiguity, ambiguous_items
from labelops.audit.vote_spread import ItemVotes, fit_spread, weigh
from labelops.errors import UsageError

from ..crowds import read_crowd


def _crowd(
    seed: int, n: int, K: int, share: float, N: int = 1000, A: int = 30
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Items, annotators (accuracy .6 to .97), codes, which items are ambiguous, and classes."""
    rng = np.random.default_rng(seed)
    accuracy, truth = rng.uniform(0.6, 0.97, A), rng.integers(0, K, N)
    torn, other = rng.random(N) < share, (truth + rng.integers(1, K, N)) % K
    who = np.argsort(rng.random((N, A)), axis=1)[:, :n]
    sees = rng.random((N, n)) < rng.uniform(0.3, 0.7, N)[:, None]
    seen = np.where(torn[:, None] & sees, other[:, None], truth[:, None])
    wrong = (seen + rng.integers(1, K, (N, n))) % K
    codes = np.where(rng.random((N, n)) < accuracy[who], seen, wrong)
    return np.repeat(np.arange(N), n), who.ravel(), codes.ravel(), torn, truth


def _entropy(items: np.ndarray, codes: np.ndarray) -> np.ndarray:
    counts = pd.crosstab(items, codes).to_numpy()
    shares = counts / counts.sum(axis=1, keepdims=True)
    return -(shares * np.log(np.maximum(shares, 1e-12))).sum(axis=1)


def _found(seed: int, n: int, K: int, share: float) -> tuple[Ambiguity, np.ndarray, float, float]:
    items, who, codes, torn, _ = _crowd(seed, n, K, share)
    found = ambiguous_items(items, who, codes, rng=np.random.default_rng(seed))
    if not torn.any():
        return found, torn, float("nan"), float("nan")
    entropy = roc_auc_score(torn, _entropy(items, codes))
    return found, torn, roc_auc_score(torn, found.probability), entropy


@pytest.mark.slow
def test_power_with_ten_votes() -> None:
    """Five classes, a tenth ambiguous: half of them flagged, ranked better than by entropy."""
    found, torn, ours, entropy = _found(0, 10, 5, 0.1)
    assert found.flagged[torn].mean() >= 0.4
    assert found.flagged[~torn].sum() <= 0.3 * found.flagged.sum()
    assert (found.p_values[torn] <= 0.05).mean() >= 0.6
    assert ours >= entropy + 0.08


def test_careless_annotators_are_no_ambiguity() -> None:
    """No ambiguous item, annotators from .6 to .97: next to nothing flagged, size ≤ .07."""
    found, _, _, _ = _found(1, 10, 2, 0.0)
    assert found.flagged.sum() <= 5
    assert (found.p_values <= 0.05).mean() <= 0.07


@pytest.mark.slow
@pytest.mark.parametrize("K", [2, 5])
@pytest.mark.parametrize("n", [3, 5, 10, 20])
def test_size_and_false_flags(n: int, K: int) -> None:
    """At any number of votes p-values reject ≤ .07 of clear items; flags are clear ≤ .35."""
    runs = [_found(seed, n, K, share) for seed in range(3) for share in (0.0, 0.1)]
    assert np.mean([(f.p_values[~torn] <= 0.05).mean() for f, torn, _, _ in runs]) <= 0.07
    false = sum(int(f.flagged[~torn].sum()) for f, torn, _, _ in runs)
    assert false <= max(0.35 * sum(int(f.flagged.sum()) for f, *_ in runs), 5)
    assert np.nanmean([ours - entropy for *_, ours, entropy in runs]) >= 0


def test_same_split_other_people() -> None:
    """Two votes to two: ambiguous from careful annotators, an error or two from careless ones."""
    rng = np.random.default_rng(2)
    N, truth = 400, rng.integers(0, 2, 400)
    accuracy = np.array([0.98] * 4 + [0.6] * 4)
    codes = np.where(rng.random((N, 8)) < accuracy, truth[:, None], 1 - truth[:, None])
    codes[0, :4], codes[0, 4:] = [0, 0, 1, 1], 0
    codes[1, :4], codes[1, 4:] = 0, [0, 0, 1, 1]
    found = ambiguous_items(
        np.repeat(np.arange(N), 8), np.tile(np.arange(8), N), codes.ravel(), rng=rng
    )
    assert found.probability[0] > 0.9
    assert found.probability[1] < 0.1


def test_wrong_is_not_ambiguous() -> None:
    """A label against ten votes of one mind is wrong; one against a split vote is not."""
    rng = np.random.default_rng(3)
    codes = np.zeros((200, 10), dtype=int)
    codes[100:] = 1
    codes[0, :5] = 1
    flips = rng.random((200, 10)) < 0.03
    codes ^= flips
    found = ambiguous_items(
        np.repeat(np.arange(200), 10), np.tile(np.arange(10), 200), codes.ravel(), rng=rng
    )
    wrong = found.wrong(np.r_[1, 1, 0, np.full(197, -1)])
    assert wrong[0] < 0.1 < 0.9 < wrong[1]
    assert wrong[2] < 0.1
    assert np.isnan(wrong[3:]).all()


def test_order_of_votes_changes_nothing() -> None:
    """Shuffled votes give the same probabilities."""
    items, who, codes, _, _ = _crowd(4, 5, 3, 0.1, N=200)
    order = np.random.default_rng(0).permutation(len(items))
    one = ambiguous_items(items, who, codes, rng=np.random.default_rng(1))
    other = ambiguous_items(items[order], who[order], codes[order], rng=np.random.default_rng(1))
    assert other.probability == pytest.approx(one.probability)


def test_the_later_of_two_votes_counts() -> None:
    """Somebody who voted twice has one vote."""
    items, who, codes, _, _ = _crowd(5, 5, 3, 0.1, N=100)
    twice = ambiguous_items(
        np.r_[items[:9], items], np.r_[who[:9], who], np.r_[(codes[:9] + 1) % 3, codes],
        rng=np.random.default_rng(1),
    )  # fmt: skip
    once = ambiguous_items(items, who, codes, rng=np.random.default_rng(1))
    assert np.array_equal(twice.probability, once.probability)


def test_items_without_a_vote_say_nothing() -> None:
    """However many there are, of the others the same is said, and of them what is usual."""
    items, who, codes, _, _ = _crowd(5, 5, 3, 0.1, N=100)
    few = ambiguous_items(items, who, codes, rng=np.random.default_rng(1))
    many = ambiguous_items(items * 9, who, codes, n_items=5000, rng=np.random.default_rng(1))
    assert np.array_equal(many.class_probs[: 9 * 100 : 9], few.class_probs)
    assert np.array_equal(many.probability[: 9 * 100 : 9], few.probability)
    assert np.array_equal(many.p_values[: 9 * 100 : 9], few.p_values)
    assert many.prevalence == few.prevalence == many.probability[-1]
    assert not many.flagged[1]


def test_no_vote_takes_no_earlier_one_back() -> None:
    """A row of -1 is no vote, and annotators' numbers may be any."""
    items, who, codes, _, _ = _crowd(5, 5, 3, 0.1, N=100)
    once = ambiguous_items(items, who, codes, rng=np.random.default_rng(1))
    more = np.r_[items, items[:9]], np.r_[who, who[:9]] * 2**40, np.r_[codes, np.full(9, -1)]
    again = ambiguous_items(*more, rng=np.random.default_rng(1))
    assert np.array_equal(again.probability, once.probability)
    assert np.array_equal(again.p_values, once.p_values)


@pytest.mark.slow
def test_real_crowds(shared_data: Path) -> None:
    """Where people disagree on what they see (face), much is found; flagged majorities err more."""
    errors = {}
    for name in ("face", "SP_amt"):
        items, who, codes, truth, _ = read_crowd(shared_data, name)
        found = ambiguous_items(items, who, codes, rng=np.random.default_rng(0))
        majority = pd.crosstab(items, codes).to_numpy().argmax(axis=1)
        wrong = majority != truth
        errors[name] = wrong[found.flagged].mean(), wrong[~found.flagged].mean()
        assert found.flagged.mean() >= 0.1
    assert errors["SP_amt"][0] >= 5 * errors["SP_amt"][1]
    assert errors["face"][0] >= 1.5 * errors["face"][1]


def test_little_to_go_by() -> None:
    """No votes, no items, one vote, one class, one annotator, an item nobody voted on."""
    rng = np.random.default_rng(0)
    assert ambiguous_items([], [], [], rng=rng).probability.shape == (0,)
    none = ambiguous_items([], [], [], n_items=3, n_classes=2, rng=rng)
    assert none.p_values.tolist() == [1, 1, 1]
    one = ambiguous_items([0], [0], [1], n_items=2, n_classes=3, rng=rng)
    assert not one.flagged.any()
    assert one.class_probs.shape == (2, 3)
    same = ambiguous_items([0, 0], [0, 1], [0, 0], rng=rng)
    assert same.probability.tolist() == [0]
    alone = ambiguous_items(range(50), [0] * 50, [0, 1] * 25, rng=rng)
    assert not alone.flagged.any()
    gone = ambiguous_items([0, 0, 0], [0, 1, 2], [0, -1, 1], n_classes=2, rng=rng)
    assert np.isfinite(gone.probability).all()


def test_malformed_input_is_refused() -> None:
    """Lengths, ranges, and numbers that are none."""
    rng = np.random.default_rng(0)
    with pytest.raises(UsageError, match="2 items, 1 annotators"):
        ambiguous_items([0, 1], [0], [0, 1], rng=rng)
    with pytest.raises(UsageError, match="expected -1 to 1"):
        ambiguous_items([0], [0], [2], n_classes=2, rng=rng)
    with pytest.raises(UsageError, match="integers"):
        ambiguous_items([0.5], [0], [0], rng=rng)
    with pytest.raises(UsageError, match="risk"):
        ambiguous_items([0], [0], [0], risk=1.0, rng=rng)
    with pytest.raises(UsageError, match="1 codes for 2 items"):
        ambiguous_items([0, 1], [0, 0], [0, 1], rng=rng).wrong([0])


def test_pairs_add_up_to_the_items_that_are_torn() -> None:
    """Each item counts for the pairs it may be torn between as much as it is likely to be torn."""
    items, who, codes, _, _ = _crowd(3, 5, 3, 0.2, N=60, A=8)
    order = np.argsort(items, kind="stable")
    votes = ItemVotes(items[order], who[order], codes[order], 60, 8, 3)
    model, _ = fit_spread(votes)
    weighed = weigh(votes, model)
    torn = weighed.ambiguous(model.prevalence)
    assert 1 < torn.sum() < 40
    assert weighed.pairs.sum() == pytest.approx(torn.sum())
