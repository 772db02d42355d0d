"""How labels go wrong, learned together with how sharp the views really are.

Every item has a true class, more or less plain from the blended views; its label is that class,
or, at some rate, another one: half by the habits of the class (which class is given for which),
half by what the item looks like. Rate, habits and sharpness are the most probable ones given all
labels (EM), and Bayes' rule then gives each label's probability of being wrong. Where votes on an
item are known, what they say takes the label's place.

Some items the views misread, however sure they are. From labels alone that is hard to tell from
errors: so no one share of such items is believed, but each as far as the labels speak for it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from scipy.special import softmax

from labelops.measure.codes import FloatArray, IntArray
from labelops.measure.draws import check_rng, some_rows
from labelops.measure.logs import log_sum_exp

__all__ = ["NoiseFit", "NoiseModel", "fit_noise_model"]

_HABIT = 0.5  # Half habits, half looks: better than either alone on every kind of noise measured.
# What views say to this power is how looks draw errors: planted by looks, they go less often to the
# class that views put second than views say, however little is planted evenly.
_DRAWN = 0.75
# Errors of each kind counted before any is seen (Laplace's). A number for the whole class, be it
# five, is next to none for each of 76 others: then a few doubted labels make habits of themselves.
_SMOOTH = 1.0
_RATE, _LABELS = 0.03, 10.0  # Before any label is seen: 3 %, as if from ten labels.
_STARTS = (0.03, 0.2)
_ROUNDS = 100
# Rows from which the noise model is learned, and the steps that all rows then take part in.
_ENOUGH, _LAST = 20_000, 3
_FLATTEST, _SHARPEST = 0.05, 10.0
# One standard deviation of the sharpness before any label is seen: a factor of ten either way.
# Labels may leave it as good as open, and then views would be believed in full.
_SPREAD = float(np.log(10.0))
# Shares of misread items, as probable as each other before any label is seen; of such an item the
# views are believed as if their logs were four tenths as large.
_MISREAD = (0.0, 0.01, 0.03)
_BLURRED = 0.4


@dataclass(frozen=True, slots=True)
class NoiseModel:
    """Several ways these labels may have come about, each as probable as the labels make it.

    Attributes
    ----------
    fits : tuple of NoiseFit
        One for each share of misread items.
    weights : (fits,) float
        Their probabilities; sum to 1.
    """

    fits: tuple[NoiseFit, ...]
    weights: FloatArray

    @property
    def rate(self) -> float:
        """Share of the labels that are wrong."""
        return float(self.weights @ [fit.rate for fit in self.fits])

    @property
    def habits(self) -> FloatArray:
        """Row: true class; column: the class given for it when the label is wrong by habit."""
        return np.asarray(np.tensordot(self.weights, [fit.habits for fit in self.fits], 1))

    def posterior(
        self,
        blended: FloatArray,
        codes: IntArray,
        voted: FloatArray | None = None,
    ) -> FloatArray:
        """Return P(true class | views, label or votes), (M, K).

        Parameters
        ----------
        blended : (M, K) float
            Blended probabilities of the rows asked about.
        codes : (M,) int
            The label each row has, or might have; -1 is missing.
        voted : (M, K) float, optional
            log P(votes | class); a row of NaN has no votes and is judged by its label.
        """
        parts = zip(self.weights, self.fits, strict=True)
        said = [w * np.exp(fit.log_joint(blended, codes, voted)[1]) for w, fit in parts if w > 0]
        return np.asarray(sum(said))


@dataclass(frozen=True, slots=True)
class NoiseFit:
    """The most probable way these labels came about if so many items are misread.

    Attributes
    ----------
    rate : float
        Share of the labels that are wrong.
    sharpness : float
        Exponent on the blended probabilities; above 1: wrong labels had made them look unsure.
    habits : (K, K) float
        Row: true class; column: the class given for it when the label is wrong by habit.
    misread : float
        Share of the items of which the views are hardly believed.
    log_likelihood : float
        Of the labels, with the prior's share.
    """

    rate: float
    sharpness: float
    habits: FloatArray
    misread: float = 0.0
    log_likelihood: float = -np.inf

    def log_joint(
        self, blended: FloatArray, codes: IntArray, voted: FloatArray | None
    ) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Weigh the classes of each row; parameters as of `NoiseModel.posterior`.

        Returns
        -------
        (M,), (M, K), (M, K) float
            Log likelihood of each row; log posterior of the classes; and the part of the posterior
            in which the item is read as sharply as most.
        """
        channel = self._channel(blended, codes)
        if voted is not None:
            channel = np.where(np.isnan(voted), channel, voted)
        sharp = self._read(blended, self.sharpness)
        prior = sharp
        if self.misread:
            sharp = np.log1p(-self.misread) + sharp
            blurred = self._read(blended, _BLURRED * self.sharpness)
            prior = np.logaddexp(sharp, np.log(self.misread) + blurred)
        joint = prior + channel
        total = log_sum_exp(joint, axis=1)
        return total, joint - total[:, None], np.exp(joint - total[:, None] + sharp - prior)

    @staticmethod
    def _read(blended: FloatArray, power: float) -> FloatArray:
        """Log probabilities to a power, normalised."""
        logs = power * np.log(blended)
        return np.asarray(logs - log_sum_exp(logs, axis=1, keepdims=True))

    def _channel(self, blended: FloatArray, codes: IntArray) -> FloatArray:
        """Log P(label | true class, item), (M, K); 0 where the label is missing."""
        chance = self.rate * (
            _HABIT * self.habits[:, codes].T + (1 - _HABIT) * _looks(blended, codes)
        )
        chance[np.arange(len(codes)), codes] = 1 - self.rate
        chance[codes < 0] = 1
        return np.asarray(np.log(np.maximum(chance, 1e-12)))


