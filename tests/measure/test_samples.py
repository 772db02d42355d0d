"""Random samples, active selections, training sets: fair draws, and types that never mix."""

from __future__ import annotations

import copy
import dataclasses
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from labelops.autolabel.policy import AcceptancePolicy
from labelops.autolabel.trial import try_labeler
from labelops.errors import UsageError
from labelops.gate.audit_state import audit_state
from labelops.gate.policy import GatePolicy
from labelops.measure.adjudication import Adjudication
from labelops.measure.chosen import ActiveSelection, TrainingSet, choose_active, training_set
from labelops.measure.samples import (
    RandomSample,
    _in_order,
    draw_growing,
    draw_sample,
    draw_weighted,
)
from labelops.route import overlap_needs, sample_needs

from ..examples import examples

IDS = [f"i{i}" for i in range(40)]
CHOSEN = choose_active(IDS, np.arange(40.0), 4, apart_from=[])
NONE = np.zeros(4, dtype=np.int64)


@examples(40)
@given(st.sets(st.sampled_from(IDS), min_size=1), st.integers(0, 45))
def test_draw_is_order_free_and_nested(ids: set[str], size: int) -> None:
    """The draw does not depend on the order of items; a larger sample begins with the smaller."""
    known = sorted(ids)
    sample = draw_sample(b"k", "audit", known, size)
    assert draw_sample(b"k", "audit", known[::-1], size).ids.tolist() == sample.ids.tolist()
    larger = draw_sample(b"k", "audit", known, size + 1)
    assert larger.first(size).ids.tolist() == sample.ids.tolist()
    assert (len(sample), sample.total) == (min(size, len(known)), len(known))


@pytest.mark.slow
@examples(40)
@given(st.sets(st.sampled_from(IDS)), st.sets(st.sampled_from(IDS)), st.integers(1, 20))
def test_earlier_looks_count_in_a_grown_set(before: set[str], more: set[str], size: int) -> None:
    """Of a grown set's sample, the items known before were all in the earlier sample."""
    first = draw_sample(b"k", "a", sorted(before), size)
    later = draw_sample(b"k", "a", sorted(before | more), size)
    assert set(later.ids) & before <= set(first.ids)


