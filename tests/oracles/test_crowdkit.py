"""Parity with crowd-kit, where it is installed."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from labelops.consolidate.dawid_skene import dawid_skene
from labelops.consolidate.majority import majority

# Slow: importing crowd-kit alone takes seconds.
pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("kernels")]


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


def _codes(votes: pd.DataFrame) -> tuple[dict[str, Any], dict[str, int], tuple[Any, Any]]:
    """Codes of a frame, how many of each there are, and the ids they stand for."""
    items, ids = pd.factorize(votes["task"], sort=True)
    who, names = pd.factorize(votes["worker"], sort=True)
    codes, classes = pd.factorize(votes["label"], sort=True)
    size = {"n_items": len(ids), "n_annotators": len(names), "n_classes": len(classes)}
    return {"items": items, "annotators": who, "codes": codes}, size, (names, classes)


def _compare(aggregation: Any, votes: pd.DataFrame, **options: Any) -> None:
    """Hold steps, posterior, confusions and class shares against theirs, with the same options."""
    theirs = aggregation.DawidSkene(**options)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        theirs.fit(votes)
    arrays, size, (names, classes) = _codes(votes)
    same = {{"n_iter": "max_iterations", "tol": "tolerance"}[k]: v for k, v in options.items()}
    ours = dawid_skene(**arrays, **size, compat="crowd-kit", **same)
    assert ours.iterations == len(theirs.loss_history_)
    close = {"rtol": 0, "atol": 1e-9}
    expected = theirs.probas_.sort_index().sort_index(axis=1)
    np.testing.assert_allclose(ours.posterior, expected.to_numpy(), **close)
    np.testing.assert_allclose(ours.class_prior, theirs.priors_.sort_index(), **close)
    errors = theirs.errors_.sort_index(axis=1)
    given = (
        names.get_indexer(errors.index.get_level_values("worker")),
        classes.get_indexer(errors.index.get_level_values("label")),
    )
    np.testing.assert_allclose(ours.confusion[given[0], :, given[1]], errors.to_numpy(), **close)


def _simulated(seed: int, items: int, annotators: int, n_classes: int, most: int) -> pd.DataFrame:
    """Up to `most` votes an item, of good annotators and bad ones, some classes seldom given."""
    rng = np.random.default_rng(seed)
    truth = rng.choice(n_classes, items, p=rng.dirichlet(np.ones(n_classes)))
    order = rng.random((items, annotators)).argsort(axis=1)
    item, who = np.nonzero(order < rng.integers(1, most + 1, items)[:, None])
    right = rng.random(item.size) < rng.beta(3, 2, annotators)[who]
    codes = np.where(right, truth[item], rng.integers(0, n_classes, item.size))
    return pd.DataFrame({"task": item, "worker": who, "label": codes})


@pytest.mark.parametrize("shape", [(300, 6, 3, 5), (200, 30, 2, 2), (150, 8, 9, 8), (40, 3, 2, 3)])
@pytest.mark.parametrize("seed", range(3))
def test_dawid_skene(aggregation: Any, seed: int, shape: tuple[int, int, int, int]) -> None:
    """With their options it is theirs to 1e-9: it stops where they stop, and goes on where not."""
    votes = _simulated(seed, *shape)
    _compare(aggregation, votes)
    _compare(aggregation, votes, tol=1e-3)
    _compare(aggregation, votes.sample(frac=1.0, random_state=seed), n_iter=1)
    _compare(aggregation, votes, n_iter=25, tol=-np.inf)


@pytest.mark.parametrize("name", ["crowd/dog", "crowd/face", "rte_snow"])
def test_dawid_skene_on_real_votes(aggregation: Any, shared_data: Path, name: str) -> None:
    """On real crowds too."""
    _compare(aggregation, _long(pd.read_csv(shared_data / name / "annotations.csv")))


def test_majority(aggregation: Any, shared_data: Path) -> None:
    """Shares are theirs exactly, labels and accuracies too (ties go to the first class)."""
    votes = _long(pd.read_csv(shared_data / "crowd" / "dog" / "annotations.csv"))
    for one in (votes, _simulated(0, 300, 6, 3, 5)):
        theirs = aggregation.MajorityVote().fit(one)
        arrays, size, (names, classes) = _codes(one)
        ours = majority(**arrays, **size)
        expected = theirs.probas_.sort_index().sort_index(axis=1)
        np.testing.assert_allclose(ours.shares, expected.to_numpy(), atol=1e-12)
        np.testing.assert_array_equal(classes[ours.labels], theirs.labels_.sort_index())
        np.testing.assert_allclose(ours.accuracy, theirs.skills_.reindex(names), atol=1e-12)
