"""Attempts to accept: each has its own risk, and together they stay within δ."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from labelops.autolabel.hypotheses import (
    Hypothesis,
    accepted_items,
    best,
    pool_digest,
    read_hypotheses,
)
from labelops.autolabel.policy import AcceptancePolicy
from labelops.autolabel.trial import try_labeler
from labelops.errors import SettingsError
from labelops.measure.samples import draw_sample

POLICY = AcceptancePolicy(error=0.05, risk=0.05)
N, SAMPLE = 1000, 400


def _pool(version: str = "v1") -> pd.DataFrame:
    scores = np.random.default_rng(5).beta(5, 1, N)
    return pd.DataFrame(
        {
            "item_id": [f"i{i}" for i in range(N)],
            "confidence": scores,
            "labeler_version": version,
            "value": '"cat"',
        }
    )


def _try(wrong_share: float, earlier: list[Hypothesis], policy: AcceptancePolicy) -> Hypothesis:
    rng = np.random.default_rng(7)
    sample = draw_sample(b"k", "calibrate", _pool()["item_id"], SAMPLE)
    return try_labeler(_pool(), sample, rng.random(SAMPLE) < wrong_share, earlier, policy)


@pytest.mark.slow
def test_risks_sum_to_delta() -> None:
    """The risks of 200 attempts sum to less than δ, and the first gets 6/π² of it."""
    made: list[Hypothesis] = []
    for _ in range(200):
        made.append(_try(0.01, made, POLICY))
    risks = [h.risk for h in made]
    assert 0.99 * POLICY.risk < sum(risks) < POLICY.risk
    assert risks[0] == pytest.approx(POLICY.risk * 6 / np.pi**2)
    assert [h.number for h in made] == list(range(1, 201))


@pytest.mark.parametrize("rule", ["joint", "selective"])
def test_good_and_bad_labelers(rule: str) -> None:
    """One without errors is accepted, one wrong on every third item is not."""
    policy = replace(POLICY, rule=rule)
    good, bad = _try(0.0, [], policy), _try(0.34, [], policy)
    assert good.threshold is not None
    assert good.accepted > N / 2
    # Jointly, a handful of the surest may pass: they cannot be 5 % of the whole set.
    assert bad.threshold is None or bad.accepted < 0.2 * N
    assert (good.rule, good.sample, good.pool_size) == (rule, SAMPLE, N)


def test_a_later_attempt_is_held_to_more() -> None:
    """The same evidence accepts no more at a smaller risk."""
    first = _try(0.02, [], POLICY)
    late = _try(0.02, [first] * 50, POLICY)
    assert late.risk < first.risk
    assert late.accepted <= first.accepted


def test_body_round_trip() -> None:
    """A hypothesis read from its event is the same one; they come by number."""
    first = _try(0.0, [], POLICY)
    second = replace(first, number=2, threshold=None, closed="drift")
    assert read_hypotheses(pd.Series([second.to_body(), first.to_body()])) == [first, second]


def test_best() -> None:
    """The one that accepts most stands, the later of equals; closed and empty ones never."""
    one = _try(0.0, [], POLICY)
    same = replace(one, number=2)
    closed = replace(one, number=3, accepted=N, closed="audit found errors")
    empty = replace(one, number=4, threshold=None, accepted=N)
    assert best([one, same, closed, empty]) == same
    assert best([closed, empty]) is None
    assert best([]) is None


def test_accepted_items() -> None:
    """Accepted are exactly this version's proposals in the pool at or above the threshold."""
    h = replace(_try(0.0, [], POLICY), threshold=0.8, labeler_version="v1")
    rows = pd.DataFrame(
        {
            "item_id": ["in", "low", "edge", "nan", "outside", "other", "abstained"],
            "labeler_version": ["v1"] * 5 + ["v2", "v1"],
            "confidence": [0.9, 0.79, 0.8, np.nan, 0.9, 0.9, 0.9],
            "value": ['"cat"'] * 6 + [None],
        }
    )
    pool = [i for i in rows["item_id"] if i != "outside"]
    assert accepted_items(h, rows, pool)["item_id"].tolist() == ["in", "edge"]
    for nothing in (None, replace(h, threshold=None)):
        assert accepted_items(nothing, rows, pool).empty


def test_pool_digest() -> None:
    """A pool is a set of ids: order does not matter, one id more does."""
    assert pool_digest(["a", "b"]) == pool_digest(["b", "a"])
    assert len({pool_digest(x) for x in (["a", "b"], ["ab"], ["a"], [])}) == 4


@pytest.mark.parametrize(
    ("name", "bad"),
    [("error", 1.0), ("error", -0.1), ("risk", 1.0), ("growth", 1.0), ("growth", float("nan"))],
)
def test_bad_policy(name: str, bad: float) -> None:
    """A number out of range is named with its section."""
    with pytest.raises(SettingsError, match=f"accept.{name}"):
        AcceptancePolicy(**{name: bad})  # type: ignore[arg-type]


def test_a_bad_class_shows_by_class() -> None:
    """A pooled bound hides a class; the table by class counts its items and errors, and is kept."""
    ids = [f"i{n:03d}" for n in range(400)]
    values = ['"cat"'] * 380 + ['"owl"'] * 20
    pool = pd.DataFrame(
        {"item_id": ids, "confidence": 0.9, "value": values, "labeler_version": "m1"}
    )
    sample = draw_sample(b"k", "calibrate", ids)
    wrong = np.isin(sample.ids, ids[380:384])
    found = try_labeler(pool, sample, wrong, [], AcceptancePolicy(error=0.05, rule="selective"))
    assert found.by_class == (('"cat"', 380, 0, 380, 0.9), ('"owl"', 20, 4, 20, 0.9))
    # Clopper–Pearson, 4 of 20 at one-sided 95%: 0.4010 (R: binom.test(4, 20, alt = "l")).
    assert "owl: 4 of 20 wrong, at most 40.1 %" in found.classes_in_words
    assert read_hypotheses(pd.Series([found.to_body()])) == [found]
    old = {k: v for k, v in json.loads(found.to_body()).items() if k != "by_class"}
    assert read_hypotheses(pd.Series([json.dumps(old)]))[0].by_class == ()
