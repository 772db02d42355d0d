"""The page is complete, escaped, and loads nothing."""

from __future__ import annotations

import base64
import dataclasses
import hashlib
import re
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from labelops.audit import Anchoring
from labelops.gate.checks import CHECKS
from labelops.gate.verdict import CheckResult, Verdict
from labelops.report import (
    AnnotatorRow,
    ClassRow,
    Counts,
    LineageRow,
    ReportFacts,
    RightsRow,
    confusion_of,
    render,
)
from labelops.report.words import ASKED
from labelops.schema import Schema

from .conftest import certificate

_EVIL = (
    "<script>alert(1)</script></style></title>\"'>"
    "<img src=x onerror=alert(2)>{{1234567*7}}\u202e\u200b"
)


class _Page(HTMLParser):
    """Every start tag with its attributes, and all text outside style."""

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text: list[str] = []
        self._open: list[str] = []
        self.feed(html)
        self.close()
        assert not self._open, f"not closed: {self._open}"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in ("meta", "img", "br", "link", "wbr"):
            self._open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self._open, f"</{tag}> closes nothing"
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        if "style" not in self._open:
            self.text.append(data)

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attrs for name, attrs in self.tags if name == tag]


def _attributes(page: _Page) -> Iterator[tuple[str, str, str]]:
    for tag, attrs in page.tags:
        for name, value in attrs.items():
            yield tag, name, value or ""


def _evil(facts: ReportFacts) -> ReportFacts:
    """Put a hostile text in every place that holds a text of somebody else."""
    classes = (_EVIL, "b")
    finding = dataclasses.replace(
        facts.findings[0], item_id=_EVIL, kind=_EVIL, label=_EVIL, suggestion=_EVIL,
        detector=_EVIL, status=_EVIL, text=_EVIL, image=None,
    )  # fmt: skip
    with_picture = dataclasses.replace(facts.findings[0], item_id=_EVIL)
    return dataclasses.replace(
        facts, title=_EVIL, release=_EVIL, created=_EVIL, purpose=_EVIL,
        verdict=Verdict((CheckResult(_EVIL, "fail", _EVIL),)),
        counts=Counts(2, 1, 1, 0, {_EVIL: 3}, 6), classes=(ClassRow(_EVIL, 1),),
        confusions=(confusion_of(_EVIL, _EVIL, _EVIL, [0], [1], classes),),
        annotators=(AnnotatorRow(_EVIL, 1, 1, 1.0, 0.0, 1.0, 1.0, True, _EVIL),),
        findings=(finding, with_picture),
        rights=(RightsRow(_EVIL, 1, _EVIL, (_EVIL,), _EVIL, _EVIL),),
        lineage=(LineageRow(_EVIL, _EVIL, _EVIL),), tools={_EVIL: _EVIL},
        schema=Schema("s", ("<b>x</b>", "y"), question=_EVIL),
    )  # fmt: skip


def test_content_policy_allows_only_this_style(facts: ReportFacts) -> None:
    """The policy comes before anything it governs and holds the hash of the one style sheet."""
    html = render(facts)
    style = re.findall(r"<style>(.*?)</style>", html, re.DOTALL)
    assert len(style) == 1
    digest = base64.b64encode(hashlib.sha256(style[0].encode()).digest()).decode()
    policy = _Page(html).all("meta")[1]
    assert policy["http-equiv"] == "Content-Security-Policy"
    assert policy["content"] == (
        f"default-src 'none'; img-src data:; style-src 'sha256-{digest}'; "
        "base-uri 'none'; form-action 'none'"
    )
    assert html.index("Content-Security-Policy") < html.index("<style>")


@pytest.mark.parametrize("hostile", [False, True])
def test_nothing_active_and_nothing_external(facts: ReportFacts, hostile: bool) -> None:
    """No script, link, frame, form, event handler, style attribute or address, ever."""
    page = _Page(render(_evil(facts) if hostile else facts))
    allowed = {
        "html", "head", "meta", "title", "style", "body", "header", "main", "section", "footer",
        "h1", "h2", "h3", "p", "b", "ul", "li", "dl", "dt", "dd", "div", "span", "bdi", "code",
        "table", "thead", "tbody", "tr", "th", "td", "figure", "figcaption", "img", "wbr",
        "svg", "g", "rect", "circle", "line", "text",
    }  # fmt: skip
    assert {tag for tag, _ in page.tags} <= allowed
    for tag, name, value in _attributes(page):
        assert not name.startswith("on"), (tag, name)
        assert name not in ("style", "href", "srcset", "action", "formaction", "background")
        if name == "src":
            assert value.startswith("data:image/png;base64,")
        assert "://" not in value


