"""One whole audit."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.datasets import load_digits

from labelops.audit.noise import audit_noise
from labelops.ports import Detected
from labelops.tables import FINDINGS, check


class _Contrary:
    """A detector that calls the first label wrong."""

    name = "contrary"

    def detect(self, probs: Any, codes: Any) -> Detected:
        first = np.arange(len(codes)) == 0
        return Detected(np.where(first, 0.0, 1.0), first)


def test_audit_of_noisy_digits(ten: Any, now: Any) -> None:
    """5 % wrong labels: most are found, most findings are real, planted errors measure recall."""
    rng = np.random.default_rng(0)
    X, y = load_digits(return_X_y=True)
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
    assert all(value == f'"{truth[i]}"' for i, value in real[["item_id", "value"]].to_numpy())
