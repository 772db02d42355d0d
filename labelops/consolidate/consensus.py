"""The one entry from a table of votes, or arrays of them, to labels with a posterior."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from ..errors import UsageError, shown
from ..measure.brief import brief
from ..measure.codes import FloatArray, IntArray
from ..tables.brought import Table
from .choose import CodeConsensus
from .classes import class_codes, class_names, gold_codes, known_classes
from .evidence import decide
from .fused import fused_codes
from .inputs import (
    VoteTable,
    distinct,
    listed,
    model_probs,
    read_probs,
    read_votes,
)
from .policy import check_method

__all__ = ["Consolidated", "consolidate"]


@brief
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

    @property
    def copies(self) -> tuple[tuple[Any, ...], ...]:
        """Groups of annotators who answer as one, and were counted once."""
        return tuple(tuple(self.annotators[list(group)]) for group in self.found.copies)

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
    votes: VoteTable | npt.ArrayLike,
    *more: npt.ArrayLike,
    items: Sequence[Any] | npt.NDArray[Any] | None = None,
    classes: Sequence[Any] | npt.NDArray[Any] | None = None,
    probs: Table | npt.ArrayLike | None = None,
    gold: pd.Series[Any] | Mapping[Any, Any] | None = None,
    start: Consolidated | None = None,
    method: str = "auto",
    min_gold: int = 30,
) -> Consolidated:
    """Turn votes into labels whose posterior means what it says, by what the votes support.

    Parameters
    ----------
    votes, more : DataFrame, Arrow table, dict of columns, or three arrays
        A row a vote; what gives Arrow (polars, duckdb) is an Arrow table. Columns `item` (or
        `item_id`, `task`), `annotator` (or `worker`), `label` (or `value`), and optionally `weight`
        and `saw_proposal` (true or false: whether the model's proposal was in sight). Or items,
        annotators and labels, one after the other or as a tuple. A missing label is no vote. Of
        two votes of one annotator on an item the later row counts, and `reason` says how many were
        left out; the methods on their own (`dawid_skene` and so on) count both.
    items : (N,) sequence, optional
        The items to label, in this order; those voted on when left out.
    classes : (K,) sequence, optional
        The classes in order; when left out the model's, where `probs` names them, or those that
        votes name. A class that nobody gave has to be listed.
    probs : DataFrame by item and class, or (N, K) array-like with `items`, optional
        A model's probabilities for items whose votes it did not learn from; NaN rows where it
        says nothing. Other tables name the items in a column `item`, for they have no index. Read
        where most items have fewer than three votes; with more, votes decide.
    gold : Series or mapping by item, optional
        Known classes. They calibrate the posterior, they are not mixed into it.
    start : Consolidated, optional
        Yesterday's result: its annotators' skills are believed first, and how it weighed the
        methods of a blend stands while at most a twentieth of the votes is another. See
        `consolidate_codes`.
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
        A column is missing or there twice, or holds what it should not; the row is named.
    UsageError
        The votes are no table, `probs` do not fit, the method is unknown, or `gold` is not by item,
        of no item that has a vote, or names a class that no vote does and that is not listed; or
        all votes name one class and `classes` none.

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
    check_method(method)
    table: Any = (votes, *more) if more else votes
    given, probs = read_votes(table), read_probs(probs)
    if start is not None and not isinstance(start, Consolidated):
        raise UsageError(f"start is {shown(start)}, expected what `consolidate` returned")
    voted = distinct("item", given.items)
    known = voted if items is None else listed("item", items)
    truth = None if gold is None else known_classes(gold, voted)
    people = _people(given.annotators, start)
    # Last, for what else is wrong is no matter of the classes.
    names = class_names(given.labels, classes, probs, truth)
    place, who = known.get_indexer(given.items), people.get_indexer(given.annotators)
    code = class_codes(given.labels, names)
    code[place < 0] = -1
    found = fused_codes(
        np.maximum(place, 0),
        who,
        code,
        None if probs is None else model_probs(probs, known, names),
        len(known),
        len(names),
        method=method,
        n_annotators=len(people),
        weights=given.weights,
        saw=given.saw,
        gold=None if truth is None else gold_codes(truth, known, names),
        min_gold=min_gold,
        start=None if start is None else _state(start, names),
    )
    best = decide(found.posterior, found.votes, min_posterior=0.0)
    labels = _named(best, names.to_numpy(dtype=object))
    return Consolidated(
        known.to_numpy(dtype=object),
        names.to_numpy(dtype=object),
        people.to_numpy(dtype=object),
        labels,
        found,
    )


def _people(values: pd.Series[Any], start: Consolidated | None) -> pd.Index[Any]:
    """Annotators, those of an earlier result first."""
    now = distinct("annotator", values)
    if start is None:
        return now
    before = pd.Index(start.annotators)
    if before.empty:
        return now
    return before.append(now[~now.isin(before)])


def _state(start: Consolidated, names: pd.Index[Any]) -> CodeConsensus:
    if list(start.classes) != list(names):
        raise UsageError("start: its classes are others, or in another order; leave it out")
    return start.found


def _named(codes: IntArray, classes: npt.NDArray[np.object_]) -> npt.NDArray[np.object_]:
    names = np.empty(len(classes) + 1, dtype=object)
    names[:-1], names[-1] = classes, None
    return np.asarray(names[codes])
