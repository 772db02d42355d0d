"""One result: in memory, in any layout, in blocks, over shards, compiled or not."""

from __future__ import annotations

import io
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from labelops.audit.confident import (
    LabelIssues,
    Options,
    Partial,
    Round,
    Shard,
    find_label_issues,
    finish,
    first_round,
    label_quality_scores,
    merge,
)
from labelops.errors import TableError, UsageError
from labelops.measure.jit import numpy_only

pytestmark = pytest.mark.usefixtures("kernels")

FILTERS = (
    "prune_by_noise_rate",
    "prune_by_class",
    "both",
    "confident_learning",
    "predicted_neq_given",
    "low_self_confidence",
    "low_normalized_margin",
)
SCORES = ("self_confidence", "normalized_margin", "confidence_weighted_entropy")
# Each width is a machine code of its own, and takes a second or two to compile the first time.
NARROW = (np.float16, np.float32)


def some_labels(seed: int, dtype: Any = np.float64) -> tuple[np.ndarray, np.ndarray]:
    """Noisy labels with missing ones, ties, duplicates and absent classes."""
    rng = np.random.default_rng(seed)
    N, K = int(rng.integers(1, 300)), int(rng.integers(2, 70))
    true = rng.integers(0, K, N)
    logits = rng.normal(size=(N, K))
    logits[np.arange(N), true] += np.log(K) + rng.normal(1.5, 1.5, N)
    codes = np.where(rng.random(N) < 0.25, rng.integers(-1, K, N), true)
    probs = np.exp(logits)
    if seed % 2:
        probs = np.round(8 * probs / probs.max(axis=1, keepdims=True))
    probs /= probs.sum(axis=1, keepdims=True)
    if seed % 3 == 0:
        probs, codes = np.repeat(probs, 2, axis=0), np.repeat(codes, 2)
        codes[codes == K - 1] = 0
    return codes, probs.astype(dtype)


def assert_same(one: LabelIssues, two: LabelIssues) -> None:
    """Compare every bit of two results."""
    for field in fields(one):
        a, b = getattr(one, field.name), getattr(two, field.name)
        assert a.dtype == b.dtype, field.name
        assert np.array_equal(a, b, equal_nan=a.dtype.kind == "f"), field.name


def over_shards(shards: list[Shard], asked: Round) -> LabelIssues:
    """Run the loop of a coordinator, with everything sent as arrays in a file without pickle."""
    while True:
        question = Round.from_arrays(_sent(asked))
        partials = [Partial.from_arrays(_sent(shard.answer(question))) for shard in shards]
        then = finish(asked, merge(partials[::-1]))
        if isinstance(then, LabelIssues):
            return then
        asked = then


def _sent(message: Round | Partial) -> dict[str, np.ndarray]:
    wire = io.BytesIO()
    np.savez(wire, **message.to_arrays())
    wire.seek(0)
    with np.load(wire, allow_pickle=False) as read:
        return dict(read)


class _Blocks:
    """Blocks cut anywhere, as a file would have them."""

    def __init__(self, probs: np.ndarray, cuts: list[int]) -> None:
        self.shape = (probs.shape[0], probs.shape[1])
        self.starts = [0, *cuts]
        self._parts = np.split(probs, cuts)

    def block(self, number: int) -> np.ndarray:
        return self._parts[number]


def _cuts(seed: int, rows: int) -> list[int]:
    rng = np.random.default_rng(seed)
    return sorted(rng.integers(0, rows + 1, int(rng.integers(0, 6))).tolist())


@pytest.mark.parametrize(
    "seed", [2, *(pytest.param(seed, marks=pytest.mark.slow) for seed in (0, 1, 3, 4, 5, 6))]
)
def test_wherever_rows_are_cut(seed: int) -> None:
    """Blocks and shards in other processes give the bits of all rows at once."""
    check_cuts(seed, FILTERS[seed], SCORES[seed % 3])


