"""Noisy labels with probabilities, whole and in blocks, and every way to ask which are wrong."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

import numpy as np

from labelops.audit.confident import LabelIssues

FILTERS = (
    "prune_by_noise_rate",
    "prune_by_class",
    "both",
    "confident_learning",
    "predicted_neq_given",
    "low_self_confidence",
    "low_normalized_margin",
)

SCORES = ("self_confidence", "normalized_margin", "confidence_weighted_entropy")
# Each width is a machine code of its own, and takes a second or two to compile the first time.
NARROW = (np.float16, np.float32)


def some_labels(seed: int, dtype: Any = np.float64) -> tuple[np.ndarray, np.ndarray]:
    """Noisy labels with missing ones, ties, duplicates and absent classes."""
    rng = np.random.default_rng(seed)
    N, K = int(rng.integers(1, 300)), int(rng.integers(2, 70))
    true = rng.integers(0, K, N)
    logits = rng.normal(size=(N, K))
    logits[np.arange(N), true] += np.log(K) + rng.normal(1.5, 1.5, N)
    codes = np.where(rng.random(N) < 0.25, rng.integers(-1, K, N), true)
    probs = np.exp(logits)
    if seed % 2:
        probs = np.round(8 * probs / probs.max(axis=1, keepdims=True))
    probs /= probs.sum(axis=1, keepdims=True)
    if seed % 3 == 0:
        probs, codes = np.repeat(probs, 2, axis=0), np.repeat(codes, 2)
        codes[codes == K - 1] = 0
    return codes, probs.astype(dtype)


def assert_same(one: LabelIssues, two: LabelIssues) -> None:
    """Compare every bit of two results."""
    for field in fields(one):
        a, b = getattr(one, field.name), getattr(two, field.name)
        assert a.dtype == b.dtype, field.name
        assert np.array_equal(a, b, equal_nan=a.dtype.kind == "f"), field.name


class Blocks:
    """Blocks cut anywhere, as a file would have them."""

    def __init__(self, probs: np.ndarray, cuts: list[int]) -> None:
        self.shape = (probs.shape[0], probs.shape[1])
        self.starts = [0, *cuts]
        self._parts = np.split(probs, cuts)

    def block(self, number: int) -> np.ndarray:
        return self._parts[number]
