"""Items that keep coming: there is never a moment at which nothing waits, and releases come."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pandas as pd
import pytest

from labelops.digest import canonical_json
from labelops.state import load
from labelops.testing.annotators import work

from .label_sets import MAIL, OwnTime, mails, team

pytestmark = pytest.mark.slow  # whole journeys

FIRST, EACH = 36, 3
"""Mails on the first day, and on each day after it."""


class Stream(OwnTime):
    """A label set that grows each day, whose people answer the day after they are asked."""

    def __init__(self, folder: Path, wait_days: float) -> None:
        self.folder, self.now = folder, datetime(2026, 1, 1, tzinfo=UTC)
        folder.mkdir()
        (folder / "labelops.toml").write_text(f"{MAIL}wait_days = {wait_days}\n")
        self.released: list[tuple[int, pd.DataFrame]] = []
        """On which day, and what."""

    def day(self, number: int) -> None:
        """Take new mails in, answer what was asked for yesterday, release what passes, ask."""
        self.now += timedelta(days=1)
        known = mails(FIRST + EACH * number)
        rows = [f"{key},{text}" for key, (text, _) in known.items()]
        (self.folder / "mail.csv").write_text("\n".join(["id,text", *rows]) + "\n")
        app = self.opened()
        app.ingest()
        truth = {key: canonical_json(name) for key, (_, name) in known.items()}
        work(app.queue, team(app, 1.0, 1.0, 1.0, 1.0), truth)  # type: ignore[arg-type]
        app.collect()
        app.consolidate()
        app.audit()
        if app.gate().verdict.passed and (made := app.release()).new:
            self.released.append((number, app.load(made.reference)))
        app.autolabel()
        app.route()
        app.send()


def test_releases_come_while_items_do(tmp_path: Path) -> None:
    """Each takes all that came before a day, and more than the one before; none waits for ever."""
    stream = Stream(tmp_path / "set", wait_days=2)
    for number in range(16):
        stream.day(number)
    assert len(stream.released) >= 2
    sizes = [len(frame) for _, frame in stream.released]
    assert sizes == sorted(set(sizes))
    for day, frame in stream.released:
        keys = sorted(frame["item_id"])
        assert keys == sorted(mails(FIRST + EACH * day))[: len(keys)], "no item is passed over"
        assert len(keys) < FIRST + EACH * day, "the newest had no label yet"
    state = load(stream.opened().workspace)
    assert {c.later > 0 for c in state.candidates} == {True}


def test_with_patience_for_all_none_comes(tmp_path: Path) -> None:
    """What `wait_days = 0` asks for: without a quiet day there is no release."""
    stream = Stream(tmp_path / "set", wait_days=0)
    for number in range(10):
        stream.day(number)
    assert not stream.released
    assert not load(stream.opened().workspace).candidates
