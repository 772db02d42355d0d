"""How common each class is among what came in last, without anybody having labeled it all."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from ..digest import seed_of
from ..measure.codes import IntArray
from ..measure.label_shift import class_shares
from . import State
from .drift import arrivals, stream_items
from .votes import majority_codes

__all__ = ["ShareRow", "latest_shares"]

_LEAST = 50  # Labeled random items of earlier runs that calibrate the model.
_MOST = 1_000  # New items that are read.
_REPEATS = 50


@dataclass(frozen=True, slots=True)
class ShareRow:
    """One class among the items of the latest run: its share there, and before.

    `low` and `high` are the bootstrap interval of `now`, each class by itself.
    """

    name: str
    before: float
    now: float
    low: float
    high: float


def latest_shares(state: State) -> tuple[ShareRow, ...]:
    """Estimate the class shares of the latest run by the model's held-out probabilities.

    Bias-corrected temperature scaling on the random items of earlier runs, then expectation
    maximisation: the estimate is right where classes became more or less common and each still
    looks the same. Nothing, while there is one run, no model, or too little to calibrate by.
    """
    probs, schema = state.probs, state.workspace.schema
    run = arrivals(state)
    if probs is None or not len(run) or run.max() < 1:
        return ()
    last = int(run.max())
    stream = stream_items(state)
    votes = state.current.loc[state.current["purpose"] == "calibrate"]
    codes = majority_codes(votes, schema).reindex(stream.loc[stream["run"] < last, "item_id"])
    codes = codes.dropna()
    old, new = probs[_rows(state, codes.index)], probs[_rows(state, _some(state, run, last))]
    known = ~np.isnan(old).any(axis=1)
    new = new[~np.isnan(new).any(axis=1)]
    if known.sum() < _LEAST or len(new) < _LEAST:
        return ()
    rng = np.random.default_rng(seed_of(state.workspace.key, "shares", str(last)))
    found = class_shares(
        new, old[known], codes.to_numpy(dtype=np.int64)[known], rng=rng, repeats=_REPEATS
    )
    numbers = (found.old, found.shares, found.low, found.high)
    return tuple(
        ShareRow(name, *(float(n) for n in row))
        for name, *row in zip(schema.classes, *numbers, strict=True)
    )


def _some(state: State, run: pd.Series, last: int) -> pd.Index:
    """Return items of the latest run, at most so many, by lot."""
    ids = run.index[run == last]
    draws = state.workspace.draws("shares", ids)
    return ids[np.argsort(draws, kind="stable")[:_MOST]]


def _rows(state: State, ids: pd.Index) -> IntArray:
    found: IntArray = pd.Index(state.item_ids).get_indexer(ids).astype(np.int64)
    return found