def _looks(blended: FloatArray, codes: IntArray) -> FloatArray:
    """P(label | true class, wrong, by looks): the other classes as they draw errors."""
    drawn = blended**_DRAWN
    drawn /= drawn.sum(axis=1, keepdims=True)
    own = drawn[np.arange(len(codes)), codes]
    return np.asarray(np.minimum(own[:, None] / np.maximum(1 - drawn, 1e-9), 1))


def fit_noise_model(
    blended: FloatArray,
    codes: IntArray,
    voted: FloatArray | None = None,
    rng: np.random.Generator | None = None,
) -> NoiseModel:
    """Find the most probable rate, habits and sharpness from all labels, for each share misread.

    Of very many rows 20,000 show where that is about, and all of them then where it is.

    Parameters
    ----------
    blended : (N, K) float
        Positive probabilities that saw no row's own label; rows sum to 1.
    codes : (N,) int
        Labels; -1 is missing.
    voted : (N, K) float, optional
        log P(votes | class); rows of NaN have no votes.
    rng : numpy.random.Generator, optional
        Draws rows where there are very many; seeded with 0 when left out.

    References
    ----------
    Bootkrajang, Kabán 2012, https://doi.org/10.1007/978-3-642-33460-3_15
    Patrini et al. 2017, https://doi.org/10.1109/CVPR.2017.240

    Examples
    --------
    >>> from scipy.special import expit
    >>> rng = np.random.default_rng(0)
    >>> truth = rng.integers(0, 2, 2000)
    >>> plain = expit(rng.normal(5, 2, 2000))[:, None]
    >>> p = np.where(np.arange(2) == truth[:, None], plain, 1 - plain)
    >>> codes = np.where(rng.random(2000) < 0.1, 1 - truth, truth)
    >>> model = fit_noise_model(p, codes)
    >>> bool(0.05 < model.rate < 0.15), model.posterior(p, codes).shape
    (True, (2000, 2))
    """
    rng = np.random.default_rng(0) if rng is None else rng
    check_rng(rng)
    known = (codes >= 0) if voted is None else (codes >= 0) | ~np.isnan(voted[:, 0])
    rows = np.flatnonzero(known)
    few = some_rows(rows, _ENOUGH, rng)
    some = _parts(blended, codes, voted, few)
    paths = [_along_shares(*some, rate) for rate in _STARTS]
    fits = tuple(max(f, key=lambda fit: fit.log_likelihood) for f in zip(*paths, strict=True))
    if len(few) < len(rows):
        every = _parts(blended, codes, voted, rows)
        fits = tuple(_climb(fit, *every, rounds=_LAST) for fit in fits)
    return NoiseModel(fits, softmax([fit.log_likelihood for fit in fits]))


