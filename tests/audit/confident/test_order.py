"""Orders by value and row, whichever way they are found."""

from __future__ import annotations

import numpy as np
import pytest

from labelops.audit.confident.order import ranked, smallest


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("steps", [3, 1000, 1 << 30])
def test_rows_are_ranked_by_value_then_by_row(dtype: type[np.floating], steps: int) -> None:
    """With many ties and with none, of floats that are short or long, zeros of both signs among."""
    rng = np.random.default_rng(steps)
    scores = (rng.integers(0, steps, 5000) / steps).astype(dtype).astype(np.float64)
    scores[:3] = -0.0, 0.0, -0.0
    rows = np.flatnonzero(rng.random(5000) < 0.7)
    wanted = rows[np.lexsort((rows, scores[rows]))]
    assert ranked(rows, scores).tolist() == wanted.tolist()


def test_negative_scores_are_ranked_too() -> None:
    """Their bits run the other way."""
    assert ranked(np.array([0, 1, 2]), np.array([-0.25, -0.5, 0.0])).tolist() == [1, 0, 2]
    assert ranked(np.zeros(0, np.int64), np.zeros(3)).tolist() == []


@pytest.mark.parametrize("rows", [1, 50, 8191, 8192, 40_000])
@pytest.mark.parametrize("kind", ["all apart", "ties", "two values", "ascending", "every fourth"])
def test_the_smallest_are_those_of_a_stable_sort(rows: int, kind: str) -> None:
    """Also where the values that are looked at first tell nothing of the others."""
    rng = np.random.default_rng(rows)
    values = {
        "all apart": rng.random(rows),
        "ties": rng.integers(0, 7, rows).astype(np.float32),
        "two values": np.where(rng.random(rows) < 0.99, 1.0, 0.0),
        "ascending": np.arange(rows, dtype=np.float64),
        "every fourth": np.where(np.arange(rows) % 4 == 0, 0.0, rng.random(rows)),
    }[kind]
    for n in {0, 1, rows // 50, rows // 5, rows - 1, rows}:
        wanted = np.sort(np.argsort(values, kind="stable")[:n])
        assert smallest(values, n).tolist() == wanted.tolist()
