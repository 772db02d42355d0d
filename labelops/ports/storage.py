"""Where a workspace is kept: append-only tables and write-once objects."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Protocol, runtime_checkable

import pandas as pd

__all__ = ["BatchObjects", "Compacting", "Objects", "Tables"]


@runtime_checkable
class Tables(Protocol):
    """Append-only tables of a workspace."""

    def append(self, table: str, frame: pd.DataFrame, *, after: int | None = None) -> None:
        """Check and append rows, all or none; many processes may append at once.

        Parameters
        ----------
        table : str
        frame : rows of the table
        after : int, optional
            Append only if the table is still at this `version`: what was concluded from a table
            is said only as long as that is all it holds.

        Raises
        ------
        TableError
            If rows break the table's contract; nothing is appended.
        ConflictError
            If the table is at another version than `after`; nothing is appended.
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
class Compacting(Protocol):
    """Tables whose rows lie in many small files after a while, and that can merge them."""

    def compact(self, table: str) -> int:
        """Merge small files while others read and append; return how many went. Rows stay."""
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


@runtime_checkable
class BatchObjects(Objects, Protocol):
    """Objects that can be created many at a time."""

    def put_all(self, contents: Iterable[tuple[str, bytes]]) -> None:
        """Create many objects as `put_new` does; all are safe when this returns."""
        ...
