"""Dependence of votes, and the step that counts skills once more from the pool."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks._structured import own_topics
from labelops.consolidate.blend import blend
from labelops.consolidate.counts import vote_shares
from labelops.consolidate.dependence import design_effect, soften_items, vote_dependence
from labelops.consolidate.refine import refine
from labelops.measure.codes import FloatArray, IntArray
from labelops.measure.votes import Votes, pack_votes

N, A, K = 400, 8, 3


def _crowd(seed: int, shared: float) -> tuple[Votes, IntArray, FloatArray]:
    """Eight people of accuracy .7; with chance `shared` they take the item's common mistake."""
    rng = np.random.default_rng(seed)
    truth = rng.integers(0, K, N)
    common = np.where(rng.random(N) < 0.7, truth, (truth + rng.integers(1, K, N)) % K)
    own = np.where(
        rng.random((N, A)) < 0.7, truth[:, None], (truth[:, None] + rng.integers(1, K, (N, A))) % K
    )
    given = np.where(rng.random((N, A)) < shared, common[:, None], own)
    votes = pack_votes(
        np.repeat(np.arange(N), A), np.tile(np.arange(A), N), given.ravel(),
        n_items=N, n_annotators=A, n_classes=K,
    )  # fmt: skip
    skill = np.tile(np.where(np.eye(K) > 0, 0.7, 0.15), (A, 1, 1))
    return votes, truth, skill


@pytest.mark.parametrize(("shared", "expected"), [(0.0, 0.0), (0.5, 0.25), (1.0, 1.0)])
def test_dependence_is_the_correlation_there_is(shared: float, expected: float) -> None:
    """Two votes are one with chance shared²; that is their correlation, known truth given."""
    found = [
        vote_dependence(votes, np.eye(K)[truth], skill)
        for votes, truth, skill in (_crowd(seed, shared) for seed in range(5))
    ]
    assert np.mean(found) == pytest.approx(expected, abs=0.02)


def test_dependence_does_not_look_at_order() -> None:
    """Items in another order give the same number."""
    votes, truth, skill = _crowd(1, 0.5)
    order = np.random.default_rng(0).permutation(N)
    moved = pack_votes(
        order[votes.items], votes.annotators, votes.codes,
        n_items=N, n_annotators=A, n_classes=K,
    )  # fmt: skip
    belief = np.eye(K)[truth]
    other = np.empty_like(belief)
    other[order] = belief
    assert vote_dependence(votes, belief, skill) == pytest.approx(
        vote_dependence(moved, other, skill), abs=1e-12
    )


def test_no_pairs_no_dependence() -> None:
    """One vote an item, no vote at all, or people who never err say nothing of dependence."""
    sizes = {"n_items": 3, "n_annotators": 2, "n_classes": 2}
    perfect = np.tile(np.eye(2), (2, 1, 1))
    one = pack_votes([0, 1, 2], [0, 1, 0], [0, 1, 0], **sizes)
    none = pack_votes([], [], [], **sizes)
    agreed = pack_votes([0, 0, 1, 1], [0, 1, 0, 1], [0, 0, 1, 1], **sizes)
    belief = np.array([[1.0, 0.0], [0.0, 1.0], [1.0, 0.0]])
    for votes in (one, none, agreed):
        assert vote_dependence(votes, belief, perfect) == 0.0


def test_design_effect_of_one_vote_is_one() -> None:
    """Ten votes that are one count for one; a single vote counts in full."""
    votes = pack_votes([0] * 10 + [1], range(11), [0] * 11, n_items=2, n_annotators=11, n_classes=2)
    assert design_effect(votes, 1.0).tolist() == [10.0, 1.0]
    assert design_effect(votes, 0.0).tolist() == [1.0, 1.0]


def test_softened_items_keep_their_order() -> None:
    """A temperature of its own for each item moves no class past another."""
    belief = np.random.default_rng(3).dirichlet(np.ones(4), 50)
    soft = soften_items(belief, np.linspace(1, 9, 50), np.full(4, 0.25))
    assert (soft.argsort(axis=1) == belief.argsort(axis=1)).all()
    np.testing.assert_allclose(soft.sum(axis=1), 1.0)
    assert (soft.max(axis=1)[1:] < belief.max(axis=1)[1:]).all()


def test_softening_stops_at_the_class_shares() -> None:
    """What says no more than the shares stays; the softest belief of all is the shares."""
    shares = np.array([0.9, 0.08, 0.02])
    belief = np.random.default_rng(6).dirichlet(np.ones(3), 40)
    belief[0] = shares
    soft = soften_items(belief, np.full(40, 3.0), shares)
    np.testing.assert_allclose(soft[0], shares)
    # Odds against the shares are the cube root of what they were.
    odds = (belief[:, 1] / belief[:, 0]) / (shares[1] / shares[0])
    now = (soft[:, 1] / soft[:, 0]) / (shares[1] / shares[0])
    np.testing.assert_allclose(now, np.cbrt(odds))
    softest = soften_items(belief, np.full(40, 1e9), shares)
    np.testing.assert_allclose(softest, np.tile(shares, (40, 1)), atol=1e-6)


def test_refining_even_classes_says_which_and_keeps_how_sure() -> None:
    """Each row keeps its softened beliefs, in another order at most; without votes all of them."""
    votes, _, _ = _crowd(4, 0.3)
    wider = pack_votes(
        votes.items, votes.annotators, votes.codes, n_items=N + 1, n_annotators=A, n_classes=K
    )
    pooled = np.random.default_rng(4).dirichlet(np.ones(K), N + 1)
    found = refine(wider, pooled)
    effect = design_effect(wider, found.dependence)
    sure = soften_items(pooled, effect**0.25, np.full(K, 1 / K))
    np.testing.assert_array_equal(np.sort(found.posterior, axis=1), np.sort(sure, axis=1))
    np.testing.assert_allclose(found.posterior[N], pooled[N])
    assert found.dependence > 0


