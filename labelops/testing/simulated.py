"""A SIMULATED annotator: what a made-up person answers, by a written-down confusion matrix."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from hashlib import blake2b
from statistics import NormalDist
from struct import Struct

import numpy as np
import numpy.typing as npt

from labelops.digest import canonical_json
from labelops.errors import UsageError, shown
from labelops.ports import Answer, Offer
from labelops.schema import Schema

__all__ = ["SimulatedAnnotator", "fixed_words"]

_NORMAL = NormalDist()
_WORDS = Struct("<4Q")


@dataclass(frozen=True, slots=True, eq=False)
class SimulatedAnnotator:
    """A made-up person whose answers are drawn from a confusion matrix.

    Parameters
    ----------
    name : str
        As in votes: ``human:…``.
    schema : Schema
        Gives the order of the classes.
    confusion : (K, K) float64 array
        Row a, column b: the probability to answer b when the truth is a; rows sum to 1.
    skip_rate : float
        The probability to skip, in [0, 1).
    anchoring : float
        The probability to repeat a pre-label that is on the screen without looking, in [0, 1].
    seconds : float
        Median time an answer takes; times are log-normal, σ = 0.5.
    seed : int
        Another seed is another draw of the same skill.
    note : str
        The skill in words.

    Raises
    ------
    UsageError
        If the name, a probability, or the matrix is not as above.

    Examples
    --------
    >>> from labelops.testing.annotators import skilled
    >>> ann = skilled("human:ann", Schema("pets", ("cat", "dog")), accuracy=0.9)
    >>> round(ann.accuracy, 3), ann.answer(Offer("x", "label", 1), '"cat"').value
    (0.9, '"cat"')
    """

    name: str
    schema: Schema
    confusion: npt.NDArray[np.float64]
    skip_rate: float = 0.0
    anchoring: float = 0.0
    seconds: float = 4.0
    seed: int = 0
    note: str = ""
    _rows: list[list[float]] = field(init=False, repr=False, compare=False)
    _codes: dict[str, int] = field(init=False, repr=False, compare=False)
    _values: list[str] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        matrix = np.asarray(self.confusion, dtype=np.float64)
        classes = len(self.schema.classes)
        if matrix.shape != (classes, classes):
            raise UsageError(f"confusion of {self.name}: shape {matrix.shape}, expected K × K")
        if (matrix < 0).any() or not np.allclose(matrix.sum(axis=1), 1.0, atol=1e-9):
            raise UsageError(f"confusion of {self.name}: rows must be probabilities that sum to 1")
        if not self.name.startswith("human:"):
            raise UsageError(f"annotator {shown(self.name)}: expected a name like human:ann")
        if not (0 <= self.skip_rate < 1 and 0 <= self.anchoring <= 1 and self.seconds > 0):
            raise UsageError(f"annotator {self.name}: a rate or the seconds are out of range")
        values = [canonical_json(c) for c in self.schema.classes]
        object.__setattr__(self, "confusion", matrix)
        object.__setattr__(self, "_rows", np.cumsum(matrix, axis=1).tolist())
        object.__setattr__(self, "_values", values)
        object.__setattr__(self, "_codes", {v: i for i, v in enumerate(values)})

    @property
    def accuracy(self) -> float:
        """The probability of a right answer when all classes are equally frequent."""
        return float(np.trace(self.confusion) / len(self.confusion))

    def answer(self, offer: Offer, truth: str) -> Answer:
        """Answer (or skip) an offer whose true value is known.

        Raises
        ------
        UsageError
            If `truth` is no value of the annotator's schema.
        """
        if truth not in self._codes:
            raise UsageError(f"item {shown(offer.item_id)}: true value {shown(truth)} is no class")
        skips, anchors, errs, slows = self._draws(offer)
        if skips < self.skip_rate:
            return Answer(offer, None, math.nan)
        seconds = round(self.seconds * math.exp(0.5 * _NORMAL.inv_cdf(slows)), 3)
        if offer.shown is not None and anchors < self.anchoring:
            return Answer(offer, offer.shown, seconds)
        row = self._rows[self._codes[truth]]
        code = next((b for b, upto in enumerate(row) if errs < upto), len(row) - 1)
        return Answer(offer, self._values[code], seconds)

    def _draws(self, offer: Offer) -> Iterator[float]:
        """Give four numbers in (0, 1), fixed by seed, name and offer."""
        words = fixed_words(str(self.seed), self.name, offer)
        return ((word + 0.5) / 2.0**64 for word in words)


def fixed_words(stream: str, annotator: str, offer: Offer) -> tuple[int, ...]:
    """Give four 53-bit numbers, times 2¹¹, that depend on the arguments only."""
    key = repr((stream, annotator, offer.item_id, offer.purpose, offer.round))
    words = _WORDS.unpack(blake2b(key.encode(), digest_size=32).digest())
    return tuple(word >> 11 << 11 for word in words)
