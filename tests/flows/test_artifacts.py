from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from flows.artifacts import escaped, key_of, plan_page, release_page, verdict_page
from flows.stages import run_stages

from .conftest import World

MARKDOWN = MarkdownIt("commonmark", {"html": True}).enable("table")


def cells(page: str) -> list[list[str]]:
    """Read the rows of the one table of a page with a Markdown parser; tags make a test fail."""
    rows: list[list[str]] = []
    for token in MARKDOWN.parse(page):
        if token.type == "tr_open":
            rows.append([])
        elif token.type == "inline" and rows and token.level > 3:
            kinds = {child.type for child in token.children or ()}
            assert kinds <= {"text", "text_special"}
            rows[-1].append("".join(child.content for child in token.children or ()))
    return rows


@given(st.text())
def test_whatever_a_value_holds_stays_one_cell_of_plain_text(value: str) -> None:
    """A Markdown parser reads the value back, as one line of text without markup."""
    page = f"| a | b |\n| --- | --- |\n| {escaped(value)} | end |"
    first, last = cells(page)[1]
    shown = "".join(c if c.isprintable() else " " for c in " ".join(value.split()))
    assert (first, last) == (shown.strip(), "end")


@given(st.text())
def test_keys_are_what_prefect_allows(name: str) -> None:
    """Small letters, digits and dashes, for any name of a label set."""
    assert set(key_of(name, "plan")) <= set("abcdefghijklmnopqrstuvwxyz0123456789-")


def test_the_verdict_shows_the_worst_check_first() -> None:
    """Failures stand above what is inconclusive, and that above what passed."""
    checks = [
        {"name": n, "status": s, "message": f"<b>{n}</b> | x"}
        for n, s in [("one", "pass"), ("two", "inconclusive"), ("three", "fail")]
    ]
    page = verdict_page("digits", {"status": "fail", "checks": checks, "candidate": 2})
    assert page.startswith("# FAIL: digits")
    assert [row[1] for row in cells(page)[1:]] == ["three", "two", "one"]
    assert cells(page)[1][2] == "<b>three</b> | x"


@pytest.mark.slow
def test_the_plan_counts_open_votes_by_purpose_and_reason(world: World) -> None:
    """The table's votes are those of the plan, in a handful of rows, naming no item."""
    app = world.open()
    done = run_stages(app, ("ingest", "autolabel", "route", "queue"))
    page = plan_page(app, done)
    rows = cells(page)[1:]
    assert sum(int(row[3]) for row in rows) == done["route"]["votes"]
    by_purpose = {p: sum(int(r[3]) for r in rows if r[0] == p) for p in {r[0] for r in rows}}
    assert by_purpose == done["route"]["by_purpose"]
    assert len(rows) < 8
    assert "digit-0" not in page


@pytest.mark.parametrize("new", [True, False])
def test_the_release_page_names_the_release_and_where_it_is(new: bool) -> None:
    """Reference, digest and paths, as they are written."""
    reuse = {
        "reference": "digits@1.0.0",
        "digest": "ab12",
        "report": "/data/_x_/report.html",
        "folder": "/data/exports/digits@1.0.0",
    }
    page = release_page({"reuse": reuse, "release": {"new": new, "reason": "not yet"}})
    assert dict(cells(page)[1:])["report"] == "/data/_x_/report.html"
    assert ("not yet" in page) is not new
