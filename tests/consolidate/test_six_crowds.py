"""The default on the six development crowds: never far below majority, and how good on average."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from labelops.consolidate import consolidate, majority_vote, vote_counts
from labelops.measure.calibration import expected_calibration_error

from ..crowds import accuracy, crowd_table

pytestmark = pytest.mark.slow

CROWDS = ("dog", "face", "MS", "CF", "SP_amt", "rte")


def test_six_crowds(shared_data: Path) -> None:
    """On average .845 or better and calibrated within .075; nowhere below majority by .005."""
    mine, theirs, errors = [], [], []
    for name in CROWDS:
        votes, truth = crowd_table(shared_data, name)
        classes = np.arange(int(max(votes["label"].max(), truth.max())) + 1)
        found = consolidate(votes, classes=classes)
        codes = truth.reindex(found.items).fillna(-1).to_numpy(dtype=np.int64)
        places = pd.Index(found.items).get_indexer(votes["item"])
        counts = vote_counts(places, votes["label"], len(found.items), len(classes))
        mine.append(accuracy(found.posterior, codes))
        theirs.append(accuracy(majority_vote(counts), codes))
        errors.append(expected_calibration_error(found.posterior, codes))
        assert found.method == "blend"
    assert np.mean(mine) >= 0.845
    assert (np.array(mine) >= np.array(theirs) - 0.005).all()
    assert np.mean(errors) <= 0.075
