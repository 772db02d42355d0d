"""The error tree is what it is drawn as, and its messages are one line."""

from __future__ import annotations

import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from labelops import errors
from labelops.errors import LabelopsError, SourceError, TableError, shown

_LINE = re.compile(r"^(?P<bars>[ │├└─]*)(?P<name>\w+)(\((?P<builtin>\w+)\))?(?P<says>.*)$")


def _drawn() -> list[tuple[str, str, str | None, str]]:
    """Read (class, parent, builtin, text) from the tree in the module's docstring."""
    text = (errors.__doc__ or "").split("::\n\n", 1)[1].split("\n\n", 1)[0]
    rows: list[tuple[str, str, str | None, str]] = []
    above: dict[int, str] = {}
    for line in text.splitlines():
        found = _LINE.match(line[4:])
        assert found, line
        depth = len(found["bars"]) // 4
        above[depth] = found["name"]
        parent = above[depth - 1] if depth else "Exception"
        rows.append((found["name"], parent, found["builtin"], found["says"]))
    return rows


DRAWN = _drawn()


def test_the_drawing_is_complete() -> None:
    """Every error class is drawn once and exported, and none is drawn that is not there."""
    classes = {
        n for n, o in vars(errors).items() if isinstance(o, type) and issubclass(o, LabelopsError)
    }
    assert sorted(name for name, *_ in DRAWN) == sorted(classes)
    assert classes | {"DeprecatedRelease", "counted", "percent", "shown"} == set(errors.__all__)


@pytest.mark.parametrize(("name", "parent", "builtin", "says"), DRAWN)
def test_class_is_as_drawn(name: str, parent: str, builtin: str | None, says: str) -> None:
    """Parent, builtin, exit code and retryability are those of the drawing."""
    cls = getattr(errors, name)
    assert cls.__bases__[0].__name__ == parent
    if builtin:
        assert builtin in {base.__name__ for base in cls.__mro__}
    code = re.search(r"exit (\d)", says)
    if code:
        assert cls.exit_code == int(code[1])
    if parent in ("UsageError", "EndError"):
        assert cls.exit_code == getattr(errors, parent).exit_code
    assert cls.retryable == ("retryable" in says)


def test_exit_codes_are_the_documented_ones() -> None:
    """1 gate or integrity, 2 wrong use, 3 an end or a race; nothing else."""
    codes = {name: getattr(errors, name).exit_code for name, *_ in DRAWN}
    assert set(codes.values()) == {1, 2, 3}
    assert [n for n, c in codes.items() if c == 1] == ["GateNotPassed", "IntegrityError"]


@given(st.text() | st.binary() | st.lists(st.text()), st.integers(4, 80))
def test_shown_is_one_short_line(value: object, limit: int) -> None:
    """Whatever a user's value is, what a message shows of it is one printable short line."""
    text = shown(value, limit)
    assert text.isprintable()
    assert len(text) <= limit + len(" (1000000 characters)")


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (np.float64("nan"), "nan"),
        (np.int64(3), "3"),
        (np.bool_(True), "True"),
        (np.str_("a"), "'a'"),
        (np.array(0.5), "0.5"),
        (np.array([1, 2]), "array([1, 2])"),
    ],
)
def test_shown_of_a_numpy_value_is_the_plain_value(value: object, text: str) -> None:
    """What a cell holds is told as the user wrote it, whichever library read it."""
    assert shown(value) == text


def test_shown_of_a_huge_text() -> None:
    """A text of 100 MB is told by its beginning and its size."""
    assert shown("x" * 10**8) == "'" + "x" * 58 + "… (100000000 characters)"


def test_source_error_says_where() -> None:
    """File, row, column and value are in the message and in the attributes."""
    error = SourceError("expected text", file="a.csv", row=3, column="body", value=float("nan"))
    assert str(error) == "a.csv, row 3, column 'body': expected text (found nan)"
    assert (error.file, error.row, error.column) == ("a.csv", 3, "body")
    assert str(SourceError("no rows")) == "no rows"


def test_table_error_shortens() -> None:
    """A message names three problems and counts the rest; all are in `problems`."""
    error = TableError("votes", ["a", "b", "c", "d", "e"])
    assert str(error) == "table votes: a; b; c (and 2 more)"
    assert len(error.problems) == 5
