"""One result: in memory, in any layout, in blocks, over shards, compiled or not."""

from __future__ import annotations

import io
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
from labelops.measure.jit import numpy_only

from ...examples import examples
from .labels import FILTERS, NARROW, SCORES, Blocks, assert_same, some_labels

pytestmark = pytest.mark.usefixtures("kernels")


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
@examples(150)
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
    assert_same(find_label_issues(codes, Blocks(probs, cuts), **asked), whole)
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
