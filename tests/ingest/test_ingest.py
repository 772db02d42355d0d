"""Raw rows become items."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from labelops.digest import digest_bytes
from labelops.errors import ChangedPayloadError, SourceError, UsageError
from labelops.ingest import RAW_COLUMNS, Ingested, Rights, SetAside, ingest_rows
from labelops.tables import ITEMS, check, empty, newest

NOW = datetime(2026, 1, 2, tzinfo=UTC)


def raw_rows(
    texts: list[Any], keys: list[str] | None = None, groups: list[str | None] | None = None
) -> pd.DataFrame:
    frame = pd.DataFrame({name: [None] * len(texts) for name in RAW_COLUMNS}, dtype=object)
    frame["file"], frame["row"] = "a.csv", np.arange(1, len(texts) + 1)
    frame["payload"], frame["media_type"], frame["attributes"] = texts, "text/plain", "{}"
    frame["key"] = keys if keys is not None else None
    if groups is not None:
        frame["owner_group"] = pd.Series(groups, dtype=object)
    return frame


def ingest(raw: pd.DataFrame, existing: pd.DataFrame | None = None, **more: Any) -> Ingested:
    given = {"source": "mails", "rights": Rights(), "key": b"secret", "now": NOW, **more}
    return ingest_rows(raw, empty(ITEMS) if existing is None else existing, **given)


def after(existing: pd.DataFrame, result: Ingested) -> pd.DataFrame:
    return newest(ITEMS, pd.concat([f for f in (existing, result.new) if len(f)]))


def grouping(items: pd.DataFrame) -> dict[str, str]:
    return dict(zip(items["item_id"], items["group"], strict=True))


LOST = "i lost my card yesterday evening in the city, please block it right now"
NEAR = "I lost my card yesterday evening in the city - please block it right now!"
OTHER = "how long does a transfer to another country take on a bank holiday?"


def test_worked_example() -> None:
    """Three rows, two of them near-duplicates: two groups, named by the smallest id."""
    result = ingest(raw_rows([LOST, NEAR, OTHER], ["b", "a", "c"]))
    assert grouping(result.new) == {"a": "a", "b": "a", "c": "c"}
    assert (result.added, result.groups, result.duplicates) == (3, 1, 0)
    row = result.new.set_index("item_id").loc["b"]
    assert row["payload"] == LOST
    assert row["payload_digest"] == digest_bytes(LOST.encode())
    assert row["revision"] == 0 and row["source"] == "mails" and row["ingested_at"] == NOW
    check(ITEMS, result.new)


def test_twice_is_once() -> None:
    """The same rows again add nothing and count as unchanged."""
    raw = raw_rows([LOST, NEAR, OTHER], ["b", "a", "c"], ["u", None, "u"])
    first = ingest(raw).new
    again = ingest(raw, newest(ITEMS, first))
    assert len(again.new) == 0 and list(again.new.columns) == ITEMS.names
    assert (again.unchanged, again.added, again.regrouped, again.groups) == (3, 0, 0, 1)


WORDS = st.lists(st.sampled_from(["card", "lost", "block", "fee", "été", "日本"]), min_size=1)


@pytest.mark.slow
@settings(max_examples=15, deadline=None)
@given(
    rows=st.lists(
        st.tuples(WORDS.map(" ".join), st.sampled_from([None, "u1", "u2"])), min_size=1, max_size=12
    ),
    shuffle=st.randoms(use_true_random=False),
    cut=st.integers(0, 12),
    keyed=st.booleans(),
)
def test_order_and_batches_change_no_group(
    rows: list[tuple[str, str | None]], shuffle: Any, cut: int, keyed: bool
) -> None:
    """Any order of the rows, in one file or in two, gives the same items and groups."""
    keys = [f"k{i}" for i in range(len(rows))] if keyed else None
    raw = raw_rows([t for t, _ in rows], keys, [g for _, g in rows])
    whole = newest(ITEMS, ingest(raw).new)
    order = list(range(len(rows)))
    shuffle.shuffle(order)
    mixed = raw.iloc[order]
    part = newest(ITEMS, ingest(mixed.iloc[:cut]).new) if cut else empty(ITEMS)
    both = after(part, ingest(mixed.iloc[cut:], part)) if cut < len(rows) else part
    assert grouping(both) == grouping(whole)
    columns = ["item_id", "payload", "payload_digest", "sketch", "owner_group", "attributes"]
    pd.testing.assert_frame_equal(both[columns], whole[columns])


def test_new_item_merges_groups() -> None:
    """A new item of both owners' groups merges them; the moved items get a revision."""
    old = newest(ITEMS, ingest(raw_rows([LOST, OTHER], ["m", "n"], ["u1", "u2"])).new)
    assert grouping(old) == {"m": "m", "n": "n"}
    result = ingest(raw_rows([NEAR], ["a"], ["u2"]), old)
    assert (result.added, result.regrouped, result.unchanged) == (1, 2, 0)
    new = after(old, result)
    assert grouping(new) == {"a": "a", "m": "a", "n": "a"}
    assert new.set_index("item_id")["revision"].to_dict() == {"a": 0, "m": 1, "n": 1}
    assert (new["ingested_at"] == NOW).all()


