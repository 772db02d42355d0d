"""Raw rows become items: all of a file, nothing of it, or all but its bad rows."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import replace
from datetime import datetime

import numpy as np
import numpy.typing as npt
import pandas as pd

from labelops.errors import SourceError, UsageError

from .identity import content_id, key_problems
from .ingested import Ingested, assembled
from .known import (
    as_before,
    changed_error,
    changed_rows,
    match,
    none_for_missing,
    other_source_problems,
)
from .payload import normalised, payload_problems, text_digest
from .raw import MAX_CELL, RAW_COLUMNS, Problems
from .rights import Rights
from .set_aside import SetAside, as_they_were, set_aside, with_known
from .sketches import text_sketches

__all__ = ["Ingested", "ingest_rows"]


def ingest_rows(
    raw: pd.DataFrame,
    existing: pd.DataFrame,
    *,
    source: str,
    rights: Rights,
    key: bytes,
    now: datetime,
    revise: bool = False,
    apart: SetAside | None = None,
    names: Mapping[str, str] | None = None,
    max_cell: int = MAX_CELL,
    withdrawn: Collection[str] = (),
) -> Ingested:
    """Turn the raw rows of one file into items, beside those that are there.

    Ingesting a file twice is the same as once. The order of the rows changes no id and no
    group. Groups only grow: a revised payload does not leave its group, because what was
    learned from the old payload stays learned.

    Parameters
    ----------
    raw : (N,) frame with the columns `RAW_COLUMNS` (`content` may be absent)
    existing : items frame
        The newest revision of every item.
    source : str
        The source's name.
    rights : Rights
        The source's rights; if they differ from those stored, the rows are updated.
    key : bytes
        The workspace's secret key.
    now : datetime
        With a time zone.
    revise : bool
        Take another payload under a known key as the item's next revision.
    apart : SetAside, optional
        Take all rows but such ones (unless `revise`) and bad ones, which are added to those that
        the source could not read.
    names : mapping, optional
        Raw column → the owner's name of it, for messages; else ``raw.attrs["names"]``.
    max_cell : int
        Largest text, in characters.
    withdrawn : collection of str
        Items that were withdrawn: they stay known, so that no row makes them new.

    Raises
    ------
    SourceError
        For bad rows: the first one, with the count of the others. With `apart` if they are more
        than may be.
    ChangedPayloadError
        If a known key came with another payload, and it is to be neither taken nor set aside.

    Examples
    --------
    >>> from datetime import UTC
    >>> from labelops.tables import ITEMS, empty
    >>> cells = {"file": "a.csv", "row": 1, "key": "a", "payload": "red cat"}
    >>> cells |= {"media_type": "text/plain", "attributes": "{}"}
    >>> raw = pd.DataFrame([dict.fromkeys(RAW_COLUMNS) | cells])
    >>> said = {"source": "mail", "rights": Rights(), "key": b"k", "now": datetime.now(UTC)}
    >>> found = ingest_rows(raw, empty(ITEMS), **said)
    >>> again = ingest_rows(raw, found.new, **said)
    >>> found.new["item_id"].tolist(), found.added, again.added, again.unchanged
    (['a'], 1, 0, 1)
    """
    if now.tzinfo is None:
        raise UsageError("`now` needs a time zone")
    _check_columns(raw)
    called = {"key": "key", "payload": "payload"} | dict(names or raw.attrs.get("names", {}))
    raw = _sound_rows(raw.reset_index(drop=True), called, max_cell, apart)
    rows = _item_rows(raw, source, rights, key)
    again = int(rows["item_id"].duplicated().sum())
    rows = _one_row_an_item(rows)
    if apart is None:
        _refuse(other_source_problems(rows, existing, match(rows["item_id"], existing)))
    else:
        _set_aside_of_others(rows, existing, apart, len(raw))
        rows = apart.without(rows)
        rows = with_known(rows, as_they_were(existing, apart.keys, source, rights))
    known = match(rows["item_id"], existing)
    changed = changed_rows(rows, existing, known)
    aside, why = (), ""
    if changed.any() and not revise:
        error = changed_error(rows, existing, known, changed)
        if apart is None:
            raise error
        aside, why = tuple(sorted(rows["item_id"][changed])), str(error)
        rows = as_before(rows, existing, known, changed)
        changed = changed_rows(rows, existing, known)
    rows = _with_sketches(rows, existing, known, changed)
    ours = (existing["source"] == source) & ~existing["item_id"].isin(withdrawn)
    gone = int((ours & ~existing["item_id"].isin(rows["item_id"])).sum())
    found = assembled(rows, existing, known, changed, now, again, gone)
    bad = SetAside(0.0) if apart is None else apart
    return replace(found, set_aside=aside, why=why, bad=bad.lines, bad_rows=len(bad))


def _check_columns(raw: pd.DataFrame) -> None:
    missing = [n for n in RAW_COLUMNS if n not in raw.columns and n != "content"]
    if missing:
        raise UsageError(f"raw rows need the column {missing[0]!r}; see RAW_COLUMNS")


def _refuse(errors: Iterable[SourceError]) -> None:
    problems = Problems()
    problems.extend(errors)
    problems.raise_first()


def _sound_rows(
    raw: pd.DataFrame, called: Mapping[str, str], max_cell: int, apart: SetAside | None
) -> pd.DataFrame:
    """Return the rows that can be read; bad ones are set aside, or refused without `apart`."""
    bad = _bad_rows(raw, called, max_cell)
    if apart is not None:
        return set_aside(raw, apart, bad, called["key"])
    _refuse(bad)
    return raw


def _set_aside_of_others(
    rows: pd.DataFrame, existing: pd.DataFrame, apart: SetAside, sound: int
) -> None:
    """Set rows aside whose key is another source's; `sound` rows were not set aside before.

    Raises
    ------
    SourceError
        More of all rows are bad by now than may be.
    """
    total = sound + len(apart)
    for problem in other_source_problems(rows, existing, match(rows["item_id"], existing)):
        apart.add(problem, None)
    apart.refuse_too_many(total)


def _bad_rows(raw: pd.DataFrame, called: Mapping[str, str], max_cell: int) -> Iterator[SourceError]:
    if raw["key"].notna().any():
        yield from key_problems(raw, called["key"])
    yield from payload_problems(raw, called["payload"], max_cell)


def _item_rows(raw: pd.DataFrame, source: str, rights: Rights, key: bytes) -> pd.DataFrame:
    is_file = raw["uri"].notna().to_numpy()
    texts = raw["payload"].to_numpy(dtype=object)
    digests = raw["digest"].to_numpy(dtype=object).copy()
    digests[~is_file] = [text_digest(text) for text in texts[~is_file]]
    groups = none_for_missing(raw["owner_group"])
    ids = raw["key"].to_numpy(dtype=object).copy()
    for row in np.flatnonzero(raw["key"].isna().to_numpy()):
        ids[row] = content_id(key, source, groups[row], digests[row])
    return pd.DataFrame(
        {
            "item_id": ids,
            "payload": np.where(is_file, raw["uri"].to_numpy(dtype=object), texts),
            "media_type": raw["media_type"].to_numpy(dtype=object),
            "payload_digest": digests,
            "sketch": none_for_missing(raw["sketch"]),
            "source": source,
            "owner_group": groups,
            "attributes": raw["attributes"].to_numpy(dtype=object),
            "is_file": is_file,
            "file": raw["file"].to_numpy(dtype=object),
            "row": raw["row"].to_numpy(),
            "keyed": raw["key"].notna().to_numpy(),
        }
    ).assign(**rights.columns())


def _one_row_an_item(rows: pd.DataFrame) -> pd.DataFrame:
    """Keep one of the rows with the same id (only rows without a key can repeat)."""
    if not rows["item_id"].duplicated().any():
        return rows
    # By content, not by arrival: the order of the rows must not matter.
    kept = rows.sort_values("attributes", kind="stable").drop_duplicates("item_id")
    return kept.sort_index().reset_index(drop=True)


def _with_sketches(
    rows: pd.DataFrame,
    existing: pd.DataFrame,
    known: npt.NDArray[np.int64],
    changed: npt.NDArray[np.bool_],
) -> pd.DataFrame:
    sketches = rows["sketch"].to_numpy(dtype=object).copy()
    stored = (known >= 0) & ~changed
    sketches[stored] = none_for_missing(existing["sketch"])[known[stored]]
    wanted = np.flatnonzero(~rows["is_file"].to_numpy() & ~stored)
    texts = rows["payload"].to_numpy(dtype=object)[wanted]
    codes, distinct = pd.factorize(np.array([*map(normalised, texts)], dtype=object))
    if len(distinct):
        sketches[wanted] = np.array(text_sketches(list(distinct)), dtype=object)[codes]
    return rows.assign(sketch=sketches)
