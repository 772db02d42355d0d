"""Parity of the one-coin model with crowd-kit, where it is installed."""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd
import pytest

from labelops.consolidate import one_coin

pytestmark = pytest.mark.slow  # importing crowd-kit alone takes seconds


def test_one_coin_is_crowd_kits() -> None:
    """Without a prior, after as many steps, the posterior is crowd-kit's to 1e-8."""
    crowdkit = pytest.importorskip("crowdkit.aggregation")
    rng = np.random.default_rng(0)
    truth, items = rng.integers(0, 3, 60), np.repeat(np.arange(60), 5)
    who = np.concatenate([rng.choice(8, 5, replace=False) for _ in range(60)])
    right = rng.random(items.size) < np.linspace(0.5, 0.9, 8)[who]
    codes = np.where(right, truth[items], (truth[items] + rng.integers(1, 3, items.size)) % 3)
    table = pd.DataFrame({"task": items, "worker": who, "label": codes})
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        theirs = crowdkit.OneCoinDawidSkene(n_iter=10, tol=-np.inf).fit_predict_proba(table)
    ours = one_coin(
        items, who, codes, n_items=60, n_annotators=8, n_classes=3, prior_votes=0,
        even_classes=False, max_iterations=10, tolerance=0.0,
    )  # fmt: skip
    theirs = theirs.reindex(index=range(60), columns=range(3)).to_numpy()
    np.testing.assert_allclose(ours.posterior, theirs, atol=1e-8)
