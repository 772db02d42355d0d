"""The facts and their JSON."""

from __future__ import annotations

import dataclasses
import json
import math
from datetime import UTC, datetime

import numpy as np
import pandas as pd
import pytest

from labelops.audit import findings_of
from labelops.errors import UsageError
from labelops.report import (
    Counts,
    FindingRow,
    ReportFacts,
    annotator_rows,
    confusion_of,
    facts_json,
    finding_rows,
)
from labelops.schema import Schema


def test_json_holds_every_fact(facts: ReportFacts) -> None:
    """The JSON reads back as the facts, field by field, with the derived numbers beside them."""
    raw = json.loads(facts_json(facts))
    assert raw == facts.to_json()
    assert set(raw) == {f.name for f in dataclasses.fields(ReportFacts)}
    assert raw["verdict"]["status"] == "pass"
    assert [c["name"] for c in raw["verdict"]["checks"]] == [c.name for c in facts.verdict.checks]
    assert raw["certificate"]["interval"]["high"] == facts.certificate.interval.high
    assert raw["counts"]["votes_total"] == 960
    assert raw["counts"]["saved"] == 1 - 960 / 5391
    assert raw["findings"][0]["image"] == facts.findings[0].image
    assert raw["schema"]["digest"] == facts.schema.digest


def test_long_texts_are_cut_in_json_too(facts: ReportFacts) -> None:
    """As on the page: a finding with a book in it does not make the facts one."""
    long = dataclasses.replace(facts.findings[0], text="x" * 500_000)
    odd = dataclasses.replace(facts, findings=(long,), shown=(long,))
    raw = json.loads(facts_json(odd))
    for found in (raw["findings"][0]["text"], raw["shown"][0]["text"]):
        assert found.startswith("xxx")
        assert found.endswith("… (500,000 characters)")
        assert len(found) < 500


def test_absent_numbers_are_null(facts: ReportFacts) -> None:
    """Not-a-number becomes null, never 0 and never invalid JSON; lone surrogates survive."""
    odd = dataclasses.replace(facts, title="a\ud800", counts=Counts(0, 0, 0, 0, {}))
    raw = json.loads(facts_json(odd).encode())
    assert raw["counts"]["saved"] is None
    assert raw["annotators"][-1]["accuracy"] is None
    assert raw["title"] == "a\ud800"
    assert math.isnan(odd.counts.saved)


@pytest.mark.parametrize(
    "image",
    [
        "https://example.org/x.png",
        "data:image/svg+xml;base64,PHN2Zz4=",
        "data:text/html;base64,PHN2Zz4=",
        'data:image/png;base64,AAAA" onload="alert(1)',
        "data:image/png;base64,",
        "data:image/png;base64,AAAA\n",
    ],
)
def test_only_embedded_raster_pictures(image: str) -> None:
    """A picture is a base64 data URI of a raster format, or an error."""
    with pytest.raises(UsageError, match="expected a base64 data URI"):
        FindingRow("i", "k", 0.1, "a", None, "d", image=image)


def test_confusion_worked_example() -> None:
    """Counts by row and column, missing codes left out, mistakes by size with their row share."""
    found = confusion_of("t", "r", "c", [0, 0, 0, 0, 1, -1], [0, 1, 1, 2, 1, 0], ("a", "b", "c"))
    assert found.counts == ((1, 2, 1), (0, 1, 0), (0, 0, 0))
    assert found.mistakes() == [("a", "b", 2, 0.5), ("a", "c", 1, 0.25)]


def test_flagged_annotators_come_first() -> None:
    """Rows of the audit's frame, flagged ones first, then by name."""
    frame = pd.DataFrame(
        {
            "annotator": ["human:a", "human:b"], "votes": [3, 4], "judged": [2, 2],
            "right": [2, 0], "accuracy": [1.0, 0.0], "low": [0.1, 0.0], "high": [1.0, 0.8],
            "seconds": [1.0, 2.0], "p_value": [1.0, 0.0], "flagged": [False, True],
            "reason": ["", "bad"],
        }
    )  # fmt: skip
    rows = annotator_rows(frame)
    assert [r.annotator for r in rows] == ["human:b", "human:a"]
    assert (rows[0].reason, rows[1].votes, rows[1].accuracy) == ("bad", 3, 1.0)


def test_finding_rows_leave_planted_errors_out() -> None:
    """Class names instead of JSON, texts joined, planted errors not shown, at most `limit`."""
    schema = Schema("pets", ("cat", "dog"))
    now = datetime(2026, 1, 1, tzinfo=UTC)

    def some(ids: list[str], planted: bool) -> pd.DataFrame:
        n = len(ids)
        return findings_of(
            "label_error", ids, np.zeros(n, dtype=np.int64), np.full(n, 0.2), schema, detector="d",
            round=1, now=now, suggestions=np.ones(n, dtype=np.int64), planted=planted,
        )  # fmt: skip

    findings = pd.concat([some(["p"], True), some(["x", "y", "z"], False)])
    rows = finding_rows(findings, ["open"] * 4, schema, texts={"x": "miau"}, limit=2)
    assert [(r.item_id, r.label, r.suggestion, r.text) for r in rows] == [
        ("x", "cat", "dog", "miau"),
        ("y", "cat", "dog", None),
    ]
    assert {r.now for r in rows} == {None}
    now = finding_rows(findings, ["corrected"] * 4, schema, labels={"x": '"dog"', "y": None})
    assert [r.now for r in now] == ["dog", None, None]
