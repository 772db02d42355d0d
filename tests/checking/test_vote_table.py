"""Votes as a table of their own say what columns say."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from labelops.checking import check_labels
from labelops.checking.columns import votes_of
from labelops.checking.vote_table import VoteTable


def _wide(rows: int, people: int) -> pd.DataFrame:
    rng = np.random.default_rng(5)
    truth = rng.choice(["a", "b", "c"], rows)
    frame = pd.DataFrame({"id": [f"r{n}" for n in range(rows)], "final": truth})
    frame.loc[::17, "final"] = "c"
    frame["text"] = [f"about {t} and {n}" if n % 10 else "" for n, t in enumerate(truth)]
    for who in range(people):
        said = np.where(rng.random(rows) < 0.8, truth, rng.choice(["a", "b", "c"], rows))
        frame[f"p{who}"] = np.where(rng.random(rows) < 0.5, said, None)
    return frame


def _long(frame: pd.DataFrame, columns: list[str]) -> pd.DataFrame:
    long = frame.melt("id", columns, "annotator", "vote")
    return long.sample(frac=1, random_state=2).reset_index(drop=True)


def test_they_are_the_same_votes() -> None:
    """In the same order, also of some of the rows alone."""
    frame, columns = _wide(50, 4), ["p0", "p1", "p2", "p3"]
    table = VoteTable.of(_long(frame, columns), frame, "id", "final")
    place = np.array([3, 7, 8, 20, 49])
    for some, found in ((frame, table), (frame.iloc[place], table.within(place))):
        wanted = votes_of(some, columns, ("a", "b", "c"))
        for one, other in zip(found.codes(("a", "b", "c")), wanted, strict=True):
            np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("text", [None, pytest.param("text", marks=pytest.mark.slow)])
def test_a_check_says_the_same(text: str | None) -> None:
    """Alone, and beside texts of which some cannot be read."""
    frame, columns = _wide(60, 3), ["p0", "p1", "p2"]
    bare = frame.drop(columns=columns)
    wide = check_labels(frame, "final", votes=columns, text=text, key="id")
    long = check_labels(bare, "final", votes=_long(frame, columns), text=text, key="id")
    pd.testing.assert_frame_equal(wide.rows, long.rows)
    assert wide.report.planted_recall == long.report.planted_recall


def test_numbers_are_keys_however_they_were_read() -> None:
    """A key of whole numbers is one as a text, an integer and a float."""
    frame = pd.DataFrame({"id": ["1", "2"], "final": ["a", "b"]})
    votes = pd.DataFrame({"item": [2.0, 1.0], "worker": [7, 7], "vote": ["a", "b"]})
    assert VoteTable.of(votes, frame, "id", "final").rows.tolist() == [1, 0]