@pytest.mark.slow
@pytest.mark.parametrize("kernels", ["compiled"], indirect=True)
@settings(deadline=None, max_examples=150)
@given(st.integers(0, 10_000), st.sampled_from(FILTERS), st.sampled_from(SCORES))
def test_wherever_many_rows_are_cut(seed: int, filter_by: Any, rank_by: Any) -> None:
    """The same, over many seeds."""
    check_cuts(seed, filter_by, rank_by)


def check_cuts(seed: int, filter_by: Any, rank_by: Any) -> None:
    """Compare one set of labels cut at random with the same set whole."""
    codes, probs = some_labels(seed, (np.float16, np.float32, np.float64)[seed % 3])
    K, adjusted = probs.shape[1], seed % 2 == 0 and rank_by != SCORES[2]
    asked = {"filter_by": filter_by, "rank_by": rank_by, "adjusted": adjusted}
    whole = find_label_issues(codes, probs, **asked)
    cuts = _cuts(seed, len(codes))
    assert_same(find_label_issues(codes, _Blocks(probs, cuts), **asked), whole)
    ends = [*cuts, len(codes)]
    shards = [Shard(codes[a:b], probs[a:b], a) for a, b in zip([0, *cuts], ends, strict=True)]
    assert_same(over_shards(shards, first_round(K, Options(filter_by, rank_by, adjusted))), whole)


@pytest.mark.slow
@pytest.mark.parametrize("kernels", ["compiled"], indirect=True)
@pytest.mark.parametrize("dtype", [np.float64, *NARROW])
@settings(deadline=None, max_examples=15)
@given(st.integers(0, 10_000), st.sampled_from(FILTERS), st.sampled_from(SCORES))
def test_compiled_or_not(dtype: type[np.floating], seed: int, filter_by: Any, rank_by: Any) -> None:
    """Compiled loops and numpy give the same bits."""
    codes, probs = some_labels(seed, dtype)
    asked: dict[str, Any] = {"filter_by": filter_by, "rank_by": rank_by}
    if filter_by in FILTERS[:3]:
        asked |= {"frac_noise": 0.7, "min_examples_per_class": seed % 4}
    with numpy_only():
        expected = find_label_issues(codes, probs, **asked)
    assert_same(find_label_issues(codes, probs, **asked), expected)


