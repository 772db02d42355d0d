"""The loops of Dawid–Skene over packed votes, as kernels; `_em` has the same sums in numpy."""

from __future__ import annotations

from labelops.measure.codes import FloatArray
from labelops.measure.jit import kernel
from labelops.measure.votes import AnyInts

__all__ = ["add_evidence", "count_votes", "normalise"]


@kernel()
def count_votes(
    rows: AnyInts,
    cells: AnyInts,
    weights: FloatArray,
    posterior: FloatArray,
    first: int,
    last: int,
    counts: FloatArray,
    shares: FloatArray,
) -> None:
    """Add the beliefs about items `first` to `last - 1` to their votes' cells and classes."""
    n_classes = posterior.shape[1]
    for i in range(first, last):
        if rows[i] == rows[i + 1]:
            continue
        for v in range(rows[i], rows[i + 1]):
            cell = cells[v]
            if weights.size:
                for k in range(n_classes):
                    counts[cell, k] += weights[v] * posterior[i, k]
            else:
                for k in range(n_classes):
                    counts[cell, k] += posterior[i, k]
        for k in range(n_classes):
            shares[k] += posterior[i, k]


@kernel()
def add_evidence(
    rows: AnyInts,
    cells: AnyInts,
    weights: FloatArray,
    log_rates: FloatArray,
    log_prior: FloatArray,
    first: int,
    last: int,
    joint: FloatArray,
) -> None:
    """Log joint probability of each class and the votes, its row's largest set to 0."""
    n_classes = log_prior.size
    for i in range(first, last):
        row = joint[i - first]
        row[:] = 0.0
        for v in range(rows[i], rows[i + 1]):
            cell = cells[v]
            if weights.size:
                for k in range(n_classes):
                    row[k] += weights[v] * log_rates[cell, k]
            else:
                for k in range(n_classes):
                    row[k] += log_rates[cell, k]
        most = row[0] + log_prior[0]
        for k in range(n_classes):
            row[k] += log_prior[k]
            most = max(most, row[k])
        for k in range(n_classes):
            row[k] -= most


@kernel()
def normalise(
    rows: AnyInts, odds: FloatArray, posterior: FloatArray, first: int, last: int
) -> float:
    """Make odds the posterior; return the furthest move of an item that has votes."""
    moved = 0.0
    n_classes = odds.shape[1]
    for i in range(first, last):
        row = odds[i - first]
        total = 0.0
        for k in range(n_classes):
            total += row[k]
        here = 0.0
        for k in range(n_classes):
            value = row[k] / total
            here = max(here, abs(value - posterior[i, k]))
            posterior[i, k] = value
        if rows[i + 1] > rows[i]:
            moved = max(moved, here)
    return moved
