"""Received votes are taken in once, whatever order, and none is lost silently."""

from __future__ import annotations

import time
from datetime import UTC, datetime

import numpy as np
import pandas as pd
import pytest

from labelops.collect import REJECTIONS, accept_votes, current_votes
from labelops.errors import TableError
from labelops.schema import Schema
from labelops.tables import VOTES, empty, frame_of, newest

PETS = Schema("pets", ("cat", "dog"))
ITEMS = pd.DataFrame({"item_id": ["a", "b", "c"]})


def votes(*rows: dict[str, object]) -> pd.DataFrame:
    """Build votes; each row says what differs from an ordinary vote."""
    ordinary: dict[str, object] = {
        "vote_id": "v1",
        "revision": 1,
        "item_id": "a",
        "annotator": "human:ann",
        "value": '"cat"',
        "status": "given",
        "purpose": "label",
        "round": 1,
        "saw_proposal": False,
        "seconds": 1.5,
        "queue": "local",
        "schema_digest": PETS.digest,
        "given_at": datetime(2026, 1, 1, tzinfo=UTC),
    }
    full = pd.DataFrame([{**ordinary, **row} for row in rows], columns=VOTES.names)
    return frame_of(VOTES, {n: full[n].tolist() for n in VOTES.names}, len(full))


NONE = empty(VOTES)


def history(size: int, seed: int) -> pd.DataFrame:
    """Return a random history of votes with edits, skips, deletions and repeats."""
    rng = np.random.default_rng(seed)
    status = rng.choice(["given", "skipped", "deleted"], size=size, p=[0.8, 0.1, 0.1])
    rows = [
        {
            "vote_id": f"v{rng.integers(size // 2)}",
            "revision": int(rng.integers(4)),
            "item_id": str(rng.choice(["a", "b", "c"])),
            "value": str(rng.choice(['"cat"', '"dog"'])) if s == "given" else None,
            "status": s,
            "seconds": float(rng.choice([1.0, np.nan])),
        }
        for s in status
    ]
    return votes(*rows)


def test_new_votes_are_taken_as_they_came() -> None:
    """A vote nobody knows is new, with every cell as received."""
    received = votes({"vote_id": "v1"}, {"vote_id": "v2", "revision": 5, "value": '"dog"'})
    got = accept_votes(received, NONE, ITEMS, PETS)
    pd.testing.assert_frame_equal(got.new, received)
    assert (got.known, len(got.rejected)) == (0, 0)


def test_known_votes_are_dropped_and_edits_kept() -> None:
    """An event in the table is not appended again; a new revision of the same vote is."""
    table = votes({"vote_id": "v1", "seconds": np.nan}, {"vote_id": "v2", "status": "skipped"})
    edit = votes({"vote_id": "v1", "revision": 2, "value": '"dog"'})
    received = pd.concat([table, edit, edit], ignore_index=True)
    got = accept_votes(received, table, ITEMS, PETS)
    pd.testing.assert_frame_equal(got.new, edit)
    assert got.known == 3


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.slow
def test_order_and_repetition_change_nothing(seed: int) -> None:
    """Any cut into batches, in any order, with repeats, ends in the same votes in force."""
    rng = np.random.default_rng(seed)
    rows = history(60, seed)
    at_once = accept_votes(rows, NONE, ITEMS, PETS).new
    table = NONE
    pieces = np.array_split(rng.permutation(np.r_[np.arange(60), rng.integers(60, size=30)]), 4)
    for piece in pieces:
        got = accept_votes(rows.iloc[piece], table, ITEMS, PETS)
        table = pd.concat([t for t in (table, got.new) if len(t)], ignore_index=True)
    assert len(table) == len(at_once)
    pd.testing.assert_frame_equal(newest(VOTES, table), newest(VOTES, at_once))
    pd.testing.assert_frame_equal(current_votes(table), current_votes(rows))
    shuffled = accept_votes(rows.sample(frac=1, random_state=seed), NONE, ITEMS, PETS).new
    pd.testing.assert_frame_equal(shuffled, at_once)
    assert len(accept_votes(rows, table, ITEMS, PETS).new) == 0


def test_one_revision_with_two_contents_keeps_both() -> None:
    """If an end says two things under one revision, the winner does not depend on arrival."""
    one, two = votes({"value": '"cat"'}), votes({"value": '"dog"'})
    forth = pd.concat([one, accept_votes(two, one, ITEMS, PETS).new], ignore_index=True)
    back = pd.concat([two, accept_votes(one, two, ITEMS, PETS).new], ignore_index=True)
    assert len(forth) == len(back) == 2
    pd.testing.assert_frame_equal(newest(VOTES, forth), newest(VOTES, back))


