"""Agreement: alpha, kappa, AC and percent, by class and by slice."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from labelops.errors import UsageError
from labelops.measure.agreement import (
    agreement_by_class,
    agreement_by_slice,
    agreement_partial,
    finish_agreement,
    finish_measures,
    krippendorff_alpha,
    measure_agreement,
)
from labelops.measure.codes import FloatArray, IntArray

from ..examples import examples
from .ratings import OBSERVERS, PATIENTS, TWO_OBSERVERS, from_counts, long_of


def _textbook(table: IntArray, n_classes: int) -> float:
    """Alpha by the coincidence matrix, value pair by value pair."""
    coincidences = np.zeros((n_classes, n_classes))
    for column in table.T:
        values = column[column > 0] - 1
        for i, a in enumerate(values):
            for j, b in enumerate(values):
                if i != j:
                    coincidences[a, b] += 1 / (len(values) - 1)
    margin = coincidences.sum(axis=1)
    n = margin.sum()
    observed = n - np.trace(coincidences)
    expected = (n**2 - (margin**2).sum()) / (n - 1)
    return float(1 - observed / expected) if expected > 0 else float("nan")


def test_worked_example() -> None:
    """Krippendorff's example with missing data has a nominal alpha of .743."""
    result = krippendorff_alpha(*long_of(OBSERVERS), 5, rng=np.random.default_rng(0))
    assert result.alpha == pytest.approx(0.743, abs=5e-4)
    assert (result.items, result.votes) == (11, 40)
    assert result.low is not None
    assert result.high is not None
    assert result.low < 0.743 < result.high


def test_worked_example_by_level() -> None:
    """The same example has an ordinal alpha of .815 and an interval one of .849."""
    rng = np.random.default_rng(0)
    for level, expected in (("nominal", 0.743), ("ordinal", 0.815), ("interval", 0.849)):
        found = measure_agreement(*long_of(OBSERVERS), 5, rng=rng, level=level, resamples=50)
        assert found.alpha.value == pytest.approx(expected, abs=5e-4)
        assert (found.items, found.votes, found.level) == (11, 40, level)


def test_worked_example_of_two_observers() -> None:
    """Krippendorff's example of two observers and five classes has an alpha of .692."""
    result = krippendorff_alpha(*long_of(TWO_OBSERVERS), 5, rng=np.random.default_rng(0))
    assert result.alpha == pytest.approx(0.692, abs=5e-4)


def test_worked_example_of_fleiss() -> None:
    """Fleiss's patients have his class shares and his kappa of .430."""
    np.testing.assert_allclose(
        PATIENTS.sum(axis=0) / 180, [0.144, 0.144, 0.167, 0.306, 0.239], atol=5e-4
    )
    found = measure_agreement(*from_counts(PATIENTS), 5, rng=np.random.default_rng(0))
    assert found.kappa.value == pytest.approx(0.430, abs=5e-4)
    assert found.percent.value == pytest.approx(0.555, abs=1e-3)


def test_worked_example_of_gwet() -> None:
    """Gwet's coefficients on Krippendorff's data are those of his irrCAC package."""
    found = measure_agreement(*long_of(OBSERVERS), 5, rng=np.random.default_rng(0))
    assert found.ac.value == pytest.approx(0.77544, abs=5e-6)
    assert found.kappa.value == pytest.approx(0.76117, abs=5e-6)
    assert found.percent.value == pytest.approx(0.81818, abs=5e-6)


def test_paradox_of_kappa() -> None:
    """With one common class kappa is near zero while AC1 follows the agreement, as Gwet shows."""
    counts = np.array([[2, 0]] * 118 + [[1, 1]] * 7)
    found = measure_agreement(*from_counts(counts), 2, rng=np.random.default_rng(0))
    shared = 118 / 125
    rare = 3.5 / 125
    assert found.percent.value == pytest.approx(shared)
    assert found.kappa.value == pytest.approx(
        (shared - rare**2 - (1 - rare) ** 2) / (2 * rare * (1 - rare))
    )
    chance = 2 * rare * (1 - rare)
    assert found.ac.value == pytest.approx((shared - chance) / (1 - chance))
    assert found.kappa.value < 0 < 0.94 < found.ac.value


