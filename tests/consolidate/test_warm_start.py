"""A consensus that goes on from the one before: the same labels, in less time."""

from __future__ import annotations

import sys

import numpy as np
import pytest

from labelops.consolidate.choose import consolidate_codes
from labelops.measure.codes import IntArray

from ..crowds import clear_crowd


@pytest.mark.slow
def test_warm_start_goes_on_from_yesterday() -> None:
    """Yesterday's skills, or posterior, give the same labels in fewer steps."""
    _, items, who, codes = clear_crowd(6)
    cold = consolidate_codes(items, who, codes, 200, 3)
    for start in (cold, cold.posterior):
        warm = consolidate_codes(items, who, codes, 200, 3, start=start)
        assert (warm.posterior.argmax(axis=1) == cold.posterior.argmax(axis=1)).mean() > 0.98
        assert warm.iterations < cold.iterations
    grown = consolidate_codes(
        np.append(items, 0), np.append(who, 6), np.append(codes, 0), 200, 3, start=cold
    )
    assert len(grown.accuracy) == 7


def _days(seed: int) -> tuple[IntArray, IntArray, IntArray, IntArray]:
    """Votes of thirty people, and which of them, one in fifty, came today."""
    rng = np.random.default_rng(seed)
    n_items, people, n_classes = 1500, 30, 4
    truth = rng.integers(0, n_classes, n_items)
    items = np.repeat(np.arange(n_items), 5)
    who = np.argsort(rng.random((n_items, people)), axis=1)[:, :5].ravel()
    skill = rng.beta(6, 3, people)
    wrong = (truth[items] + rng.integers(1, n_classes, items.size)) % n_classes
    codes = np.where(rng.random(items.size) < skill[who], truth[items], wrong)
    return items, who, codes, np.flatnonzero(rng.random(items.size) < 0.02)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(8))
def test_a_day_later_it_ends_where_it_does_anew(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """With one vote in fifty new, a warm start says what a cold one does, and weighs nothing."""
    items, who, codes, new = _days(seed)
    size = {"n_items": 1500, "n_classes": 4, "n_annotators": 30}
    old = np.delete(np.arange(items.size), new)
    before = consolidate_codes(items[old], who[old], codes[old], **size)
    cold = consolidate_codes(items, who, codes, **size)

    def nobody(*_: object) -> None:
        raise AssertionError("methods were held against votes again")

    with monkeypatch.context() as patch:
        patch.setattr(sys.modules["labelops.consolidate.blend"], "held_out_votes", nobody)
        warm = consolidate_codes(items, who, codes, **size, start=before)
    assert (warm.method, warm.weights) == (cold.method, before.weights)
    assert warm.weights == pytest.approx(cold.weights, abs=0.15)
    assert warm.iterations < cold.iterations
    labels = (warm.posterior.argmax(axis=1), cold.posterior.argmax(axis=1))
    assert (labels[0] == labels[1]).mean() >= 0.995
    assert np.abs(warm.posterior - cold.posterior).mean() < 0.005
    np.testing.assert_allclose(warm.accuracy, cold.accuracy, atol=0.02)
    np.testing.assert_allclose(warm.accuracy_low, cold.accuracy_low, atol=0.02)


@pytest.mark.slow
def test_methods_are_weighed_anew_when_votes_are_others() -> None:
    """Small days add up: when a twentieth is other than what was weighed, it is weighed anew."""
    items, who, codes, _ = _days(0)
    size = {"n_items": 1500, "n_classes": 4, "n_annotators": 30}
    ends = [int(items.size * share) for share in (0.9, 0.93, 0.96, 1.0)]
    days = [consolidate_codes(items[: ends[0]], who[: ends[0]], codes[: ends[0]], **size)]
    for end in ends[1:]:
        days.append(consolidate_codes(items[:end], who[:end], codes[:end], **size, start=days[-1]))
    assert days[1].scores == days[0].scores
    assert days[2].scores != days[1].scores
    assert days[3].scores == days[2].scores
    # As many votes of the same people, who say something else now.
    turned = np.where(np.arange(codes.size) % 8 == 0, (codes + 1) % 4, codes)
    other = consolidate_codes(items, who, turned, **size, start=days[3])
    assert other.scores != days[3].scores
    # A new annotator alone leaves them; other methods to blend do not.
    grown = consolidate_codes(
        np.append(items, 0), np.append(who, 30), np.append(codes, 0), 1500, 4, start=days[3]
    )
    assert grown.scores == days[3].scores
