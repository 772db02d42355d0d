"""Rules as one opinion: worth what people's votes say, however many copies there are."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest

from labelops.consolidate import consolidate_with_model, dawid_skene
from labelops.consolidate.voices import clear_majority, pool_opinions, voice_opinion

Array = npt.NDArray[np.int64]


def rules_on(
    truth: Array, accuracy: float, copies: int, rng: np.random.Generator
) -> tuple[Array, Array, Array]:
    """Return votes of identical rules (items, rules, codes)."""
    n, classes = len(truth), int(truth.max()) + 1
    wrong = (truth + rng.integers(1, classes, n)) % classes
    said = np.where(rng.random(n) < accuracy, truth, wrong)
    items = np.tile(np.arange(n), copies)
    return items, np.repeat(np.arange(copies), n), np.tile(said, copies)


def test_copies_are_one_rule() -> None:
    """Twenty copies of a rule say hardly more than the rule; to Dawid-Skene they are certain."""
    rng = np.random.default_rng(1)
    truth = rng.integers(0, 3, 1500)
    people = np.where(np.arange(1500) < 500, truth, -1)
    folds = rng.integers(0, 5, 1500)
    one, many = (rules_on(truth, 0.7, c, np.random.default_rng(2)) for c in (1, 20))
    alone = voice_opinion(*one, people, folds, 1, 3).max(axis=1)
    together = voice_opinion(*many, people, folds, 20, 3).max(axis=1)
    assert abs(alone.mean() - 0.7) < 0.06
    assert abs(together.mean() - 0.7) < 0.06
    naive = dawid_skene(*many, n_items=1500, n_annotators=20, n_classes=3).posterior
    assert naive.max(axis=1).mean() > 0.99
    assert (naive.argmax(axis=1) == truth).mean() < 0.75


@pytest.mark.parametrize("accuracy", [0.55, 0.75, 0.95])
def test_says_what_it_is_worth(accuracy: float) -> None:
    """Of items it calls a class with probability p, about a share p has that class."""
    rng = np.random.default_rng(3)
    truth = rng.integers(0, 2, 4000)
    people = np.where(rng.random(4000) < 0.1, truth, -1)
    said = voice_opinion(*rules_on(truth, accuracy, 1, rng), people, rng.integers(0, 5, 4000), 1, 2)
    right = (said.argmax(axis=1) == truth).mean()
    assert abs(said.max(axis=1).mean() - right) < 0.05


def test_a_rule_for_one_class_is_heard() -> None:
    """A rule that only ever names one class tells that class from the rest; to Dawid-Skene, not."""
    rng = np.random.default_rng(4)
    truth = rng.integers(0, 2, 1000)
    fires = rng.random(1000) < np.where(truth == 1, 0.8, 0.04)
    items = np.flatnonzero(fires)
    none = np.zeros(len(items), dtype=np.int64)
    people = np.where(np.arange(1000) < 300, truth, -1)
    said = voice_opinion(items, none, none + 1, people, np.arange(1000) % 5, 1, 2)
    assert said[items, 1].min() > 0.85
    assert np.isnan(said[~fires]).all()
    naive = dawid_skene(items, none, none + 1, n_items=1000, n_annotators=1, n_classes=2)
    assert naive.posterior[items, 1].std() < 1e-6


def test_own_votes_have_no_say() -> None:
    """What people say of an item moves nothing in the voices' opinion of its fold."""
    rng = np.random.default_rng(5)
    truth = rng.integers(0, 2, 200)
    votes, folds = rules_on(truth, 0.8, 2, rng), np.arange(200) % 5
    other = truth.copy()
    other[folds == 2] = 1 - other[folds == 2]
    a, b = (voice_opinion(*votes, people, folds, 2, 2) for people in (truth, other))
    assert np.array_equal(a[folds == 2], b[folds == 2])
    assert not np.allclose(a[folds == 1], b[folds == 1])


def test_unheard_before_people_spoke() -> None:
    """With fewer than thirty items people agree about, rules have no opinion."""
    votes = rules_on(np.arange(40) % 2, 1.0, 1, np.random.default_rng(0))
    few = np.where(np.arange(40) < 29, np.arange(40) % 2, -1)
    assert np.isnan(voice_opinion(*votes, few, np.arange(40) % 5, 1, 2)).all()


def test_order_of_votes_changes_nothing() -> None:
    """Votes in another order give the same opinion."""
    rng = np.random.default_rng(6)
    truth = rng.integers(0, 3, 120)
    votes = rules_on(truth, 0.8, 3, rng)
    mixed = rng.permutation(len(votes[0]))
    folds = np.arange(120) % 5
    a = voice_opinion(*votes, truth, folds, 3, 3)
    b = voice_opinion(*(v[mixed] for v in votes), truth, folds, 3, 3)
    assert np.array_equal(a, b)


def test_pool_ignores_an_echo() -> None:
    """A rule that repeats the model's mistakes makes the pool no surer than the model."""
    rng = np.random.default_rng(7)
    truth = rng.integers(0, 2, 2000)
    model_right = rng.random(2000) < 0.8
    sure = np.where(model_right, truth, 1 - truth)
    model = np.where(np.arange(2) == sure[:, None], 0.8, 0.2)
    pooled = pool_opinions(model, model, np.where(np.arange(2000) < 400, truth, -1))
    assert abs(pooled.max(axis=1).mean() - 0.8) < 0.04
    naive = model * model / (model * model).sum(axis=1, keepdims=True)
    assert naive.max(axis=1).mean() > 0.93


def test_pool_adds_what_is_new() -> None:
    """An independent second opinion makes the pool better and as sure as it is right."""
    rng = np.random.default_rng(8)
    truth = rng.integers(0, 2, 4000)

    def opinion() -> npt.NDArray[np.float64]:
        said = np.where(rng.random(4000) < 0.8, truth, 1 - truth)
        return np.where(np.arange(2) == said[:, None], 0.8, 0.2)

    model, rules = opinion(), opinion()
    pooled = pool_opinions(model, rules, np.where(np.arange(4000) < 500, truth, -1))
    chosen = truth[:, None] == np.arange(2)
    assert (np.log(pooled) * chosen).sum() > (np.log(model) * chosen).sum() + 200
    agree = model.argmax(axis=1) == rules.argmax(axis=1)
    assert abs(pooled[agree].max(axis=1).mean() - 0.64 / 0.68) < 0.03


def test_clear_majority_of_nothing() -> None:
    """No votes, no majority."""
    assert clear_majority([], [], 2, 3).tolist() == [-1, -1]


def test_a_proposal_not_shown_is_not_copied() -> None:
    """Agreement with what was not on the screen is not taken for a copy."""
    probs = np.array([[0.7, 0.3]])
    seen = consolidate_with_model([0], [0], [0], probs, 1, saw=[True], proposed=[0])
    other = consolidate_with_model([0], [0], [0], probs, 1, saw=[True], proposed=[1])
    assert other.posterior[0, 0] > seen.posterior[0, 0]
