"""What is shown is aligned, and nothing in it commands a terminal."""

from __future__ import annotations

from labelops.cli.releases import FORMATS, WEIGHTS
from labelops.cli.words import columns, cut_name, safe
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


def test_cut_names_stay_different() -> None:
    """Of a long name both ends are shown, in as many characters as there may be."""
    names = [f"a_kind_with_a_rather_long_name_{n:02}" for n in range(77)]
    for limit in (9, 10, 24):
        cuts = [cut_name(name, limit) for name in names]
        assert len(set(cuts)) == 77 and {len(name) for name in cuts} == {limit}
    assert cut_name("x" * 24, 24) == "x" * 24
