"""What the search for wrong labels asks: second opinions, features, neighbours."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt
import pandas as pd

__all__ = ["Detected", "Detector", "Features", "NeighbourSearch", "WithWords"]


@dataclass(frozen=True, slots=True)
class Detected:
    """What a detector says about N labels.

    Parameters
    ----------
    scores : (N,) float array in [0, 1]
        Low = bad; NaN where the label is missing or could not be judged.
    flagged : (N,) bool array
        Which labels it calls wrong.
    """

    scores: npt.NDArray[np.float64]
    flagged: npt.NDArray[np.bool_]


@runtime_checkable
class Detector(Protocol):
    """A second opinion on which labels are wrong; it suspects, people decide."""

    name: str

    def detect(self, probs: npt.NDArray[np.float64], codes: npt.NDArray[np.int64]) -> Detected:
        """Judge labels by held-out probabilities.

        Parameters
        ----------
        probs : (N, K) float array
            Out-of-fold probabilities, columns in the schema's class order, rows summing to 1.
        codes : (N,) int array
            Labels; -1 is missing and not judged.
        """
        ...


Features = Callable[[pd.DataFrame], Any]
"""Items frame → (N, D) matrix, dense or sparse, of features not learned from these labels.

For an audit it may be `WithWords`.
"""


@dataclass(frozen=True, slots=True)
class WithWords:
    """Features of N items, and sparse ones that learners of an audit read beside them.

    Parameters
    ----------
    features : (N, D) array
        Neighbours are found by these.
    words : (N, W) sparse matrix
        Such as the words of texts.
    """

    features: Any
    words: Any


@runtime_checkable
class NeighbourSearch(Protocol):
    """Finds the nearest other points of every point, exactly or nearly.

    The same points give the same neighbours, however many threads look.
    """

    @property
    def name(self) -> str:
        """What the search is called."""
        ...

    def nearest(self, points: npt.NDArray[np.float32], k: int) -> npt.NDArray[np.int32]:
        """Return for each row the row numbers of its k nearest others.

        Parameters
        ----------
        points : (N, D) float32 array, C-contiguous, finite
        k : int
            At least 1.

        Returns
        -------
        (N, k) int32 array by Euclidean distance, about nearest first; never the row itself,
        never a row twice, and -1 after the last one found.
        """
        ...
