"""The kind `choice`: one class, stored as its name in JSON."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from labelops.errors import SchemaError
from labelops.kinds import kind_of
from labelops.kinds.choice import canonical, codes_of, distance, parse, values_of
from labelops.schema import Schema

CLASSES = ("NA", "1.0", "null", 'say "hi"', "tröt 🐘")
SCHEMA = Schema("s", CLASSES, renames={"old": "NA"})


@pytest.mark.parametrize("name", CLASSES)
def test_canonical_and_back(name: str) -> None:
    """A class name becomes JSON text and comes back, however much it looks like something else."""
    assert parse(canonical(name, SCHEMA), SCHEMA) == name


@given(st.lists(st.integers(-1, len(CLASSES) - 1)))
def test_codes_round_trip(codes: list[int]) -> None:
    """Values of codes have those codes; -1 is missing."""
    values = values_of(codes, SCHEMA)
    assert codes_of(values, SCHEMA).tolist() == codes
    assert [v is None for v in values] == [c == -1 for c in codes]


def test_missing_of_any_kind() -> None:
    """None and NaN are missing; no row is no code."""
    assert codes_of([None, float("nan")], SCHEMA).tolist() == [-1, -1]
    assert codes_of([], SCHEMA).dtype == np.int64


def test_renames_apply() -> None:
    """An old name reads as the new class and is written as it."""
    assert canonical("old", SCHEMA) == '"NA"'
    assert parse('"old"', SCHEMA) == "NA"
    assert codes_of(['"old"'], SCHEMA).tolist() == [0]


@pytest.mark.parametrize("raw", [1, None, ["NA"], "unknown", ""])
def test_bad_answers(raw: object) -> None:
    """What is not one class of the schema is refused."""
    with pytest.raises(SchemaError):
        canonical(raw, SCHEMA)


@pytest.mark.parametrize("value", ["NA", "{", "1.0", '["NA"]', '"unknown"', "null"])
def test_bad_values(value: str) -> None:
    """Text that is not the JSON of a class is refused, in a column too."""
    with pytest.raises(SchemaError):
        parse(value, SCHEMA)
    with pytest.raises(SchemaError):
        codes_of([value], SCHEMA)


def test_distance() -> None:
    """Nominal: 0 for the same class, 1 for any other."""
    assert (distance('"NA"', '"NA"'), distance('"NA"', '"null"')) == (0.0, 1.0)


def test_kind_of_a_schema() -> None:
    """The schema's kind leads to this module's functions."""
    assert kind_of(SCHEMA).canonical("NA", SCHEMA) == '"NA"'
