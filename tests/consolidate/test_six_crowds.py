"""The default on the six development crowds: never far below majority, and how good on average."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from labelops.consolidate import consolidate, majority_vote, vote_counts
from labelops.measure.calibration import expected_calibration_error
from labelops.measure.codes import FloatArray

pytestmark = pytest.mark.slow

CROWDS = ("dog", "face", "MS", "CF", "SP_amt", "rte")


def _read(folder: Path, name: str) -> tuple[pd.DataFrame, pd.Series]:
    if name == "rte":
        votes = pd.read_csv(folder / "rte_snow" / "annotations.csv")
        truth = pd.read_csv(folder / "rte_snow" / "items.csv").set_index("item_id")["gold"]
    else:
        votes = pd.read_csv(folder / "crowd" / name / "annotations.csv")
        truth = pd.read_csv(folder / "crowd" / name / "truth.csv").set_index("item")["truth"]
    votes.columns = pd.Index(["item", "worker", "label"])
    return votes, truth


def _accuracy(belief: FloatArray, codes: np.typing.NDArray[np.int64]) -> float:
    """Share of right labels, a tie counting its share."""
    known = np.flatnonzero(codes >= 0)
    best = belief[known] >= belief[known].max(axis=1, keepdims=True) - 1e-9
    return float((best[np.arange(known.size), codes[known]] / best.sum(axis=1)).mean())


def test_six_crowds(shared_data: Path) -> None:
    """On average .845 or better and calibrated within .075; nowhere below majority by .005."""
    mine, theirs, errors = [], [], []
    for name in CROWDS:
        votes, truth = _read(shared_data, name)
        classes = np.arange(int(max(votes["label"].max(), truth.max())) + 1)
        found = consolidate(votes, classes=classes)
        codes = truth.reindex(found.items).fillna(-1).to_numpy(dtype=np.int64)
        places = pd.Index(found.items).get_indexer(votes["item"])
        counts = vote_counts(places, votes["label"], len(found.items), len(classes))
        mine.append(_accuracy(found.posterior, codes))
        theirs.append(_accuracy(majority_vote(counts), codes))
        errors.append(expected_calibration_error(found.posterior, codes))
        assert found.method == "blend"
    assert np.mean(mine) >= 0.845
    assert (np.array(mine) >= np.array(theirs) - 0.005).all()
    assert np.mean(errors) <= 0.075
