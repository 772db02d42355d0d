"""The rule `audited`: what stands by its posterior, and what is written down of it."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from labelops.autolabel.audited import model_stands, stand_by_posterior
from labelops.autolabel.hypotheses import close, read_hypotheses, standing
from labelops.autolabel.policy import AcceptancePolicy, planned
from labelops.errors import SettingsError, UsageError

AUDITED = AcceptancePolicy("audited", error=0.02, min_posterior=0.85)


@given(st.integers(0, 10_000), st.floats(0.0, 1.0), st.floats(0.0, 1.0))
def test_a_stricter_threshold_accepts_a_part_of_it(seed: int, one: float, other: float) -> None:
    """What stands at a threshold stands at any lower one, and is as probable as that."""
    rng = np.random.default_rng(seed)
    belief, proposed = rng.dirichlet(np.ones(4), size=30), rng.integers(-1, 4, size=30)
    low, high = sorted((one, other))
    loose, strict = (model_stands(belief, proposed, t) for t in (low, high))
    assert not (strict & ~loose).any()
    by_hand = [c >= 0 and row[c] >= high for row, c in zip(belief, proposed, strict=True)]
    assert strict.tolist() == by_hand


def test_the_proposal_has_to_be_what_is_probable() -> None:
    """Where rules outvote the model, its own class is not what the posterior is for."""
    assert model_stands([[0.1, 0.9]], [0], 0.85).tolist() == [False]
    assert model_stands([[0.1, 0.9]], [-1], 0.0).tolist() == [False], "no proposal, no label"
    assert model_stands(np.empty((0, 3)), np.empty(0, dtype=int), 0.5).tolist() == []
    with pytest.raises(UsageError, match=r"posterior \(1, 2\) and proposed \(2,\)"):
        model_stands([[0.1, 0.9]], [0, 1], 0.5)
    with pytest.raises(UsageError, match="row 0 is 2"):
        model_stands([[0.1, 0.9]], [2], 0.5)
    with pytest.raises(UsageError, match="integers"):
        model_stands([[0.1, 0.9]], [1.7], 0.5)


def test_nothing_is_promised_and_no_risk_is_spent() -> None:
    """Any number of versions stand one after the other without a sample and without risk."""
    found = stand_by_posterior("m1", ["a", "b", "c"], [True, True, False], 7, AUDITED, weighed=True)
    assert (found.number, found.risk, found.sample, found.votes) == (7, 0.0, 0, 0)
    assert (found.accepted, found.pool_size, found.threshold) == (2, 3, 0.85)
    assert found.reason == "accepted at posterior ≥ 0.85: 2 items, judged by the release's audit"
    assert found.stands_as.endswith("judged by the release's audit (attempt 7)")
    assert read_hypotheses([found.to_body()]) == [found]  # type: ignore[arg-type]
    assert standing([found]) == (found,)
    assert standing([close(found, "drift", "it changed")]) == ()


@pytest.mark.parametrize(
    ("policy", "promises", "asks"),
    [
        (AUDITED, True, True),
        (AcceptancePolicy("audited", error=0.02, min_posterior=0.8), True, False),
        (AcceptancePolicy("audited", error=0.02, min_posterior=0.9), False, False),
        (AcceptancePolicy("audited", error=0.01, min_posterior=0.85), False, False),
        (AcceptancePolicy("joint", error=0.02), False, False),
    ],
)
def test_it_stands_as_long_as_no_more_is_asked_for(
    policy: AcceptancePolicy, promises: bool, asks: bool
) -> None:
    """A lower threshold is another look, a higher one or another rule voids it."""
    found = stand_by_posterior("m1", ["a"], [True], 1, AUDITED, weighed=True)
    assert (found.promises(policy), found.asks(policy)) == (promises, asks)
    calibrated = AcceptancePolicy("joint", error=0.02)
    assert not calibrated.looks(1000, 2) == AUDITED.looks(1000, 2) == 0


def test_settings() -> None:
    """A posterior belongs to this rule, and the growth follows from the rule."""
    audited, joint = (planned(AcceptancePolicy(rule), 0.02) for rule in ("audited", "joint"))
    assert (audited.growth, audited.min_posterior, audited.error) == (1.25, 0.85, 0.02)
    assert (joint.growth, joint.min_posterior) == (2.0, 0.0)
    named = AcceptancePolicy("audited", error=0.1, min_posterior=0.5, growth=3.0)
    assert planned(named, 0.02) == named, "what is named stays"
    with pytest.raises(SettingsError, match=r"min_posterior is set and accept\.rule is 'joint'"):
        AcceptancePolicy(min_posterior=0.9)
    with pytest.raises(SettingsError, match=r"accept\.min_posterior is 1\.0"):
        AcceptancePolicy("audited", min_posterior=1.0)
