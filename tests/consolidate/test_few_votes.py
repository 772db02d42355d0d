"""Tiny sets: how sure one may be where hardly any pair of votes says how often people are right."""

from __future__ import annotations

import numpy as np
import pytest

from labelops.consolidate import consolidate_codes, ebcc
from labelops.consolidate.counts import vote_counts
from labelops.consolidate.crowd import (
    as_sure_as_known,
    crowd_accuracy,
    likely_accuracies,
    one_coin_posterior,
)
from labelops.measure.codes import BoolArray, FloatArray, IntArray


def _said(
    rng: np.random.Generator, accuracy: float, n_classes: int, shape: tuple[int, int]
) -> tuple[IntArray, IntArray]:
    """Truth, and votes by item and person, of whom each is right equally often."""
    truth = rng.integers(0, n_classes, shape[0])
    other = (truth[:, None] + rng.integers(1, n_classes, shape)) % n_classes
    return truth, np.where(rng.random(shape) < accuracy, truth[:, None], other)


def _tops(posterior: FloatArray, truth: IntArray) -> tuple[FloatArray, BoolArray]:
    return posterior.max(axis=1), posterior.argmax(axis=1) == truth


@pytest.mark.slow
@pytest.mark.parametrize("n_classes", [2, 4])
def test_beliefs_are_right_over_crowds_of_any_accuracy(n_classes: int) -> None:
    """Five pairs and five single votes, whatever crowd: what is believed to .9 is right in .9."""
    rng = np.random.default_rng(11)
    believed, right = [], []
    for accuracy in rng.uniform(1 / n_classes, 1, 4000):
        truth, said = _said(rng, accuracy, n_classes, (10, 2))
        said[5:, 1] = -1
        counts = vote_counts(np.repeat(np.arange(10), 2), said.ravel(), 10, n_classes)
        found = one_coin_posterior(counts, likely_accuracies(counts))
        one = (counts > 0).sum(axis=1) == 1  # where two differ, the first of them is no answer
        tops, hits = _tops(found[one], truth[one])
        believed.append(tops)
        right.append(hits)
    tops, hits = np.concatenate(believed), np.concatenate(right)
    assert tops.mean() == pytest.approx(hits.mean(), abs=0.01)
    for low, high in ((0.5, 0.8), (0.8, 0.9), (0.9, 1.0)):
        some = (tops >= low) & (tops < high)
        assert tops[some].mean() == pytest.approx(hits[some].mean(), abs=0.015), low


def test_two_people_who_agreed_on_five_items() -> None:
    """They may be right 8 times in 10 each: one vote is no certainty, nor are two."""
    codes = np.array([0, 1, 0, 1, 0])
    found = consolidate_codes(
        np.append(np.repeat(np.arange(5), 2), 5), np.append(np.tile([0, 1], 5), 0),
        np.append(np.repeat(codes, 2), 1), 6, 2,
    )  # fmt: skip
    assert (found.method, found.calibration) == ("majority", "agreement")
    assert found.posterior.argmax(axis=1).tolist() == [0, 1, 0, 1, 0, 1]
    assert 0.93 < found.posterior[:5].max(axis=1).max() < 0.97
    assert 0.86 < found.posterior[5, 1] < 0.9


def test_one_pair_by_hand() -> None:
    """Of one pair that agrees: the integral of p (p² + (1-p)²) by that of p² + (1-p)²."""
    likely = likely_accuracies(np.array([[2.0, 0.0]]))
    assert likely is not None
    assert likely.mean() == pytest.approx(0.78125, abs=1e-3)


def test_what_is_unknown_fades() -> None:
    """The more pairs, the nearer to the accuracy that their agreement has, and then it is that."""
    gaps = []
    for times in (1, 10, 100, 1000):
        counts = np.array([[2.0, 0.0]] * 17 + [[1.0, 1.0]] * 8).repeat(times, axis=0)
        likely, best = likely_accuracies(counts), crowd_accuracy(counts)
        assert likely is not None and best is not None
        gaps.append(max(abs(likely - best)))
        assert best == pytest.approx(0.8)
    assert gaps[0] > 0.2 and gaps == sorted(gaps, reverse=True) and gaps[-1] == 0
    assert likely_accuracies(np.eye(3)) is None


def test_beliefs_keep_their_order() -> None:
    """What is taken from a belief moves no class past another; divided items keep theirs."""
    rng = np.random.default_rng(5)
    counts = rng.integers(0, 2, (500, 3)) * rng.integers(1, 4, (500, 1)).astype(float)
    posterior = rng.dirichlet(np.full(3, 0.2), 500)
    likely = np.array([0.6, 0.7])
    found = as_sure_as_known(posterior, counts, likely)
    np.testing.assert_array_equal(found.argsort(axis=1), posterior.argsort(axis=1))
    np.testing.assert_allclose(found.sum(axis=1), 1)
    one = (counts > 0).sum(axis=1) == 1
    np.testing.assert_array_equal(found[~one], posterior[~one])
    most = one_coin_posterior(counts, likely).max(axis=1)
    assert (found[one].max(axis=1) <= most[one] + 1e-12).all()
    assert (posterior[one].max(axis=1) > most[one]).any()


@pytest.mark.slow
@pytest.mark.parametrize("method", ["auto", "dawid_skene"])
def test_few_items_of_three_people(method: str) -> None:
    """Ten items, three people right 8 times in 10: what they agree on is not believed too much."""
    tops, hits = [], []
    for seed in range(12):
        truth, said = _said(np.random.default_rng(seed), 0.8, 2, (10, 3))
        found = consolidate_codes(
            np.repeat(np.arange(10), 3), np.tile(np.arange(3), 10), said.ravel(), 10, 2,
            method=method,
        )  # fmt: skip
        assert found.calibration == "agreement" and found.temperature == 1
        agree = (said == said[:, :1]).all(axis=1)
        top, hit = _tops(found.posterior[agree], truth[agree])
        tops.append(top)
        hits.append(hit)
    assert np.concatenate(tops).mean() < np.concatenate(hits).mean() + 0.01


def test_a_handful_of_votes_makes_no_method_sure() -> None:
    """EBCC alone puts an item whose one vote is for 1 into class 0 for sure; here it does not."""
    votes = ([0, 0, 0, 1, 1, 2], [0, 0, 0, 0, 1, 0], [0, 0, 1, 1, 0, 1])
    alone = ebcc(*votes, n_items=3, n_annotators=2, n_classes=2)
    assert alone.posterior[2, 0] > 0.99
    found = consolidate_codes(*votes, 3, 2, method="ebcc")
    assert found.posterior[2].max() < 0.8
