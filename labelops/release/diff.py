"""What changed between two sets of labels: items that came, went, or got another value."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import pandas as pd

from ..errors import TableError, shown
from ..kinds import kind_of
from ..schema import Schema

__all__ = ["Diff", "SchemaChange", "canonical_values", "diff"]

_SIDE = ["item_id", "value", "method", "reason"]


@dataclass(frozen=True, slots=True)
class SchemaChange:
    """How the meaning of labels changed.

    Parameters
    ----------
    added, removed : tuple of str
        Classes that are new, and that are gone without a rename.
    renamed : mapping of str to str
        Old class → new class.
    reordered : bool
        Whether the classes that stayed follow each other in another order.
    other : tuple of str
        Which of kind, media and name changed.
    """

    added: tuple[str, ...]
    removed: tuple[str, ...]
    renamed: Mapping[str, str]
    reordered: bool
    other: tuple[str, ...]

    def to_json(self) -> dict[str, object]:
        """Return the change as a JSON object."""
        return {
            "added": list(self.added),
            "removed": list(self.removed),
            "renamed": dict(self.renamed),
            "reordered": self.reordered,
            "other": list(self.other),
        }


@dataclass(frozen=True, slots=True)
class Diff:
    """What changed between two sets of labels.

    Parameters
    ----------
    added, removed : pandas.DataFrame
        item_id, value, method, reason; sorted by item.
    changed : pandas.DataFrame
        item_id, before, after, method_before, method_after, why; sorted by item.
    pairs : pandas.DataFrame
        before, after, items: how many labels went from one value to another; most first.
    unchanged : int
        Items with the same value in both.
    schema : SchemaChange or None
        None if both schemas mean the same.
    """

    added: pd.DataFrame
    removed: pd.DataFrame
    changed: pd.DataFrame
    pairs: pd.DataFrame
    unchanged: int
    schema: SchemaChange | None

    @property
    def is_empty(self) -> bool:
        """Whether no label and no meaning changed."""
        return self.schema is None and not (len(self.added) + len(self.removed) + len(self.changed))

    def counts(self) -> dict[str, int]:
        """Return how many labels were added, removed, changed and kept."""
        return {
            "added": len(self.added),
            "changed": len(self.changed),
            "removed": len(self.removed),
            "unchanged": self.unchanged,
        }

    def to_json(self, limit: int | None = None) -> dict[str, object]:
        """Return the difference as a JSON object, with at most `limit` rows a list."""
        lists = {
            name: frame.head(limit if limit is not None else len(frame)).to_dict("records")
            for name, frame in (
                ("added", self.added),
                ("removed", self.removed),
                ("changed", self.changed),
                ("pairs", self.pairs),
            )
        }
        schema = None if self.schema is None else self.schema.to_json()
        return {"counts": self.counts(), "schema": schema, **lists}


def diff(
    before: pd.DataFrame,
    after: pd.DataFrame,
    before_schema: Schema,
    after_schema: Schema,
) -> Diff:
    """Compare two sets of labels; a class that was only renamed is no change of its labels.

    Parameters
    ----------
    before, after : LABELS rows
        One row an item; rows without a value do not count.
    before_schema, after_schema : Schema

    Raises
    ------
    TableError
        If an item has two rows.

    Examples
    --------
    >>> pets = Schema("pets", ("cat", "dog"))
    >>> def labels(**values):
    ...     return pd.DataFrame({"item_id": list(values), "value": [f'"{v}"' for v in
    ...         values.values()], "method": "majority", "reason": "2 of 3"})
    >>> found = diff(labels(a="cat", b="cat", c="dog"), labels(b="dog", c="dog", d="cat"),
    ...     pets, pets)
    >>> found.counts()
    {'added': 1, 'changed': 1, 'removed': 1, 'unchanged': 1}
    >>> found.pairs.to_dict("records")
    [{'before': '"cat"', 'after': '"dog"', 'items': 1}]
    """
    old = _side(before, _translated(before["value"], before_schema, after_schema))
    new = _side(after, after["value"])
    both = old.merge(
        new, on="item_id", how="outer", suffixes=("_before", "_after"), indicator="_from"
    ).sort_values("item_id", kind="stable", ignore_index=True)
    common = both.loc[both["_from"] == "both"]
    differs = common["value_before"].to_numpy() != common["value_after"].to_numpy()
    changed = common.loc[differs].rename(
        columns={"value_before": "before", "value_after": "after", "reason_after": "why"}
    )[["item_id", "before", "after", "method_before", "method_after", "why"]]
    return Diff(
        added=_only(both, "right_only", "_after"),
        removed=_only(both, "left_only", "_before"),
        changed=changed.reset_index(drop=True),
        pairs=_pairs(changed),
        unchanged=int((~differs).sum()),
        schema=_schema_change(before_schema, after_schema),
    )


def canonical_values(values: pd.Series, schema: Schema) -> pd.Series:
    """Return values as the schema writes them today: checked, and renamed classes under new names.

    Raises
    ------
    SchemaError
        If a value is none of the schema's.
    """
    kind = kind_of(schema)
    known = {v: kind.canonical(kind.parse(v, schema), schema) for v in values.dropna().unique()}
    return values.map(known).astype(object)


def _translated(values: pd.Series, before: Schema, after: Schema) -> pd.Series:
    """Return old values under their new names; a class that is gone keeps its old name."""
    known = {}
    for value in values.dropna().unique():
        name = kind_of(before).parse(value, before)
        gone = isinstance(name, str) and after.renames.get(name, name) not in after.classes
        known[value] = value if gone else kind_of(after).canonical(name, after)
    return values.map(known).astype(object)


def _side(labels: pd.DataFrame, values: pd.Series) -> pd.DataFrame:
    decided = labels.assign(value=values).loc[labels["value"].notna(), _SIDE]
    twice = decided.loc[decided["item_id"].duplicated(), "item_id"]
    if len(twice):
        raise TableError("labels", [f"item {shown(twice.iloc[0])} has two rows, expected one"])
    return decided


def _only(both: pd.DataFrame, side: str, suffix: str) -> pd.DataFrame:
    names = {f"{c}{suffix}": c for c in _SIDE if c != "item_id"}
    rows = both.loc[both["_from"] == side].rename(columns=names)
    return rows[_SIDE].reset_index(drop=True)


def _pairs(changed: pd.DataFrame) -> pd.DataFrame:
    counted = changed.groupby(["before", "after"], sort=True).size().rename("items").reset_index()
    return counted.sort_values(
        ["items", "before", "after"], ascending=[False, True, True], ignore_index=True
    )


def _schema_change(before: Schema, after: Schema) -> SchemaChange | None:
    if before.digest == after.digest:
        return None
    renamed = {old: new for old, new in after.renames.items() if old in before.classes}
    carried = [renamed.get(c, c) for c in before.classes]
    stayed = [c for c in carried if c in after.classes]
    return SchemaChange(
        added=tuple(c for c in after.classes if c not in carried),
        removed=tuple(
            c for c, new in zip(before.classes, carried, strict=True) if new not in after.classes
        ),
        renamed=renamed,
        reordered=stayed != [c for c in after.classes if c in stayed],
        other=tuple(
            n for n in ("kind", "media", "name") if getattr(before, n) != getattr(after, n)
        ),
    )
