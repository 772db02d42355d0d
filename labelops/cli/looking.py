"""A first look at a file or folder of data, to guess what its columns mean."""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from ..errors import SourceError, UsageError, shown

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["CLASS_NAMES", "FORMATS", "Guess", "classes_in", "contents_in", "look_at"]

_ROWS = 500
FORMATS = {".csv": "csv", ".tsv": "csv", ".jsonl": "jsonl", ".ndjson": "jsonl"} | {
    ".parquet": "parquet",
    ".pq": "parquet",
}
_IMAGES = (".png", ".jpg", ".jpeg", ".gif", ".webp", ".bmp", ".tif", ".tiff")
_TEXT_NAMES = ("text", "message", "body", "content", "sentence", "document", "description")
_KEY_NAMES = ("id", "key", "uuid", "item_id", "index")
CLASS_NAMES = (
    *("label", "labels", "class", "category", "intent", "topic", "sentiment"),
    *("target", "answer", "truth", "given_label"),
)
_CLASSES, _MOST = 50, 1_000
_KEY_LENGTH, _TELLING = 64, 20


@dataclass(frozen=True, slots=True)
class Guess:
    """What data seems to be; every part may be corrected in labelops.toml.

    Parameters
    ----------
    format : {"csv", "jsonl", "parquet", "folder"}
    media : {"text", "image"}
    key, text, image : str
        Columns; empty where there is none.
    known : str
        A column that seems to hold answers already; empty where there is none.
    maybe_key : str
        A column that may identify a row, since all its cells differ; empty where there is a key.
    earlier : str
        The column that the user says holds labels from before; `known` too, then.
    classes : tuple of str
        The answers found there, sorted; of the first rows, `classes_in` reads them all.
    columns : tuple of str
        All columns.
    delimiter, encoding : str
        Of the file's text; empty where a source needs not be told.
    no_key : str
        Why a column that is named like a key is none; empty where nothing is to be said.
    """

    format: str
    media: str
    key: str = ""
    text: str = ""
    image: str = ""
    known: str = ""
    classes: tuple[str, ...] = ()
    columns: tuple[str, ...] = ()
    delimiter: str = ""
    encoding: str = ""
    no_key: str = ""
    maybe_key: str = ""
    earlier: str = ""


Rows = Sequence[Mapping[str, object]]


def look_at(
    path: Path,
    *,
    text: str | None = None,
    image: str | None = None,
    key: str | None = None,
    labels: str | None = None,
    encoding: str | None = None,
) -> Guess:
    """Guess what a file or folder holds from its first rows; columns that are given stand.

    Parameters
    ----------
    path : Path
    text, image, key, labels : str, optional
        Columns named by the user; the last with labels from before.
    encoding : str, optional
        Of texts; without it, UTF-8.

    Raises
    ------
    SourceError
        If the file cannot be read so far, or lacks a column that was named.
    UsageError
        If it is of no known format, or there is no such encoding.
    """
    try:
        "".encode(encoding or "utf-8")
    except LookupError:
        raise UsageError(f"encoding {shown(encoding)} is not known; try cp1252") from None
    if not path.exists():
        raise SourceError("no such file or folder; mend the path", file=str(path))
    if path.is_dir():
        return _guess_folder(path, labels, encoding or "")
    from ..adapters.not_text import SPREADSHEETS

    kind = FORMATS.get(path.suffix.lower())
    if kind is None and path.suffix.lower() in SPREADSHEETS:
        raise UsageError(f"{path}: a spreadsheet; save it as CSV or Parquet")
    if path.suffix.lower() == ".json":
        raise UsageError(
            f"{path}: write one JSON object a line, into a file ending in .jsonl; from Label "
            "Studio export CSV"
        )
    if kind is None:
        raise UsageError(
            f"{path}: expected a folder, or a table whose name ends in {', '.join(FORMATS)}; write "
            "it as one of these"
        )
    rows, delimiter = _first_rows(path, kind, encoding or "utf-8")
    found = _guess(str(path), kind, rows, text=text, image=image, key=key, labels=labels)
    said = "" if kind == "parquet" else encoding or ""
    return replace(found, delimiter=delimiter, encoding=said)


def _guess_folder(path: Path, labels: str | None, encoding: str) -> Guess:
    from ..adapters.source_spec import FOLDER

    found = Guess("folder", _media_of_folder(path), encoding=encoding)
    if labels is None:
        return found
    classes = sorted({p.parent.name for p in path.rglob("[!.]*") if p.is_file()} - {path.name})
    if labels != FOLDER or not 2 <= len(classes) <= _MOST:
        problem = "it has no columns" if labels != FOLDER else f"it has {len(classes)} subfolders"
        raise UsageError(
            f"{path}: {problem}; `--labels {FOLDER}` takes the names of the subfolders that files "
            "lie in, two or more, as labels from before"
        )
    return replace(found, known=FOLDER, earlier=FOLDER, classes=tuple(classes))


