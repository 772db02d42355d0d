"""The ends: the only ways out of the core, each a Protocol that adapters implement.

Every end has an embedded default and a conformance suite in `labelops.testing`. An end
raises only errors of `labelops.errors`; an `EndError` says whether trying again can help.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt
import pandas as pd

from .errors import SettingsError
from .schema import Schema

__all__ = [
    "Answer",
    "BatchHands",
    "BatchObjects",
    "Compacting",
    "Detected",
    "Detector",
    "Estimate",
    "Features",
    "Hands",
    "Labeler",
    "Metered",
    "NeighbourSearch",
    "Objects",
    "Offer",
    "Pausing",
    "Queue",
    "Received",
    "RowBlock",
    "Sent",
    "Source",
    "Tables",
    "Usage",
]


@dataclass(frozen=True, slots=True)
class RowBlock:
    """Some rows of a source, as they were found.

    Parameters
    ----------
    frame : pandas.DataFrame
        Raw rows; text cells are str, a missing cell is None. Columns are the source's own.
    origin : str
        The file the rows came from, as the user named it; goes into messages.
    first_row : int
        Number of the first row in that file, counted from 1 after any header.
    """

    frame: pd.DataFrame
    origin: str
    first_row: int = 1


@runtime_checkable
class Source(Protocol):
    """Where raw rows come from."""

    name: str

    def rows(self) -> Iterator[RowBlock]:
        """Yield all rows in blocks; reading again yields the same.

        Raises
        ------
        SourceError
            For a file or row that cannot be read, with its place.
        """
        ...


@runtime_checkable
class Labeler(Protocol):
    """A model or rule that proposes labels; it never decides.

    `name` is what its votes and proposals are signed with (`model:…` or `rule:…`).
    """

    name: str

    def fit(
        self, items: pd.DataFrame, codes: Sequence[int], groups: Sequence[str], schema: Schema
    ) -> str:
        """Learn from labeled items; return the version, a digest of all that was learned from.

        A labeler that cannot learn returns its fixed version. Fitting on the same rows again
        gives the same version and the same proposals.

        Parameters
        ----------
        items : (N,) items frame
            Rows of the items table, one an item.
        codes : (N,) class codes, none missing
        groups : (N,) leakage groups
            A group's items are held out together.
        schema : Schema
        """
        ...

    def propose(self, items: pd.DataFrame, schema: Schema) -> pd.DataFrame:
        """Return one row an item, in any order: item_id, value, confidence, probs, fold.

        A row of an item that was fitted on comes from the fold that held its group out, and
        says which. `confidence` is NaN and `probs` None where there is none; never 0 instead.

        Raises
        ------
        EndError
            If the labeler is away, slow, or answers something else than asked.
        """
        ...


@dataclass(frozen=True, slots=True)
class Usage:
    """What a labeler's answers cost, all runs together.

    Parameters
    ----------
    subject : str
        What they are the answers to: a digest of model, prompt and parameters.
    model : str
        Its name.
    answers : int
        Answers paid for; each question is paid for once.
    input_tokens, output_tokens : int
        Tokens asked and answered.
    estimated : int
        Answers whose tokens the server did not say; they are counted by estimate.
    cost : float or None
        At the prices in the settings; None without prices.
    """

    subject: str
    model: str
    answers: int
    input_tokens: int
    output_tokens: int
    estimated: int
    cost: float | None


@dataclass(frozen=True, slots=True)
class Estimate:
    """What asking about items will cost, rather too much than too little.

    Parameters
    ----------
    items, answered : int
        Items, and those whose answers are there already and cost nothing.
    input_tokens, output_tokens : int
        Tokens of the rest.
    cost : float or None
        At the prices in the settings; None without prices.
    spent : float or None
        What was spent before on the same model and prompt.
    most : float
        Most that may be spent in all; 0 is no bound.
    """

    items: int
    answered: int
    input_tokens: int
    output_tokens: int
    cost: float | None
    spent: float | None
    most: float

    def refuse_beyond(self) -> None:
        """Return if it may be spent.

        Raises
        ------
        SettingsError
            If it would go beyond the bound.

        Examples
        --------
        >>> Estimate(100, 0, 9_000, 900, 2.5, 0.0, 1.0).refuse_beyond()
        Traceback (most recent call last):
        labelops.errors.SettingsError: 100 more answers cost about 2.5000, 0.0000 are spent, and \
