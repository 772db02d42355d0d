"""What rules are worth: how much each says, whom it contradicts, and how often people agree."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from ..consolidate.voices import clear_majority
from ..kinds.choice import codes_of
from ..measure.intervals import clopper_pearson
from . import State

__all__ = ["RuleRow", "rule_rows"]


@dataclass(frozen=True, slots=True)
class RuleRow:
    """One rule against the other rules and against people.

    Parameters
    ----------
    rule, version : str
    votes : int
        Items it votes on.
    coverage : float
        The same as a share of all items.
    overlaps, conflicts : int
        Of its votes, those beside another rule's, and those that another rule contradicts.
    judged, right : int
        Of its votes, those on items where people's votes name one class more than any other, and
        those that name it too. People look where a look is worth most, so these items are harder
        than all are.
    accuracy, low, high : float or None
        `right` as a share of `judged`, with the exact 95 % interval; None if nothing is judged.
    """

    rule: str
    version: str
    votes: int
    coverage: float
    overlaps: int
    conflicts: int
    judged: int
    right: int
    accuracy: float | None
    low: float | None
    high: float | None


def rule_rows(state: State) -> tuple[RuleRow, ...]:
    """Return a row for every rule in force and every other voice, by name."""
    schema, heard = state.workspace.schema, state.heard
    items = pd.Index(state.item_ids)
    places, codes = items.get_indexer(heard["item_id"]), codes_of(heard["value"], schema)
    size = (len(items), len(schema.classes))
    said = np.bincount(places * size[1] + codes, minlength=size[0] * size[1]).reshape(size)
    people = clear_majority(
        items.get_indexer(state.evidence["item_id"]),
        codes_of(state.evidence["value"], schema),
        *size,
    )
    rows = []
    for rule in sorted({*state.rule_versions, *heard["annotator"]}):
        mine = (heard["annotator"] == rule).to_numpy()
        where, what = places[mine], codes[mine]
        others, same = said[where].sum(axis=1) - 1, said[where, what] - 1
        judged = people[where] >= 0
        right = int((judged & (people[where] == what)).sum())
        n = int(judged.sum())
        interval = clopper_pearson(right, n) if n else None
        rows.append(
            RuleRow(
                rule=rule,
                version=state.rule_versions.get(rule, ""),
                votes=int(mine.sum()),
                coverage=float(mine.sum() / max(size[0], 1)),
                overlaps=int((others > 0).sum()),
                conflicts=int((others > same).sum()),
                judged=n,
                right=right,
                accuracy=None if interval is None else right / n,
                low=None if interval is None else interval.low,
                high=None if interval is None else interval.high,
            )
        )
    return tuple(rows)