def _parts(
    blended: FloatArray, codes: IntArray, voted: FloatArray | None, rows: IntArray
) -> tuple[FloatArray, IntArray, FloatArray | None]:
    """Return some rows of each; where that is all, without a copy."""
    if len(rows) == len(codes):
        return blended, codes, voted
    return blended[rows], codes[rows], None if voted is None else voted[rows]


def _along_shares(
    blended: FloatArray, codes: IntArray, voted: FloatArray | None, rate: float
) -> list[NoiseFit]:
    """Fit each share of misread items, from where the share before it ended: that is near."""
    K = blended.shape[1]
    model = NoiseFit(rate, 1.0, (1 - np.eye(K)) / (K - 1))
    fits = []
    for misread in _MISREAD:
        model = _climb(replace(model, misread=misread), blended, codes, voted)
        fits.append(model)
    return fits


def _climb(
    model: NoiseFit,
    blended: FloatArray,
    codes: IntArray,
    voted: FloatArray | None,
    rounds: int = _ROUNDS,
) -> NoiseFit:
    """Take steps until the rate and the sharpness stand still, or there were so many."""
    for _ in range(rounds):
        before = model
        total, logs, sharply = model.log_joint(blended, codes, voted)
        fit = float(total.sum()) + _prior_fit(model)
        model = replace(model, log_likelihood=fit)
        model = _maximise(model, blended, codes, np.exp(logs), sharply)
        moved = abs(model.rate - before.rate) + abs(model.sharpness / before.sharpness - 1)
        if moved < 1e-4:
            break
    return model


def _prior_fit(model: NoiseFit) -> float:
    rate = _LABELS * (_RATE * np.log(model.rate) + (1 - _RATE) * np.log1p(-model.rate))
    return float(rate - (np.log(model.sharpness) / _SPREAD) ** 2 / 2)


def _maximise(
    model: NoiseFit,
    blended: FloatArray,
    codes: IntArray,
    posterior: FloatArray,
    sharply: FloatArray,
) -> NoiseFit:
    """One step: the parameters under which the posterior truth gives the labels."""
    K = blended.shape[1]
    labeled = np.flatnonzero(codes >= 0)
    given, truth = codes[labeled], posterior[labeled].copy()
    wrong = float((1 - truth[np.arange(len(given)), given]).sum())
    truth[np.arange(len(given)), given] = 0
    habit = _HABIT * model.habits[:, given].T
    looks = (1 - _HABIT) * _looks(blended[labeled], given)
    truth *= habit / np.maximum(habit + looks, 1e-12)
    counts = np.stack([np.bincount(given, truth[:, k], K) for k in range(K)])
    habits = counts + _SMOOTH * (1 - np.eye(K))
    return replace(
        model,
        rate=(wrong + _LABELS * _RATE) / (len(given) + _LABELS),
        sharpness=_sharpness(blended, sharply, model.sharpness),
        habits=habits / habits.sum(axis=1, keepdims=True),
    )


def _sharpness(blended: FloatArray, truth: FloatArray, power: float) -> float:
    """Take one Newton step towards the exponent that predicts the truth of sharply read items best.

    `truth`: P(class, and the item is read sharply), (M, K); rows sum to 1 at most.
    """
    logs = np.log(blended)
    said = softmax(power * logs, axis=1)
    mean = np.einsum("nk,nk->n", said, logs)
    counted = truth.sum(axis=1)
    slope = float(mean @ counted - np.einsum("nk,nk->", truth, logs))
    bend = float(np.einsum("n,nk,nk,nk->", counted, said, logs, logs) - counted @ mean**2)
    slope += float(np.log(power)) / (power * _SPREAD**2)
    bend += 1 / (power * _SPREAD) ** 2
    step = power - slope / bend
    return float(np.clip(step, max(power / 2, _FLATTEST), min(power * 2, _SHARPEST)))