def _by_definition(
    table: IntArray, weights: FloatArray, n_classes: int
) -> tuple[float, float, float]:
    """Percent (weighted), Fleiss-Gwet kappa and AC from a table, item by item and pair by pair."""
    shares, agreed = [], []
    for column in table.T:
        values = column[column > 0] - 1
        if values.size:
            shares.append(np.bincount(values, minlength=n_classes) / values.size)
        pairs = [
            weights[a, b] for i, a in enumerate(values) for j, b in enumerate(values) if i != j
        ]
        if pairs:
            agreed.append(np.mean(pairs))
    common, observed = np.mean(shares, axis=0), float(np.mean(agreed))
    kappa_chance = common @ weights @ common
    ac_chance = weights.sum() * (common * (1 - common)).sum() / (n_classes * (n_classes - 1))
    with np.errstate(divide="ignore", invalid="ignore"):
        return (
            observed,
            (observed - kappa_chance) / (1 - kappa_chance),
            (observed - ac_chance) / (1 - ac_chance),
        )


@examples(30)
@given(st.integers(0, 2**32 - 1), st.integers(2, 5), st.integers(2, 12), st.integers(2, 5))
def test_oracle_definition(seed: int, annotators: int, items: int, n_classes: int) -> None:
    """Kappa and AC at every level are their definitions, pair by pair."""
    rng = np.random.default_rng(seed)
    table = rng.integers(0, n_classes + 1, size=(annotators, items))
    apart = np.abs(np.subtract.outer(np.arange(n_classes), np.arange(n_classes)))
    weights = {
        "nominal": np.eye(n_classes),
        "ordinal": 1 - (apart * (apart + 1) / 2) / (n_classes * (n_classes - 1) / 2),
        "interval": 1 - (apart / (n_classes - 1)) ** 2,
    }
    for level, weight in weights.items():
        found = measure_agreement(
            *long_of(table),
            n_classes,
            rng=rng,
            level=level,
            resamples=0,  # type: ignore[arg-type]
        )
        if not found.items:
            assert found.kappa.value is found.ac.value is None
            continue
        observed, kappa, ac = _by_definition(table, weight, n_classes)
        if level == "nominal":
            assert found.percent.value == pytest.approx(observed)
        if np.isfinite(kappa):
            assert found.kappa.value == pytest.approx(kappa, abs=1e-9)
        assert found.ac.value == pytest.approx(ac, abs=1e-9)


def _textbook_by_distance(table: IntArray, n_classes: int, level: str) -> float:
    """Alpha of a table by the coincidence matrix and Krippendorff's distances."""
    o = np.zeros((n_classes, n_classes))
    for column in table.T:
        values = column[column > 0] - 1
        for i, a in enumerate(values):
            for j, b in enumerate(values):
                if i != j:
                    o[a, b] += 1 / (len(values) - 1)
    n = o.sum(axis=1)
    distance = np.zeros_like(o)
    for a in range(n_classes):
        for b in range(a + 1, n_classes):
            between = n[a : b + 1].sum() - (n[a] + n[b]) / 2
            distance[a, b] = distance[b, a] = between**2 if level == "ordinal" else (a - b) ** 2
    expected = (np.outer(n, n) * distance).sum() / (n.sum() - 1)
    return float(1 - (o * distance).sum() / expected) if expected > 0 else float("nan")


@examples(30)
@given(st.integers(0, 2**32 - 1), st.integers(2, 5), st.integers(1, 12), st.integers(2, 5))
def test_oracle_ordered_alpha(seed: int, annotators: int, items: int, n_classes: int) -> None:
    """Ordinal and interval alpha equal the coincidence matrix under their distances."""
    rng = np.random.default_rng(seed)
    table = rng.integers(0, n_classes + 1, size=(annotators, items))
    for level in ("ordinal", "interval"):
        expected = _textbook_by_distance(table, n_classes, level)
        result = krippendorff_alpha(
            *long_of(table),
            n_classes,
            rng=rng,
            level=level,
            resamples=0,  # type: ignore[arg-type]
        )
        if np.isnan(expected):
            assert result.alpha is None
        else:
            assert result.alpha == pytest.approx(expected)


