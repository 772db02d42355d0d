"""A class may leave the schema when nothing names it; else nothing that was said is lost."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from labelops.errors import SchemaError
from labelops.journey import adopt_schema
from labelops.schema import Schema
from labelops.state import last_body

from .world import PETS, World, make_world

SMALLER = Schema("pets", ("cat", "dog"))


def _adopt(w: World, schema: Schema) -> None:
    w.flush()
    adopt_schema(make_world(schema, like=w).workspace, now=w.tick())


def _started() -> World:
    w = make_world()
    _adopt(w, PETS)
    w.items("a", "b")
    w.vote("a", ann="cat", ben="dog")
    return w


def test_a_class_that_nothing_names_may_go() -> None:
    """Saying so again changes nothing, and votes for other classes are read as before."""
    w = _started()
    _adopt(w, SMALLER)
    _adopt(w, SMALLER)
    said = w.state.latest("schema").sort_values("revision")
    assert last_body(said)["classes"] == ["cat", "dog"]
    after = make_world(SMALLER, like=w)
    assert sorted(after.state.votes["value"]) == ['"cat"', '"dog"']


def _voted(w: World) -> None:
    w.vote("a", cy="cow")
    w.vote("b", cy="cow")


def _gold(w: World) -> None:
    w.say("gold", "b", value='"cow"')


def _labeled_otherwise_since(w: World) -> None:
    w.label({"a": "cow"})
    w.label({"a": "cat"})


@pytest.mark.parametrize(
    ("name", "says"),
    [
        (_voted, r"'cow' was in the schema and is gone, but is named by votes on 2 items;"),
        (_gold, r"named by gold of 1 item;"),
        (_labeled_otherwise_since, r"named by labels of 1 item;"),
    ],
)
def test_a_class_that_is_named_stays(name: Callable[[World], None], says: str) -> None:
    """The refusal says by what, and the way: another class that it is part of now."""
    w = _started()
    name(w)
    with pytest.raises(SchemaError, match=says + r".*\[schema\.renames\]"):
        _adopt(w, SMALLER)
    _adopt(w, replace(SMALLER, renames={"cow": "cat"}))


def test_an_earlier_name_counts() -> None:
    """What was said under a name that a class had before goes with the class."""
    w = _started()
    w.vote("a", cy="cow")
    _adopt(w, Schema("pets", ("cat", "dog", "ox"), renames={"cow": "ox"}))
    with pytest.raises(SchemaError, match=r"'cow'.*votes on 1 item;"):
        _adopt(w, SMALLER)


def test_a_schema_that_comes_back_is_the_newest() -> None:
    """However often two take turns, the one in force is the one before the next."""
    w = _started()
    for _ in range(3):
        for schema in (SMALLER, PETS):
            _adopt(w, schema)
            said = w.state.latest("schema").sort_values("revision")
            assert last_body(said)["digest"] == schema.digest
