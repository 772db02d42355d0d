"""Where the audit of a candidate stands: which looks come next, and what they have shown.

The audit order is a uniformly random permutation fixed by permanent random numbers, which
no label, model or finding depends on. Reading it from the start is sampling without
replacement. When a later candidate holds more items, its order contains the earlier looks,
so they count again. Labels that an audit corrected stay errors among the looks for as long as that
order is read: correcting what one happened to look at says nothing of the rest. But they are not
among what is released, and the certificate speaks of that: so many errors there are, less those
that were corrected (see `labelops.measure.eprocess`). So it is with items that leave the set during
the audit, because their content was revised: somebody may have mended just what was found wrong.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ..measure.adjudication import NO_VOTE, PENDING, WRONG, Adjudication
from ..measure.codes import BoolArray, IntArray
from ..measure.samples import RandomSample, WeightedSample, expect_drawn
from .candidate import attempt_risk
from .certificate import Certificate, certify
from .conclusion import of_those_there
from .policy import GatePolicy
from .progress import AuditProgress, audit_progress
from .weighted_audit import certify_weighted

__all__ = ["AuditState", "audit_state"]


@dataclass(frozen=True, slots=True)
class AuditState:
    """Where the audit of a candidate stands.

    Parameters
    ----------
    certificate : Certificate
        From the looks settled so far, in audit order.
    planned : RandomSample or WeightedSample
        The n looks needed so far, in audit order: settled ones and those to come.
    unseen, pending : (n,) bool arrays
        Planned looks without a vote that counts, and those where people disagree so far.
    needed : (n,) int array
        The fewest more votes that can settle each of these.
    wrong : (n,) bool array
        Planned looks settled as wrong.
    correction : (n,) int array
        The class that people agree on where a look is newly settled as wrong, else -1.
    unaided : int
        Settled looks for which nobody was left who had no part in the label.
    confirms : int
        By how many votes a label must lead to be confirmed.
    tied : int
        Settled looks at labels that stand though people disagree, nobody being left to ask.
    lost : int
        Settled looks that count as wrong because only people who left could give them.
    unproven : bool
        Whether the audit failed for these alone: were the labels right, it would not have.
    """

    certificate: Certificate
    planned: RandomSample | WeightedSample
    unseen: BoolArray
    pending: BoolArray
    needed: IntArray
    wrong: BoolArray
    correction: IntArray
    unaided: int = 0
    confirms: int = 1
    tied: int = 0
    lost: int = 0
    unproven: bool = False

    @property
    def progress(self) -> AuditProgress:
        """How many of the planned looks are answered."""
        return audit_progress(self.unseen, self.pending, self.wrong, self.needed)


def audit_state(
    order: RandomSample | WeightedSample,
    adjudicated: npt.ArrayLike,
    looks: Adjudication,
    policy: GatePolicy,
    *,
    attempt: int = 1,
    standing: npt.ArrayLike = True,
    unaided: npt.ArrayLike = False,
    left: npt.ArrayLike = False,
    confirms: int = 1,
    missed: float = 0.0,
) -> AuditState:
    """Read the looks in audit order and say how many more are needed.

    Parameters
    ----------
    order : RandomSample or WeightedSample
        All N labels that were frozen, in audit order.
    adjudicated : (N,) bool array
        True where an earlier look in this order found the label wrong and it was corrected.
    looks : Adjudication
        Of the N labels against blind audit votes, in the same order.
    policy : GatePolicy
        Error and risk to certify.
    attempt : int
        Which attempt since the last release this is, from 1 (see `attempt_risk`).
    standing : (N,) bool array
        False where a label was corrected by votes that do not count any more, or do not prevail:
        such a label is an error that is still there.
    unaided : (N,) bool array
        True where nobody is left to look who had no part in the label.
    left : (N,) bool array
        True where the item left the set since it was frozen. It needs no look: it counts as an
        error met before any other look, which is not among the labels any more, whatever had been
        found of it; in a WeightedSample as one that stays.
    confirms : int
        By how many votes a label must lead to be confirmed, as in `looks`.
    missed : float
        Chance that looks confirm a wrong label.
    """
    ids = expect_drawn(order).ids
    gone = _of_each(left, ids)
    fixed = np.asarray(adjudicated, dtype=bool) | gone
    wrong = fixed | (looks.status == WRONG)
    unseen = ~fixed & (looks.status == NO_VOTE)
    pending = ~fixed & (looks.status == PENDING)
    open_looks = np.flatnonzero(unseen | pending)
    # Only the settled beginning of the order counts: to leave out a doubtful look would
    # leave out errors.
    settled = int(open_looks[0]) if len(open_looks) else len(ids)
    mended = fixed & ~gone & np.asarray(standing, dtype=bool)
    risk = attempt_risk(attempt, policy.risk)
    certificate = _certificate(order, wrong, gone, mended, settled, policy.error, risk, missed)
    lost = looks.lost & ~fixed if len(looks.lost) else np.zeros(len(ids), dtype=bool)
    unproven = False
    if certificate.status == "fail" and lost[:settled].any():
        known = _certificate(
            order, wrong & ~lost, gone, mended, settled, policy.error, risk, missed
        )
        unproven = known.status != "fail"
    size = _planned(certificate, wrong, settled, len(ids))
    return AuditState(
        certificate,
        order.first(size),
        unseen[:size],
        pending[:size],
        looks.needed[:size],
        wrong[:size],
        np.where(wrong & ~fixed, looks.consensus, -1)[:size],
        int(_of_each(unaided, ids)[:settled].sum()),
        confirms,
        int(looks.tied[:settled].sum()),
        int(lost[:settled].sum()),
        unproven,
    )


def _of_each(flags: npt.ArrayLike, ids: npt.NDArray[np.object_]) -> BoolArray:
    return np.broadcast_to(np.asarray(flags, dtype=bool), ids.shape)


def _certificate(
    order: RandomSample | WeightedSample,
    wrong: BoolArray,
    gone: BoolArray,
    mended: BoolArray,
    settled: int,
    error: float,
    risk: float,
    missed: float,
) -> Certificate:
    """Certify the settled beginning of an order; all arrays have its N labels, in its order."""
    size = len(order.ids)
    # What is tolerated is a share of the labels that are there.
    there = 1 - gone.sum() / size if size else 1.0
    bound = error * there
    wrong, left, mended = wrong[:settled], gone[:settled], mended[:settled]
    if isinstance(order, WeightedSample):
        # Its chances go with the order, so what left counts as errors that stay.
        found = certify_weighted(wrong, order.chances, bound, risk, int(mended.sum()), missed)
    else:
        # Errors that are gone come first: one more that is corrected is heard at each earlier look,
        # and would there stand for another, which nobody has corrected.
        outcomes = np.concatenate([left[left], wrong[~left]])
        corrected = int((left | mended).sum())
        found = certify(outcomes, bound, risk, size, corrected, missed)
    return of_those_there(found, error, there) if gone.any() else found


def _planned(certificate: Certificate, wrong: BoolArray, settled: int, total: int) -> int:
    """Say how many looks to plan: those settled, and the fewest that can end the audit."""
    if certificate.status != "inconclusive":
        return settled
    needed = certificate.needed if certificate.needed is not None else total
    # Looks that came in beyond the settled beginning, and found errors there, cost more.
    ahead = int(wrong[settled : settled + needed].sum())
    return min(total, settled + needed + ahead)
