"""How much labels say about the number of errors among them: its profile likelihood.

``python -m benchmarks.quality_profile [--quick] [--only NAME]`` prints a Markdown table: for rates
of errors fixed beforehand, how likely the labels are at best, in natural-log units below the
likeliest rate, and how many errors are then said. *As it is*: the detector's noise model without
misread items (habits, looks, and how sharp the views are, fitted by EM). *With misread items*: the
shares of items of which views are believed with four tenths and with a tenth of their logs are
fitted as well. Where two rates are as likely, only what was believed beforehand tells them apart.
"""

from __future__ import annotations

import argparse
import warnings
from collections.abc import Callable, Iterator

import numpy as np
from scipy.special import logsumexp
from sklearn.datasets import load_digits

from labelops.audit import detect_label_errors

from ._label_sets import data_folder, label_set
from ._noisy_sets import Array, Case, verified_mnist, with_noise
from ._unseen_sets import _bayes, _intents, _words

_SEED = 4100
_RATES = (0.0003, 0.001, 0.003, 0.01, 0.03, 0.1)
_MODELS = {"as it is": (1.0,), "with misread items": (1.0, 0.4, 0.1)}
_SHARES = np.array([10.0, 0.3, 0.1])  # Dirichlet's prior of items read sharply and not.
_ROUNDS, _NEAR = 25, 1e-3


def _sets() -> Iterator[tuple[str, Callable[[int], Case]]]:
    digits = load_digits(return_X_y=True)
    yield "500 digits, hard 10 %", with_noise(*digits, "hard", 0.1, 500)
    yield "naive Bayes alone, digits, hard 1 %", _bayes(with_noise(*digits, "hard", 0.01))
    if not data_folder().is_dir():
        return
    tickets = label_set("tickets")
    texts = _words(list(tickets.payloads)), tickets.truth
    yield "tickets, hard 3 %", with_noise(*texts, "hard", 0.03)
    yield "tickets, uniform 10 %", with_noise(*texts, "uniform", 0.1)
    some = _intents("train", range(60, 77), 1_500)
    texts = _words(some[0]), some[1]
    yield "17 intents, 700 texts, uniform 3 %", with_noise(*texts, "uniform", 0.03, 700)
    yield "MNIST verified", verified_mnist


class _Model:
    """The noise model at one rate after the other, each starting from the one before."""

    def __init__(self, blended: Array, codes: Array, powers: tuple[float, ...]) -> None:
        self.blended, self.logs, self.codes = blended, np.log(blended), codes
        self.powers, self.shares = powers, _SHARES[: len(powers)] / _SHARES[: len(powers)].sum()
        self.K, self.rows, self.sharpness = blended.shape[1], np.arange(len(codes)), 1.0
        self.habits = (1 - np.eye(self.K)) / (self.K - 1)
        own = blended[self.rows, codes]
        self.looks = np.minimum(own[:, None] / np.maximum(1 - blended, 1e-9), 1)

    def at(self, rate: float) -> tuple[float, float]:
        """Return the labels' log likelihood at this rate, and how many errors it says."""
        for _ in range(_ROUNDS):
            before = self.sharpness
            likelihood, said = self._round(rate)
            if abs(self.sharpness / before - 1) < _NEAR:
                break
        return likelihood, said

    def _round(self, rate: float) -> tuple[float, float]:
        habit = self.habits[:, self.codes].T
        channel = rate * (habit + self.looks) / 2
        channel[self.rows, self.codes] = 1 - rate
        read = [self._read(power * self.sharpness) for power in self.powers]
        parts = np.stack([s * r for s, r in zip(self.shares, read, strict=True)])
        parts *= np.maximum(channel, 1e-12)
        total = parts.sum(axis=(0, 2))
        parts /= total[None, :, None]
        truth = parts.sum(axis=0)
        said = float((1 - truth[self.rows, self.codes]).sum())
        truth[self.rows, self.codes] = 0
        truth *= habit / np.maximum(habit + self.looks, 1e-12)
        counts = np.stack([np.bincount(self.codes, truth[:, k], self.K) for k in range(self.K)])
        counts += 1 - np.eye(self.K)
        self.habits = counts / counts.sum(axis=1, keepdims=True)
        shares = parts.sum(axis=(1, 2)) + _SHARES[: len(parts)]
        self.shares = shares / shares.sum()
        self._sharpen(parts[0], read[0])
        return float(np.log(total).sum()), said

    def _read(self, power: float) -> Array:
        logs = power * self.logs
        return np.asarray(np.exp(logs - logsumexp(logs, axis=1, keepdims=True)))

    def _sharpen(self, truth: Array, said: Array) -> None:
        """Take a Newton step of the exponent on the views' probabilities."""
        counted, mean = truth.sum(axis=1), (said * self.logs).sum(axis=1)
        slope = mean @ counted - (truth * self.logs).sum()
        bend = counted @ ((said * self.logs**2).sum(axis=1) - mean**2)
        step = self.sharpness - slope / max(float(bend), 1e-12)
        self.sharpness = float(np.clip(step, self.sharpness / 2, self.sharpness * 2))


def _lines(name: str, case: Case) -> Iterator[str]:
    found = detect_label_errors(
        case.codes, n_classes=case.n_classes, features=case.features, probs=case.probs,
        out_of_sample=case.probs is not None, rng=np.random.default_rng(_SEED),
    )  # fmt: skip
    assert found.held_out is not None
    for kind, powers in _MODELS.items():
        model = _Model(found.held_out, case.codes, powers)
        fits = [model.at(rate) for rate in _RATES]
        best = max(likelihood for likelihood, _ in fits)
        cells = [f"{likelihood - best:.1f} ({said:.1f})" for likelihood, said in fits]
        yield f"| {name} | {int(case.wrong.sum())} | {kind} | " + " | ".join(cells) + " |"


def main() -> None:
    """Measure and print."""
    options = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    options.add_argument("--quick", action="store_true", help="digits only")
    options.add_argument("--only", default="", help="only sets whose name begins so")
    asked = options.parse_args()
    warnings.simplefilter("ignore")
    print("| set | errors | model | " + " | ".join(f"{rate:.2%}" for rate in _RATES) + " |")
    print("|---|---:|---|" + "---:|" * len(_RATES))
    for name, make in _sets():
        if name.startswith(asked.only) and ("digits" in name or not asked.quick):
            for line in _lines(name, make(_SEED)):
                print(line, flush=True)


if __name__ == "__main__":
    main()
