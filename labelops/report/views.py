"""What the views of a label set showed about many items at once, in words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .facts import ViewRow
from .words import count, percent

__all__ = ["view_rows"]


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
    rows = [
        ViewRow(
            "slices",
            f"{one['attribute']} = {one['value']}",
            f"{percent(one['suspected'])} of {count(one['items'])} labels are suspected, "
            f"{percent(one['elsewhere'])} elsewhere",
        )
        for one in facts.get("slices", [])
    ]
    rows += [
        ViewRow(
            "attributes",
            one["attribute"],
            f"gives the label away: it removes {percent(one['information'], 0)} of the uncertainty",
        )
        for one in facts.get("attributes", [])
    ]
    rows += [
        ViewRow(
            "leakage",
            one["split"],
            f"{count(one['items'])} items have a copy, a near-duplicate or a relative in "
            f"{one['other']}",
        )
        for one in facts.get("leakage", [])
    ]
    rows += [
        ViewRow(
            "names",
            one["class"],
            f"its name stands in {percent(one['inside'], 0)} of its texts, in "
            f"{percent(one['outside'], 0)} of the others",
        )
        for one in facts.get("names", [])
    ]
    rows += [
        ViewRow(
            "clumps",
            one["class"],
            f"{percent(one['share'], 0)} of its items form a clump apart: a batch of their own, or "
            "planted",
        )
        for one in facts.get("clumps", [])
    ]
    return tuple(rows)
