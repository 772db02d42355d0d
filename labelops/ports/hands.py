"""What annotators can do in a queue: the other side of it, for simulations and tests."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

__all__ = ["Answer", "BatchHands", "Hands", "Offer"]


@dataclass(frozen=True, slots=True)
class Offer:
    """One item as it lies before an annotator.

    Parameters
    ----------
    item_id : str
        The item.
    purpose : str
        Why somebody should look, one of `labelops.tables.PURPOSES`.
    round : int
        The plan round that asked.
    shown : str or None
        The pre-label on the screen as canonical JSON; None if there is none to see.
    ref : str
        What the queue finds the offer by; opaque to everybody else.
    """

    item_id: str
    purpose: str
    round: int
    shown: str | None = None
    ref: str = ""


@dataclass(frozen=True, slots=True)
class Answer:
    """What an annotator says to an offer.

    Parameters
    ----------
    offer : Offer
        What was offered.
    value : str or None
        The answer as canonical JSON; None to skip.
    seconds : float
        Time taken; NaN if not known.
    """

    offer: Offer
    value: str | None
    seconds: float = 1.0


@runtime_checkable
class Hands(Protocol):
    """What annotators can do in a queue; annotators are named as in votes, `human:…`."""

    def offers(self, annotator: str, limit: int | None = None) -> list[Offer]:
        """Return what is open for this annotator, in the order it would be served.

        Only items that still lack votes, that this annotator has neither answered nor
        skipped, and from which the annotator is not excluded.

        Parameters
        ----------
        annotator : str
        limit : int, optional
            At most so many; all of them without it.
        """
        ...

    def answer(self, annotator: str, offer: Offer, value: str, seconds: float = 1.0) -> None:
        """Give an answer (canonical JSON). It is safe when this returns."""
        ...

    def skip(self, annotator: str, offer: Offer) -> None:
        """Decline to answer; the offer goes to somebody else."""
        ...

    def edit(self, annotator: str, offer: Offer, value: str) -> None:
        """Change the annotator's own earlier answer."""
        ...

    def delete(self, annotator: str, offer: Offer) -> None:
        """Take the annotator's own earlier answer back."""
        ...


@runtime_checkable
class BatchHands(Hands, Protocol):
    """Hands that can give many answers at once, all or none."""

    def answer_many(self, annotator: str, answers: Sequence[Answer]) -> None:
        """Give or skip many offers; all are safe when this returns."""
        ...