def test_values_count_only_by_their_differences() -> None:
    """Interval agreement is the same in Celsius and Kelvin, tiny or huge, and not by ranks."""
    rng = np.random.default_rng(0)
    votes, values = long_of(OBSERVERS), np.array([0.0, 1.0, 2.0, 3.0, 10.0])
    found = [
        measure_agreement(*votes, 5, rng=rng, level="interval", values=v, resamples=0)
        for v in (values, values * 1e-9 + 273.15, -values * 1e6, None)
    ]
    for one in found[1:3]:
        assert one.alpha.value == pytest.approx(found[0].alpha.value, rel=1e-4)
        assert one.ac.value == pytest.approx(found[0].ac.value, rel=1e-4)
    assert found[3].alpha.value != pytest.approx(found[0].alpha.value, rel=1e-2)


def test_by_class_is_binary_agreement() -> None:
    """Per class every coefficient is that of the votes recoded as the class and the rest."""
    rng = np.random.default_rng(0)
    items, who, codes = long_of(OBSERVERS)
    by_class = agreement_by_class(agreement_partial(items, who, codes, 5), rng=rng, resamples=0)
    for code, found in enumerate(by_class):
        binary = np.where(codes < 0, -1, codes == code)
        assert found == measure_agreement(items, who, binary, 2, rng=rng, resamples=0)


def test_by_slice_is_agreement_of_the_slice() -> None:
    """Each slice has the agreement of its own items, whatever its votes are mixed with."""
    rng = np.random.default_rng(0)
    items, who, codes = long_of(OBSERVERS)
    groups = np.where(items % 3, "even", "third")
    order = rng.permutation(items.size)
    found = agreement_by_slice(
        items[order], who[order], codes[order], 5, groups[order], rng=rng, resamples=0
    )
    assert sorted(found) == ["even", "third"]
    for name, one in found.items():
        at = groups == name
        assert one == measure_agreement(items[at], who[at], codes[at], 5, rng=rng, resamples=0)
    with pytest.raises(UsageError, match="row 0 puts an item into another group"):
        agreement_by_slice([0, 0], [0, 1], [0, 1], 2, ["a", "b"], rng=rng)
    with pytest.raises(UsageError, match="expected one for each of 2 votes"):
        agreement_by_slice([0, 0], [0, 1], [0, 1], 2, ["a"], rng=rng)


def test_single_votes_say_only_how_common_classes_are() -> None:
    """An item with one vote changes kappa and AC, which use class shares, and nothing else."""
    items, who, codes = from_counts(PATIENTS)
    rng = np.random.default_rng(0)
    more = (np.append(items, 99), np.append(who, 0), np.append(codes, 1))
    one = measure_agreement(items, who, codes, 5, rng=rng, resamples=0)
    two = measure_agreement(*more, 5, rng=rng, resamples=0)
    assert one.alpha.value == pytest.approx(two.alpha.value, rel=1e-12)
    assert (one.percent.value, one.items) == (pytest.approx(two.percent.value), two.items)
    assert one.kappa.value != pytest.approx(two.kappa.value, rel=1e-4)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"level": "ratio"}, "level is 'ratio'"),
        ({"values": [0.0, 1.0]}, "values are for level 'interval'"),
        ({"level": "interval", "values": [0.0]}, "2 finite numbers"),
        ({"level": "interval", "values": ["a", "b"]}, "values must be numbers"),
        ({"level": "interval", "values": [0.0, np.nan]}, "2 finite numbers"),
        ({"codes": [0, 2]}, "row 1 is 2"),
        ({"codes": [0.5, np.nan]}, "expected integers"),
        ({"annotators": ["a", None]}, "row 1 is None"),
        ({"resamples": -1}, "resamples is -1"),
    ],
)
def test_wrong_use(change: dict[str, object], message: str) -> None:
    """Impossible levels, values and votes are refused in one line."""
    arguments: dict[str, object] = {"items": [0, 0], "annotators": [0, 1], "codes": [0, 1]}
    if "annotators" in change:
        change = {"annotators": np.array(change["annotators"], dtype=object)}
    with pytest.raises(UsageError, match=message):
        measure_agreement(
            **(arguments | change),
            n_classes=2,
            rng=np.random.default_rng(0),  # type: ignore[arg-type]
        )


