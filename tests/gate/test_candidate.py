"""A frozen set of labels, and the share of the risk that each attempt at a release has."""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
import pandas as pd
import pytest

from labelops.errors import UsageError
from labelops.gate.candidate import (
    OUTGROWN,
    OVERLOOKED,
    REFUTED,
    Candidate,
    attempt_of,
    attempt_risk,
    labels_digest,
    read_candidates,
)
from labelops.gate.certificate import certify
from labelops.gate.weighted_audit import certify_weighted


def test_labels_digest() -> None:
    """The pairs count, not their order; one label changed is another candidate."""
    labels = pd.DataFrame({"item_id": ["a", "b"], "value": ['"x"', '"y"']})
    assert labels_digest(labels.iloc[::-1]) == labels_digest(labels)
    swapped = labels.assign(value=['"y"', '"x"'])
    assert labels_digest(swapped) != labels_digest(labels)


def test_attempts_share_the_risk() -> None:
    """All attempts that can ever follow one another spend the risk, no more."""
    shares = [attempt_risk(j, 0.05) for j in range(1, 60)]
    assert np.isclose(sum(shares), 0.05) and sum(shares) <= 0.05 + 1e-12
    assert shares == sorted(shares, reverse=True)
    with pytest.raises(UsageError, match="attempt is 0"):
        attempt_risk(0, 0.05)


@pytest.mark.parametrize("attempt", [23, 200, 1000])
@pytest.mark.slow
def test_an_attempt_whose_confidence_rounds_to_one_is_judged(attempt: int) -> None:
    """The risk is carried, not the confidence: inconclusive until all is known, and never a crash.

    A whole set that was looked at and is clean passes at any risk; one that is too bad fails.
    """
    risk = attempt_risk(attempt, 0.05)
    assert 0 < risk < 1e-16 and 1 - risk == 1.0
    for population in (None, 200, 5000):
        found = certify([True] + [False] * 100, 0.02, risk, size=population)
        assert found.status == "inconclusive" and f"at risk {risk:.2g}" in found.reason
        assert found.interval is not None and found.interval.low <= 1 / 101 <= found.interval.high
        assert found.anytime.low <= 1 / 101 <= found.anytime.high
    assert certify([False] * 200, 0.02, risk, size=200).status == "pass"
    assert certify([True] * 5 + [False] * 10, 0.02, risk, size=200).status == "fail"
    weighted = certify_weighted([True] + [False] * 100, [1.0] * 300, 0.02, risk)
    assert weighted.status == "inconclusive"


def test_attempt_counts_from_the_last_release() -> None:
    """Failed candidates since the last release count; each release starts anew."""
    ends = ["failed: x", "failed: y", "released a@1.0.0", "failed: z", "released a@1.1.0", ""]
    all_ = [
        Candidate(n, n, stream, 1, "d", end)
        for n, (stream, end) in enumerate(zip([1, 2, 3, 3, 4, 4], ends, strict=True), 1)
    ]
    assert [attempt_of(c, all_) for c in all_] == [1, 2, 3, 1, 2, 1]


def test_the_order_of_a_release_is_paid() -> None:
    """The next candidate may be audited in another order: it is the first since the release."""
    released = Candidate(1, 1, 1, 1, "d", "released a@1.0.0")
    for stream in (1, 2):
        after = Candidate(2, 2, stream, 1, "d")
        assert attempt_of(after, [released, after]) == 1


def test_every_order_that_was_begun_is_paid_for() -> None:
    """Even, by doubt, even again: two orders never have the same share of one release's risk."""
    ways = ["uniform", "uniform", "weighted", "uniform", "weighted"]
    all_ = [Candidate(n, n, 1, 1, "d", "withdrawn: x", 0, way) for n, way in enumerate(ways, 1)]
    attempts = [attempt_of(c, all_) for c in all_]
    assert attempts == [1, 1, 2, 2, 3]
    first: dict[str, int] = {}
    for c, attempt in zip(all_, attempts, strict=True):
        first.setdefault(c.order, attempt)
    assert sum(attempt_risk(j, 0.05) for j in first.values()) <= 0.05


def test_a_risk_is_never_nothing() -> None:
    """However many attempts, some risk is left to judge the next one at."""
    assert attempt_risk(10_000, 0.05) == sys.float_info.min > 0
    assert attempt_risk(1, 0.05) == pytest.approx(0.04)
    assert attempt_risk(2, 0.05) == pytest.approx(0.008)


@pytest.mark.parametrize(
    ("closed", "refuted", "ends"),
    [
        (REFUTED, True, True),
        (OVERLOOKED, False, True),
        (OUTGROWN, False, True),
        ("withdrawn: a class was split", False, False),
        ("released a@1.0.0", False, False),
        ("", False, False),
    ],
)
def test_what_ends_an_order(closed: str, refuted: bool, ends: bool) -> None:
    """A failure, and when first votes are no longer what is audited; nothing else does."""
    one = Candidate(1, 1, 1, 10, "d", closed)
    assert (one.refuted, one.ends_order) == (refuted, ends)


def test_a_candidate_is_plain_unless_said_otherwise() -> None:
    """Drawn evenly, confirmed by one vote, nothing missed: what older events did not say."""
    one = Candidate(1, 1, 1, 10, "d")
    assert (one.looks_again, one.confirm, one.missed, one.audit) == (0, 1, 0.0, "uniform")
    assert not (one.ties or one.firsts or one.closed or one.doubts or one.why)


def test_candidate_round_trip() -> None:
    """A candidate read from its event is the same one; they come by number."""
    one = Candidate(1, 3, 1, 10, "d")
    two = Candidate(2, 4, 1, 12, "e", "failed")
    assert read_candidates(pd.Series([two.to_body(), one.to_body()])) == [one, two]


@pytest.mark.parametrize(("attempt", "risk"), [(1.5, 0.05), (0, 0.05), (1, 0.0), (1, 1.5)])
def test_an_attempt_that_is_none(attempt: Any, risk: float) -> None:
    """Attempts are counted, and there is something to share."""
    with pytest.raises(UsageError, match=r"attempt is|risk is"):
        attempt_risk(attempt, risk)