def _media_of_folder(folder: Path) -> str:
    files = [p for p in islice(folder.rglob("*"), _ROWS) if p.is_file()]
    if not files:
        raise SourceError("there are no files in this folder; mend the path", file=str(folder))
    images = sum(p.suffix.lower() in _IMAGES for p in files)
    return "image" if 2 * images > len(files) else "text"


def _first_rows(path: Path, kind: str, encoding: str) -> tuple[Rows, str]:
    """Return the first rows, and the delimiter where it is not the one of the file's ending."""
    from ..adapters.not_text import refuse_binary
    from ..adapters.source_spec import with_mark

    delimiter = ""
    try:
        if kind == "parquet":
            return _parquet_rows(path), ""
        refuse_binary(path, encoding)
        with path.open(encoding=with_mark(encoding), newline="") as file:
            if kind == "jsonl":
                rows: Rows = list(_json_rows(path, file))
            else:
                rows, delimiter = _csv_rows(file, "\t" if path.suffix.lower() == ".tsv" else ",")
    except UnicodeError:
        from ..adapters.source_text import encoding_problem

        problem = encoding_problem(path, encoding, "run again with --encoding {}")
        raise SourceError(problem or f"not {encoding}; save it as UTF-8", file=str(path)) from None
    except csv.Error as error:
        raise SourceError(f"not readable as CSV ({error}); mend the file", file=str(path)) from None
    except OSError as error:
        raise SourceError(f"cannot be read ({error.strerror})", file=str(path)) from None
    if not rows:
        raise SourceError("there are no rows to look at", file=str(path))
    return rows, delimiter


def _csv_rows(file: TextIO, usual: str) -> tuple[Rows, str]:
    """Read as what separates the header's cells: spreadsheets of many countries write `;`."""
    from ..adapters.source_spec import other_delimiter

    csv.field_size_limit(10_000_000)
    found = other_delimiter(next(csv.reader(file, delimiter=usual), []), usual)
    file.seek(0)
    return list(islice(csv.DictReader(file, delimiter=found or usual), _ROWS)), found


def _json_rows(path: Path, lines: Iterator[str]) -> Iterator[Mapping[str, object]]:
    for number, line in enumerate(islice((x for x in lines if x.strip()), _ROWS), start=1):
        try:
            row = json.loads(line)
        except ValueError:
            row = None
        if not isinstance(row, dict):
            raise SourceError(
                "expected one JSON object a line", file=str(path), row=number, value=line.strip()
            )
        yield row


def _parquet_rows(path: Path) -> Rows:
    import pyarrow.parquet as pq
    from pyarrow import ArrowException

    try:
        with pq.ParquetFile(path) as file:
            batch = next(file.iter_batches(batch_size=_ROWS), None)
    except (ArrowException, OSError):
        raise SourceError("not a Parquet file; mend the path", file=str(path)) from None
    found = [] if batch is None else batch.to_pylist()
    rows: Rows = [{name: _text_of(cell) for name, cell in row.items()} for row in found]
    if not rows:
        raise SourceError("there are no rows to look at", file=str(path))
    return rows


def _text_of(cell: object) -> object:
    return cell.decode(errors="replace") if isinstance(cell, bytes) else cell


def _guess(
    file: str,
    kind: str,
    rows: Rows,
    *,
    text: str | None,
    image: str | None,
    key: str | None,
    labels: str | None,
) -> Guess:
    names = tuple(dict.fromkeys(name for row in rows for name in row if isinstance(name, str)))
    for named in (text, image, key, labels):
        if named is not None and named not in names:
            there = ", ".join(shown(name) for name in names[:20])
            raise SourceError(
                f"there is no such column; there are {there}", file=file, column=named
            )
    cells = {name: [str(row.get(name) or "") for row in rows] for name in names}
    found_key, no_key = (key, "") if key is not None else _key(cells)
    rest = {n: column for n, column in cells.items() if n not in (found_key, labels)}
    found_image = image if image is not None else ("" if text is not None else _image(rest))
    found_text = text if text is not None else ("" if found_image else _text(rest))
    known = labels or _known({n: c for n, c in rest.items() if n not in (found_text, found_image)})
    return Guess(
        format=kind,
        media="image" if found_image else "text",
        key=found_key,
        text=found_text,
        image=found_image,
        known=known,
        classes=tuple(sorted(set(cells[known]) - {""})) if known else (),
        columns=names,
        no_key=no_key,
        maybe_key="" if found_key else _maybe_key(rest, {found_text, found_image, known}),
        earlier=labels or "",
    )


