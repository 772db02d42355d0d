"""The noise model: rate, habits and probabilities from labels alone."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import softmax
from sklearn.metrics import average_precision_score

from labelops.audit import noise_model
from labelops.audit.noise_model import NoiseModel, fit_noise_model


def _world(
    kind: str, rate: float, seed: int = 0, N: int = 2000, K: int = 4
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Make views that know the truth's posterior, seen through noisy labels (half as sharp)."""
    rng = np.random.default_rng(seed)
    logs = rng.normal(size=(N, K)) + 9 * np.eye(K)[rng.integers(0, K, N)]
    sharp = softmax(logs, axis=1)
    truth = (rng.random(N)[:, None] >= sharp.cumsum(axis=1)).sum(axis=1).clip(0, K - 1)
    bad = rng.random(N) < rate
    shift = rng.integers(1, K, N) if kind == "uniform" else 1
    codes = np.where(bad, (truth + shift) % K, truth)
    return softmax(0.5 * logs, axis=1), codes, codes != truth


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["uniform", "pairs"])
@pytest.mark.parametrize("rate", [0.02, 0.15])
def test_rate_and_probabilities_are_right(kind: str, rate: float) -> None:
    """The share of wrong labels comes out, and probabilities mean what they say."""
    blended, codes, bad = _world(kind, rate)
    model = fit_noise_model(blended, codes)
    chance = 1 - model.posterior(blended, codes)[np.arange(len(codes)), codes]
    assert model.rate == pytest.approx(bad.mean(), abs=0.01 + 0.1 * rate)
    at = np.minimum((chance * 10).astype(int), 9)
    off = np.bincount(at, chance - bad, minlength=10)
    assert np.abs(off).sum() / len(codes) < 0.02


def test_clean_labels_are_left_alone() -> None:
    """Without noise hardly any label is called wrong."""
    blended, codes, _ = _world("uniform", 0.0)
    model = fit_noise_model(blended, codes)
    chance = 1 - model.posterior(blended, codes)[np.arange(len(codes)), codes]
    assert model.rate < 0.003
    assert (chance > 0.5).sum() <= 3


def test_habits_are_learned() -> None:
    """Which class is given for which shows, when it is always the next one."""
    blended, codes, _ = _world("pairs", 0.15)
    habits = fit_noise_model(blended, codes).habits
    assert habits.sum(axis=1) == pytest.approx(np.ones(4))
    assert (np.diag(habits) == 0).all()
    assert (habits[np.arange(4), (np.arange(4) + 1) % 4] > 0.8).all()