def test_changed_payload_is_refused_with_both_texts() -> None:
    """Another payload under a known key names file, row and key, and quotes where they differ."""
    old = newest(ITEMS, ingest(raw_rows([LOST, OTHER], ["a", "b"])).new)
    with pytest.raises(ChangedPayloadError) as caught:
        ingest(raw_rows([OTHER + "!", LOST], ["b", "a"]).iloc[:1], old)
    for part in (
        "a.csv, row 1",
        "'b'",
        "--revise",
        "the payload '…e on a bank holiday?', now",
        "it has '…e on a bank holiday?!'",
    ):
        assert part in str(caught.value)


def test_a_changed_payload_that_is_set_aside_changes_nothing_but_rights() -> None:
    """All else is as if its row still said what it did: other rows, groups, what is gone."""
    old = newest(ITEMS, ingest(raw_rows([LOST, OTHER], ["a", "b"], ["u1", "u2"])).new)
    rows = raw_rows([OTHER + "!", NEAR, LOST], ["b", "c", "a"], ["u9", "u3", "u1"])
    found = ingest(rows, old, apart=SetAside(0.1))
    as_it_was = raw_rows([OTHER, NEAR, LOST], ["b", "c", "a"], ["u2", "u3", "u1"])
    expected = ingest(as_it_was, old)
    assert found.set_aside == ("b",)
    assert "a.csv, row 1: the key 'b'" in found.why and "--revise" in found.why
    assert (found.added, found.revised, found.updated, found.gone) == (1, 0, 0, 0)
    pd.testing.assert_frame_equal(after(old, found), after(old, expected))
    strict = ingest(rows, old, apart=SetAside(0.1), rights=Rights(licence="none"))
    (row,) = strict.new.loc[strict.new["item_id"] == "b"].itertuples()
    assert (row.licence, row.payload, row.owner_group) == ("none", OTHER, "u2")
    assert ingest(rows, old, revise=True, apart=SetAside(0.1)).set_aside == ()


def test_revise_makes_a_revision_and_keeps_the_group() -> None:
    """A revised payload is revision 1, sketched anew, and does not leave its group."""
    old = newest(ITEMS, ingest(raw_rows([LOST, NEAR], ["a", "b"])).new)
    result = ingest(raw_rows([OTHER], ["b"]), old, revise=True)
    new = after(old, result).set_index("item_id")
    assert (result.revised, result.added, result.regrouped) == (1, 0, 0)
    assert new.loc["b", "revision"] == 1 and new.loc["b", "payload"] == OTHER
    assert new.loc["b", "group"] == "a"
    assert new.loc["b", "sketch"] != old.set_index("item_id").loc["b", "sketch"]


def test_rows_that_are_gone_are_counted_and_their_items_stay() -> None:
    """Of this source alone; a revised row and an equal one are not gone, nor is any item."""
    stored = after(empty(ITEMS), ingest(raw_rows(["a b c", "d e f", "g h i"], ["x", "y", "z"])))
    other = after(stored, ingest(raw_rows(["j k l"], ["w"]), stored, source="chats"))
    found = ingest(raw_rows(["a b c", "D D D", "m n o"], ["x", "y", "v"]), other, revise=True)
    assert (found.unchanged, found.revised, found.added, found.gone) == (1, 1, 1, 1)
    assert set(after(other, found)["item_id"]) == {"x", "y", "z", "w", "v"}
    assert ingest(raw_rows(["a b c", "d e f", "g h i"], ["x", "y", "z"]), other).gone == 0