def test_hostile_texts_arrive_as_texts(facts: ReportFacts) -> None:
    """Every hostile text is on the page, readable, with its hidden characters named."""
    text = "".join(_Page(render(_evil(facts))).text)
    shown = _EVIL.replace("\u202e", "⟨U+202E⟩").replace("\u200b", "⟨U+200B⟩")
    assert text.count(shown) >= 25
    assert "8641969" not in text
    assert "\u202e" not in text


def test_long_texts_are_cut(facts: ReportFacts) -> None:
    """A text of a million characters does not make the page long; its length is said."""
    finding = dataclasses.replace(facts.findings[0], image=None, text="x" * 1_000_000)
    html = render(dataclasses.replace(facts, findings=(finding,)))
    assert len(html) < 60_000
    assert "… (1,000,000 characters)" in html


def test_a_lone_surrogate_does_not_break_the_file(facts: ReportFacts) -> None:
    """The page always encodes as UTF-8."""
    assert b"U+D800" in render(dataclasses.replace(facts, title="a\ud800")).encode()


def test_verdict_comes_first(facts: ReportFacts) -> None:
    """The verdict is the first thing in main, before the numbers; sections are in order."""
    text = "".join(_Page(render(facts)).text).replace("\u00a0", " ")
    order = [
        "Passed", "At most 2 % of these 1,797 labels", "votes given by people", "Checks",
        "Share of wrong labels", "Most suspicious labels", "Who confuses what", "Annotators",
        "Classes", "Rights", "How it was made",
    ]  # fmt: skip
    places = [text.index(word) for word in order]
    assert places == sorted(places)


def test_every_fact_is_on_the_page(facts: ReportFacts) -> None:
    """Checks, annotators, findings, classes, rights, lineage and tools are all shown."""
    page = _Page(render(facts))
    text = " ".join(page.text).replace("\u00a0", " ")
    wanted = [
        *(c.message for c in facts.verdict.checks),
        *(a.annotator for a in facts.annotators),
        *(f.item_id for f in facts.findings),
        facts.annotators[0].reason, "86 %", "82 %", "45 %", "CC-BY-4.0", "model:pixels",
        facts.schema.digest, "Which digit is it?", "12 of 41 suspicions", "+5.0 points",
    ]  # fmt: skip
    assert [w for w in wanted if w not in text] == []
    assert len(page.all("img")) == len(facts.findings) + len(facts.shown)


def test_page_is_accessible(facts: ReportFacts) -> None:
    """Language, title, alternative texts, header scopes and one first heading are there."""
    page = _Page(render(facts))
    assert page.all("html")[0]["lang"] == "en"
    assert all(img["alt"] for img in page.all("img"))
    assert all(th.get("scope") in ("col", "row") for th in page.all("th"))
    assert all("aria-label" in s or s.get("aria-hidden") == "true" for s in page.all("svg"))
    assert len(page.all("h1")) == 1


def test_empty_facts_make_a_page(facts: ReportFacts) -> None:
    """With nothing known the page says failed, and has no empty sections."""
    bare = ReportFacts("t", "r@0", "now", Verdict(()), None, Counts(0, 0, 0, 0, {}))
    text = "".join(_Page(render(bare)).text)
    assert "Failed" in text
    assert "Nothing was checked" in text
    assert "Annotators" not in text
    assert "nan" not in text.lower()


def test_a_corrected_label_is_shown_with_what_it_became(facts: ReportFacts) -> None:
    """The arrow points to the label as it is now, also where nothing better was suggested."""
    row = dataclasses.replace(
        facts.findings[0], label="3", suggestion=None, status="corrected", now="8"
    )
    html = render(dataclasses.replace(facts, findings=(row,)))
    assert '<span aria-label="corrected to">→</span> <bdi class="to">8</bdi>' in html
    still = dataclasses.replace(row, status="open", now="3")
    assert "corrected to" not in render(dataclasses.replace(facts, findings=(still,))).replace(
        "what it was corrected to", ""
    )


def test_every_check_of_the_gate_says_what_it_asks(facts: ReportFacts) -> None:
    """In plain words, under its name; a check of somebody's own has none."""
    assert set(ASKED) == set(CHECKS)
    checks = [CheckResult(name, "pass", "fine") for name in (*CHECKS, "my own")]
    text = " ".join(_Page(render(dataclasses.replace(facts, verdict=Verdict(checks)))).text)
    assert all(asked in text for asked in ASKED.values())


