"""Those who copy are found and counted once; who answers for themselves is left alone."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from scipy.special import ndtri
from scipy.stats import binom

from labelops.consolidate import _pairs, _sight, consolidate, consolidate_codes, copies
from labelops.consolidate._pairs import agreement_pairs
from labelops.consolidate.copies import find_copies, nearly_always
from labelops.consolidate.counts import vote_shares
from labelops.consolidate.one_voice import count_once, voices
from labelops.measure.votes import Votes, pack_votes

from .copiers import HONEST, Crowd, accuracy, clique, mixed


def _codes(votes: Votes) -> tuple[object, ...]:
    return votes.items, votes.annotators, votes.codes, votes.n_items, votes.n_classes


def test_pairs_by_hand() -> None:
    """0 and 1 share three items and agree on two; by habit they would on 5/9 of them."""
    votes = pack_votes([0, 0, 1, 1, 2, 2, 3], [0, 1, 0, 1, 0, 1, 2], [1, 1, 0, 0, 1, 0, 0],
                       n_items=4, n_annotators=3, n_classes=2)  # fmt: skip
    pairs = agreement_pairs(votes)
    assert (pairs.first.tolist(), pairs.second.tolist()) == ([0], [1])
    assert (pairs.items.tolist(), pairs.agreeing.tolist()) == ([3], [2])
    assert pairs.habit[0] == pytest.approx(2 / 3 * 1 / 3 + 1 / 3 * 2 / 3)
    assert pairs.answered.tolist() == [3, 3, 0]  # nobody else saw the last item


def test_one_voice_by_hand() -> None:
    """Three who agree are one vote; where one differs, two thirds and one; weights are shared."""
    votes = pack_votes([0, 0, 0, 0, 1, 1, 1], [0, 1, 2, 3, 0, 1, 2], [1, 1, 1, 0, 0, 0, 1],
                       n_items=2, n_annotators=4, n_classes=2,
                       weights=[1, 1, 1, 2, 1, 1, 1])  # fmt: skip
    once = count_once(votes, voices([(0, 1, 2)], 4))
    assert once.annotators.tolist() == [0, 3, 0, 0]
    assert once.codes.tolist() == [1, 0, 0, 1]
    assert once.weights is not None
    assert once.weights.tolist() == pytest.approx([1, 2, 2 / 3, 1 / 3])
    assert count_once(votes, np.arange(4)).weights.tolist() == votes.weights.tolist()


def test_a_worked_example() -> None:
    """Four of nine give one answer that is right on two items of three; the five others outdo them.

    Where these disagree, majority is what the four say. Counted once, they are outvoted.
    """
    rng = np.random.default_rng(3)
    truth = np.arange(300) % 3
    one = np.where(np.arange(300) % 9 < 6, truth, (truth + 1) % 3)
    said = [one] * 4 + [
        np.where(rng.random(300) < 0.85, truth, (truth + rng.integers(1, 3, 300)) % 3)
        for _ in range(5)
    ]
    votes = pack_votes(np.repeat(np.arange(300), 9), np.tile(np.arange(9), 300),
                       np.stack(said, axis=1).ravel(), n_items=300, n_annotators=9,
                       n_classes=3)  # fmt: skip
    assert accuracy(vote_shares(votes), truth) < 0.9
    assert find_copies(votes).groups == ((0, 1, 2, 3),)
    found = consolidate_codes(*_codes(votes))
    assert found.copies == ((0, 1, 2, 3),)
    assert found.reason.endswith("; 4 people answer as one, counted once")
    assert accuracy(found.posterior, truth) > 0.93
    assert set(found.votes.tolist()) == {6}
    assert np.ptp(found.accuracy[:4]) == 0
    assert found.accuracy[4:].min() > found.accuracy[0] == pytest.approx(2 / 3, abs=0.05)


@pytest.mark.slow
def test_the_product_is_known_as_well_as_it_says() -> None:
    """The bound of what a pair may agree beyond habits holds for 95 in 100, or 90 at the least.

    People of any skill, 20 crowds of each kind; twice as many misses would break it.
    """
    part = 0.05
    for classes, n, each, people in ((2, 300, 5, 15), (4, 300, 5, 15), (2, 1000, 5, 60),
                                     (4, 1000, 7, 15)):  # fmt: skip
        misses = []
        for seed in range(20):
            rng = np.random.default_rng([3, classes, people, n, seed])
            truth, skill = rng.integers(classes, size=n), rng.uniform(0.6, 0.9, people)
            wrong = (truth + rng.integers(1, classes, (people, n))) % classes
            said = np.where(rng.random((people, n)) < skill[:, None], truth, wrong)
            who = np.argsort(rng.random((n, people)), axis=1)[:, :each].ravel()
            items = np.repeat(np.arange(n), each)
            votes = pack_votes(items, who, said[who, items], n_items=n, n_annotators=people,
                               n_classes=classes)  # fmt: skip
            pairs, voice = agreement_pairs(votes), np.arange(people)
            tested = np.flatnonzero(pairs.items >= 8)
            expected, error = _sight.expected_beyond(
                pairs, tested, voice, *_sight.sight(pairs, voice)
            )  # fmt: skip
            sees = (skill - 1 / classes) / (1 - 1 / classes)
            true = (1 - 1 / classes) * sees[pairs.first[tested]] * sees[pairs.second[tested]]
            misses.append(np.mean(expected - ndtri(part) * error < true))
        assert 0 < np.mean(misses) <= 2 * part * 0.7


def test_the_risk_of_chance_agreement_is_half_of_the_one_told() -> None:
    """Exactly: of 50 pairs who agree by chance, any is flagged in half of the risk at most."""
    items, chance, pairs = 300, 0.62, 50
    law = binom(items, chance)
    risk = 2 * pairs * float(law.sf(216)) * 1.0001  # 217 of 300 are just enough

    def flagged(risk: float) -> float:
        counts = np.arange(items + 1)
        # Every pair with the same count: how often one alone is flagged.
        mine = [
            copies._corrected(
                np.full(pairs, c), np.full(pairs, items), np.full(pairs, chance), risk
            )
            for c in counts
        ]
        one = sum(float(law.pmf(c)) for c, p in zip(counts, mine, strict=True) if p[0] <= risk)
        return 1 - (1 - one) ** pairs

    assert risk / 2 * 0.9 < flagged(risk) <= risk / 2
    assert flagged(2 * risk) > risk / 2


@pytest.mark.slow
@pytest.mark.parametrize("kind", HONEST)
def test_honest_crowds_are_left_alone(kind: str) -> None:
    """Of 60 crowds of each kind, none has anybody counted once, at five times the usual risk."""
    found = [
        find_copies(HONEST[kind](np.random.default_rng([17, classes, seed]), classes).votes,
                    risk=0.05).groups
        for classes, seed in product((2, 3, 10), range(20))
    ]  # fmt: skip
    assert found == [()] * 60


@pytest.mark.slow
def test_honest_labels_are_what_they_were(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where nobody copies, looking for copies changes no belief."""
    for kind in ("alike", "experts", "schools"):
        votes = HONEST[kind](np.random.default_rng(23), 3).votes
        found = consolidate_codes(*_codes(votes))
        with monkeypatch.context() as patch:
            patch.setattr("labelops.consolidate.choose.nearly_always", lambda votes, risk: False)
            before = consolidate_codes(*_codes(votes))
        np.testing.assert_array_equal(found.posterior, before.posterior)
        assert found.copies == () and found.reason == before.reason


