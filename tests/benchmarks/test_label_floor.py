"""The floor under label costs: votes that nothing is paid for but labels and looks."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks._label_sets import label_set
from benchmarks.label_floor import KnownCrowd, audited, labeled, looks
from labelops.measure.staircase import step_looks


def _crowd(right: float, N: int = 200, K: int = 3) -> tuple[KnownCrowd, np.ndarray]:
    rng = np.random.default_rng(4)
    truth = rng.integers(0, K, N)
    said = np.where(
        rng.random((N, 20)) < right,
        truth[:, None],
        (truth[:, None] + rng.integers(1, K, (N, 20))) % K,
    )
    chance = np.where(np.arange(K) == said[:, :, None], right, (1 - right) / (K - 1))
    return KnownCrowd(said, np.log(np.maximum(chance, 1e-12))), truth


def test_surer_labels_take_more_votes_and_are_righter() -> None:
    """A higher threshold costs votes and leaves fewer errors; a sure model costs none."""
    crowd, truth = _crowd(0.8)
    flat = np.full((len(truth), 3), 1 / 3)
    low, high = (labeled(flat, crowd, t) for t in (0.7, 0.99))
    assert low[1].sum() < high[1].sum()
    assert (high[0] != truth).mean() < (low[0] != truth).mean() < 0.25
    known = np.where(np.arange(3) == truth[:, None], 1 - 2e-9, 1e-9)
    label, votes = labeled(known, crowd, 0.99)
    assert (label == truth).all() and not votes.any()
    some = np.arange(len(truth)) < 50
    assert (labeled(known, crowd, 0.99, some)[1] == some).all()


def test_a_look_that_agrees_is_one_vote() -> None:
    """People who never err need one vote a look, at right labels, and two at wrong ones."""
    crowd, truth = _crowd(1.0)
    none = np.zeros(len(truth), dtype=np.int64)
    assert (looks(truth, none, crowd) == 1).all()
    assert (looks((truth + 1) % 3, none, crowd) == 2).all()


def test_an_audit_ends_at_its_first_step() -> None:
    """Without an error it takes the clean looks, with all wrong it looks at everything."""
    cost, rng = np.ones(200, dtype=np.int64), np.random.default_rng(0)
    clean = step_looks(0.02, 0.04, 200)[0]
    assert audited(np.zeros(200, dtype=bool), cost, rng) == clean
    assert audited(np.ones(200, dtype=bool), cost, rng) == 200


@pytest.mark.slow
def test_the_best_look_first() -> None:
    """A quarter of the people first are right more often; nobody's votes are gained or lost."""
    tickets = label_set("tickets")
    in_turn, best = (KnownCrowd.of_rte(tickets, 0, share) for share in (1.0, 0.25))
    right = [(c.said[:, 0] == tickets.truth).mean() for c in (in_turn, best)]
    assert right[1] > right[0] + 0.05
    assert (np.sort(in_turn.said, axis=1) == np.sort(best.said, axis=1)).all()
