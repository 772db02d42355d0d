"""Label Studio's labeling interface: what labelops writes, and what it reads back."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labelops.adapters.label_studio.config import (
    Known,
    asks,
    config_for,
    read_config,
    widened,
)
from labelops.errors import (
    EndProtocolError,
    SchemaError,
)
from labelops.schema import Schema
from labelops.testing.queues import PETS

from .tasks import PETS_KNOWN

ODD = Schema(
    "odd",
    (
        'he said "hi"',
        "it's",
        "<script>alert(1)</script>",
        "a & b &amp; c",
        "--><x>",
        "$5 ☕ 日本語",
    ),
    question='Which "one"? <b>$text</b> --> ]]>',
)


def _choices(config: str) -> list[str]:
    root = ET.fromstring(config)
    return [c.get("alias") or c.get("value") or "" for c in root.iter("Choice")]


def test_odd_class_names_survive_the_configuration() -> None:
    """Quotes, markup, comment ends and dollars in classes and question come back unharmed."""
    config = config_for(ODD)
    assert _choices(config) == list(ODD.classes)
    assert read_config(config, "project") == (Known(ODD.digest, ODD.classes),)
    assert {e.tag for e in ET.fromstring(config).iter() if isinstance(e.tag, str)} == {
        "View",
        "Style",
        "Header",
        "Text",
        "Choices",
        "Choice",
    }


def test_what_is_said_of_classes_is_shown_and_compared() -> None:
    """As a hint of each class, unharmed; a configuration with other words does not ask the same."""
    told = dict(
        zip(ODD.classes, ["<b>&", 'a "b"', "it's", " hint='x'", "-->", "no $text"], strict=True)
    )
    described = replace(ODD, descriptions=told)
    config = config_for(described)
    hints = [c.get("hint") for c in ET.fromstring(config).iter("Choice")]
    assert hints == [text.replace("$", "\uff04") for text in told.values()]
    assert read_config(config, "project") == (Known(ODD.digest, ODD.classes),)
    assert asks(config, described) and not asks(config, ODD)
    assert asks(config_for(ODD), ODD) and not asks(config_for(ODD), described)
    other = replace(ODD, descriptions=told | {"it's": "Something else."})
    assert not asks(config, other)


@given(
    st.lists(
        st.text(
            st.characters(codec="utf-8", categories=("L", "N", "P", "S")), min_size=1, max_size=9
        ),
        min_size=2,
        max_size=12,
        unique=True,
    )
)
def test_any_classes_survive_the_configuration(classes: list[str]) -> None:
    """Whatever a schema may hold, the configuration says the same classes in the same order."""
    schema = Schema("s", tuple(classes))
    config = config_for(schema)
    assert read_config(config, "p")[-1].classes == schema.classes
    # `$` is replaced in what is shown, never in what is answered.
    assert _choices(config) == classes
    assert all("$" not in (c.get("value") or "") for c in ET.fromstring(config).iter("Choice"))


def test_a_text_is_shown_as_text_and_an_image_as_image() -> None:
    """The object matches the media, and a text is never taken for an address to open."""
    shown = ET.fromstring(config_for(PETS)).find(".//Text")
    assert shown is not None
    assert (shown.get("value"), shown.get("valueType")) == ("$text", "text")
    pictures = Schema("p", ("a", "b"), media="image")
    assert ET.fromstring(config_for(pictures)).find(".//Image") is not None


def test_digits_are_answered_with_their_own_keys() -> None:
    """Classes named by one character get that key; a few others get 1, 2, 3."""
    digits = Schema("d", tuple("0123456789"))
    keys = [c.get("hotkey") for c in ET.fromstring(config_for(digits)).iter("Choice")]
    assert keys == list("0123456789")
    assert [c.get("hotkey") for c in ET.fromstring(config_for(PETS)).iter("Choice")] == list("123")


def test_history_and_old_names_stay_in_the_configuration() -> None:
    """After a rename the old class is remembered and kept, hidden, at the end."""
    renamed = Schema("pets", ("feline", "dog", "eel"), renames={"cat": "feline"})
    config = config_for(renamed, PETS_KNOWN)
    assert [k.digest for k in read_config(config, "p")] == [PETS.digest, renamed.digest]
    assert _choices(config) == ["feline", "dog", "eel", "cat"]
    hidden = ET.fromstring(config).find(".//Choices/View")
    assert hidden is not None
    assert hidden.get("style") == "display:none"


@pytest.mark.parametrize(
    ("edit", "says"),
    [
        (lambda c: c.replace('value="dog"', 'value="hund"'), "'dog' is gone"),
        (lambda c: c.replace("</Choices>", '<Choice value="x"/></Choices>'), "'x' is new"),
        (lambda c: c.replace('name="label"', 'name="other"'), "'label' are gone"),
        (lambda c: c.replace('toName="item"', 'toName="text"'), "'label' are gone"),
        (lambda c: c.replace("labelops:", "note:"), "schemas"),
        (lambda c: c[:-10], "not XML"),
        (lambda c: '<!DOCTYPE x [<!ENTITY e "e">]>' + c, "not XML"),
        (lambda c: "<View/>", "'label' are gone"),
    ],
)
def test_an_edited_configuration_is_refused(edit: Callable[[str], str], says: str) -> None:
    """Each edit that makes answers unreadable is named, with what to do."""
    edited = edit(config_for(PETS))
    with pytest.raises(EndProtocolError, match=says) as failure:
        read_config(edited, "project 'x'")
    assert "rename that project" in str(failure.value)


def test_a_harmless_edit_is_left_alone() -> None:
    """Another heading, another order of the classes: nothing that answers depend on."""
    config = config_for(PETS).replace('size="4"', 'size="2"').replace("18px", "22px")
    assert read_config(config, "p") == PETS_KNOWN


def test_a_class_with_answers_does_not_vanish() -> None:
    """Dropping a class needs a rename, or that no answer names it."""
    smaller = Schema("pets", ("cat", "dog"))
    widened(PETS_KNOWN, smaller, {}, "p")
    widened(PETS_KNOWN, smaller, {"cat": 5, "eel": 0}, "p")
    renamed = Schema("pets", ("cat", "dog", "x"), renames={"eel": "x"})
    widened(PETS_KNOWN, renamed, {"eel": 5}, "p")
    with pytest.raises(SchemaError, match=r"'eel'.*5 answers"):
        widened(PETS_KNOWN, smaller, {"eel": 5}, "p")
