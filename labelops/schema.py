"""What may be answered about an item: the label schema and its digest.

A schema is a value: two with the same meaning have the same digest, and every vote, label
and release carries that digest. The order of the classes is part of the meaning, because
columns of probabilities follow it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches

from .digest import digest
from .errors import SchemaError, shown

__all__ = ["KINDS", "MEDIA", "Schema", "check_class"]

KINDS = ("choice",)
"""The label kinds this version can hold; `labelops.kinds` has one module for each."""

MEDIA = ("text", "image")
"""What an item's payload can be."""

QUESTION = "Which class fits best?"
"""What annotators are asked where a schema does not say."""


_LONGEST = 500
"""The most characters of what is said of a class."""


def check_class(name: object) -> str:
    """Return the name of a class, if it can be one.

    Raises
    ------
    SchemaError
        It is no text, has spaces around it or no character at all, or is no short line.

    Examples
    --------
    >>> check_class("cat")
    'cat'
    """
    if not isinstance(name, str) or not name.strip() or name != name.strip():
        raise SchemaError(
            f"class {shown(name)}: a class is a non-empty text without spaces around it"
        )
    if any(not c.isprintable() for c in name) or len(name) > 200:
        raise SchemaError(
            f"class {shown(name)}: a class has at most 200 characters, all of them printable"
        )
    return name


