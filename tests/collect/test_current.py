"""The votes in force: newest revision, one a person, the excluded left out."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import permutations

import pandas as pd
import pytest

from labelops.collect import current_votes
from labelops.errors import SchemaError
from labelops.schema import Schema
from labelops.tables import VOTES, empty, frame_of

PETS = Schema("pets", ("cat", "dog"))
Row = tuple[str, int, str, str, str | None, str, str, int]


def votes(*rows: Row) -> pd.DataFrame:
    """Build votes from (vote, revision, item, annotator, value, status, purpose, round)."""
    names = ["vote_id", "revision", "item_id", "annotator", "value", "status", "purpose", "round"]
    columns: dict[str, object] = {n: [row[i] for row in rows] for i, n in enumerate(names)}
    start = datetime(2026, 1, 1, tzinfo=UTC)
    columns |= {
        "saw_proposal": False,
        "queue": "local",
        "schema_digest": PETS.digest,
        "given_at": [start + timedelta(microseconds=row[1]) for row in rows],
    }
    return frame_of(VOTES, columns, len(rows))


CAT, DOG = '"cat"', '"dog"'
HISTORY: tuple[Row, ...] = (
    ("v1", 1, "a", "human:ann", CAT, "given", "label", 1),
    ("v1", 5, "a", "human:ann", DOG, "given", "label", 1),
    ("v2", 2, "a", "human:bob", CAT, "given", "label", 1),
    ("v2", 3, "a", "human:bob", None, "deleted", "label", 1),
    ("v3", 2, "b", "human:ann", None, "skipped", "label", 1),
    ("v4", 7, "b", "human:bob", CAT, "given", "label", 1),
    ("v5", 9, "b", "human:bob", DOG, "given", "label", 2),
    ("v6", 8, "b", "human:bob", CAT, "given", "review", 2),
)


def words(frame: pd.DataFrame) -> list[tuple[str, str, str, str]]:
    columns = ["item_id", "annotator", "purpose", "value"]
    return list(frame[columns].itertuples(index=False, name=None))


def test_the_newest_word_of_each_person_is_in_force() -> None:
    """By hand: an edit and a second round replace, deletions and skips drop out."""
    assert words(current_votes(votes(*HISTORY))) == [
        ("a", "human:ann", "label", DOG),
        ("b", "human:bob", "label", DOG),
        ("b", "human:bob", "review", CAT),
    ]


def test_order_changes_nothing() -> None:
    """Every order of the events of one item, also with each said twice, gives the same rows."""
    rows = HISTORY[:4]
    expected = current_votes(votes(*rows))
    for order in permutations(rows):
        pd.testing.assert_frame_equal(current_votes(votes(*order, *order[:2])), expected)


def test_a_deletion_in_a_later_round_leaves_the_earlier_vote() -> None:
    """Taking back the second vote puts the first, which was never taken back, in force again."""
    rows: tuple[Row, ...] = (
        ("v1", 1, "a", "human:ann", CAT, "given", "label", 1),
        ("v2", 2, "a", "human:ann", DOG, "given", "label", 2),
        ("v2", 3, "a", "human:ann", None, "deleted", "label", 2),
    )
    assert words(current_votes(votes(*rows))) == [("a", "human:ann", "label", CAT)]


def test_collapsing_twice_equals_once() -> None:
    """The votes in force of the votes in force are themselves; none of none is none."""
    once = current_votes(votes(*HISTORY))
    pd.testing.assert_frame_equal(current_votes(once), once)
    assert len(current_votes(empty(VOTES))) == 0


def test_two_votes_at_one_time_have_a_fixed_winner() -> None:
    """Two votes of one person in one microsecond: the larger vote id, in either order."""
    one: Row = ("v1", 1, "a", "human:ann", CAT, "given", "label", 1)
    two: Row = ("v2", 1, "a", "human:ann", DOG, "given", "label", 2)
    assert words(current_votes(votes(one, two))) == words(current_votes(votes(two, one)))
    assert words(current_votes(votes(one, two)))[0][3] == DOG


def test_old_class_names_are_translated_on_reading() -> None:
    """With a schema, values come back under their present names; unknown ones are an error."""
    renamed = Schema("pets", ("feline", "dog"), renames={"cat": "feline"})
    values = current_votes(votes(*HISTORY), renamed)["value"].tolist()
    assert values == [DOG, DOG, '"feline"']
    with pytest.raises(SchemaError, match="unknown class 'dog'"):
        current_votes(votes(*HISTORY), Schema("pets", ("cat", "eel")))
