"""Testing a labeler: class by class, look after look, version after version."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest
from scipy.stats import binom

from labelops.autolabel.hypotheses import (
    Hypothesis,
    accepted_items,
    close,
    read_hypotheses,
    standing,
)
from labelops.autolabel.policy import AcceptancePolicy
from labelops.autolabel.trial import look_again, still_passes, try_labeler
from labelops.errors import SettingsError
from labelops.measure.samples import RandomSample, draw_sample

ERROR = 0.05
CLASSES = ('"cat"', '"cow"', '"dog"')
SHARES, WRONG = (0.5, 0.38, 0.12), (0.002, 0.004, 0.1)
"""Of all labels 1.5 % are wrong, of those proposed as dogs 10 %."""


def _pool(rng: np.random.Generator, n: int) -> tuple[pd.DataFrame, npt.NDArray[np.bool_]]:
    """Return proposals whose scores say nothing, and which of them are wrong."""
    code = rng.choice(3, size=n, p=SHARES)
    frame = pd.DataFrame(
        {
            "item_id": [f"i{i:05d}" for i in range(n)],
            "confidence": rng.random(n),
            "value": np.array(CLASSES, dtype=object)[code],
            "labeler_version": "v1",
        }
    )
    return frame, rng.random(n) < np.array(WRONG)[code]


def _wrong(pool: pd.DataFrame, bad: npt.NDArray[np.bool_], sample: RandomSample) -> pd.Series:
    return pd.Series(bad, index=pool["item_id"]).reindex(sample.ids)


def _try(policy: AcceptancePolicy, seed: int, n: int = 4000, looks: int = 1500) -> Hypothesis:
    rng = np.random.default_rng(seed)
    pool, bad = _pool(rng, n)
    sample = draw_sample(b"k%d" % seed, "calibrate", pool["item_id"], looks)
    return try_labeler(pool, sample, _wrong(pool, bad, sample), [], policy, CLASSES)


def _accepted(found: Hypothesis, value: str) -> int:
    return next(c.accepted for c in found.by_class if c.value == value)


@pytest.mark.slow
@pytest.mark.parametrize("test", ["fixed", "e-process"])
def test_per_class_the_bound_holds_in_the_worst_class(test: str) -> None:
    """A class with 10 % wrong is hardly ever accepted by itself; with all together it mostly is."""
    own = AcceptancePolicy(rule="selective", test=test, error=ERROR, per_class=True)
    runs = [_try(own, seed) for seed in range(20)]
    # Scores say nothing: whatever is accepted of the dogs, 10 % of it is wrong.
    assert np.mean([_accepted(h, '"dog"') > 0 for h in runs]) <= 0.07
    assert np.mean([_accepted(h, '"cat"') > 0 for h in runs]) >= 0.8, "and it has power"
    pooled = [_try(replace(own, per_class=False), seed) for seed in range(12)]
    assert np.mean([_accepted(h, '"dog"') > 0 for h in pooled]) >= 0.5


def test_per_class_cut_offs_accept_by_class() -> None:
    """Each class has its own cut-off, and one that did not pass accepts nothing, however sure."""
    found = _try(AcceptancePolicy(rule="selective", error=ERROR, per_class=True), 3)
    assert found.classes == CLASSES and len(found.cutoffs) == 3
    cuts = dict(found.thresholds)
    assert '"dog"' not in cuts and found.threshold == min(cuts.values())
    assert "dog" in found.reason and f"{len(cuts)} of 3 classes are accepted" in found.reason
    rows = pd.DataFrame(
        {
            "item_id": ["a", "b", "c"],
            "labeler_version": "v1",
            "confidence": [0.999, 0.999, cuts['"cat"'] - 1e-6],
            "value": ['"cat"', '"dog"', '"cat"'],
        }
    )
    assert accepted_items(found, rows, ["a", "b", "c"])["item_id"].tolist() == ["a"]
    assert read_hypotheses(pd.Series([found.to_body()])) == [found]


def test_the_risk_of_a_class_is_its_share() -> None:
    """With C classes each is tested at δ/C: one class alone needs fewer looks than one of ten."""
    ids = [f"i{n:03d}" for n in range(400)]
    pool = pd.DataFrame(
        {"item_id": ids, "confidence": 0.9, "value": '"cat"', "labeler_version": "v1"}
    )
    # 1st hypothesis, faultless: ln(0.0304)/ln(0.95) = 69 looks for one class, 113 for ten.
    policy = AcceptancePolicy(rule="selective", test="fixed", error=ERROR, per_class=True)
    for classes, least in ((('"cat"',), 69), (('"cat"', *map(str, range(9))), 113)):
        for looks, passes in ((least - 1, False), (least, True)):
            sample = draw_sample(b"k", "c", ids, looks)
            found = try_labeler(pool, sample, np.zeros(looks), [], policy, classes)
            assert (found.threshold is not None) is passes


def test_looks_go_on_at_one_risk_and_with_the_same_cut_offs() -> None:
    """A grown sample is another look: number, risk and cut-offs stay, looks count up."""
    rng = np.random.default_rng(5)
    pool, bad = _pool(rng, 4000)
    policy = AcceptancePolicy(rule="selective", error=ERROR)
    sample = draw_sample(b"k", "calibrate", pool["item_id"], 200)
    first = try_labeler(pool, sample, _wrong(pool, bad, sample), [], policy)
    assert first.threshold is None and (first.looks, first.number) == (1, 1)
    more = draw_sample(b"k", "calibrate", pool["item_id"], 1500)
    found = look_again(first, pool, more, _wrong(pool, bad, more))
    assert found.threshold is not None and (found.looks, found.sample) == (2, 1500)
    assert (found.number, found.risk, found.cutoffs) == (1, first.risk, first.cutoffs)
    closed = close(found, "votes", "gone")
    again = look_again(closed, pool, more, _wrong(pool, bad, more))
    assert (again.closed, again.cause, again.threshold) == ("", "", found.threshold)


def _any_accepted(share: float, versions: int, runs: int, *, honest: bool) -> float:
    """How often one of many useless versions is accepted on one calibration sample."""
    rng = np.random.default_rng(6)
    ids = [f"i{n:04d}" for n in range(400)]
    pool = pd.DataFrame({"item_id": ids, "confidence": 1.0, "labeler_version": "v"})
    sample = draw_sample(b"k", "calibrate", ids, 399)
    policy = AcceptancePolicy(test="fixed", rule="selective", error=ERROR)
    hits = 0
    for _ in range(runs):
        made: list[Hypothesis] = []
        for _ in range(versions):
            wrong = rng.random(399) < share
            found = try_labeler(pool, sample, wrong, made if honest else [], policy)
            made.append(found)
        hits += any(h.threshold is not None for h in made)
    return hits / runs


@pytest.mark.slow
def test_twelve_versions_share_the_risk() -> None:
    """Of twelve versions a bit too bad hardly one passes; at the first one's risk each, some do."""
    assert _any_accepted(1.02 * ERROR, 12, 60, honest=True) <= 0.085
    assert _any_accepted(1.02 * ERROR, 12, 60, honest=False) >= 0.15
    assert _any_accepted(0.3 * ERROR, 2, 30, honest=True) >= 0.9, "and a good one passes"


