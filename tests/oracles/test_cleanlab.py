"""Confident learning against cleanlab 2.9 on the same machine, to the last ranked row."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest

from labelops.audit.confident import find_label_issues, label_quality_scores
from labelops.errors import UsageError

from ..audit.confident.labels import FILTERS, SCORES

pytestmark = pytest.mark.usefixtures("kernels")

filters = pytest.importorskip("cleanlab.filter")
count = pytest.importorskip("cleanlab.count")
rank = pytest.importorskip("cleanlab.rank")
batched = pytest.importorskip("cleanlab.experimental.label_issues_batched")

DTYPES = (np.float64, np.float32, np.float16)


def some_labels(seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Noisy labels and probabilities, by seed with ties, duplicates, absent and rare classes."""
    rng = np.random.default_rng(seed)
    N, K = int(rng.integers(20, 600)), int(rng.integers(2, 40))
    true = rng.integers(0, K, N)
    logits = rng.normal(size=(N, K))
    logits[np.arange(N), true] += np.log(K) + rng.normal(1.5, 1.5, N)
    codes = np.where(rng.random(N) < 0.2, rng.integers(0, K, N), true)
    codes[:2] = 0, 1
    if seed % 3 == 0:  # The last class is absent, the one before it rare.
        codes[codes >= K - 2] = 0
        codes[2:4] = max(K - 2, 1)
    probs = np.exp(logits)
    probs /= probs.sum(axis=1, keepdims=True)
    if seed % 4 == 0:  # Ties.
        probs = np.round(probs * 16) + 1
        probs /= probs.sum(axis=1, keepdims=True)
    if seed % 5 == 0:  # Duplicates.
        probs, codes = np.repeat(probs, 3, axis=0), np.repeat(codes, 3)
    return codes, probs


def theirs(codes: np.ndarray, probs: np.ndarray, **asked: Any) -> np.ndarray:
    """Give what cleanlab finds, ranked or as a mask."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found: np.ndarray = filters.find_label_issues(codes, probs, n_jobs=1, **asked)
    return found


def is_theirs(codes: np.ndarray, probs: np.ndarray, rank_by: str, **asked: Any) -> None:
    """Compare mask and ranked rows."""
    ours = find_label_issues(codes, probs, rank_by=rank_by, compat="cleanlab", **asked)
    assert np.array_equal(ours.mask, theirs(codes, probs, **asked)), asked
    ranked = theirs(codes, probs, return_indices_ranked_by=rank_by, **asked)
    assert np.array_equal(ours.ranked, ranked), (rank_by, asked)


def check_seed(seed: int) -> None:
    """One seed: each dtype and filter, with scores and options taken in turn."""
    codes, probs = some_labels(seed)
    for i, dtype in enumerate(DTYPES):
        table = probs.astype(dtype)
        for j, filter_by in enumerate(FILTERS):
            asked: dict[str, Any] = {"filter_by": filter_by}
            asked["frac_noise"] = (1.0, 1.0, 0.5, 0.3)[(seed + i + j) % 4]
            if j < 3:
                asked["min_examples_per_class"] = (1, 0, 5)[(seed + i) % 3]
            # Its entropy refuses a probability that rounding put above 1.
            scores = SCORES if table.max() <= 1 else SCORES[:2]
            is_theirs(codes, table, scores[(seed + i + j) % len(scores)], **asked)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(4))
def test_every_filter_and_dtype(seed: int) -> None:
    """Mask and ranking are cleanlab's, ties and absent classes included."""
    check_seed(seed)


@pytest.mark.slow
@pytest.mark.parametrize("kernels", ["compiled"], indirect=True)
@pytest.mark.parametrize("first", range(100, 300, 20))
def test_every_filter_and_dtype_over_many_seeds(first: int) -> None:
    """Mask and ranking are cleanlab's over two hundred seeds."""
    for seed in range(first, first + 20):
        check_seed(seed)


@pytest.mark.parametrize("seed", range(4))
def test_thresholds_and_joint(seed: int) -> None:
    """Thresholds and both joints are cleanlab's numbers, bit for bit."""
    codes, probs = some_labels(seed)
    table = probs.astype(DTYPES[seed % 3])
    ours = find_label_issues(codes, table, compat="cleanlab")
    assert np.array_equal(ours.thresholds, count.get_confident_thresholds(codes, table))
    for calibrate, joint in ((False, ours.confident_joint), (True, ours.joint)):
        made = count.compute_confident_joint(codes, table, calibrate=calibrate)
        assert np.array_equal(joint, made)


