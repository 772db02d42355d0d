"""What results say of themselves."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
import pytest

from labelops.audit import find_label_issues
from labelops.audit.label_error_report import LabelErrorReport
from labelops.checking import LabelCheck
from labelops.consolidate import consolidate, dawid_skene, majority
from labelops.measure.brief import brief


@brief
@dataclass(frozen=True, slots=True)
class Found:
    rows: Any
    hidden: int = field(default=1, repr=False)


@dataclass(frozen=True)
class Inner:
    rows: Any


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        (np.zeros((100, 2)), "<float64 (100, 2)>"),
        (np.array([1, 2]), "array([1, 2])"),
        (pd.DataFrame({"a": range(9)}), "<DataFrame (9, 1)>"),
        (list(range(1000)), "<list of 1,000>"),
        ({"trees": np.zeros(50), "few": (1.5,)}, "{'trees': <float64 (50,)>, 'few': (1.5,)}"),
        (Inner(np.zeros(50)), "Inner(rows=<float64 (50,)>)"),
        ([np.zeros(50), None], "[<float64 (50,)>, None]"),
        ((), "()"),
        ("x" * 300, "'" + "x" * 199 + "…"),
        (Inner, repr(Inner)),
    ],
)
def test_sizes_stand_for_what_is_long(rows: Any, said: str) -> None:
    """Also inside of other results; what is short is shown, what is hidden stays so."""
    assert repr(Found(rows)) == f"Found(rows={said})"


@pytest.mark.slow
def test_a_result_fits_a_screen_however_many_items_there_are() -> None:
    """The last line of a notebook's cell."""
    n, rng = 2_000, np.random.default_rng(0)
    items, annotators = np.repeat(np.arange(n), 3), np.tile([0, 1, 2], n)
    codes = np.where(rng.random(3 * n) < 0.1, 1 - items % 2, items % 2)
    votes = pd.DataFrame({"item": items, "annotator": annotators, "label": codes})
    size = {"n_items": n, "n_annotators": 3, "n_classes": 2}
    results = [
        consolidate(votes),
        dawid_skene(items, annotators, codes, **size),
        majority(items, annotators, codes, **size),
        find_label_issues(codes[:n], rng.dirichlet([1, 1], n)),
    ]
    assert max(len(repr(r)) for r in results) < 2_000
    for result in (LabelErrorReport, LabelCheck):
        assert result.__repr__ is Found.__repr__
