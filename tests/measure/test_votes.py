"""Packed votes."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from labelops.errors import UsageError
from labelops.measure.votes import Repeats, Votes, compact, pack_votes

pytestmark = pytest.mark.usefixtures("kernels")


WIDTHS = (np.int8, np.int16, np.int32, np.int64, np.uint64)
SIZE = {"n_items": 5, "n_annotators": 4, "n_classes": 3}


def _random(seed: int, votes: int) -> tuple[np.ndarray, ...]:
    rng = np.random.default_rng(seed)
    return rng.integers(0, 5, votes), rng.integers(0, 4, votes), rng.integers(-1, 3, votes)


def _triples(votes: Votes) -> list[tuple[int, int, int]]:
    columns = (votes.items.tolist(), votes.annotators.tolist(), votes.codes.tolist())
    return list(zip(*columns, strict=True))


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(0, 40))
def test_oracle_sorted_python(seed: int, size: int) -> None:
    """They are the votes with a class, sorted by item, annotator and class."""
    items, who, codes = _random(seed, size)
    rows = zip(items.tolist(), who.tolist(), codes.tolist(), strict=True)
    assert _triples(pack_votes(items, who, codes, **SIZE)) == sorted(r for r in rows if r[2] >= 0)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(0, 40))
def test_oracle_last_vote_in_a_dictionary(seed: int, size: int) -> None:
    """With `repeats="last"` the later vote with a class replaces the earlier one."""
    items, who, codes = _random(seed, size)
    last = {}
    for item, annotator, code in zip(items.tolist(), who.tolist(), codes.tolist(), strict=True):
        if code >= 0:
            last[item, annotator] = code
    packed = pack_votes(items, who, codes, repeats="last", **SIZE)
    assert _triples(packed) == [(*key, code) for key, code in sorted(last.items())]
    assert packed.per_item.sum() == len(last)


@pytest.mark.parametrize("repeats", ["keep", "last"])
def test_an_item_with_many_votes(repeats: Repeats) -> None:
    """Items with hundreds of votes are sorted too, next to those with few."""
    rng = np.random.default_rng(0)
    items = np.concatenate([np.zeros(500, int), [2, 1, 2]])
    who = np.concatenate([rng.permutation(500), [3, 1, 2]])
    codes = rng.integers(0, 3, 503)
    votes = pack_votes(items, who, codes, n_items=3, n_annotators=500, n_classes=3, repeats=repeats)
    rows = zip(items.tolist(), who.tolist(), codes.tolist(), strict=True)
    assert _triples(votes) == sorted(rows)


def test_like_votes_of_unlike_weight_come_in_one_order() -> None:
    """Weights follow their votes, and of equal votes the lighter comes first."""
    items, who, codes = [1, 0, 1, 1], [0, 1, 0, 0], [2, 1, 2, 2]
    weights = [0.3, 1.0, 0.0, 0.2]
    votes = pack_votes(items, who, codes, weights=weights, **SIZE)
    assert votes.weights is not None
    assert votes.weights.tolist() == [1.0, 0.2, 0.3]
    ones = pack_votes(items, who, codes, weights=np.ones(4), **SIZE)
    assert ones.weights is None


@pytest.mark.parametrize(
    "dtype",
    # Each width is a machine code of its own, and takes a second to compile the first time.
    [np.uint8, *WIDTHS],
)
def test_any_integers(dtype: type[np.integer]) -> None:
    """The width of the integers, their stride and their order in memory do not matter."""
    items, who, codes = (np.abs(a) for a in _random(1, 30))
    plain = pack_votes(items, who, codes, **SIZE)
    strided = np.zeros((30, 7), dtype)
    strided[:, 3] = items
    votes = pack_votes(strided[:, 3], who.astype(dtype), codes.astype(dtype), **SIZE)
    assert _triples(votes) == _triples(plain)
    assert votes.cells.dtype == np.int32
    read_only = items.astype(dtype)
    read_only.flags.writeable = False
    assert _triples(pack_votes(read_only, who, codes, **SIZE)) == _triples(plain)


def test_nothing() -> None:
    """No votes, and no items, make an empty structure."""
    votes = pack_votes([], [], [], n_items=0, n_annotators=0, n_classes=1)
    assert votes.rows.tolist() == [0]
    assert votes.items.size == votes.annotators.size == votes.codes.size == 0
    assert pack_votes([], [], [], **SIZE).per_item.tolist() == [0] * 5


def test_wide_cells() -> None:
    """Where annotators × classes pass 2³¹ the cells are wide."""
    votes = pack_votes([0], [99_999], [49_999], n_items=1, n_annotators=100_000, n_classes=50_000)
    assert (votes.annotators.tolist(), votes.codes.tolist()) == ([99_999], [49_999])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"codes": [0, 3]}, "codes: row 1 is 3, expected -1 to 2"),
        ({"codes": [0, -2]}, "codes: row 1 is -2"),
        ({"annotators": [0, -1]}, "annotators: row 1 is -1, expected 0 to 3"),
        ({"items": [5, 0]}, "items: row 0 is 5, expected 0 to 4"),
        ({"items": [0]}, "differ in length"),
        ({"codes": [0.0, np.nan]}, "expected integers"),
        ({"codes": ["a", "b"]}, "expected integers"),
        ({"codes": [[0, 1]]}, "one dimension"),
        ({"weights": [1.0, np.nan]}, "weights: row 1 is nan"),
        ({"weights": [-1.0, 1.0]}, "weights: row 0 is -1"),
        ({"weights": [1.0]}, "differ in length"),
        ({"n_classes": 0}, "at least one class"),
        ({"n_items": -1}, "no negative number"),
        ({"annotators": [0, 0], "items": [1, 1], "repeats": "refuse"}, "annotator 0 voted more"),
    ],
)
def test_wrong_use(change: dict[str, object], message: str) -> None:
    """What is no vote is refused in one line that names the row."""
    arguments: dict[str, object] = {"items": [0, 1], "annotators": [0, 1], "codes": [0, 1]}
    with pytest.raises(UsageError, match=message):
        pack_votes(**(arguments | SIZE | change))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("ids", "expected"),
    [
        ([5, 3, 5], [2, 0, 2]),
        ([-7, 0, -7], [0, 7, 0]),
        ([10**12, 0, 10**12], [1, 0, 1]),
        (["b", "a", "b"], [1, 0, 1]),
        ([1, "1", 1], [0, 1, 0]),
        (np.array([2, 0], np.uint8), [2, 0]),
        ([], []),
    ],
)
def test_compact(ids: list[object], expected: list[int]) -> None:
    """Ids become small numbers in their order."""
    codes, size = compact(ids)
    assert codes.tolist() == expected
    assert size == max(expected, default=-1) + 1


@pytest.mark.parametrize(
    ("ids", "message"),
    [(["a", None], "row 1"), (["a", float("nan")], "row 1"), ([[1]], "one dimension")],
)
def test_compact_refuses(ids: list[object], message: str) -> None:
    """A missing id is refused with its row, in a list as in an array."""
    with pytest.raises(UsageError, match=message):
        compact(ids)
    with pytest.raises(UsageError, match=message):
        compact(np.array(ids, dtype=object))


@pytest.mark.parametrize("bits", [8, 16])
def test_ids_over_all_of_a_width(bits: int) -> None:
    """A signed integer does not hold the distance between its least and its largest."""
    least, most = -(2 ** (bits - 1)), 2 ** (bits - 1) - 1
    ids = np.arange(least, most + 1).astype(f"int{bits}")
    codes, many = compact(ids)
    assert codes.tolist() == list(range(2**bits))
    assert many == 2**bits


@pytest.mark.parametrize("weighted", [False, True])
def test_cut_into_blocks_of_items(weighted: bool) -> None:
    """Blocks are of all items in order, and their votes add up to the whole's."""
    rng = np.random.default_rng(4)
    items, who, codes = rng.integers(0, 25, 200), rng.integers(0, 6, 200), rng.integers(-1, 3, 200)
    weights = rng.integers(1, 5, 200) / 2 if weighted else None
    votes = pack_votes(items, who, codes, n_items=30, n_annotators=6, n_classes=3, weights=weights)
    parts = list(votes.blocks(7))
    assert [(some.start, some.stop) for some, _ in parts] == [
        (0, 7), (7, 14), (14, 21), (21, 28), (28, 30),
    ]  # fmt: skip
    for some, part in parts:
        assert part.per_item.tolist() == votes.per_item[some].tolist()
    assert np.concatenate([part.cells for _, part in parts]).tolist() == votes.cells.tolist()
    counts = np.ones(200) if weights is None else weights
    there = codes >= 0
    expected = np.zeros((6, 3))
    np.add.at(expected, (who[there], codes[there]), counts[there])
    assert np.array_equal(votes.given, expected)
    assert np.array_equal(sum(part.given for _, part in parts), expected)
