"""What ingesting a file would change: the rows to append to the items table, and their counts."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import numpy as np
import numpy.typing as npt
import pandas as pd

from labelops.tables import ITEMS, check, empty

from .duplicates import components, name_groups, near_edges, same_edges
from .known import differs, none_for_missing

__all__ = ["Ingested", "assembled"]

_SAID = ("source", "owner_group", "licence", "purposes", "region", "expires", "attributes")


@dataclass(frozen=True, slots=True)
class Ingested:
    """What ingesting a file would change.

    Parameters
    ----------
    new : pandas.DataFrame
        Rows to append to the items table; empty if nothing changed.
    added : int
        Items that were not known.
    unchanged : int
        Known items that came again as they are, or whose row was set aside.
    revised : int
        Known items with another payload (`revise`).
    updated : int
        Known items with the same payload but other rights, attributes or owner's group.
    regrouped : int
        Known items, not in the above, whose leakage group was merged or renamed.
    duplicates : int
        Rows whose content a known item or another row of the file has, too (all but one).
    gone : int
        Items of this source that no row is of any more. They stay, with all that was said of them;
        those that were withdrawn are not counted.
    groups : int
        Leakage groups of two or more items, in the whole table.
    set_aside : tuple of str
        Known items whose row has another payload now (`apart`). They stay as they were, but for
        what the source's rights are.
    why : str
        What is wrong with these rows, in words.
    bad : tuple of str
        What is wrong with rows that could not be taken, a line each (`apart`); of very many the
        first. A known item stays as it was, but for what the source's rights are.
    bad_rows : int
        How many such rows there are.
    """

    new: pd.DataFrame
    added: int
    unchanged: int
    revised: int
    updated: int
    regrouped: int
    duplicates: int
    gone: int
    groups: int
    set_aside: tuple[str, ...] = ()
    why: str = ""
    bad: tuple[str, ...] = ()
    bad_rows: int = 0


def assembled(
    rows: pd.DataFrame,
    existing: pd.DataFrame,
    known: npt.NDArray[np.int64],
    changed: npt.NDArray[np.bool_],
    now: datetime,
    again: int,
    gone: int,
) -> Ingested:
    """Put together what rows of a file, one an item, mean for the items that are there.

    Parameters
    ----------
    rows : (R,) frame
        As they are to be taken, with sketches.
    existing : items frame
        The newest revision of every item.
    known : (R,) int
        Each row's place in `existing`; -1: a new item.
    changed : (R,) bool
        Where a known item has another payload now.
    now : datetime
        With a time zone.
    again, gone : int
        Rows of the file that only repeated another one, and items that no row is of any more.
    """
    fresh = known < 0
    updated = np.zeros(len(rows), dtype=bool)
    for column in _SAID:
        other = differs(rows, existing, known, column)
        # Without a key the attributes say which of several equal rows was kept: no news.
        updated |= other & (rows["keyed"].to_numpy() | (column != "attributes"))
    updated &= ~changed
    touched = fresh | changed | updated
    groups, labels = _groups(rows, existing, known, touched)
    place = np.where(fresh, len(existing) + np.cumsum(fresh) - 1, known)
    moved = existing["group"].to_numpy(dtype=object) != groups[: len(existing)]
    moved[place[touched & ~fresh]] = False
    parts = [
        _next_rows(rows[touched], existing, known[touched], groups[place[touched]], now),
        _moved_rows(existing[moved], groups[: len(existing)][moved]),
    ]
    filled = [part for part in parts if len(part)]
    return Ingested(
        new=check(ITEMS, pd.concat(filled)) if filled else empty(ITEMS),
        added=int(fresh.sum()),
        unchanged=int((~touched).sum()),
        revised=int(changed.sum()),
        updated=int(updated.sum()),
        regrouped=int(moved.sum()),
        duplicates=again + _repeated(rows[fresh], existing),
        gone=gone,
        groups=int((np.bincount(labels) > 1).sum()) if labels.size else 0,
    )


def _groups(
    rows: pd.DataFrame,
    existing: pd.DataFrame,
    known: npt.NDArray[np.int64],
    touched: npt.NDArray[np.bool_],
) -> tuple[npt.NDArray[np.object_], npt.NDArray[np.int64]]:
    """Return the group of every existing item and then every new one, and their components."""
    fresh = known < 0
    place = np.where(fresh, len(existing) + np.cumsum(fresh) - 1, known)

    def both(column: str) -> npt.NDArray[np.object_]:
        cells = np.concatenate(
            [none_for_missing(existing[column]), none_for_missing(rows.loc[fresh, column])]
        )
        cells[place] = none_for_missing(rows[column])
        return cells

    ids, owners = both("item_id"), both("owner_group")
    asked = np.zeros(len(ids), dtype=bool)
    asked[place[touched]] = True
    within = [None if o is None else (s, o) for s, o in zip(both("source"), owners, strict=True)]
    pairs = np.empty(len(ids), dtype=object)
    pairs[:] = within
    edges = [same_edges(existing["group"]), same_edges(both("payload_digest")), same_edges(pairs)]
    if asked.any():
        edges += near_edges(both("sketch"), asked)
    labels = components(len(ids), edges)
    return name_groups(ids, labels), labels


def _next_rows(
    rows: pd.DataFrame,
    existing: pd.DataFrame,
    known: npt.NDArray[np.int64],
    groups: npt.NDArray[np.object_],
    now: datetime,
) -> pd.DataFrame:
    revisions = np.zeros(len(rows), dtype=np.int64)
    revisions[known >= 0] = existing["revision"].to_numpy()[known[known >= 0]] + 1
    when = pd.Series([now], dtype="datetime64[us, UTC]").repeat(len(rows)).array
    full = rows.assign(revision=revisions, group=groups, ingested_at=when)
    full["expires"] = pd.to_datetime(full["expires"], utc=True).astype("datetime64[us, UTC]")
    return full[ITEMS.names]


def _moved_rows(items: pd.DataFrame, groups: npt.NDArray[np.object_]) -> pd.DataFrame:
    return items.assign(group=groups, revision=items["revision"] + 1)[ITEMS.names]


def _repeated(added: pd.DataFrame, existing: pd.DataFrame) -> int:
    digests = pd.concat([existing["payload_digest"], added["payload_digest"]], ignore_index=True)
    return int(digests.duplicated().iloc[len(existing) :].sum())
