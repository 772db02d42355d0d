"""All that is known about the items, ready to be asked about any label of theirs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from scipy.special import logit

from labelops.audit.crowd_evidence import CrowdEvidence
from labelops.audit.ensemble import View, blend, margins
from labelops.audit.noise_model import NoiseFit, NoiseModel, fit_noise_model
from labelops.measure.codes import FloatArray, IntArray
from labelops.measure.draws import check_rng

__all__ = ["Evidence", "gather"]

_LIMIT = 1e-9


@dataclass(frozen=True, slots=True)
class Evidence:
    """All that is known about the items, and how to ask about any label of theirs.

    Where an error was planted, people would have voted for it: `planted` says that the labels asked
    about are such ones. What the votes say of the item's own label and of these changes places.

    Attributes
    ----------
    labels : (N,) int
        -1 is missing.
    views : mapping of str to View
        Held-out opinions.
    blended : (N, K) float
        The views as one, or the prior where there are none.
    crowd : CrowdEvidence or None
        What the votes say.
    model : NoiseModel
        How labels err.
    """

    labels: IntArray
    views: Mapping[str, View]
    blended: FloatArray
    crowd: CrowdEvidence | None
    model: NoiseModel

    def voted(self, rows: IntArray, planted: IntArray | None = None) -> FloatArray | None:
        """Give log likelihoods of the votes under each class, (M, K); rows of NaN without votes.

        None where there are no votes at all. `planted`: the labels planted there, (M,).
        """
        if self.crowd is None:
            return None
        logs = np.where(self.crowd.voted[:, None], self.crowd.log_likelihood, np.nan)[rows]
        if planted is not None:
            own, every = self.labels[rows], np.arange(len(rows))
            logs[every, own], logs[every, planted] = logs[every, planted], logs[every, own]
        return np.asarray(logs)

    def posterior(self, rows: IntArray, codes: IntArray, planted: bool = False) -> FloatArray:
        """P(class | everything) of rows, had they these labels, (M, K)."""
        voted = self.voted(rows, codes if planted else None)
        return self.model.posterior(self.blended[rows], codes, voted)

    def wrong(self, rows: IntArray, codes: IntArray, planted: bool = False) -> FloatArray:
        """Log odds that the labels are wrong, (M,)."""
        right = self.posterior(rows, codes, planted)[np.arange(len(rows)), codes]
        return np.asarray(logit(np.clip(1 - right, _LIMIT, 1 - _LIMIT)))

    def features(self, rows: IntArray, codes: IntArray, planted: bool = False) -> FloatArray:
        """Return what a review model weighs: `wrong`, then each view's margin and the votes'."""
        columns = [self.wrong(rows, codes, planted)]
        columns += [margins(view.logs, rows, codes) for view in self.views.values()]
        said = self.voted(rows, codes if planted else None)
        if said is not None:
            columns.append(margins(np.nan_to_num(said), np.arange(len(rows)), codes))
        return np.column_stack(columns)

    def mistakes(self) -> FloatArray:
        """P(wrong label | the item's label is right, somebody errs), (N, K)."""
        habits = self.model.habits[np.maximum(self.labels, 0)]
        return np.asarray(habits + self.blended)

    def scores(self) -> dict[str, FloatArray]:
        """Every single view's opinion of each label, low = bad; NaN where it has none."""
        said = {name: view.raw for name, view in self.views.items()}
        if self.crowd is not None:
            known = self.crowd.voted & (self.labels >= 0)
            right = self.crowd.posterior()[np.arange(len(self.labels)), self.labels]
            said["votes"] = np.where(known, right, np.nan)
        return said


def gather(
    labels: IntArray,
    views: Mapping[str, View],
    crowd: CrowdEvidence | None,
    K: int,
    rng: np.random.Generator,
) -> Evidence:
    """Blend the views and learn the noise model; of very many rows `rng` draws some for that."""
    check_rng(rng)
    if views:
        blended = np.maximum(blend(views), _LIMIT)
    else:
        prior = np.full(K, 1 / K) if crowd is None else crowd.prior
        blended = np.repeat(prior[None, :], len(labels), axis=0)
    seen = None
    if crowd is not None:
        seen = np.where(crowd.voted[:, None], crowd.log_likelihood, np.nan)
    if views:
        model = fit_noise_model(blended, labels, seen, rng)
    else:
        # Nothing but votes: their own prior, and the share of labels they contradict.
        model = NoiseModel((NoiseFit(0.03, 1.0, (1 - np.eye(K)) / (K - 1)),), np.ones(1))
    return Evidence(labels, views, blended, crowd, model)