def test_other_rights_update_the_rows() -> None:
    """Rights that changed are taken without `revise`: they never stay behind silently."""
    raw = raw_rows([LOST], ["a"])
    old = newest(ITEMS, ingest(raw, rights=Rights("MIT", ("train",))).new)
    narrower = Rights("MIT", ("evaluate",), "EU", NOW + timedelta(days=9))
    result = ingest(raw, old, rights=narrower)
    row = after(old, result).iloc[0]
    assert (result.updated, result.unchanged) == (1, 0)
    assert (row["purposes"], row["region"], row["revision"]) == ('["evaluate"]', "EU", 1)
    assert row["expires"] == NOW + timedelta(days=9)
    assert ingest(raw, after(old, result), rights=narrower).unchanged == 1


def test_without_keys_equal_rows_are_one_item() -> None:
    """Rows without a key are identified by content, within source and owner's group."""
    result = ingest(raw_rows([LOST, LOST, LOST], None, ["u", "u", "v"]))
    assert (result.added, result.duplicates, result.groups) == (2, 2, 1)
    assert result.new["item_id"].str.fullmatch("[0-9a-f]{32}").all()
    other = ingest(raw_rows([LOST]), key=b"another secret")
    assert other.new["item_id"].iloc[0] not in set(result.new["item_id"])


def test_same_key_from_another_source() -> None:
    """A key that another source uses is refused: its rights would be lost."""
    old = newest(ITEMS, ingest(raw_rows([LOST], ["a"])).new)
    with pytest.raises(SourceError, match=r"row 1: the key 'a' already belongs .* 'mails'"):
        ingest(raw_rows([LOST], ["a"]), old, source="forum")
    with pytest.raises(SourceError, match="later export of the same rows, let the `path` of that"):
        ingest(raw_rows([LOST], ["a"]), old, source="forum")


@pytest.mark.parametrize(
    ("texts", "keys", "message"),
    [
        ([OTHER, None, ""], ["a", "b", "c"], r"row 2, column 'body': the text is empty.*1 more"),
        ([OTHER, float("nan")], ["a", "b"], r"row 2, column 'body': the text is empty"),
        (["\n \t"], ["a"], r"row 1, column 'body': the text is empty"),
        (["a\x00b"], ["a"], r"NUL character"),
        (["\ud800"], ["a"], r"surrogate"),
        (["x" * 1001], ["a"], r"one cell holds 1,001 characters, at most 1,000"),
        ([LOST, OTHER, NEAR], ["a", "b", "a"], r"row 3, column 'id': .*'a' is already.* row 1"),
        ([LOST, OTHER], ["a", " "], r"row 2, column 'id': the key is empty"),
        ([LOST], ["a\nb"], r"500 printable"),
    ],
)
def test_bad_rows(texts: list[Any], keys: list[str], message: str) -> None:
    """Each bad row is named with its place and the remedy; nothing is ingested."""
    with pytest.raises(SourceError, match=message) as caught:
        ingest(raw_rows(texts, keys), names={"payload": "body", "key": "id"}, max_cell=1000)
    assert "\n" not in str(caught.value) and len(str(caught.value)) < 400


def test_needs_a_time_zone_and_the_raw_columns() -> None:
    """Calls that make no sense are refused by name."""
    with pytest.raises(UsageError, match="time zone"):
        ingest(raw_rows([LOST]), now=datetime(2026, 1, 1))
    with pytest.raises(UsageError, match="'sketch'"):
        ingest(raw_rows([LOST]).drop(columns="sketch"))


def test_no_rows() -> None:
    """Nothing in, nothing out: beside no items and beside some."""
    none = raw_rows([])
    assert len(ingest(none).new) == 0
    old = newest(ITEMS, ingest(raw_rows([LOST, NEAR], ["a", "b"])).new)
    result = ingest(none, old)
    assert (len(result.new), result.groups) == (0, 1)


def test_messages_use_the_owners_names_that_the_source_left() -> None:
    """Without `names` the raw frame's own are used."""
    raw = raw_rows([""], ["a"])
    raw.attrs["names"] = {"payload": "body"}
    with pytest.raises(SourceError, match="column 'body'"):
        ingest(raw)


def test_rows_below_a_header_are_named_as_a_spreadsheet_counts_them() -> None:
    """Row 1 of the data is line 2 of the sheet; both are said, at once with other bad rows."""
    raw = raw_rows([LOST, OTHER, NEAR], ["a", "b", "a"])
    raw.attrs["header"] = 1
    with pytest.raises(SourceError, match=r"row 3 \(4 with the header\), column .*already.* row 1"):
        ingest(raw)
