"""Rows beside the items that are there: which are known, which say something else now."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
import pandas as pd

from labelops.errors import ChangedPayloadError, SourceError, UsageError, counted, shown

__all__ = [
    "as_before",
    "changed_error",
    "changed_rows",
    "differs",
    "match",
    "none_for_missing",
    "other_source_problems",
]

_BEGINNING = 60


def none_for_missing(cells: pd.Series) -> npt.NDArray[np.object_]:
    """Return cells as objects, None where one is missing, however it is said."""
    plain = cells.astype(object).where(cells.notna(), None)
    return np.asarray(plain.to_numpy(dtype=object), dtype=object)


def match(ids: pd.Series, existing: pd.DataFrame) -> npt.NDArray[np.int64]:
    """Return each id's row in `existing`, -1 where it is new."""
    index = pd.Index(existing["item_id"], dtype=object)
    if not index.is_unique:
        raise UsageError("`existing` has an item twice; collapse it with `tables.newest` first")
    return np.asarray(index.get_indexer(pd.Index(ids, dtype=object)), dtype=np.int64)


def other_source_problems(
    rows: pd.DataFrame, existing: pd.DataFrame, known: npt.NDArray[np.int64]
) -> Iterator[SourceError]:
    """Yield rows whose key is that of another source's item."""
    there = np.flatnonzero(known >= 0)
    sources = existing["source"].to_numpy(dtype=object)[known[there]]
    for place in np.flatnonzero(sources != rows["source"].to_numpy(dtype=object)[there]):
        row = rows.iloc[there[place]]
        yield SourceError(
            f"the key {shown(row['item_id'])} already belongs to an item of source "
            f"{shown(sources[place])}; keys are shared by all sources: if this is a later export "
            "of the same rows, let the `path` of that source name it, else prefix one of the keys",
            file=row["file"],
            row=int(row["row"]),
        )


def changed_rows(
    rows: pd.DataFrame, existing: pd.DataFrame, known: npt.NDArray[np.int64]
) -> npt.NDArray[np.bool_]:
    """Say which known items have another payload now."""
    return differs(rows, existing, known, "payload_digest")


def differs(
    rows: pd.DataFrame, existing: pd.DataFrame, known: npt.NDArray[np.int64], column: str
) -> npt.NDArray[np.bool_]:
    """Say which known items have another cell in a column now."""
    result = np.zeros(len(rows), dtype=bool)
    there = known >= 0
    if column == "expires":
        after = pd.to_datetime(rows[column], utc=True).astype("datetime64[us, UTC]")[there]
        before = existing[column].iloc[known[there]]
        result[there] = ~_same_times(before, after)
    else:
        before = none_for_missing(existing[column])[known[there]]
        result[there] = before != none_for_missing(rows[column])[there]
    return result


def _same_times(before: pd.Series, after: pd.Series) -> npt.NDArray[np.bool_]:
    a, b = before.to_numpy("datetime64[us]"), after.to_numpy("datetime64[us]")
    return np.asarray((a == b) | (np.isnat(a) & np.isnat(b)))


_OWN = ("payload", "media_type", "payload_digest", "owner_group", "attributes")
"""What a row says of its item; its rights are the source's."""


def as_before(
    rows: pd.DataFrame,
    existing: pd.DataFrame,
    known: npt.NDArray[np.int64],
    changed: npt.NDArray[np.bool_],
) -> pd.DataFrame:
    """Return the rows, but those with another payload as they were, for all but rights.

    What an owner does not allow any more is not allowed for an item whose row is set aside.
    """
    rows = rows.copy()
    for column in _OWN:
        before = none_for_missing(existing[column])[known[changed]]
        cells = none_for_missing(rows[column])
        cells[changed] = before
        rows[column] = cells
    return rows


def changed_error(
    rows: pd.DataFrame,
    existing: pd.DataFrame,
    known: npt.NDArray[np.int64],
    changed: npt.NDArray[np.bool_],
) -> ChangedPayloadError:
    """Return what is wrong with rows that say something else: the first, and how many more."""
    places = np.flatnonzero(changed)
    first = places[np.argmin(rows["row"].to_numpy()[places])]
    row, before = rows.iloc[first], existing["payload"].iloc[known[first]]
    was, now = _where_they_differ(str(before), str(row["payload"]))
    more = f" (and {counted(places.size - 1, 'more changed payload')})" if places.size > 1 else ""
    return ChangedPayloadError(
        f"{row['file']}, row {row['row']}: the key {shown(row['item_id'])} was ingested with the "
        f"payload {was}, now it has {now}; `labelops ingest --revise` if that is meant{more}"
    )


def _where_they_differ(before: str, after: str) -> tuple[str, str]:
    """Quote the beginning of two texts, or what stands around the first difference.

    Examples
    --------
    >>> _where_they_differ("What is my balance?", "What is your balance?")
    ("'What is my balance?'", "'What is your balance?'")
    """
    pairs = zip(before, after, strict=False)
    same = next((n for n, (a, b) in enumerate(pairs) if a != b), min(len(before), len(after)))
    start = 0 if same < _BEGINNING // 2 else same - _BEGINNING // 3
    mark = "…" if start else ""
    return shown(mark + before[start:], _BEGINNING), shown(mark + after[start:], _BEGINNING)