@pytest.mark.slow
@pytest.mark.parametrize("classes", [2, 3, 5])
def test_a_clique_does_not_beat_majority(classes: int) -> None:
    """Five of fifteen who copy are found, and labels are better than majority's, in each of 20."""
    for seed in range(20):
        n, each = ((400, 8), (300, 15), (1000, 5), (800, 10))[seed % 4]
        crowd = clique(np.random.default_rng([19, classes, seed]), n=n, each=each, classes=classes)
        found = consolidate_codes(*_codes(crowd.votes))
        assert found.copies == (crowd.copiers,)
        plain = accuracy(vote_shares(crowd.votes), crowd.truth)
        assert accuracy(found.posterior, crowd.truth) >= plain - 0.005


def test_copiers_who_slip_are_found() -> None:
    """One answer of a hundred is their own."""
    for seed in range(5):
        crowd = clique(np.random.default_rng([29, seed]), n=1000, each=10, slips=0.01)
        assert find_copies(crowd.votes).groups == (crowd.copiers,)


def test_who_agrees_with_copiers_or_differs_is_no_copier() -> None:
    """Honest people beside a clique of seven of fifteen are not suspected with them."""
    for seed in range(10):
        crowd = clique(np.random.default_rng([37, seed]), n=1000, each=10, copiers=7, classes=4)
        found = {who for group in find_copies(crowd.votes).groups for who in group}
        assert found <= set(crowd.copiers)


