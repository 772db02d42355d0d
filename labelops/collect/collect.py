"""Take in what queues say: every event once, and nothing that cannot be meant silently."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from labelops.errors import SchemaError
from labelops.kinds import kind_of
from labelops.schema import Schema
from labelops.tables import VOTES, check

__all__ = ["MENDED_HERE", "REJECTIONS", "Collected", "accept_votes"]

REJECTIONS = {
    "unknown_item": "the item is not in the items table; ingest it, then collect again",
    "unknown_annotator": "the annotator is not named human:…, model:… or rule:…",
    "no_value": "the vote is given but has no value; answer the item again",
    "unknown_value": "the value is outside the schema; if a class was renamed, say so under "
    "[schema.renames], then collect again; else change the answer or take it back",
    "other_schema": "given under another schema, and the value is outside the one in force; add "
    "the class or a rename, then collect again; if the class is gone for good, change the answer "
    "or take it back where it was given",
}
"""Why a vote can be rejected, and what to do."""

MENDED_HERE = frozenset({"unknown_item", "unknown_value", "other_schema"})
"""Reasons that items or the schema mend: the same answer counts then. What others say is mended by
another answer, which comes by itself."""

_PREFIXES = ("human:", "model:", "rule:")
_SHOWN = ["vote_id", "revision", "item_id", "annotator", "value"]


@dataclass(frozen=True, slots=True)
class Collected:
    """What came of votes received.

    Parameters
    ----------
    new : pandas.DataFrame
        Rows of the votes table to append: as received, each once, the earliest first.
    known : int
        Received rows that were in the table, or were received twice.
    rejected : pandas.DataFrame
        One row a refused vote: vote_id, revision, item_id, annotator, value, reason (a key
        of `REJECTIONS`), message. They are not in the table, so they come up again whenever
        they are received again, and are accepted once what was wrong is mended. Not those that
        were changed or taken back since: what was said last counts, not what is wrong with them.
    unknown_items : tuple of str
        The items that rejected votes name and nobody knows, sorted.
    """

    new: pd.DataFrame
    known: int
    rejected: pd.DataFrame
    unknown_items: tuple[str, ...]


def accept_votes(
    received: pd.DataFrame, known: pd.DataFrame, items: pd.DataFrame, schema: Schema
) -> Collected:
    """Sort received votes into new, known and rejected ones; calling again changes nothing.

    The result does not depend on the order of rows. Values stay as they were given, also
    under a class's old name: what is stored is what was said, and renames apply on reading
    (`current_votes`). A vote given under another schema is accepted if its value means
    something under this one. Skips and deletions need no value.

    Parameters
    ----------
    received : rows of the votes table
        From `Queue.receive`, in any order, repeated or not.
    known : rows of the votes table
        All that are in the table; those of other items may be left out.
    items : frame with the column item_id
        The items there are.
    schema : Schema
        The one in force.

    Raises
    ------
    TableError
        If rows break the contract of the votes table.

    Examples
    --------
    >>> from labelops.tables import ITEMS, empty
    >>> got = accept_votes(empty(VOTES), empty(VOTES), empty(ITEMS), Schema("pets", ("cat", "dog")))
    >>> len(got.new), got.known, len(got.rejected), got.unknown_items
    (0, 0, 0, ())
    """
    rows = check(VOTES, received)
    reason = _reasons(rows, items, schema)
    refused = reason != ""
    fresh = rows[~refused]
    new = _unknown_yet(fresh, known)
    stands = refused & ~_said_anew(rows, known)
    rejected = _rejections(rows[stands], reason[stands])
    lost = rejected.loc[rejected["reason"] == "unknown_item", "item_id"]
    return Collected(new, len(fresh) - len(new), rejected, tuple(sorted(lost.unique())))


def _reasons(rows: pd.DataFrame, items: pd.DataFrame, schema: Schema) -> npt.NDArray[np.object_]:
    """Return the first reason to reject each row, "" for none."""
    given = (rows["status"] == "given").to_numpy()
    valued = rows["value"].notna().to_numpy()
    unmeant = given & valued & ~_meant(rows["value"], schema)
    ours = (rows["schema_digest"] == schema.digest).to_numpy()
    tests = {
        "unknown_item": ~rows["item_id"].isin(items["item_id"]).to_numpy(),
        "unknown_annotator": ~_named(rows["annotator"]),
        "no_value": given & ~valued,
        "unknown_value": unmeant & ours,
        "other_schema": unmeant & ~ours,
    }
    return np.select(list(tests.values()), list(tests), default="").astype(object)


def _said_anew(rows: pd.DataFrame, known: pd.DataFrame) -> npt.NDArray[np.bool_]:
    """Tell which rows a later revision of their vote replaced."""
    key = ["vote_id", "revision"]
    said = pd.concat([f[key] for f in (rows, known) if len(f)] or [rows[key]])
    last = said.groupby("vote_id")["revision"].max()
    later: npt.NDArray[np.bool_] = (
        rows["revision"].to_numpy() < rows["vote_id"].map(last).to_numpy()
    )
    return later


def _meant(values: pd.Series, schema: Schema) -> npt.NDArray[np.bool_]:
    """Tell which values the schema knows, each distinct value asked once."""
    kind = kind_of(schema)

    def means_something(value: str) -> bool:
        try:
            kind.parse(value, schema)
        except SchemaError:
            return False
        return True

    good = [v for v in values.dropna().unique() if means_something(v)]
    result: npt.NDArray[np.bool_] = values.isin(good).to_numpy()
    return result


def _named(annotators: pd.Series) -> npt.NDArray[np.bool_]:
    good = [
        a for a in annotators.unique() if a.startswith(_PREFIXES) and a.partition(":")[2].strip()
    ]
    result: npt.NDArray[np.bool_] = annotators.isin(good).to_numpy()
    return result


def _unknown_yet(rows: pd.DataFrame, known: pd.DataFrame) -> pd.DataFrame:
    """Return the rows that are not in `known`, each once, the earliest first.

    An event is known only if all its cells are: where an end gave one revision two
    contents, both are kept and `newest` decides, whatever came first.
    """
    key = ["vote_id", "revision"]
    old = known.loc[known["vote_id"].isin(rows["vote_id"]), VOTES.names]
    both = pd.concat([f for f in (old, rows) if len(f)] or [rows], ignore_index=True)
    suspect = both.duplicated(key, keep=False).to_numpy()
    repeated = np.zeros(len(both), dtype=bool)
    repeated[suspect] = both[suspect].duplicated().to_numpy()
    return _in_time(both[~repeated & (np.arange(len(both)) >= len(old))])


def _in_time(rows: pd.DataFrame) -> pd.DataFrame:
    """Sort by revision, then by content; only rows of one microsecond pay for the text."""
    ranked = rows.sort_values("revision", kind="stable", ignore_index=True)
    tied = np.flatnonzero(ranked.duplicated("revision", keep=False))
    content = ["revision", *(n for n in VOTES.names if n != "revision")]
    order = np.arange(len(ranked))
    order[tied] = ranked.iloc[tied].sort_values(content, kind="stable").index
    return ranked.iloc[order].reset_index(drop=True)


def _rejections(rows: pd.DataFrame, reasons: npt.NDArray[np.object_]) -> pd.DataFrame:
    """List rejected votes, each once, sorted."""
    listed = rows[_SHOWN].assign(reason=reasons).drop_duplicates()
    listed["message"] = listed["reason"].map(REJECTIONS).astype(object)
    return listed.sort_values([*_SHOWN, "reason"], kind="stable").reset_index(drop=True)
