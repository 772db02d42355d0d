"""What was said of a class before others were cut out of it, and so has to be said again."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from ..digest import canonical_json
from ..kinds.choice import renamed
from ..measure.codes import among
from ..schema import Schema

__all__ = ["Split", "lacking_classes", "left_out", "splits_of"]


@dataclass(frozen=True, slots=True)
class Split:
    """A class that another was cut out of.

    Parameters
    ----------
    value : str
        The class as a canonical value, under its present name.
    before : frozenset of str
        Digests of the schemas in which the other could not be named.
    items : array of item ids
        Items that had the class when that was changed; or that had no label, and a vote for it.
    """

    value: str
    before: frozenset[str]
    items: npt.NDArray[np.object_]

    def about(self, rows: pd.DataFrame) -> npt.NDArray[np.bool_]:
        """Say which rows are about these items, and from before."""
        before = rows["schema_digest"].isin(list(self.before)).to_numpy(dtype=np.bool_)
        return np.asarray(before & among(rows["item_id"], self.items), dtype=np.bool_)


def lacking_classes(bodies: Iterable[str], schema: Schema) -> dict[str, tuple[str, ...]]:
    """Return which of the classes of now each earlier schema could not name; by its digest.

    Parameters
    ----------
    bodies : iterable of str
        Of all `schema` events.
    schema : Schema
        The one in force.
    """
    found = {}
    for body in bodies:
        then = Schema.from_json(json.loads(body))
        known = {schema.renames.get(name, name) for name in then.classes}
        if lacking := tuple(c for c in schema.classes if c not in known):
            found[then.digest] = lacking
    return found


def splits_of(
    schema: Schema, bodies: Iterable[str], labels: pd.DataFrame, votes: pd.DataFrame
) -> tuple[Split, ...]:
    """Return what each split of the schema takes back, one for each class that was cut out.

    Parameters
    ----------
    schema : Schema
        The one in force.
    bodies : iterable of str
        Of all `schema` events.
    labels : LABELS rows
        All revisions: what an item had then stays known when it is decided again.
    votes : VOTES rows
        Newest revisions.
    """
    if not schema.splits:
        return ()
    lacking = lacking_classes(bodies, schema)
    labels = labels.sort_values("revision", kind="stable")
    labels = labels.assign(value=renamed(labels["value"], schema))
    votes = votes.loc[(votes["status"] == "given") & (votes["purpose"] != "gold")]
    votes = votes.assign(value=renamed(votes["value"], schema))
    found = []
    for whole, parts in schema.splits.items():
        for part in parts:
            before = frozenset(digest for digest, names in lacking.items() if part in names)
            items = _said(canonical_json(whole), before, labels, votes)
            found.append(Split(canonical_json(whole), before, items))
    return tuple(found)


def left_out(votes: pd.DataFrame, splits: Iterable[Split]) -> npt.NDArray[np.bool_]:
    """Say which votes count no more: what people said of a class before it was split.

    Gold stays, which says something of people; so does what rules say, which have versions.
    """
    gone: npt.NDArray[np.bool_] = np.zeros(len(votes), dtype=np.bool_)
    for split in splits:
        gone |= split.about(votes)
    rows = votes.iloc[np.flatnonzero(gone)]
    gone[gone] = (rows["purpose"] != "gold") & rows["annotator"].str.startswith("human:")
    return gone


def _said(
    value: str, before: frozenset[str], labels: pd.DataFrame, votes: pd.DataFrame
) -> npt.NDArray[np.object_]:
    """Return the items of a class as they stood in earlier schemas."""
    then = labels.loc[labels["schema_digest"].isin(list(before))]
    then = then.drop_duplicates("item_id", keep="last").set_index("item_id")["value"]
    named = votes.loc[votes["schema_digest"].isin(list(before)) & (votes["value"] == value)]
    undecided = named["item_id"].loc[~named["item_id"].isin(then.dropna().index)]
    found: npt.NDArray[np.object_] = np.unique([*then.index[then == value], *undecided])
    return found.astype(object)
