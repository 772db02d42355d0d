"""Findings as rows: choosing, settling, measuring precision."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import numpy as np
import pandas as pd
import pytest

from labelops.audit.findings import (
    finding_status,
    findings_of,
    open_findings,
    precision,
    suspects,
)
from labelops.errors import TableError, UsageError
from labelops.tables import FINDINGS, check


def _findings(ten: Any, now: Any, scores: dict[str, float], kind: str = "label_error", **more: Any):
    n = len(scores)
    return findings_of(
        kind, list(scores), np.ones(n, dtype=np.int64), np.array(list(scores.values())), ten,
        detector="d", round=more.pop("round", 1), now=now, **more,
    )  # fmt: skip


def test_rows_fit_the_table(ten: Any, now: Any) -> None:
    """Worst first, what could not be judged left out, evidence canonical with nulls for NaN."""
    frame = _findings(
        ten, now, {"a": 0.5, "b": np.nan, "c": 0.25},
        suggestions=np.array([-1, 3, 2]), evidence={"seen": np.array([np.nan, 1.0, 0.5])},
    )  # fmt: skip
    pd.testing.assert_frame_equal(check(FINDINGS, frame), frame)
    assert frame["item_id"].tolist() == ["c", "a"]
    assert frame["suggestion"].tolist() == ['"2"', None]
    assert frame["evidence"].tolist() == ['{"seen":0.5}', '{"seen":null}']


def test_malformed_scores_are_refused(ten: Any, now: Any) -> None:
    """A score above 1 or an array of another length is an error."""
    with pytest.raises(TableError, match="score"):
        _findings(ten, now, {"a": 1.5})
    with pytest.raises(UsageError, match="2 suggestions for 1 items"):
        _findings(ten, now, {"a": 0.5}, suggestions=np.array([1, 2]))


def test_suspects_take_turns_and_stay_within_the_share(ten: Any, now: Any) -> None:
    """One row an item, kinds in turn, at most the share; planted errors are never shown."""
    findings = pd.concat(
        [
            _findings(ten, now, {"a": 0.01, "b": 0.02, "c": 0.03}),
            _findings(ten, now, {"a": 0.6, "x": 0.7}, "duplicate_conflict"),
            _findings(ten, now, {"p": 0.0}, "planted", planted=True),
        ]
    )
    assert suspects(findings, 100, 1.0)["item_id"].tolist() == ["a", "b", "x", "c"]
    few = suspects(findings, 40, 0.05)
    assert few["place"].tolist() == [1, 2]
    assert suspects(findings, 100, 0.0).empty


def _status(findings: Any, votes: Any, labels: Any) -> dict[str, str]:
    return dict(zip(findings["item_id"], finding_status(findings, votes, labels), strict=True))


def test_a_review_from_before_a_class_was_added_confirms_nothing(
    ten: Any, now: Any, votes_of: Any, labels_of: Any
) -> None:
    """Who could not name it may have confirmed what it is now; what they contradict stays so."""
    findings = _findings(ten, now, dict.fromkeys("abcd", 0.1))
    later = now + timedelta(hours=1)
    said = [("a", "human:x", 1), ("b", "human:x", 2), ("c", "human:x", 1), ("d", "human:x", 2)]
    before = votes_of(said, purpose="review", at=later).assign(schema_digest="old")
    lately = [("c", "human:y", 1), ("d", "human:y", 1), ("d", "human:z", 1)]
    since = votes_of(lately, purpose="review", at=later).assign(schema_digest="new")
    votes = pd.concat([before, since.assign(vote_id=since["vote_id"] + "-since")])
    labels = labels_of(dict.fromkeys("abcd", 1))
    status = finding_status(findings, votes, labels, {"old"})
    assert dict(zip(findings["item_id"], status, strict=True)) == {
        "a": "open", "b": "disputed", "c": "confirmed", "d": "confirmed",
    }  # fmt: skip
    assert finding_status(findings, votes, labels).tolist().count("open") == 0
    left = open_findings(findings, votes, labels, {"old"})["item_id"]
    assert set(left) == {"a", "b"}


def test_what_becomes_of_findings(ten: Any, now: Any, votes_of: Any, labels_of: Any) -> None:
    """Unreviewed is open; against is disputed; confirmed and corrected are settled."""
    findings = _findings(ten, now, dict.fromkeys("abcde", 0.1))
    later = now + timedelta(hours=1)
    votes = votes_of(
        [("b", "human:x", 2), ("c", "human:x", 1), ("d", "human:x", 2), ("e", "human:x", 1),
         ("e", "human:y", 2)],
        purpose="review", at=later,
    )  # fmt: skip
    labels = labels_of({"a": 1, "b": 1, "c": 1, "d": 2, "e": 1})
    assert _status(findings, votes, labels) == {
        "a": "open", "b": "disputed", "c": "confirmed", "d": "corrected", "e": "disputed",
    }  # fmt: skip
    left = open_findings(findings, votes, labels)
    assert left["item_id"].tolist() == ["a", "b", "e"]
    measured = precision(findings, votes, labels)
    assert (measured.corrected, measured.reviewed, measured.share) == (1, 2, 0.5)


def test_earlier_votes_and_other_purposes_settle_nothing(
    ten: Any, now: Any, votes_of: Any, labels_of: Any
) -> None:
    """Only reviews given after the suspicion count."""
    findings = _findings(ten, now, {"a": 0.1, "b": 0.1})
    early = votes_of([("a", "human:x", 1)], purpose="review", at=now - timedelta(hours=1))
    audit = votes_of([("b", "human:x", 1)], purpose="audit", at=now + timedelta(hours=1))
    labels = labels_of({"a": 1, "b": 1})
    assert len(open_findings(findings, pd.concat([early, audit]), labels)) == 2


def test_a_confirmed_label_is_not_asked_about_again(
    ten: Any, now: Any, votes_of: Any, labels_of: Any
) -> None:
    """The same suspicion in a later audit is settled already; raised twice it is open once."""
    old = _findings(ten, now, {"a": 0.1, "b": 0.1})
    new = _findings(ten, now + timedelta(days=1), {"a": 0.2, "b": 0.2}, round=2)
    votes = votes_of([("a", "human:x", 1)], purpose="review", at=now + timedelta(hours=1))
    left = open_findings(pd.concat([old, new]), votes, labels_of({"a": 1, "b": 1}))
    assert left[["item_id", "round"]].to_numpy().tolist() == [["b", 2]]


def test_planted_errors_are_never_open(ten: Any, now: Any, votes_of: Any, labels_of: Any) -> None:
    """Planted rows are neither open nor part of the precision; an empty table is fine."""
    planted = _findings(ten, now, {"a": 0.1}, "planted", planted=True)
    votes, labels = votes_of([("a", "human:x", 1)], purpose="review"), labels_of({"a": 1})
    assert open_findings(planted, votes, labels).empty
    assert precision(planted, votes, labels).reviewed == 0
    assert open_findings(planted.iloc[:0], votes.iloc[:0], labels.iloc[:0]).empty
