"""A frozen set of labels under audit, and which attempt at a release it is.

An order of audit is read on only while the labels that were frozen in it stand. What an auditor
contradicts goes to people, under a newer version or other settings; then what was looked at is
right, what was not is whatever it is, and old looks say nothing of it. So a candidate that failed
ends the order, and so does any label that was decided otherwise since, its own corrections apart.
The next one is read in a new order, in which corrected labels are labels like any other.

Where many labels are expected to be wrong, they are drawn by their doubt instead (see
`labelops.gate.design`). The doubts are fixed with the candidate, before a random number of its
order is used. Such an order is that candidate's alone: no earlier look is carried into it by its
place, and none out of it. Votes on an item count again, whatever order comes to it: its label is
right or wrong whether or not somebody has looked.

Whoever may try again until it works passes in the end. So the attempts between two releases
share the risk: the j-th is tested at `attempt_risk(j, risk)`, and the chance that any of them
passes wrongly stays below the risk that the policy states for a release.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace

import pandas as pd

from ..digest import canonical_json, digest_bytes
from ..errors import counted
from ..measure.given import check_share, check_whole
from .policy import UNIFORM, WEIGHTED

__all__ = [
    "ADJUDICATED",
    "OUTGROWN",
    "OVERLOOKED",
    "REFUTED",
    "UNLOOKED",
    "Candidate",
    "attempt_of",
    "attempt_risk",
    "labels_digest",
    "read_candidates",
]

ADJUDICATED = "adjudicated"
"""The method of a label that an audit found wrong and people corrected."""

REFUTED = "failed: the audit found too many errors"
"""Why a candidate was closed whose audit proved that too many labels are wrong."""

OVERLOOKED = "failed: its looks may miss too many wrong labels to certify any share of them"
"""Why a candidate was closed whose audit could show nothing, whatever it found."""

UNLOOKED = "failed: too many looks that only people who left could give count as wrong"
"""Why a candidate was closed whose audit failed for these alone, and so proved nothing."""

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
    late : str
        The object that holds the items it does not wait for; empty where it waits for all.
    later : int
        How many these are.
    left : tuple of str
        Who was said to have left by then.
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
    late: str = ""
    later: int = 0
    left: tuple[str, ...] = ()

    @property
    def in_words(self) -> str:
        """Which one it is, of how many labels, and how many items it does not wait for."""
        said = f"candidate {self.number}: {counted(self.items, 'label')}"
        return f"{said}, without {counted(self.later, 'later item')}" if self.later else said

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
    found = (Candidate(**json.loads(b)) for b in bodies)
    return sorted((replace(c, left=tuple(c.left)) for c in found), key=lambda c: c.number)


def labels_digest(labels: pd.DataFrame) -> str:
    """Return a digest of the pairs (item_id, value), whatever the order of the rows."""
    rows = sorted(zip(labels["item_id"], labels["value"], strict=True))
    text = "\x00".join(f"{i}\x01{v}" for i, v in rows)
    return digest_bytes(text.encode("utf-8", "surrogatepass"))


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
