"""One whole audit."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pandas as pd

from labelops.audit.noise import audit_noise, reviews_for, votes_for
from labelops.ports import Detected
from labelops.tables import FINDINGS, check

from ..digits import digits


class _Contrary:
    """A detector that calls the first label wrong."""

    name = "contrary"

    def detect(self, probs: Any, codes: Any) -> Detected:
        first = np.arange(len(codes)) == 0
        return Detected(np.where(first, 0.0, 1.0), first)


def test_audit_of_noisy_digits(ten: Any, now: Any) -> None:
    """5 % wrong labels: most are found, most findings are real, planted errors measure recall."""
    rng = np.random.default_rng(0)
    X, y = digits()
    X, y = X[:600], y[:600]
    wrong = rng.random(600) < 0.05
    codes = np.where(wrong, (y + 3) % 10, y)
    ids = np.array([f"d{i:03}" for i in range(600)], dtype=object)
    audit = audit_noise(
        ids, X, codes, ids, ten, rng=rng, round=1, now=now,
        detectors=[_Contrary()], planted_share=0.1, learners=("logistic", "knn"), repeats=1,
    )  # fmt: skip
    check(FINDINGS, audit.findings)
    by = audit.findings.groupby("kind")["item_id"].agg(set)
    bad = set(ids[wrong])
    models = by["label_error"]
    assert len(models & bad) >= 0.7 * len(bad)
    assert len(models & bad) >= 0.8 * len(models)
    assert by["detector:contrary"] == {"d000"}
    assert audit.recall.planted == 60
    assert audit.recall.interval.low <= audit.recall.share <= audit.recall.interval.high
    assert audit.recall.share >= 0.8
    planted = audit.findings[audit.findings["planted"]]
    truth = dict(zip(ids, codes, strict=True))
    assert all(value != f'"{truth[i]}"' for i, value in planted[["item_id", "value"]].to_numpy())
    real = audit.findings[~audit.findings["planted"]]
    own = real[real["kind"] == "label_error"]
    assert own["score"].is_monotonic_increasing
    assert own["score"].max() <= 0.8
    said = own["evidence"].map(json.loads)
    assert np.allclose(said.map(lambda e: e["probability"]), 1 - own["score"], atol=1e-6)
    assert set(said.iloc[0]) >= {"logistic", "neighbours", "suggested_probability"}
    assert all(value == f'"{truth[i]}"' for i, value in real[["item_id", "value"]].to_numpy())


def test_votes_for_takes_peoples_labels_only(ten: Any, votes_of: Any) -> None:
    """Reviews, models, unknown and withdrawn votes are left out; rows follow the items."""
    label = votes_of([("b", "human:x", 3), ("a", "human:y", 1), ("z", "human:x", 1)])
    review = votes_of([("a", "human:x", 2)], purpose="review")
    model = votes_of([("a", "model:m", 2)], round=2)
    gone = votes_of([("b", "human:y", 4)], round=3).assign(status="deleted")
    found = votes_for(["a", "b"], pd.concat([label, review, model, gone], ignore_index=True), ten)
    assert found is not None
    item, who, code = found
    assert sorted(zip(item, who, code, strict=True)) == [(0, 1, 1), (1, 0, 3)]
    assert votes_for(["a"], review, ten) is None


def test_votes_that_made_a_verdict_are_no_evidence(ten: Any, votes_of: Any) -> None:
    """Of an item with a verdict the audit votes are left out, its other votes are not."""
    label = votes_of([("a", "human:x", 3), ("b", "human:x", 3)])
    audit = votes_of([("a", "human:y", 1), ("b", "human:y", 1)], purpose="audit", round=2)
    both = pd.concat([label, audit], ignore_index=True)
    found = votes_for(["a", "b"], both, ten, audited=["b", "z"])
    assert found is not None
    assert sorted(zip(found[0], found[2], strict=True)) == [(0, 1), (0, 3), (1, 3)]
    assert votes_for(["b"], audit, ten, audited=["b"]) is None


_NO_LOOKS = pd.DataFrame({"item_id": [], "value": [], "wrong": [], "even": []})


def test_reviews_for_are_verdicts_on_the_label_of_then(ten: Any) -> None:
    """Corrected means wrong; the same case from two audits counts once; others drop out."""
    settled = pd.DataFrame(
        {
            "item_id": ["a", "a", "b", "z"],
            "value": ['"1"', '"1"', '"2"', '"3"'],
            "status": ["corrected", "corrected", "confirmed", "corrected"],
        }
    )
    found = reviews_for(["b", "a"], settled, _NO_LOOKS, ten)
    assert found is not None
    assert np.asarray(found.rows).tolist() == [1, 0]
    assert np.asarray(found.wrong).tolist() == [True, False]
    assert np.asarray(found.codes).tolist() == [1, 2]
    assert not np.asarray(found.random).any()
    assert reviews_for(["c"], settled, _NO_LOOKS, ten) is None


def test_looks_are_reviews_beside_those_of_findings(ten: Any) -> None:
    """A look and a review of one label are one verdict, the look's; of two labels, two."""
    settled = pd.DataFrame(
        {"item_id": ["a", "b"], "value": ['"1"', '"2"'], "status": ["confirmed", "corrected"]}
    )
    looks = pd.DataFrame(
        {
            "item_id": ["a", "b", "c", "z"],
            "value": ['"1"', '"3"', '"4"', '"4"'],
            "wrong": [True, False, False, True],
            "even": [True, True, False, True],
        }
    )
    found = reviews_for(["a", "b", "c"], settled, looks, ten)
    assert found is not None and found.codes is not None and found.random is not None
    said = (np.asarray(v).tolist() for v in (found.rows, found.codes, found.wrong, found.random))
    assert list(zip(*said, strict=True)) == [
        (0, 1, True, True), (1, 3, False, True), (2, 4, False, False), (1, 2, True, False)
    ]  # fmt: skip
