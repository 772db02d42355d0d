"""From events to one row a key: the newest revision, whatever order the rows came in."""

from __future__ import annotations

import numpy as np
import pandas as pd

from .contract import TableSpec

__all__ = ["newest"]


def newest(spec: TableSpec, frame: pd.DataFrame) -> pd.DataFrame:
    """Collapse events to one row a key: the newest revision; equal rows said twice count once.

    The result does not depend on the order of the rows: among rows of one key and revision
    with different content, the one whose cells are largest as text wins. Sorted by key.

    Examples
    --------
    >>> from datetime import datetime, UTC
    >>> from labelops.tables import EVENTS, TableSpec, check
    >>> def event(revision, body):
    ...     return {"event_id": "e", "kind": "k", "subject": "s", "revision": revision,
    ...             "body": body, "at": datetime(2026, 1, 1, tzinfo=UTC)}
    >>> frame = pd.DataFrame([event(2, '"new"'), event(1, '"old"'), event(2, '"new"')])
    >>> spec = TableSpec("events", ("event_id",), EVENTS.columns, revision="revision")
    >>> newest(spec, check(spec, frame))["body"].tolist()
    ['"new"']
    """
    if len(frame) < 2:
        return frame.reset_index(drop=True)
    key = list(spec.key)
    repeated = frame.duplicated(key, keep=False).to_numpy()
    if repeated.any():
        kept = [frame[~repeated], _newest_of(spec, frame[repeated])]
        frame = pd.concat([part for part in kept if len(part)])
    if len(key) == 1 and frame[key[0]].is_monotonic_increasing:
        return frame.reset_index(drop=True)
    return frame.sort_values(key, kind="stable", ignore_index=True)


def _newest_of(spec: TableSpec, rivals: pd.DataFrame) -> pd.DataFrame:
    """Return the winner of each key among rows whose keys repeat."""
    # Numbers for keys: sorting text costs more than everything else here.
    places = rivals.groupby(list(spec.key), sort=False, dropna=False).ngroup().to_numpy()
    revisions = rivals[spec.revision].to_numpy() if spec.revision else np.zeros(len(rivals))
    order = np.lexsort((revisions, places))
    last = np.append(places[order][1:] != places[order][:-1], True)
    best = np.empty(places.max() + 1, dtype=revisions.dtype)
    best[places[order[last]]] = revisions[order[last]]
    leading = revisions == best[places]
    tied = leading & (np.bincount(places, weights=leading)[places] > 1)
    if not tied.any():
        return rivals[leading]
    # Rare: only repeated events reach this. Break ties by content, never by arrival.
    rows = rivals[tied]
    content = rows.astype(str).agg("\x1f".join, axis=1)
    ranked = rows.iloc[np.argsort(content.to_numpy(dtype=object), kind="stable")]
    winners = ranked.drop_duplicates(list(spec.key), keep="last")
    alone = rivals[leading & ~tied]
    return pd.concat([alone, winners]) if len(alone) else winners
