"""One method run on packed votes, and how far it is to be softened by votes that it did not see."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

import numpy as np

from labelops.errors import UsageError
from labelops.measure.codes import FloatArray
from labelops.measure.votes import Votes, pack_votes

from ._family import DawidSkene, Start
from .blend import Blend, blend
from .counts import vote_counts
from .crowd import as_sure_as_known, crowd_accuracy, likely_accuracies, one_coin_posterior
from .dawid_skene import dawid_skene_shards
from .difficulty import fit_glad
from .ebcc import ebcc_shards
from .evidence import held_out_temperature, soften, softening
from .held_out import HeldOut
from .ibcc import ibcc_shards
from .one_coin import one_coin_shards
from .shrunk import shrunk_dawid_skene_shards

__all__ = ["Found", "run_method"]

_ABOVE_CHANCE = 0.05


@dataclass(frozen=True, slots=True)
class Found:
    """What a method said, not yet calibrated; the temperature is by what `calibration` says."""

    posterior: FloatArray
    temperature: float
    calibration: str
    iterations: int = 0
    converged: bool = True
    weights: Mapping[str, float] = field(default_factory=dict)
    scores: Mapping[str, float] = field(default_factory=dict)
    dependence: float = math.nan
    held_out: HeldOut | None = None
    learned: Blend | None = None


def run_method(votes: Votes, method: str, start: Start | Blend) -> Found:
    """Run one of `METHODS` but `auto`."""
    if method == "majority":
        return _majority(votes)
    if method == "blend":
        return _pooled(votes, blend(votes, start=start))
    if isinstance(start, Blend):
        raise UsageError(f"{method}: a blend is no start of it")
    found = _fit(votes, method, start)
    calibrated = _calibrated(votes, found.posterior, _held_out(votes, method))
    return Found(*calibrated, found.iterations, found.converged)


def _fit(votes: Votes, method: str, start: Start = None, **limits: float) -> DawidSkene:
    """Run one model of annotators."""
    fits: dict[str, Callable[..., DawidSkene]] = {
        "dawid_skene": dawid_skene_shards,
        "one_coin": one_coin_shards,
        "shrunk": shrunk_dawid_skene_shards,
        "ibcc": ibcc_shards,
    }
    if method in fits:
        return fits[method]([votes], start=start, **limits)
    if method == "ebcc":
        return ebcc_shards([votes], **limits)  # type: ignore[arg-type]
    return fit_glad(votes, **limits)  # type: ignore[arg-type]


def _majority(votes: Votes) -> Found:
    def consensus(weights: FloatArray) -> FloatArray:
        counts = vote_counts(items, codes, votes.n_items, votes.n_classes, weights)
        return one_coin_posterior(counts, crowd)

    items, codes, weights = votes.items, votes.codes, _weights(votes)
    counts = vote_counts(items, codes, votes.n_items, votes.n_classes, weights)
    crowd = likely_accuracies(counts)
    if crowd is None:
        return Found(one_coin_posterior(counts, crowd), 1.0, "none")
    # Were it no better than guessing, there would be no majority either.
    crowd = np.maximum(crowd, 1 / votes.n_classes + _ABOVE_CHANCE)
    temperature = held_out_temperature(votes, float(crowd.mean()), consensus)
    posterior = one_coin_posterior(counts, crowd)
    if temperature is None:
        return Found(posterior, 1.0, "agreement")
    return Found(posterior, temperature, "held-out votes")


def _pooled(votes: Votes, found: Blend) -> Found:
    temperature, one = None, None
    if (held := found.held_out) is not None:
        weights = np.array(list(found.weights.values()))
        pooled = np.einsum("hmk,m->hk", held.beliefs, weights)
        temperature = softening(pooled, held.chances)
        one = replace(held, beliefs=soften(pooled, temperature)[:, None])
    return Found(
        *_calibrated(votes, found.posterior, temperature), found.iterations, found.converged,
        found.weights, found.scores, found.dependence, one, found.without_items(),
    )  # fmt: skip


def _calibrated(
    votes: Votes, posterior: FloatArray, temperature: float | None
) -> tuple[FloatArray, float, str]:
    """Leave it to a temperature by held-out votes; where they are too few, to agreement."""
    if temperature is not None:
        return posterior, temperature, "held-out votes"
    counts = vote_counts(votes.items, votes.codes, votes.n_items, votes.n_classes, votes.weights)
    crowd = likely_accuracies(counts)
    if crowd is None:
        return posterior, 1.0, "none"
    return as_sure_as_known(posterior, counts, crowd), 1.0, "agreement"


def _held_out(votes: Votes, method: str) -> float | None:
    """Soften a single model by how it predicts the votes of annotators it did not see."""

    def consensus(weights: FloatArray) -> FloatArray:
        # A few steps suffice to see how sure the others would have been.
        rest = pack_votes(
            items, annotators, codes, n_items=votes.n_items, n_annotators=votes.n_annotators,
            n_classes=votes.n_classes, weights=weights,
        )  # fmt: skip
        return _fit(rest, method, max_iterations=30, tolerance=1e-2).posterior

    items, weights = votes.items, _weights(votes)
    annotators, codes = votes.annotators.astype(np.int64), votes.codes.astype(np.int64)
    counts = vote_counts(items, codes, votes.n_items, votes.n_classes, weights)
    crowd = crowd_accuracy(counts)
    if crowd is None:
        return None
    return held_out_temperature(votes, crowd, consensus)


def _weights(votes: Votes) -> FloatArray:
    return np.ones(votes.cells.size) if votes.weights is None else votes.weights
