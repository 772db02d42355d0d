"""What a label can be: one module a kind, all with the same four functions.

A value is stored as canonical JSON text, so tables keep one column type for every kind.

Examples
--------
>>> from labelops.schema import Schema
>>> kind = kind_of(Schema("pets", ("cat", "dog")))
>>> kind.canonical("dog", Schema("pets", ("cat", "dog")))
'"dog"'
"""

from __future__ import annotations

from typing import Protocol

from ..schema import Schema
from . import choice

__all__ = ["Kind", "kind_of"]


class Kind(Protocol):
    """The functions a label kind provides (a module is enough)."""

    def canonical(self, raw: object, schema: Schema) -> str:
        """Check a raw answer against the schema and return its canonical JSON text."""
        ...

    def parse(self, value: str, schema: Schema) -> object:
        """Read a canonical JSON text back, checked against the schema."""
        ...

    def distance(self, a: str, b: str) -> float:
        """Return how different two canonical values are, 0 (same) to 1."""
        ...


_KINDS: dict[str, Kind] = {"choice": choice}


def kind_of(schema: Schema) -> Kind:
    """Return the kind module that a schema's values follow."""
    return _KINDS[schema.kind]