@examples(30)
@given(st.integers(0, 2**32 - 1), st.integers(2, 5), st.integers(1, 12), st.integers(2, 4))
def test_oracle_textbook(seed: int, annotators: int, items: int, n_classes: int) -> None:
    """It equals the coincidence-matrix formula, and per class the formula on two classes."""
    rng = np.random.default_rng(seed)
    table = rng.integers(0, n_classes + 1, size=(annotators, items))
    result = krippendorff_alpha(*long_of(table), n_classes, rng=rng, resamples=1)
    expected = _textbook(table, n_classes) if result.items else float("nan")
    if np.isnan(expected):
        assert result.alpha is None
        return
    assert result.alpha == pytest.approx(expected)
    partial = agreement_partial(*long_of(table), n_classes)
    for code, found in enumerate(agreement_by_class(partial, rng=rng, resamples=0)):
        binary = np.where(table == 0, 0, np.where(table == code + 1, 2, 1))
        by_hand = _textbook(binary, 2)
        assert found.alpha.value == (None if np.isnan(by_hand) else pytest.approx(by_hand))


def test_order_of_votes_and_names_do_not_matter() -> None:
    """Shuffled votes, renamed items and permuted classes give the same alpha."""
    items, annotators, codes = long_of(OBSERVERS)
    rng = np.random.default_rng(1)
    order = rng.permutation(items.size)
    swap = np.array([3, 0, 4, 1, 2, -1])
    one = krippendorff_alpha(items, annotators, codes, 5, rng=rng)
    two = krippendorff_alpha(
        1000 - 7 * items[order], 9 - annotators[order], swap[codes[order]], 5, rng=rng
    )
    assert one.alpha == pytest.approx(two.alpha)


def test_merging_shards_changes_nothing() -> None:
    """Partials of shards, merged in any order, give the alpha of the whole."""
    items, annotators, codes = long_of(OBSERVERS)
    shards = [
        agreement_partial(items[s], annotators[s], codes[s], 5)
        for s in (items < 4, (items >= 4) & (items < 5), items >= 5)
    ]
    whole = agreement_partial(items, annotators, codes, 5)
    for merged in (
        shards[0].merge(shards[1]).merge(shards[2]),
        shards[2].merge(shards[0].merge(shards[1])),
    ):
        found = [finish_measures(p, rng=np.random.default_rng(0)) for p in (merged, whole)]
        assert found[0] == found[1]
    with pytest.raises(UsageError, match="cannot merge"):
        whole.merge(agreement_partial([], [], [], 2))


@pytest.mark.parametrize(
    ("votes", "reason"),
    [
        (([], [], []), "no item has two votes"),
        (([0, 1], [0, 0], [0, 1]), "no item has two votes"),
        (([0, 0], [0, 1], [0, -1]), "no item has two votes"),
        (([0, 0], [0, 0], [0, 1]), "no item has two votes"),
        (([0, 0], [0, 1], [1, 1]), "all votes name one class"),
    ],
)
def test_says_why_there_is_none(votes: tuple[list[int], list[int], list[int]], reason: str) -> None:
    """Without pairs, or without variation, alpha is None with the reason."""
    result = krippendorff_alpha(*votes, 2, rng=np.random.default_rng(0))
    assert result.alpha is result.low is result.high is None
    assert reason in result.reason


def test_later_vote_of_an_annotator_counts() -> None:
    """A second vote of an annotator on an item replaces the first instead of agreeing with it."""
    once = agreement_partial([0, 0, 1, 1], [0, 1, 0, 1], [0, 1, 1, 1], 2)
    twice = agreement_partial([0, 0, 1, 0, 1], [0, 1, 0, 0, 1], [1, 1, 1, 0, 1], 2)
    rng = np.random.default_rng(0)
    assert finish_agreement(once, rng=rng).alpha == finish_agreement(twice, rng=rng).alpha


def test_lengths_must_match() -> None:
    """Arrays of different length are refused."""
    with pytest.raises(UsageError, match="one length"):
        agreement_partial([0], [0, 1], [0], 2)
