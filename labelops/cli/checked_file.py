"""The file of `labelops check` and what its options ask of it: guessed, refused or read."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import SourceError, UsageError, shown
from .looking import CLASS_NAMES, FORMATS, Guess, look_at

if TYPE_CHECKING:
    import pandas as pd

    from ..checking import Evidence
    from ..checking.question import Question

__all__ = ["Asked", "column_of_contents", "column_of_labels", "votes_in"]


@dataclass(frozen=True, slots=True)
class Asked:
    """What the options ask: `judges` are parts of `Evidence`, the others as of `check_labels`."""

    file: Path
    guess: Guess
    label: str
    key: str | None
    encoding: str
    probs: str | None
    votes: tuple[str, ...] | pd.DataFrame
    classes: tuple[str, ...]
    check_memorised: bool
    judges: Mapping[str, Any]

    def check_first_rows(self) -> None:
        """Refuse what the first rows show already, before a large file is read."""
        from pandas import DataFrame

        from ..checking.question import check_columns

        if self.guess.format != "jsonl":  # Later rows of that may bring columns of their own.
            header = self._named(DataFrame(columns=list(self.guess.columns)))
            check_columns(header, self.label, self.key, self._evidence(header))

    def read(self) -> Question:
        """Read the whole file, and all that is asked about."""
        from ..adapters.source_table import read_table
        from ..checking.question import Question

        delimiter = self.guess.delimiter or None
        frame = read_table(self.file, encoding=self.encoding, delimiter=delimiter)
        frame = self._named(frame[sorted(frame, key=_place_in(self.guess.columns))])
        return Question.of(
            frame, self.label, self._evidence(frame), key=self.key, classes=self.classes,
            votes=None if isinstance(self.votes, tuple) else self.votes,
            folder=self.file.parent, check_memorised=self.check_memorised,
        )  # fmt: skip

    def _named(self, frame: pd.DataFrame) -> pd.DataFrame:
        frame.attrs["file"] = str(self.file)
        return frame

    def _evidence(self, frame: pd.DataFrame) -> Evidence:
        from ..checking import Evidence

        columns = None if self.probs is None else _prob_columns(frame, self.probs, self.label)
        votes, voted = (self.votes, "") if isinstance(self.votes, tuple) else ((), "a table")
        features = _feature_columns(frame, self.judges["features"])
        judges = {**self.judges, "features": features}
        return Evidence(probs=columns, votes=votes, voted=voted, **judges)


def column_of_labels(data: Path, guess: Guess) -> str:
    """Return the column that seems to hold the labels.

    Raises
    ------
    UsageError
        None does.
    """
    named = (column for column in guess.columns if column.lower() in CLASS_NAMES)
    found = guess.known or next(named, "")
    if found:
        return found
    there = ", ".join(shown(name) for name in guess.columns[:20]) or "none, it is a folder"
    raise UsageError(f"{data}: name the column with the labels, --label COLUMN; there are {there}")


def column_of_contents(data: Path, guess: Guess, label: str) -> tuple[str | None, str | None]:
    """Return the text or image column to judge by, where none was named."""
    text, image = (c if c and c != label else None for c in (guess.text, guess.image))
    if text is None and image is None:
        raise SourceError(
            "no column seems to hold texts or image files to judge the labels by: name columns "
            "with --text, --image, --features (such as 'x*'), --probs or --votes",
            file=str(data),
        )
    return text, image


def votes_in(
    data: Path, guess: Guess, votes: tuple[str, ...], encoding: str | None
) -> tuple[str, ...] | pd.DataFrame:
    """Return the columns with votes, or the table where a file of that name is meant.

    Raises
    ------
    UsageError
        A name that is a file's and no column, and there is no such file.
    """
    from ..adapters.source_table import read_table

    if len(votes) != 1 or votes[0] in guess.columns:
        return votes
    file = Path(votes[0])
    if file.suffix.lower() not in FORMATS:
        return votes
    if file.exists() and file.samefile(data):
        raise UsageError("--votes is FILE itself; name columns of it, or the file with the votes")
    look = look_at(file, encoding=encoding)
    table = read_table(file, encoding=encoding or "utf-8", delimiter=look.delimiter or None)
    table.attrs["file"] = str(file)
    return table


def _place_in(names: Sequence[str]) -> Callable[[str], int]:
    """Order columns as in the file; those that only later rows have come last."""
    place = {name: i for i, name in enumerate(names)}
    return lambda name: place.get(name, len(place))


def _feature_columns(frame: pd.DataFrame, named: Sequence[str]) -> list[str]:
    """Return the columns of numbers; `x*` stands for all that begin with x.

    Raises
    ------
    UsageError
        No column is named so.
    """
    found: list[str] = []
    for name in named:
        meant = [name] if name in frame else [c for c in frame if fnmatchcase(c, name)]
        if not meant and "*" in name:
            there = ", ".join(shown(c) for c in list(frame)[:20])
            raise UsageError(f"--features {shown(name)}: no column is named so; there are {there}")
        _refuse_array(
            "--features", name, "such as a list of numbers a row of a Parquet file", meant
        )
        found += meant or [name]
    return list(dict.fromkeys(found))


def _refuse_array(option: str, named: str, how: str, meant: Collection[str]) -> None:
    """Refuse the file of an array where columns are asked for, and say what to do with it."""
    if not meant and Path(named).suffix.lower() in (".npy", ".npz"):
        raise UsageError(
            f"{option} {shown(named)}: an array is no column of FILE; write its columns into it, "
            f"{how}"
        )


def _prob_columns(frame: pd.DataFrame, prefix: str, label: str) -> dict[str, str]:
    """Return class → column, for columns whose name is the prefix and a class.

    Raises
    ------
    UsageError
        No column begins so.
    """
    found = {c.removeprefix(prefix): c for c in frame if c.startswith(prefix) and c != label}
    found.pop("", None)
    _refuse_array("--probs", prefix, "one a class, named as the class behind a prefix", found)
    if not found:
        there = ", ".join(shown(name) for name in list(frame)[:20])
        raise UsageError(
            f"--probs {shown(prefix)}: no column begins so; there are {there}. A column's name is "
            f"the prefix and a class, such as {prefix}spam"
        )
    return found
