"""Class names, codes, and the checks on arrays."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from labelops.errors import SchemaError, TableError, UsageError
from labelops.measure.codes import among, check_codes, check_probs, decode, encode, vote_arrays
from labelops.measure.given import check_flags

CLASSES = ["zebra", "ant", "cow"]


@given(st.lists(st.text(max_size=2)), st.lists(st.text(max_size=2)))
def test_among_is_membership(ids: list[str], known: list[str]) -> None:
    """What Python's `in` says, for ids that repeat and for none at all."""
    assert among(ids, known).tolist() == [i in known for i in ids]


@given(st.lists(st.sampled_from([*CLASSES, None])))
def test_round_trip(values: list[str | None]) -> None:
    """Decoding what was encoded gives the values back, missing ones included."""
    assert decode(encode(values, CLASSES), CLASSES).tolist() == values


def test_order_is_the_schemas() -> None:
    """Codes follow the order of the classes given, not the alphabet."""
    assert encode(["ant", "zebra", "cow"], CLASSES).tolist() == [1, 0, 2]


@pytest.mark.parametrize("missing", [None, np.nan, pd.NA])
def test_every_kind_of_missing(missing: object) -> None:
    """None, NaN and NA are missing, never a class."""
    assert encode(pd.Series(["cow", missing], dtype=object), CLASSES).tolist() == [2, -1]


def test_strings_of_any_dtype() -> None:
    """A pandas string column with its own index encodes like a list."""
    series = pd.Series(["cow", None], dtype="string", index=[7, 9])
    assert encode(series, CLASSES).tolist() == [2, -1]


def test_unknown_class_is_named() -> None:
    """An unknown class is refused with its row and value."""
    with pytest.raises(SchemaError, match=r"row 1: 'dog'"):
        encode(["cow", "dog"], CLASSES)


def test_class_listed_twice() -> None:
    """A schema that lists a class twice is refused."""
    with pytest.raises(SchemaError, match="listed twice"):
        encode(["a"], ["a", "a"])


@pytest.mark.parametrize(
    ("codes", "message"),
    [([3], "row 0 is 3"), ([0, -2], "row 1 is -2"), ([0.0], "integers"), ([[0]], "one dimension")],
)
def test_bad_codes(codes: list[int], message: str) -> None:
    """Codes that are no class are refused with their row."""
    with pytest.raises(UsageError, match=message):
        check_codes(codes, 3)


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ([0.5, np.nan], "row 1, column 1: nan"),
        ([np.inf, 0.0], "row 1, column 0: inf"),
        ([1.5, -0.5], "row 1, column 1: -0.5 is negative"),
        ([0.5, 0.4], "row 1: sums to 0.9"),
    ],
)
def test_first_bad_row_of_probs(row: list[float], message: str) -> None:
    """A row that is no distribution is refused by number."""
    with pytest.raises(TableError, match=message):
        check_probs([[0.5, 0.5], row], 2)


@pytest.mark.parametrize(
    "probs", [[0.5, 0.5], [[0.2, 0.3, 0.5]], [["a", "b"]], [[1.0], [0.5, 0.5]]]
)
def test_shape_of_probs(probs: object) -> None:
    """Anything but an (N, K) table of numbers is refused."""
    with pytest.raises(TableError, match="expected"):
        check_probs(probs, 2)  # type: ignore[arg-type]


def test_probs_of_float32() -> None:
    """Single precision rounding is no fault, and the result is contiguous double."""
    raw = np.random.default_rng(0).dirichlet(np.ones(100), size=20).astype(np.float32)
    checked = check_probs(np.asfortranarray(raw), 100)
    assert checked.dtype == np.float64
    assert checked.flags.c_contiguous


def test_vote_arrays_ignore_row_order() -> None:
    """Ids come out sorted, so the order of the rows changes nothing but the order of the votes."""
    frame = pd.DataFrame({"i": list("bca"), "w": list("yxy"), "v": ["cow", "ant", "cow"]})
    one = vote_arrays(frame.i, frame.w, frame.v, CLASSES)
    back = frame[::-1]
    two = vote_arrays(back.i, back.w, back.v, CLASSES)
    assert one.item_ids.tolist() == two.item_ids.tolist() == ["a", "b", "c"]
    assert one.items.tolist() == two.items.tolist()[::-1] == [1, 2, 0]
    assert one.annotators.tolist() == [1, 0, 1]


@pytest.mark.parametrize(
    ("votes", "says"),
    [
        ((["a", "b"], ["x"], ["cat", "dog"]), r"one length, found shapes \(2,\), \(1,\), \(2,\)"),
        ((["a"], ["x"], ["cat", "dog"]), "of one length"),
        (([["a"]], ["x"], ["cat"]), "of one length"),
        ((["a", None], ["x", "y"], ["cat", "dog"]), "row 1 has no item; every vote needs one"),
        ((["a", "b"], [float("nan"), "y"], ["cat", "dog"]), "row 0 has no annotator"),
    ],
)
def test_votes_that_are_none(votes: tuple[Any, Any, Any], says: str) -> None:
    """A vote of nobody, or on nothing, is refused by its row; it is not one on item -1."""
    with pytest.raises(UsageError, match=says):
        vote_arrays(*votes, ["cat", "dog"])


def test_a_vote_without_a_class_stays() -> None:
    """A missing class is no vote, which the statistics know as -1."""
    assert vote_arrays(["a"], ["x"], [None], ["cat", "dog"]).codes.tolist() == [-1]


def test_the_largest_unsigned_code_is_not_missing() -> None:
    """In 64 bits with a sign it would be -1, which means no vote."""
    with pytest.raises(UsageError, match="row 1 is 18446744073709551615"):
        check_codes(np.array([0, 2**64 - 1], dtype=np.uint64), 3)


@pytest.mark.parametrize(
    ("codes", "says"),
    [
        (["cat", "dog"], "found <U3; names become integers by labelops.measure.codes.encode"),
        ([0.0, 1.0], r"found float64; write .astype\(int\), and -1 where one is missing"),
        ([True, False], r"found bool; write .astype\(int\)"),
    ],
)
def test_what_are_no_codes(codes: list[Any], says: str) -> None:
    """The error says what makes integers of them."""
    with pytest.raises(UsageError, match=says):
        check_codes(codes, 2)


def test_flags_are_true_and_false() -> None:
    """Also written as numbers; what Python would take for true is named."""
    for flags in ([True, False], [1, 0], [1.0, 0.0], np.array([True, False], dtype=object)):
        assert check_flags("use", flags, 2).tolist() == [True, False]
    assert check_flags("use", [], 0).dtype == np.bool_
    for flags, message in (
        (["yes", "no"], "use: row 0 is 'yes', expected true or false"),
        ([True, None], "use: row 1 is None"),
        ([1.0, np.nan], "use: row 1 is nan"),
        ([0, 2], "use: row 1 is 2"),
        ([True], "found shape"),
        ([[True, False]], "found shape"),
    ):
        with pytest.raises(UsageError, match=message):
            check_flags("use", flags, 2)
