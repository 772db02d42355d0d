"""Labels and probabilities as they lie about: never another class's column, another item's row."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from labelops.audit import detect_label_errors, find_label_issues, label_quality_scores
from labelops.errors import LabelopsError, UsageError

N = 120
TRUTH = np.arange(N) % 3
WRONG = [8, 100]


def _probs() -> np.ndarray[Any, np.dtype[np.float64]]:
    sure = np.random.default_rng(0).uniform(0.75, 0.97, N)
    probs = np.repeat((1 - sure)[:, None] / 2, 3, axis=1)
    probs[np.arange(N), TRUTH] = sure
    return probs


PROBS = _probs()
CODES = TRUTH.copy()
CODES[WRONG] = [0, 2]
ORDER = [2, 0, 1]
FRAME = pd.DataFrame(PROBS)


def _found(codes: Any, probs: Any) -> tuple[list[int], ...]:
    """Return what each of three entries has for the worst two labels."""
    detected = detect_label_errors(codes, probs=probs, out_of_sample=True, planted_share=0)
    issues = find_label_issues(codes, probs, filter_by="predicted_neq_given")
    scores = label_quality_scores(codes, probs)
    worst = (detected.ranking[:2], issues.ranked, np.argsort(scores)[:2])
    return tuple(sorted(map(int, rows)) for rows in worst)


class Tensor:
    """What numpy reads by `__array__` alone, as a tensor, or cannot, as one with a gradient."""

    def __init__(self, array: Any, why: Exception | None = None) -> None:
        self.array, self.why = np.asarray(array), why
        self.shape, self.ndim = self.array.shape, self.array.ndim

    def __len__(self) -> int:
        return len(self.array)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Any:
        if self.why is not None:
            raise self.why
        return self.array if dtype is None else self.array.astype(dtype)


@pytest.mark.parametrize(
    "codes",
    [
        CODES.tolist(),
        CODES.astype(np.uint8),
        pd.Series(CODES, dtype="Int64"),
        pd.array(CODES, dtype="Int64"),
        pd.Categorical(CODES, categories=[2, 9, 1, 0]),
        pd.Series(CODES, dtype="int64[pyarrow]"),
        pa.array(CODES),
        pa.chunked_array([CODES[:7], CODES[7:]]),
        Tensor(CODES),
    ],
    ids=lambda codes: type(codes).__name__,
)
def test_labels_of_any_make(codes: Any) -> None:
    """Values count, not the codes of categories nor how they are held."""
    assert _found(codes, PROBS) == (WRONG,) * 3


@pytest.mark.parametrize(
    "probs",
    [
        PROBS.tolist(),
        PROBS.astype(np.float16),
        np.asfortranarray(PROBS),
        FRAME,
        FRAME[ORDER],
        FRAME[ORDER].rename(columns=str),
        FRAME[ORDER].astype("Float64"),
        FRAME[ORDER].astype("float64[pyarrow]"),
        pa.table({str(k): PROBS[:, k] for k in ORDER}),
        pa.record_batch({str(k): PROBS[:, k] for k in ORDER}),
        Tensor(PROBS),
    ],
    ids=lambda probs: type(probs).__name__,
)
def test_columns_that_are_named_by_codes_are_taken_by_name(probs: Any) -> None:
    """In whatever order they stand; arrays are in the codes' order."""
    assert _found(CODES, probs) == (WRONG,) * 3


def test_several_frames_are_each_put_in_order() -> None:
    """One by one, in a list and in a mapping."""
    for several in ([FRAME, FRAME[ORDER]], {"a": FRAME[ORDER], "b": PROBS}):
        found = detect_label_errors(CODES, probs=several, out_of_sample=True, planted_share=0)
        assert sorted(found.ranking[:2].tolist()) == WRONG
        one, other = found.scores.values()
        np.testing.assert_array_equal(one, other)


GRADIENT = RuntimeError("Can't call numpy() on Tensor that requires grad. Use tensor.detach()")


