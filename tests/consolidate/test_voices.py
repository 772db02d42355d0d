"""Rules as one opinion: worth what people's votes say, however many copies there are."""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest

from labelops.consolidate import consolidate_with_model, dawid_skene
from labelops.consolidate.opinions import Voices
from labelops.consolidate.policy import ConsolidatePolicy
from labelops.consolidate.voices import clear_majority, pool_opinions, voice_opinion
from labelops.consolidate.votes import Consensus, consolidate_votes
from labelops.schema import Schema
from labelops.tables import VOTES, frame_of

Array = npt.NDArray[np.int64]
Rules = tuple[Array, Array, Array]
ABC = Schema("abc", ("a", "b", "c"))


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
    """Ten copies of a rule say hardly more than the rule; to Dawid-Skene they are certain."""
    rng = np.random.default_rng(1)
    truth = rng.integers(0, 3, 600)
    people = np.where(np.arange(600) < 300, truth, -1)
    folds = rng.integers(0, 5, 600)
    one, many = (rules_on(truth, 0.7, c, np.random.default_rng(2)) for c in (1, 10))
    alone = voice_opinion(*one, people, folds, 1, 3).max(axis=1)
    together = voice_opinion(*many, people, folds, 10, 3).max(axis=1)
    assert abs(alone.mean() - 0.7) < 0.06
    assert abs(together.mean() - 0.7) < 0.06
    naive = dawid_skene(*many, n_items=600, n_annotators=10, n_classes=3).posterior
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
    pooled = pool_opinions(model, rules, np.where(np.arange(4000) < 300, truth, -1))
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


def as_votes(items: Array, names: list[str], codes: Array) -> pd.DataFrame:
    """Return rows of the votes table."""
    return frame_of(
        VOTES,
        {
            "vote_id": [f"{who}/{item}" for who, item in zip(names, items, strict=True)],
            "revision": 0,
            "item_id": [f"i{item:04d}" for item in items],
            "annotator": names,
            "value": [f'"{"abc"[code]}"' for code in codes],
            "status": "given",
            "purpose": "label",
            "round": 1,
            "saw_proposal": False,
            "queue": "test",
            "schema_digest": "s",
            "given_at": datetime(2026, 1, 1, tzinfo=UTC),
        },
        len(items),
    )


def crowd(
    truth: Array, accuracy: float, twice: int, rng: np.random.Generator
) -> tuple[pd.DataFrame, list[str]]:
    """Return votes of six people: one an item, two on the first few; and the items' ids."""
    n = len(truth)
    items = np.concatenate([np.arange(n), np.arange(twice)])
    wrong = (truth[items] + rng.integers(1, 3, len(items))) % 3
    given = np.where(rng.random(len(items)) < accuracy, truth[items], wrong)
    names = [f"human:{(k + k // n) % 6}" for k in range(len(items))]
    return as_votes(items, names, given), [f"i{k:04d}" for k in range(n)]


def decided(
    people: pd.DataFrame,
    ids: list[str],
    rules: tuple[Array, Array, Array],
    rng: np.random.Generator,
) -> Consensus:
    said = as_votes(rules[0], [f"rule:{r}" for r in rules[1]], rules[2])
    voices = Voices(said, rng.integers(0, 5, len(ids)))
    return consolidate_votes(ids, people, ABC, ConsolidatePolicy(min_posterior=0.95), None, voices)


@pytest.mark.slow
def test_copies_do_not_decide() -> None:
    """Beside mostly single votes, ten copies of a bad rule decide about as rightly as they say.

    Taken for annotators by one model of annotators, the same rules decide nearly everything, and
    a fifth of it wrong.
    """
    wrong, said, naive_wrong = [], [], []
    for seed in range(6):
        rng = np.random.default_rng(seed)
        truth = rng.integers(0, 3, 900)
        people, ids = crowd(truth, 0.85, 60, rng)
        rules = rules_on(truth, 0.7, 10, rng)
        found = decided(people, ids, rules, rng)
        sure = found.codes >= 0
        wrong += (found.codes[sure] != truth[sure]).tolist()
        said += (1 - found.posterior[sure].max(axis=1)).tolist()
        all_alike = pd.concat(
            [people, as_votes(rules[0], [f"rule:{r}" for r in rules[1]], rules[2])]
        )
        policy = ConsolidatePolicy(method="shrunk", min_posterior=0.95)
        naive = consolidate_votes(ids, all_alike, ABC, policy)
        assert (naive.codes >= 0).mean() > 0.9
        naive_wrong.append((naive.codes != truth).mean())
    assert len(wrong) > 1000
    assert np.mean(wrong) < min(2 * np.mean(said), 0.05)
    assert np.mean(naive_wrong) > 0.2


@pytest.mark.slow
def test_nobody_vouches_for_oneself() -> None:
    """Without second votes rules are not heard: they would vouch for who taught them."""
    rng = np.random.default_rng(0)
    truth = rng.integers(0, 3, 900)
    people, ids = crowd(truth, 0.85, 49, rng)
    rules = rules_on(truth, 0.7, 10, rng)
    assert "rules" not in decided(people, ids, rules, rng).method
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("labelops.consolidate.opinions.heard_yet", lambda items: True)
        people, ids = crowd(truth, 0.85, 0, rng)
        found = decided(people, ids, rules, rng)
    sure = found.codes >= 0
    assert (found.codes[sure] != truth[sure]).mean() > 3 * (
        1 - found.posterior[sure].max(axis=1)
    ).mean()


@pytest.mark.slow
def test_good_rules_save_second_looks() -> None:
    """One vote and independent good rules decide most items, as rightly as they say."""
    wrong = []
    for seed in range(4):
        rng = np.random.default_rng(seed)
        truth = rng.integers(0, 3, 900)
        people, ids = crowd(truth, 0.9, 60, rng)
        parts = [rules_on(truth, 0.85, 1, rng)[2] for _ in range(3)]
        rules = np.tile(np.arange(900), 3), np.repeat(np.arange(3), 900), np.concatenate(parts)
        alone = consolidate_votes(ids, people, ABC, ConsolidatePolicy(min_posterior=0.95))
        found = decided(people, ids, rules, rng)
        sure = found.codes >= 0
        assert sure.mean() > (alone.codes >= 0).mean() + 0.3
        wrong += (found.codes[sure] != truth[sure]).tolist()
    assert np.mean(wrong) < 0.03
