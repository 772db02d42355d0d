"""CROWDLAB against cleanlab's."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest
from cleanlab.multiannotator import get_label_quality_multiannotator

from labelops.consolidate.crowdlab import crowdlab
from labelops.measure.codes import FloatArray, IntArray

# Slow: thousands of rows of theirs take seconds.
pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("kernels")]


def _case(
    seed: int, items: int, annotators: int, n_classes: int, most: int
) -> tuple[IntArray, IntArray, IntArray, IntArray]:
    """Truth and votes, up to `most` an item and no annotator idle."""
    rng = np.random.default_rng(seed)
    truth = rng.integers(0, n_classes, items)
    accuracy = rng.beta(5, 3, annotators)
    order = rng.random((items, annotators)).argsort(axis=1)
    held = order < rng.integers(1, most + 1, items)[:, None]
    held[:annotators] |= np.eye(annotators, dtype=bool)
    item, who = np.nonzero(held)
    right = rng.random(item.size) < accuracy[who]
    return truth, item, who, np.where(right, truth[item], rng.integers(0, n_classes, item.size))


def _theirs(item: IntArray, who: IntArray, codes: IntArray, probs: FloatArray) -> tuple[Any, bool]:
    """Their result, and whether they drew a class at random where votes tie in everything."""
    wide = np.full((len(probs), who.max() + 1), np.nan)
    wide[item, who] = codes
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        found = get_label_quality_multiannotator(wide, probs, verbose=False, return_weights=True)
    return found, any("random selection" in str(warning.message) for warning in caught)


def _probs(seed: int, truth: IntArray, n_classes: int, kind: str) -> FloatArray:
    rng = np.random.default_rng(seed)
    if kind == "flat":
        return np.full((truth.size, n_classes), 1 / n_classes)
    probs = rng.dirichlet(np.full(n_classes, 0.5), truth.size)
    if kind != "useless":
        probs[np.arange(truth.size), truth] += 0.6
    if kind == "coarse":
        probs = np.round(probs * 2) + 1
    return np.asarray(probs / probs.sum(axis=1, keepdims=True))


@pytest.mark.parametrize("kind", ["sharp", "useless", "coarse", "flat"])
@pytest.mark.parametrize("shape", [(400, 8, 3, 5), (300, 5, 2, 2), (300, 20, 10, 3), (60, 3, 4, 3)])
@pytest.mark.parametrize("seed", range(4))
def test_parity(seed: int, shape: tuple[int, int, int, int], kind: str) -> None:
    """Labels, qualities, posterior, weights and worst classes are cleanlab's, ties included."""
    truth, item, who, codes = _case(seed, *shape)
    probs = _probs(seed, truth, shape[2], kind)
    theirs, drawn = _theirs(item, who, codes, probs)
    ours = crowdlab(item, who, codes, probs, n_annotators=shape[1])
    items, people = theirs["label_quality"], theirs["annotator_stats"].sort_index()
    close = {"rtol": 0, "atol": 1e-9}
    if not drawn:
        np.testing.assert_array_equal(ours.labels, items["consensus_label"])
        np.testing.assert_allclose(ours.quality, items["consensus_quality_score"], **close)
        np.testing.assert_allclose(ours.agreement, items["annotator_agreement"], **close)
        np.testing.assert_allclose(ours.annotator_quality, people["annotator_quality"], **close)
        np.testing.assert_allclose(
            ours.annotator_agreement, people["agreement_with_consensus"], **close
        )
        np.testing.assert_array_equal(ours.worst_class, people["worst_class"])
        np.testing.assert_allclose(ours.annotator_weight, theirs["annotator_weight"], **close)
        assert ours.model_weight == pytest.approx(theirs["model_weight"], abs=1e-9)
        per_vote = theirs["detailed_label_quality"].to_numpy()[item, who]
        np.testing.assert_allclose(ours.posterior[item, codes], per_vote, **close)
    assert ours.votes.tolist() == items["num_annotations"].tolist()
    assert ours.annotator_votes.tolist() == people["num_examples_labeled"].tolist()