def _key(cells: Mapping[str, list[str]]) -> tuple[str, str]:
    """Return a column that is named like a key and repeats nothing, else why there is none."""
    why = ""
    for name, column in cells.items():
        if name.lower() in _KEY_NAMES or name.lower().endswith(("_id", "-id")):
            doubt = _no_key(column)
            if not doubt:
                return name, ""
            why = why or f"column {shown(name)} is no key: {doubt}"
    return "", why


def _maybe_key(cells: Mapping[str, list[str]], named: set[str]) -> str:
    """Return a column of short cells, of several rows, that all differ and are no measurements."""
    for name, column in cells.items():
        short = max(map(len, column)) <= _KEY_LENGTH and not any(map(_MEASURED.fullmatch, column))
        if name not in named and short and len(column) >= _TELLING and not _no_key(column):
            return name
    return ""


_MEASURED = re.compile(r"-?\d+[.,]\d+|\d{4}-\d\d?-\d\d?.*|\d\d?[./]\d\d?[./]\d{2,4}.*")
"""A fraction, a date or a time: they differ from row to row, and identify none."""


def _no_key(column: Sequence[str]) -> str:
    """Say what speaks against a column as key; rows count from 1."""
    rows: dict[str, int] = {}
    for row, value in enumerate(column, start=1):
        if not value:
            return f"it is empty in row {row}"
        first = rows.setdefault(value, row)
        if first != row:
            return f"{shown(value)} is in rows {first} and {row}"
    return ""


def _image(cells: Mapping[str, list[str]]) -> str:
    for name, column in cells.items():
        if all(value.lower().endswith(_IMAGES) for value in column):
            return name
    return ""


def _text(cells: Mapping[str, list[str]]) -> str:
    """Return the column named like a text, else the one with the longest cells of words."""
    named = [name for wanted in _TEXT_NAMES for name in cells if name.lower() == wanted]
    words = [n for n, column in cells.items() if _are_words(column) and not _repeats(n, column)]
    longest = max(words, key=lambda name: sum(map(len, cells[name])), default="")
    return named[0] if named else longest


def _are_words(column: Sequence[str]) -> bool:
    """Say whether cells may be texts: more letters than digits, which numbers and dates lack."""
    characters = "".join(column)
    return sum(map(str.isalpha, characters)) > sum(map(str.isdigit, characters))


def _repeats(name: str, column: Sequence[str]) -> bool:
    """Say whether a column is named like an answer, and says the same of several rows."""
    return name.lower() in CLASS_NAMES and len(set(column)) < len(column)


def _known(cells: Mapping[str, list[str]]) -> str:
    """Return a column that is named like an answer and has few distinct cells.

    A file that is sorted by class may begin with a single one.
    """
    for name, column in cells.items():
        distinct = {value for value in column if value}
        few = max(_CLASSES, len(column) / 2)
        if name.lower() in CLASS_NAMES and 1 <= len(distinct) <= few:
            return name
    return ""


def contents_in(frame: pd.DataFrame) -> dict[str, str]:
    """Return the column of texts or image files that shows what a row is, by which of them it is.

    Examples
    --------
    >>> import pandas as pd
    >>> seen = {"via": ["mail"] * 3, "note": ["no parcel", "cannot log in", "refund?"]}
    >>> contents_in(pd.DataFrame(seen)), contents_in(pd.DataFrame({"via": seen["via"]}))
    ({'text': 'note'}, {})
    """
    first = frame.head(_ROWS)
    cells = {str(name): [str(cell or "") for cell in first[name]] for name in first}
    if image := _image(cells):
        return {"image": image}
    # What many rows share, such as a channel, does not tell them apart.
    tell = {n: c for n, c in cells.items() if n.lower() in _TEXT_NAMES or 2 * len({*c}) > len(c)}
    text = _text(tell)
    return {"text": text} if text else {}


def classes_in(path: Path, guess: Guess) -> tuple[str, ...]:
    """Return all answers of the column that seems to hold them, sorted; none if they are too many.

    The first rows do not have them all where a file is sorted by class.

    Raises
    ------
    SourceError
        If a later row cannot be read.
    """
    from ..adapters.source_table import read_table
    from ..checking.columns import classes_in as named_in
    from ..checking.columns import in_order

    if not guess.known or guess.format == "folder":
        return guess.classes
    table = read_table(path, encoding=guess.encoding or "utf-8", delimiter=guess.delimiter or None)
    table.attrs["file"] = str(path)
    found = named_in(table, guess.known)
    return tuple(sorted(found, key=in_order)) if 2 <= len(found) <= _MOST else ()
