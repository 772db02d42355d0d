"""cleanlab as a second detector of label errors, behind `labelops.ports.Detector`.

Its scores rank and its mask flags; its estimated *number* of errors is used nowhere, because
calibration alone moves it threefold. Labels and columns go in as integers in one order, so that
its rule of lexicographic class names never applies, and it runs in this process only.
"""

from __future__ import annotations

import numpy as np

from labelops.measure.codes import BoolArray, FloatArray, IntArray, check_codes, check_probs
from labelops.ports import Detected

__all__ = ["CleanlabDetector"]


class CleanlabDetector:
    """cleanlab's adjusted normalized margin and confident-learning filter.

    The margin is adjusted by each class's own mean confidence: a view that plain
    self-confidence does not have.

    References
    ----------
    Northcutt, Jiang, Chuang 2021, https://doi.org/10.1613/jair.1.12125
    """

    name = "cleanlab"

    def detect(self, probs: FloatArray, codes: IntArray) -> Detected:
        """Judge labels by held-out probabilities.

        Parameters
        ----------
        probs : (N, K) float array
            Out-of-fold probabilities.
        codes : (N,) int array
            Labels; -1 is missing: its score is NaN and it is not flagged.

        Raises
        ------
        UsageError
            The arrays are not probabilities and codes.
        """
        array = check_probs(probs, np.shape(probs)[1] if np.ndim(probs) == 2 else 0)
        labels = check_codes(codes, array.shape[1])
        scores = np.full(len(labels), np.nan)
        flagged = np.zeros(len(labels), dtype=bool)
        labeled = np.flatnonzero(labels >= 0)
        present = np.unique(labels[labeled])
        if len(present) >= 2:
            own, known = _only_present(array[labeled], labels[labeled], present)
            scores[labeled], flagged[labeled] = _cleanlab(own, known)
        return Detected(scores, flagged)


def _only_present(
    probs: FloatArray, codes: IntArray, present: IntArray
) -> tuple[FloatArray, IntArray]:
    """Leave out classes nobody has: cleanlab cannot estimate a confidence for them."""
    kept = probs[:, present]
    total = kept.sum(axis=1, keepdims=True)
    even = np.full_like(kept, 1 / len(present))
    return np.divide(kept, total, out=even, where=total > 0), np.searchsorted(present, codes)


def _cleanlab(probs: FloatArray, codes: IntArray) -> tuple[FloatArray, BoolArray]:
    from cleanlab.filter import find_label_issues  # lazy: some 1,700 modules
    from cleanlab.rank import get_label_quality_scores

    scores = get_label_quality_scores(
        codes, probs, method="normalized_margin", adjust_pred_probs=True
    )
    mask = find_label_issues(
        codes, probs, filter_by="confident_learning", n_jobs=1, min_examples_per_class=0
    )
    return np.clip(scores, 0.0, 1.0), np.asarray(mask, dtype=bool)
