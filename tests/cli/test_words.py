"""What is shown is aligned, and nothing in it commands a terminal."""

from __future__ import annotations

from labelops.cli.releases import FORMATS, WEIGHTS
from labelops.cli.words import columns, safe
from labelops.reuse import FORMATS as KNOWN_FORMATS
from labelops.reuse import WEIGHTS as KNOWN_WEIGHTS


def test_choices_are_those_of_the_library() -> None:
    """The formats and weights offered, without importing it, are those that reuse has."""
    assert set(FORMATS) == set(KNOWN_FORMATS)
    assert WEIGHTS == KNOWN_WEIGHTS


def test_safe_removes_whatever_a_terminal_obeys() -> None:
    """No control (C0, C1, DEL), escape, direction mark or line break survives."""
    every = "".join(map(chr, [*range(32), *range(127, 160), 0x202E, 0x2066, 0x2028, 0x200B]))
    assert safe(every).isprintable()
    assert safe("naïve 日本 🙂") == "naïve 日本 🙂"


def test_columns_align_wide_characters() -> None:
    """Cells of wide characters take two places each."""
    assert columns([["日本", "1"], ["abcd", "2"]]) == "日本  1\nabcd  2"
