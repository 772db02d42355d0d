"""A schema is its meaning: name, kind, media and the classes in their order."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labelops.errors import SchemaError
from labelops.schema import Schema

PETS = Schema("pets", ("cat", "dog"))
CLASSES = st.lists(
    st.text(st.characters(categories=["L", "N", "S", "P"]), min_size=1, max_size=20),
    min_size=2,
    max_size=6,
    unique=True,
)


@given(CLASSES)
def test_round_trip(classes: list[str]) -> None:
    """A schema written and read is the same, digest included."""
    schema = Schema("s", tuple(classes), question="?", renames={"old name": classes[0]})
    back = Schema.from_json(schema.to_json())
    assert back == schema
    assert back.digest == schema.digest


@given(CLASSES)
def test_codes_follow_the_order(classes: list[str]) -> None:
    """A class's code is its place, and reordering the classes is another meaning."""
    schema = Schema("s", tuple(classes))
    assert [schema.code_of(c) for c in classes] == list(range(len(classes)))
    assert Schema("s", tuple(reversed(classes))).digest != schema.digest


def test_what_the_digest_covers() -> None:
    """Another name, media or class changes it; another question or a rename does not."""
    assert Schema("pets", ("cat", "dog"), question="Which?").digest == PETS.digest
    assert Schema("pets", ("cat", "dog"), renames={"kitty": "cat"}).digest == PETS.digest
    others = [
        Schema("pet", ("cat", "dog")),
        Schema("pets", ("cat", "dog"), media="image"),
        Schema("pets", ("cat", "dog", "ant")),
    ]
    assert len({PETS.digest, *(o.digest for o in others)}) == 4


def test_renamed_class() -> None:
    """A vote under the old name counts for the new one; nobody is lost silently."""
    assert Schema("pets", ("cat", "dog"), renames={"kitty": "cat"}).code_of("kitty") == 0
    with pytest.raises(SchemaError, match=r"unknown class 'kitty'.*\[schema.renames\]"):
        PETS.code_of("kitty")


@pytest.mark.parametrize(
    "classes",
    [
        (),
        ("one",),
        ("a", "a"),
        ("", "b"),
        (" a", "b"),
        ("a\nb", "c"),
        ("a\u202eb", "c"),
        ("x" * 201, "b"),
        (1, "b"),
    ],
)
def test_bad_classes(classes: tuple[str, ...]) -> None:
    """Too few, repeated, empty, padded, unprintable or overlong classes are refused."""
    with pytest.raises(SchemaError):
        Schema("s", classes)


@pytest.mark.parametrize("name", ["", "../x", "a b", "-a", "é", "x" * 65, "a/b"])
def test_bad_names(name: str) -> None:
    """A name becomes part of paths and addresses: only plain ones."""
    with pytest.raises(SchemaError, match="name"):
        Schema(name, ("a", "b"))


@pytest.mark.parametrize(
    "renames", [{"x": "nobody"}, {"a": "b"}], ids=["leads nowhere", "still a class"]
)
def test_bad_renames(renames: dict[str, str]) -> None:
    """A rename leads from a class that is gone to one that is there."""
    with pytest.raises(SchemaError, match="rename"):
        Schema("s", ("a", "b"), renames=renames)


def test_kind_and_media() -> None:
    """A kind or media that this version lacks is named with those there are."""
    with pytest.raises(SchemaError, match="'boxes' is not one of choice"):
        Schema("s", ("a", "b"), kind="boxes")
    with pytest.raises(SchemaError, match="'video' is not one of text, image"):
        Schema("s", ("a", "b"), media="video")


def test_tampered_json() -> None:
    """A schema whose digest does not fit its classes is refused."""
    raw = PETS.to_json() | {"classes": ["dog", "cat"]}
    with pytest.raises(SchemaError, match="its own digest"):
        Schema.from_json(raw)
    with pytest.raises(SchemaError, match="needs `classes`"):
        Schema.from_json({"name": "s"})


@pytest.mark.parametrize(
    ("given", "meant"), [("DELIVERY", "'delivery'"), ("delivry", "'delivery'"), ("Bil", "'bill'")]
)
def test_the_class_that_was_meant_is_named(given: str, meant: str) -> None:
    """A misspelt class, or one in other letters, is told from one that is not there."""
    schema = Schema("mails", ("bill", "delivery"))
    with pytest.raises(SchemaError, match=rf"schema 'mails' \(did you mean {meant}\?\); it has"):
        schema.code_of(given)
    with pytest.raises(SchemaError, match="schema 'mails'; it has"):
        schema.code_of("weather")


def test_splits() -> None:
    """What was cut out of a class goes to JSON and back, and is no part of the digest."""
    whole = Schema("pets", ("cat", "dog", "pup"))
    split = Schema("pets", ("cat", "dog", "pup"), splits={"dog": ("pup",)})
    assert split.digest == whole.digest
    assert Schema.from_json(split.to_json()) == split
    assert "splits" not in whole.to_json()


@pytest.mark.parametrize(
    "splits", [{"dog": ()}, {"dog": ("dog",)}, {"dog": ("ox",)}, {"ox": ("dog",)}]
)
def test_bad_splits(splits: dict[str, tuple[str, ...]]) -> None:
    """All are classes of now, and one is not cut out of itself."""
    with pytest.raises(SchemaError, match=r"split '(dog|ox)' → .*: expected classes that were cut"):
        Schema("pets", ("cat", "dog", "pup"), splits=splits)


@pytest.mark.parametrize("splits", ["dog", {"dog": "pup"}])
def test_splits_are_lists(splits: object) -> None:
    """A name where a list belongs is not read letter by letter."""
    with pytest.raises(SchemaError, match=r"schema.splits is .*, expected class = \["):
        Schema.from_json({"name": "pets", "classes": ["dog", "pup"], "splits": splits})


def test_descriptions() -> None:
    """What belongs in a class goes to JSON and back, and is no part of the digest."""
    plain = Schema("pets", ("cat", "dog"))
    told = Schema("pets", ("cat", "dog"), descriptions={"dog": "Barks: “woof”."})
    assert told.digest == plain.digest
    assert Schema.from_json(told.to_json()) == told
    assert "descriptions" not in plain.to_json()


@pytest.mark.parametrize(
    ("descriptions", "says"),
    [
        ({"ox": "Big."}, "describes 'ox', which is none of the classes: 'cat', 'dog'"),
        ({"dog": " "}, "of 'dog' is ' ', expected a text in one line"),
        ({"dog": "a\nb"}, r"of 'dog' is 'a\\nb', expected a text in one line"),
        ({"dog": 3}, "of 'dog' is 3, expected a text in one line"),
        ({"dog": "a" * 501}, "of 'dog' has 501 characters, at most 500"),
        ("dog", "is 'dog', expected class = what belongs there"),
    ],
)
def test_bad_descriptions(descriptions: object, says: str) -> None:
    """Each is refused in a line that names the class."""
    with pytest.raises(SchemaError, match=f"schema.descriptions {says}"):
        Schema.from_json({"name": "pets", "classes": ["cat", "dog"], "descriptions": descriptions})