@dataclass(frozen=True, slots=True)
class Schema:
    """A question about items and the answers it allows.

    Parameters
    ----------
    name : str
        The label set's name; also the name of its releases.
    classes : tuple of str
        The answers, in the order that columns of probabilities follow; at least two.
    kind : str
        The label kind, one of `KINDS`.
    media : str
        What annotators see, one of `MEDIA`.
    question : str
        What annotators are asked. Not part of the digest: rewording it changes no meaning.
    renames : mapping of str to str
        Old class name → its name now. A vote given under the old name counts for the new one;
        a class that disappeared without a rename is an error, never a silent loss.
    splits : mapping of str to tuple of str
        Class → the classes that were cut out of it. Who named it before they were there did not
        say which of them it is: people are asked again.

    descriptions : mapping of str to str
        Class → what belongs there, in a sentence or two, for people and for models that read. Not
        part of the digest, as `question`.

    Raises
    ------
    SchemaError
        If a part is missing, unknown, repeated, or a rename or split leads nowhere.

    Examples
    --------
    >>> s = Schema("pets", ("cat", "dog"))
    >>> s.code_of("dog"), s.digest == Schema("pets", ("dog", "cat")).digest
    (1, False)
    """

    name: str
    classes: tuple[str, ...]
    kind: str = "choice"
    media: str = "text"
    question: str = QUESTION
    renames: Mapping[str, str] = field(default_factory=dict)
    splits: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    descriptions: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        _check_name(self.name)
        if self.kind not in KINDS:
            raise SchemaError(f"kind {shown(self.kind)} is not one of {', '.join(KINDS)}")
        if self.media not in MEDIA:
            raise SchemaError(f"media {shown(self.media)} is not one of {', '.join(MEDIA)}")
        object.__setattr__(self, "classes", tuple(check_class(c) for c in self.classes))
        if len(self.classes) < 2:
            raise SchemaError(f"schema {self.name!r} needs at least two classes")
        if len(set(self.classes)) != len(self.classes):
            twice = sorted({c for c in self.classes if self.classes.count(c) > 1})
            raise SchemaError(f"schema {self.name!r} names {shown(twice[0])} twice")
        for old, new in self.renames.items():
            if new not in self.classes or old in self.classes:
                raise SchemaError(
                    f"rename {shown(old)} → {shown(new)}: the old name must be gone from the "
                    "classes and the new one among them"
                )
        for whole, parts in self.splits.items():
            if not parts or not {whole, *parts} <= set(self.classes) or whole in parts:
                raise SchemaError(
                    f"split {shown(whole)} → {shown(list(parts))}: expected classes that were cut "
                    "out of another, all of them among the classes"
                )
        for name, text in self.descriptions.items():
            _check_description(name, text, self.classes)

    @property
    def digest(self) -> str:
        """What the schema means, as 64 hexadecimal characters: name, kind, media, class order."""
        return digest(
            {
                "classes": list(self.classes),
                "kind": self.kind,
                "media": self.media,
                "name": self.name,
            }
        )

    def code_of(self, value: str) -> int:
        """Return the class's place in the order.

        Raises
        ------
        SchemaError
            If the value is neither a class nor an old name of one.
        """
        try:
            return self.classes.index(self.renames.get(value, value))
        except ValueError:
            alike = {c.casefold(): c for c in (*self.renames, *self.classes)}
            near = get_close_matches(value.casefold(), alike, 1)
            meant = f" (did you mean {shown(alike[near[0]])}?)" if near else ""
            raise SchemaError(
                f"unknown class {shown(value)} in schema {self.name!r}{meant}; it has "
                f"{', '.join(map(shown, self.classes[:8]))}"
                f"{'…' if len(self.classes) > 8 else ''}"
                " — if a class was renamed, say so under [schema.renames]"
            ) from None

    def to_json(self) -> dict[str, object]:
        """Return the schema as a JSON object that `from_json` reads back."""
        splits = {whole: list(parts) for whole, parts in self.splits.items()}
        described = dict(self.descriptions)
        return {
            "classes": list(self.classes),
            "digest": self.digest,
            "kind": self.kind,
            "media": self.media,
            "name": self.name,
            "question": self.question,
            "renames": dict(self.renames),
            **({"splits": splits} if splits else {}),
            **({"descriptions": described} if described else {}),
        }

    @classmethod
    def from_json(cls, raw: Mapping[str, object]) -> Schema:
        """Read a schema written by `to_json`, and check its digest.

        Raises
        ------
        SchemaError
            If a part is malformed or the digest does not match.
        """
        classes, renames = raw.get("classes"), raw.get("renames", {})
        if not isinstance(classes, list) or not isinstance(renames, Mapping):
            raise SchemaError("a schema needs `classes` (a list) and `renames` (a table)")
        splits = raw.get("splits", {})
        if not isinstance(splits, Mapping) or not all(isinstance(p, list) for p in splits.values()):
            raise SchemaError(
                f"schema.splits is {shown(splits)}, expected class = [the classes cut out of it]"
            )
        described = raw.get("descriptions", {})
        if not isinstance(described, Mapping):
            raise SchemaError(
                f"schema.descriptions is {shown(described)}, expected class = what belongs there"
            )
        schema = cls(
            name=str(raw.get("name", "")),
            classes=tuple(classes),
            kind=str(raw.get("kind", "choice")),
            media=str(raw.get("media", "text")),
            question=str(raw.get("question", QUESTION)),
            renames={str(k): str(v) for k, v in renames.items()},
            splits={str(k): tuple(map(str, parts)) for k, parts in splits.items()},
            descriptions=dict(described),
        )
        if raw.get("digest", schema.digest) != schema.digest:
            raise SchemaError(f"schema {schema.name!r} does not match its own digest")
        return schema


def _check_description(name: object, text: object, classes: tuple[str, ...]) -> None:
    if name not in classes:
        raise SchemaError(
            f"schema.descriptions describes {shown(name)}, which is none of the classes: "
            f"{', '.join(map(shown, classes[:8]))}{'…' if len(classes) > 8 else ''}"
        )
    if not isinstance(text, str) or not text.strip() or not text.isprintable():
        raise SchemaError(
            f"schema.descriptions of {shown(name)} is {shown(text)}, expected a text in one line"
        )
    if len(text) > _LONGEST:
        raise SchemaError(
            f"schema.descriptions of {shown(name)} has {len(text):,} characters, at most "
            f"{_LONGEST} are shown to people and models"
        )


def _check_name(name: str) -> None:
    allowed = name and name[0].isalnum() and all(c.isalnum() or c in "-_." for c in name)
    if not allowed or not name.isascii() or len(name) > 64:
        raise SchemaError(
            f"name {shown(name)}: 1 to 64 ASCII letters, digits, '-', '_' or '.', "
            "starting with a letter or digit"
        )
