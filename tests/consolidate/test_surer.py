"""How sure many votes make: never another label, never less, and more where people are many."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from labelops.consolidate import consolidate_codes
from labelops.consolidate._em import count_in_turn
from labelops.consolidate.blend import blend
from labelops.consolidate.counts import vote_shares
from labelops.consolidate.dependence import vote_dependence
from labelops.consolidate.evidence import soften
from labelops.consolidate.expected import expected_counts
from labelops.consolidate.members import MEMBERS, members_for
from labelops.consolidate.refine import refine
from labelops.consolidate.skill import annotator_confusions
from labelops.consolidate.surer import learn_surer, raise_labels, visible_dependence
from labelops.measure.codes import FloatArray, IntArray
from labelops.measure.votes import Votes, pack_votes

CEILING = 5 / 6
"""What a sixth for vote shares leaves of a label that the other methods are certain of."""


def _crowd(
    seed: int, votes: int, *, lured: float = 0.0, items: int = 800, people: int = 12
) -> tuple[Votes, IntArray]:
    """People right on 85 % of two classes; on lured items half of the votes are for the other."""
    rng = np.random.default_rng([seed, votes])
    truth = rng.integers(0, 2, items)
    item = np.repeat(np.arange(items), votes)
    who = np.concatenate([rng.choice(people, votes, replace=False) for _ in range(items)])
    right = rng.random(item.size) < 0.85
    right &= ~((rng.random(items) < lured)[item] & (rng.random(item.size) < 0.5))
    code = np.where(right, truth[item], 1 - truth[item])
    packed = pack_votes(item, who, code, n_items=items, n_annotators=people, n_classes=2)
    return packed, truth


def _consensus(votes: Votes) -> FloatArray:
    return consolidate_codes(
        votes.items, votes.annotators, votes.codes, votes.n_items, votes.n_classes,
        n_annotators=votes.n_annotators,
    ).posterior  # fmt: skip


def _raised(votes: Votes, pooled: FloatArray) -> FloatArray:
    """Raise a pool's own labels, a sixth of it vote shares."""
    surer = learn_surer(votes, pooled, 1 / 6, 1.0)
    assert surer is not None
    return surer.raised(votes, pooled, pooled)


def _decided(lured: float, votes: int, seeds: int, people: int = 12) -> tuple[float, float, float]:
    """Share believed to .98, how many of these are right, and how many are right at all."""
    sure, right = [], []
    for seed in range(seeds):
        packed, truth = _crowd(seed, votes, lured=lured, people=people)
        posterior = _consensus(packed)
        sure.append(posterior.max(axis=1) >= 0.98)
        right.append(posterior.argmax(axis=1) == truth)
    told, hits = np.concatenate(sure), np.concatenate(right)
    return float(told.mean()), float(hits[told].mean()), float(hits.mean())


beliefs = st.integers(0, 2**32 - 1).map(
    lambda seed: np.random.default_rng(seed).dirichlet(np.full(4, 0.4), (2, 60))
)


@given(beliefs, st.floats(0, 1), st.floats(0, 1))
def test_labels_keep_their_place_and_are_never_believed_less(
    drawn: FloatArray, one: float, other: float
) -> None:
    """Classes keep their order; a label is believed no less, and the more the larger the part."""
    posterior, likely = drawn
    less, more = sorted((one, other))
    low, high = (raise_labels(posterior, likely, np.full(60, part)) for part in (less, more))
    for found in (low, high):
        np.testing.assert_allclose(found.sum(axis=1), 1.0)
        assert (found.argmax(axis=1) == posterior.argmax(axis=1)).all()
        assert (np.diff(np.take_along_axis(found, posterior.argsort(axis=1), 1)) >= 0).all()
        assert (found.max(axis=1) >= posterior.max(axis=1)).all()
    assert (high.max(axis=1) >= low.max(axis=1) - 1e-12).all()


def test_a_shared_first_place_stays_shared() -> None:
    """Two classes in the first place are not told apart."""
    tied = np.array([[0.4, 0.4, 0.2]])
    np.testing.assert_array_equal(
        raise_labels(tied, np.array([[0.9, 0.05, 0.05]]), np.ones(1)), tied
    )


def test_half_way_by_hand() -> None:
    """Odds of 9 and of 99, half-way in logs: the root of 891, 29.85; the rest as 2 to 1."""
    found = raise_labels(
        np.array([[0.9, 0.1 * 2 / 3, 0.1 / 3]]), np.array([[0.99, 0.0, 0.01]]), np.array([0.5])
    )
    top = np.sqrt(891) / (1 + np.sqrt(891))
    np.testing.assert_allclose(found, [[top, (1 - top) * 2 / 3, (1 - top) / 3]])