def test_what_cannot_be_meant_is_listed_with_its_reason() -> None:
    """Every refused row is listed once with vote, value and why; the good ones go through."""
    received = votes(
        {"vote_id": "v1"},
        {"vote_id": "v2", "item_id": "gone", "revision": 2},
        {"vote_id": "v3", "value": '"fox"', "revision": 3},
        {"vote_id": "v4", "value": "cat", "revision": 4},
        {"vote_id": "v5", "value": None, "revision": 5},
        {"vote_id": "v6", "annotator": "ann", "revision": 6},
        {"vote_id": "v7", "annotator": "human: ", "revision": 7},
        {"vote_id": "v8", "value": '["cat"]', "revision": 8},
        {"vote_id": "v9", "value": '"fox"', "schema_digest": "0" * 64, "revision": 9},
        {"vote_id": "v2", "item_id": "gone", "revision": 2},
        {"vote_id": "v0", "annotator": "robot:r2", "revision": 0},
    )
    got = accept_votes(received, NONE, ITEMS, PETS)
    assert got.new["vote_id"].tolist() == ["v1"]
    assert dict(zip(got.rejected["vote_id"], got.rejected["reason"], strict=True)) == {
        "v0": "unknown_annotator",
        "v2": "unknown_item",
        "v3": "unknown_value",
        "v4": "unknown_value",
        "v5": "no_value",
        "v6": "unknown_annotator",
        "v7": "unknown_annotator",
        "v8": "unknown_value",
        "v9": "other_schema",
    }
    said = ["vote_id", "revision", "item_id", "annotator", "value", "reason", "message"]
    assert list(got.rejected) == said
    assert got.rejected["message"].tolist() == [REJECTIONS[r] for r in got.rejected["reason"]]
    assert got.unknown_items == ("gone",)
    assert got.known == 0


def test_a_rejected_vote_is_accepted_once_mended() -> None:
    """After the item came in, or the rename was said, the same rows are accepted."""
    received = votes({"vote_id": "v1", "item_id": "new"}, {"vote_id": "v2", "value": '"kitten"'})
    assert len(accept_votes(received, NONE, ITEMS, PETS).new) == 0
    more = pd.DataFrame({"item_id": ["a", "new"]})
    mended = Schema("pets", ("cat", "dog"), renames={"kitten": "cat"})
    assert len(accept_votes(received, NONE, more, mended).new) == 2


def test_a_class_renamed_mid_way_loses_no_vote() -> None:
    """Votes under the old name stay as said and count for the new name; no vote is doubled."""
    renamed = Schema("pets", ("feline", "dog"), renames={"cat": "feline"})
    old = votes({"vote_id": "v1", "value": '"cat"'})
    new = votes({"vote_id": "v2", "value": '"feline"', "schema_digest": renamed.digest})
    table = accept_votes(old, NONE, ITEMS, PETS).new
    got = accept_votes(pd.concat([old, new], ignore_index=True), table, ITEMS, renamed)
    assert got.new["vote_id"].tolist() == ["v2"]
    assert (got.known, len(got.rejected)) == (1, 0)
    table = pd.concat([table, got.new.assign(annotator="human:bob")], ignore_index=True)
    assert current_votes(table, renamed)["value"].tolist() == ['"feline"', '"feline"']


def test_skips_and_deletions_need_no_value() -> None:
    """A skip or deletion is taken in as such."""
    received = votes(
        {"vote_id": "v1", "status": "deleted", "value": None},
        {"vote_id": "v2", "status": "skipped", "value": None},
    )
    got = accept_votes(received, NONE, ITEMS, PETS)
    assert got.new["status"].tolist() == ["deleted", "skipped"]


def test_rows_that_break_the_table_are_refused_whole() -> None:
    """A frame that is no votes table names its row and column."""
    with pytest.raises(TableError, match="row 0, column 'round'"):
        accept_votes(votes({}).assign(round=0), NONE, ITEMS, PETS)


@pytest.mark.slow
def test_a_million_votes_take_seconds() -> None:
    """Accepting and collapsing a million votes is linear work of seconds."""
    size, rng = 1_000_000, np.random.default_rng(1)
    names = np.array([f"human:a{n}" for n in range(20)], dtype=object)
    ids = pd.Series(np.arange(size)).astype(str)
    columns = {n: votes({})[n].iloc[0] for n in VOTES.names} | {
        "vote_id": "v" + ids,
        "revision": np.arange(size),
        "item_id": "i" + (ids.str[-5:]),
        "annotator": names[rng.integers(20, size=size)],
    }
    rows = frame_of(VOTES, columns, size)
    items = pd.DataFrame({"item_id": rows["item_id"].unique()})
    start = time.process_time()
    got = accept_votes(rows, NONE, items, PETS)
    assert len(current_votes(got.new)) == len(rows.drop_duplicates(["item_id", "annotator"]))
    assert time.process_time() - start < 60
