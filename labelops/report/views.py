"""What the views of a label set showed about many items at once, in words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..errors import percent
from .facts import ViewRow
from .words import count

__all__ = ["view_rows"]

# View → what a row is about, and what it says; each names the facts of `look_at_views`.
_SAID = {
    "slices": (
        "{attribute} = {value}",
        "{suspected} of {items} labels are suspected, {elsewhere} elsewhere",
    ),
    "words": (
        "“{word}”, labeled {class}",
        "models or neighbours doubt {doubted} of {items} labels, {otherwise} of the class's others",
    ),
    "attributes": (
        "{attribute}",
        "gives the label away: it removes {information} of the uncertainty",
    ),
    "leakage": (
        "{split}",
        "{items} items have a copy, a near-duplicate or a relative in {other}",
    ),
    "names": (
        "{class}",
        "its name stands in {inside} of its texts, in {outside} of the others",
    ),
    "clumps": (
        "{class}",
        "{share} of its items form a clump apart: a batch of their own, or planted",
    ),
}
_TENTHS = ("suspected", "elsewhere")
_WHOLE = ("information", "inside", "outside", "share", "doubted", "otherwise")


def view_rows(facts: Mapping[str, Any]) -> tuple[ViewRow, ...]:
    """Put the facts of `labelops.audit.views.look_at_views` into words.

    Parameters
    ----------
    facts : mapping
        As JSON; what an earlier version did not know is missing.

    Examples
    --------
    >>> view_rows({"leakage": [{"split": "test", "other": "train", "items": 3}]})[0].text
    '3 items have a copy, a near-duplicate or a relative in train'
    """
    return tuple(
        ViewRow(view, subject.format_map(said), text.format_map(said))
        for view, (subject, text) in _SAID.items()
        for said in map(_in_words, facts.get(view, []))
    )


def _in_words(row: Mapping[str, Any]) -> dict[str, Any]:
    """Write a row's numbers as a reader does."""
    said = dict(row)
    said |= {name: percent(row[name]) for name in _TENTHS if name in row}
    said |= {name: percent(row[name], 0) for name in _WHOLE if name in row}
    return said | ({"items": count(row["items"])} if "items" in row else {})
