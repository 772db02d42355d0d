"""How results are written: text that cannot command a terminal, tables, and plain JSON."""

from __future__ import annotations

import dataclasses
import json
import math
import shutil
import sys
import textwrap
import unicodedata
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import PurePath

import click

__all__ = [
    "columns",
    "cut",
    "cut_name",
    "emphasised",
    "json_text",
    "safe",
    "section",
    "short",
]

_STYLES = {
    "pass": "green",
    "fail": "red",
    "inconclusive": "yellow",
    "released": "green",
    "failed": "red",
    "open": "yellow",
    "closed": "red",
    "stands": "green",
}


def safe(text: object) -> str:
    r"""Return a text on one line, without characters that could command or mislead a terminal.

    Line breaks and tabs become spaces; controls, escapes, direction marks and invisible
    characters become the replacement character.

    Examples
    --------
    >>> safe("two\nlines \x1b[31mred\u202e")
    'two lines \ufffd[31mred\ufffd'
    """
    line = str(text)
    if not line.isprintable():
        line = " ".join(line.split())
        line = "".join(c if c.isprintable() else "\ufffd" for c in line)
    return line


def cut(text: object, limit: int = 72) -> str:
    """Return a safe text of at most `limit` characters, with an ellipsis where it was longer.

    Examples
    --------
    >>> cut("a long sentence", 7)
    'a long…'
    """
    line = safe(text)
    return line if len(line) <= limit else line[: limit - 1].rstrip() + "…"


def cut_name(name: object, limit: int) -> str:
    """Return a safe name of at most `limit` characters: of a long one its beginning and its end.

    Examples
    --------
    >>> cut_name("card_payment_fee_charged", 16), cut_name("cash", 16)
    ('card_pay…charged', 'cash')
    """
    line = safe(name)
    if len(line) <= limit:
        return line
    end = (limit - 1) // 2
    return line[: limit - 1 - end] + "…" + line[-end:]


def short(digest: object) -> str:
    """Return the beginning of a digest, enough to tell two apart.

    Examples
    --------
    >>> short("0123456789abcdef"), short(None)
    ('0123456789', '–')
    """
    return "–" if digest is None else safe(digest)[:10]


def emphasised(status: str, text: str | None = None) -> str:
    """Return a status, or a text about it, in its colour; colours vanish where nobody sees them."""
    return click.style(text or status, fg=_STYLES.get(status), bold=True)


def _width(text: str) -> int:
    plain = click.unstyle(text)
    wide = sum(unicodedata.east_asian_width(c) in "WF" for c in plain)
    return len(plain) + wide - sum(unicodedata.combining(c) != 0 for c in plain)


def _screen() -> int:
    """Return how wide lines may be; what is not a terminal gets whole lines, for other tools."""
    if not sys.stdout.isatty():
        return 1_000_000
    return max(60, shutil.get_terminal_size((100, 24)).columns)


def columns(
    rows: Sequence[Sequence[str]],
    head: Sequence[str] = (),
    *,
    right: Sequence[int] = (),
    indent: int = 0,
) -> str:
    """Align rows of safe cells; the last column is wrapped to the terminal.

    Parameters
    ----------
    rows : sequence of rows
        All of one length.
    head : sequence of str
        Titles of the columns.
    right : sequence of int
        Columns written flush right: numbers.
    indent : int
        Spaces before each line.

    Examples
    --------
    >>> table = columns([["cat", "12"], ["dog", "7"]], ["class", "labels"], right=[1])
    >>> print(click.unstyle(table))
    class  labels
    cat        12
    dog         7
    """
    if not rows:
        return ""
    table = [*([list(head)] if head else []), *rows]
    widths = [max(_width(row[c]) for row in table) for c in range(len(rows[0]))]
    lines = [_line(row, widths, right, indent) for row in table]
    if head:
        lines[0] = click.style(lines[0], dim=True)
    return "\n".join(lines)


def section(
    title: str, rows: Sequence[Sequence[str]], head: Sequence[str], right: Sequence[int] = ()
) -> str:
    """Write a table under its title; nothing where there are no rows.

    Examples
    --------
    >>> print(click.unstyle(section("Votes", [["ann", "cat"]], ["who", "said"])))
    Votes
      who  said
      ann  cat
    """
    if not rows:
        return ""
    return f"{click.style(title, bold=True)}\n{columns(rows, head, right=right, indent=2)}"


def _line(row: Sequence[str], widths: Sequence[int], right: Sequence[int], indent: int) -> str:
    cells = []
    for place, (cell, width) in enumerate(zip(row, widths, strict=True)):
        space = " " * (width - _width(cell))
        cells.append(space + cell if place in right else cell + space)
    start = " " * indent + "  ".join(cells[:-1]) + ("  " if len(cells) > 1 else "")
    room = max(24, _screen() - _width(start))
    last = cells[-1].rstrip()
    if _width(last) <= room:
        return (start + last).rstrip()
    wrapped = textwrap.wrap(click.unstyle(last), room)
    return start + ("\n" + " " * _width(start)).join(wrapped)


def json_text(result: object) -> str:
    r"""Return a result as indented JSON in ASCII: nothing in it can command a terminal.

    Examples
    --------
    >>> print(json_text({"share": float("nan"), "text": chr(27)}))
    {
      "share": null,
      "text": "\u001b"
    }
    """
    return json.dumps(_plain(result), indent=2, allow_nan=False)


def _plain(value: object) -> object:
    """Return what JSON can hold; tables of a result stay out, they are for the next stage."""
    to_json = getattr(value, "to_json", None)
    if callable(to_json) and not hasattr(value, "columns"):
        return _plain(to_json())
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        fields = {f.name: getattr(value, f.name) for f in dataclasses.fields(value)}
        return {k: _plain(v) for k, v in fields.items() if not hasattr(v, "columns")}
    if isinstance(value, Mapping):
        return {str(k): _plain(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(v) for v in value]
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, PurePath):
        return str(value)
    if hasattr(value, "item"):  # a numpy number
        return _plain(value.item())
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if value is None or isinstance(value, str | int | float):
        return value
    return str(value)
