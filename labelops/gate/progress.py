"""How far the looks of an audit have come, beside what its certificate has read of them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ..errors import counted
from .words import clean_audits_certify

__all__ = ["AuditProgress", "audit_progress"]


@dataclass(frozen=True, slots=True)
class AuditProgress:
    """How many of the looks that an audit planned are answered.

    A certificate reads looks in the order of their draw, up to the first one that is open. Those
    answered behind it count as soon as it is settled, so what is missing is less than the
    certificate alone tells.

    Parameters
    ----------
    answered, wrong : int
        Looks settled behind one that is open, and those of them that found the label wrong.
    before, disputed : int
        Open looks before the last of these, and those of them on which people disagree.
    to_come : int
        Planned looks that are open.
    votes : int
        The fewest votes that can settle these.
    """

    answered: int = 0
    wrong: int = 0
    before: int = 0
    disputed: int = 0
    to_come: int = 0
    votes: int = 0

    @property
    def held_up(self) -> str:
        """Say which looks are answered and not read yet, and what they wait for; else empty."""
        if not self.answered:
            return ""
        wrong = f", {self.wrong} of them wrong," if self.wrong else ""
        open_ = counted(self.before, "look")
        if self.disputed == self.before:
            open_ = counted(self.before, "disputed look")
        elif self.disputed:
            open_ += f", {self.disputed} of them disputed,"
        one, many = (f"{n}{wrong} {be}" for n, be in (("later look", "is"), ("later looks", "are")))
        return (
            f"{counted(self.answered, one, many)} answered and "
            f"{'waits' if self.answered == 1 else 'wait'} for {open_} before "
            f"{'it' if self.answered == 1 else 'them'}"
        )

    @property
    def certifies(self) -> str:
        """Say how many more clean looks certify what is named next."""
        # Every error found costs further looks, which are planned once it is read.
        least = "at least " if self.wrong else ""
        return f"{least}{clean_audits_certify(self.to_come)}"

    @property
    def cost(self) -> str:
        """Say how many votes these looks take, where that is more than one each; else empty."""
        return f"{counted(self.votes, 'vote')} or more" if self.votes > self.to_come else ""


def audit_progress(
    unseen: npt.NDArray[np.bool_],
    pending: npt.NDArray[np.bool_],
    wrong: npt.NDArray[np.bool_],
    needed: npt.NDArray[np.int64],
) -> AuditProgress:
    """Count what is answered of the looks that an audit planned.

    Parameters
    ----------
    unseen, pending, wrong : (n,) bool arrays
        Planned looks in audit order: those without a vote that counts, those where people
        disagree so far, those settled as wrong.
    needed : (n,) int array
        The fewest more votes that can settle each of these.

    Examples
    --------
    Of six looks the second is disputed and the last one open.

    >>> at = np.arange(6)
    >>> found = audit_progress(at == 5, at == 1, at == 3, np.where(at == 1, 2, at == 5))
    >>> found.held_up
    '3 later looks, 1 of them wrong, are answered and wait for 1 disputed look before them'
    >>> found.certifies, found.cost
    ('at least 2 more clean audits certify', '3 votes or more')
    """
    open_ = unseen | pending
    behind = ~open_ & (np.cumsum(open_) > 0)
    last = int(np.flatnonzero(behind)[-1]) if behind.any() else 0
    before = np.flatnonzero(open_[:last])
    return AuditProgress(
        answered=int(behind.sum()),
        wrong=int((behind & wrong).sum()),
        before=len(before),
        disputed=int(pending[before].sum()),
        to_come=int(open_.sum()),
        votes=int(needed[open_].sum()),
    )
