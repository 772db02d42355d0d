"""Labels that stand by a model's posterior alone: only the audit keeps bad ones from a release."""

from __future__ import annotations

import numpy as np
import pytest

from labelops.autolabel.audited import model_stands
from labelops.gate.policy import GatePolicy
from labelops.measure.finite import tolerated_errors

from .test_guarantee import CLASSES, Audited, _limit

ITEMS, BOUND, RISK = 800, 0.05, 0.05


def _labeled(seed: int, wrong: float, accuracy: float = 0.95) -> tuple[Audited, int]:
    """Return labels of which the model's, three of four, are wrong as often as told.

    It is as sure of wrong ones as of right ones. Also return how many are wrong.
    """
    rng = np.random.default_rng(seed)
    truth = rng.integers(CLASSES, size=ITEMS)
    proposed = np.where(rng.random(ITEMS) < wrong, (truth + 1) % CLASSES, truth)
    belief = np.full((ITEMS, CLASSES), 0.03 / (CLASSES - 1))
    belief[np.arange(ITEMS), proposed] = 0.97
    people = np.arange(ITEMS) % 4 == 0
    belief[people] = 1 / CLASSES
    stands = model_stands(belief, proposed, 0.85)
    assert (stands == ~people).all(), "what nobody looked at stands, right or wrong"
    found = Audited.fresh(rng, ITEMS, 0, accuracy)
    found.truth, found.labels = truth, np.where(stands, proposed, truth)
    return found, int((found.labels != truth).sum())


def _passes(seed: int, wrong: float) -> tuple[bool, int]:
    """Say whether the audit passes, and how many wrong labels it would release."""
    labels, _ = _labeled(seed, wrong)
    state = labels.settle(GatePolicy(error=BOUND, confidence=1 - RISK))
    left = labels.labels != labels.truth
    return state.certificate.status == "pass", int(left.sum())


def test_a_naive_rule_releases_what_the_audit_refuses() -> None:
    """The model's own certainty would release half of its labels wrong; no audit of them passes."""
    _, wrong = _labeled(0, 0.5)
    assert wrong > 0.3 * ITEMS, "by its posteriors three in a hundred were expected to be"
    assert not any(_passes(seed, 0.5)[0] for seed in range(5))


def test_a_good_model_passes() -> None:
    """One in two hundred wrong: the audit certifies it."""
    assert all(_passes(seed, 0.005)[0] for seed in range(5))


@pytest.mark.slow
@pytest.mark.parametrize(("wrong", "runs"), [(0.5, 100), (0.08, 50)])
def test_what_passes_is_within_the_bound(wrong: float, runs: int) -> None:
    """However bad the model is, no more audits than the risk release too many wrong labels."""
    found = [_passes(seed, wrong) for seed in range(runs)]
    false = sum(passed and left > tolerated_errors(BOUND, ITEMS) for passed, left in found)
    assert false / runs <= _limit(RISK, runs)


@pytest.mark.slow
def test_most_good_models_pass() -> None:
    """Power: with one in a hundred of its labels wrong nine audits in ten pass."""
    assert np.mean([_passes(seed, 0.01)[0] for seed in range(100)]) >= 0.9