def test_a_long_name_goes_on_after_an_underscore(facts: ReportFacts) -> None:
    """What the name itself holds stays text, and characters that hide are shown."""
    row = dataclasses.replace(facts.findings[0], label="no_<b>_\u200b", suggestion="a_b")
    html = render(dataclasses.replace(facts, findings=(row,)))
    assert "<bdi>no_<wbr>&lt;b&gt;_<wbr>⟨U+200B⟩</bdi>" in html
    assert '<bdi class="to">a_<wbr>b</bdi>' in html


def test_a_word_without_end_goes_on_anywhere(facts: ReportFacts) -> None:
    """Then a class takes no more than its column, and its name is still whole."""
    row = dataclasses.replace(
        facts.findings[0], label="x" * 60, suggestion="in words of usual size"
    )
    html = render(dataclasses.replace(facts, findings=(row,)))
    assert f"<bdi>{'x' * 24}<wbr>{'x' * 24}<wbr>{'x' * 12}</bdi>" in html
    assert "in <wbr>words <wbr>of <wbr>usual <wbr>size</bdi>" in html


@pytest.mark.parametrize(("votes", "shown"), [(9, False), (10, True)])
def test_a_handful_of_votes_sways_nobody(facts: ReportFacts, votes: int, shown: bool) -> None:
    """How often people agree with a proposal they see is said from ten votes of each kind on."""
    some = Anchoring(votes, votes, 40, 50, 0.2, 0.1, 0.3)
    html = render(dataclasses.replace(facts, anchoring=some))
    assert ("Seeing the proposal sways them" in html) == shown


def test_the_picture_says_why_its_band_may_cross_the_bound(facts: ReportFacts) -> None:
    """A pass is one-sided and the band is not: that stands beside the picture."""
    for errors, n in ((0, 200), (14, 200)):
        html = render(dataclasses.replace(facts, certificate=certificate(errors, n)))
        assert "may cross the red line although the labels passed" in html


def test_many_classes_become_a_list(facts: ReportFacts) -> None:
    """Beyond 16 classes the commonest disagreements are listed instead of a matrix."""
    classes = tuple(f"class-{i}" for i in range(40))
    many = confusion_of("t", "r", "c", [3, 3, 7], [5, 5, 8], classes)
    text = " ".join(_Page(render(dataclasses.replace(facts, confusions=(many,)))).text)
    assert "too many for a matrix" in text
    assert "class-3" in text
    assert "class-39" not in text


def test_pictures_of_numbers_stay_inside(facts: ReportFacts) -> None:
    """Whatever the certificate, all lengths of its picture lie inside the picture."""
    for errors, n in ((0, 1), (1, 1), (14, 200), (0, 5000)):
        page = _Page(render(dataclasses.replace(facts, certificate=certificate(errors, n))))
        for tag, name, value in _attributes(page):
            if tag in ("rect", "circle", "line") and name in ("x", "x1", "x2", "cx", "width"):
                assert 0 <= float(value) <= 320


@pytest.mark.server
@pytest.mark.parametrize("dark", [False, True])
def test_browser_refuses_nothing_and_loads_nothing(
    facts: ReportFacts, tmp_path: Path, dark: bool
) -> None:
    """Chromium, offline, shows the page with its style, without a complaint or a request."""
    api = pytest.importorskip("playwright.sync_api")
    chromium = Path("/usr/bin/chromium")
    if not chromium.exists():
        pytest.skip("needs /usr/bin/chromium")
    file = tmp_path / "report.html"
    file.write_text(render(_evil(facts) if dark else facts), "utf-8")
    told: list[str] = []
    asked: list[str] = []
    with api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=str(chromium), args=["--no-sandbox", "--disable-gpu"]
        )
        context = browser.new_context(offline=True, color_scheme="dark" if dark else "light")
        page: Any = context.new_page()
        page.on("console", lambda message: told.append(message.text))
        page.on("pageerror", lambda error: told.append(str(error)))
        page.on("dialog", lambda dialog: told.append(dialog.message))
        page.on("request", lambda request: asked.append(request.url))
        page.set_viewport_size({"width": 390, "height": 800})
        page.goto(file.as_uri())
        styled = page.evaluate(
            "getComputedStyle(document.querySelector('.verdict')).borderLeftStyle"
        )
        wide = page.evaluate("document.documentElement.scrollWidth")
        pictures = page.evaluate("[...document.images].every(i => i.naturalWidth > 0)")
        browser.close()
    assert told == []
    assert [url for url in asked if not url.startswith("data:")] == [file.as_uri()]
    assert styled == "solid"
    assert wide == 390
    assert pictures
