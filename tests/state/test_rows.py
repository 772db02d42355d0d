"""What all views of a state rest on: its rows, and digests of them."""

from __future__ import annotations

from types import SimpleNamespace

import pandas as pd
import pytest

from labelops.state.rows import Rows


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