def _risked(risk: float, *, honest: bool) -> list[float]:
    """Give the exact chance of each of twelve useless versions, just at the bound, to be accepted.

    One score for all: a version is accepted or not by the number of errors in its sample.
    """
    ids = [f"i{n:04d}" for n in range(400)]
    pool = pd.DataFrame({"item_id": ids, "confidence": 1.0, "labeler_version": "v"})
    sample = draw_sample(b"k", "calibrate", ids, 399)
    policy = AcceptancePolicy(test="fixed", rule="selective", error=ERROR, risk=risk)
    made: list[Hypothesis] = []
    chances = []
    for _ in range(12):
        before = made if honest else []
        most = -1
        while (
            try_labeler(pool, sample, np.arange(399) < most + 1, before, policy).threshold
            is not None
        ):
            most += 1
        made.append(try_labeler(pool, sample, np.ones(399, dtype=bool), before, policy))
        chances.append(float(binom.cdf(most, 399, ERROR)))
    return chances


@pytest.mark.slow
def test_the_risk_of_all_versions_adds_up_to_the_one_that_is_told() -> None:
    """Exactly; twice the risk would break it, and so do versions that do not share it."""
    risk = AcceptancePolicy().risk
    assert sum(_risked(risk, honest=True)) <= risk < sum(_risked(2 * risk, honest=True))
    assert sum(_risked(risk, honest=False)) > 4 * risk


def test_still_passes() -> None:
    """What is left of a sample shows the same as long as it is enough."""
    rng = np.random.default_rng(7)
    pool, bad = _pool(rng, 4000)
    sample = draw_sample(b"k", "calibrate", pool["item_id"], 1500)
    wrong = _wrong(pool, bad, sample).to_numpy()
    for policy in (
        AcceptancePolicy(error=ERROR),
        AcceptancePolicy(error=ERROR, test="fixed"),
        AcceptancePolicy(error=ERROR, rule="selective", per_class=True),
    ):
        found = try_labeler(pool, sample, wrong, [], policy, CLASSES)
        assert found.threshold is not None
        assert still_passes(found, pool, sample.ids, wrong)
        assert not still_passes(found, pool, sample.ids[:40], wrong[:40])
        assert not still_passes(found, pool, sample.ids[:0], wrong[:0])
        assert not still_passes(found, pool, sample.ids, np.ones(1500, dtype=bool))


