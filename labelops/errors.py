"""Every error labelops raises on purpose, as one tree.

::

    LabelopsError
    ├── UsageError(ValueError)              exit 2: what was given is wrong
    │   ├── SettingsError                   labelops.toml or the environment
    │   ├── SchemaError                     a schema, or a value that does not fit it
    │   ├── TableError                      rows that break a table's contract
    │   ├── SourceError                     a row or file that cannot be ingested
    │   ├── ChangedPayloadError             another payload under a known key
    │   ├── NotFoundError(LookupError)      a release, item, or class that is not there
    │   └── LeakageError                    in-sample probabilities, or a split group
    ├── GateNotPassed                       exit 1: a verdict somebody insisted on
    ├── IntegrityError                      exit 1: released bytes are not what was released
    ├── ConflictError                       exit 3: another process got there first; retryable
    └── EndError(OSError)                   exit 3: an end is unavailable or misbehaves
        ├── EndUnavailable                  refused, unreachable, 5xx; retryable
        ├── EndTimeout(TimeoutError)        no answer in time; retryable
        ├── EndRefused(PermissionError)     wrong token, forbidden
        ├── EndProtocolError                it answered, but not what the protocol says
        └── StorageError                    disk full, corrupted table or object

The message is one line and says where (file, row, column), what was found, what was
expected, and what to do. ``retryable`` tells a scheduler whether asking again can help, and
``of_a_part`` whether it may go on with all else meanwhile.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import ClassVar

__all__ = [
    "ChangedPayloadError",
    "ConflictError",
    "DeprecatedRelease",
    "EndError",
    "EndProtocolError",
    "EndRefused",
    "EndTimeout",
    "EndUnavailable",
    "GateNotPassed",
    "IntegrityError",
    "LabelopsError",
    "LeakageError",
    "NotFoundError",
    "SchemaError",
    "SettingsError",
    "SourceError",
    "StorageError",
    "TableError",
    "UsageError",
    "counted",
    "percent",
    "shown",
]

_SHOWN = 60


def shown(value: object, limit: int = _SHOWN) -> str:
    r"""Quote a value for a message: one line, no control characters, never longer than `limit`.

    Examples
    --------
    >>> shown("two\\nlines")
    "'two\\\\nlines'"
    >>> shown("x" * 100, limit=10)
    "'xxxxxxxx… (100 characters)"
    """
    if type(value).__module__ == "numpy" and getattr(value, "shape", None) == ():
        value = value.item()  # type: ignore[attr-defined]  # 3, not np.int64(3)
    if isinstance(value, str | bytes) and len(value) > 4 * limit:
        head = repr(value[: 2 * limit])
    else:
        head = repr(value)
    head = "".join(c if c.isprintable() else f"\\x{ord(c):02x}" for c in head)
    if len(head) <= limit:
        return head
    size = f" ({len(value)} characters)" if isinstance(value, str) else ""
    return f"{head[: limit - 1]}…{size}"


def counted(number: float, noun: str = "", plural: str = "") -> str:
    """Return a whole number with separators, and its noun in the right form.

    Examples
    --------
    >>> counted(1797, "item"), counted(1, "class", "classes"), counted(0)
    ('1,797 items', '1 class', '0')
    """
    if not noun:
        return f"{number:,.0f}"
    return f"{number:,.0f} {noun if number == 1 else plural or noun + 's'}"


def percent(share: float | None, digits: int = 1, fixed: bool = False) -> str:
    """Return a share in percent; a missing one is a dash, and nothing is rounded to 0 or to 1.

    Parameters
    ----------
    share : float or None
        NaN is missing as well.
    digits : int
        After the point, at most.
    fixed : bool
        Exactly so many, for numbers that stand below each other.

    Examples
    --------
    >>> percent(0.1234), percent(0.02), percent(float("nan")), percent(0.00004), percent(0.0)
    ('12.3 %', '2 %', '–', '< 0.1 %', '0 %')
    >>> percent(0.9999), percent(1.0), percent(0.998, 0)
    ('> 99.9 %', '100 %', '> 99 %')
    >>> percent(0.02, fixed=True)
    '2.0 %'
    """
    if share is None or not math.isfinite(share):
        return "–"
    least = 10.0**-digits
    if 0 < 100 * share < least:
        return f"< {least:g} %"
    if share < 1 and round(100 * share, digits) >= 100:
        return f"> {100 - least:g} %"
    text = f"{100 * share:.{digits}f}"
    return f"{text if fixed or '.' not in text else text.rstrip('0').rstrip('.')} %"


class LabelopsError(Exception):
    """Base of every error labelops raises on purpose.

    Attributes
    ----------
    exit_code : int
        What the command line exits with: 1 gate not passed, 2 wrong use, 3 an end is unavailable.
    retryable : bool
        Whether the same call may succeed later without anybody changing anything.
    of_a_part : bool
        Whether it concerns a part only (a row, a source, a rule, the labeler): all else of that
        stage was done, and the stages that follow may go on. Set by the stage that says so.
    of_rows : bool
        Whether it names rows that were set aside, which what the stage found counts.
    """

    exit_code: ClassVar[int] = 2
    retryable: bool = False
    of_a_part: bool = False
    of_rows: bool = False


class UsageError(LabelopsError, ValueError):
    """What was given is wrong; trying again without a change will not help."""


class SettingsError(UsageError):
    """A setting in `labelops.toml` or the environment is missing, unknown, or out of range."""


class SchemaError(UsageError):
    """A schema is malformed, or a label value does not fit it."""


class TableError(UsageError):
    """Rows break a table's contract.

    Parameters
    ----------
    table : str
        The table's name.
    problems : list of str
        One line a bad row (or a missing column): row, column, value, what was expected.
    """

    def __init__(self, table: str, problems: list[str]) -> None:
        self.table = table
        self.problems = problems
        more = f" (and {len(problems) - 3} more)" if len(problems) > 3 else ""
        super().__init__(f"table {table}: " + "; ".join(problems[:3]) + more)


class SourceError(UsageError):
    """A file or row cannot be ingested.

    Parameters
    ----------
    problem : str
        What is wrong and what to do about it.
    file : str, optional
        The file, as the user named it.
    row : int, optional
        The row, counted from 1 after any header (the line for text formats where known).
    column : str, optional
        The column.
    value : object, optional
        The offending value; quoted and shortened.
    header : int
        Lines above the first row: a spreadsheet counts them, too.

    Examples
    --------
    >>> print(SourceError("the key is empty", file="a.csv", row=21, column="id", header=1))
    a.csv, row 21 (22 with the header), column 'id': the key is empty
    """

    def __init__(
        self,
        problem: str,
        *,
        file: str | None = None,
        row: int | None = None,
        column: str | None = None,
        value: object = None,
        header: int = 0,
    ) -> None:
        self.problem, self.file, self.row, self.column, self.value = (
            problem,
            file,
            row,
            column,
            value,
        )
        where = [file] if file else []
        counted_with = f" ({row + header} with the header)" if row is not None and header else ""
        where += [f"row {row}{counted_with}"] if row is not None else []
        where += [f"column {column!r}"] if column is not None else []
        found = f" (found {shown(value)})" if value is not None else ""
        prefix = ", ".join(where)
        super().__init__(f"{prefix}: {problem}{found}" if prefix else f"{problem}{found}")


class ChangedPayloadError(UsageError):
    """A known key came with another payload; ingest with `--revise` if that is meant."""


class NotFoundError(UsageError, LookupError):
    """A release, item, class or file that was named is not there."""


class LeakageError(UsageError):
    """In-sample probabilities, or a leakage group that was split."""


class GateNotPassed(LabelopsError):
    """`raise_if_failed()` was called on a verdict that is not a pass.

    Parameters
    ----------
    problem : str
    against : sequence of str, optional
        Each check that stands in the way, by name and with what it found.

    Examples
    --------
    >>> str(GateNotPassed("the gate did not pass: FAIL", ["rights: expired", "agreement: low"]))
    'the gate did not pass: FAIL — rights: expired; agreement: low'
    """

    exit_code = 1

    def __init__(self, problem: str, against: Sequence[str] = ()) -> None:
        self.problem, self.against = problem, tuple(against)
        super().__init__(" — ".join(filter(None, [problem, "; ".join(against)])))


class IntegrityError(LabelopsError):
    """Released bytes are not the bytes that were released."""

    exit_code = 1


class ConflictError(LabelopsError):
    """Another process did the same thing first; running again takes its result into account."""

    exit_code = 3
    retryable = True


class EndError(LabelopsError, OSError):
    """An end (queue, labeler, storage) is unavailable or misbehaves."""

    exit_code = 3


class EndUnavailable(EndError):
    """The end refused the connection, is unreachable, or answered with a server error."""

    retryable = True


class EndTimeout(EndError, TimeoutError):
    """The end gave no answer in time."""

    retryable = True


class EndRefused(EndError, PermissionError):
    """The end refused the credentials or the action."""


class EndProtocolError(EndError):
    """The end answered, but not what its protocol says."""


class StorageError(EndError):
    """The workspace cannot be written or read: disk full, corrupted table, missing object."""


class DeprecatedRelease(UserWarning):
    """A warning: somebody said that the release that was read should not be used any more."""
