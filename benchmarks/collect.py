"""Collect of votes from the embedded queue, beside a plain select from SQLite and an append.

python -m benchmarks.collect [--rows N] [--repeat 3]
"""

from __future__ import annotations

import json
import shutil
import sqlite3
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from benchmarks._measure import Clock, Plan, main

PLAN = Plan(
    module="benchmarks.collect",
    rows=100_000,
    ours=("labelops", "bare"),
    against={"collect": "select → Delta", "current votes": "select → Delta"},
)

VOTES_AN_ITEM = 5
SETTINGS = """
[schema]
name = "pets"
media = "text"
classes = ["cat", "dog", "eel"]
"""


def prepare(rows: int, place: Path) -> None:
    """Make a label set whose queue holds `rows` answers, five an item, and none collected."""
    from labelops.app import open_app
    from labelops.ports import Answer, Offer
    from labelops.tables import ITEMS, frame_of
    from labelops.tables import PLAN as PLAN_TABLE

    (place / "labelops.toml").write_text(SETTINGS)
    app = open_app(place)
    count = -(-rows // VOTES_AN_ITEM)
    ids = [f"item-{i:06d}" for i in range(count)]
    now = datetime(2026, 1, 1, tzinfo=UTC)
    columns = {"item_id": ids, "revision": 0, "payload": "a text", "media_type": "text/plain"}
    columns |= {"payload_digest": ids, "source": "made", "group": ids, "attributes": "{}"}
    items = frame_of(ITEMS, columns | {"ingested_at": now}, count)
    asked = {"item_id": ids, "round": 1, "purpose": "label", "annotators": VOTES_AN_ITEM}
    asked |= {"reason": "benchmark", "priority": 1.0, "show_proposal": False, "exclude": "[]"}
    asked |= {"schema_digest": app.settings.schema.digest, "planned_at": now}
    plan = frame_of(PLAN_TABLE, asked, count)
    app.workspace.tables.append("items", items)
    app.workspace.tables.append("plan", plan)
    app.queue.send(plan, items, app.settings.schema, payloads=None)
    rng = np.random.default_rng(0)
    for person in range(VOTES_AN_ITEM):
        values = [json.dumps(app.settings.schema.classes[c]) for c in rng.integers(3, size=count)]
        said = [Answer(Offer(i, "label", 1), v) for i, v in zip(ids, values, strict=True)]
        app.queue.answer_many(f"human:{person}", said)  # type: ignore[attr-defined]


def labelops(clock: Clock, rows: int, place: Path, folder: Path) -> None:
    """Collect, collapse to the votes in force, and collect again when nothing is new."""
    from labelops.app import open_app
    from labelops.collect import current_votes

    shutil.copytree(place, folder / "set")
    app = open_app(folder / "set")
    with clock.step("collect", rows):
        found = app.collect()
    votes = app.workspace.tables.read("votes")
    with clock.step("current votes", rows):
        kept = current_votes(votes, app.settings.schema)
    app.workspace.cache.clear()
    with clock.step("collect again", rows):
        again = app.collect()
    if not rows <= len(kept) == found.new or again.new:
        raise SystemExit(f"{found.new} collected, {len(kept)} in force, {again.new} again")


def bare(clock: Clock, rows: int, place: Path, folder: Path) -> None:
    """Select the same rows from the same file and append them: the least any collect does."""
    import pandas as pd
    from deltalake import write_deltalake

    query = "SELECT * FROM changes JOIN offers USING (offer)"
    queue = next(place.rglob("queue.sqlite"))
    with clock.step("select → Delta", rows):
        connection = sqlite3.connect(f"{queue.as_uri()}?mode=ro", uri=True)
        frame = pd.read_sql_query(query, connection)
        connection.close()
        write_deltalake(str(folder / "table"), frame.drop(columns="shown"))


if __name__ == "__main__":
    main(PLAN, "Collect: votes from the embedded queue into the votes table", prepare)