@pytest.mark.parametrize("filter_by", FILTERS)
@pytest.mark.parametrize("worth", [0, 1 << 40])
def test_tiles_do_not_matter(worth: int, filter_by: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Rows read a few at a time or all at once, without compiled loops: the same bits.

    Nor does it matter whether threads share them, as they do those of 53 classes.
    """
    for seed in (2, 5, 11):  # 53, 25 and 9 classes, with ties where the seed is odd
        codes, probs = some_labels(seed)
        with numpy_only():
            whole = find_label_issues(codes, probs, filter_by=filter_by)
            with monkeypatch.context() as patched:
                patched.setattr("labelops.audit.confident.arrays._CACHED", 3 * probs.shape[1])
                patched.setattr("labelops.audit.confident.reading._WORTH", worth)
                patched.setattr("labelops.audit.confident.reading._WIDE", 5 * probs.shape[1])
                patched.setattr("labelops.audit.confident.reading._SHORT", 7)
                assert_same(find_label_issues(codes, probs, filter_by=filter_by), whole)


def test_what_a_shard_kept_serves_the_next_question_too() -> None:
    """Rows surveyed for a filter that needs no margins are surveyed again for one that does."""
    codes, probs = some_labels(5)
    shard, K = Shard(codes, probs), probs.shape[1]
    with numpy_only():
        over_shards([shard], first_round(K, Options("prune_by_class")))
        asked = Options("confident_learning", "normalized_margin")
        found = over_shards([shard], first_round(K, asked))
        fresh = over_shards([Shard(codes, probs)], first_round(K, asked))
    assert_same(found, fresh)
    ahead = probs.argmax(axis=1) == codes
    assert ahead.any()
    others = np.where(np.arange(K) == codes[:, None], -1, probs).max(axis=1)
    own = probs[np.arange(len(codes)), codes]
    np.testing.assert_allclose(found.scores[ahead], ((own - others + 1) / 2)[ahead], rtol=1e-12)


def test_a_label_at_the_side_of_another_is_suggested_that_one() -> None:
    """Where the label and another class are equally probable, `low_…` may report the label."""
    probs = np.array([[0.3, 0.3, 0.2, 0.2], [0.4, 0.55, 0.05, 0.0], [0.1, 0.5, 0.2, 0.2]])
    found = find_label_issues([0, 0, 1], probs, filter_by="low_self_confidence")
    probs[0] = [0.3, 0.29, 0.21, 0.2]
    ahead = find_label_issues([0, 0, 1], probs, filter_by="low_self_confidence")
    # One label is confidently another class, so one is reported: that of lowest confidence.
    assert found.ranked.tolist() == ahead.ranked.tolist() == [0]
    assert found.suggestions.tolist() == [1, -1, -1]
    assert ahead.suggestions.tolist() == [-1, -1, -1]


@pytest.mark.parametrize("seed", range(4))
def test_layout_does_not_matter(seed: int, tmp_path: Path) -> None:
    """Fortran order, strides, byte order, read-only and memory-mapped rows: the same bits."""
    codes, probs = some_labels(seed)
    whole = find_label_issues(codes, probs)
    wide = np.zeros((len(probs), 2 * probs.shape[1]))
    wide[:, ::2] = probs
    frozen = probs.copy()
    frozen.flags.writeable = False
    np.save(tmp_path / "p.npy", probs)
    mapped = np.load(tmp_path / "p.npy", mmap_mode="r")
    swapped = probs.astype(probs.dtype.newbyteorder())
    for held in (np.asfortranarray(probs), wide[:, ::2], frozen, mapped, swapped, probs.tolist()):
        assert_same(find_label_issues(codes, held), whole)


@pytest.mark.parametrize("filter_by", FILTERS)
def test_rows_in_another_order(filter_by: Any) -> None:
    """Without ties, permuting rows permutes the result."""
    codes, probs = some_labels(4)
    order = np.random.default_rng(0).permutation(len(codes))
    whole = find_label_issues(codes, probs, filter_by=filter_by)
    moved = find_label_issues(codes[order], probs[order], filter_by=filter_by)
    assert np.array_equal(moved.mask, whole.mask[order])
    assert np.array_equal(order[moved.ranked], whole.ranked)
    assert np.array_equal(moved.thresholds, whole.thresholds)


def test_ties_go_by_row() -> None:
    """Of equal rows, the first are taken and listed first."""
    probs = np.array([[0.9, 0.1]] * 4 + [[0.2, 0.8]] * 4)
    codes = np.array([0, 0, 1, 1, 1, 1, 0, 0])
    found = find_label_issues(
        codes, probs, filter_by="prune_by_class", num_to_remove_per_class=[1, 1]
    )
    assert np.flatnonzero(found.mask).tolist() == [2, 6]
    assert find_label_issues(codes, probs).ranked.tolist() == [2, 3, 6, 7]


@pytest.mark.parametrize("seed", range(8))
def test_the_result_fits_together(seed: int) -> None:
    """Joint rows sum to the labels; ranked is the mask, worst first; suggestions are others."""
    codes, probs = some_labels(seed)
    for filter_by in FILTERS:
        found = find_label_issues(codes, probs, filter_by=filter_by)
        assert np.array_equal(found.joint.sum(axis=1), found.label_counts)
        assert found.label_counts.sum() == np.count_nonzero(codes >= 0)
        assert np.array_equal(np.sort(found.ranked), np.flatnonzero(found.mask))
        assert np.all(np.diff(found.scores[found.ranked]) >= 0)
        assert not found.mask[codes < 0].any()
        assert np.array_equal(np.isnan(found.scores), codes < 0)
        assert (found.suggestions[~found.mask] == -1).all()
        assert (found.suggestions[found.mask] != codes[found.mask]).all()


@pytest.mark.parametrize("seed", range(6))
def test_pruning_keeps_to_its_numbers(seed: int) -> None:
    """Never more labels than asked for are taken out of a class, and no class is emptied."""
    codes, probs = some_labels(seed)
    labels = np.bincount(codes[codes >= 0], minlength=probs.shape[1])
    wanted = np.minimum(np.random.default_rng(seed).integers(0, 5, len(labels)), labels)
    for filter_by in FILTERS[:3]:
        found = find_label_issues(codes, probs, filter_by=filter_by, num_to_remove_per_class=wanted)
        taken = np.bincount(codes[found.mask], minlength=len(labels))
        assert (taken <= wanted).all()
        kept = find_label_issues(codes, probs, filter_by=filter_by, min_examples_per_class=3)
        left = labels - np.bincount(codes[kept.mask], minlength=len(labels))
        assert (left >= np.minimum(labels, 3)).all()


def test_shared_threshold_is_the_exact_mean() -> None:
    """A class's threshold is its exact mean, correctly rounded, in whatever order it is summed."""
    from fractions import Fraction

    rng = np.random.default_rng(3)
    own = rng.uniform(0.3, 1, 1001)
    probs = np.column_stack([own, 1 - own])
    found = find_label_issues(np.zeros(1001, dtype=int), probs)
    mean = sum((Fraction(p) for p in own.tolist()), Fraction(0)) / 1001
    assert found.thresholds[0] == float(mean)
    assert found.thresholds[1] == np.inf


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
    """Rows of a softmax rounded to float16 or float32 are probabilities still."""
    codes, probs = some_labels(2)
    assert find_label_issues(codes, probs.astype(dtype)).mask.shape == codes.shape


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
    """No row, one row, one class, one class given, no label given: all answered."""
    for codes, probs in (
        (np.zeros(0, dtype=int), np.zeros((0, 3))),
        ([0], [[0.2, 0.8]]),
        ([0, 0], [[1.0], [1.0]]),
        ([1, 1, 1], [[0.9, 0.1], [0.2, 0.8], [0.1, 0.9]]),
        ([-1, -1], [[0.5, 0.5], [0.1, 0.9]]),
    ):
        found = find_label_issues(codes, probs, filter_by=filter_by, rank_by=rank_by)
        assert found.mask.shape == found.scores.shape == (len(probs),)
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


def test_scores_by_hand() -> None:
    """Worked examples of each score, class-adjusted too."""
    probs = [[0.7, 0.2, 0.1], [0.7, 0.2, 0.1]]
    assert label_quality_scores([0, 1], probs).tolist() == [0.7, 0.2]
    margin = label_quality_scores([0, 1], probs, method="normalized_margin")
    assert margin == pytest.approx([0.75, 0.25])
    # Thresholds .7 and .2: the second class is lifted by .5, and 1.5 makes the total 1 again.
    lifted = label_quality_scores([0, 1], probs, adjusted=True)
    assert lifted == pytest.approx([0.7 / 1.5, 0.7 / 1.5])
    lead = label_quality_scores([0, 1], probs, method="normalized_margin", adjusted=True)
    assert lead == pytest.approx([0.5, 0.5])


def test_errors_are_found() -> None:
    """On separable data with one label in ten wrong, nearly all errors are found, few others."""
    rng = np.random.default_rng(0)
    true = rng.integers(0, 4, 2000)
    probs = rng.dirichlet(np.full(4, 0.3), 2000) + 4 * np.eye(4)[true]
    probs /= probs.sum(axis=1, keepdims=True)
    codes = np.where(rng.random(2000) < 0.1, (true + 1) % 4, true)
    for filter_by in FILTERS:
        found = find_label_issues(codes, probs, filter_by=filter_by).mask
        assert np.count_nonzero(found & (codes != true)) >= 0.95 * np.count_nonzero(codes != true)
        assert np.count_nonzero(found & (codes == true)) <= 10


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
        find_label_issues(codes, _Blocks(probs, []), compat="cleanlab")


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
