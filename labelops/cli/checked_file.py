"""The file of `labelops check` and what its options ask of it: guessed, refused or read."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import SourceError, UsageError, shown
from .looking import CLASS_NAMES, FORMATS, Guess, contents_in, look_at

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

    from ..checking import Evidence
    from ..checking.columns import Model
    from ..checking.question import Question
    from ..measure.progress import Progress

_OTHERS = (".pt", ".pth", ".pkl", ".pickle", ".joblib", ".h5", ".hdf5", ".safetensors", ".mat")
"""Endings of files in which arrays lie about as well; some can only be read by running them."""

__all__ = ["Asked", "column_of_contents", "column_of_labels", "votes_in"]


@dataclass(frozen=True, slots=True)
class Asked:
    """What the options ask: `judges` are parts of `Evidence`, the others as of `check_labels`."""

    file: Path
    guess: Guess
    label: str
    key: str | None
    encoding: str
    probs: tuple[str, ...]
    votes: tuple[str, ...] | pd.DataFrame
    classes: tuple[str, ...]
    check_memorised: bool
    judges: Mapping[str, Any]

    def check_first_rows(self) -> None:
        """Refuse what the first rows show already, before a large file is read."""
        from pandas import DataFrame

        from ..checking.refused import check_columns

        if self.guess.format != "jsonl":  # Later rows of that may bring columns of their own.
            header = self._named(DataFrame(columns=list(self.guess.columns)))
            check_columns(header, self.label, self.key, self._evidence(header))

    def read(self, progress: Progress) -> Question:
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
            shown=self._shown(frame), progress=progress,
        )  # fmt: skip

    def _shown(self, frame: pd.DataFrame) -> dict[str, str]:
        """Return the column that seems to hold texts or image files, where none judges."""
        from ..checking.result import ANNOTATED

        if self.judges["text"] or self.judges["image"]:
            return {}
        named = {self.label, self.key, *ANNOTATED, *self._evidence(frame).columns}
        return contents_in(frame[[name for name in frame if name not in named]])

    def _named(self, frame: pd.DataFrame) -> pd.DataFrame:
        frame.attrs["file"] = str(self.file)
        return frame

    def _evidence(self, frame: pd.DataFrame) -> Evidence:
        from ..checking import Evidence

        models = _models(frame, self.probs, self.label)
        votes, voted = (self.votes, "") if isinstance(self.votes, tuple) else ((), "a table")
        features, vectors = _feature_columns(frame, self.judges["features"])
        judges = {**self.judges, "features": features, "vectors": vectors}
        return Evidence(models=models, votes=votes, voted=voted, **judges)


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


def _feature_columns(
    frame: pd.DataFrame, named: Sequence[str]
) -> tuple[list[str], dict[str, NDArray[Any]]]:
    """Return the columns of numbers, `x*` for all that begin with x, and arrays by their file.

    Raises
    ------
    UsageError
        No column is named so, or a file is none with a table of numbers.
    """
    from ..adapters.array_files import is_array_file, open_array

    columns: list[str] = []
    arrays: dict[str, NDArray[Any]] = {}
    for name in named:
        meant = [name] if name in frame else [c for c in frame if fnmatchcase(c, name)]
        if not meant and is_array_file(name):
            arrays[name] = open_array(name)
            continue
        if not meant and "*" in name:
            there = ", ".join(shown(c) for c in list(frame)[:20])
            raise UsageError(f"--features {shown(name)}: no column is named so; there are {there}")
        _refuse_other_file("--features", name, meant)
        columns += meant or [name]
    return list(dict.fromkeys(columns)), arrays


def _refuse_other_file(option: str, named: str, meant: Collection[str]) -> None:
    """Refuse a file that arrays are not read from, where columns are asked for."""
    file = Path(named)
    if not meant and (file.suffix.lower() in _OTHERS or file.is_file()):
        raise UsageError(
            f"{option} {shown(named)}: no column is named so, and an array is read from .npy or "
            ".npz; save it by numpy.save, or write its columns into FILE"
        )


def _models(frame: pd.DataFrame, named: Sequence[str], label: str) -> dict[str, Model]:
    """Return what each prefix of columns, or file, says: one of columns alone is your model.

    Raises
    ------
    UsageError
        No column begins so, or a file is none with a table of numbers.
    """
    from ..adapters.array_files import is_array_file, open_array
    from ..checking.columns import YOURS

    found: dict[str, Model] = {}
    for name in named:
        columns = _prob_columns(frame, name, label)
        if not columns and is_array_file(name):
            found[name] = open_array(name)
            continue
        if name in frame and not columns:
            raise UsageError(
                f"--probs {shown(name)}: that is a single column; name what begins one a class, or "
                "save lists of probabilities by numpy.save(FILE, numpy.stack(lists)), as .npy"
            )
        _refuse_other_file("--probs", name, columns)
        if not columns:
            there = ", ".join(shown(name) for name in list(frame)[:20])
            raise UsageError(
                f"--probs {shown(name)}: no column begins so; there are {there}. A column's name "
                f"is the prefix and a class, such as {name}spam"
            )
        found[name] = columns
    if len(found) == 1 and not is_array_file(*found):
        return {YOURS: columns}
    return found


def _prob_columns(frame: pd.DataFrame, prefix: str, label: str) -> dict[str, str]:
    """Return class → column, for columns whose name is the prefix and a class."""
    found = {c.removeprefix(prefix): c for c in frame if c.startswith(prefix) and c != label}
    found.pop("", None)
    return found
