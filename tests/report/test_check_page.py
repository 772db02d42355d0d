"""The page of a check is escaped, loads nothing, and says what its facts say."""

from __future__ import annotations

import re
from dataclasses import replace

from labelops.report import confusion_of
from labelops.report.check_page import CheckedClass, CheckedRow, CheckFacts, render_check

_EVIL = "<script>alert(1)</script></style>\"'><img src=x onerror=alert(2)>{{7*7}}\u202e"


def _facts(text: str) -> CheckFacts:
    row = CheckedRow(text, text, text, 0.93, "wrong", text, text=text)
    return CheckFacts(
        title=text,
        created="2026-11-27T10:00:00+00:00",
        headline=text,
        meaning=(text,),
        numbers=((text, "1,234"),),
        rows=(row,),
        rows_total=7,
        classes=(CheckedClass(text, 40, 3, 4.25), CheckedClass("b", 2, 0, 0.0)),
        confusion=confusion_of("", text, text, [0, 1], [0, 0], (text, "b")),
        odd={"outlier": (CheckedRow(text, None, None, float("nan"), "", "", text=text),)},
        how=((text, text),),
    )


def test_texts_of_others_are_escaped() -> None:
    """Nothing of a hostile text becomes a tag, an attribute or a direction mark."""
    page = render_check(_facts(_EVIL))
    assert "<script" not in page
    assert "<img" not in page
    assert "\u202e" not in page
    assert "⟨U+202E⟩" in page
    assert "{{7*7}}" in page


def test_what_has_to_be_known_stands_first() -> None:
    """Alerts come before the number of wrong labels, escaped; without any there is no such part."""
    page = render_check(replace(_facts("plain"), alerts=("<b>first</b>",), headline="second"))
    assert page.index("&lt;b&gt;first") < page.index("second") and "<b>first" not in page
    assert "What to know first" not in render_check(_facts("plain"))


def test_one_model_alone() -> None:
    """Rows have the probability it gives the label, classes how many it contradicts."""
    rows = (CheckedRow("k1", "a", "b", 0.001, "look", "your model", given=0.25),)
    facts = replace(_facts("plain"), rows=rows, classes=(CheckedClass("a", 40, 3, None),))
    page = render_check(facts)
    assert "25\u00a0% by the model" in page
    assert "likely wrong" not in page
    assert "Contradict the model" in page and "Expected wrong" not in page


def test_what_is_listed_for_another_reason_is_not_called_likely_wrong() -> None:
    """A label with a planted pattern, which models have learned: the reason counts, not they."""
    rows = (CheckedRow("k1", "a", "b", 0.004, "look", "a pattern"),)
    page = render_check(replace(_facts("plain"), rows=rows))
    assert "worth a look (wrong: &lt; 1\u00a0%)" in page
    assert "likely wrong" not in page


def test_it_loads_nothing() -> None:
    """No address but those of the page's own policy, and no script."""
    page = render_check(_facts("plain"))
    assert not re.findall(r"(?:src|href)=", page)
    assert "default-src &#39;none&#39;" in page


def test_it_says_its_facts() -> None:
    """The numbers are those given: chance, counts, expected errors."""
    page = render_check(_facts("plain"))
    assert "93\u00a0% likely wrong" in page
    assert "1 of 7" in page
    assert '<td class="n">4.2</td>' in page  # half to even, as Python rounds
    assert "Outliers" in page
