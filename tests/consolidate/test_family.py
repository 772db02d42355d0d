"""The models of annotators: laws they share, their sources, and power where each is needed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from labelops.consolidate import (
    annotator_skill,
    dawid_skene,
    ebcc,
    glad,
    ibcc,
    one_coin,
    shrunk_dawid_skene,
)
from labelops.consolidate._answers import Answers
from labelops.consolidate._em import SkillCounts
from labelops.consolidate._family import fit_votes
from labelops.consolidate.blend import blend
from labelops.consolidate.counts import majority_vote, vote_counts
from labelops.consolidate.dawid_skene import dawid_skene_shards
from labelops.consolidate.evidence import soften
from labelops.consolidate.few_people import first_belief
from labelops.consolidate.ibcc import ibcc_shards
from labelops.consolidate.members import members_for
from labelops.consolidate.one_coin import one_coin_shards
from labelops.consolidate.shrunk import expected_confusion, shrunk_dawid_skene_shards
from labelops.errors import UsageError
from labelops.measure.codes import FloatArray, IntArray
from labelops.measure.votes import Votes, pack_votes

FITS = {"shrunk": shrunk_dawid_skene_shards, "ibcc": ibcc_shards, "one_coin": one_coin_shards}
ARRAYS = {"shrunk": shrunk_dawid_skene, "ibcc": ibcc, "one_coin": one_coin, "ebcc": ebcc}


def _crowd(
    seed: int, confusion: FloatArray, n_items: int, per_item: int
) -> tuple[IntArray, IntArray, IntArray, IntArray]:
    """Draw truth, and votes of so many different annotators an item."""
    rng = np.random.default_rng(seed)
    n_annotators, n_classes = confusion.shape[:2]
    truth = rng.integers(0, n_classes, n_items)
    who = rng.random((n_items, n_annotators)).argsort(axis=1)[:, :per_item].ravel()
    items = np.repeat(np.arange(n_items), per_item)
    steps = confusion[who, truth[items]].cumsum(axis=1)
    return truth, items, who, (rng.random(items.size)[:, None] > steps).sum(axis=1)


def _even(accuracy: list[float], n_classes: int) -> FloatArray:
    eye = np.eye(n_classes)
    return np.array([p * eye + (1 - p) / (n_classes - 1) * (1 - eye) for p in accuracy])


def _size(n_items: int, n_annotators: int, n_classes: int) -> dict[str, int]:
    return {"n_items": n_items, "n_annotators": n_annotators, "n_classes": n_classes}


SKILL = [0.95, 0.9, 0.85, 0.8, 0.7, 0.4]


@pytest.mark.parametrize("name", FITS)
def test_shards_add_up_to_the_whole(name: str) -> None:
    """Items in three shards give what they give in one: only counts are exchanged."""
    _, items, who, codes = _crowd(0, _even(SKILL, 3), 90, 3)
    whole = FITS[name]([pack_votes(items, who, codes, **_size(90, 6, 3))])
    shards: list[Votes] = []
    for first in (0, 30, 60):
        rows = (items >= first) & (items < first + 30)
        part = (items[rows] - first, who[rows], codes[rows])
        shards.append(pack_votes(*part, **_size(30, 6, 3)))
    merged = FITS[name](shards)
    np.testing.assert_allclose(merged.posterior, whole.posterior, atol=1e-9)
    np.testing.assert_allclose(merged.confusion, whole.confusion, atol=1e-9)


@pytest.mark.parametrize("name", FITS)
def test_numbering_does_not_matter(name: str) -> None:
    """Votes shuffled, annotators and classes renumbered: the same, renumbered."""
    _, items, who, codes = _crowd(1, _even(SKILL, 3), 80, 4)
    rng = np.random.default_rng(2)
    order, people, classes = rng.permutation(items.size), rng.permutation(6), rng.permutation(3)
    one = FITS[name]([pack_votes(items, who, codes, **_size(80, 6, 3))])
    other = (items[order], people[who][order], classes[codes][order])
    two = FITS[name]([pack_votes(*other, **_size(80, 6, 3))])
    np.testing.assert_allclose(two.posterior[:, classes], one.posterior, atol=1e-8)
    np.testing.assert_allclose(
        two.confusion[np.ix_(people, classes, classes)], one.confusion, atol=1e-8
    )


@pytest.mark.parametrize("name", [*ARRAYS, "glad"])
def test_beats_majority_with_spammers(name: str) -> None:
    """With half the crowd clicking at random every model does better than counting votes."""
    confusion = _even([0.9, 0.9, 0.85, 0.25, 0.25, 0.25], 4)
    truth, items, who, codes = _crowd(3, confusion, 400, 5)
    run: Callable[..., Any] = {**ARRAYS, "glad": glad}[name]
    found = run(items, who, codes, **_size(400, 6, 4))
    shares = majority_vote(vote_counts(items, codes, 400, 4))
    mine = (found.posterior.argmax(axis=1) == truth).mean()
    assert mine >= (shares.argmax(axis=1) == truth).mean() + 0.05


def test_shrinking_helps_people_of_few_votes() -> None:
    """Of two hundred people with six votes each, plain Dawid–Skene learns too much."""
    rng = np.random.default_rng(4)
    truth, items = rng.integers(0, 4, 300), np.repeat(np.arange(300), 4)
    who = rng.integers(0, 200, items.size)
    skill = rng.beta(6, 3, 200)
    right = rng.random(items.size) < skill[who]
    codes = np.where(right, truth[items], (truth[items] + 1) % 4)
    size = _size(300, 200, 4)
    plain = dawid_skene(items, who, codes, **size).posterior
    shrunk = shrunk_dawid_skene(items, who, codes, **size).posterior
    gain = (shrunk.argmax(axis=1) == truth).mean() - (plain.argmax(axis=1) == truth).mean()
    assert gain > 0.05


def _expected(counts: FloatArray) -> FloatArray:
    """Return what is expected of each one, (A, K, K), after so many votes by given and true."""
    people, n_classes, _ = counts.shape
    cells, answers = counts.reshape(-1, n_classes), Answers.all(people, n_classes)
    seen = SkillCounts(answers, cells, cells.sum(axis=0))
    expected = expected_confusion(seen, 10.0)
    return expected.beside(replace(seen, cells=0 * cells), 1.0).reshape(counts.shape)


def test_an_expectation_by_hand() -> None:
    """Right half as often in odds, wrong the way the crowd is wrong."""
    counts = np.zeros((2, 3, 3))
    counts[0] = np.diag([80.0, 80.0, 80.0]) + np.array([[0, 0, 0], [20.0, 0, 20], [0, 20.0, 0]])
    table = _expected(counts)
    np.testing.assert_allclose(table.sum(axis=1), 1.0)
    # Who has no vote is the crowd; class 0 is taken for 1 far more often than for 2.
    assert table[1, 1, 0] > 2 * table[1, 2, 0]
    np.testing.assert_allclose(table[1].diagonal(), 0.8, atol=0.03)
    worse = counts.copy()
    worse[1] = np.array([[2.0, 0, 0], [8.0, 2, 8], [0, 8.0, 2]])
    assert (_expected(worse)[1].diagonal() < table[1].diagonal() - 0.2).all()


def test_ibcc_one_step_by_hand() -> None:
    """One vote, one step: expected log rates of the paper's Dirichlet (Simpson et al., eq. 9)."""
    from scipy.special import digamma

    found = ibcc(
        [0], [0], [0], **_size(1, 1, 2), anchor=0.0, max_iterations=1, tolerance=0.0
    ).posterior[0]
    shares = digamma(np.array([2.0, 1.0])) - digamma(3.0)
    right, wrong = digamma(5.0) - digamma(6.0), digamma(1.0) - digamma(5.0)
    odds = np.exp(shares + np.array([right, wrong]))
    np.testing.assert_allclose(found, odds / odds.sum(), atol=1e-12)