@pytest.mark.parametrize("per_class", [False, True])
def test_a_planned_look_bears_more_errors(per_class: bool) -> None:
    """What was planned when the labeler was fitted is kept, and holds at later looks."""
    pool, _ = _pool(np.random.default_rng(9), 4000)
    sample = draw_sample(b"k", "calibrate", pool["item_id"], 1200)
    wrong = np.zeros(1200, dtype=bool)
    wrong[:300:60] = not per_class
    values = pool.set_index("item_id")["value"].reindex(sample.ids).to_numpy()
    if per_class:
        wrong[np.flatnonzero(values[:300] == CLASSES[0])[0]] = True
    policy = AcceptancePolicy(error=ERROR)
    if per_class:
        policy = AcceptancePolicy(error=ERROR, rule="selective", per_class=True)
    first = sample.first(300)
    bare = try_labeler(pool, first, wrong[:300], [], policy, CLASSES)
    plan = try_labeler(pool, first, wrong[:300], [], policy, CLASSES, planned=300)
    assert (bare.planned, plan.planned) == (0, 300)
    assert plan.accepted > bare.accepted
    assert read_hypotheses(pd.Series([plan.to_body()])) == [plan]
    again = look_again(plan, pool, sample.first(310), wrong[:310])
    assert again.planned == 300 and again.accepted >= plan.accepted
    fixed = try_labeler(
        pool, first, wrong[:300], [], AcceptancePolicy(test="fixed"), CLASSES, planned=300
    )
    assert fixed.planned == 0, "a fixed test is its own plan"


def test_a_class_is_not_at_its_planned_look_before_all_are() -> None:
    """How many of the planned looks a class will have is not known from those so far."""
    pool, _ = _pool(np.random.default_rng(9), 4000)
    sample = draw_sample(b"k", "calibrate", pool["item_id"], 300)
    values = pool.set_index("item_id")["value"].reindex(sample.ids)
    # One error, above each cut-off: of 149 looks at cats that is borne at the planned look only.
    place = np.flatnonzero(values == CLASSES[0])[70]
    wrong = np.arange(300) == place
    pool.loc[pool["item_id"] == sample.ids[place], "confidence"] = 1.0
    policy = AcceptancePolicy(error=ERROR, rule="selective", per_class=True)
    found = [
        try_labeler(pool, sample, wrong, [], policy, CLASSES, planned=planned).thresholds
        for planned in (300, 305, 900)
    ]
    assert [[value for value, _ in each] for each in found] == [[*CLASSES[:2]]] * 2 + [[]]


def test_nothing_to_test_on() -> None:
    """Without a score, a class or a look nothing is accepted, and it is said why."""
    ids = [f"i{n:03d}" for n in range(40)]
    bare = pd.DataFrame(
        {"item_id": ids, "confidence": np.nan, "value": None, "labeler_version": "v1"}
    )
    sample, none = draw_sample(b"k", "c", ids, 10), draw_sample(b"k", "c", ids, 0)
    for test in ("fixed", "e-process"):
        for rule, own in (("joint", False), ("selective", False), ("selective", True)):
            policy = AcceptancePolicy(rule=rule, test=test, per_class=own, error=0.5, risk=0.9)
            for drawn in (sample, none):
                found = try_labeler(bare, drawn, np.ones(len(drawn)), [], policy, CLASSES)
                assert found.accepted == 0 and found.threshold is None and found.reason
                assert found.by_class == ()


def test_what_stands() -> None:
    """The best open one, and what a closed one kept of items that came before its own."""
    one = _try(AcceptancePolicy(error=ERROR), 8)
    kept = close(one, "drift", "moved", until="2026-01-02T00:00:00+00:00", kept=7)
    whole, later = replace(one, number=2), replace(one, number=3, since=kept.until)
    assert kept.kept and kept.accepts_some and not close(one, "drift", "x").accepts_some
    assert standing([kept]) == (kept,)
    assert standing([kept, later]) == (later, kept)
    assert standing([kept, whole]) == (whole,), "no two bounds are spent on the same items"
    assert standing([close(one, "schema", "x")]) == ()


def test_which_closings_speak_against_the_version() -> None:
    """Random looks and failed audits do; missing votes, drift, schema and settings do not."""
    one = _try(AcceptancePolicy(error=ERROR), 9)
    against = {
        c: close(one, c, "x").refuted
        for c in ("votes", "settings", "schema", "drift", "spot audit", "release audit", "")
    }
    assert [c for c, refuted in against.items() if refuted] == ["spot audit", "release audit", ""]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"test": "anytime"}, "accept.test is 'anytime', expected one of fixed, e-process"),
        ({"per_class": True}, "accept.per_class is on and accept.rule is 'joint'"),
        ({"spot_share": 1.1}, "accept.spot_share is 1.1"),
        ({"spot_share": float("nan")}, "accept.spot_share is nan"),
    ],
)
def test_bad_settings(change: dict[str, object], message: str) -> None:
    """What cannot be is named with what was expected."""
    with pytest.raises(SettingsError, match=message):
        AcceptancePolicy(**change)  # type: ignore[arg-type]
