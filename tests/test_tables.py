"""The tables' contracts: every bad row is named, and order of arrival changes nothing."""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from labelops.errors import TableError
from labelops.tables import (
    EVENTS,
    FINDINGS,
    LABELS,
    TABLES,
    VOTES,
    TableSpec,
    check,
    empty,
    frame_of,
    newest,
    probs_matrix,
)

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def _votes(rows: list[tuple[str, int, str | None]]) -> pd.DataFrame:
    ids, revisions, values = zip(*rows, strict=True) if rows else ((), (), ())
    return frame_of(
        VOTES,
        {
            "vote_id": list(ids),
            "revision": list(revisions),
            "item_id": "i",
            "annotator": "human:a",
            "value": list(values),
            "status": "given",
            "purpose": "label",
            "round": 1,
            "saw_proposal": False,
            "seconds": np.nan,
            "queue": "local",
            "schema_digest": "d",
            "given_at": NOW,
        },
        len(rows),
    )


ALL = [(v, r, a) for v in "abc" for r in range(4) for a in ('"x"', '"y"', None)]
PLACES = st.lists(st.integers(0, len(ALL) - 1), max_size=12)


@pytest.fixture(scope="module")
def every() -> pd.DataFrame:
    """One vote event for each row of `ALL`."""
    return _votes(ALL)


@settings(max_examples=25)
@given(PLACES, st.integers(0, 2**32 - 1))
def test_newest_is_order_free(every: pd.DataFrame, places: list[int], seed: int) -> None:
    """Any order of arrival collapses to the same rows."""
    frame = every.iloc[places]
    shuffled = frame.iloc[np.random.default_rng(seed).permutation(len(frame))]
    pd.testing.assert_frame_equal(newest(VOTES, shuffled), newest(VOTES, frame))


@settings(max_examples=25)
@given(PLACES)
def test_newest_is_idempotent(every: pd.DataFrame, places: list[int]) -> None:
    """Saying everything twice, or collapsing twice, changes nothing."""
    once = newest(VOTES, every.iloc[places])
    pd.testing.assert_frame_equal(newest(VOTES, every.iloc[places * 2]), once)
    pd.testing.assert_frame_equal(newest(VOTES, once), once)


@settings(max_examples=25)
@given(PLACES)
def test_newest_is_the_largest_revision(every: pd.DataFrame, places: list[int]) -> None:
    """Each key keeps one row, and it is of the largest revision (a plain loop agrees)."""
    best: dict[str, int] = {}
    for vote, revision, _ in (ALL[place] for place in places):
        best[vote] = max(revision, best.get(vote, -1))
    found = newest(VOTES, every.iloc[places])
    assert dict(zip(found["vote_id"], found["revision"], strict=True)) == best


def test_newest_worked_example() -> None:
    """An edit wins over the answer before it, though it arrived first."""
    frame = _votes([("a", 2, '"edited"'), ("a", 1, '"first"'), ("b", 0, None)])
    assert newest(VOTES, frame)["value"].tolist() == ['"edited"', None]


@pytest.mark.parametrize("name", TABLES)
def test_empty_tables_pass(name: str) -> None:
    """A table without rows fits its own contract, dtypes unchanged."""
    frame = empty(TABLES[name])
    pd.testing.assert_frame_equal(check(TABLES[name], frame), frame)


@pytest.mark.parametrize("name", TABLES)
def test_keys_are_columns(name: str) -> None:
    """Key and revision columns exist and are never missing; every column says what it means."""
    spec = TABLES[name]
    for column in (*spec.key, *([spec.revision] if spec.revision else [])):
        assert not spec[column].nullable
    assert all(c.meaning for c in spec.columns)


def test_check_is_idempotent() -> None:
    """What passed once passes again, unchanged."""
    frame = _votes([("a", 1, '"x"'), ("b", 2, None)])
    pd.testing.assert_frame_equal(check(VOTES, frame), frame)


@pytest.mark.parametrize(
    ("column", "bad", "expected"),
    [
        ("vote_id", None, "text"),
        ("vote_id", 7, "text"),
        ("status", "maybe", "given or skipped or deleted"),
        ("purpose", "fun", "label or review"),
        ("round", 0, r"int in \[1, inf\]"),
        ("round", 1.5, "int"),
        ("revision", "x", "int"),
        ("revision", None, "int"),
        ("seconds", -1.0, r"float in \[0, inf\]"),
        ("saw_proposal", 2, "bool"),
        ("given_at", "yesterday?", "time"),
        ("given_at", None, "time"),
    ],
)
def test_bad_cell_is_named(column: str, bad: object, expected: str) -> None:
    """Row, column, value and what was expected are in the message."""
    frame = _votes([("a", 1, None), ("b", 1, None)]).astype({column: object})
    frame.at[1, column] = bad
    with pytest.raises(TableError, match=rf"row 1, column '{column}': found .*expected {expected}"):
        check(VOTES, frame)


def test_every_bad_row_is_named() -> None:
    """Problems of all columns are collected, not only the first."""
    frame = _votes([("a", 1, None)] * 3).astype({"round": object})
    frame["round"], frame["purpose"] = 0, "fun"
    with pytest.raises(TableError) as caught:
        check(VOTES, frame)
    assert len(caught.value.problems) == 6


