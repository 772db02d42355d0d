"""The conformance suite for sources: subclass `SourceTests` in your own tests.

Needs pytest. An example::

    class TestMySource(SourceTests):
        @pytest.fixture
        def made(self, tmp_path):
            ...  # write three rows where the source finds them
            return Made(MySource(...), keys=["a", "b", "c"], payloads=["one", "two", "three"])

        @pytest.fixture
        def broken(self, tmp_path):
            ...  # the same, with one row that cannot be read
            return MySource(...), "what names the place in the message"
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import pandas as pd
import pytest

from labelops.errors import SourceError
from labelops.ingest import RAW_COLUMNS, Rights, ingest_rows
from labelops.ports import SettingAside, Source
from labelops.tables import ITEMS, check, empty, newest

__all__ = ["Made", "SourceTests"]


@dataclass(frozen=True, slots=True)
class Made:
    """A source and what is really in it.

    Parameters
    ----------
    source : Source
    keys : list of str or list of None
        The owner's keys in order.
    payloads : sequence of str or bytes
        Texts, or the bytes of files, in order.
    """

    source: Source
    keys: list[str] | list[None]
    payloads: Sequence[str | bytes]


def _all(source: Source) -> pd.DataFrame:
    return pd.concat([block.frame for block in source.rows()], ignore_index=True)


class SourceTests:
    """What every source promises."""

    @pytest.fixture
    def made(self) -> Made:
        """Return a readable source with at least three different rows; override it."""
        raise NotImplementedError

    @pytest.fixture
    def broken(self) -> tuple[Source, str]:
        """Return a source with one unreadable row, and a part of the message; override it."""
        raise NotImplementedError

    def test_is_a_source(self, made: Made) -> None:
        """It has a name and rows."""
        assert isinstance(made.source, Source)
        assert made.source.name

    def test_standard_columns(self, made: Made) -> None:
        """Every block has the raw columns, in order, and says where its rows come from."""
        for block in made.source.rows():
            assert list(block.frame.columns) == list(RAW_COLUMNS)
            assert len(block.frame) > 0
            assert block.origin
            assert block.first_row == block.frame["row"].iloc[0] >= 1
            assert block.frame["file"].map(lambda file: isinstance(file, str) and file != "").all()
            assert block.frame["row"].is_monotonic_increasing

    def test_everything_arrives_as_it_is(self, made: Made) -> None:
        """Keys and payloads come unchanged and in order; files with their true digest."""
        frame = _all(made.source)
        assert frame["key"].tolist() == made.keys
        for row, expected in zip(frame.itertuples(), made.payloads, strict=True):
            if isinstance(expected, str):
                assert row.payload == expected
                assert (row.uri, row.content, row.digest) == (None, None, None)
                assert row.media_type == "text/plain"
            else:
                sha = hashlib.sha256(expected).hexdigest()
                assert (row.payload, row.content, row.digest) == (None, expected, sha)
                assert str(row.uri).startswith(f"object:payloads/{sha[:2]}/{sha}.")
                assert str(row.media_type).startswith("image/")
                assert isinstance(row.sketch, str)

    def test_attributes_are_objects(self, made: Made) -> None:
        """The other columns are one JSON object a row."""
        assert all(isinstance(json.loads(cell), dict) for cell in _all(made.source)["attributes"])

    def test_reading_again_yields_the_same(self, made: Made) -> None:
        """Rows do not run out, and do not change."""
        pd.testing.assert_frame_equal(_all(made.source), _all(made.source))

    def test_rows_can_be_ingested_once(self, made: Made) -> None:
        """What it yields become items; the second time nothing is new."""
        items = empty(ITEMS)
        added = []
        for _ in range(2):
            result = ingest_rows(
                _all(made.source),
                items,
                source=made.source.name,
                rights=Rights(),
                key=b"k",
                now=datetime(2026, 1, 1, tzinfo=UTC),
            )
            added.append(result.added)
            if len(result.new):
                items = newest(ITEMS, check(ITEMS, result.new))
        assert added == [len(made.payloads), 0]

    def test_bad_row_is_named_and_nothing_lost_silently(self, broken: tuple[Source, str]) -> None:
        """A row that cannot be read ends the reading with one line that says where."""
        source, part = broken
        with pytest.raises(SourceError) as caught:
            _all(source)
        assert part in str(caught.value)
        assert "\n" not in str(caught.value)

    def test_what_is_set_aside_is_named_as_it_would_be_refused(
        self, broken: tuple[Source, str]
    ) -> None:
        """A source that can set rows aside hands over the bad one alone, and yields no row of it.

        Where nothing can be read beside it, it says so as ever.
        """
        source, part = broken
        if not isinstance(source, SettingAside):
            pytest.skip("it sets nothing aside")
        said: list[SourceError] = []
        try:
            blocks = list(source.rows_but(lambda error, _: said.append(error)))
        except SourceError as error:
            assert part in str(error)
            return
        [bad] = said
        assert part in str(bad) and "\n" not in str(bad)
        for block in blocks:
            of_file = block.frame.loc[block.frame["file"] == bad.file, "row"]
            assert not len(of_file) if bad.row is None else bad.row not in set(of_file)
