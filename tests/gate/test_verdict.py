"""A verdict is the worst of its checks, and fails closed."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labelops.errors import GateNotPassed, UsageError
from labelops.gate.verdict import FAIL, INCONCLUSIVE, PASS, CheckResult, Verdict

STATUSES = st.lists(st.sampled_from([PASS, INCONCLUSIVE, FAIL]), max_size=8)


def _verdict(statuses: list[str]) -> Verdict:
    return Verdict(tuple(CheckResult(f"c{i}", s, f"m{i}") for i, s in enumerate(statuses)))


@given(STATUSES)
def test_passes_only_if_everything_does(statuses: list[str]) -> None:
    """Pass means: there are checks, and each one passed."""
    verdict = _verdict(statuses)
    assert verdict.passed == (bool(statuses) and set(statuses) == {PASS})
    assert (verdict.status == FAIL) == (not statuses or FAIL in statuses)


@given(STATUSES, st.sampled_from([INCONCLUSIVE, FAIL]))
def test_one_more_doubt_never_helps(statuses: list[str], doubt: str) -> None:
    """Adding a check that did not pass never makes a verdict pass."""
    assert not _verdict([*statuses, doubt]).passed


def test_nothing_checked_fails() -> None:
    """A gate without checks fails and says so in JSON."""
    assert Verdict(()).to_json() == {"status": "fail", "checks": []}
    with pytest.raises(GateNotPassed):
        Verdict(()).raise_if_failed()


@pytest.mark.parametrize("status", [INCONCLUSIVE, FAIL])
def test_raise_if_failed(status: str) -> None:
    """Inconclusive raises like fail, exit code 1, naming the check that stands in the way."""
    with pytest.raises(GateNotPassed, match="c1: m1") as caught:
        _verdict([PASS, status]).raise_if_failed()
    assert caught.value.exit_code == 1
    assert "c0" not in str(caught.value)
    _verdict([PASS]).raise_if_failed()


def test_unknown_status() -> None:
    """A misspelt status cannot slip through as neither fail nor pass."""
    with pytest.raises(UsageError, match="'passed'"):
        CheckResult("c", "passed", "")


def test_json() -> None:
    """The verdict is JSON with all that a check found."""
    raw = json.loads(json.dumps(Verdict((CheckResult("a", PASS, "m", 0.01, 0.02, 3),)).to_json()))
    assert raw["checks"] == [
        {"name": "a", "status": "pass", "message": "m", "value": 0.01, "bound": 0.02, "needed": 3}
    ]