chat.max_cost is 1.0000; raise it, or label fewer items
        """
        total = (self.cost or 0.0) + (self.spent or 0.0)
        if self.most and self.items > self.answered and total > self.most:
            raise SettingsError(
                f"{self.items - self.answered} more answers cost about {self.cost or 0.0:,.4f}, "
                f"{self.spent or 0.0:,.4f} are spent, and chat.max_cost is {self.most:,.4f}; raise "
                "it, or label fewer items"
            )


@runtime_checkable
class Metered(Protocol):
    """A labeler whose answers cost something each."""

    def estimate(self, items: pd.DataFrame, schema: Schema) -> Estimate:
        """Say what asking about items will cost; asks nobody."""
        ...

    def usage(self, schema: Schema) -> Usage:
        """Say what all answers so far have cost, in this process and in earlier ones."""
        ...


@dataclass(frozen=True, slots=True)
class Sent:
    """What `Queue.send` did.

    Parameters
    ----------
    offered : int
        Plan rows newly offered to annotators.
    known : int
        Plan rows that were offered before (nothing was done again).
    url : str or None
        Where annotators go.
    """

    offered: int
    known: int
    url: str | None = None


@dataclass(frozen=True, slots=True)
class Received:
    """What `Queue.receive` found.

    Parameters
    ----------
    votes : pandas.DataFrame
        Rows of the votes table: new, edited, skipped and deleted answers. Some may be known.
    cursor : str
        Give it to the next `receive`; opaque, and safe to lose (everything comes again).
    rejected : tuple of str
        One line for each answer that says nothing the schema knows; it is in no vote.
    """

    votes: pd.DataFrame
    cursor: str
    rejected: tuple[str, ...] = ()


@runtime_checkable
class Queue(Protocol):
    """Where people label. Sending and receiving twice is the same as once."""

    name: str

    def send(
        self, plan: pd.DataFrame, items: pd.DataFrame, schema: Schema, *, payloads: Objects | None
    ) -> Sent:
        """Offer every plan row's item to `annotators` people for its purpose, once.

        Parameters
        ----------
        plan : rows of the plan table
        items : rows of the items table for the plan's items
        schema : Schema
        payloads : Objects or None
            Where `object:` payload URIs are found.
        """
        ...

    def receive(self, since: str | None = None) -> Received:
        """Return answers changed since a cursor (all of them without one)."""
        ...


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


@dataclass(frozen=True, slots=True)
class Detected:
    """What a detector says about N labels.

    Parameters
    ----------
    scores : (N,) float array in [0, 1]
        Low = bad; NaN where the label is missing or could not be judged.
    flagged : (N,) bool array
        Which labels it calls wrong.
    """

    scores: npt.NDArray[np.float64]
    flagged: npt.NDArray[np.bool_]


@runtime_checkable
class Detector(Protocol):
    """A second opinion on which labels are wrong; it suspects, people decide."""

    name: str

    def detect(self, probs: npt.NDArray[np.float64], codes: npt.NDArray[np.int64]) -> Detected:
        """Judge labels by held-out probabilities.

        Parameters
        ----------
        probs : (N, K) float array
            Out-of-fold probabilities, columns in the schema's class order, rows summing to 1.
        codes : (N,) int array
            Labels; -1 is missing and not judged.
        """
        ...


Features = Callable[[pd.DataFrame], Any]
"""Items frame → (N, D) matrix, dense or sparse, of features not learned from these labels."""


@runtime_checkable
class NeighbourSearch(Protocol):
    """Finds the nearest other points of every point, exactly or nearly.

    The same points give the same neighbours, however many threads look.
    """

    @property
    def name(self) -> str:
        """What the search is called."""
        ...

    def nearest(self, points: npt.NDArray[np.float32], k: int) -> npt.NDArray[np.int32]:
        """Return for each row the row numbers of its k nearest others.

        Parameters
        ----------
        points : (N, D) float32 array, C-contiguous, finite
        k : int
            At least 1.

        Returns
        -------
        (N, k) int32 array by Euclidean distance, about nearest first; never the row itself,
        never a row twice, and -1 after the last one found.
        """
        ...


@runtime_checkable
class Pausing(Protocol):
    """A queue that can stop serving somebody; open-source Label Studio cannot."""

    def pause(self, annotator: str, reason: str) -> None:
        """Offer nothing to this annotator any more. Saying it twice is saying it once."""
        ...

    def resume(self, annotator: str) -> None:
        """Serve this annotator again; nothing happens if they were not paused."""
        ...


@runtime_checkable
class Tables(Protocol):
    """Append-only tables of a workspace."""

    def append(self, table: str, frame: pd.DataFrame, *, after: int | None = None) -> None:
        """Check and append rows, all or none; many processes may append at once.

        Parameters
        ----------
        table : str
        frame : rows of the table
        after : int, optional
            Append only if the table is still at this `version`: what was concluded from a table
            is said only as long as that is all it holds.

        Raises
        ------
        TableError
            If rows break the table's contract; nothing is appended.
        ConflictError
            If the table is at another version than `after`; nothing is appended.
        StorageError
            If the disk is full or the table is damaged.
        """
        ...

    def read(
        self,
        table: str,
        *,
        columns: Sequence[str] | None = None,
        where: Mapping[str, str | int | Sequence[str]] | None = None,
    ) -> pd.DataFrame:
        """Return all rows (events, not collapsed), with the table's dtypes.

        Parameters
        ----------
        table : str
        columns : sequence of str, optional
            Only these columns.
        where : mapping, optional
            Column → value it must equal, or values it must be among.
        """
        ...

    def version(self, table: str) -> int:
        """Return a number that grows with every append; 0 for a table nobody wrote to."""
        ...


@runtime_checkable
class Compacting(Protocol):
    """Tables whose rows lie in many small files after a while, and that can merge them."""

    def compact(self, table: str) -> int:
        """Merge small files while others read and append; return how many went. Rows stay."""
        ...


@runtime_checkable
class Objects(Protocol):
    """Write-once bytes by name. Names are relative, '/'-separated, without '..'."""

    def put_new(self, name: str, content: bytes) -> bool:
        """Create the object whole or not at all; False if the name was taken (nothing changes)."""
        ...

    def get(self, name: str) -> bytes:
        """Return an object's bytes.

        Raises
        ------
        NotFoundError
            If there is none of that name.
        """
        ...

    def list(self, prefix: str = "") -> list[str]:
        """Return the names that start with `prefix`, sorted."""
        ...


@runtime_checkable
class BatchObjects(Objects, Protocol):
    """Objects that can be created many at a time."""

    def put_all(self, contents: Iterable[tuple[str, bytes]]) -> None:
        """Create many objects as `put_new` does; all are safe when this returns."""
        ...