@examples(40)
@given(st.lists(st.integers(0, 5), min_size=1, max_size=40), st.integers(0, 20))
def test_what_was_drawn_stays_in_its_place(arrived: list[int], most: int) -> None:
    """A sample drawn again when items arrive begins with the earlier one, and is drawn each time.

    By the definition: whatever was among the first of the items there were at some arrival.
    """
    ids = IDS[: len(arrived)]

    def size(n: int) -> int:
        return min(most, n // 2)

    found = draw_growing(b"k", "a", ids, arrived, size).ids.tolist()
    expected: list[str] = []
    for now in sorted(set(arrived)):
        there = [i for i, when in zip(ids, arrived, strict=True) if when <= now]
        now_drawn = draw_sample(b"k", "a", there, size(len(there))).ids.tolist()
        expected += [i for i in now_drawn if i not in expected]
        early = [when for when in arrived if when <= now]
        assert draw_growing(b"k", "a", there, early, size).ids.tolist() == expected
    assert found == expected


@examples(40)
@given(
    st.lists(st.tuples(st.sampled_from(IDS), st.integers(0, 3)), unique_by=lambda p: p[0]),
    st.integers(0, 12),
    st.integers(0, 12),
)
def test_what_was_read_stays_first_whatever_is_asked_for(
    items: list[tuple[str, int]], earlier: int, later: int
) -> None:
    """Of a larger or smaller sample, what was read comes first, as it was; the rest is added."""
    ids, arrived = [i for i, _ in items], [when for _, when in items]
    read = draw_growing(b"k", "a", ids, arrived, lambda n: min(earlier, n // 2)).ids.tolist()
    alone = draw_growing(b"k", "a", ids, arrived, lambda n: min(later, n // 2)).ids.tolist()
    found = draw_growing(b"k", "a", ids, arrived, lambda n: min(later, n // 2), read=read)
    assert found.ids.tolist() == read + [i for i in alone if i not in read]


@examples(40)
@given(
    st.lists(st.tuples(st.sampled_from(IDS), st.integers(0, 3)), unique_by=lambda p: p[0]),
    st.integers(0, 12),
)
def test_who_is_drawn_anew_is_drawn_as_if_alone(items: list[tuple[str, int]], most: int) -> None:
    """Later items are drawn as a set of their own beside the whole; nobody else comes in."""
    ids, arrived = [i for i, _ in items], [when for _, when in items]

    def size(n: int) -> int:
        return min(most, n // 2)

    late = [(i, when) for i, when in items if when > 1]
    alone = draw_growing(b"k", "a", [i for i, _ in late], [w for _, w in late], size)
    every = draw_growing(b"k", "a", ids, arrived, size).ids.tolist()
    found = draw_growing(b"k", "a", ids, arrived, size, anew=1)
    assert found.total == len(ids) and found.ids.tolist()[: len(every)] == every
    assert set(found.ids) == {*every, *alone.ids}


def test_a_draw_is_fair() -> None:
    """Over 2,000 keys each of ten items is drawn first about as often (χ², 0.1 %)."""
    firsts = [draw_sample(str(k).encode(), "a", IDS[:10], 1).ids[0] for k in range(2_000)]
    counts = np.array([firsts.count(i) for i in IDS[:10]])
    assert ((counts - 200) ** 2 / 200).sum() < 27.9


@pytest.mark.parametrize("size", [0, -3])
def test_nothing_to_draw(size: int) -> None:
    """A sample of no items is empty, not an error."""
    assert draw_sample(b"k", "a", IDS, size).ids.tolist() == []
    assert draw_sample(b"k", "a", IDS).first(size).ids.tolist() == []
    weighted = draw_weighted(b"k", "a", IDS, np.ones(40))
    assert weighted.first(size).ids.tolist() == []
    assert choose_active(IDS, np.arange(40.0), size, apart_from=[]).ids.tolist() == []
    assert draw_growing(b"k", "a", IDS, np.arange(40), lambda n: size).ids.tolist() == []


@pytest.mark.slow
def test_draws_by_chance_are_as_likely_as_told() -> None:
    """Over 2,000 keys each item comes first as often as its chance says (χ², 0.1 %)."""
    chances = np.array([0.05, 0.15, 0.3, 0.5])
    firsts = [draw_weighted(str(k).encode(), "a", IDS[:4], chances).ids[0] for k in range(2_000)]
    counts = np.array([firsts.count(i) for i in IDS[:4]])
    assert ((counts - 2000 * chances) ** 2 / (2000 * chances)).sum() < 16.3


def test_equal_draws_are_ordered_by_id() -> None:
    """In whatever order items are told, so that a sample is the same each time."""
    ids = np.array(["b", "c", "a"], dtype=object)
    assert ids[_in_order(np.array([0.5, 0.1, 0.5]), ids)].tolist() == ["c", "a", "b"]


def test_each_chance_stays_with_its_item() -> None:
    """In whatever order items are told, and in a part of the sample all chances are there."""
    chances = dict(zip(IDS, np.arange(1.0, 41.0), strict=True))
    sample = draw_weighted(b"k", "a", IDS, list(chances.values()))
    assert sample.chances.tolist() == [chances[i] for i in sample.ids]
    back = draw_weighted(b"k", "a", IDS[::-1], list(chances.values())[::-1])
    assert back.ids.tolist() == sample.ids.tolist()
    assert back.chances.tolist() == sample.chances.tolist()
    part = sample.first(3)
    assert part.ids.tolist() == sample.ids[:3].tolist() and (len(part), part.total) == (3, 40)
    assert part.chances.tolist() == sample.chances.tolist()


def test_a_part_of_a_sample_is_in_its_order() -> None:
    """Without what was left out; it says still how many it was drawn from."""
    sample = draw_sample(b"k", "a", IDS, 10)
    part = sample.part(np.arange(10) % 2 == 0)
    assert part.ids.tolist() == sample.ids[::2].tolist()
    assert (part.total, part.stream) == (40, "a")


def test_a_training_set_is_what_was_given() -> None:
    """Each item with its class."""
    found = training_set(["b", "a"], [1, 0], apart_from=[])
    assert found.ids.tolist() == ["b", "a"] and found.codes.tolist() == [1, 0]
    with pytest.raises(UsageError, match="2 items, 1 codes"):
        training_set(["b", "a"], [1], apart_from=[])


@pytest.mark.parametrize(
    "make",
    [
        lambda: RandomSample(CHOSEN.ids, 40, "audit", object()),
        lambda: ActiveSelection(CHOSEN.ids, None),
        lambda: TrainingSet(CHOSEN.ids, NONE, None),
        lambda: dataclasses.replace(draw_sample(b"k", "a", IDS), ids=CHOSEN.ids),
        lambda: draw_sample(b"k", "a", IDS).ids.sort(),
    ],
)
def test_nothing_is_put_together_by_hand(make: Callable[[], object]) -> None:
    """No chosen items can be called a random sample, neither made so nor written into one."""
    # Python 3.13 says it of a `replace` without the seal by another name than those before.
    with pytest.raises((UsageError, ValueError, TypeError)):
        make()
    kept = draw_sample(b"k", "a", IDS)
    assert copy.copy(kept).ids.tolist() == kept.ids.tolist()


@pytest.mark.parametrize(
    "use",
    [
        lambda chosen: sample_needs(chosen, NONE, NONE == 0, "audit"),
        lambda chosen: overlap_needs(chosen, NONE, NONE + 2, "label"),
        lambda chosen: audit_state(
            chosen, NONE, Adjudication(NONE, NONE, NONE, NONE), GatePolicy()
        ),
        lambda chosen: try_labeler(None, chosen, NONE, [], AcceptancePolicy()),
        lambda chosen: training_set(IDS, np.zeros(40), apart_from=[chosen]),
    ],
)
def test_a_guarantee_refuses_chosen_items(use: Callable[[object], object]) -> None:
    """Where a guarantee rests on chance, an active selection (or a plain list) is refused."""
    for chosen in (CHOSEN, CHOSEN.ids.tolist()):
        with pytest.raises(UsageError, match="expected a RandomSample"):
            use(chosen)


def test_a_sample_is_neither_chosen_nor_learned_from() -> None:
    """One item of a random sample among the chosen, or the learned, is named and refused."""
    sample = draw_sample(b"k", "calibrate", IDS, 3)
    with pytest.raises(UsageError, match="'calibrate' cannot be learned from"):
        training_set(IDS, np.zeros(40), apart_from=[sample])
    with pytest.raises(UsageError, match="'calibrate' cannot be chosen"):
        choose_active(sample.ids[:1], [1.0], 1, apart_from=[sample])
    rest = np.setdiff1d(IDS, sample.ids.astype(str))
    assert len(training_set(rest, np.zeros(37), apart_from=[sample])) == 37


def test_the_most_valuable_come_first() -> None:
    """Choosing goes by falling value, then by id; NaN is no value."""
    found = choose_active(["b", "a", "c"], [0.5, 0.5, 0.9], 2, apart_from=[])
    assert found.ids.tolist() == ["c", "a"] and len(found) == 2
    with pytest.raises(UsageError, match="NaN"):
        choose_active(["a"], [np.nan], 1, apart_from=[])


MIXED = """
from labelops.measure.chosen import choose_active, training_set
from labelops.measure.samples import draw_sample
from labelops.route import sample_needs
sample = draw_sample(b"k", "audit", ["a", "b"], 1)
chosen = choose_active(["a"], [1.0], 1, apart_from=[{apart}])
sample_needs({asked}, [0], [True], "audit")
"""


@pytest.mark.slow
def test_a_mix_up_does_not_type_check(tmp_path: Path) -> None:
    """A type checker accepts the proper use and refuses the sample and the selection exchanged."""
    good, bad = tmp_path / "good.py", tmp_path / "bad.py"
    good.write_text(MIXED.format(apart="sample", asked="sample"))
    bad.write_text(MIXED.format(apart="sample", asked="chosen"))
    command = [sys.executable, "-m", "mypy", "--strict", "--no-error-summary"]
    command += ["--cache-dir", str(tmp_path / "cache"), "--follow-imports", "silent"]
    root = Path(__file__).resolve().parents[2]
    done = subprocess.run(
        [*command, str(good), str(bad)], cwd=root, capture_output=True, text=True, check=False
    )
    assert "good.py" not in done.stdout, done.stdout + done.stderr
    assert 'bad.py:7: error: Argument 1 to "sample_needs" has incompatible type' in done.stdout
