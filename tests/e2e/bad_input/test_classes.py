"""Classes that are renamed, added or taken out midway: refused with a remedy, or followed."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from labelops.adapters.local_queue import LocalQueue
from labelops.app import App, open_app
from labelops.errors import SchemaError
from labelops.state import load

from ..label_sets import MAIL

pytestmark = pytest.mark.slow  # journeys that fail


@pytest.mark.parametrize("command", ["status", "collect", "consolidate", "release"])
def test_class_renamed_midway(folder: Path, refused: Callable[..., str], command: str) -> None:
    """A class that is suddenly gone is refused before anything reads answers by it."""
    (folder / "labelops.toml").write_text(MAIL.replace('"parcel"]', '"package"]'))
    refused(folder, command, 2, "'parcel'", "[schema.renames]")


def test_class_renamed_midway_with_a_rename(folder: Path) -> None:
    """With the rename said, every answer and label is still there under the new name."""
    before = _values(open_app(folder))
    renamed = MAIL.replace('"parcel"]', '"package"]')
    (folder / "labelops.toml").write_text(
        renamed.replace("[source.mail]", '[schema.renames]\nparcel = "package"\n[source.mail]')
    )
    app = open_app(folder)
    app.collect()
    app.consolidate()
    after = _values(app)
    expected = before.replace({'"parcel"': '"package"'})
    pd.testing.assert_series_equal(after, expected)
    assert '"package"' in set(after)


def test_looks_on_offer_are_asked_in_the_classes_there_are_now(folder: Path) -> None:
    """A class that is added while people look is sent to them, and what they say with it counts."""
    (folder / "labelops.toml").write_text(MAIL.replace('"parcel"]', '"parcel", "lost"]'))
    app = open_app(folder)
    app.route()
    app.send()
    queue = LocalQueue(folder / "workspace" / "queue")
    offer = queue.offers("human:new")[0]
    queue.answer("human:new", offer, '"lost"')
    app.collect()
    votes = load(app.workspace).votes
    mine = votes[votes["annotator"] == "human:new"].iloc[0]
    assert (mine["value"], mine["schema_digest"]) == ('"lost"', app.settings.schema.digest)


def test_a_class_that_was_added_in_vain_may_go(folder: Path) -> None:
    """Until somebody says it; what is on offer is asked in the classes that are left."""
    longer = MAIL.replace('"parcel"]', '"parcel", "lost"]')
    for settings in (longer, MAIL):
        (folder / "labelops.toml").write_text(settings)
        app = open_app(folder)
        app.route()
        app.send()
    queue = LocalQueue(folder / "workspace" / "queue")
    queue.answer("human:new", queue.offers("human:new")[0], '"parcel"')
    app.collect()
    app.consolidate()
    assert "human:new" in set(load(app.workspace).votes["annotator"])
    (folder / "labelops.toml").write_text(longer)
    app = open_app(folder)
    app.send()
    queue.answer("human:new", queue.offers("human:new")[0], '"lost"')
    app.collect()
    (folder / "labelops.toml").write_text(MAIL)
    with pytest.raises(SchemaError, match=r"'lost'.*votes on 1 item;"):
        open_app(folder).collect()


def _values(app: App) -> pd.Series:
    return load(app.workspace).labels.set_index("item_id")["value"]