@pytest.mark.parametrize("seed", range(4))
def test_given_thresholds(seed: int) -> None:
    """Pruning along thresholds given by hand is cleanlab's with the joint made from them."""
    codes, probs = some_labels(seed)
    table = probs.astype(DTYPES[seed % 3])
    limits = np.random.default_rng(seed).uniform(0.1, 0.7, table.shape[1])
    joint = count.compute_confident_joint(codes, table, thresholds=limits)
    for filter_by in FILTERS[:3]:
        ours = find_label_issues(
            codes, table, filter_by=filter_by, thresholds=limits, compat="cleanlab"
        )
        assert np.array_equal(ours.joint, joint)
        made = theirs(codes, table, filter_by=filter_by, confident_joint=joint)
        assert np.array_equal(ours.mask, made)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("filter_by", FILTERS[:3])
def test_given_numbers_to_remove(seed: int, filter_by: str) -> None:
    """Numbers to take out of each class mean what they mean to cleanlab."""
    codes, probs = some_labels(seed)
    wanted = np.random.default_rng(seed).integers(0, 4, probs.shape[1])
    wanted = np.minimum(wanted, np.bincount(codes, minlength=probs.shape[1]))
    asked = {"filter_by": filter_by, "num_to_remove_per_class": wanted.tolist()}
    is_theirs(codes, probs, "self_confidence", **asked)


@pytest.mark.parametrize("filter_by", FILTERS[3:])
def test_numbers_that_only_pruning_reads(filter_by: str) -> None:
    """Other filters go on without `frac_noise`, as cleanlab does, and both refuse numbers."""
    codes, probs = some_labels(2)
    asked: dict[str, Any] = {"filter_by": filter_by, "frac_noise": 0.3}
    is_theirs(codes, probs, "self_confidence", **asked)
    whole = find_label_issues(codes, probs, filter_by=filter_by, compat="cleanlab")
    found = find_label_issues(codes, probs, compat="cleanlab", **asked)
    assert np.array_equal(found.ranked, whole.ranked)
    with pytest.raises(UsageError, match=r"frac_noise=0\.3 says nothing"):
        find_label_issues(codes, probs, **asked)
    numbers = {"filter_by": filter_by, "num_to_remove_per_class": [1] * probs.shape[1]}
    with pytest.raises(ValueError, match="not supported"):
        theirs(codes, probs, **numbers)
    for compat in (None, "cleanlab"):
        with pytest.raises(UsageError, match="num_to_remove_per_class says nothing"):
            find_label_issues(codes, probs, compat=compat, **numbers)


@pytest.mark.parametrize("method", SCORES[:2])
def test_adjusted_scores_where_a_class_is_absent(method: str) -> None:
    """By default an absent class lifts nobody; with cleanlab's threshold of 2 it lifts all."""
    codes, probs = some_labels(3)
    K = probs.shape[1]
    assert K - 1 not in codes
    ours = label_quality_scores(codes, probs, method=method, adjusted=True)
    made = rank.get_label_quality_scores(codes, probs, method=method, adjust_pred_probs=True)
    assert np.ptp(made) < np.ptp(ours)
    present = np.arange(K - 1)
    shift = np.zeros(K)
    limits = np.array([probs[codes == k, k].mean() for k in present])
    shift[present] = limits.max() - limits
    lifted = (probs + shift) / (1 + shift.sum())
    rows = np.arange(len(codes))
    own = lifted[rows, codes]
    lifted[rows, codes] = -1
    wanted = own if method == SCORES[0] else (own - lifted.max(axis=1) + 1) / 2
    np.testing.assert_allclose(ours, wanted, rtol=1e-9)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("dtype", DTYPES)
def test_scores_bit_for_bit(seed: int, dtype: Any) -> None:
    """Every score, class-adjusted too, has cleanlab's bits; Fortran order as well."""
    codes, probs = some_labels(seed)
    table = probs.astype(dtype)
    for order in "CF":
        held = np.asarray(table, order=order)
        for method in SCORES if table.max() <= 1 else SCORES[:2]:
            for adjusted in (False, True)[: 1 + (method != SCORES[2])]:
                made = rank.get_label_quality_scores(
                    codes, held, method=method, adjust_pred_probs=adjusted
                )
                ours = label_quality_scores(
                    codes, held, method=method, adjusted=adjusted, compat="cleanlab"
                )
                assert np.array_equal(ours, made.astype(np.float64)), (method, adjusted)


