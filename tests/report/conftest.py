"""A report's worth of facts."""

from __future__ import annotations

import io

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from labelops.audit import Anchoring, Precision, Recall
from labelops.gate.certificate import Certificate, certify
from labelops.gate.verdict import CheckResult, Verdict
from labelops.measure.intervals import clopper_pearson
from labelops.report import (
    AnnotatorRow,
    ClassRow,
    Counts,
    FindingRow,
    LineageRow,
    ReportFacts,
    RightsRow,
    ViewRow,
    confusion_of,
    thumbnail,
)
from labelops.schema import Schema
from labelops.state.drift import Alarm, DriftWatch
from labelops.state.shares import ShareRow

from ..digits import digits

CLASSES = tuple("0123456789")


def certificate(errors: int, n: int) -> Certificate:
    """Judge an audit with its errors in the middle by a bound of 2 %."""
    wrong = np.zeros(n, dtype=bool)
    wrong[n // 2 : n // 2 + errors] = True
    return certify(wrong, bound=0.02, risk=0.05)


def picture(row: int) -> str:
    """Return a real digit as a data URI."""
    digit = digits()[0][row].reshape(8, 8)
    out = io.BytesIO()
    Image.fromarray((255 - 15.9 * digit).astype(np.uint8)).save(out, "PNG")
    uri = thumbnail(out.getvalue())
    assert uri is not None
    return uri


def confusions() -> tuple:
    rng = np.random.default_rng(0)
    truth = rng.integers(0, 10, 1500)
    voted = np.where(rng.random(1500) < 0.08, (truth + rng.integers(1, 10, 1500)) % 10, truth)
    model = np.where(rng.random(1500) < 0.03, (truth + 7) % 10, truth)[:400]
    return (
        confusion_of("Annotators against the label", "what annotators said", "the label", voted,
                     truth, CLASSES),
        confusion_of("Model against audited labels", "what the model said", "what people said",
                     model, truth[:400], CLASSES),
    )  # fmt: skip


def _person(
    name: str, votes: int, judged: int, right: int, seconds: float, reason: str = ""
) -> AnnotatorRow:
    interval = clopper_pearson(right, judged)
    return AnnotatorRow(
        f"human:annotator-{name}", votes, judged, right / judged, interval.low, interval.high,
        seconds, bool(reason), reason,
    )  # fmt: skip


@pytest.fixture(scope="session")
def facts() -> ReportFacts:
    """Describe a passed release of digits."""
    found = certificate(0, 210)
    checks = (
        CheckResult("certified error", "pass", found.reason, found.certified, 0.02),
        CheckResult("agreement", "pass", "Krippendorff's α is 0.93 (0.91 to 0.95), at least 0.67"),
        CheckResult("enough evidence", "pass", "1,797 of 1,797 items are decided", 1.0, 0.99),
        CheckResult("rights", "pass", "no item forbids training"),
    )
    findings = tuple(
        FindingRow(f"digits/{i:04}.png", "label_error" if i % 3 else "duplicate_conflict",
                   0.01 + 0.02 * i, str(i % 10), str((i + 4) % 10) if i % 4 else None,
                   "logistic+trees", ("open", "confirmed", "corrected", "disputed")[i % 4],
                   image=picture(i))
        for i in range(12)
    )  # fmt: skip
    clicker = (
        "right on 7 of 60 judged votes, at most 23 %; expected 70 %; no better than chance (10 %)"
    )
    people = (
        _person("7", 190, 60, 7, 0.8, clicker),
        _person("1", 410, 180, 175, 3.2),
        _person("2", 300, 150, 140, 4.4),
        _person("3", 20, 4, 4, 5.0),
        AnnotatorRow("human:annotator-9", 3, 0, float("nan"), 0.0, 1.0),
    )
    return ReportFacts(
        title="Handwritten digits",
        release="digits@1.0.0",
        created="2026-01-05 10:00 UTC",
        verdict=Verdict(checks),
        certificate=found,
        counts=Counts(1797, 420, 1377, 0, {"label": 520, "audit": 210, "calibrate": 230}, 5391),
        classes=tuple(ClassRow(c, 170 + 3 * int(c), 120, 21, 0) for c in CLASSES),
        confusions=confusions(),
        annotators=people,
        floor=0.7,
        anchoring=Anchoring(190, 200, 90, 100, 0.05, -0.011, 0.128),
        findings=findings,
        findings_total=41,
        recall=Recall(31, 36, 31 / 36, clopper_pearson(31, 36)),
        precision=Precision(9, 20, 0.45, clopper_pearson(9, 20)),
        shown=(
            FindingRow(
                "digits/0900.png", "outlier", 0.001, "3", None, "outlier", "", image=picture(900)
            ),
            FindingRow(
                "digits/0901.png", "ambiguous", 0.1, "4", None, "ambiguous", "", image=picture(901)
            ),
            FindingRow(
                "digits/0902.png", "poison", 0.1, "4", "9", "poison", "", image=picture(902)
            ),
        ),
        shown_total={"outlier": 3, "ambiguous": 1, "poison": 1},
        shown_wrong={"poison": 0.6},
        views=(ViewRow("slices", "source = scanner 2", "12 % of 90 labels are suspected"),),
        drift=DriftWatch(
            5,
            410,
            0.4,
            131.6,
            {"labels": 0.4},
            0.05,
            (
                Alarm(
                    1,
                    2,
                    pd.Timestamp("2026-01-03", tz="UTC"),
                    "what comes in has changed: x",
                    "2026-01-02T00:00:00+00:00",
                    "2026-01-03T00:00:00+00:00",
                ),
            ),
        ),
        shares=(ShareRow("3", 0.1, 0.2, 0.17, 0.24),),
        rights=(RightsRow("digits", 1797, "CC-BY-4.0", ("training", "evaluation"), None, None),),
        lineage=(
            LineageRow("labeler", "model:pixels", "version 3f2a, 640 training labels"),
            LineageRow("parent", "none", "first release"),
        ),
        schema=Schema("digits", CLASSES, media="image", question="Which digit is it?"),
        tools={"labelops": "0.1.0", "numpy": np.__version__},
        purpose="training",
    )