def _weak(rate: float, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Give chance and errors of ten items a class, 30 classes, views that mean what they say."""
    rng = np.random.default_rng(seed)
    logs = rng.normal(size=(300, 30)) + 5 * np.eye(30)[rng.integers(0, 30, 300)]
    views = softmax(logs, axis=1)
    truth = (rng.random(300)[:, None] >= views.cumsum(axis=1)).sum(axis=1).clip(0, 29)
    bad = rng.random(300) < rate
    codes = np.where(bad, (truth + rng.integers(1, 30, 300)) % 30, truth)
    posterior = fit_noise_model(views, codes).posterior(views, codes)
    return 1 - posterior[np.arange(300), codes], bad


@pytest.mark.slow
def test_few_items_of_many_classes_make_no_habits() -> None:
    """A few doubted labels prove no habit: with five errors counted a class it said 231 of 9."""
    chance, bad = map(np.concatenate, zip(*(_weak(0.01, s) for s in range(4)), strict=True))
    assert bad.sum() == 9
    assert chance.sum() < 60


@pytest.mark.slow
def test_errors_among_few_items_of_many_classes_are_found() -> None:
    """One label in ten is wrong: these stand out, though the views are weak."""
    chance, bad = map(np.concatenate, zip(*(_weak(0.1, s) for s in range(4)), strict=True))
    assert chance[bad].mean() > 4 * chance[~bad].mean()
    assert average_precision_score(bad, chance) > 0.6


def test_looks_draw_errors_less_than_views_say() -> None:
    """From the second class to a far one the odds of an error fall to the power of .75."""
    views = np.array([[0.9, 0.08, 0.02]])
    second, far = (noise_model._looks(views, np.array([c]))[0, 0] for c in (1, 2))
    assert second + far == pytest.approx(1)
    assert second / far == pytest.approx(4**0.75)


def test_votes_take_the_labels_place() -> None:
    """Unanimous votes against a class outweigh an unsure view; rows without votes are as before."""
    blended, codes, _ = _world("uniform", 0.1, N=400)
    voted = np.full(blended.shape, np.nan)
    voted[:200] = np.log(0.01)
    voted[np.arange(200), codes[:200]] = 0.0
    model = fit_noise_model(blended, codes, voted)
    flat = np.full((1, 4), 0.25)
    said = np.log([[1.0, 0.01, 0.01, 0.01]])
    assert model.posterior(flat, np.array([2]), said)[0, 0] > 0.9
    none = np.full((1, 4), np.nan)
    alone = model.posterior(flat, np.array([2]))
    assert np.allclose(model.posterior(flat, np.array([2]), none), alone)
    assert alone[0, 2] > 0.5


def test_missing_labels_say_nothing() -> None:
    """A row without a label keeps what the views say, and does not move the fit."""
    blended, codes, _ = _world("uniform", 0.1, N=500)
    some = np.where(np.arange(500) < 100, -1, codes)
    a, b = fit_noise_model(blended, some), fit_noise_model(blended[100:], codes[100:])
    assert a.rate == pytest.approx(b.rate)
    free = a.posterior(blended[:100], some[:100])
    logs = np.log(blended[:100])
    sharp = [softmax(fit.sharpness * logs, axis=1) for fit in a.fits]
    blurred = [softmax(0.4 * fit.sharpness * logs, axis=1) for fit in a.fits]
    shares = [fit.misread for fit in a.fits]
    read = [(1 - h) * s + h * b for h, s, b in zip(shares, sharp, blurred, strict=True)]
    assert np.allclose(free, np.tensordot(a.weights, read, 1))


def _misread(share: float, seed: int, N: int = 600) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Give views that are surely wrong on so many items, labels one in thirty of which is wrong."""
    blended, codes, bad = _world("uniform", 0.03, seed, N)
    rng = np.random.default_rng(seed + 100)
    other = rng.random(N) < share
    blended[other] = np.roll(blended[other], 1, axis=1)
    return blended, codes, bad


@pytest.mark.slow
def test_items_that_views_misread_are_not_called_surely_wrong() -> None:
    """With views misled on 4 % the probabilities are nearer to the truth than one fit's are."""
    loss = np.zeros(2)
    for seed in range(8):
        blended, codes, bad = _misread(0.04, seed)
        model = fit_noise_model(blended, codes)
        rows = np.arange(len(codes))
        for i, fits in enumerate((model, NoiseModel(model.fits[:1], np.ones(1)))):
            right = np.clip(fits.posterior(blended, codes)[rows, codes], 1e-6, 1 - 1e-6)
            loss[i] -= np.log(np.where(bad, 1 - right, right)).sum()
    assert loss[0] < 0.98 * loss[1]


def _weight_of_most_misread(misread: float) -> float:
    rng = np.random.default_rng(5)
    logs = 2 * rng.normal(size=(20_000, 4)) + 5 * np.eye(4)[rng.integers(0, 4, 20_000)]
    blurred = rng.random(len(logs)) < misread
    views = softmax(np.where(blurred[:, None], 0.4, 1) * logs, axis=1)
    truth = (rng.random(len(logs))[:, None] >= views.cumsum(axis=1)).sum(axis=1).clip(0, 3)
    bad = rng.random(len(logs)) < 0.02
    codes = np.where(bad, (truth + rng.integers(1, 4, len(logs))) % 4, truth)
    model = fit_noise_model(softmax(logs, axis=1), codes)
    assert model.weights.sum() == pytest.approx(1)
    assert model.fits[-1].misread == 0.03
    return float(model.weights[-1])


@pytest.mark.slow
def test_views_are_not_believed_in_full_where_labels_leave_it_open() -> None:
    """Of views that are half as sharp as they should be, none comes out four times too sharp."""
    for seed in range(8):
        blended, codes, _ = _misread(0.04, seed)
        assert all(1 < fit.sharpness < 4 for fit in fit_noise_model(blended, codes).fits)


@pytest.mark.parametrize("share", [0.0, 0.04])
def test_each_share_is_fitted_as_well_as_alone(
    share: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """To go on from the share before finds what a fit of its own finds, and is no other."""
    blended, codes, _ = _misread(share, 1)
    found = fit_noise_model(blended, codes).fits
    assert [fit.misread for fit in found] == [0.0, 0.01, 0.03]
    for fit in found:
        monkeypatch.setattr(noise_model, "_MISREAD", (fit.misread,))
        (alone,) = fit_noise_model(blended, codes).fits
        assert fit.log_likelihood == pytest.approx(alone.log_likelihood, abs=0.01)
        assert fit.rate == pytest.approx(alone.rate, abs=1e-3)


@pytest.mark.slow
def test_labels_tell_whether_items_are_misread() -> None:
    """It shows in many labels: the odds of 3 % are higher where so many are, twice at least."""
    there, none = (_weight_of_most_misread(share) for share in (0.03, 0.0))
    assert there / (1 - there) > 2 * none / (1 - none)


@pytest.mark.slow
def test_very_many_rows_are_learned_from_some_first(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is found is what all rows alone would show, a few steps before they stand still."""
    rng = np.random.default_rng(0)
    truth = rng.integers(0, 3, 6_000)
    blended = softmax(rng.normal(4, 2, 6_000)[:, None] * np.eye(3)[truth], axis=1)
    codes = np.where(rng.random(6_000) < 0.1, (truth + 1) % 3, truth)
    whole = fit_noise_model(blended, codes)
    monkeypatch.setattr(noise_model, "_ENOUGH", 1_500)
    some = fit_noise_model(blended, codes)
    assert some.rate == pytest.approx(whole.rate, abs=0.003)
    assert np.abs(some.habits - whole.habits).max() < 0.02
    at = [m.posterior(blended, codes)[np.arange(6_000), codes] for m in (some, whole)]
    assert np.abs(at[0] - at[1]).mean() < 0.005
    again = fit_noise_model(blended, codes, rng=np.random.default_rng(0))
    assert again.rate == some.rate
