"""What `labelops explain` says of an item's contents and known answer."""

from __future__ import annotations

import click

from labelops.cli.explaining import _said_explanation
from labelops.release import Explanation


def _item(*payloads: str, gold: str | None = None) -> str:
    contents = tuple(
        {"payload": payload, "source": "mails", "since": f"2026-03-0{day}T10:30:00+00:00"}
        for day, payload in enumerate(payloads, 1)
    )
    said = {"kind": "gold", "body": {"value": gold}, "at": "", "event_id": "g"}
    found = Explanation("T-1", None, (), (), (), (), (), (said,), contents=contents)
    return click.unstyle(_said_explanation(found))


def test_content_that_was_revised() -> None:
    """Each content with its day; where there was one only, it is said once."""
    said = _item("my card is lost", "my card is\x1b[31m stolen")
    assert said.startswith("Item T-1, from mails\n  my card is")
    assert "2026-03-01 10:30  mails  my card is lost\n" in said
    assert "2026-03-02 10:30  mails  my card is" in said and "[31m" in said, "no colour of its own"
    assert _item("my card is lost").count("my card is lost") == 1


def test_known_answer() -> None:
    """It is told as what it is; without one, or after it was taken back, nothing is."""
    assert "Its owner knows: lost card (gold: judges people)" in _item("x", gold='"lost card"')
    assert "owner" not in _item("x")


def test_content_that_was_erased() -> None:
    """No empty line for it, and what is known of the item stays."""
    assert _item("").splitlines()[:2] == ["Item T-1, from mails", ""]
