"""Vote patterns."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from labelops.errors import UsageError
from labelops.measure.jit import numpy_only
from labelops.measure.patterns import AgreementPartial, agreement_partial, agreement_partials

from ..examples import examples

pytestmark = pytest.mark.usefixtures("kernels")


def _counter(partial: AgreementPartial) -> dict[tuple[int, ...], int]:
    parts = np.split(partial.codes, np.cumsum(partial.sizes)[:-1])
    return {tuple(p.tolist()): n for p, n in zip(parts, partial.items.tolist(), strict=True)}


@examples(40)
@given(st.integers(0, 2**32 - 1), st.integers(1, 60), st.sampled_from([1, 2, 7, 1000, 10**6]))
def test_oracle_counter(seed: int, votes: int, n_classes: int) -> None:
    """They are the multisets of classes of the items, counted, both ways and merged."""
    rng = np.random.default_rng(seed)
    items, who = rng.integers(0, 9, votes), np.arange(votes)
    codes = rng.integers(0, n_classes, votes)
    expected = Counter(tuple(sorted(codes[items == i].tolist())) for i in np.unique(items).tolist())
    found = agreement_partial(items, who, codes, n_classes)
    with numpy_only():
        plain = agreement_partial(items, who, codes, n_classes)
    left = agreement_partial(items[items < 4], who[items < 4], codes[items < 4], n_classes)
    right = agreement_partial(items[items >= 4], who[items >= 4], codes[items >= 4], n_classes)
    for one in (found, plain, left.merge(right), right.merge(left)):
        assert _counter(one) == expected
        for name in ("sizes", "codes", "items"):
            np.testing.assert_array_equal(getattr(one, name), getattr(found, name))


def test_a_crowd_on_one_item() -> None:
    """An item with more votes than an integer has room for is a pattern too."""
    codes = np.random.default_rng(0).integers(0, 5, 300)
    items = np.append(np.zeros(298, int), [1, 1])
    found = agreement_partial(items, np.arange(300), codes, 5)
    assert found.sizes.tolist() == [2, 298]
    np.testing.assert_array_equal(
        np.asarray(found.counts.todense())[1], np.bincount(codes[:298], minlength=5)
    )


def test_against_rest_by_hand() -> None:
    """One class against the rest joins the patterns that only differ in the rest."""
    partial = agreement_partial([0, 0, 1, 1, 2, 2], [0, 1] * 3, [0, 1, 2, 0, 1, 2], 3)
    assert _counter(partial.against_rest(0)) == {(0, 0): 1, (0, 1): 2}
    assert _counter(partial.against_rest(1)) == {(0, 0): 1, (0, 1): 2}


def test_nothing() -> None:
    """No votes have no patterns."""
    empty = agreement_partial([], [], [], 3)
    assert empty.items.size == empty.merge(empty).items.size == empty.pairable().items.size == 0


def test_groups_of_any_type() -> None:
    """Numbers and strings, days and nobody's votes: a group is called what it was called."""
    two, codes = ([0, 0, 1, 1], [0, 1, 0, 1]), [0, 1, 1, 1]
    mixed = agreement_partials(*two, codes, 2, ["1", "1", 1, 1])
    assert [(name, part.codes.tolist()) for name, part in mixed.items()] == [
        (1, [1, 1]),
        ("1", [0, 1]),
    ]
    days = np.array(["2026-01-02", "2026-01-01"], dtype="datetime64[ns]")[[0, 0, 1, 1]]
    found = agreement_partials(*two, codes, 2, days)
    assert [str(day)[:10] for day in found] == ["2026-01-01", "2026-01-02"]
    assert agreement_partials([], [], [], 2, []) == {}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"groups": ["a", "a", None, None]}, "groups: row 2 is None; every vote needs a group"),
        ({"groups": [1.0, 1.0, np.nan, np.nan]}, "groups: row 2 is nan"),
        ({"groups": ["a", "b", "b", "b"]}, "row 0 puts an item into another group"),
        ({"groups": ["a", "b"]}, "groups: found shape"),
        ({"annotators": [0, 1, 0, 1, 2]}, "one length"),
        ({"codes": [0, 1, 1, 1, 1]}, "one length"),
        ({"annotators": [0, 1, 0]}, "one length"),
    ],
)
def test_groups_that_do_not_fit(change: dict[str, list[object]], message: str) -> None:
    """What says nothing of some vote, or more than there are, is refused."""
    arrays = {"items": [0, 0, 1, 1], "annotators": [0, 1, 0, 1], "codes": [0, 1, 1, 1]}
    with pytest.raises(UsageError, match=message):
        agreement_partials(**({"groups": ["a", "a", "b", "b"]} | arrays | change), n_classes=2)  # type: ignore[arg-type]
