"""cleanlab behind the detector port."""

from __future__ import annotations

import numpy as np

from labelops.adapters.cleanlab_detector import CleanlabDetector
from labelops.ports import Detector


def _noisy(seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    truth = rng.integers(0, 12, 600)
    probs = 0.7 * np.eye(12)[truth] + 0.3 * rng.dirichlet(np.ones(12), 600)
    bad = rng.random(600) < 0.1
    return probs, np.where(bad, (truth + 1) % 12, truth), bad


def test_is_a_detector() -> None:
    """It is what the port asks for."""
    assert isinstance(CleanlabDetector(), Detector)


def test_finds_wrong_labels_of_twelve_classes() -> None:
    """Twelve classes (whose names would sort as 0, 1, 10, 11, 2 …) are not mixed up."""
    probs, codes, bad = _noisy(0)
    found = CleanlabDetector().detect(probs, codes)
    assert (found.flagged == bad).mean() > 0.99
    assert found.scores[bad].max() < found.scores[~bad].min()


def test_missing_labels_and_absent_classes_are_fine() -> None:
    """A class nobody has changes nothing for the others; a missing label is not judged."""
    probs, codes, _ = _noisy(1)
    codes[codes == 5] = -1
    found = CleanlabDetector().detect(probs, codes)
    assert np.isnan(found.scores).tolist() == (codes == -1).tolist()
    assert ((found.scores >= 0) & (found.scores <= 1))[codes >= 0].all()
    assert not found.flagged[codes == -1].any()


def test_one_class_is_not_judged() -> None:
    """With labels of one class there is nothing to compare: no scores, no flags."""
    found = CleanlabDetector().detect(np.full((3, 2), 0.5), np.array([0, 0, -1]))
    assert np.isnan(found.scores).all()
    assert not found.flagged.any()
