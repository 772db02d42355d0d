"""What labels from before say of the class: a spreadsheet's, another tool's, last year's.

Nobody knows how such labels came about, so they are no votes. They are evidence beside a model's
probabilities, and what they are worth is learned from what people say.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize
from scipy.special import log_softmax

__all__ = ["Earlier", "EarlierColumn", "fit_weights"]

_Codes = npt.NDArray[np.int64]
_Floats = npt.NDArray[np.float64]

_STRENGTHS = (1.0, 3.0, 10.0, 30.0, 100.0, 300.0, 1e3, 1e4, 1e6)
"""Rows that what all classes have in common counts for, beside those of one class."""

_LEAST = 1e-6
"""Least probability that a model is taken to give, so that evidence can outweigh it."""

_MOST_WEIGHT, _AS_ROWS = 3.0, 2.0
"""Largest weight of an opinion, and what pulls the weights towards 1 where rows are few."""


@dataclass(frozen=True, slots=True)
class EarlierColumn:
    """P(cell | class) in one column, learned from rows whose class people said.

    All classes are taken to be named rightly equally often, and each departs from that as far as
    its own rows say: its counts are shrunk to what all have in common, by as much as makes every
    row likeliest under all others. So a few rows of each of many classes suffice, and a column
    that tells nothing, such as a number of each row's own, has no say.

    Parameters
    ----------
    logs : (V + 1, K) array
        Logarithm of P(cell | class), a row a cell; the last row, of empty cells and of those
        never seen, is 0.

    Examples
    --------
    >>> found = EarlierColumn.learned([0, 0, 0, 1, 1, 0], [0, 0, 0, 1, 1, 1], 2, 2)
    >>> found.of([0, 1, -1]).round(1).tolist()
    [[-0.2, -1.5], [-1.5, -0.2], [0.0, 0.0]]
    """

    logs: _Floats

    @classmethod
    def learned(
        cls, cells: npt.ArrayLike, codes: npt.ArrayLike, n_cells: int, n_classes: int
    ) -> EarlierColumn:
        """Learn from N rows.

        Parameters
        ----------
        cells : (N,) int
            What the column says: below `n_classes` a class, above another value, -1 nothing.
        codes : (N,) class codes, none missing
        n_cells : int
            Values that a cell can have, classes included.
        n_classes : int
        """
        cells, codes = np.asarray(cells, dtype=np.int64), np.asarray(codes, dtype=np.int64)
        cells, codes = cells[cells >= 0], codes[cells >= 0]
        logs = np.zeros((n_cells + 1, n_classes))
        if len(cells):
            counts = np.zeros((n_cells, n_classes))
            np.add.at(counts, (cells, codes), 1.0)
            strength = max(_STRENGTHS, key=lambda m: _left_out(counts, cells, codes, m))
            shares = counts + strength * _in_common(counts)
            logs[:-1] = np.log(shares / shares.sum(axis=0))
        return cls(logs)

    def of(self, cells: npt.ArrayLike) -> _Floats:
        """Return (N, K) logarithms of P(cell | class)."""
        return self.logs[np.asarray(cells, dtype=np.int64)]


def _in_common(counts: _Floats) -> _Floats:
    """Return (V, K) P(cell | class) where all classes are named rightly alike, and mistaken alike.

    `counts` are (V, K) rows by cell and class.
    """
    own = np.arange(counts.shape[1])
    right = (counts[own, own].sum() + 0.5) / (counts.sum() + 1.0)
    mistakes = _mistakes(counts)
    found = np.repeat(mistakes[:, None], len(own), axis=1)
    found[own, own] = 0.0
    found *= (1.0 - right) / np.maximum(found.sum(axis=0), _LEAST)
    found[own, own] = right
    return found


def _mistakes(counts: _Floats) -> _Floats:
    """Return (V,) how often each cell stands where it does not name the class, and half a row."""
    own = np.arange(counts.shape[1])
    found = counts.sum(axis=1) + 0.5
    found[own] -= counts[own, own]
    return np.asarray(found)


def _left_out(counts: _Floats, cells: _Codes, codes: _Codes, strength: float) -> float:
    """Return how likely each row is by all others, as a sum of logarithms."""
    own, is_own = np.arange(counts.shape[1]), cells == codes
    N, mistakes = len(cells), _mistakes(counts)
    right = (counts[own, own].sum() - is_own + 0.5) / N
    # A mistaken row does not count among the mistakes that make it likely.
    others = mistakes.sum() - mistakes[codes] - ~is_own
    wrong = (1.0 - right) * (mistakes[cells] - ~is_own) / np.maximum(others, _LEAST)
    in_common = np.where(is_own, right, wrong)
    found = counts[cells, codes] - 1.0 + strength * in_common
    return float(np.log(found / (counts.sum(axis=0)[codes] - 1.0 + strength)).sum())


@dataclass(frozen=True, slots=True)
class Earlier:
    """A model's opinion and the columns' as one, each with a weight.

    Parameters
    ----------
    columns : tuple of EarlierColumn
    unseen : (K,) array
        What is expected of each class that the model never saw: the share of classes seen once,
        in equal parts (Good and Turing); 0 for those it saw.
    weights : (1 + C,) array
        Of the model and of each column (`fit_weights`).

    References
    ----------
    Good (1953), The population frequencies of species and the estimation of population
    parameters, doi:10.1093/biomet/40.3-4.237.

    Examples
    --------
    >>> cells, codes = np.array([[0], [0], [0], [1], [1]] * 9), np.array([0, 0, 1, 1, 1] * 9)
    >>> known = Earlier.learned(cells, codes, [2], 2, np.ones(2))
    >>> known.joined(np.array([[0.6, 0.4]] * 2), np.array([[0], [-1]])).round(2).tolist()
    [[0.82, 0.18], [0.6, 0.4]]
    """

    columns: tuple[EarlierColumn, ...]
    unseen: _Floats
    weights: _Floats

    @classmethod
    def learned(
        cls, cells: _Codes, codes: _Codes, n_cells: Sequence[int], n_classes: int, weights: _Floats
    ) -> Earlier:
        """Learn from (N, C) cells and N codes; `n_cells` are each column's possible values."""
        counts = np.bincount(codes, minlength=n_classes)
        unseen = (counts == 0).astype(np.float64)
        if unseen.any():
            unseen *= max(int((counts == 1).sum()), 0.5) / max(len(codes), 1) / unseen.sum()
        columns = tuple(
            EarlierColumn.learned(column, codes, size, n_classes)
            for column, size in zip(cells.T, n_cells, strict=True)
        )
        return cls(columns, unseen, weights)

    def logs(self, probs: _Floats, cells: _Codes) -> _Floats:
        """Return (1 + C, N, K) logarithms: the model's (N, K) probabilities, then the columns."""
        model = (1.0 - min(self.unseen.sum(), 0.5)) * probs + self.unseen
        said = [column.of(cells[:, c]) for c, column in enumerate(self.columns)]
        return np.stack([np.log(np.maximum(model, _LEAST)), *said])

    def joined(self, probs: _Floats, cells: _Codes) -> _Floats:
        """Return (N, K) probabilities; rows of NaN stay so."""
        found = np.tensordot(self.weights, self.logs(probs, cells), axes=1)
        return np.asarray(np.exp(log_softmax(found, axis=1)))