def test_what_can_be_seen_grows_with_votes_and_falls_with_classes() -> None:
    """Nothing up to a vote more than classes; then ever more."""
    for n_classes in (2, 3, 10):
        seen = visible_dependence(np.arange(60), n_classes)
        assert (seen[: n_classes + 2] == 0).all() and (np.diff(seen[n_classes + 1 :]) > 0).all()
        assert seen.max() < 1
        assert (seen <= visible_dependence(np.arange(60), 2)).all()


def test_few_votes_stay_what_the_pool_says() -> None:
    """With three votes an item the posterior is what `refine` leaves, to the last bit."""
    votes, _ = _crowd(0, 3, items=300)
    found = blend(votes)
    assert found.scores
    np.testing.assert_array_equal(found.posterior, refine(votes, found.pooled).posterior)


def test_the_old_ceiling_is_gone_and_no_label_moves() -> None:
    """Ten votes of people who err alone: eight to two is believed beyond 5/6 and a sixth of .8."""
    votes, truth = _crowd(1, 10)
    found = blend(votes)
    before = refine(votes, found.pooled).posterior
    np.testing.assert_array_equal(found.posterior.argmax(axis=1), before.argmax(axis=1))
    for_label = np.bincount(votes.items, votes.codes == truth[votes.items], votes.n_items)
    eight = for_label == 8
    assert before[eight].max() <= CEILING + 0.8 / 6
    assert found.posterior[eight].max(axis=1).min() > 0.98


@pytest.mark.slow
def test_more_votes_of_independent_people_decide_more() -> None:
    """Three, five, seven, ten votes: what is decided at .98 grows, and .98 of it is right."""
    shares, right, all_right = zip(*(_decided(0.0, n, 5) for n in (3, 5, 7, 10)), strict=True)
    assert (np.diff(shares) > -0.02).all() and shares[-1] > 0.9
    assert min(right) >= 0.985
    assert all_right[-1] > 0.99


@pytest.mark.slow
def test_shared_mistakes_keep_beliefs_down() -> None:
    """On a quarter of the items half of the votes are lured: of ten and twenty, .98 hold."""
    for n in (10, 20):
        share, right, all_right = _decided(0.25, n, 5, people=40)
        assert all_right < 0.9
        assert share < 0.3
        assert right >= 0.98


@pytest.mark.slow
def test_without_vote_shares_nothing_is_raised() -> None:
    """A pool that is all vote shares, or has none of them held out, has nobody to ask."""
    votes, _ = _crowd(2, 6, items=200)
    alone = blend(votes, members={"majority": MEMBERS["majority"]})
    np.testing.assert_array_equal(alone.posterior, refine(votes, alone.pooled).posterior)
    unheld = blend(votes, least=10**6)
    np.testing.assert_array_equal(unheld.posterior, refine(votes, unheld.pooled).posterior)
    models = {k: v for k, v in members_for(votes).items() if k != "majority"}
    none = blend(votes, members=models)
    np.testing.assert_array_equal(none.posterior, refine(votes, none.pooled).posterior)


def test_blocks_and_people_without_votes_change_nothing() -> None:
    """Items without a vote stay; the others do not look at them."""
    votes, _ = _crowd(3, 8, items=200)
    wider = pack_votes(
        votes.items, votes.annotators, votes.codes,
        n_items=201, n_annotators=votes.n_annotators, n_classes=2,
    )  # fmt: skip
    pooled = blend(votes).pooled
    more = np.vstack([pooled, [0.5, 0.5]])
    narrow, wide = _raised(votes, pooled), _raised(wider, more)
    np.testing.assert_allclose(wide[:200], narrow)
    np.testing.assert_array_equal(wide[200], more[200])


@pytest.mark.usefixtures("kernels")
def test_beliefs_made_in_turn_count_as_a_table_of_them() -> None:
    """Three chunks, items without votes among them: the same counts to the last bit."""
    rng, n_items = np.random.default_rng(5), 70_000
    votes = pack_votes(
        rng.integers(0, n_items, 150_000), rng.integers(0, 30, 150_000),
        rng.integers(0, 3, 150_000), n_items=n_items, n_annotators=30, n_classes=3,
    )  # fmt: skip
    table = rng.dirichlet(np.ones(3), n_items)
    made = count_in_turn(votes, lambda some, part: table[some])
    whole = expected_counts(votes, table)
    np.testing.assert_array_equal(made.cells, whole.cells)
    np.testing.assert_array_equal(made.classes, whole.classes)


def test_dependence_is_that_of_the_pool_without_vote_shares() -> None:
    """As of one table of them, to the last bit; and the pool stays as it was."""
    votes, _ = _crowd(4, 9, items=300)
    pooled = blend(votes).pooled
    pooled.flags.writeable = False
    rest = np.maximum(pooled - 1 / 6 * soften(vote_shares(votes), 1.3), 0.0)
    rest /= rest.sum(axis=1, keepdims=True)
    surer = learn_surer(votes, pooled, 1 / 6, 1.3)
    assert surer is not None
    assert surer.dependence == vote_dependence(votes, rest, annotator_confusions(votes, rest))
