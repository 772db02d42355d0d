"""From votes held against others' beliefs to an interval: how much they count, and where it is."""

from __future__ import annotations

import numpy as np
from scipy import sparse

from labelops.measure.codes import FloatArray

__all__ = ["EDGES", "WORTH_OF_FEW", "intervals", "worth"]

_ESTIMATE_VOTES = 4.0
"""Votes the crowd counts for in the estimate, which is to err little; in the interval it has no
part."""
_MOST_PEOPLE = 500
_PRIOR_INFORMATION = 12.0
"""Of an accuracy that may be anything: one over the variance of a number drawn from [0, 1]."""

WORTH_OF_FEW = {1: 0.0, 2: 0.0, 3: 0.2, 4: 0.4}
"""What the likelihood counts, by the number of voices; found in simulations. With two, only how
often they agree is known. With three or four all hangs on each other, and the matrix, which looks
at the estimate alone, does not see how far off that may be."""

_GRID = (np.arange(400) + 0.5) / 400
EDGES = np.linspace(-12.0, 12.0, 97)
"""Bins of log v/u, which is all the likelihood needs of a vote."""


def worth(pairs: sparse.csr_matrix) -> FloatArray:
    """Variance of each accuracy when the others' are given, over that when they are not."""
    people = pairs.shape[0]
    own = np.asarray(pairs.diagonal(), dtype=np.float64) + _PRIOR_INFORMATION
    if people <= _MOST_PEOPLE:
        full = np.linalg.inv(pairs.toarray() + _PRIOR_INFORMATION * np.eye(people))
        return np.asarray(1 / (own * np.diagonal(full)))
    # A series' first step; the others are many, and each tells little of one.
    scale = sparse.diags(1 / np.sqrt(own))
    shared = (scale @ pairs @ scale).power(2)
    rest = np.asarray(shared.sum(axis=1)).ravel() - shared.diagonal()
    return np.asarray(1 / (1 + rest))


def intervals(
    bins: FloatArray, hits: FloatArray, given: FloatArray, crowd: float, confidence: float
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return estimates and intervals from votes by log v/u, and from those that gold judges."""
    ratios = np.exp((EDGES[1:] + EDGES[:-1]) / 2)
    likelihood = bins @ np.log(_GRID + (1 - _GRID) * ratios[:, None])
    likelihood += hits[:, None] * np.log(_GRID) + (given - hits)[:, None] * np.log1p(-_GRID)
    tail = (1 - confidence) / 2
    jeffreys = _shares(likelihood, 0.5, 0.5)
    low, high = _quantile(jeffreys, tail), _quantile(jeffreys, 1 - tail)
    pulled = _shares(likelihood, _ESTIMATE_VOTES * crowd, _ESTIMATE_VOTES * (1 - crowd))
    return np.clip(pulled @ _GRID, low, high), low, high


def _shares(likelihood: FloatArray, right: float, wrong: float) -> FloatArray:
    """Multiply by a Beta prior; rows sum to 1 over the grid."""
    logs = likelihood + (right - 1) * np.log(_GRID) + (wrong - 1) * np.log1p(-_GRID)
    shares = np.exp(logs - logs.max(axis=1, keepdims=True, initial=-np.inf))
    return np.asarray(shares / shares.sum(axis=1, keepdims=True))


def _quantile(shares: FloatArray, level: float) -> FloatArray:
    """Invert each row's distribution function, straight within a cell of the grid."""
    below = np.cumsum(shares, axis=1)
    cell = np.minimum((below < level).sum(axis=1), len(_GRID) - 1)
    rows = np.arange(len(shares))
    inside = (level - (below[rows, cell] - shares[rows, cell])) / shares[rows, cell]
    return np.asarray((cell + np.clip(inside, 0.0, 1.0)) / len(_GRID))
