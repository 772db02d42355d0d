"""The one entry from a table of votes, or arrays of them, to labels with a posterior."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import pandas as pd

from ..errors import TableError, UsageError, shown
from ..measure.codes import BoolArray, FloatArray, IntArray
from .choose import CodeConsensus
from .evidence import decide
from .fused import fused_codes

__all__ = ["Consolidated", "consolidate"]

_COLUMNS = {
    "item": ("item", "item_id", "task"),
    "annotator": ("annotator", "annotator_id", "worker"),
    "label": ("label", "value", "code"),
    "weight": ("weight",),
    "saw": ("saw_proposal",),
}

VoteTable: TypeAlias = "pd.DataFrame | tuple[npt.ArrayLike, npt.ArrayLike, npt.ArrayLike]"


@dataclass(frozen=True, slots=True)
class Consolidated:
    """Labels, what they rest on, and how good annotators are.

    Attributes
    ----------
    items : (N,) object
        The items, sorted unless they were given.
    classes : (K,) object
        The classes, sorted unless they were given.
    annotators : (A,) object
        Who voted.
    labels : (N,) object
        The most probable class, None without a vote or where two classes share first place.
    found : CodeConsensus
        Posterior, votes, skills, method and reason, in the order of the above.
    """

    items: npt.NDArray[np.object_]
    classes: npt.NDArray[np.object_]
    annotators: npt.NDArray[np.object_]
    labels: npt.NDArray[np.object_]
    found: CodeConsensus

    @property
    def posterior(self) -> FloatArray:
        """Calibrated belief about each item's class, (N, K); rows sum to 1."""
        return self.found.posterior

    @property
    def method(self) -> str:
        """What was used."""
        return self.found.method

    @property
    def reason(self) -> str:
        """Why that."""
        return self.found.reason

    def decided(self, min_posterior: float, min_votes: int = 1) -> npt.NDArray[np.object_]:
        """Return the labels that have enough evidence; None abstains.

        Parameters
        ----------
        min_posterior : float
            Least posterior of the label.
        min_votes : int
            Least votes on the item.
        """
        codes = decide(
            self.found.posterior, self.found.votes, min_posterior=min_posterior,
            min_votes=min_votes,
        )  # fmt: skip
        return _named(codes, self.classes)

    def to_frame(self) -> pd.DataFrame:
        """Return a row an item: `item`, `label`, `posterior` of it, `votes`."""
        return pd.DataFrame(
            {
                "item": self.items,
                "label": self.labels,
                "posterior": self.found.posterior.max(axis=1, initial=0.0),
                "votes": self.found.votes,
            }
        )

    def skills(self) -> pd.DataFrame:
        """Return a row an annotator: `annotator`, `accuracy`, and its 95 % interval."""
        return pd.DataFrame(
            {
                "annotator": self.annotators,
                "accuracy": self.found.accuracy,
                "low": self.found.accuracy_low,
                "high": self.found.accuracy_high,
            }
        )


def consolidate(
    votes: VoteTable,
    *,
    items: Sequence[Any] | npt.NDArray[Any] | None = None,
    classes: Sequence[Any] | npt.NDArray[Any] | None = None,
    probs: pd.DataFrame | npt.ArrayLike | None = None,
    gold: pd.Series[Any] | None = None,
    start: Consolidated | None = None,
    method: str = "auto",
    min_gold: int = 30,
) -> Consolidated:
    """Turn votes into labels whose posterior means what it says, by what the votes support.

    Parameters
    ----------
    votes : DataFrame or tuple of three arrays
        A row a vote. Columns `item` (or `item_id`, `task`), `annotator` (or `worker`), `label` (or
        `value`), and optionally `weight` and `saw_proposal` (whether the model's proposal was in
        sight). Or (items, annotators, labels). A missing label is no vote.
    items : (N,) sequence, optional
        The items to label, in this order; those voted on when left out.
    classes : (K,) sequence, optional
        The classes in order; those given when left out (gold's and the model's included).
    probs : DataFrame by item and class, or (N, K) array-like with `items`, optional
        A model's probabilities for items whose votes it did not learn from; NaN rows where it
        says nothing. Read where most items have fewer than three votes; with more, votes decide.
    gold : Series by item, optional
        Known classes. They calibrate the posterior, they are not mixed into it.
    start : Consolidated, optional
        Yesterday's result: its annotators' skills are believed first.
    method : str
        `auto`, or one of `labelops.consolidate.METHODS`.
    min_gold : int
        Gold items with votes from which on gold calibrates.

    Returns
    -------
    Consolidated

    Raises
    ------
    TableError
        A column is missing, a vote names no item or annotator, or a class that is not listed.
    UsageError
        `probs` do not fit, or the method is unknown.

    Examples
    --------
    >>> votes = pd.DataFrame({"item": ["a", "a", "a", "b", "b"],
    ...                       "annotator": ["x", "y", "z", "x", "y"],
    ...                       "label": ["cat", "cat", "dog", "dog", "dog"]})
    >>> found = consolidate(votes)
    >>> found.labels.tolist(), found.method
    (['cat', 'dog'], 'majority')
    >>> found.decided(min_posterior=0.9).tolist()
    [None, None]
    """
    table = _table(votes)
    known = _ids("item", table["item"], items)
    names = _classes(table["label"], classes, probs, gold)
    people = _people(table["annotator"], start)
    place, who = known.get_indexer(table["item"]), people.get_indexer(table["annotator"])
    code = _codes(table["label"], names)
    code[place < 0] = -1
    model = None if probs is None else _model(probs, known, names)
    truth = None if gold is None else _gold(gold, known, names)
    found = fused_codes(
        np.maximum(place, 0), who, code, model, len(known), len(names), method=method,
        n_annotators=len(people), weights=_optional(table, "weight"), saw=_saw(table), gold=truth,
        min_gold=min_gold, start=None if start is None else _state(start, names),
    )  # fmt: skip
    best = decide(found.posterior, found.votes, min_posterior=0.0)
    labels = _named(best, names.to_numpy(dtype=object))
    return Consolidated(
        known.to_numpy(dtype=object),
        names.to_numpy(dtype=object),
        people.to_numpy(dtype=object),
        labels,
        found,
    )


