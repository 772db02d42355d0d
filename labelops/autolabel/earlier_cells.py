"""Labels from before as they stand in an item's other columns."""

from __future__ import annotations

import difflib
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from ..digest import canonical_json
from ..errors import SettingsError, shown
from ..schema import Schema

__all__ = ["EarlierCells", "check_there", "texts_of"]

_Codes = npt.NDArray[np.int64]

_VALUES = 1_000


@dataclass(frozen=True, slots=True)
class EarlierCells:
    """How cells of some columns are read: classes are known, other values those learned from.

    Parameters
    ----------
    names : tuple of str
        The columns, as items' `attributes` hold them.
    places : tuple of mapping
        A mapping a column, of cell to place: below K a class, above another value.
    by_class : mapping
        Class names, as they are and in lower case, old ones too → place.
    n_classes : int

    Examples
    --------
    >>> said = ("Cat", "fish", "fish", "")
    >>> items = pd.DataFrame({"attributes": [json.dumps({"old": cell}) for cell in said]})
    >>> cells = EarlierCells.learned(["old"], items, Schema("pets", ("cat", "dog")))
    >>> cells.of(items)[:, 0].tolist(), cells.sizes
    ([0, 2, 2, -1], [3])
    """

    names: tuple[str, ...]
    places: tuple[Mapping[str, int], ...]
    by_class: Mapping[str, int]
    n_classes: int

    @classmethod
    def learned(cls, names: Sequence[str], items: pd.DataFrame, schema: Schema) -> EarlierCells:
        """Learn which values there are, from items that are learned from.

        Of those that are no class the thousand that come most often, and twice at least: what one
        item alone has tells nothing of others.
        """
        K = len(schema.classes)
        named = dict(zip(schema.classes, range(K), strict=True))
        named = {before: named[now] for before, now in schema.renames.items()} | named
        # As written goes before in other letters: classes may differ in these only.
        by_class = {name.casefold(): code for name, code in named.items()} | named
        places = []
        for texts in zip(*texts_of(names, items), strict=True):
            counts = Counter(t for t in texts if t and _class_of(t, by_class) < 0)
            often = sorted(counts, key=lambda text: (-counts[text], text))[:_VALUES]
            others = [text for text in often if counts[text] > 1]
            places.append({text: K + place for place, text in enumerate(others)})
        return cls(tuple(names), tuple(places), by_class, K)

    @property
    def sizes(self) -> list[int]:
        """How many values each column can have, classes included."""
        return [self.n_classes + len(others) for others in self.places]

    def of(self, items: pd.DataFrame) -> _Codes:
        """Return (N, C) places; -1 where a cell is empty or was not learned from."""
        found = [
            [self._place(text, others) for text, others in zip(row, self.places, strict=True)]
            for row in texts_of(self.names, items)
        ]
        return np.array(found, dtype=np.int64).reshape(len(items), len(self.names))

    def _place(self, text: str, others: Mapping[str, int]) -> int:
        code = _class_of(text, self.by_class)
        return code if code >= 0 else others.get(text, -1)

    def classes_of(self, items: pd.DataFrame) -> _Codes:
        """Return (N, C) class codes; -1 where a cell names no class."""
        found = self.of(items)
        return np.where(found < self.n_classes, found, -1)


def _class_of(text: str, by_class: Mapping[str, int]) -> int:
    return by_class.get(text, by_class.get(text.casefold(), -1))


def texts_of(names: Sequence[str], items: pd.DataFrame) -> list[list[str]]:
    """Return the columns' cells as texts, a list an item; "" where one is empty."""
    return [[_text(row.get(name)) for name in names] for row in _rows(items)]


def _rows(items: pd.DataFrame) -> list[dict[str, object]]:
    return [json.loads(text or "{}") for text in items["attributes"]]


def _text(cell: object) -> str:
    """Return a cell as text; a spreadsheet's blanks around it mean nothing."""
    if cell is None:
        return ""
    if isinstance(cell, float) and cell.is_integer():
        # Whole numbers of a column with empty cells come as 3.0.
        cell = int(cell)
    return cell.strip() if isinstance(cell, str) else canonical_json(cell)


def check_there(names: Sequence[str], items: pd.DataFrame) -> None:
    """Return if some of the items have each of the columns.

    Raises
    ------
    SettingsError
        If none has one of them, with what there is.
    """
    there = {name: None for row in _rows(items) for name in row}
    for name in names:
        if name not in there:
            near = difflib.get_close_matches(name, there, 1)
            hint = f"; did you mean {shown(near[0])}?" if near else ""
            listed = ", ".join(map(shown, [*there][:20])) or "no other columns"
            raise SettingsError(
                f"labeler.earlier_labels: none of {len(items)} items has a column {shown(name)} "
                f"beside its key, content and group{hint} (there are {listed})"
            )