def test_weights_count_as_votes() -> None:
    """A vote of weight two is two votes."""
    _, items, who, codes = _crowd(5, _even(SKILL, 3), 50, 3)
    twice = np.concatenate([np.arange(items.size), np.arange(20)])
    weights = 1.0 + (np.arange(items.size) < 20)
    for run in (*list(ARRAYS.values())[:3], glad):
        one: Any = run(items, who, codes, **_size(50, 6, 3), weights=weights)  # type: ignore[operator]
        two: Any = run(items[twice], who[twice], codes[twice], **_size(50, 6, 3))  # type: ignore[operator]
        np.testing.assert_allclose(one.posterior, two.posterior, atol=1e-6)


def test_ease_and_ability_are_found() -> None:
    """GLAD's ability ranks people, and its ease is lower where they disagree."""
    _, items, who, codes = _crowd(6, _even(SKILL, 2), 300, 5)
    found = glad(items, who, codes, **_size(300, 6, 2))
    assert found.ability.argmin() == 5
    split = vote_counts(items, codes, 300, 2).min(axis=1)
    assert found.ease[split == 0].mean() > found.ease[split >= 1].mean() + 0.2


def test_kinds_of_items_are_told_apart() -> None:
    """Where half a class looks like another to some, EBCC still repeats and adds up."""
    _, items, who, codes = _crowd(7, _even(SKILL, 3), 60, 4)
    one = ebcc(items, who, codes, **_size(60, 6, 3))
    two = ebcc(items, who, codes, **_size(60, 6, 3))
    np.testing.assert_array_equal(one.posterior, two.posterior)
    np.testing.assert_allclose(one.posterior.sum(axis=1), 1.0)
    np.testing.assert_allclose(one.confusion.sum(axis=2), 1.0)


