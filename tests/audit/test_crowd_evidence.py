"""What votes say about classes."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
from sklearn.metrics import average_precision_score

from labelops.audit.crowd_evidence import _foretold, crowd_evidence
from labelops.consolidate import consolidate_codes
from labelops.errors import UsageError


def _crowd(
    skills: list[float], N: int, K: int, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Everybody votes on everything, right with their skill, else at random among the others."""
    truth = rng.integers(0, K, N)
    A = len(skills)
    item, who = np.repeat(np.arange(N), A), np.tile(np.arange(A), N)
    right = rng.random(N * A) < np.array(skills)[who]
    vote = np.where(right, truth[item], (truth[item] + rng.integers(1, K, N * A)) % K)
    return truth, item, who, vote


@pytest.mark.slow
def test_skills_are_found_and_used() -> None:
    """Two good annotators outweigh three clickers."""
    truth, item, who, vote = _crowd([0.95, 0.9, 0.35, 0.35, 0.35], 600, 3, np.random.default_rng(0))
    said = crowd_evidence(item, who, vote, 600, 3)
    counts = np.zeros((600, 3))
    np.add.at(counts, (item, vote), 1)
    majority = (counts.argmax(axis=1) == truth).mean()
    assert (said.posterior().argmax(axis=1) == truth).mean() > max(0.93, majority + 0.05)


@pytest.mark.slow
def test_it_is_what_the_consensus_believes() -> None:
    """Oracle: prior times likelihood is the default consensus's posterior, blend or majority."""
    _, item, who, vote = _crowd([0.9, 0.8, 0.6], 80, 3, np.random.default_rng(6))
    for some in (who >= 0, who < 2):
        votes = item[some], who[some], vote[some]
        said = crowd_evidence(*votes, 80, 3)
        assert np.allclose(said.posterior(), consolidate_codes(*votes, 80, 3).posterior)


@pytest.mark.slow
def test_independent_votes_are_calibrated() -> None:
    """As sure as right; and each vote is foretold by the others as often as is said."""
    truth, item, who, vote = _crowd([0.7] * 4, 1500, 2, np.random.default_rng(1))
    said = crowd_evidence(item, who, vote, 1500, 2)
    sure = said.posterior().max(axis=1).mean()
    assert sure == pytest.approx((said.posterior().argmax(axis=1) == truth).mean(), abs=0.03)
    assert said.doubt.mean() == pytest.approx(said.missed.mean(), abs=0.03)
    assert len(said.doubt) == 6000
    assert said.dependence < 0.05


@pytest.mark.slow
def test_shared_doubt_is_noticed_and_softens() -> None:
    """Where all guess on the same items, dependence shows and beliefs stay near what is right."""
    rng = np.random.default_rng(1)
    truth, item, who, _ = _crowd([0.9] * 4, 1500, 2, rng)
    hard = rng.random(1500) < 0.4
    vote = np.where(hard[item], rng.integers(0, 2, len(item)), truth[item])
    said = crowd_evidence(item, who, vote, 1500, 2)
    sure = said.posterior().max(axis=1).mean()
    assert said.dependence > 0.15
    assert sure == pytest.approx((said.posterior().argmax(axis=1) == truth).mean(), abs=0.06)


@pytest.mark.slow
def test_order_of_votes_carries_no_meaning_and_names_little() -> None:
    """Names only decide who is held out with whom, which moves beliefs by hundredths at most."""
    _, item, who, vote = _crowd([0.9, 0.8, 0.6], 50, 3, np.random.default_rng(2))
    order = np.random.default_rng(3).permutation(len(item))
    a = crowd_evidence(item, who, vote, 50, 3).posterior()
    b = crowd_evidence(item[order], who[order], vote[order], 50, 3).posterior()
    named = crowd_evidence(item, 7 - who, vote, 50, 3).posterior()
    assert np.allclose(a, b, atol=1e-10)
    assert np.abs(a - named).max() < 0.02


def test_a_later_vote_replaces_an_earlier_one() -> None:
    """Said twice counts once."""
    once = crowd_evidence([0, 0, 1], [0, 1, 0], [1, 1, 0], 2, 2)
    twice = crowd_evidence([0, 0, 0, 1], [0, 0, 1, 0], [0, 1, 1, 0], 2, 2)
    assert np.allclose(once.posterior(), twice.posterior())


def test_no_votes_and_single_votes() -> None:
    """Nothing said leaves all classes alike; so do votes of people who shared no item."""
    empty = np.zeros(0, dtype=np.int64)
    assert np.allclose(crowd_evidence(empty, empty, empty, 3, 4).posterior(), 0.25)
    one = crowd_evidence([0, 1], [0, 1], [0, 1], 3, 2)
    assert np.allclose(one.posterior(), 0.5)
    assert not one.voted.any()
    shared = crowd_evidence([0, 1, 1], [0, 0, 1], [0, 1, 1], 3, 2)
    assert shared.voted.tolist() == [True, True, False]
    assert shared.posterior().argmax(axis=1)[:2].tolist() == [0, 1]


@pytest.mark.parametrize(
    ("items", "who", "codes", "match"),
    [
        ([3], [0], [0], "votes' items: row 0 is 3, expected 0 to 1"),
        ([0], [-1], [0], "annotators are names, or whole numbers from 0"),
        ([0], [0], [2], "votes' codes: row 0 is 2, expected -1 to 1"),
        ([0, 1], [0], [0], "2 items, 1 annotators, 1 codes"),
        ([0], [0.5], [0], "annotators are names, or whole numbers from 0"),
    ],
)
def test_malformed_votes_are_refused(items: object, who: object, codes: object, match: str) -> None:
    """Unknown items, annotators and classes, and unequal lengths, each by name."""
    with pytest.raises(UsageError, match=match):
        crowd_evidence(items, who, codes, 2, 2)  # type: ignore[arg-type]


@pytest.mark.slow
def test_ranks_wrong_labels_better_than_agreement() -> None:
    """Average precision of single-vote labels against counting who agrees."""
    truth, item, who, vote = _crowd([0.95, 0.8, 0.5, 0.45, 0.4], 400, 3, np.random.default_rng(4))
    codes = vote.reshape(400, 5)[np.arange(400), np.random.default_rng(5).integers(0, 5, 400)]
    counts = np.zeros((400, 3))
    np.add.at(counts, (item, vote), 1)
    every = np.arange(400)
    ours = average_precision_score(
        codes != truth, -crowd_evidence(item, who, vote, 400, 3).posterior()[every, codes]
    )
    assert ours > average_precision_score(codes != truth, -counts[every, codes]) + 0.05


def test_a_held_out_vote_is_foretold_by_hand() -> None:
    """Votes right in .8 miss each of the two other classes in .1; the likeliest class has .7."""
    belief = np.array([[[0.7, 0.2, 0.1]], [[0.7, 0.2, 0.1]]])
    held = SimpleNamespace(beliefs=belief, accuracy=0.8, codes=np.array([0, 2]))
    doubt, missed = _foretold(SimpleNamespace(held_out=held))  # type: ignore[arg-type]
    assert doubt == pytest.approx([1 - (0.7 * 0.8 + 0.3 * 0.1)] * 2)
    assert missed.tolist() == [False, True]
