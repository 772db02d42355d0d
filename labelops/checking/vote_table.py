"""Votes as a table of their own, one row a vote: whose, about which row, and which class."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from ..errors import SourceError, UsageError, counted, shown
from ..measure.codes import IntArray
from .columns import bad_cell, classes_in, filled, labels_of, names_of

__all__ = ["VoteTable"]

_ITEM = ("item", "item_id", "id", "key", "task", "task_id")
_ANNOTATOR = ("annotator", "annotator_id", "worker", "worker_id", "user", "user_id", "rater")
_VOTE = ("vote", "label", "answer", "class", "choice", "response")


@dataclass(frozen=True, slots=True)
class VoteTable:
    """M votes about N rows.

    Parameters
    ----------
    votes : (M,) frame
    column : str
        Which of its columns holds the classes; an empty cell is no vote.
    rows : (M,) int
        The place of the row that each is about; -1: it is about none of these.
    who : (M,) int
        The place of its annotator.
    annotators : tuple of str
    """

    votes: pd.DataFrame
    column: str
    rows: IntArray
    who: IntArray
    annotators: tuple[str, ...]

    @classmethod
    def of(cls, votes: pd.DataFrame, frame: pd.DataFrame, key: str | None, label: str) -> VoteTable:
        """Find out what a table's columns mean, and which row each vote is about.

        Parameters
        ----------
        votes : (M,) frame
            With a column for the item (named like `key`, or ``item``, ``item_id``, …), one for the
            annotator (``annotator``, ``worker``, …) and one for the vote (``vote``, or as `label`).
        frame : (N,) frame
        key : str or None
            The column of `frame` that the votes name their rows by.
        label : str

        Raises
        ------
        UsageError
            Without a key.
        SourceError
            A column that is not there, a row or vote that is named twice, a vote about no row.

        Examples
        --------
        >>> votes = pd.DataFrame([["b", "ann", "cat"], ["a", "ben", "dog"]],
        ...     columns=["item", "annotator", "vote"])
        >>> frame = pd.DataFrame({"id": ["a", "b"], "final": ["cat", "cat"]})
        >>> VoteTable.of(votes, frame, "id", "final").rows.tolist()
        [1, 0]
        """
        if key is None:
            raise UsageError(
                "votes in a table of their own name rows by their key: name the column that "
                "identifies a row (key)"
            )
        item = _column(votes, (key, *_ITEM), "the item")
        who = _column(votes, _ANNOTATOR, "the annotator")
        said = _column(votes, (*_VOTE, label), "the vote")
        rows = _places(votes, item, frame, key)
        people, names = pd.factorize(filled(votes, who), sort=True)
        voted = np.array([name is not None for name in names_of(votes, said)], dtype=np.bool_)
        pairs = pd.DataFrame({"row": rows, "who": people})
        twice = np.flatnonzero(pairs.loc[voted].duplicated().to_numpy())
        if twice.size:
            row = int(np.flatnonzero(voted)[twice[0]])
            raise bad_cell(
                votes,
                row,
                who,
                "votes twice on this item; keep one of the votes",
                names[people[row]],
            )
        return cls(votes, said, rows, people.astype(np.int64), tuple(map(str, names)))

    @property
    def said(self) -> str:
        """Say how many votes there are, by how many."""
        given = np.array([n is not None for n in names_of(self.votes, self.column)], dtype=np.bool_)
        people = counted(len(np.unique(self.who[given])), "annotator")
        return f"{counted(int(given.sum()), 'vote')} by {people}"

    @property
    def classes(self) -> set[str]:
        """All classes that are voted for."""
        return classes_in(self.votes, self.column)

    def within(self, place: IntArray) -> VoteTable:
        """Return the same votes about some of the rows, in their order."""
        most = int(max(self.rows.max(initial=-1), place.max(initial=-1))) + 1
        now = np.full(most + 1, -1, dtype=np.int64)
        now[place] = np.arange(len(place))
        return dataclasses.replace(self, rows=now[self.rows])

    def codes(self, classes: tuple[str, ...]) -> tuple[IntArray, IntArray, IntArray]:
        """Return rows, annotators and codes of all votes about these rows.

        Raises
        ------
        SourceError
            A vote that is no class, with its row.
        """
        codes = labels_of(self.votes, self.column, classes)
        known = (codes >= 0) & (self.rows >= 0)
        order = np.lexsort((self.who[known], self.rows[known]))
        return self.rows[known][order], self.who[known][order], codes[known][order]


def _column(votes: pd.DataFrame, names: Sequence[str], what: str) -> str:
    for name in dict.fromkeys(names):
        if list(votes.columns).count(name) == 1:
            return name
    there = ", ".join(shown(name) for name in list(votes.columns)[:20]) or "none"
    known = ", ".join(dict.fromkeys(names))
    raise SourceError(
        f"no column names {what} of a vote; there are {there}: call it one of {known}",
        file=votes.attrs.get("file"),
    )


def _places(votes: pd.DataFrame, item: str, frame: pd.DataFrame, key: str) -> IntArray:
    known = pd.Index(filled(frame, key), dtype=object)
    twice = np.flatnonzero(known.duplicated())
    if twice.size:
        row = int(twice[0])
        raise bad_cell(frame, row, key, "two rows have this key; votes need one each", known[row])
    named = filled(votes, item)
    found: IntArray = known.get_indexer(pd.Index(named, dtype=object)).astype(np.int64)
    unknown = np.flatnonzero(found < 0)
    if unknown.size:
        row = int(unknown[0])
        problem = f"no row has this in column {shown(key)}; leave the vote out, or name another key"
        raise bad_cell(votes, row, item, problem, named[row])
    return found