@pytest.mark.parametrize("seed", range(4))
def test_missing_labels_are_left_out(seed: int) -> None:
    """With labels missing, the answer is cleanlab's for the labeled rows."""
    codes, probs = some_labels(seed)
    kept = np.random.default_rng(seed).random(len(codes)) < 0.7
    kept[:2] = True
    ours = find_label_issues(np.where(kept, codes, -1), probs, compat="cleanlab")
    assert not ours.mask[~kept].any()
    assert np.array_equal(ours.mask[kept], theirs(codes[kept], probs[kept]))


@pytest.mark.parametrize("seed", range(4))
def test_default_scores_are_theirs_in_full_precision(seed: int) -> None:
    """Our default scores are cleanlab's numbers up to rounding, where its own are defined."""
    codes, probs = some_labels(seed)
    for method in SCORES:
        made = rank.get_label_quality_scores(codes, probs, method=method)
        # Its entropy score is capped where the label's probability is below 1e-6.
        apart = (probs[np.arange(len(codes)), codes] < 1e-6) & (method == SCORES[2])
        ours = label_quality_scores(codes, probs, method=method)
        assert np.allclose(ours[~apart], made[~apart], rtol=1e-9)


@pytest.mark.parametrize("seed", range(4))
def test_default_counts_are_theirs(seed: int) -> None:
    """The default differs from cleanlab only where its collision rule or a tie decides."""
    codes, probs = some_labels(seed)
    ours = find_label_issues(codes, probs)
    limits = np.where(np.isfinite(ours.thresholds), ours.thresholds, 2)
    assert np.allclose(limits, count.get_confident_thresholds(codes, probs), rtol=1e-12)
    sure = probs >= ours.thresholds - 1e-6
    best = probs.argmax(axis=1)
    collided = (sure.sum(axis=1) > 1) & ~sure[np.arange(len(codes)), best]
    keep = ~collided
    same = find_label_issues(codes[keep], probs[keep], thresholds=ours.thresholds)
    made = count.compute_confident_joint(
        codes[keep], probs[keep], thresholds=limits, calibrate=False
    )
    diagonal = np.diag(np.diag(made) - np.diag(same.confident_joint))
    assert np.array_equal(same.confident_joint + diagonal, made)
    assert set(np.diag(diagonal).tolist()) <= {0, 1}  # It counts an empty diagonal as one.


def test_cleanlab_takes_what_we_refuse() -> None:
    """NaN and rows that sum to 0.3 pass cleanlab's checks, and not ours."""
    codes, probs = some_labels(1)
    for row in (np.nan, 0.3 / probs.shape[1]):
        broken = probs.copy()
        broken[7] = row
        assert len(theirs(codes, broken)) == len(codes)
        with pytest.raises(ValueError, match="row 7"):
            find_label_issues(codes, broken)


def test_cleanlab_collision() -> None:
    """Of two confident classes ours counts the likelier one; cleanlab counts a third class."""
    probs, limits = np.array([[0.1, 0.2, 0.3, 0.4]] * 2), np.array([0.01, 0.5, 0.01, 0.5])
    codes = np.array([2, 0])
    made = count.compute_confident_joint(codes, probs, thresholds=limits, calibrate=False)
    ours = find_label_issues(codes, probs, thresholds=limits).confident_joint
    assert made[2, 3] == 1  # D, which is not confident.
    assert ours[2, 2] == 1
    assert ours[0, 2] == 1


def test_cleanlab_batched_gives_another_answer() -> None:
    """The low-memory mode of cleanlab gives neither its in-memory answer nor a ranking."""
    codes, probs = some_labels(7)
    asked = {"filter_by": "low_self_confidence", "return_indices_ranked_by": "self_confidence"}
    whole = theirs(codes, probs, **asked)
    low_memory = batched.find_label_issues_batched(codes, probs, verbose=False, batch_size=50)
    assert low_memory.tolist() == sorted(low_memory.tolist())
    assert low_memory.tolist() != whole.tolist()
    ours = find_label_issues(codes, probs, filter_by="low_self_confidence")
    assert np.all(np.diff(ours.scores[ours.ranked]) >= 0)
