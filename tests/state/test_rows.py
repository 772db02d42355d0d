"""What all views of a state rest on: its rows, and digests of them."""

from __future__ import annotations

from types import SimpleNamespace

import pandas as pd
import pytest

from labelops.state.rows import Rows

from .world import make_world


def _digest(votes: list[str], voices: list[str]) -> int:
    frames = [pd.DataFrame({"vote_id": v, "revision": 0}) for v in (votes, voices)]
    rows = SimpleNamespace(votes=frames[0], voices=frames[1])
    return int(Rows.votes_digest.func(rows), 16)  # type: ignore[attr-defined]


@pytest.mark.parametrize("salt", range(8))
def test_a_digest_of_votes_is_a_sum_that_wraps(salt: int) -> None:
    """Of people's votes and of rules', whatever their ids: in any order, without a warning."""
    names = [f"{salt}-{n}" for n in range(6)]
    both = _digest(names[:3], names[3:])
    assert both == _digest(names[::-1], []) == sum(_digest([n], []) for n in names) % 2**64


def test_the_newest_events_of_a_kind_are_looked_for_once() -> None:
    """States that differ in another table share them, and a further event is seen."""
    world = make_world()
    world.say("collected", "q", 0, cursor="1")
    before = world.state.latest("collected")
    world.items("a")
    assert world.state.latest("collected") is before
    world.say("collected", "q", 1, cursor="2")
    after = world.state.latest("collected")
    assert [before["revision"].tolist(), after["revision"].tolist()] == [[0], [1]]
    assert world.state.latest("verdict").empty
