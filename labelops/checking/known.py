"""What is known of the rows beside their labels, from all the columns that were named."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ..audit.attributes import attributes_of
from ..audit.duplicates import Disagreement, label_conflicts
from ..audit.inputs import Votes
from ..audit.views import Surroundings
from ..digest import digest_bytes
from ..ingest.payload import problem_of
from ..measure.codes import BoolArray, IntArray
from ..measure.progress import Progress
from .columns import Evidence, find_column, names_of, votes_of
from .contents import NO_TIME, Features, read_contents, text_features
from .copies import Copies, count_copies
from .numbers import array_rows, numbers_of

__all__ = ["NO_SPLIT", "NO_TIME", "Known", "readable"]

NO_SPLIT = "none"
"""The split of rows whose cell is empty."""


def readable(frame: pd.DataFrame, evidence: Evidence) -> BoolArray:
    """Say which rows have a content that can be read: those without a text are not judged."""
    column = evidence.text or evidence.image
    if column is None:
        return np.ones(len(frame), dtype=np.bool_)
    bad = problem_of if evidence.text else lambda name: not name.strip()
    cells = find_column(frame, column)
    return np.array([isinstance(cell, str) and not bad(cell) for cell in cells], dtype=np.bool_)


@dataclass(frozen=True, slots=True)
class Known:
    """What is known of N rows.

    Parameters
    ----------
    read : Features
        Of contents and numbers.
    numbers : (N, n) array or None
        Scaled columns of numbers, which are among the features.
    votes : (items, annotators, codes) or None
    groups : (N,) object array
        Never split between training and judging: near-duplicates, and the user's own groups.
    clusters : (N,) object array
        Rows that should have one label.
    surroundings : Surroundings
        The same, as the views take it; without a graph of neighbours.
    """

    read: Features
    numbers: Any
    votes: Votes | None
    groups: Any
    clusters: Any
    surroundings: Surroundings

    @classmethod
    def of(
        cls,
        frame: pd.DataFrame,
        evidence: Evidence,
        label: str,
        classes: tuple[str, ...],
        folder: Path,
        place: IntArray,
        ballots: Votes | None = None,
        *,
        progress: Progress,
    ) -> Known:
        """Read all columns that were named; parameters as of `check_labels`.

        `place` says which rows of `evidence.vectors` these are, `ballots` are votes from a table
        of their own, and `progress` is told of contents that are read.
        """
        said = _attributes(frame, {label, *evidence.columns})
        parts = [array_rows(name, array, place) for name, array in evidence.vectors.items()]
        parts += [numbers_of(frame, evidence.features)] if evidence.features else []
        numbers = np.hstack(parts) if parts else None
        if evidence.text is not None or evidence.image is not None:
            items, read = read_contents(frame, evidence, said, folder, progress)
        else:
            items, read = _items(frame, evidence, numbers, said), Features()
        scaled = None if numbers is None else _scaled(numbers)
        votes = votes_of(frame, evidence.votes, classes) if evidence.votes else ballots
        owned = evidence.group is not None
        digests, groups = items["payload_digest"], items["group"]
        texts = list(frame[evidence.text]) if evidence.text is not None else None
        around = Surroundings(
            graph=None,
            features=read.beside(scaled).dense,
            groups=groups,
            digests=digests,
            attributes=attributes_of(items, texts=texts is not None),
            splits=pd.Series(names_of(frame, "split")).fillna(NO_SPLIT)
            if "split" in frame
            else None,
            texts=texts,
            votes=votes,
        )
        return cls(
            read.beside(scaled), scaled, votes, groups.to_numpy(dtype=object),
            (digests if owned else groups).to_numpy(dtype=object), around,
        )  # fmt: skip

    @property
    def features(self) -> Any:
        """What neighbours are compared by, (N, D); None where nothing was read."""
        return self.read.dense

    @property
    def words(self) -> Any:
        """Words of texts, (N, W) sparse, where nothing else is among the features; else None."""
        return self.read.words

    def lone_votes(self) -> IntArray:
        """Return the one vote on each row, -1 where there is none, or some row has several.

        Where nobody shared a row nothing tells how often people err, so such votes give no
        probability; yet one that differs from the label is worth a look.
        """
        lone = np.full(len(self.groups), -1, dtype=np.int64)
        if self.votes is None:
            return lone
        items, _, said = (np.asarray(part, dtype=np.int64) for part in self.votes)
        if len(np.unique(items)) == len(items):
            lone[items] = said
        return lone

    def copies(self, codes: IntArray) -> Copies:
        """Count rows with equal contents, and those of them whose labels differ."""
        return count_copies(self.surroundings.digests, codes)

    def reading(self, texts: list[str]) -> Known:
        """Return the same rows, read as if these were their texts."""
        read = text_features(texts).beside(self.numbers)
        around = replace(self.surroundings, texts=texts, features=read.dense)
        return replace(self, read=read, surroundings=around)

    def disagree(self, codes: IntArray) -> Disagreement:
        """Say which labels those of copies and near-duplicates contradict."""
        return label_conflicts(codes, self.clusters)


def _scaled(numbers: Any) -> Any:
    """Bring columns of different units to one spread; an embedding's directions stay."""
    spread = numbers.std(axis=0)
    return (numbers - numbers.mean(axis=0)) / np.where(spread > 0, spread, 1)


def _items(frame: pd.DataFrame, evidence: Evidence, numbers: Any, said: list[str]) -> pd.DataFrame:
    """Stand in for items where rows have no content: equal numbers are equal rows."""
    alone = [f"row {n}" for n in range(len(frame))]
    digests = alone if numbers is None else [digest_bytes(row.tobytes()) for row in numbers]
    groups = digests
    if evidence.group is not None:
        own = names_of(frame, evidence.group)
        groups = [f"of {g}" if g is not None else d for g, d in zip(own, digests, strict=True)]
    return pd.DataFrame(
        {"source": "rows", "payload": "", "attributes": said, "payload_digest": digests,
         "group": groups}
    )  # fmt: skip


def _attributes(frame: pd.DataFrame, named: set[str]) -> list[str]:
    """Write the columns that nobody named as JSON, a text a row."""
    twice = Counter(frame.columns)
    others = [c for c in frame.columns if c not in named and isinstance(c, str) and twice[c] == 1]
    cells = [[_plain(cell) for cell in frame[c].tolist()] for c in others]
    return [
        json.dumps(dict(zip(others, (column[i] for column in cells), strict=True)))
        for i in range(len(frame))
    ]


def _plain(cell: object) -> object:
    """Return a cell as JSON has it; text of digits is a number, as in a CSV."""
    if isinstance(cell, str):
        try:
            return float(cell) if len(cell) < 20 else cell
        except ValueError:
            return cell
    if isinstance(cell, bool | int):
        return cell
    if isinstance(cell, float):
        return cell if np.isfinite(cell) else None
    return None if cell is None else str(cell)
