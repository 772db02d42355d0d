"""A frozen set of labels under audit: which looks come next, and what they have shown.

The audit order is a uniformly random permutation fixed by permanent random numbers, which
no label, model or finding depends on. Reading it from the start is sampling without
replacement. When a later candidate holds more items, its order contains the earlier looks,
so they count again. Labels that an audit corrected stay errors among the looks for as long as that
order is read: correcting what one happened to look at says nothing of the rest. But they are not
among what is released, and the certificate speaks of that: so many errors there are, less those
that were corrected (see `labelops.measure.eprocess`). So it is with items that leave the set during
the audit, because their content was revised: somebody may have mended just what was found wrong.

An order is read on only while the labels that were frozen in it stand. What an auditor
contradicts goes to people, under a newer version or other settings; then what was looked at is
right, what was not is whatever it is, and old looks say nothing of it. So a candidate that failed
ends the order, and so does any label that was decided otherwise since, its own corrections apart.
The next one is read in a new order, in which corrected labels are labels like any other.

Where many labels are expected to be wrong, they are drawn by their doubt instead (see
`choose_audit`). The doubts are fixed with the candidate, before a random number of its order is
used. Such an order is that candidate's alone: no earlier look is carried into it by its place, and
none out of it. Votes on an item count again, whatever order comes to it: its label is right or
wrong whether or not somebody has looked.

Whoever may try again until it works passes in the end. So the attempts between two releases
share the risk: the j-th is tested at `attempt_risk(j, risk)`, and the chance that any of them
passes wrongly stays below the risk that the policy states for a release.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from ..digest import canonical_json, digest_bytes
from ..errors import percent
from ..measure.adjudication import NO_VOTE, PENDING, WRONG, Adjudication
from ..measure.intervals import check_share, check_whole
from ..measure.samples import RandomSample, WeightedSample, expect_drawn
from ..measure.weighted import audit_chances
from .certificate import Certificate, certify
from .evidence import of_those_there
from .policy import UNIFORM, WEIGHTED, GatePolicy
from .progress import AuditProgress, audit_progress
from .weighted_audit import certify_weighted

__all__ = [
    "ADJUDICATED",
    "OVERLOOKED",
    "REFUTED",
    "AuditState",
    "Candidate",
    "attempt_of",
    "attempt_risk",
    "audit_state",
    "choose_audit",
    "labels_digest",
    "read_candidates",
    "tried_doubt",
]

ADJUDICATED = "adjudicated"
"""The method of a label that an audit found wrong and people corrected."""

_NEAR = 0.75
"""From which part of the bound on the errors expected are near it."""

_OF_MODEL = 1 / 3
"""Share of what a model's posteriors doubt that is wrong, where no random look has tried them. It
was a third on development sets: consensus leaves every label of a model some doubt."""

_TELLING = 0.8
"""Draws by doubt must vary at most so much as even ones do, or they cost more than they save."""


REFUTED = "failed: the audit found too many errors"
"""Why a candidate was closed whose audit proved that too many labels are wrong."""

OVERLOOKED = "failed: its looks may miss too many wrong labels to certify any share of them"
"""Why a candidate was closed whose audit could show nothing, whatever it found."""

OUTGROWN = (
    "withdrawn: there are people now who can audit the labels themselves, not only first votes"
)
"""Why a candidate was closed whose first votes were audited until somebody joined the three."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A set of labels frozen for audit and release.

    Parameters
    ----------
    number : int
        From 1.
    revision : int
        Labels up to this revision are in it.
    stream : int
        Which random order the audit reads; a new one after a candidate that failed, because
        labels then depended on what the old one showed.
    items : int
        How many labels.
    digest : str
        Of the item ids and values.
    closed : str
        `released …`, `failed: …` or `withdrawn: …`; empty while it is open.
    looks_again : int
        How many of the least certain labels are to be looked at again since it failed.
    audit : {"uniform", "weighted"}
        How the audit draws them.
    doubts : str
        The object that holds the doubts of a weighted audit, fixed with the candidate.
    why : str
        Why the audit draws so, in words.
    confirm : int
        By how many blind votes its labels must lead to be confirmed.
    ties : bool
        Whether a label stands where nobody is left to look and half of those who did name it.
    firsts : bool
        Whether the first vote on an item is what its audit judges, by all later ones (see
        `labelops.gate.firsts`).
    missed : float
        Chance that its audit's looks confirm a wrong label (see `labelops.gate.confirm`).
    """

    number: int
    revision: int
    stream: int
    items: int
    digest: str
    closed: str = ""
    looks_again: int = 0
    audit: str = UNIFORM
    doubts: str = ""
    why: str = ""
    confirm: int = 1
    ties: bool = False
    firsts: bool = False
    missed: float = 0.0

    @property
    def refuted(self) -> bool:
        """Whether its audit found too many errors; not so where an audit was ended early."""
        return self.closed == REFUTED

    @property
    def ends_order(self) -> bool:
        """Whether the next audit is another one: this failed, or looked at something else."""
        return self.closed.startswith("failed") or self.closed == OUTGROWN

    @property
    def order(self) -> str:
        """The stream of random numbers that its audit is drawn by."""
        # A weighted order is of no use to another candidate, whose doubts are others.
        own = f"audit/{WEIGHTED}/{self.number}"
        return own if self.audit == WEIGHTED else f"audit/{self.stream}"

    def to_body(self) -> str:
        """Return the candidate as the body of an event."""
        return canonical_json(asdict(self))


def read_candidates(bodies: pd.Series) -> list[Candidate]:
    """Read candidates from the bodies of their newest events, by number."""
    return sorted((Candidate(**json.loads(b)) for b in bodies), key=lambda c: c.number)


_FIRST_SHARE = 0.8
"""Share of the risk for the first attempt, and of what is left for each later one."""


def attempt_risk(attempt: int, risk: float) -> float:
    """Give the share of `risk` that the j-th attempt since the last release may spend.

    Shares fall by a factor of five and sum to `risk` over all attempts. The first keeps most of
    it, because most releases need only one: at a bound of 2 % it takes 191 clean looks instead
    of 178, the second 278. It never becomes 0: what floats cannot hold is their smallest number.

    Raises
    ------
    UsageError
        The attempt is not a whole number from 1, or the risk is not between 0 and 1.

    Examples
    --------
    >>> [round(attempt_risk(j, 0.05), 4) for j in (1, 2, 3)]
    [0.04, 0.008, 0.0016]
    """
    check_whole("attempt", attempt)
    check_share("risk", risk, inside=True)
    return max(risk * _FIRST_SHARE * (1 - _FIRST_SHARE) ** (attempt - 1), sys.float_info.min)


def attempt_of(candidate: Candidate, candidates: Sequence[Candidate]) -> int:
    """Count the audits since the last release before a candidate, its own included.

    Those that follow one another on one order go on with one audit: an order is ended by a
    failure, or when its first votes are no longer what is audited. Each order that was begun is an
    attempt, however it ended.
    """
    earlier = [c for c in candidates if c.number < candidate.number]
    released = max((c.number for c in earlier if c.closed.startswith("released")), default=0)
    return 1 + len({c.order for c in earlier if c.number > released} - {candidate.order})


def choose_audit(
    doubt: npt.ArrayLike,
    policy: GatePolicy,
    *,
    carried: bool = False,
    untried: npt.ArrayLike = False,
) -> tuple[str, str]:
    """Say how the audit of a candidate is to draw its labels, and why, before anybody looked.

    Parameters
    ----------
    doubt : (N,) float array in [0, 1]
        One less each label's posterior: their mean is the share expected to be wrong.
    policy : GatePolicy
    carried : bool
        Whether looks at earlier candidates count on in the common, uniform order.
    untried : (N,) bool array
        A model's labels that stand by its posterior, at which nobody has looked.

    Examples
    --------
    >>> choose_audit([0.0] * 95 + [0.4] * 5, GatePolicy(error=0.02))
    ('weighted', '2 % are expected to be wrong, above three quarters of the bound')
    >>> choose_audit([0.01] * 100, GatePolicy(error=0.02))[0]
    'uniform'
    """
    if policy.audit != "auto":
        return policy.audit, f"[gate] audit is {policy.audit}"
    if carried:
        return UNIFORM, "looks at earlier candidates count on in its order"
    worth = np.asarray(doubt, dtype=np.float64)
    part = np.where(np.asarray(untried, dtype=bool), _OF_MODEL, 1.0)
    expected = float((worth * part).mean()) if worth.size else 0.0
    said = f"{percent(expected)} are expected to be wrong"
    if expected <= _NEAR * policy.error:
        return UNIFORM, f"{said}, no more than three quarters of the bound"
    chances = audit_chances(worth)
    spread = float((worth / chances).mean()) / (float(worth.mean()) * worth.size)
    if spread > _TELLING:
        return UNIFORM, f"{said}, but the doubts are too alike to tell where"
    return WEIGHTED, f"{said}, above three quarters of the bound"


def tried_doubt(
    doubt: npt.ArrayLike, tried: npt.ArrayLike, wrong: int, looks: int
) -> npt.NDArray[np.float64]:
    """Scale doubts down to what random looks at labels of their kind have shown; never up.

    A model that is sure of too little would let an audit expect errors that are not there.

    Parameters
    ----------
    doubt : (N,) float array in [0, 1]
    tried : (N,) bool array
        The labels of the kind that was looked at.
    wrong, looks : int
        Errors found in random looks at this kind, before any audit of these labels.

    Examples
    --------
    >>> tried_doubt([0.3, 0.1, 0.5], [True, True, False], wrong=1, looks=98).round(3).tolist()
    [0.03, 0.01, 0.5]
    """
    found = np.array(doubt, dtype=np.float64)
    some = np.asarray(tried, dtype=bool)
    mean = float(found[some].mean()) if some.any() else 0.0
    # One more error than was seen, in two more looks (Laplace): few looks calm little.
    shown = (wrong + 1) / (looks + 2)
    if looks and mean > shown:
        found[some] *= shown / mean
    return found


def labels_digest(labels: pd.DataFrame) -> str:
    """Return a digest of the pairs (item_id, value), whatever the order of the rows."""
    rows = sorted(zip(labels["item_id"], labels["value"], strict=True))
    text = "\x00".join(f"{i}\x01{v}" for i, v in rows)
    return digest_bytes(text.encode("utf-8", "surrogatepass"))


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
    """

    certificate: Certificate
    planned: RandomSample | WeightedSample
    unseen: npt.NDArray[np.bool_]
    pending: npt.NDArray[np.bool_]
    needed: npt.NDArray[np.int64]
    wrong: npt.NDArray[np.bool_]
    correction: npt.NDArray[np.int64]
    unaided: int = 0
    confirms: int = 1
    tied: int = 0

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
    gone = np.broadcast_to(np.asarray(left, dtype=bool), ids.shape)
    fixed = np.asarray(adjudicated, dtype=bool) | gone
    wrong = fixed | (looks.status == WRONG)
    unseen = ~fixed & (looks.status == NO_VOTE)
    pending = ~fixed & (looks.status == PENDING)
    open_looks = np.flatnonzero(unseen | pending)
    # Only the settled beginning of the order counts: to leave out a doubtful look would
    # leave out errors.
    settled = int(open_looks[0]) if len(open_looks) else len(ids)
    risk = attempt_risk(attempt, policy.risk)
    mended = fixed & ~gone & np.asarray(standing, dtype=bool)
    # What is tolerated is a share of the labels that are there.
    there = 1 - gone.sum() / len(ids) if len(ids) else 1.0
    bound = policy.error * there
    if isinstance(order, WeightedSample):
        # Its chances go with the order, so what left counts as errors that stay.
        corrected = int(mended[:settled].sum())
        certificate = certify_weighted(
            wrong[:settled], order.chances, bound, risk, corrected, missed
        )
    else:
        # Errors that are gone come first: one more that is corrected is heard at each earlier look,
        # and would there stand for another, which nobody has corrected.
        outcomes = np.concatenate(
            [gone[:settled][gone[:settled]], wrong[:settled][~gone[:settled]]]
        )
        corrected = int((gone | mended)[:settled].sum())
        certificate = certify(outcomes, bound, risk, len(ids), corrected, missed)
    if gone.any():
        certificate = of_those_there(certificate, policy.error, there)
    size = _planned(certificate, wrong, settled, len(ids))
    return AuditState(
        certificate,
        order.first(size),
        unseen[:size],
        pending[:size],
        looks.needed[:size],
        wrong[:size],
        np.where(wrong & ~fixed, looks.consensus, -1)[:size],
        int(np.broadcast_to(np.asarray(unaided, dtype=bool), ids.shape)[:settled].sum()),
        confirms,
        int(looks.tied[:settled].sum()),
    )


def _planned(
    certificate: Certificate, wrong: npt.NDArray[np.bool_], settled: int, total: int
) -> int:
    if certificate.status != "inconclusive":
        return settled
    needed = certificate.needed if certificate.needed is not None else total
    # Looks that came in beyond the settled beginning, and found errors there, cost more.
    ahead = int(wrong[settled : settled + needed].sum())
    return min(total, settled + needed + ahead)