@pytest.mark.parametrize("name", ARRAYS)
def test_items_without_a_vote_say_nothing(name: str) -> None:
    """However many items nobody has looked at, the others' classes and the people are the same."""
    _, items, who, codes = _crowd(11, _even(SKILL, 3), 80, 3)
    items = np.where(items < 10, items, items + 5)  # Some unseen ones lie among the others.
    few = ARRAYS[name](items, who, codes, **_size(85, 6, 3))
    many = ARRAYS[name](items, who, codes, **_size(400, 6, 3))
    np.testing.assert_allclose(many.posterior[:85], few.posterior, atol=1e-12)
    np.testing.assert_allclose(many.confusion, few.confusion, atol=1e-12)
    np.testing.assert_allclose(many.posterior[10:15], many.posterior[395:], atol=0)


@pytest.mark.parametrize("name", [*FITS, "dawid_skene"])
def test_a_start_from_nobody_is_a_cold_one(name: str) -> None:
    """After a day without votes nobody is known, and where all are alike EM would stay."""
    fit = {**FITS, "dawid_skene": dawid_skene_shards}[name]
    _, items, who, codes = _crowd(12, _even(SKILL, 3), 150, 3)
    votes = pack_votes(items, who, codes, **_size(150, 6, 3))
    cold = fit([votes])
    for people in (0, 6):
        before = fit([pack_votes([], [], [], **_size(5, people, 3))])
        warm = fit([votes], start=before)
        np.testing.assert_allclose(warm.posterior, cold.posterior, atol=1e-3)
    # Who has not voted yet is taken for such as have.
    early = pack_votes(*(a[who < 3] for a in (items, who, codes)), **_size(150, 6, 3))
    warm = fit([votes], start=fit([early]))
    np.testing.assert_allclose(warm.posterior, cold.posterior, atol=0.02)


def test_glad_goes_on_from_yesterday() -> None:
    """With some more items and one more person it ends where it does anew, in fewer steps."""
    _, items, who, codes = _crowd(8, _even(SKILL, 3), 300, 4)
    early = (items < 250) & (who < 5)
    before = glad(items[early], who[early], codes[early], **_size(250, 5, 3))
    anew = glad(items, who, codes, **_size(300, 6, 3))
    on = glad(items, who, codes, **_size(300, 6, 3), start=before)
    assert on.iterations < anew.iterations
    np.testing.assert_allclose(on.posterior, anew.posterior, atol=0.02)
    with pytest.raises(UsageError, match="start knows 6 annotators, 300 items and 3 classes"):
        glad(items[early], who[early], codes[early], **_size(250, 5, 3), start=anew)


def test_ebcc_goes_on_where_it_stopped() -> None:
    """On the same votes a step or two; with some more and a new person, fewer than anew."""
    _, items, who, codes = _crowd(8, _even(SKILL, 3), 300, 4)
    size = _size(300, 6, 3)
    anew = ebcc(items, who, codes, **size)
    again = ebcc(items, who, codes, **size, start=anew)
    assert again.iterations <= 2 * len(anew.kinds) < anew.iterations / 4
    np.testing.assert_allclose(again.posterior, anew.posterior, atol=5e-3)
    early = (items < 290) & (who < 5)
    before = ebcc(items[early], who[early], codes[early], **_size(290, 5, 3))
    on = ebcc(items, who, codes, **size, start=before)
    assert on.iterations < anew.iterations / 2
    assert (on.posterior.argmax(axis=1) == anew.posterior.argmax(axis=1)).mean() > 0.97
    other = ebcc(items, who, codes, **size, start=anew, kinds=3)
    assert other.kinds[0].kinds.shape == (3, 3) and other.iterations > again.iterations


