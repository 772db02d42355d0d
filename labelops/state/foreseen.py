"""Tables to read from as if some events were said already."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pandas as pd

from ..errors import UsageError
from ..ports import Tables
from ..tables import EVENTS

__all__ = ["ForeseenTables"]


class ForeseenTables:
    """Tables of which nothing can be changed, with events that work would say first.

    Parameters
    ----------
    tables : Tables
    events : EVENTS rows
        Those that are foreseen; of them counts what nobody has said meanwhile.

    Examples
    --------
    >>> from datetime import UTC, datetime
    >>> from labelops.state import events_frame
    >>> from labelops.testing.memory import MemoryTables
    >>> said = events_frame([("schema", "d1", 0, {})], datetime(2026, 1, 1, tzinfo=UTC))
    >>> tables = ForeseenTables(MemoryTables(), said)
    >>> tables.read("events", columns=["event_id"])["event_id"].tolist(), tables.version("events")
    (['schema/d1/0'], 0)
    """

    def __init__(self, tables: Tables, events: pd.DataFrame) -> None:
        self._tables, self._events = tables, events

    def append(self, table: str, frame: pd.DataFrame, *, after: int | None = None) -> None:
        """Refuse.

        Raises
        ------
        UsageError
        """
        raise UsageError(f"table {table}: this workspace was opened to read from, not to write to")

    def read(
        self,
        table: str,
        *,
        columns: Sequence[str] | None = None,
        where: Mapping[str, str | int | Sequence[str]] | None = None,
    ) -> pd.DataFrame:
        """Return all rows as `Tables.read`, and of events those that are foreseen."""
        if table != EVENTS.name or self._events.empty:
            return self._tables.read(table, columns=columns, where=where)
        rows = self._tables.read(table, where=where)
        more = self._events
        for column, wanted in (where or {}).items():
            among = [wanted] if isinstance(wanted, str | int) else list(wanted)
            more = more.loc[more[column].isin(among)]
        more = more.loc[~more["event_id"].isin(rows["event_id"])]
        found = pd.concat([rows, more], ignore_index=True) if len(more) else rows
        return found if columns is None else found[list(columns)]

    def version(self, table: str) -> int:
        """Return the table's own version."""
        return self._tables.version(table)
