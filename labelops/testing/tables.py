"""The conformance suite for tables: subclass `TablesTests` in your own tests.

Needs pytest. An example is the Delta Lake end's own test::

    class TestDeltaTables(TablesTests):
        def make(self, place):
            return DeltaTables(str(place))

        def stored(self, place, table):
            ...  # read the storage without the adapter
"""

from __future__ import annotations

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from labelops.errors import ConflictError, TableError, UsageError
from labelops.ports import Tables
from labelops.tables import FINDINGS, PLAN, PROPOSALS, TABLES, VOTES, check, empty, frame_of

__all__ = ["TablesTests", "proposals_for", "votes_for"]

_NOW = datetime(2026, 1, 5, 12, 30, 0, 123456, tzinfo=UTC)
_NASTY = "quote ' \" ; DROP TABLE votes; -- % \\ \n\t é 漢 🦔"


def votes_for(ids: list[str], *, revision: int = 0, item: str | None = None) -> pd.DataFrame:
    """Build one vote a given id.

    Examples
    --------
    >>> votes_for(["a", "b"])["item_id"].tolist()
    ['item-a', 'item-b']
    """
    columns = {
        "vote_id": ids,
        "revision": revision,
        "item_id": [item or f"item-{i}" for i in ids],
        "annotator": "human:ann",
        "value": '"cat"',
        "status": "given",
        "purpose": "label",
        "round": 1,
        "saw_proposal": False,
        "seconds": 1.5,
        "queue": "suite",
        "schema_digest": "s",
        "given_at": _NOW,
    }
    return frame_of(VOTES, columns, len(ids))


def proposals_for(ids: list[str]) -> pd.DataFrame:
    """Build proposals, every second one with nothing in the cells that may be missing.

    Examples
    --------
    >>> proposals_for(["a", "b"])["value"].tolist()
    ['"cat"', None]
    """
    n = len(ids)
    full = [i % 2 == 0 for i in range(n)]
    columns = {
        "item_id": ids,
        "labeler": "model:m",
        "labeler_version": "v1",
        "value": ['"cat"' if f else None for f in full],
        "confidence": [0.1 + 0.2 if f else np.nan for f in full],
        "probs": [np.array([0.1 + 0.2, 0.7]) if f else None for f in full],
        "fold": [i if f else None for i, f in enumerate(full)],
        "schema_digest": "s",
        "proposed_at": _NOW,
    }
    return frame_of(PROPOSALS, columns, n)


