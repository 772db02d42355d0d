"""The ends: the only ways out of the core, each a Protocol that adapters implement.

Every end has an embedded default and a conformance suite in `labelops.testing`. An end
raises only errors of `labelops.errors`; an `EndError` says whether trying again can help.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import pandas as pd

from .schema import Schema

__all__ = [
    "Labeler",
    "Objects",
    "Queue",
    "Received",
    "RowBlock",
    "Sent",
    "Source",
    "Tables",
]


@dataclass(frozen=True, slots=True)
class RowBlock:
    """Some rows of a source, as they were found.

    Parameters
    ----------
    frame : pandas.DataFrame
        Raw rows; text cells are str, a missing cell is None. Columns are the source's own.
    origin : str
        The file the rows came from, as the user named it; goes into messages.
    first_row : int
        Number of the first row in that file, counted from 1 after any header.
    """

    frame: pd.DataFrame
    origin: str
    first_row: int = 1


@runtime_checkable
class Source(Protocol):
    """Where raw rows come from."""

    name: str

    def rows(self) -> Iterator[RowBlock]:
        """Yield all rows in blocks; reading again yields the same.

        Raises
        ------
        SourceError
            For a file or row that cannot be read, with its place.
        """
        ...


@runtime_checkable
class Labeler(Protocol):
    """A model or rule that proposes labels; it never decides.

    `name` is what its votes and proposals are signed with (`model:…` or `rule:…`).
    """

    name: str

    def fit(
        self, items: pd.DataFrame, codes: Sequence[int], groups: Sequence[str], schema: Schema
    ) -> str:
        """Learn from labeled items; return the version, a digest of all that was learned from.

        A labeler that cannot learn returns its fixed version. Fitting on the same rows again
        gives the same version and the same proposals.

        Parameters
        ----------
        items : (N,) items frame
            Rows of the items table, one an item.
        codes : (N,) class codes, none missing
        groups : (N,) leakage groups
            A group's items are held out together.
        schema : Schema
        """
        ...

    def propose(self, items: pd.DataFrame, schema: Schema) -> pd.DataFrame:
        """Return one row an item, in any order: item_id, value, confidence, probs, fold.

        A row of an item that was fitted on comes from the fold that held its group out, and
        says which. `confidence` is NaN and `probs` None where there is none; never 0 instead.

        Raises
        ------
        EndError
            If the labeler is away, slow, or answers something else than asked.
        """
        ...


@dataclass(frozen=True, slots=True)
class Sent:
    """What `Queue.send` did.

    Parameters
    ----------
    offered : int
        Plan rows newly offered to annotators.
    known : int
        Plan rows that were offered before (nothing was done again).
    url : str or None
        Where annotators go.
    """

    offered: int
    known: int
    url: str | None = None


@dataclass(frozen=True, slots=True)
class Received:
    """What `Queue.receive` found.

    Parameters
    ----------
    votes : pandas.DataFrame
        Rows of the votes table: new, edited, skipped and deleted answers. Some may be known.
    cursor : str
        Give it to the next `receive`; opaque, and safe to lose (everything comes again).
    """

    votes: pd.DataFrame
    cursor: str


@runtime_checkable
class Queue(Protocol):
    """Where people label. Sending and receiving twice is the same as once."""

    name: str

    def send(
        self, plan: pd.DataFrame, items: pd.DataFrame, schema: Schema, *, payloads: Objects | None
    ) -> Sent:
        """Offer every plan row's item to `annotators` people for its purpose, once.

        Parameters
        ----------
        plan : rows of the plan table
        items : rows of the items table for the plan's items
        schema : Schema
        payloads : Objects or None
            Where `object:` payload URIs are found.
        """
        ...

    def receive(self, since: str | None = None) -> Received:
        """Return answers changed since a cursor (all of them without one)."""
        ...


@runtime_checkable
class Tables(Protocol):
    """Append-only tables of a workspace."""

    def append(self, table: str, frame: pd.DataFrame) -> None:
        """Check and append rows, all or none; many processes may append at once.

        Raises
        ------
        TableError
            If rows break the table's contract; nothing is appended.
        StorageError
            If the disk is full or the table is damaged.
        """
        ...

    def read(
        self,
        table: str,
        *,
        columns: Sequence[str] | None = None,
        where: Mapping[str, str | int | Sequence[str]] | None = None,
    ) -> pd.DataFrame:
        """Return all rows (events, not collapsed), with the table's dtypes.

        Parameters
        ----------
        table : str
        columns : sequence of str, optional
            Only these columns.
        where : mapping, optional
            Column → value it must equal, or values it must be among.
        """
        ...

    def version(self, table: str) -> int:
        """Return a number that grows with every append; 0 for a table nobody wrote to."""
        ...


@runtime_checkable
class Objects(Protocol):
    """Write-once bytes by name. Names are relative, '/'-separated, without '..'."""

    def put_new(self, name: str, content: bytes) -> bool:
        """Create the object whole or not at all; False if the name was taken (nothing changes)."""
        ...

    def get(self, name: str) -> bytes:
        """Return an object's bytes.

        Raises
        ------
        NotFoundError
            If there is none of that name.
        """
        ...

    def list(self, prefix: str = "") -> list[str]:
        """Return the names that start with `prefix`, sorted."""
        ...
