"""How far a model that does not learn from us is to be believed, without its own items' say."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import pandas as pd

from ..digest import digest
from ..measure.calibration import fit_temperature

__all__ = ["Temperatures", "learn_temperatures"]

_FOLDS = 5
_LEAST = 20


@dataclass(frozen=True, slots=True)
class Temperatures:
    """What probabilities are softened by.

    Parameters
    ----------
    overall : float
        For items of groups that nothing was learned from; at least 1.
    by_fold : tuple of float
        For the others, learned from the groups of the other folds.
    folds : dict of group to fold
    """

    overall: float = 1.0
    by_fold: tuple[float, ...] = (1.0,) * _FOLDS
    folds: dict[str, int] = field(default_factory=dict)

    def of(self, groups: Iterable[str]) -> tuple[list[float], pd.api.extensions.ExtensionArray]:
        """Return each item's temperature and fold; the fold is missing where nothing was learned.

        Examples
        --------
        >>> Temperatures(2.0, (3.0,) * 5, {"g": 1}).of(["g", "other"])[0]
        [3.0, 2.0]
        """
        folds = [self.folds.get(group) for group in groups]
        found = [self.overall if fold is None else self.by_fold[fold] for fold in folds]
        return found, pd.array(folds, dtype="Int64")


def learn_temperatures(
    probs: npt.NDArray[np.float64],
    codes: npt.NDArray[np.int64],
    groups: Sequence[str],
    trained: Iterable[str],
) -> Temperatures:
    """Fit temperatures on labeled items, one for each fold of leakage groups and one for the rest.

    Never below 1: a model is not made surer than it says. With fewer than twenty items to fit on
    it is believed as it is.

    Parameters
    ----------
    probs : (N, K) float array
    codes : (N,) int array
        Labels, none missing.
    groups : (N,) leakage groups
    trained : groups
        All that were given to learn from, also those of items without probabilities.

    Examples
    --------
    >>> probs, codes = np.tile([0.99, 0.01], (100, 1)), np.repeat([0, 1], [80, 20])
    >>> found = learn_temperatures(probs, codes, [str(n) for n in range(100)], [])
    >>> round(found.overall, 1)
    3.3
    """
    fold = np.array([_fold(group) for group in groups])
    by_fold = tuple(_temperature(probs[fold != f], codes[fold != f]) for f in range(_FOLDS))
    return Temperatures(_temperature(probs, codes), by_fold, {g: _fold(g) for g in trained})


def _fold(group: str) -> int:
    """Deal groups into folds by name, so that other groups move none."""
    return int(digest([group])[:8], 16) % _FOLDS


def _temperature(probs: npt.NDArray[np.float64], codes: npt.NDArray[np.int64]) -> float:
    return 1.0 if len(probs) < _LEAST else max(1.0, fit_temperature(probs, codes))
