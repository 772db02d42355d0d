"""Answers that the owner of the data knows follow the source, like all else that it tells."""

from __future__ import annotations

from pathlib import Path

import pytest

from labelops.app import App, open_app
from labelops.state import load

TOML = """
[schema]
name = "pets"
classes = ["cat", "dog"]
[source.mail]
path = "mail.csv"
key = "id"
text = "text"
gold = "gold"
"""


def _ingested(folder: Path, *rows: str) -> App:
    (folder / "labelops.toml").write_text(TOML)
    (folder / "mail.csv").write_text("\n".join(["id,text,gold", *rows]) + "\n")
    app = open_app(folder)
    app.ingest(revise=True)
    return app


@pytest.mark.slow
def test_an_answer_that_its_owner_takes_back_judges_nobody(tmp_path: Path) -> None:
    """It may be mended, taken back, and given again; of other items it is as it was."""
    for said in ("cat", "dog", "", "dog"):
        app = _ingested(tmp_path, f"a,a tabby,{said}", "b,a hound,dog", "c,who knows,")
        known = {"a": f'"{said}"'} if said else {}
        assert load(app.workspace).gold == known | {"b": '"dog"'}
    events = app.workspace.tables.read("events")
    assert (events["kind"] == "gold").sum() == 5, "what never had an answer is no matter"
