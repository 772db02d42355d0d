"""Bad rows that are set aside: named, and all others taken as if there were no such rows."""

from __future__ import annotations

from typing import Any

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from labelops.errors import SourceError
from labelops.ingest import Rights, SetAside
from labelops.ingest.set_aside import NAMED
from labelops.tables import ITEMS, newest

from .test_ingest import LOST, NEAR, OTHER, after, ingest, raw_rows


def _taken(texts: list[Any], keys: list[str], **more: Any) -> tuple[Any, SetAside]:
    aside = SetAside(more.pop("most", 1.0))
    return ingest(raw_rows(texts, keys), apart=aside, **more), aside


def test_worked_example() -> None:
    """An empty text, an empty key, and a key that two rows have: two rows of six are taken."""
    texts, keys = [LOST, " ", OTHER, NEAR, "x", "y"], ["a", "b", "", "d", "e", "e"]
    found, _ = _taken(texts, keys)
    assert sorted(found.new["item_id"]) == ["a", "d"]
    assert (found.added, found.bad_rows, found.set_aside) == (2, 4, ())
    assert [line.partition(": ")[0] for line in found.bad] == [
        "a.csv, row 2, column 'payload'",
        "a.csv, row 3, column 'key'",
        "a.csv, row 5, column 'key'",
        "a.csv, row 6, column 'key'",
    ]
    assert found.bad[3].endswith("the key 'e' is already used in row 5; keys must be unique")
    assert found.bad[2].endswith("the key 'e' is used in another row, too; keys must be unique")


BAD = st.sampled_from(["", "  ", None, "nul\x00", "half \ud800"])


@pytest.mark.slow
@given(st.lists(st.one_of(st.just("good"), BAD), min_size=1, max_size=12))
def test_all_others_are_taken_as_if_there_were_no_bad_rows(texts: list[Any]) -> None:
    """Every row is either an item or named; ids, groups and payloads are those of good rows."""
    numbered = [f"{t} {n}" if t == "good" else t for n, t in enumerate(texts)]
    keys = [f"k{n}" for n in range(len(texts))]
    found, aside = _taken(numbered, keys)
    good = [n for n, t in enumerate(texts) if t == "good"]
    alone = ingest(raw_rows([numbered[n] for n in good], [keys[n] for n in good]))
    pd.testing.assert_frame_equal(found.new, alone.new)
    assert found.added + found.bad_rows == len(texts) == len(good) + len(aside)


def test_known_items_of_bad_rows_stay_as_they_were_but_for_rights() -> None:
    """They are not gone, not changed, and what the source does not allow any more holds."""
    old = newest(ITEMS, ingest(raw_rows([LOST, OTHER], ["a", "b"], ["u1", "u2"])).new)
    rows = raw_rows(["", NEAR], ["b", "c"], ["u9", "u1"])
    found = ingest(rows, old, apart=SetAside(0.5))
    assert (found.added, found.unchanged, found.updated, found.gone) == (1, 1, 0, 1)
    assert (found.bad_rows, "b" in set(found.new["item_id"])) == (1, False)
    strict = ingest(rows, old, apart=SetAside(0.5), rights=Rights(licence="none"))
    (row,) = strict.new.loc[strict.new["item_id"] == "b"].itertuples()
    assert (row.licence, row.payload, row.owner_group) == ("none", OTHER, "u2")
    # Mended, the row is read as any other.
    mended = ingest(raw_rows([OTHER, NEAR], ["b", "c"], ["u2", "u1"]), after(old, found))
    assert (mended.unchanged, mended.bad_rows) == (2, 0)


def test_all_rows_bad_with_known_items() -> None:
    """Where every row may be bad, items stay and nothing is added."""
    old = newest(ITEMS, ingest(raw_rows([LOST], ["a"])).new)
    found = ingest(raw_rows([" "], ["a"]), old, apart=SetAside(1.0))
    assert (found.added, found.unchanged, found.gone, found.bad_rows) == (0, 1, 0, 1)
    assert found.new.empty


def test_a_key_of_another_source_is_a_bad_row() -> None:
    """The other source's item is left alone."""
    old = newest(ITEMS, ingest(raw_rows([LOST], ["a"]), source="other").new)
    found = ingest(raw_rows([OTHER, NEAR], ["a", "b"]), old, apart=SetAside(0.5))
    assert (found.added, found.bad_rows) == (1, 1)
    assert "already belongs to an item of source 'other'" in found.bad[0]
    assert set(found.new["item_id"]) == {"b"}


def test_a_row_that_the_source_could_not_read_makes_its_key_doubtful() -> None:
    """Of two rows with a key one of which is broken, the other is not taken for meant."""
    aside = SetAside(1.0)
    aside.add(SourceError("not text", file="a.csv", row=9), "a")
    found = ingest(raw_rows([LOST, OTHER], ["a", "b"]), apart=aside)
    assert set(found.new["item_id"]) == {"b"}
    assert (found.bad_rows, "in another row, too" in found.bad[0]) == (2, True)


@pytest.mark.parametrize(
    ("most", "rows", "bad", "taken"),
    [
        (0.1, 20, 2, True),
        (0.1, 20, 3, False),
        (0.1, 3, 1, True),
        (0.1, 3, 2, False),
        (0.0, 20, 1, False),
        (0.0, 20, 0, True),
        (0.1, 1, 1, True),
        (1.0, 3, 3, True),
    ],
)
def test_more_bad_rows_than_may_be_refuse_the_source(
    most: float, rows: int, bad: int, taken: bool
) -> None:
    """The share is rounded up to whole rows; 0 bears none."""
    texts = [""] * bad + [f"text {n}" for n in range(rows - bad)]
    keys = [f"k{n}" for n in range(rows)]
    if taken:
        assert _taken(texts, keys, most=most)[0].added == rows - bad
        return
    with pytest.raises(SourceError, match=rf"row 1.*of {rows} rows?: more than .*`bad_rows`"):
        _taken(texts, keys, most=most)


def test_of_very_many_the_first_are_named_and_all_counted() -> None:
    """In any order of arrival."""
    aside = SetAside(1.0)
    for row in [*range(50, 100), *range(1, 50)]:
        aside.add(SourceError("bad", file="a.csv", row=row), None)
        aside.add(SourceError("bad again", file="a.csv", row=row), None)
    assert len(aside) == 99
    assert aside.lines == tuple(f"a.csv, row {row}: bad" for row in range(1, NAMED + 1))
