"""What callers bring: the right answer in any type and order, or an error that names the row."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from scipy import sparse

from labelops.audit import (
    Reviews,
    activation_clusters,
    detect_label_errors,
    find_label_issues,
    find_outliers,
    find_outliers_in_class,
    grouped_folds,
    near_pairs,
    near_threshold,
    nearest_graph,
    nearest_ratio,
    neighbour_view,
    out_of_fold_probs,
    spectral_signatures,
    spurious_attributes,
)
from labelops.audit.inputs import (
    check_features,
    check_groups,
    check_votes,
    group_codes,
    labels_and_classes,
    named_probs,
)
from labelops.errors import UsageError

_CODES = np.array([0, 1, 2, 0, 1, 2])
_PROBS = np.full((6, 3), 0.1) + 0.7 * np.eye(3)[_CODES]
_VOTES = (np.repeat(np.arange(6), 2), np.tile([0, 1], 6), np.repeat(_CODES, 2))


def _probability(codes: Any, **evidence: Any) -> np.ndarray:
    return detect_label_errors(codes, **evidence).probability


@pytest.mark.parametrize(
    "codes", [_CODES.astype(np.uint8), pd.Series(_CODES, index=range(9, 15)), _CODES.tolist()]
)
def test_labels_of_any_integer_type(codes: Any) -> None:
    """Unsigned ones, a Series with its own index, a list."""
    expected = _probability(_CODES, votes=_VOTES)
    assert np.array_equal(_probability(codes, votes=_VOTES), expected)


@pytest.mark.parametrize(
    "probs",
    [
        _PROBS.astype(np.float16),
        np.asfortranarray(_PROBS),
        np.repeat(_PROBS, 2, axis=0)[::2],
        pd.DataFrame(_PROBS),
        [pd.DataFrame(_PROBS)],
        (_PROBS.tolist(),),
        _PROBS[None],
        {"mine": _PROBS},
    ],
)
def test_probs_of_any_type_and_order(probs: Any) -> None:
    """Half precision, Fortran order, strides, frames, alone or in something."""
    expected = _probability(_CODES, probs=_PROBS, out_of_sample=True)
    assert np.allclose(_probability(_CODES, probs=probs, out_of_sample=True), expected, atol=1e-3)


def test_missing_votes_are_no_votes() -> None:
    """Code -1 is as if it had not been given; no vote at all is no evidence."""
    items, who, said = _VOTES
    with_gap = np.r_[items, 0], np.r_[who, 2], np.r_[said, -1]
    assert np.array_equal(_probability(_CODES, votes=with_gap), _probability(_CODES, votes=_VOTES))
    assert np.isnan(_probability(_CODES, votes=([], [], []))).all()
    assert len(_probability(np.zeros(0, int), votes=([], [], []))) == 0


def test_one_group_holds_nothing_out() -> None:
    """Where all items are relatives nothing outside can judge them."""
    X = np.random.default_rng(0).normal(size=(6, 2))
    assert np.isnan(_probability(_CODES, features=X, groups=["a"] * 6)).all()
    assert np.isnan(_probability([1], features=[[1.0, 2.0]])).all()


@pytest.mark.parametrize(
    ("codes", "match"),
    [
        (_CODES.astype(str), "integers"),
        ([None] * 6, "integers"),
        (np.r_[_CODES[:5].astype(float), np.nan], "integers"),
        (np.r_[_CODES[:5], 7], "row 5 is 7"),
        (np.r_[_CODES[:5], -2], "row 5 is -2"),
        (np.eye(3, dtype=int)[_CODES], "one dimension"),
    ],
)
def test_labels_that_are_no_codes(codes: Any, match: str) -> None:
    """Names, missing values that are not -1, classes that do not exist, one-hot rows."""
    with pytest.raises(UsageError, match=match):
        _probability(codes, probs=_PROBS, out_of_sample=True)


_TOLD = {"probs": _PROBS, "out_of_sample": True}


@pytest.mark.parametrize(
    ("evidence", "match"),
    [
        ({"probs": []}, "nothing to judge"),
        ({"probs": {}}, "nothing to judge"),
        ({"probs": _PROBS[:, 0], "out_of_sample": True}, r"shape \(6,\)"),
        ({"probs": [[0.5, 0.5], [1.0]] * 3, "out_of_sample": True}, "rectangular"),
        ({"probs": np.where(_PROBS > 0.5, np.nan, _PROBS), "out_of_sample": True}, "row 0"),
        ({"probs": 2 * _PROBS, "out_of_sample": True}, "sum"),
        ({"probs": _PROBS, "folds": [0, 1, 0, 1, np.nan, 1]}, "a row has none"),
        ({"probs": _PROBS, "folds": [[0, 1, 0, 1, 0, 1]] * 2}, "2 rows for 1 matrices"),
        ({"votes": _VOTES, "folds": [0, 1, 0, 1, 0, 1]}, "there are none"),
        ({"votes": _VOTES[:2]}, "three arrays"),
        ({"votes": np.zeros((6, 2), int)}, "three arrays"),
        ({"votes": ([6], [0], [0])}, "votes' items: row 0 is 6"),
        ({"features": np.eye(6), "groups": ["a", None] * 3}, "row 1 has none"),
        ({"features": np.eye(6), "groups": ["a"]}, "groups"),
        ({"features": np.full((6, 2), "x")}, "rectangular"),
        ({"features": np.eye(6) * 1j}, "rectangular"),
        ({"features": np.zeros((6, 0))}, "no column"),
        ({**_TOLD, "planted_share": 2.0}, "planted_share"),
        ({**_TOLD, "n_classes": "3"}, "whole number"),
        ({**_TOLD, "reviews": Reviews([9], [True])}, "reviews: rows: row 0 is 9"),
        ({**_TOLD, "reviews": Reviews([0, 1], [[True], [False]])}, "as many of each"),
    ],
)
def test_evidence_that_does_not_fit(evidence: dict[str, Any], match: str) -> None:
    """Each is refused by what is wrong with it."""
    with pytest.raises(UsageError, match=match):
        _probability(_CODES, **evidence)


def test_features_keep_their_precision() -> None:
    """Single and double stay, sparse ones are read by rows, all others become double."""
    assert check_features(np.float32([[1]])).dtype == np.float32
    assert check_features([[True], [False]], 2).tolist() == [[1.0], [0.0]]
    thin = check_features(sparse.coo_matrix(np.eye(2)))
    assert thin.format == "csr"
    for bad in (np.array([[np.nan]]), sparse.csr_matrix([[np.inf]]), [1.0], [[1.0], [1.0, 2.0]]):
        with pytest.raises(UsageError, match="features"):
            check_features(bad)
    with pytest.raises(UsageError, match="2 rows of features for 3 codes"):
        check_features(np.eye(2), 3)
    with pytest.raises(UsageError, match="finite"):
        out_of_fold_probs([[np.nan]] * 4, [0, 1, 0, 1], range(4), 2, rng=np.random.default_rng(0))  # type: ignore[arg-type]


def test_groups_are_numbered() -> None:
    """Equal ones alike; none given is none."""
    assert group_codes(np.array([5.0, 1.0, 5.0]), 3).tolist() == [1, 0, 1]
    assert group_codes(np.array(["b", 1, "b"], dtype=object), 3).tolist() == [1, 0, 1]
    assert check_groups(None, 3) is None
    numbered = check_groups(["b", "a", "b"], 3)
    assert numbered is not None
    assert numbered.tolist() == [1, 0, 1]


def test_votes_matrices_and_classes() -> None:
    """Later votes replace earlier ones, matrices get names, K is the most that anything shows."""
    kept = check_votes(([0, 1, 0], [4, 4, 4], [1, -1, 0]), 2, 2)
    assert [part.tolist() for part in kept] == [[0], [0], [0]]
    assert list(named_probs({"a": _PROBS, "b": _PROBS})) == ["a", "b"]
    assert list(named_probs(np.stack([_PROBS, _PROBS]))) == ["probs 1", "probs 2"]
    assert labels_and_classes([0, 1], None, {"a": _PROBS}, None)[1] == 3
    assert labels_and_classes([], None, {}, ([0], [0], [4]))[1] == 5


@pytest.mark.parametrize(
    "groups",
    [["a", None, "a"], [1.0, np.nan, 1.0], np.array(["2026", "NaT", "2026"], dtype="M8[D]")],
)
def test_a_row_without_a_group_is_named(groups: object) -> None:
    """All that have none would be one group; here and where folds are dealt."""
    with pytest.raises(UsageError, match="row 1 has none"):
        group_codes(groups, 3)  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="row 1 has none"):
        grouped_folds([0, 1, 0], groups, 2, rng=np.random.default_rng(0))  # type: ignore[arg-type]


@pytest.mark.parametrize("groups", [[7, "a", pd.Timestamp("2026-01-01")], [1j, 2, "a"]])
def test_groups_of_which_no_order_is_known_are_named(groups: list[object]) -> None:
    """One line with two rows, instead of an error of the sorting."""
    given = np.empty(3, dtype=object)
    given[:] = groups
    with pytest.raises(UsageError, match=r"groups: row 0 is .* and row 1 is .*give all of them as"):
        group_codes(given, 3)


@pytest.mark.parametrize("kind", ["frame", "arrow", "dict", "names", "columns of crowds", "gaps"])
def test_votes_as_the_consensus_takes_them(kind: str) -> None:
    """Tables, and people by name, are the same votes as three arrays of numbers."""
    items, who, said = _VOTES
    names = np.array(["ann", "ben"])[who]
    columns = {"item": items, "annotator": names, "label": said}
    given: Any = {
        "frame": pd.DataFrame(columns, index=items + 50),
        "arrow": pa.table(columns),
        "dict": columns,
        "names": (items.tolist(), names.tolist(), said.tolist()),
        "columns of crowds": pd.DataFrame({"task": items, "worker": who, "label": said}),
        "gaps": {
            "item": [*items, 0],
            "annotator": [*names, "eve"],
            "label": [*said.astype(float), np.nan],
        },
    }[kind]
    expected = _probability(_CODES, votes=_VOTES)
    assert np.array_equal(_probability(_CODES, votes=given), expected)


@pytest.mark.parametrize(
    ("votes", "match"),
    [
        ({"item": [0], "label": [1]}, "no column annotator"),
        ({"item": [0], "annotator": ["x"], "label": ["cat"]}, "encode"),
        ({"item": [0], "annotator": ["x"], "label": [0.5]}, "expected integers"),
        ({"item": [9], "annotator": ["x"], "label": [1]}, "votes' items: row 0 is 9"),
        ({"item": [0], "annotator": ["x"], "label": [1], "weight": [2]}, "weights are not read"),
        ([(0, "x", 1), (1, "x", 1)], "or a table with the columns item, annotator and label; fo"),
        (([0], [None], [1]), "row 0 is None"),
    ],
)
def test_tables_of_votes_that_do_not_fit(votes: Any, match: str) -> None:
    """One line says what of the votes is not as it should be."""
    with pytest.raises(UsageError, match=match):
        _probability(_CODES, votes=votes)


def test_names_from_elsewhere_are_told_ours() -> None:
    """Cleanlab's names of the arguments are refused with ours."""
    with pytest.raises(UsageError, match="labels is called codes here; pred_probs is called probs"):
        detect_label_errors(labels=_CODES, pred_probs=_PROBS)  # type: ignore[call-arg]
    with pytest.raises(UsageError, match="find_label_issues: pred_probs is called probs here"):
        find_label_issues(_CODES, pred_probs=_PROBS)  # type: ignore[call-arg]
    with pytest.raises(TypeError, match="unexpected keyword argument 'prob'"):
        find_label_issues(_CODES, prob=_PROBS)  # type: ignore[call-arg]