def test_ebcc_begins_with_what_is_believed() -> None:
    """A posterior, or people known from earlier items, decides what votes alone leave open."""
    size = _size(40, 4, 2)
    items, who = np.repeat(np.arange(40), 2), np.tile([0, 1, 2, 3], 20)
    codes = np.tile([0, 1], 40)  # Two who differ on every item: nothing says who is right.
    for right in (0, 1):
        belief = np.tile(np.where(np.arange(2) == right, 0.9, 0.1), (40, 1))
        found = ebcc(items, who, codes, **size, start=belief)
        assert (found.posterior.argmax(axis=1) == right).all()
    _, *earlier = _crowd(9, _even([0.95, 0.3, 0.95, 0.3], 2), 200, 3)
    known = dawid_skene(*earlier, **_size(200, 4, 2))
    assert (ebcc(items, who, codes, **size, start=known).posterior.argmax(axis=1) == 0).all()
    with pytest.raises(UsageError, match="start"):
        ebcc(items, who, codes, **size, start=belief[:5])


def test_the_blend_is_its_members_weighed() -> None:
    """The pool is the weighted sum of what the members say; the last step keeps beliefs' sizes.

    These votes are independent, so nothing is softened.
    """
    _, items, who, codes = _crowd(9, _even(SKILL, 3), 100, 3)
    votes = pack_votes(items, who, codes, **_size(100, 6, 3))
    found, begin = blend(votes), first_belief(votes)
    parts = [
        found.weights[n]
        * soften(fit(votes, start=begin, max_iterations=100).posterior, found.temperatures[n])
        for n, fit in members_for(votes).items()
    ]
    np.testing.assert_allclose(found.pooled, sum(parts), atol=1e-12)
    assert found.dependence == 0
    np.testing.assert_allclose(
        np.sort(found.posterior, axis=1), np.sort(found.pooled, axis=1), atol=1e-12
    )


def test_a_skill_of_nobody() -> None:
    """Who gave no vote has no accuracy, and the crowd's confusion."""
    votes = pack_votes([0, 0, 1, 1], [0, 1, 0, 1], [0, 0, 1, 1], **_size(2, 3, 2))
    skill = annotator_skill(votes, np.eye(2))
    assert np.isnan([skill.accuracy[2], skill.low[2], skill.high[2]]).all()
    np.testing.assert_allclose(skill.confusion.sum(axis=2), 1.0)


def test_wrong_settings() -> None:
    """Settings and starts that make no sense are refused."""
    vote = ([0], [0], [0])
    size = _size(1, 1, 2)
    for run, setting in (
        (shrunk_dawid_skene, {"strength": 0.0}),
        (one_coin, {"prior_votes": -1.0}),
        (ibcc, {"right": 0.0}),
        (ebcc, {"kinds": 0}),
    ):
        with pytest.raises(UsageError):
            run(*vote, **size, **setting)  # type: ignore[operator]
    with pytest.raises(UsageError, match="start has 2 rows"):
        ibcc(*vote, **size, start=np.full((2, 2), 0.5))
    with pytest.raises(UsageError, match="at least one shard"):
        fit_votes([], lambda counts: counts, max_iterations=1, tolerance=0.0)  # type: ignore[arg-type,return-value]
    big = dawid_skene([0, 0], [0, 1], [0, 0], **_size(1, 2, 2))
    with pytest.raises(UsageError, match="start knows 2 annotators"):
        ibcc(*vote, **size, start=big)
    _, *votes = _crowd(9, _even(SKILL, 3), 60, 3)
    many = blend(pack_votes(*votes, **_size(60, 6, 3)))
    few = [a[votes[1] < 5] for a in votes]
    with pytest.raises(UsageError, match="start knows 6 annotators and 3 classes"):
        blend(pack_votes(*few, **_size(60, 5, 3)), start=many)
