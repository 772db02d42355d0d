"""Labels from before that stand in an item's other columns, and what a labeler makes of them."""

from __future__ import annotations

import difflib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import pandas as pd

from ..autolabel.earlier import Earlier, fit_weights
from ..digest import canonical_json
from ..errors import SettingsError, shown
from ..schema import Schema
from ._sklearn_model import Learner

__all__ = ["WHOLE", "EarlierCells", "learn_earlier", "texts_of"]

WHOLE = -1
"""Stands for the fold of what no fold held out."""

_Codes = npt.NDArray[np.int64]
_Floats = npt.NDArray[np.float64]


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
        Class names in lower case, old ones too → place.

    Examples
    --------
    >>> items = pd.DataFrame({"attributes": ['{"old":"Cat"}', '{"old":"fish"}', '{"old":""}']})
    >>> cells = EarlierCells.learned(["old"], items, Schema("pets", ("cat", "dog")))
    >>> cells.of(items).tolist(), cells.sizes
    ([[0], [2], [-1]], [3])
    """

    names: tuple[str, ...]
    places: tuple[Mapping[str, int], ...]
    by_class: Mapping[str, int]

    @classmethod
    def learned(cls, names: Sequence[str], items: pd.DataFrame, schema: Schema) -> EarlierCells:
        """Learn which values there are, from items that are learned from.

        Raises
        ------
        SettingsError
            If none of the items has such a column.
        """
        K = len(schema.classes)
        old = {before.casefold(): now for before, now in schema.renames.items()}
        by_class = {name.casefold(): code for code, name in enumerate(schema.classes)}
        by_class |= {before: by_class[now.casefold()] for before, now in old.items()}
        _check_there(names, items)
        places = []
        for texts in zip(*texts_of(names, items), strict=True):
            others = sorted({t for t in texts if t and t.casefold() not in by_class})
            places.append({text: K + place for place, text in enumerate(others)})
        return cls(tuple(names), tuple(places), by_class)

    @property
    def n_classes(self) -> int:
        """K."""
        return 1 + max(self.by_class.values())

    @property
    def sizes(self) -> list[int]:
        """How many values each column can have, classes included."""
        return [self.n_classes + len(others) for others in self.places]

    def of(self, items: pd.DataFrame) -> _Codes:
        """Return (N, C) places; -1 where a cell is empty or was never learned from."""
        found = [
            [self._place(text, others) for text, others in zip(row, self.places, strict=True)]
            for row in texts_of(self.names, items)
        ]
        return np.array(found, dtype=np.int64).reshape(len(items), len(self.names))

    def _place(self, text: str, others: Mapping[str, int]) -> int:
        if not text:
            return -1
        return self.by_class.get(text.casefold(), others.get(text, -1))


def texts_of(names: Sequence[str], items: pd.DataFrame) -> list[list[str]]:
    """Return the columns' cells as texts, a list an item; "" where one is empty."""
    return [[_text(row.get(name)) for name in names] for row in _rows(items)]


def _rows(items: pd.DataFrame) -> list[dict[str, object]]:
    return [json.loads(text or "{}") for text in items["attributes"]]


def _text(cell: object) -> str:
    """Return a cell as text; a spreadsheet's blanks around it mean nothing."""
    if cell is None:
        return ""
    return cell.strip() if isinstance(cell, str) else canonical_json(cell)


def _check_there(names: Sequence[str], items: pd.DataFrame) -> None:
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


def learn_earlier(cells: EarlierCells, items: pd.DataFrame, learner: Learner) -> dict[int, Earlier]:
    """Return what columns say beside the model of each fold, and under `WHOLE` of all rows.

    Nothing of a fold's own rows is in what it gets: its weights are fitted on the two folds next
    to it, judged by models that saw neither them nor it.

    Parameters
    ----------
    cells : EarlierCells
    items : (N,) items frame
        What is learned from.
    learner : Learner
        Of the same rows.
    """
    read, codes, folds = cells.of(items), learner.codes, learner.folds
    K, evenly = cells.n_classes, np.ones(1 + len(cells.names))

    def without(out: tuple[int, ...]) -> Earlier:
        rest = ~np.isin(folds, out)
        return Earlier.learned(read[rest], codes[rest], cells.sizes, K, evenly)

    def weights(asked: Sequence[tuple[tuple[int, ...], int]]) -> _Floats:
        said, told = [], []
        for out, fold in asked:
            rows = np.flatnonzero(folds == fold)
            probs = learner.opinion(out, rows, K)
            if probs is not None:
                said.append(without(out).logs(probs, read[rows]))
                told.append(codes[rows])
        return fit_weights(np.concatenate(said, axis=1), np.concatenate(told)) if said else evenly

    names = np.unique(folds).tolist()
    found = {WHOLE: replace(without(()), weights=weights([((fold,), fold) for fold in names]))}
    for place, fold in enumerate(names):
        beside = {names[place - 1], names[(place + 1) % len(names)]} - {fold}
        asked = [(tuple(sorted((fold, other))), other) for other in sorted(beside)]
        found[fold] = replace(without((fold,)), weights=weights(asked))
    return found
