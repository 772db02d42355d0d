"""The rule `audited`: a model's label stands by its posterior, and the release's audit judges it.

Nobody looks at a calibration sample, so nothing is promised when a label is accepted, and no risk
is spent. What is certified of a release does not depend on how its labels came to be: the audit
draws from all of them, the model's and people's.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from ..errors import UsageError, counted
from ..measure.codes import check_codes
from .hypotheses import Hypothesis, pool_digest
from .policy import AcceptancePolicy

__all__ = ["model_stands", "stand_by_posterior"]


def model_stands(
    posterior: npt.ArrayLike, proposed: npt.ArrayLike, threshold: float
) -> npt.NDArray[np.bool_]:
    """Say for which items the posterior of the model's proposal reaches the threshold.

    The posterior is the consensus': the model's probabilities, softened as far as people's votes
    on other items say, sharpened no further than they bear out where it would stand in the seed,
    with what rules add. Of an item that people have looked at they decide, whatever this says.

    Parameters
    ----------
    posterior : (N, K) float array
        Rows sum to 1.
    proposed : (N,) int array
        The model's class; -1 where it proposes none.
    threshold : float

    Raises
    ------
    UsageError
        If the shapes do not fit, or a proposal is no class.

    Examples
    --------
    >>> model_stands([[0.9, 0.1], [0.6, 0.4], [0.1, 0.9]], [0, 0, 0], 0.85).tolist()
    [True, False, False]
    """
    belief, code = np.asarray(posterior, dtype=np.float64), np.asarray(proposed)
    if belief.ndim != 2 or code.shape != belief.shape[:1]:
        raise UsageError(
            f"model_stands: posterior {belief.shape} and proposed {code.shape} do not fit; "
            "expected (N, K) and (N,)"
        )
    code = check_codes(code, belief.shape[1], name="proposed")
    own = belief[np.arange(len(code)), np.maximum(code, 0)]
    stands: npt.NDArray[np.bool_] = (code >= 0) & (own >= threshold)
    return stands


def stand_by_posterior(
    labeler_version: str,
    item_ids: npt.ArrayLike,
    stands: npt.ArrayLike,
    number: int,
    policy: AcceptancePolicy,
    *,
    weighed: bool,
) -> Hypothesis:
    """Write down which of a version's labels stand by their posterior: no look, no risk.

    `error` is kept for the permanent random looks alone: from more wrong labels on they close it.

    Parameters
    ----------
    labeler_version : str
    item_ids : (N,) item ids
        All there are.
    stands : (N,) bool array
        From `model_stands`, where nobody has looked.
    number : int
        Its place among all attempts, from 1.
    policy : AcceptancePolicy
    weighed : bool
        Whether votes have told how far the model is to be believed; else its probabilities are
        taken as they are, and the reason says so.

    Examples
    --------
    >>> audited = AcceptancePolicy("audited", error=0.02, min_posterior=0.85)
    >>> h = stand_by_posterior("v1", ["a", "b"], [True, False], 1, audited, weighed=True)
    >>> h.accepted, h.risk, h.sample
    (1, 0.0, 0)
    >>> h.reason
    "accepted at posterior ≥ 0.85: 1 item, judged by the release's audit"
    """
    ids, inside = np.asarray(item_ids, dtype=object), np.asarray(stands, dtype=bool)
    accepted = int(inside.sum())
    raw = "" if weighed else "; its probabilities are taken as they are, for want of votes"
    return Hypothesis(
        number=number,
        labeler_version=labeler_version,
        pool=pool_digest(ids),
        pool_size=len(ids),
        sample=0,
        rule=policy.rule,
        error=policy.error,
        risk=0.0,
        threshold=policy.min_posterior,
        accepted=accepted,
        errors=0,
        critical=-1,
        reason=f"accepted at posterior ≥ {policy.min_posterior:g}: "
        f"{counted(accepted, 'item')}, judged by the release's audit{raw}",
        test=policy.test,
        looks=0,
    )