def test_refining_fills_no_rare_class() -> None:
    """Nine of ten items are of a class, and people share mistakes: the rare one only shrinks."""
    rng = np.random.default_rng(7)
    truth = (rng.random(N) < 0.1).astype(int)
    common = np.where(rng.random(N) < 0.8, truth, 1 - truth)
    own = np.where(rng.random((N, A)) < 0.8, truth[:, None], 1 - truth[:, None])
    given = np.where(rng.random((N, A)) < 0.5, common[:, None], own)
    votes = pack_votes(
        np.repeat(np.arange(N), A), np.tile(np.arange(A), N), given.ravel(),
        n_items=N, n_annotators=A, n_classes=2,
    )  # fmt: skip
    pooled = np.stack([(given == 0).mean(axis=1), (given == 1).mean(axis=1)], axis=1)
    found = refine(votes, pooled).posterior
    rare = found.argmax(axis=1) == 1
    assert 0 < rare.sum() < (pooled.argmax(axis=1) == 1).sum()
    assert (found.argmax(axis=1) == truth).mean() > (pooled.argmax(axis=1) == truth).mean()


def test_two_classes_only_shrink_towards_their_shares() -> None:
    """With two classes nobody is counted anew: evidence against the shares weighs less, no more."""
    rng = np.random.default_rng(8)
    belief = rng.dirichlet([1.2, 1.0], N)
    given = (rng.random((N, A)) < belief[:, 1:]).astype(int)
    votes = pack_votes(
        np.repeat(np.arange(N), A), np.tile(np.arange(A), N), given.ravel(),
        n_items=N, n_annotators=A, n_classes=2,
    )  # fmt: skip
    found = refine(votes, belief)
    assert found.dependence > 0.1
    shares = belief.sum(axis=0) + 0.5
    effect = design_effect(votes, found.dependence)
    expected = soften_items(belief, np.sqrt(effect), shares / shares.sum())
    assert (found.posterior.argmax(axis=1) == expected.argmax(axis=1)).all()
    # Where the shares lean, an item needs more than even odds to be of the smaller class.
    less = int(shares.argmin())
    taken = found.posterior.argmax(axis=1) == less
    assert (belief[taken, less] > 0.5).all()


def test_refining_learns_who_is_right_from_a_better_pool() -> None:
    """Three good annotators among seven who guess: from a pool that knows them, votes decide."""
    rng = np.random.default_rng(5)
    truth = rng.integers(0, K, N)
    accuracy = np.array([0.95] * 3 + [1 / K] * 7)
    wrong = (truth[:, None] + rng.integers(1, K, (N, 10))) % K
    given = np.where(rng.random((N, 10)) < accuracy, truth[:, None], wrong)
    votes = pack_votes(
        np.repeat(np.arange(N), 10), np.tile(np.arange(10), N), given.ravel(),
        n_items=N, n_annotators=10, n_classes=K,
    )  # fmt: skip
    shares = np.stack([(given == k).mean(axis=1) for k in range(K)], axis=1)
    right = (shares.argmax(axis=1) == truth).mean()
    assert (refine(votes, shares).posterior.argmax(axis=1) == truth).mean() > right + 0.05


@pytest.mark.slow
def test_no_step_where_held_out_votes_speak_against_it() -> None:
    """Skills counted anew fall below majority here; the blend knows, and leaves labels alone."""
    gains = []
    for seed in range(2):
        crowd = own_topics(6, 3, np.random.default_rng([77, seed]))
        votes, truth = crowd.packed(), crowd.truth
        found = blend(votes)
        free = sum(found.weights[name] for name in ("shrunk_4", "shrunk_2", "shrunk_1"))
        assert free < 0.05 < found.weights["one_coin"]
        assert (found.posterior.argmax(axis=1) == found.pooled.argmax(axis=1)).all()
        labels = (vote_shares(votes), found.posterior, refine(votes, found.pooled).posterior)
        gains.append([float((x.argmax(axis=1) == truth).mean()) for x in labels])
    majority, default, anew = np.mean(gains, axis=0)
    assert anew < majority - 0.005
    assert default > majority - 0.005


def test_a_pool_that_is_not_counted_anew_keeps_its_labels() -> None:
    """Classes are even, so softening towards them moves no class past another."""
    votes, _, _ = _crowd(4, 0.3)
    pooled = np.random.default_rng(4).dirichlet(np.ones(K), N)
    found, counted = refine(votes, pooled, say=0.0), refine(votes, pooled)
    assert (found.posterior.argmax(axis=1) == pooled.argmax(axis=1)).all()
    assert (counted.posterior.argmax(axis=1) != pooled.argmax(axis=1)).any()
    np.testing.assert_array_equal(
        np.sort(found.posterior, axis=1), np.sort(counted.posterior, axis=1)
    )


def test_a_step_with_half_a_say_lies_between() -> None:
    """Fewer labels change than with all of it, and they are among the same items."""
    votes, _, _ = _crowd(4, 0.3)
    pooled = np.random.default_rng(4).dirichlet(np.ones(K), N)
    none, half, full = (
        refine(votes, pooled, say=say).posterior.argmax(axis=1) for say in (0.0, 0.5, 1.0)
    )
    assert 0 < (half != none).sum() < (full != none).sum()
    assert (half != none)[full == none].sum() < 0.02 * N
