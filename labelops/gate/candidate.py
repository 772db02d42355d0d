"""A frozen set of labels under audit: which looks come next, and what they have shown.

The audit order is a uniformly random permutation fixed by permanent random numbers, which
no label, model or finding depends on. Reading it from the start is sampling without
replacement. When a later candidate holds more items, its order contains the earlier looks,
so they count again. Labels that an audit corrected stay counted as errors: correcting what
one happened to look at says nothing of the rest.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from ..digest import canonical_json, digest_bytes
from ..measure.adjudication import NO_VOTE, PENDING, WRONG, Adjudication
from .certificate import Certificate, certify
from .policy import GatePolicy

__all__ = [
    "ADJUDICATED",
    "AuditState",
    "Candidate",
    "audit_state",
    "labels_digest",
    "read_candidates",
]

ADJUDICATED = "adjudicated"
"""The method of a label that an audit found wrong and people corrected."""


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
        `released …`, `failed`, `withdrawn: …`; empty while it is open.
    """

    number: int
    revision: int
    stream: int
    items: int
    digest: str
    closed: str = ""

    def to_body(self) -> str:
        """Return the candidate as the body of an event."""
        return canonical_json(asdict(self))


def read_candidates(bodies: pd.Series) -> list[Candidate]:
    """Read candidates from the bodies of their newest events, by number."""
    return sorted((Candidate(**json.loads(b)) for b in bodies), key=lambda c: c.number)


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
    planned : (n,) item ids
        The looks needed so far, in audit order: settled ones and those to come.
    unseen, pending : (n,) bool arrays
        Planned looks without a vote that counts, and those where people disagree so far.
    wrong : (n,) bool array
        Planned looks settled as wrong.
    corrected : (n,) int array
        The class that people agree on where a look is settled as wrong, else -1.
    """

    certificate: Certificate
    planned: npt.NDArray[np.object_]
    unseen: npt.NDArray[np.bool_]
    pending: npt.NDArray[np.bool_]
    wrong: npt.NDArray[np.bool_]
    corrected: npt.NDArray[np.int64]


def audit_state(
    item_ids: npt.ArrayLike,
    adjudicated: npt.ArrayLike,
    looks: Adjudication,
    policy: GatePolicy,
) -> AuditState:
    """Read the looks in audit order and say how many more are needed.

    Parameters
    ----------
    item_ids : (N,) item ids
        All labels of the candidate, in audit order.
    adjudicated : (N,) bool array
        True where an earlier look found the label wrong and it was corrected.
    looks : Adjudication
        Of the N labels against blind audit votes, in the same order.
    policy : GatePolicy
        Error and risk to certify.
    """
    ids = np.asarray(item_ids, dtype=object)
    fixed = np.asarray(adjudicated, dtype=bool)
    wrong = fixed | (looks.status == WRONG)
    unseen = ~fixed & (looks.status == NO_VOTE)
    pending = ~fixed & (looks.status == PENDING)
    open_looks = np.flatnonzero(unseen | pending)
    # Only the settled beginning of the order counts: to leave out a doubtful look would
    # leave out errors.
    settled = int(open_looks[0]) if len(open_looks) else len(ids)
    certificate = certify(wrong[:settled], policy.error, policy.risk, population=len(ids))
    size = _planned(certificate, wrong, settled, len(ids))
    return AuditState(
        certificate,
        ids[:size],
        unseen[:size],
        pending[:size],
        wrong[:size],
        np.where(wrong, looks.consensus, -1)[:size],
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
