"""Class shares under label shift: better than counting guesses, with honest intervals."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import cross_val_predict

from labelops.errors import TableError, UsageError
from labelops.measure.calibration import expected_calibration_error
from labelops.measure.label_shift import class_shares, fit_bias_corrected

from ..digits import digits


def model(classes: np.ndarray, rng: np.random.Generator, skill: float, heat: float) -> np.ndarray:
    """Give probabilities, too sure by `heat`, of a model that sees classes through noise."""
    seen = rng.normal(size=(classes.size, 4)) + skill * np.eye(4)[classes]
    scores = np.exp(heat * skill * (seen - seen.max(axis=1, keepdims=True)))
    return scores / scores.sum(axis=1, keepdims=True)


def test_calibrates() -> None:
    """Too sure probabilities mean what they say afterwards, also where classes are rare."""
    rng = np.random.default_rng(1)
    old, new = (rng.choice(4, 4000, p=[0.55, 0.3, 0.1, 0.05]) for _ in range(2))
    fitted = fit_bias_corrected(model(old, rng, 1.5, 2.0), old)
    raw = model(new, rng, 1.5, 2.0)
    assert expected_calibration_error(raw, new) > 0.1
    assert expected_calibration_error(fitted.apply(raw), new) < 0.03
    assert fitted.temperature == pytest.approx(2.0, rel=0.1)
    truth = np.log([0.55, 0.3, 0.1, 0.05])
    assert fitted.bias == pytest.approx(truth - truth.mean(), abs=0.25)


def test_without_shift_nothing_moves() -> None:
    """New items of the old mix have the old shares."""
    rng = np.random.default_rng(2)
    old, new = rng.permutation(4000) % 4, rng.permutation(4000) % 4
    found = class_shares(model(new, rng, 2, 1), model(old, rng, 2, 1), old, rng=rng, repeats=0)
    assert found.shares == pytest.approx(np.full(4, 0.25), abs=0.02)
    assert found.old == pytest.approx(np.full(4, 0.25))
    assert (found.low == found.shares).all()


def test_beats_counting_guesses() -> None:
    """Over many mixes the mean error is less than half that of counted guesses."""
    rng, ours, counted = np.random.default_rng(3), [], []
    for _ in range(10):
        mix = rng.dirichlet(np.ones(4))
        old, new = rng.permutation(2000) % 4, rng.choice(4, 2000, p=mix)
        probs = model(new, rng, 1.5, 2.0)
        found = class_shares(probs, model(old, rng, 1.5, 2.0), old, rng=rng, repeats=0)
        truth = np.bincount(new, minlength=4) / 2000
        ours.append(np.abs(found.shares - truth).mean())
        guesses = np.bincount(probs.argmax(axis=1), minlength=4) / 2000
        counted.append(np.abs(guesses - truth).mean())
    assert np.mean(ours) < np.mean(counted) / 2


def test_order_of_classes_and_rows_is_nothing() -> None:
    """Renumbered classes give renumbered shares; shuffled rows give the same."""
    rng = np.random.default_rng(4)
    old, new = rng.permutation(800) % 4, rng.choice(4, 600, p=[0.6, 0.2, 0.1, 0.1])
    old_probs, probs = model(old, rng, 2, 1), model(new, rng, 2, 1)
    first = class_shares(probs, old_probs, old, rng=rng, repeats=0).shares
    turn = np.array([2, 0, 3, 1])
    turned = class_shares(
        probs[:, turn], old_probs[:, turn], np.argsort(turn)[old], rng=rng, repeats=0
    )
    assert turned.shares == pytest.approx(first[turn], abs=1e-4)
    shuffled = class_shares(rng.permutation(probs), old_probs, old, rng=rng, repeats=0)
    assert shuffled.shares == pytest.approx(first, abs=1e-9)


@pytest.mark.slow
def test_intervals_cover() -> None:
    """A 90 % interval holds the mix the items were drawn from nine times of ten, not always."""
    rng, held = np.random.default_rng(5), []
    for _ in range(25):
        mix = rng.dirichlet(np.full(4, 3.0))
        old, new = rng.permutation(600) % 4, rng.choice(4, 500, p=mix)
        found = class_shares(
            model(new, rng, 1.5, 1.5), model(old, rng, 1.5, 1.5), old,
            rng=rng, confidence=0.9, repeats=40,
        )  # fmt: skip
        held += ((found.low <= mix) & (mix <= found.high)).tolist()
    assert 0.82 <= np.mean(held) <= 0.97


@pytest.mark.slow
def test_real_digits() -> None:
    """On digits with a shifted mix the mean absolute error is below .0075, counting's above it."""
    images, classes = digits()
    rng, ours, counted = np.random.default_rng(6), [], []
    # Trained on few, so that guesses err.
    fit = rng.permutation(len(classes))[:150]
    rest = np.setdiff1d(np.arange(len(classes)), fit)
    learner = LogisticRegression(max_iter=2000).fit(images[fit], classes[fit])
    assert cross_val_predict(learner, images[fit], classes[fit]).mean() > 0
    probs = learner.predict_proba(images[rest])
    truth = classes[rest]
    for _ in range(20):
        order = rng.permutation(len(rest))
        old, pool = order[:500], order[500:]
        weights = rng.dirichlet(np.ones(10))[truth[pool]]
        new = rng.choice(pool, 500, replace=True, p=weights / weights.sum())
        shares = np.bincount(truth[new], minlength=10) / 500
        found = class_shares(probs[new], probs[old], truth[old], rng=rng, repeats=0)
        ours.append(np.abs(found.shares - shares).mean())
        counted.append(
            np.abs(np.bincount(probs[new].argmax(axis=1), minlength=10) / 500 - shares).mean()
        )
    assert np.mean(ours) < 0.0075 < np.mean(counted)


def test_impossible_input() -> None:
    rng, probs = np.random.default_rng(7), np.full((3, 2), 0.5)
    for new, old, codes in (
        (probs[:0], probs, [0, 1, 1]),
        (probs, probs, [-1, -1, -1]),
        (probs, probs, [0, 1]),
        (probs, np.full((3, 3), 1 / 3), [0, 1, 1]),
    ):
        with pytest.raises((UsageError, TableError)):
            class_shares(new, old, codes, rng=rng, repeats=0)
    for repeats in (-1, 2.5):
        with pytest.raises(UsageError, match="repeats"):
            class_shares(probs, probs, [0, 1, 0], rng=rng, repeats=repeats)  # type: ignore[arg-type]
