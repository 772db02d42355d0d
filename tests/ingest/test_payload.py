"""Payload normalisation and refusals."""

from __future__ import annotations

import unicodedata

from hypothesis import given
from hypothesis import strategies as st

from labelops.ingest.payload import normalised, problem_of


@given(st.text(max_size=30))
def test_normalising_twice_is_once(text: str) -> None:
    """The normal form is its own normal form, whatever spaces and composition come in."""
    once = normalised(text)
    assert normalised(once) == once
    assert normalised(f" {text}\t") == once
    assert normalised(unicodedata.normalize("NFD", text)) == once
    assert "\n" not in once


@given(st.text(st.characters(codec="utf-8", exclude_characters="\x00"), max_size=30))
def test_any_other_text_is_fine(text: str) -> None:
    """A text is refused only if there is nothing in it but space."""
    assert (problem_of(text) is None) == bool(text.strip())