@pytest.mark.parametrize(
    ("column", "bad"),
    [("round", 0), ("score", 1.5), ("score", np.nan), ("kind", None), ("found_at", pd.NaT)],
)
def test_right_dtypes_are_no_pass(column: str, bad: object) -> None:
    """A table that has its dtypes is held to bounds and required cells as one of objects is."""
    rows = {"item_id": ["i", "j"], "kind": "k", "round": 1, "score": 0.5, "detector": "d"}
    rows |= {"evidence": "{}", "planted": False, "found_at": NOW}
    typed = frame_of(FINDINGS, rows, 2)
    pd.testing.assert_frame_equal(check(FINDINGS, typed.astype(object)), typed)
    typed.loc[1, column] = bad
    for frame in (typed, typed.astype(object)):
        with pytest.raises(TableError, match=rf"^table findings: row 1, column '{column}': found"):
            check(FINDINGS, frame)


def test_missing_and_unknown_columns() -> None:
    """A column too few or too many is named."""
    frame = _votes([("a", 1, None)])
    with pytest.raises(TableError, match="column 'round' is missing"):
        check(VOTES, frame.drop(columns="round"))
    with pytest.raises(TableError, match="column 'extra' is not one"):
        check(VOTES, frame.assign(extra=1))
    with pytest.raises(TableError, match="column 'rond' is not one"):
        frame_of(VOTES, {"rond": 1}, 1)


def test_large_integers_are_exact() -> None:
    """A revision beyond 2**53 keeps its last digit."""
    assert _votes([("a", 2**53 + 1, None)])["revision"].tolist() == [2**53 + 1]


def test_times_are_utc_microseconds() -> None:
    """Times of any zone are the same instant in UTC."""
    frame = _votes([("a", 1, None)]).astype({"given_at": object})
    frame["given_at"] = "2026-01-01T02:00:00+02:00"
    assert check(VOTES, frame)["given_at"].iloc[0] == pd.Timestamp(NOW)


@pytest.mark.parametrize("bad", [["x"], [[0.1]], [np.nan], 3.0])
def test_bad_lists_of_numbers(bad: object) -> None:
    """`floats` cells are one-dimensional finite numbers or missing."""
    rows = {
        "item_id": "i",
        "revision": 0,
        "probs": pd.Series([bad], dtype=object),
        "method": "m",
        "reason": "r",
        "evidence": "{}",
        "schema_digest": "d",
        "decided_at": NOW,
    }
    with pytest.raises(TableError, match="row 0, column 'probs'"):
        frame_of(LABELS, rows, 1)


def test_frame_of_ignores_a_series_index() -> None:
    """Columns are put side by side as they lie, never aligned by an index."""
    body = {
        "event_id": pd.Series(["a", "b"], index=[5, 6]),
        "kind": "k",
        "subject": "s",
        "revision": pd.Series([1, 2], index=[6, 5]),
        "body": "{}",
        "at": NOW,
    }
    assert frame_of(EVENTS, body, 2)[["event_id", "revision"]].values.tolist() == [
        ["a", 1],
        ["b", 2],
    ]


def test_probs_matrix() -> None:
    """Rows stack in order, a missing one is NaN, none is (0, K), another length is named."""
    cells = pd.Series([np.array([0.5, 0.5]), None])
    np.testing.assert_equal(probs_matrix(cells, 2), [[0.5, 0.5], [np.nan, np.nan]])
    assert probs_matrix(pd.Series([], dtype=object), 3).shape == (0, 3)
    with pytest.raises(TableError, match="row 0, column 'probs': found 2 numbers, expected 3"):
        probs_matrix(cells, 3)


def test_vectors_are_checked_all_at_once_or_one_by_one() -> None:
    """One infinite number among sound vectors is found, in the row it is in."""
    cells = pd.Series([np.array([0.5, 0.5]), np.array([0.5, np.inf])])
    rows = {"item_id": ["i", "j"], "revision": 0, "probs": cells, "method": "m", "reason": "r"}
    rows |= {"evidence": "{}", "schema_digest": "d", "decided_at": NOW}
    with pytest.raises(TableError, match="row 1, column 'probs'"):
        frame_of(LABELS, rows, 2)


def _newest_by_hand(rows: pd.DataFrame) -> list[tuple[object, ...]]:
    """Return what `newest` promises, row by row and with nothing clever."""
    best: dict[object, tuple[object, ...]] = {}
    for row in rows.itertuples(index=False):
        rank = (row.revision, "\x1f".join(map(str, row)), tuple(row))
        best[row.event_id] = max(best.get(row.event_id, rank), rank)
    return [best[key][2] for key in sorted(best, key=str)]


@pytest.mark.parametrize("keys", [3, 40, 4000])
def test_newest_is_what_a_plain_loop_finds(keys: int) -> None:
    """Many, some or no repeated keys; equal revisions with other content; any order of rows."""
    rng = np.random.default_rng(keys)
    columns = {
        "event_id": rng.integers(keys, size=200).astype(str).astype(object),
        "kind": "k",
        "subject": rng.integers(3, size=200).astype(str).astype(object),
        "revision": rng.integers(4, size=200),
        "body": "{}",
        "at": NOW,
    }
    frame = frame_of(EVENTS, columns, 200)
    spec = TableSpec("events", ("event_id",), EVENTS.columns, revision="revision")
    found = newest(spec, frame)
    assert list(found.itertuples(index=False, name=None)) == _newest_by_hand(frame)
    shuffled = frame.sample(frac=1, random_state=1)
    pd.testing.assert_frame_equal(newest(spec, shuffled), found)