def test_two_cliques_are_two() -> None:
    one = clique(np.random.default_rng(41), n=1000, each=15, copiers=4)
    said = one.votes.codes.reshape(1000, 15).copy()
    others = [a for a in range(15) if a not in one.copiers][:3]
    said[:, others] = said[:, others[:1]]
    votes = pack_votes(one.votes.items, np.tile(np.arange(15), 1000), said.ravel(), n_items=1000,
                       n_annotators=15, n_classes=3)  # fmt: skip
    assert find_copies(votes).groups == tuple(sorted((one.copiers, tuple(others))))


@pytest.mark.slow
def test_names_and_order_are_nothing() -> None:
    """Other numbers of people, items and classes, and another order of rows, give the same."""
    crowd = clique(np.random.default_rng(43), n=400)
    votes, rng = crowd.votes, np.random.default_rng(44)
    person, item, label = (rng.permutation(n) for n in (15, 400, 3))
    turn = rng.permutation(votes.cells.size)
    other = (item[votes.items][turn], person[votes.annotators][turn], label[votes.codes][turn])
    found = consolidate_codes(*_codes(votes))
    again = consolidate_codes(*other, 400, 3)
    assert found.copies == (crowd.copiers,)
    assert again.copies == (tuple(sorted(person[list(crowd.copiers)].tolist())),)
    np.testing.assert_allclose(again.posterior[item][:, label], found.posterior, atol=1e-6)
    np.testing.assert_allclose(again.accuracy[person], found.accuracy, atol=1e-6)


@pytest.mark.slow
def test_gold_and_an_earlier_result_go_on() -> None:
    """Gold calibrates what copiers counted once say, and tomorrow begins where today ended."""
    crowd = clique(np.random.default_rng(47), n=400)
    gold = np.where(np.arange(400) < 100, crowd.truth, -1)
    found = consolidate_codes(*_codes(crowd.votes), gold=gold)
    assert found.calibration == "gold" and found.copies == (crowd.copiers,)
    again = consolidate_codes(*_codes(crowd.votes), gold=gold, start=found)
    assert again.copies == found.copies
    assert (again.posterior.argmax(axis=1) == found.posterior.argmax(axis=1)).mean() > 0.99


def test_names_of_copiers_are_told() -> None:
    crowd = clique(np.random.default_rng(53), n=400)
    names = np.array([f"p{n:02}" for n in range(15)])
    found = consolidate(crowd.votes.items, names[crowd.votes.annotators], crowd.votes.codes)
    assert found.copies == (tuple(names[list(crowd.copiers)]),)
    assert "5 people answer as one, counted once" in found.reason


@pytest.mark.slow
def test_a_method_by_name_takes_votes_as_they_are() -> None:
    crowd = clique(np.random.default_rng(53), n=400)
    found = consolidate_codes(*_codes(crowd.votes), method="blend")
    assert found.copies == () and set(found.votes.tolist()) == {8}


@pytest.mark.slow
def test_of_very_many_pairs_some_are_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    """So many, and enough of them to find who copies."""
    crowd = clique(np.random.default_rng(59), n=3000, each=10)
    everything = agreement_pairs(crowd.votes).items.sum()
    monkeypatch.setattr(_pairs, "_MOST", 40_000)
    pairs = agreement_pairs(crowd.votes)
    assert pairs.items.sum() <= 40_000 < everything
    assert find_copies(crowd.votes).groups == (crowd.copiers,)


def test_many_people_and_classes_take_no_table(monkeypatch: pytest.MonkeyPatch) -> None:
    """Habits are the same however they are counted."""
    votes = mixed(np.random.default_rng(61), 10).votes
    table = agreement_pairs(votes)
    monkeypatch.setattr(_pairs, "_CELLS", 1)
    np.testing.assert_allclose(agreement_pairs(votes).habit, table.habit, atol=1e-12)


def test_what_is_looked_for_first_leaves_nobody_out() -> None:
    """Wherever somebody is found, a pair agrees nearly always; of most crowds none does."""
    for seed in range(10):
        assert nearly_always(clique(np.random.default_rng([67, seed]), n=300, each=5).votes)
    assert not nearly_always(HONEST["alike"](np.random.default_rng(1), 3).votes)
    assert not nearly_always(HONEST["lured"](np.random.default_rng(1), 3).votes)


@pytest.mark.parametrize("people", [0, 1, 2, 3])
def test_too_few_people(people: int) -> None:
    """Beside a pair it takes two others: with three people nobody can be told."""
    crowd = Crowd(
        pack_votes(np.repeat(np.arange(60), people), np.tile(np.arange(people), 60),
                   np.repeat(np.arange(60) % 3, people), n_items=60, n_annotators=people,
                   n_classes=3), np.arange(60) % 3)  # fmt: skip
    found = find_copies(crowd.votes)
    assert found.groups == () and len(found.first) == people * (people - 1) // 2
