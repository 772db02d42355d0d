"""Dealing people, and votes, into folds that are held out."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from labelops.consolidate.folds import FOLDS, annotator_folds, vote_folds
from labelops.measure.codes import IntArray


def test_folds_of_people_weigh_alike() -> None:
    """Every annotator is in one fold, and the folds have about the same number of votes."""
    rng = np.random.default_rng(1)
    who = rng.choice(40, p=rng.dirichlet(np.ones(40)), size=4000)
    fold = annotator_folds(who, np.ones(4000), 40)
    load = np.bincount(fold[who], minlength=FOLDS)
    assert load.min() > 0.5 * load.max()


def test_the_order_of_items_does_not_matter() -> None:
    """Weights of equal sum make equal shares of votes, however they are added up."""
    weights = np.tile(np.repeat([0.1, 0.2, 0.3, 0.7], 5), 30)
    who = np.repeat(np.arange(30), 20)
    fold = annotator_folds(who, weights, 30)
    rng = np.random.default_rng(2)
    for _ in range(5):
        order = rng.permutation(600)
        np.testing.assert_array_equal(annotator_folds(who[order], weights[order], 30), fold)


def _drawn(rng: np.random.Generator, n: int, people: int, K: int) -> tuple[IntArray, ...]:
    """Each person votes on two thirds of the items."""
    items, who = np.nonzero(rng.random((n, people)) < 2 / 3)
    return items, who, rng.integers(0, K, items.size)


@given(st.integers(0, 10_000), st.integers(3, 20), st.integers(2, 6))
def test_names_and_order_do_not_matter(seed: int, people: int, K: int) -> None:
    """Renumbered and shuffled, each vote is in the fold it was in, where votes tell them apart."""
    rng = np.random.default_rng(seed)
    items, who, codes = _drawn(rng, 60, people, K)
    fold = vote_folds(items, who, codes)
    order = rng.permutation(items.size)
    other = vote_folds(
        rng.permutation(60)[items][order], rng.permutation(people)[who][order],
        rng.permutation(K)[codes][order],
    )  # fmt: skip
    # Items that the same people say the same of are one: their votes are told apart by nothing.
    says = [tuple(sorted(zip(who[items == i], codes[items == i], strict=True))) for i in range(60)]
    alone = np.array([says.count(s) == 1 for s in says])[items]
    np.testing.assert_array_equal(fold[order][alone[order]], other[alone[order]])
    # In the same fold are as many votes of each person.
    np.testing.assert_array_equal(np.bincount(fold), np.bincount(other))


def test_an_items_votes_are_apart_and_everybody_keeps_most() -> None:
    """With five people or fewer an item, no two of its votes are in one fold, nobody loses more."""
    rng = np.random.default_rng(5)
    truth = rng.integers(0, 3, 400)
    items, who = np.repeat(np.arange(400), 5), np.tile(np.arange(5), 400)
    codes = np.where(rng.random(2000) < 0.8, truth[items], rng.integers(0, 3, 2000))
    fold = vote_folds(items, who, codes)
    assert (np.bincount(items * FOLDS + fold) == 1).all()
    table = np.bincount(who * FOLDS + fold).reshape(5, FOLDS)
    assert table.min() > 65 and table.max() < 95, table


@pytest.mark.parametrize("votes", [2, 3])
def test_seats_taken_by_turns(votes: int) -> None:
    """Whom votes do not tell apart lose about a fifth each, too, whatever turns they take."""
    items = np.repeat(np.arange(600), votes)
    who = (items + np.tile(np.arange(votes), 600)) % 5
    fold = vote_folds(items, who, (items // 5) % 2)
    lost = np.bincount(who * FOLDS + fold).reshape(5, FOLDS) / np.bincount(who)[:, None]
    assert lost.max() < 0.3


@given(st.integers(0, 10_000), st.integers(2, 6))
def test_one_persons_votes_on_an_item_go_together(seed: int, K: int) -> None:
    """One of two left behind would foretell the other; and what classes are called is no matter."""
    rng = np.random.default_rng(seed)
    items, who, codes = rng.integers(0, 30, 120), rng.integers(0, 4, 120), rng.integers(0, K, 120)
    fold = vote_folds(items, who, codes)
    pair = items * 4 + who
    assert len(np.unique(pair * FOLDS + fold)) == len(np.unique(pair))
    other = vote_folds(items, who, rng.permutation(K)[codes])
    np.testing.assert_array_equal(np.bincount(fold), np.bincount(other))


def test_votes_of_nobody() -> None:
    """No vote is in no fold."""
    none = np.empty(0, dtype=np.int64)
    assert vote_folds(none, none, none).size == 0
