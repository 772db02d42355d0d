"""What a reader has to know before the number of wrong labels, in one place for all that show it.

The number alone would say that all is well where a word was planted, where copies have different
labels, where rows of a test set were trained on, or where an array is of other rows.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import pandas as pd

from ..errors import counted, percent, shown
from .columns import names_of
from .copies import Copies
from .known import NO_SPLIT

if TYPE_CHECKING:
    from .patterns import Pattern
    from .result import LabelCheck

__all__ = ["Alert", "alerts_of"]

_GROUPS = 3  # Of classes spelled alike that are named.


@dataclass(frozen=True, slots=True)
class Alert:
    """One thing to know first.

    Attributes
    ----------
    kind : {"array", "word", "pattern", "classes", "copies", "leakage"}
    rows : int
        How many rows it is about.
    text : str
        In one or two sentences.
    """

    kind: str
    rows: int
    text: str

    def to_json(self) -> dict[str, Any]:
        """Return it as a JSON object."""
        return asdict(self)


def alerts_of(found: LabelCheck) -> tuple[Alert, ...]:
    """Return what a reader has to know before the number of wrong labels, the gravest first."""
    arrays = [_other_rows(name) for name in found.by_chance]
    more = (*_alike(found), *_copies(found.copies), *_leakage(found))
    return (*arrays, *map(_planted, found.planted), *map(_pattern, found.patterns), *more)


def _other_rows(name: str) -> Alert:
    return Alert(
        "array",
        0,
        f"{name} tells no more of these labels than chance: see whether its rows are in the order "
        "of the data.",
    )


def _planted(row: Mapping[str, Any]) -> Alert:
    word, named = shown(row["word"]), shown(row["class"])
    return Alert(
        "word",
        int(row["items"]),
        f"The word {word} seems to turn labels to {named}: look whether somebody planted it. Of "
        f"{counted(row['items'], 'label')} {named} whose text holds it models or the nearest rows "
        f"doubt {percent(row['doubted'], 0)}, of the class's others "
        f"{percent(row['otherwise'], 0)}.",
    )


def _pattern(pattern: Pattern) -> Alert:
    named, what = shown(pattern.named), pattern.what[0].upper() + pattern.what[1:]
    return Alert(
        "pattern",
        pattern.labels,
        f"{what} seems to turn labels to {named}: look whether somebody planted it. Of "
        f"{counted(pattern.labels, 'label')} {named} that have it the nearest rows contradict "
        f"{percent(pattern.doubted, 0)} when it is left out, of the class's others "
        f"{percent(pattern.otherwise, 0)}. Models learn such a thing, so the number of wrong "
        "labels may leave these out.",
    )


def _alike(found: LabelCheck) -> tuple[Alert, ...]:
    """Name classes that differ in spelling alone: each seems to be full of the other's labels."""
    groups = found.alike
    if not groups:
        return ()
    names = [name for group in groups for name in group]
    rows = int(found.rows["label"].isin(names).sum())
    some = "; ".join(", ".join(map(shown, group)) for group in groups[:_GROUPS])
    more = f" and {counted(len(groups) - _GROUPS)} more" if len(groups) > _GROUPS else ""
    return (
        Alert(
            "classes",
            rows,
            f"Classes are spelled alike and taken for different ones: {some}{more}. Write them one "
            "way if they are one.",
        ),
    )


def _copies(copied: Copies) -> tuple[Alert, ...]:
    if not copied.differ:
        return ()
    labels = counted(copied.wrong, "label has to be", "labels have to be")
    return (
        Alert(
            "copies",
            copied.differ,
            f"At least {labels} wrong, or the content leaves the class open: "
            f"{counted(copied.differ, 'row')} are copies of one another with different labels.",
        ),
    )


def _leakage(found: LabelCheck) -> tuple[Alert, ...]:
    """Name the pair of splits that share most; of two the one with the smaller part of its rows."""
    table = {
        (row["split"], row["other"]): row["items"]
        for row in found.looked.facts["leakage"]
        if NO_SPLIT not in (row["split"], row["other"])
    }
    if not table:
        return ()
    pairs = {tuple(sorted(pair)) for pair in table}
    worst = max(sorted(pairs), key=lambda pair: max(table.get(pair, 0), table.get(pair[::-1], 0)))
    sizes = pd.Series(names_of(found.frame, "split")).fillna(NO_SPLIT).value_counts()
    split, other = sorted(worst, key=lambda name: (sizes[name], name))
    rows = int(table.get((split, other), 0))
    more = f" {counted(len(pairs) - 1, 'other pair', 'other pairs')} of splits share rows, too."
    return (
        Alert(
            "leakage",
            rows,
            f"{counted(rows, 'row')} of split {shown(split)} {'has' if rows == 1 else 'have'} a "
            f"copy, a near-duplicate or a relative in {shown(other)}: what a model scores there is "
            f"too good.{more if len(pairs) > 1 else ''}",
        ),
    )
