"""Crowds in other situations: what each change leaves and what it makes."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks._resampled import CHANGES, Known
from benchmarks._structured import KINDS, TEAMS, TOPICS, made, own_topics, team


def _known(seed: int = 0, items: int = 300, people: int = 40, votes: int = 6) -> Known:
    """Four classes, everybody right on seven of ten."""
    rng = np.random.default_rng(seed)
    truth = rng.integers(0, 4, items)
    item = np.repeat(np.arange(items), votes)
    who = np.argsort(rng.random((items, people)), axis=1)[:, :votes].ravel()
    right = rng.random(item.size) < 0.7
    code = np.where(right, truth[item], (truth[item] + rng.integers(1, 4, item.size)) % 4)
    return Known(item, who, code, truth, 4)


@pytest.mark.parametrize("name", CHANGES)
def test_a_change_leaves_whole_crowds(name: str) -> None:
    """Every item and person left has a vote, numbers are without gaps, a seed repeats itself."""
    one, two = (CHANGES[name](_known(), np.random.default_rng(1)) for _ in range(2))
    for first, second in ((one.item, two.item), (one.who, two.who), (one.code, two.code)):
        np.testing.assert_array_equal(first, second)
    assert np.bincount(one.item, minlength=one.truth.size).min() > 0
    assert np.bincount(one.who).min() > 0
    assert one.truth.max() < one.n_classes
    assert one.code.max() < one.n_classes
    assert one.packed().cells.size == one.item.size > 0


def test_changes_do_what_they_are_called() -> None:
    """Votes an item, share of the frequent class, people's votes, the best left out."""
    known, rng = _known(), np.random.default_rng(2)
    assert np.bincount(CHANGES["3 votes"](known, rng).item).tolist() == [3] * 300
    rare = CHANGES["90 : 10"](known, rng)
    assert np.bincount(rare.truth).max() / rare.truth.size == pytest.approx(0.9, abs=0.02)
    assert np.bincount(CHANGES["people of three votes"](known, rng).who).max() == 3
    assert np.unique(CHANGES["eight busy people"](known, rng).who).size == 8

    def right(crowd: Known) -> float:
        return float((crowd.code == crowd.truth[crowd.item]).mean())

    for worse in ("without the best third", "30 % clickers", "10 % against"):
        assert right(CHANGES[worse](known, rng)) < right(known) - 0.02, worse


def test_made_crowds_are_of_their_kind() -> None:
    """Ordinal mistakes are neighbours, pairs are taken for each other, votes are as many."""
    for name in ("ordinal 5, 6 votes", "pairs of 8, 10 votes", "7 classes, 1.5 votes"):
        crowd = made(KINDS[name], np.random.default_rng(3))
        assert crowd.item.size / crowd.truth.size == pytest.approx(KINDS[name].votes, rel=0.1)
        wrong = crowd.code != crowd.truth[crowd.item]
        given, true = crowd.code[wrong], crowd.truth[crowd.item][wrong]
        if name.startswith("ordinal"):
            assert (np.abs(given - true) == 1).mean() > 0.6
        if name.startswith("pairs"):
            assert (given // 2 == true // 2).mean() > 0.35


@pytest.mark.parametrize("name", TEAMS)
def test_teams(name: str) -> None:
    """So many people; who clicks is right about as often as the class is frequent."""
    (least, most), clicks = TEAMS[name]
    crowd = team((least, most), clicks, np.random.default_rng(4))
    share = np.bincount(crowd.who, crowd.code == crowd.truth[crowd.item]) / np.bincount(crowd.who)
    assert least <= share.size <= most
    if clicks:
        half = (share.size + (least == most)) // 2
        assert share[:half].mean() < share[half:].mean() - 0.1


@pytest.mark.parametrize("name", TOPICS)
def test_people_know_their_topic_and_take_it(name: str) -> None:
    """A person is right on nine of ten of one class, takes it most, and says it too often."""
    n_classes, votes = TOPICS[name]
    crowd = own_topics(n_classes, votes, np.random.default_rng(4))
    assert np.bincount(crowd.item).tolist() == [votes] * crowd.truth.size
    true = crowd.truth[crowd.item]
    taken = np.zeros((crowd.who.max() + 1, n_classes))
    np.add.at(taken, (crowd.who, true), 1)
    own = taken.argmax(axis=1)[crowd.who] == true
    right = crowd.code == true
    assert right[own].mean() > right[~own].mean() + 0.3
    assert own.mean() > 2 / n_classes
    says_own = crowd.code == taken.argmax(axis=1)[crowd.who]
    assert says_own[~own & ~right].mean() > 1.5 / (n_classes - 1)
