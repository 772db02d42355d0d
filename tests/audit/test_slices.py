"""Groups labeled worse, and attributes that give the label away."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy.stats import chi2_contingency, fisher_exact
from sklearn.metrics import mutual_info_score, roc_auc_score

from labelops.audit.slices import underperforming_slices
from labelops.audit.spurious import spurious_attributes
from labelops.errors import UsageError


def _attributes(rng: np.random.Generator, N: int, M: int = 10) -> dict[str, np.ndarray]:
    return {f"a{i}": rng.integers(0, 6, N).astype(str) for i in range(M)}


def test_p_values_are_fishers() -> None:
    """The one-sided exact test of scipy on the 2 × 2 table."""
    wrong = [1, 1, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0]
    found = underperforming_slices(wrong, {"s": list("aaaaa") + list("bbbbbbb")})
    expected = fisher_exact([[3, 2], [1, 6]], alternative="greater")[1]
    assert found.p_values[found.values == "a"] == pytest.approx(expected)
    assert (found.sizes.tolist(), found.errors.tolist()) == ([5, 7], [3, 1])
    assert found.rest.tolist() == pytest.approx([1 / 7, 3 / 5])


def test_one_bad_source_of_sixty_is_found() -> None:
    """25 % wrong among 5 %: found in ≥ 95 % of runs."""
    hits = 0
    for seed in range(20):
        rng = np.random.default_rng(seed)
        attributes = _attributes(rng, 2_000)
        rate = np.where(attributes["a3"] == "4", 0.25, 0.05)
        found = underperforming_slices(rng.random(2_000) < rate, attributes)
        hits += bool(((found.attributes == "a3") & (found.values == "4") & found.flagged).any())
    assert hits >= 19


@pytest.mark.slow
def test_false_slices_are_rare() -> None:
    """No slice is worse: any flag at all in at most 5 % of runs (and some more by luck)."""
    runs = 0
    for seed in range(100):
        rng = np.random.default_rng(seed)
        found = underperforming_slices(rng.random(1_000) < 0.1, _attributes(rng, 1_000), least=0.0)
        runs += found.flagged.any()
    assert runs <= 9


def test_a_small_effect_is_no_slice() -> None:
    """One point more among a hundred thousand is certain, and not worth a flag."""
    rng = np.random.default_rng(0)
    source = np.repeat(["x", "y"], 100_000)
    wrong = rng.random(200_000) < np.where(source == "x", 0.06, 0.05)
    found = underperforming_slices(wrong, {"source": source})
    assert found.q_values[0] < 1e-9
    assert not found.flagged.any()


def test_numbers_are_cut_at_deciles_and_missing_is_a_value() -> None:
    """Ten ranges for a number, and unjudged items count nowhere."""
    length = np.r_[np.arange(100.0), [np.nan] * 10]
    wrong = np.r_[np.zeros(90), np.ones(10), [np.nan] * 5, np.ones(5)]
    found = underperforming_slices(wrong, {"length": length})
    assert found.values.tolist()[:3] == ["[89, 99]", "missing", "[0, 9)"]
    assert found.sizes.tolist() == [11, 5, 9, *[10] * 8]
    assert found.errors.tolist() == [10, 5, *[0] * 9]
    assert found.flagged.tolist() == [True, True, *[False] * 9]


def test_information_is_scikit_learns() -> None:
    """Before its correction, the share is mutual information over entropy."""
    rng = np.random.default_rng(1)
    codes = rng.integers(0, 3, 3_000)
    source = np.where(rng.random(3_000) < 0.4, codes, rng.integers(0, 3, 3_000))
    found = spurious_attributes(codes, {"source": source.astype(str)}, rng=rng)
    counts = np.bincount(codes) / 3_000
    expected = mutual_info_score(codes, source) / -(counts * np.log(counts)).sum()
    assert found.information[0] == pytest.approx(expected, abs=2e-3)


def test_auroc_is_scikit_learns() -> None:
    """The best one-against-rest area, either direction."""
    rng = np.random.default_rng(2)
    codes = rng.integers(0, 3, 500)
    dark = rng.normal(size=500) - (codes == 1)
    found = spurious_attributes(codes, {"dark": dark}, rng=rng)
    areas = [roc_auc_score(codes == c, dark) for c in range(3)]
    assert found.auroc[0] == pytest.approx(max(max(a, 1 - a) for a in areas))


def test_a_source_that_gives_the_label_away_is_found() -> None:
    """One source with nine tenths of a class, a brightness shifted by a half: both are flagged."""
    rng = np.random.default_rng(3)
    codes = rng.integers(0, 4, 1_000)
    source = np.where(
        (codes == 2) & (rng.random(1_000) < 0.9), "s9", rng.choice(list("abc"), 1_000)
    )
    attributes: dict[str, np.ndarray] = {**_attributes(rng, 1_000), "source": source}
    attributes["brightness"] = rng.normal(size=1_000) + 0.7 * (codes == 0)
    found = spurious_attributes(codes, attributes, rng=rng)
    assert found.attributes[found.flagged].tolist() == ["source", "brightness"]


@pytest.mark.slow
@pytest.mark.parametrize("N", [60, 1_000])
def test_false_attributes_are_rare(N: int) -> None:
    """Ten attributes that say nothing, few or many rows: any flag in at most 5 % of runs."""
    runs, bias = 0, []
    for seed in range(60):
        rng = np.random.default_rng(seed)
        found = spurious_attributes(
            rng.integers(0, 4, N), _attributes(rng, N, 4), least=0.0, rng=rng
        )
        runs += found.flagged.any()
        bias.append(found.information.mean())
    assert runs <= 7
    assert np.mean(bias) <= 1 / N + 0.01


def test_many_values_are_no_information() -> None:
    """An attribute with a value of its own for every item says nothing by that."""
    rng = np.random.default_rng(4)
    many = underperforming_slices(np.zeros(300), {"id": [f"i{i}" for i in range(300)]})
    assert many.sizes.max() == 100
    assert len(many.sizes) == 201
    found = spurious_attributes(
        rng.integers(0, 3, 200), {"id": [str(i) for i in range(200)]}, rng=rng
    )
    assert not found.flagged.any()
    assert found.information[0] == 0


def test_degenerate_attributes() -> None:
    """Constant, all missing, no attributes, no rows, one class."""
    rng = np.random.default_rng(5)
    constant = {"c": ["x"] * 4, "none": [None] * 4, "nan": [np.nan] * 4, "flag": [True] * 4}
    found = spurious_attributes([0, 1, 0, 1], constant, rng=rng)
    assert found.p_values.tolist() == [1, 1, 1, 1]
    assert spurious_attributes([0, 0], {"a": ["x", "y"]}, rng=rng).p_values.tolist() == [1]
    assert spurious_attributes([], {"a": []}, rng=rng).flagged.tolist() == [False]
    assert spurious_attributes([0, 1], {}, rng=rng).flagged.shape == (0,)
    assert not underperforming_slices([1, 0, 1, None], constant).flagged.any()
    assert underperforming_slices([], {"a": []}).sizes.shape == (0,)
    assert underperforming_slices([1], {}).sizes.shape == (0,)


def test_malformed_input_is_refused() -> None:
    """Lengths and outcomes that are none."""
    rng = np.random.default_rng(0)
    with pytest.raises(UsageError, match=r"attribute 'a': found 1 values for 2 items"):
        underperforming_slices([0, 1], {"a": ["x"]})
    with pytest.raises(UsageError, match=r"row 1 is 0\.5"):
        underperforming_slices([0, 0.5], {"a": ["x", "y"]})
    with pytest.raises(UsageError, match="wrong"):
        underperforming_slices(["yes", "no"], {"a": ["x", "y"]})
    with pytest.raises(UsageError, match="wrong"):
        underperforming_slices([[0, 1]], {})
    with pytest.raises(UsageError, match="'a': expected one value an item"):
        underperforming_slices([0, 1], {"a": [["x", "y"], ["x", "z"]]})
    with pytest.raises(UsageError, match="'a': expected numbers or strings"):
        underperforming_slices([0, 1], {"a": [{"x": 1}, {"x": 2}]})
    for least in (-0.1, 1.5, np.nan):
        with pytest.raises(UsageError, match="least"):
            underperforming_slices([0, 1], {"a": ["x", "y"]}, least=least)
    with pytest.raises(UsageError, match="least"):
        spurious_attributes([0, 1], {}, least=0.5, rng=rng)
    with pytest.raises(UsageError, match="values for 2"):
        spurious_attributes([0, 1], {"a": pd.Series(["x"])}, rng=rng)


@pytest.mark.parametrize(
    "wrong",
    [
        pd.array([True, None, False], dtype="boolean"),
        pd.Series([1, None, 0], dtype="Int64"),
        np.array([True, pd.NA, False], dtype=object),
        [1, None, 0],
        np.array([1.0, np.nan, 0.0], dtype=np.float16),
    ],
)
def test_verdicts_of_any_type(wrong: object) -> None:
    """What nobody judged may be missing in any way that a column has."""
    found = underperforming_slices(wrong, {"a": ["x", "y", "z"]})  # type: ignore[arg-type]
    rows = dict(zip(found.values, zip(found.sizes, found.errors, strict=True), strict=True))
    assert rows == {"x": (1, 1), "y": (0, 0), "z": (1, 0)}


def test_days_written_as_numbers_keep_their_names() -> None:
    """Six digits would call two days by one name."""
    found = underperforming_slices([1, 0, 0], {"day": [20261127, 20261128, 20261128]})
    assert sorted(found.values) == ["20261127", "20261128"]
    many = underperforming_slices(np.zeros(40), {"day": 20261100 + np.arange(40)})
    assert len(set(many.values)) == 10
    assert "[20261103, 20261107)" in many.values


def test_what_is_called_alike_is_alike() -> None:
    """Whole numbers that floats do not tell apart stay several; NaN in a list is missing."""
    ids = 2**60 + np.arange(3)
    assert sorted(underperforming_slices([1, 0, 0], {"id": ids}).values) == [str(i) for i in ids]
    found = underperforming_slices([1, 0, 0], {"a": ["x", float("nan"), None]})
    assert sorted(zip(found.values, found.sizes, strict=True)) == [("missing", 2), ("x", 1)]


def test_the_worst_come_first_where_nothing_is_sure() -> None:
    """Of equal p-values the higher rate; what nobody judged is last."""
    found = underperforming_slices([1, 1, np.nan], {"a": ["y", "y", "x"]})
    assert found.p_values.tolist() == [1.0, 1.0]
    assert found.values.tolist() == ["y", "x"]


@pytest.mark.parametrize("told", [0.0, 0.1])
def test_where_all_values_are_frequent_the_p_value_is_that_of_the_g_test(told: float) -> None:
    """Twice the information of all items, by scipy's chi-squared law."""
    rng = np.random.default_rng(6)
    codes = rng.integers(0, 3, 600)
    source = np.where(rng.random(600) < told, codes, rng.integers(0, 3, 600))
    found = spurious_attributes(codes, {"source": source.astype(str)}, rng=rng)
    table = np.zeros((3, 3))
    np.add.at(table, (source, codes), 1)
    expected = chi2_contingency(table, correction=False, lambda_="log-likelihood").pvalue
    assert found.p_values[0] == pytest.approx(expected)
    assert (expected < 1e-3) == (told > 0)


def test_no_attribute_says_less_than_nothing() -> None:
    """Where each value has the same shares of classes, less than by chance, the share is 0."""
    codes, source = np.tile([0, 1], 60), np.repeat(["a", "b", "c"], 40)
    for rows in (120, 12):
        found = spurious_attributes(
            codes[:rows], {"s": source[:: 120 // rows]}, rng=np.random.default_rng(0)
        )
        assert found.information.tolist() == [0.0] and found.p_values[0] > 0.99