def _table(votes: VoteTable) -> pd.DataFrame:
    """Give the table our column names, without rows that carry no vote."""
    if isinstance(votes, tuple):
        if len(votes) != 3:
            raise UsageError("votes: expected (items, annotators, labels)")
        arrays = [np.asarray(v) for v in votes]
        if len({len(a) for a in arrays}) > 1:
            raise UsageError(f"votes: arrays differ in length: {[len(a) for a in arrays]}")
        votes = pd.DataFrame(dict(zip(("item", "annotator", "label"), arrays, strict=True)))
    found: dict[str, Any] = {}
    for name, among in _COLUMNS.items():
        column = next((c for c in among if c in votes.columns), None)
        if column is not None:
            found[name] = votes[column].reset_index(drop=True)
        elif name in ("item", "annotator", "label"):
            raise TableError(
                "votes", [f"no column {' or '.join(among)}; found {shown(list(votes.columns))}"]
            )
    table = pd.DataFrame(found)
    table = table.loc[table["label"].notna()].reset_index(drop=True)
    for name in ("item", "annotator"):
        if table[name].isna().any():
            row = int(np.flatnonzero(table[name].isna())[0])
            raise TableError("votes", [f"row {row} has no {name}; every vote needs one"])
    return table


def _ids(name: str, values: pd.Series[Any], given: Any) -> pd.Index[Any]:
    if given is None:
        return pd.Index(np.sort(values.unique()))
    index = pd.Index(given)
    if not index.is_unique:
        raise UsageError(f"{name} {shown(index[index.duplicated()][0])} is listed twice")
    return index


def _classes(values: pd.Series[Any], given: Any, probs: Any, gold: Any) -> pd.Index[Any]:
    if given is not None:
        return _ids("class", values, given)
    if isinstance(probs, pd.DataFrame):
        return _ids("class", values, probs.columns)
    found = values if gold is None else pd.concat([values, gold.dropna()])
    index = pd.Index(np.sort(found.unique()))
    if len(index) < 2:
        raise UsageError(f"votes: {len(index)} classes were given; name all of them in `classes`")
    return index


def _people(values: pd.Series[Any], start: Consolidated | None) -> pd.Index[Any]:
    """Annotators, those of an earlier result first."""
    now = pd.Index(np.sort(values.unique()))
    if start is None:
        return now
    before = pd.Index(start.annotators)
    return before.append(now[~now.isin(before)])


def _codes(values: pd.Series[Any], names: pd.Index[Any]) -> IntArray:
    codes: IntArray = names.get_indexer(values).astype(np.int64)
    if (codes < 0).any():
        row = int(np.flatnonzero(codes < 0)[0])
        said = shown(values.iloc[row])
        raise TableError("votes", [f"row {row} says {said}, expected one of {shown(list(names))}"])
    return codes


def _model(probs: Any, known: pd.Index[Any], names: pd.Index[Any]) -> FloatArray:
    if isinstance(probs, pd.DataFrame):
        missing = names[~names.isin(probs.columns)]
        if len(missing):
            raise UsageError(f"probs: no column for class {shown(missing[0])}")
        array = probs.reindex(index=known, columns=names).to_numpy(dtype=np.float64)
    else:
        array = np.asarray(probs, dtype=np.float64)
    if array.shape != (len(known), len(names)):
        raise UsageError(
            f"probs: shape {array.shape}, expected {(len(known), len(names))} (items, classes)"
        )
    said = array[~np.isnan(array).all(axis=1)]
    if said.size and not (np.isfinite(said).all() and (said >= 0).all()):
        raise UsageError("probs: a value is negative or missing; a row is all NaN or none")
    if said.size and np.abs(said.sum(axis=1) - 1).max() > 1e-3:
        raise UsageError("probs: rows must sum to 1; normalise them first")
    return np.asarray(array)


def _gold(gold: pd.Series[Any], known: pd.Index[Any], names: pd.Index[Any]) -> IntArray:
    values = gold.reindex(known)
    codes: IntArray = names.get_indexer(values).astype(np.int64)
    bad = (codes < 0) & values.notna().to_numpy()
    if bad.any():
        raise UsageError(f"gold: {shown(values[bad].iloc[0])} is not one of {shown(list(names))}")
    return codes


def _optional(table: pd.DataFrame, name: str) -> FloatArray | None:
    return np.asarray(table[name], dtype=np.float64) if name in table else None


def _saw(table: pd.DataFrame) -> BoolArray | None:
    return np.asarray(table["saw"], dtype=np.bool_) if "saw" in table else None


def _state(start: Consolidated, names: pd.Index[Any]) -> CodeConsensus:
    if list(start.classes) != list(names):
        raise UsageError("start: its classes are others, or in another order; leave it out")
    return start.found


def _named(codes: IntArray, classes: npt.NDArray[np.object_]) -> npt.NDArray[np.object_]:
    names = np.empty(len(classes) + 1, dtype=object)
    names[:-1], names[-1] = classes, None
    return np.asarray(names[codes])
