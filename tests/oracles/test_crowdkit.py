"""Parity with crowd-kit, where it is installed."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from labelops.consolidate.dawid_skene import dawid_skene
from labelops.consolidate.majority import majority_vote, vote_counts
from labelops.measure.codes import FloatArray

pytestmark = pytest.mark.slow  # importing crowd-kit alone takes seconds


@pytest.fixture(scope="module")
def aggregation() -> Any:
    """Their module; importing it warns about its own dependencies."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return pytest.importorskip("crowdkit.aggregation")


def _long(votes: pd.DataFrame) -> pd.DataFrame:
    votes = votes.copy()
    votes.columns = pd.Index(["task", "worker", "label"])
    return votes


def _compare(aggregation: Any, votes: pd.DataFrame, steps: int) -> tuple[FloatArray, FloatArray]:
    """Posteriors of both after the same EM steps from the same start."""
    theirs = aggregation.DawidSkene(n_iter=steps, tol=-np.inf)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        expected = theirs.fit_predict_proba(votes).sort_index().sort_index(axis=1)
    items, ids = pd.factorize(votes["task"], sort=True)
    who, names = pd.factorize(votes["worker"], sort=True)
    codes, classes = pd.factorize(votes["label"], sort=True)
    ours = dawid_skene(
        items, who, codes, n_items=len(ids), n_annotators=len(names), n_classes=len(classes),
        prior=1e-10, max_iterations=steps, tolerance=0.0,
    )  # fmt: skip
    assert expected.index.tolist() == ids.tolist()
    return ours.posterior, expected.to_numpy()


@pytest.mark.parametrize("steps", [1, 10, 40])
def test_dawid_skene_on_noisy_votes(aggregation: Any, steps: int) -> None:
    """Where every confusion was seen, posteriors agree to 1e-6 after as many EM steps."""
    rng = np.random.default_rng(0)
    items, who = np.repeat(np.arange(150), 5), np.tile(np.arange(5), 150)
    right = rng.random(750) < 0.6
    codes = np.where(right, items % 3, rng.integers(0, 3, size=750))
    votes = pd.DataFrame({"task": items, "worker": who, "label": codes})
    ours, theirs = _compare(aggregation, votes, steps)
    np.testing.assert_allclose(ours, theirs, atol=1e-6)


@pytest.mark.parametrize(("name", "tolerance"), [("crowd/dog", 1e-4), ("rte_snow", 1e-6)])
def test_dawid_skene_on_real_votes(
    aggregation: Any, shared_data: Path, name: str, tolerance: float
) -> None:
    """On real crowds too, up to confusions nobody made: theirs have a floor, ours a prior."""
    votes = _long(pd.read_csv(shared_data / name / "annotations.csv"))
    ours, theirs = _compare(aggregation, votes, 10)
    np.testing.assert_allclose(ours, theirs, atol=tolerance)


def test_majority(aggregation: Any, shared_data: Path) -> None:
    """Shares of votes are theirs exactly."""
    votes = _long(pd.read_csv(shared_data / "crowd" / "dog" / "annotations.csv"))
    expected = aggregation.MajorityVote().fit_predict_proba(votes).sort_index().sort_index(axis=1)
    items, ids = pd.factorize(votes["task"], sort=True)
    codes, classes = pd.factorize(votes["label"], sort=True)
    ours = majority_vote(vote_counts(items, codes, len(ids), len(classes)))
    np.testing.assert_allclose(ours, expected.to_numpy(), atol=1e-12)