def fit_weights(logs: _Floats, codes: npt.ArrayLike) -> _Floats:
    """Return the weights, from 0 to 3, under which held-out rows' classes are likeliest.

    What a column says and what a model has learned may be the same, and a model may be too sure
    or not sure enough: both are made up for here. Few rows leave the weights near 1.

    Parameters
    ----------
    logs : (P, N, K) array
        Logarithms of P opinions, each held out of the row it is about.
    codes : (N,) class codes

    Examples
    --------
    >>> told = np.log([[0.9, 0.1], [0.2, 0.8], [0.7, 0.3]] * 30)
    >>> chance = np.log([[0.8, 0.2], [0.8, 0.2], [0.2, 0.8]] * 30)
    >>> fit_weights(np.stack([told, chance]), [0, 1, 0] * 30).round(1).tolist()
    [2.3, 0.0]
    """
    codes = np.asarray(codes, dtype=np.int64)
    rows = np.arange(len(codes))

    def loss(weights: _Floats) -> float:
        found = log_softmax(np.tensordot(weights, logs, axes=1), axis=1)
        held = _AS_ROWS * float(((weights - 1.0) ** 2).sum())
        return held - float(found[rows, codes].sum())

    bounds = [(0.0, _MOST_WEIGHT)] * len(logs)
    return np.asarray(minimize(loss, np.ones(len(logs)), bounds=bounds, method="L-BFGS-B").x)
