"""RuleLabeler keeps the suite's promises, and its own."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Any

import pandas as pd
import pytest

from labelops.adapters.rule_labeler import RuleLabeler, contains, matches
from labelops.errors import EndProtocolError, EndTimeout, SettingsError
from labelops.ports import Labeler
from labelops.schema import Schema
from labelops.testing.labelers import LabelerTests

PETS = Schema("pets", ("cat", "dog"))


def first_word(item: Mapping[str, Any]) -> str | None:
    """Propose the first word if it is a class."""
    word = item["payload"].split()[0]
    return word if word in ("cat", "dog", "bird") else None


def raises_on_b(item: Mapping[str, Any]) -> str | None:
    """Fail for one item."""
    if item["item_id"] == "b":
        raise KeyError("no such thing")
    return None


class TestRules(LabelerTests):
    """Functions and patterns together pass the suite."""

    learns = False

    def make(self) -> Labeler:
        return RuleLabeler({"first": first_word, "cat": contains(["purr", "meow"], "cat")})

    def make_broken(self) -> Labeler:
        return RuleLabeler({"bad": lambda item: item["nothing"]})


def _items(*texts: str) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "item_id": list("abcdefgh")[: len(texts)],
            "payload": list(texts),
            "media_type": "text/plain",
            "source": "s",
            "attributes": '{"lang": "en"}',
        }
    )


def _always(answer: object) -> Any:
    return lambda item: answer


@pytest.mark.parametrize(
    ("votes", "value"),
    [
        (["cat"], '"cat"'),
        (["cat", None, None], '"cat"'),
        (["cat", "cat", "dog"], '"cat"'),
        (["cat", "dog"], None),
        (["cat", "cat", "dog", "dog", None], None),
        ([None, None], None),
    ],
)
def test_needs_more_than_half_of_those_who_speak(
    votes: list[str | None], value: str | None
) -> None:
    """Worked cases: abstaining rules do not count, a conflict without majority abstains."""
    labeler = RuleLabeler({f"r{n}": _always(v) for n, v in enumerate(votes)})
    answers = labeler.propose(_items("text"), PETS)
    assert answers["value"].tolist() == [value]
    assert answers["confidence"].isna().all()


def test_a_rule_sees_the_item() -> None:
    """The mapping holds the payload, the id and the attributes as an object."""
    seen: list[Mapping[str, Any]] = []
    RuleLabeler({"see": lambda item: seen.append(item)}).propose(_items("hello"), PETS)
    assert seen[0]["payload"] == "hello"
    assert seen[0]["attributes"] == {"lang": "en"}


def test_a_rule_that_raises_is_named_with_the_item() -> None:
    """Not swallowed: rule, item, and what it raised."""
    with pytest.raises(EndProtocolError, match="rule 'x', item 'b': it raised KeyError"):
        RuleLabeler({"x": raises_on_b}).propose(_items("1", "2"), PETS)


@pytest.mark.parametrize("answer", ["fish", 3, ["cat"], True])
def test_an_answer_that_is_no_class_is_named(answer: object) -> None:
    """An unknown class or another type is the rule's fault, named with the item."""
    with pytest.raises(EndProtocolError, match="rule 'x', item 'a'"):
        RuleLabeler({"x": _always(answer)}).propose(_items("1"), PETS)


def test_old_class_names_count_for_the_new() -> None:
    """A rule written before a rename goes on working."""
    schema = Schema("pets", ("cat", "hound"), renames={"dog": "hound"})
    answers = RuleLabeler({"x": _always("dog")}).propose(_items("1"), schema)
    assert answers["value"].tolist() == ['"hound"']


def test_each_rule_proposes_under_its_own_name() -> None:
    """One labeler a rule, each with its own version."""
    labeler = RuleLabeler({"one": _always("cat"), "two": contains(["x"], "dog")})
    each = labeler.each()
    assert [e.name for e in each] == ["rule:one", "rule:two"]
    assert [e.propose(_items("x"), PETS)["value"][0] for e in each] == ['"cat"', '"dog"']
    versions = {e.fit(_items("x"), [0], ["g"], PETS) for e in (labeler, *each)}
    assert len(versions) == 3


def test_version_follows_the_rule() -> None:
    """Another pattern or function is another version, the same one is the same."""

    def version(rule: Any) -> str:
        return RuleLabeler({"r": rule}).fit(_items("x"), [0], ["g"], PETS)

    assert version(matches("a", "cat")) == version(matches("a", "cat"))
    assert version(matches("a", "cat")) != version(matches("b", "cat"))
    assert version(first_word) == version(first_word)
    assert version(first_word) != version(raises_on_b)


def test_dotted_names_are_imported(monkeypatch: pytest.MonkeyPatch) -> None:
    """A rule comes from 'module:function'; what is not there or no function is refused."""
    monkeypatch.setitem(sys.modules, "my_rules", sys.modules[__name__])
    answers = RuleLabeler({"f": "my_rules:first_word"}).propose(_items("dog x"), PETS)
    assert answers["value"].tolist() == ['"dog"']
    for dotted in ("my_rules:none", "no_such_module:f", "nothing", "my_rules:PETS"):
        with pytest.raises(SettingsError, match="rule 'f'"):
            RuleLabeler({"f": dotted})
    with pytest.raises(SettingsError, match="at least one rule"):
        RuleLabeler({})


def test_words_are_whole_and_literal() -> None:
    """`contains` matches words, not parts, and knows no pattern characters."""
    rule = contains(["c++", "card"], "cat")
    texts = ["I like C++!", "discard", "my CARD.", "c plus", "cards"]
    assert rule.all(texts) == ["cat", None, "cat", None, None]
    with pytest.raises(SettingsError, match="not a list of words"):
        contains("card", "cat")
    with pytest.raises(SettingsError, match="regular expression"):
        matches("(", "cat")


def test_a_pattern_cannot_run_away() -> None:
    """A text made for exponential backtracking ends in EndTimeout, naming rule and text."""
    labeler = RuleLabeler({"bad": matches("(a+)+$", "cat", seconds=0.2)})
    with pytest.raises(EndTimeout, match=r"rule 'bad': .* in text 2 of 2") as caught:
        labeler.propose(_items("aaa", "a" * 60 + "!"), PETS)
    assert caught.value.retryable


def test_only_searching_counts() -> None:
    """A bound shorter than starting a process takes is long enough; one that is none is refused."""
    rule = matches("c[ao]t", "cat", seconds=0.01)
    assert rule.all(["a cat", "a dog"]) == ["cat", None]
    for seconds in (0.0, -1.0, float("nan"), float("inf")):
        with pytest.raises(SettingsError, match="not a time"):
            matches("cat", "cat", seconds=seconds).all(["a cat"])
