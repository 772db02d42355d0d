"""What confident learning refuses, by row and by name, and the smallest that it answers."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from labelops.audit.confident import (
    LabelIssues,
    Options,
    Round,
    Shard,
    find_label_issues,
    finish,
    first_round,
    merge,
)
from labelops.errors import TableError, UsageError
from labelops.measure.jit import numpy_only

from .labels import FILTERS, NARROW, SCORES, Blocks, assert_same, some_labels

pytestmark = pytest.mark.usefixtures("kernels")


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_bad_rows_are_refused_by_name(dtype: Any) -> None:
    """NaN, infinity, negative numbers and wrong sums; at the label and elsewhere; the first."""
    codes, probs = some_labels(2, dtype)
    for row, column, value, message in (
        (5, 0, np.nan, r"row 5, column 0: nan is not a probability"),
        (5, 1, -0.125, r"row 5, column 1: -0\.125"),
        (9, 0, np.inf, r"row 9, column 0: inf"),
        (9, 0, 1.3, r"row 9: sums to"),
    ):
        for label in (column, 1 - column, -1):
            broken, labels = probs.copy(), codes.copy()
            broken[row, column], labels[row] = value, label
            broken[20:] = np.nan
            for path in (find_label_issues, _without_kernels):
                with pytest.raises(TableError, match=message):
                    path(labels, broken)


def _without_kernels(codes: Any, probs: np.ndarray, **asked: Any) -> LabelIssues:
    with numpy_only():
        return find_label_issues(codes, probs, **asked)


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_any_layout_is_read_without_kernels(dtype: Any) -> None:
    """By columns, with gaps, of the other byte order: the rows that are read again too."""
    codes, probs = some_labels(2, dtype)  # 53 classes.
    gaps = np.repeat(probs, 2, axis=1)[:, ::2]
    swapped = probs.astype(np.dtype(dtype).newbyteorder(">"))
    for asked in ({}, {"filter_by": "low_normalized_margin", "rank_by": "normalized_margin"}):
        expected = _without_kernels(codes, probs, **asked)
        for table in (np.asfortranarray(probs), gaps, swapped):
            assert_same(_without_kernels(codes, table, **asked), expected)


def test_without_kernels_a_bad_row_is_found_in_the_first_round() -> None:
    """A shard looks at whole rows at once, so nothing is sent on of rows that are none."""
    codes, probs = some_labels(2)
    probs[7, (codes[7] + 1) % probs.shape[1]] += 0.5
    with numpy_only(), pytest.raises(TableError, match="row 107: sums to"):
        Shard(codes, probs, 100).answer(first_round(probs.shape[1]))


def test_zeros_with_a_sign_are_zeros() -> None:
    """-0.0 is a probability, and gives what 0.0 gives."""
    probs = np.array([[1.0, 0.0, 0.0], [0.5, 0.5, 0.0], [0.0, 0.0, 1.0], [1.0, 0.0, 0.0]])
    signed = np.where(probs == 0, -0.0, probs)
    some = np.where(np.arange(3) == 1, signed, probs)  # The first of several zeros has a sign.
    for path in (find_label_issues, _without_kernels):
        for asked in ({}, {"filter_by": "low_normalized_margin", "rank_by": "normalized_margin"}):
            expected = find_label_issues([0, 1, 2, 2], probs, **asked)
            assert_same(path([0, 1, 2, 2], signed, **asked), expected)
            assert_same(path([0, 1, 2, 2], some, **asked), expected)
    compiled, bare = (
        path([1, 2, 0, 2], signed).scores for path in (find_label_issues, _without_kernels)
    )
    assert compiled.tobytes() == bare.tobytes(), "a score of zero keeps its sign, either way"


@pytest.mark.parametrize("dtype", NARROW)
def test_rounded_rows_pass(dtype: type[np.floating]) -> None:
    """Rows of a softmax rounded to float16 or float32 are probabilities still, of the same labels.

    All but one label in a hundred are judged as unrounded ones are, and none is scored otherwise.
    """
    codes, probs = some_labels(2)
    found, exact = (find_label_issues(codes, rows) for rows in (probs.astype(dtype), probs))
    assert exact.mask.any() and (found.mask == exact.mask).mean() >= 0.99
    np.testing.assert_allclose(found.scores, exact.scores, atol=4 * np.finfo(dtype).eps)


@pytest.mark.parametrize(
    ("codes", "probs", "message"),
    [
        ([0, 1], [[0.5, 0.5]], "1 rows of probs for 2 codes"),
        ([2], [[0.5, 0.5]], "row 0 is 2"),
        ([0.5], [[0.5, 0.5]], "expected integers"),
        ([0], [0.5, 0.5], "expected shape"),
        ([0], [["a", "b"]], "expected"),
        ([0, 0], [[0.5, 0.5], [1.0]], "rectangular"),
        ([[0.5, 0.5]], [0], "codes first"),
    ],
)
def test_arrays_that_do_not_fit(codes: Any, probs: Any, message: str) -> None:
    """Wrong lengths, shapes, codes and the wrong order of arguments are named."""
    with pytest.raises(UsageError, match=message):
        find_label_issues(codes, probs)


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({"filter_by": "guess"}, "filter_by is 'guess'"),
        ({"rank_by": "guess"}, "rank_by is 'guess'"),
        ({"compat": "other"}, "compat is 'other'"),
        ({"frac_noise": 1.5}, "frac_noise is 1.5"),
        ({"min_examples_per_class": -1}, "min_examples_per_class is -1"),
        ({"frac_noise": "half"}, "frac_noise is 'half'"),
        ({"min_examples_per_class": 1.5}, "min_examples_per_class is 1.5, expected a whole"),
        ({"min_examples_per_class": np.nan}, "min_examples_per_class is nan"),
        ({"adjusted": "no"}, "adjusted is 'no', expected True or False"),
        ({"num_to_remove_per_class": [1]}, "expected 2 whole numbers"),
        ({"frac_noise": 0.5, "filter_by": "confident_learning"}, r"frac_noise=0\.5 says nothing"),
        ({"adjusted": True, "rank_by": "confidence_weighted_entropy"}, "adjusted"),
        ({"thresholds": [0.5]}, "1 thresholds for 2 classes"),
        ({"thresholds": [0.5, np.nan]}, "class 1 has nan"),
    ],
)
def test_options_that_do_not_fit(asked: dict[str, Any], message: str) -> None:
    """Unknown or meaningless options are refused."""
    with pytest.raises(UsageError, match=message):
        find_label_issues([0, 1], [[0.5, 0.5], [0.5, 0.5]], **asked)


@pytest.mark.parametrize("filter_by", FILTERS)
@pytest.mark.parametrize("rank_by", SCORES)
def test_smallest_inputs(filter_by: Any, rank_by: Any) -> None:
    """No row, one row, one class, one class given, no label given: all answered.

    What has no label is neither found nor scored; of one class no label can be another.
    """
    for codes, probs in (
        (np.zeros(0, dtype=int), np.zeros((0, 3))),
        ([0], [[0.2, 0.8]]),
        ([0, 0], [[1.0], [1.0]]),
        ([1, 1, 1], [[0.9, 0.1], [0.2, 0.8], [0.1, 0.9]]),
        ([-1, -1], [[0.5, 0.5], [0.1, 0.9]]),
    ):
        found = find_label_issues(codes, probs, filter_by=filter_by, rank_by=rank_by)
        labeled = np.asarray(codes) >= 0
        assert np.isfinite(found.scores).tolist() == labeled.tolist()
        assert not found.mask[~labeled].any() and (np.shape(probs)[1] > 1 or not found.mask.any())
        assert sorted(found.ranked) == np.flatnonzero(found.mask).tolist()
        assert_same(found, _Without(filter_by, rank_by)(codes, probs))


@pytest.mark.parametrize("rank_by", SCORES)
@pytest.mark.parametrize("codes", [[], [-1, -1]])
def test_nothing_labeled_is_answered_in_cleanlabs_way_too(codes: list[int], rank_by: Any) -> None:
    """Nothing is found and nothing scored, where scores are adjusted as well."""
    held, adjusted = np.full((len(codes), 3), 1 / 3), rank_by != "confidence_weighted_entropy"
    found = find_label_issues(
        np.array(codes, dtype=int), held, rank_by=rank_by, adjusted=adjusted, compat="cleanlab"
    )
    assert not found.mask.any() and not len(found.ranked)
    assert found.scores.shape == (len(codes),) and np.isnan(found.scores).all()


class _Without:
    def __init__(self, filter_by: Any, rank_by: Any) -> None:
        self.asked = {"filter_by": filter_by, "rank_by": rank_by}

    def __call__(self, codes: Any, probs: Any) -> LabelIssues:
        with numpy_only():
            return find_label_issues(codes, probs, **self.asked)


def test_rounds_refuse_what_does_not_belong() -> None:
    """Missing or doubled rows, other rounds, other classes, and cleanlab's mode are refused."""
    codes, probs = some_labels(2)
    asked = first_round(probs.shape[1])
    one, two = Shard(codes[:9], probs[:9]), Shard(codes[10:], probs[10:], 10)
    with pytest.raises(UsageError, match="expected row 9, found 10"):
        merge([two.answer(asked), one.answer(asked)])
    with pytest.raises(UsageError, match="at least one"):
        merge([])
    then = finish(asked, one.answer(asked))
    assert isinstance(then, Round)
    with pytest.raises(UsageError, match="expected answers to 'joint', found 'sums'"):
        finish(then, one.answer(asked))
    with pytest.raises(UsageError, match="different rounds"):
        merge([one.answer(asked), two.answer(then)])
    with pytest.raises(UsageError, match="columns, expected 99 classes"):
        one.answer(first_round(99))
    with pytest.raises(UsageError, match="all rows"):
        first_round(3, Options(compat="cleanlab"))
    with pytest.raises(UsageError, match="one array"):
        find_label_issues(codes, Blocks(probs, []), compat="cleanlab")


def test_masked_rows_are_no_probabilities() -> None:
    """What a mask hides is not judged as if it were there; a mask that hides nothing is none."""
    table = np.ma.masked_array([[0.9, 0.1], [0.5, 0.5]], mask=[[False, False], [True, False]])
    with pytest.raises(TableError, match="row 1 is masked"):
        find_label_issues([0, 1], table)
    bare = np.ma.masked_array([[0.9, 0.1], [0.9, 0.1]])
    plain = find_label_issues([0, 1], np.asarray(bare))
    assert find_label_issues([0, 1], bare).ranked.tolist() == plain.ranked.tolist()


def test_thresholds_that_are_no_numbers() -> None:
    """They are refused in one line that says what was expected."""
    with pytest.raises(UsageError, match="expected 2 numbers, one a class"):
        find_label_issues([0, 1], [[0.9, 0.1], [0.1, 0.9]], thresholds=["a", "b"])
