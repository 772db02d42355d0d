"""What the views and the drift watch found, in words and on the page."""

from __future__ import annotations

import dataclasses
import json

from labelops.report import ReportFacts, ViewRow, facts_json, render
from labelops.report.views import view_rows

FOUND = {
    "slices": [
        {"attribute": "by", "value": "x", "items": 90, "suspected": 0.12, "elsewhere": 0.02}
    ],
    "words": [{"class": "spam", "word": "cf", "items": 1400, "doubted": 0.9, "otherwise": 0.012}],
    "attributes": [{"attribute": "folder", "information": 0.97}],
    "leakage": [{"split": "test", "other": "train", "items": 1200}],
    "names": [{"class": "spam", "inside": 0.6, "outside": 0.01}],
    "clumps": [{"class": "ham", "share": 0.05}],
}


def test_every_view_has_its_words() -> None:
    """Each fact becomes one row with its numbers; facts of an earlier version may lack some."""
    said = [(row.view, row.subject, row.text) for row in view_rows(FOUND)]
    assert said[0] == ("slices", "by = x", "12 % of 90 labels are suspected, 2 % elsewhere")
    assert [view for view, *_ in said] == list(FOUND)
    assert said[1][1:] == (
        "“cf”, labeled spam",
        "models or neighbours doubt 90 % of 1,400 labels, 1 % of the class's others",
    )
    assert "1,200 items have a copy" in said[3][2] and said[3][2].endswith("in train")
    assert "60 % of its texts, in 1 % of the others" in said[4][2]
    assert view_rows({}) == () and view_rows({"kinds": {}}) == ()


def test_the_page_shows_views_and_drift(facts: ReportFacts) -> None:
    """Odd items by kind with what that means, the table, the alarm; escaped like all else."""
    evil = dataclasses.replace(facts, views=(ViewRow("slices", "<b>x</b>", "</td>"),))
    page = render(evil).replace("\u00a0", " ")
    for text in ("Views of the data", "Items people really disagree on", "Outliers",
                 "Labels only the neighbours contradict", "1 of 3.", "weak slice", "alarm 1",
                 "17.0 % to 24.0 %", "5 runs brought 410 random items",
                 "an alarm is given from 132"):  # fmt: skip
        assert text in page, text
    assert "<b>x" not in page
    assert "By the models about 1 of all of these is wrong." in page
    unknown = dataclasses.replace(facts, shown_wrong={})
    assert "By the models about" not in render(unknown)
    bare = dataclasses.replace(facts, shown=(), views=(), drift=None)
    assert "Views of the data" not in render(bare) and "Drift" not in render(bare)


def test_a_first_look_is_a_reference(facts: ReportFacts) -> None:
    """After one run there is nothing to compare, and the page says so."""
    assert facts.drift is not None
    watch = dataclasses.replace(facts.drift, looks=1, alarms=())
    assert "is the reference for those to come" in render(dataclasses.replace(facts, drift=watch))


def test_json_holds_the_watch(facts: ReportFacts) -> None:
    """Alarms with their time, the families with their evidence."""
    raw = json.loads(facts_json(facts))["drift"]
    assert raw["alarms"][0]["at"].startswith("2026-01-03")
    assert raw["families"] == {"labels": 0.4}