@pytest.mark.parametrize(
    ("probs", "says"),
    [
        (FRAME.set_axis(["bee", "ant", "cat"], axis=1), "columns are named 'bee', 'ant', 'cat'"),
        (FRAME.set_axis(["ant", "bee", "cat"], axis=1), "does not tell the code of each"),
        (FRAME.set_axis([1, 2, 3], axis=1), "name them 0 to 2"),
        (FRAME.set_axis([0, 1, 1], axis=1), "name them 0 to 2"),
        (FRAME.assign(id=range(N)), "columns are named 0, 1, 2, 'id'"),
        (pa.table({"ant": [1.0] * N, "bee": [0.0] * N}), "columns are named 'ant', 'bee'"),
        (FRAME.astype("Float64").mask(FRAME > 0.96), "row 26"),
        (np.ma.array(PROBS, mask=PROBS < 0.02), "row 26 is masked"),
        (Tensor(PROBS, GRADIENT), r"this Tensor says: .*Use tensor.detach\(\)"),
        (Tensor(PROBS, TypeError("can't convert cuda:0 device type")), "this Tensor says: can't"),
        (PROBS.astype(complex), "complex128"),
        ([dict(enumerate(row)) for row in PROBS], "expected a rectangular table of numbers"),
    ],
)
def test_probabilities_that_could_be_taken_for_others_are_refused(probs: Any, says: str) -> None:
    """By every entry, in one line."""
    ways: list[Callable[[], object]] = [
        lambda: detect_label_errors(CODES, probs=probs, out_of_sample=True),
        lambda: find_label_issues(CODES, probs),
    ]
    for way in ways:
        with pytest.raises(UsageError, match=says) as caught:
            way()
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("codes", "says"),
    [
        (np.ma.array(CODES, mask=CODES == 1), "row 1 is masked"),
        (pd.Series([None, *CODES[1:]], dtype="Int64"), r"\.fillna\(-1\)\.astype\(int\)"),
        (np.where(CODES == 1, np.nan, CODES), r"\.fillna\(-1\)\.astype\(int\)"),
        (CODES.astype(object), r"write \.astype\(int\)"),
        (np.array(["ant", "bee", "cat"])[CODES], "names become integers by"),
        (set(CODES.tolist()), "expected a list or an array of integers, found a set"),
        (dict(enumerate(CODES)), "found a dict"),
        (Tensor(CODES, TypeError("can't convert cuda:0")), "this Tensor says: can't convert"),
    ],
)
def test_what_no_codes_are(codes: Any, says: str) -> None:
    """What lies below a mask is no label, and a gap becomes none by itself."""
    with pytest.raises(LabelopsError, match=says):
        detect_label_errors(codes, probs=PROBS, out_of_sample=True)
    with pytest.raises(LabelopsError, match=says):
        find_label_issues(codes, PROBS)


def test_rows_in_another_order_are_refused() -> None:
    """By the index, where it names the same rows; one numbered anew says nothing against it."""
    shuffled = FRAME.sample(frac=1, random_state=0)
    codes = pd.Series(CODES)
    with pytest.raises(UsageError, match=r"probs 1.*names the rows of codes in another order"):
        detect_label_errors(codes, probs=shuffled, out_of_sample=True)
    with pytest.raises(UsageError, match="probs: its index names the rows of codes"):
        find_label_issues(codes, shuffled)
    for part in ({"groups": codes[::-1]}, {"folds": codes[::-1]}, {"features": FRAME[::-1]}):
        with pytest.raises(UsageError, match=f"{next(iter(part))}: its index names"):
            detect_label_errors(codes, probs=FRAME, **part)
    later = codes.set_axis(range(1000, 1000 + N))
    assert _found(later, FRAME) == (WRONG,) * 3
    assert (
        _found(codes.loc[shuffled.index], shuffled)[1:]
        == _found(CODES[shuffled.index], shuffled.to_numpy())[1:]
    )


@pytest.mark.parametrize(
    ("features", "says"),
    [
        (np.ma.array(PROBS, mask=PROBS < 0.02), "row 26 is masked"),
        (pd.DataFrame(PROBS, dtype="Float64").mask(FRAME < 0.02), "row 26 has a NaN"),
        (Tensor(PROBS, GRADIENT), "Use tensor.detach"),
    ],
)
def test_features_with_gaps_are_refused(features: Any, says: str) -> None:
    """A masked cell is no number, whatever lies below."""
    with pytest.raises(UsageError, match=says):
        detect_label_errors(CODES, features=features)


def test_masked_folds_and_groups_are_refused() -> None:
    """Which fold or group a row is in is not what lies below its mask."""
    hidden = np.ma.array(np.arange(N) % 4, mask=np.arange(N) == 5)  # type: ignore[no-untyped-call]
    with pytest.raises(UsageError, match="folds: row 5 is masked"):
        detect_label_errors(CODES, probs=PROBS, folds=hidden)
    with pytest.raises(UsageError, match="groups: row 5 is masked"):
        detect_label_errors(CODES, probs=PROBS, out_of_sample=True, groups=hidden)


def test_votes_for_names_are_said_to_be_votes() -> None:
    """It is not the labels that hold them."""
    votes = {"item": [0, 0], "annotator": ["ann", "ben"], "label": ["ant", "bee"]}
    with pytest.raises(UsageError, match="votes' codes: expected integers, found object; names"):
        detect_label_errors(CODES, votes=votes)
