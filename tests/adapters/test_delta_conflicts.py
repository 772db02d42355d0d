"""Appends that other writers get ahead of: tried again where that is safe, and nowhere else."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from deltalake.exceptions import CommitFailedError

from labelops.adapters import delta
from labelops.adapters.delta import DeltaTables
from labelops.errors import ConflictError
from labelops.testing.tables import votes_for


def _lost_races(monkeypatch: pytest.MonkeyPatch, losses: int) -> list[bool]:
    """Let that many commits fail as if others had changed the layout; note whether each went in."""
    commit, tried = delta.write_deltalake, list[bool]()

    def write(*args: Any, **kwargs: Any) -> None:
        tried.append(len(tried) >= losses)
        if not tried[-1]:
            raise CommitFailedError("metadata changed since last commit")
        commit(*args, **kwargs)

    monkeypatch.setattr(delta, "write_deltalake", write)
    return tried


@pytest.mark.parametrize("losses", [0, 1, 4])
def test_an_append_that_lost_a_race_goes_in_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, losses: int
) -> None:
    """Nothing was concluded from the table, so it is appended to whatever the others made of it."""
    tried = _lost_races(monkeypatch, losses)
    DeltaTables(str(tmp_path)).append("votes", votes_for(["a", "b"]))
    assert tried == [False] * losses + [True]
    assert sorted(DeltaTables(str(tmp_path)).read("votes")["vote_id"]) == ["a", "b"]


@pytest.mark.parametrize(("after", "attempts"), [(None, 5), (0, 1)])
def test_an_append_that_keeps_losing_says_so_and_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, after: int | None, attempts: int
) -> None:
    """What was concluded from a version is not tried again: it is to be concluded anew."""
    tried = _lost_races(monkeypatch, 100)
    tables = DeltaTables(str(tmp_path))
    with pytest.raises(ConflictError, match=r"votes.*run again"):
        tables.append("votes", votes_for(["a"]), after=after)
    assert tried == [False] * attempts
    assert tables.read("votes").empty