class TablesTests:
    """What every `Tables` end promises; it looks behind the adapter at what is stored."""

    def make(self, place: Path) -> Tables:
        """Open the end on a storage named by `place`; the same place opens the same storage."""
        raise NotImplementedError

    def stored(self, place: Path, table: str) -> list[dict[str, object]]:
        """Return a table's rows as the storage really holds them, read without the adapter."""
        raise NotImplementedError

    @pytest.fixture
    def place(self, tmp_path: Path) -> Path:
        """Name an unused storage."""
        return tmp_path / "workspace"

    @pytest.mark.parametrize("name", sorted(TABLES))
    def test_unwritten_table_is_empty(self, place: Path, name: str) -> None:
        """A table nobody wrote to reads as no rows with the declared dtypes, at version 0."""
        tables = self.make(place)
        pd.testing.assert_frame_equal(tables.read(name), empty(TABLES[name]))
        assert tables.version(name) == 0

    def test_rows_come_back(self, place: Path) -> None:
        """Rows come back cell by cell: exact floats, lists, missing values, microseconds."""
        rows = proposals_for(["a", "b", "c"])
        self.make(place).append("proposals", rows)
        found = self.make(place).read("proposals").sort_values("item_id", ignore_index=True)
        pd.testing.assert_frame_equal(found, rows, check_exact=True)
        assert isinstance(found["probs"][0], np.ndarray)
        assert found["probs"][0].tolist() == [0.1 + 0.2, 0.7]
        assert found["probs"][1] is None
        assert found["value"][1] is None

    def test_every_dtype_survives_its_missing_values(self, place: Path) -> None:
        """A column where every cell is missing keeps its declared dtype."""
        tables = self.make(place)
        tables.append("proposals", proposals_for(["a", "b"]).iloc[1:])
        found = tables.read("proposals")
        assert found.dtypes.to_dict() == empty(PROPOSALS).dtypes.to_dict()
        assert found["fold"].isna().all()

    def test_storage_really_holds_the_rows(self, place: Path) -> None:
        """What was appended is in the storage itself when `append` returns."""
        tables = self.make(place)
        tables.append("votes", votes_for(["a"]))
        tables.append("votes", votes_for(["b", "c"]))
        held = self.stored(place, "votes")
        assert sorted(str(row["vote_id"]) for row in held) == ["a", "b", "c"]
        assert {str(row["annotator"]) for row in held} == {"human:ann"}

    def test_equal_rows_are_two_events(self, place: Path) -> None:
        """Appending the same row again keeps both; collapsing is the reader's."""
        tables = self.make(place)
        for _ in range(2):
            tables.append("votes", votes_for(["a"]))
        assert tables.read("votes")["vote_id"].tolist() == ["a", "a"]

    def test_text_is_only_text(self, place: Path) -> None:
        """Quotes, line breaks, controls and code in a cell come back as they were."""
        tables = self.make(place)
        tables.append("votes", votes_for([_NASTY, "plain", ""]))
        assert set(tables.read("votes")["vote_id"]) == {_NASTY, "plain", ""}
        hit = tables.read("votes", where={"vote_id": _NASTY})
        assert hit["vote_id"].tolist() == [_NASTY]
        assert len(tables.read("votes", where={"vote_id": "x' OR '1'='1"})) == 0

    def test_where_equal_and_among(self, place: Path) -> None:
        """`where` keeps exactly the rows whose columns equal, or are among, the given values."""
        tables = self.make(place)
        tables.append("votes", votes_for(["a", "b"], revision=0))
        tables.append("votes", votes_for(["b", "c"], revision=2**53 + 1))
        read = tables.read
        assert sorted(read("votes", where={"vote_id": "b"})["revision"]) == [0, 2**53 + 1]
        assert len(read("votes", where={"revision": 2**53})) == 0
        assert sorted(read("votes", where={"vote_id": ["a", "c", "zz"]})["vote_id"]) == ["a", "c"]
        both = read("votes", where={"vote_id": ["b"], "revision": 2**53 + 1})
        assert both["vote_id"].tolist() == ["b"]
        assert len(read("votes", where={"vote_id": []})) == 0

    def test_where_on_a_missing_value(self, place: Path) -> None:
        """A missing cell equals nothing."""
        tables = self.make(place)
        tables.append("proposals", proposals_for(["a", "b"]))
        assert tables.read("proposals", where={"value": '"cat"'})["item_id"].tolist() == ["a"]

    def test_columns_in_the_order_asked(self, place: Path) -> None:
        """`columns` gives those columns, in that order, and `where` may use others."""
        tables = self.make(place)
        assert tables.read("votes", columns=["round", "vote_id"]).columns.tolist() == [
            "round",
            "vote_id",
        ]
        tables.append("votes", votes_for(["a", "b"]))
        found = tables.read("votes", columns=["round", "vote_id"], where={"item_id": "item-b"})
        assert found.columns.tolist() == ["round", "vote_id"]
        assert found["vote_id"].tolist() == ["b"]
        assert str(found["round"].dtype) == "int64"

    @pytest.mark.parametrize(
        ("columns", "where"),
        [(["nope"], None), (None, {"nope": "x"}), (None, {"revision": "text"})],
    )
    def test_unknown_columns_are_refused(
        self, place: Path, columns: list[str] | None, where: dict[str, str] | None
    ) -> None:
        """A column the table lacks, or a value that cannot be in it, is wrong use."""
        tables = self.make(place)
        tables.append("votes", votes_for(["a"]))
        with pytest.raises(UsageError, match=r"nope|text"):
            tables.read("votes", columns=columns, where=where)

    @pytest.mark.parametrize("name", ["nope", "../votes", "votes/../items", ""])
    def test_unknown_tables_are_refused(self, place: Path, name: str) -> None:
        """Only the declared tables exist, whatever the name spells."""
        tables = self.make(place)
        for call in (tables.read, tables.version):
            with pytest.raises(UsageError):
                call(name)
        with pytest.raises(UsageError):
            tables.append(name, votes_for(["a"]))

    def test_bad_rows_change_nothing(self, place: Path) -> None:
        """One bad row refuses the whole append, names the row, and stores nothing."""
        tables = self.make(place)
        tables.append("votes", votes_for(["a"]))
        before = tables.version("votes")
        bad = votes_for(["b", "c"]).assign(status=["given", "no such status"])
        with pytest.raises(TableError, match=r"row 1, column 'status'"):
            tables.append("votes", bad)
        with pytest.raises(TableError, match="is missing"):
            tables.append("votes", votes_for(["b"]).drop(columns="round"))
        with pytest.raises(TableError, match="UTF-8"):
            tables.append("votes", votes_for(["ok", "\ud800"]))
        assert tables.version("votes") == before
        assert [row["vote_id"] for row in self.stored(place, "votes")] == ["a"]

    def test_nothing_appended_is_no_event(self, place: Path) -> None:
        """An empty frame leaves the version as it was."""
        tables = self.make(place)
        tables.append("votes", empty(VOTES))
        assert tables.version("votes") == 0
        tables.append("votes", votes_for(["a"]))
        before = tables.version("votes")
        tables.append("votes", empty(VOTES))
        assert tables.version("votes") == before

    def test_version_grows(self, place: Path) -> None:
        """Every append makes the version larger, for every opener of the storage."""
        tables, other = self.make(place), self.make(place)
        seen = [tables.version("votes")]
        for i in range(3):
            tables.append("votes", votes_for([str(i)]))
            seen.append(other.version("votes"))
        assert seen == sorted(set(seen))
        assert tables.version("plan") == 0

    def test_tables_do_not_mix(self, place: Path) -> None:
        """Rows of one table are in no other."""
        tables = self.make(place)
        tables.append("votes", votes_for(["a"]))
        pd.testing.assert_frame_equal(tables.read("findings"), empty(FINDINGS))
        pd.testing.assert_frame_equal(tables.read("plan"), empty(PLAN))

    def test_given_frame_is_untouched(self, place: Path) -> None:
        """The caller's frame is not changed, whatever its column order or index."""
        rows = votes_for(["a", "b"])
        given = rows[rows.columns[::-1]].set_axis([7, 7])
        copy = given.copy()
        tables = self.make(place)
        tables.append("votes", given)
        pd.testing.assert_frame_equal(given, copy)
        found = tables.read("votes").sort_values("vote_id", ignore_index=True)
        pd.testing.assert_frame_equal(found, rows)

    def test_what_is_read_is_checked(self, place: Path) -> None:
        """A frame that was read passes the table's own check unchanged."""
        tables = self.make(place)
        tables.append("proposals", proposals_for(["a", "b", "c"]))
        tables.append("proposals", proposals_for(["d"]))
        found = tables.read("proposals")
        pd.testing.assert_frame_equal(found, check(PROPOSALS, found))

    def test_writers_at_once_lose_nothing(self, place: Path) -> None:
        """Four writers that also race to create the table: every row is there once."""
        openers = [self.make(place) for _ in range(4)]

        def write(writer: int) -> None:
            for i in range(3):
                openers[writer].append("votes", votes_for([f"{writer}-{i}"]))

        with ThreadPoolExecutor(4) as pool:
            list(pool.map(write, range(4)))
        counts = Counter(row["vote_id"] for row in self.stored(place, "votes"))
        assert counts == Counter(f"{w}-{i}" for w in range(4) for i in range(3))
        assert Counter(self.make(place).read("votes")["vote_id"]) == counts

    def test_an_append_after_a_version_needs_that_version(self, place: Path) -> None:
        """What was concluded from a table is not appended once somebody else appended to it."""
        tables, other = self.make(place), self.make(place)
        tables.append("votes", votes_for(["a"]), after=0)
        seen = tables.version("votes")
        other.append("votes", votes_for(["b"]))
        for stale in (0, seen, seen + 2):
            with pytest.raises(ConflictError):
                tables.append("votes", votes_for(["late"]), after=stale)
        tables.append("votes", votes_for(["c"]), after=tables.version("votes"))
        held = self.stored(place, "votes")
        assert sorted(str(row["vote_id"]) for row in held) == ["a", "b", "c"]

    def test_of_writers_after_one_version_one_wins(self, place: Path) -> None:
        """Four writers that each conclude from all before them: a chain, whoever is quicker."""
        openers = [self.make(place) for _ in range(4)]

        def write(writer: int) -> None:
            tables, done = openers[writer], 0
            while done < 3:
                version = tables.version("votes")
                row = votes_for([f"{writer}-{done}"], revision=len(tables.read("votes")))
                # A reader that came in between has seen more than its version says.
                with suppress(ConflictError):
                    tables.append("votes", row, after=version)
                    done += 1

        with ThreadPoolExecutor(4) as pool:
            list(pool.map(write, range(4)))
        numbers = self.make(place).read("votes")["revision"]
        assert sorted(numbers) == list(range(12)), "each has counted all before it"
