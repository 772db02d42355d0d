"""Tables and objects in memory: for tests and simulations of many label sets, nothing is kept."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pandas as pd

from ..errors import ConflictError, NotFoundError
from ..tables import TABLES, check, empty

__all__ = ["MemoryObjects", "MemoryTables"]


class MemoryTables:
    """Append-only tables that last as long as the process (see `ports.Tables`).

    Examples
    --------
    >>> tables = MemoryTables()
    >>> tables.version("votes"), len(tables.read("votes"))
    (0, 0)
    """

    def __init__(self) -> None:
        self.parts: dict[str, list[pd.DataFrame]] = {name: [] for name in TABLES}

    def append(self, table: str, frame: pd.DataFrame, *, after: int | None = None) -> None:
        """Add rows, checked; none are no version.

        Raises
        ------
        ConflictError
            If the table is at another version than `after`.
        """
        if not len(frame):
            return
        rows = check(TABLES[table], frame)
        if after is not None and after != self.version(table):
            raise ConflictError(f"table {table} is at version {self.version(table)}, not {after}")
        self.parts[table].append(rows)

    def read(
        self,
        table: str,
        *,
        columns: Sequence[str] | None = None,
        where: Mapping[str, str | int | Sequence[str]] | None = None,
    ) -> pd.DataFrame:
        """Return all rows, or those columns, of rows that are as `where` says."""
        parts = self.parts[table]
        rows = pd.concat(parts, ignore_index=True) if parts else empty(TABLES[table])
        for name, wanted in (where or {}).items():
            among = [wanted] if isinstance(wanted, (str, int)) else list(wanted)
            rows = rows.loc[rows[name].isin(among)]
        return rows.reset_index(drop=True) if columns is None else rows[list(columns)]

    def version(self, table: str) -> int:
        """Count the appends."""
        return len(self.parts[table])


class MemoryObjects:
    """Write-once objects that last as long as the process (see `ports.Objects`).

    Examples
    --------
    >>> objects = MemoryObjects()
    >>> objects.put_new("a", b"1"), objects.put_new("a", b"2"), objects.get("a")
    (True, False, b'1')
    """

    def __init__(self) -> None:
        self.kept: dict[str, bytes] = {}

    def put_new(self, name: str, content: bytes) -> bool:
        """Keep the content unless the name is taken; say whether it was kept."""
        if name in self.kept:
            return False
        self.kept[name] = content
        return True

    def get(self, name: str) -> bytes:
        """Return what was kept.

        Raises
        ------
        NotFoundError
            If nothing was.
        """
        if name not in self.kept:
            raise NotFoundError(f"no object is named {name!r}")
        return self.kept[name]

    def list(self, prefix: str = "") -> list[str]:
        """Return the names that begin so, sorted."""
        return sorted(n for n in self.kept if n.startswith(prefix))