@pytest.mark.parametrize("k", [0, 1.5, "many", float("nan")])
def test_numbers_of_neighbours_are_whole(k: Any) -> None:
    """Everywhere they are asked for; a fraction was taken, or failed somewhere in numpy."""
    points, codes = np.arange(12.0).reshape(6, 2), [0, 0, 0, 1, 1, 1]
    graph = nearest_graph(points, 3)
    for ask in (
        lambda: nearest_graph(points, k),
        lambda: find_outliers(graph, k=k),
        lambda: find_outliers_in_class(graph, codes, k=k),
        lambda: nearest_ratio(graph, codes, k=k),
        lambda: neighbour_view(points, codes, k=(k,)),
    ):
        with pytest.raises(UsageError, match="k is"):
            ask()


def test_what_is_no_number_or_not_real_is_refused() -> None:
    """Distances and shares by name, and complex features, whose imaginary part numpy drops."""
    graph = nearest_graph(np.eye(3), 2)
    with pytest.raises(UsageError, match="within is 'near'"):
        near_pairs(graph, "near")  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="share is 'some'"):
        near_threshold(graph, "some")  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="least is 'some'"):
        spurious_attributes([0, 1], {}, least="some", rng=np.random.default_rng(0))  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="k is 5, expected a list"):
        neighbour_view(np.eye(3), [0, 1, 1], k=5)  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="real numbers"):
        nearest_graph(np.eye(3) * 1j)
    for view in (spectral_signatures, activation_clusters):
        for odd in (np.eye(3) * 1j, [[1.0], [2.0, 3.0], [4.0]]):
            with pytest.raises(UsageError, match="real numbers"):
                view(odd, [0, 1, 1])
