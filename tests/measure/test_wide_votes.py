"""Votes and ids beyond 2³¹: what is numbered in 32 bits where it fits is so in 64 where not."""

from __future__ import annotations

import numpy as np
import pytest

from labelops.consolidate.counts import vote_shares
from labelops.errors import UsageError
from labelops.measure._packing import width_of
from labelops.measure.votes import Votes, compact, pack_votes

pytestmark = pytest.mark.usefixtures("kernels")

_EDGE = 2**31


def test_widths_change_at_the_edge() -> None:
    """What counts to 2³¹ - 1 is narrow, what counts to 2³¹ is wide."""
    assert [width_of(_EDGE - 1).name, width_of(_EDGE).name] == ["int32", "int64"]


@pytest.mark.parametrize("weights", [None, [1.0, 0.5, 2.0, 1.0]])
@pytest.mark.parametrize("n_annotators", [_EDGE // 2, _EDGE // 2 + 1, _EDGE + 9, 2**58])
def test_annotators_beyond_32_bits(n_annotators: int, weights: list[float] | None) -> None:
    """Numbers of annotators and of cells on both sides of the edge come out as they went in."""
    last = n_annotators - 1
    votes = pack_votes(
        [1, 0, 1, 0], [last, last - 7, 3, last], [1, 0, 1, 1], n_items=2,
        n_annotators=n_annotators, n_classes=2, weights=weights,
    )  # fmt: skip
    assert votes.cells.dtype == width_of(2 * n_annotators)
    assert votes.annotators.tolist() == [last - 7, last, 3, last]
    assert votes.codes.tolist() == [0, 1, 1, 1]
    if weights is not None and votes.weights is not None:
        assert votes.weights.tolist() == [0.5, 1.0, 2.0, 1.0]


@pytest.mark.parametrize("sizes", [(8, 2**59, 2), (2**31, 2**31, 2), (1, 2**62, 2), (1, 1, 2**63)])
def test_more_cells_than_64_bits_number_are_refused(sizes: tuple[int, int, int]) -> None:
    """Products that would wrap round are refused in a line, before anything is allocated."""
    n_items, n_annotators, n_classes = sizes
    with pytest.raises(UsageError, match="more than can be numbered together"):
        pack_votes(
            [7 % n_items, 0], [n_annotators - 1, 0], [1, 0], n_items=n_items,
            n_annotators=n_annotators, n_classes=n_classes,
        )  # fmt: skip


def test_more_votes_than_32_bits_count() -> None:
    """Of 2³¹ + 3 votes, which take no memory, each block has its own, and the last its class."""
    cells = np.broadcast_to(np.int32(1), _EDGE + 3)
    rows = np.array([0, _EDGE - 1, _EDGE, _EDGE + 3], dtype=width_of(cells.size))
    votes = Votes(rows, cells, None, 3, 1, 2)
    assert votes.per_item.tolist() == [_EDGE - 1, 1, 3]
    parts = [part for _, part in votes.blocks(1)]
    assert [part.cells.size for part in parts] == [_EDGE - 1, 1, 3]
    assert [part.rows.tolist() for part in parts[1:]] == [[0, 1], [0, 3]]
    assert vote_shares(parts[2]).tolist() == [[0.0, 1.0]]


def test_ids_beyond_32_bits() -> None:
    """Ids near both ends of 64 bits, signed or not, close or far apart, keep their order."""
    for ids in (
        np.array([_EDGE + 2, _EDGE, _EDGE + 2]),
        np.array([2**64 - 1, 2**64 - 3, 2**64 - 1], dtype=np.uint64),
        np.array([2**63 - 1, -(2**63), 2**63 - 1]),
    ):
        codes, many = compact(ids)
        assert codes[0] == codes[2] > codes[1] and codes.min() >= 0 and codes.max() < many
