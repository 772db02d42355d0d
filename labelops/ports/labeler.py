"""What proposes labels, and what that costs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

import pandas as pd

from ..errors import SettingsError
from ..schema import Schema

__all__ = [
    "Estimate",
    "Labeler",
    "LearnsFromEarlierLabels",
    "LearnsFromVectors",
    "MayNotLearn",
    "MayRefuse",
    "Metered",
    "SemiSupervised",
    "Usage",
]


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


@runtime_checkable
class MayNotLearn(Protocol):
    """A labeler that says whether it learns; one that says nothing is taken to."""

    @property
    def learns(self) -> bool:
        """Whether proposals depend on what the last `fit` was given.

        Where they do not, none of them had to be held out, and none names a fold.
        """
        ...


@runtime_checkable
class MayRefuse(Protocol):
    """A labeler whose model refuses some items and answers about others."""

    @property
    def refused(self) -> Mapping[str, str]:
        """Why the last `propose` has nothing about an item, by id, where the model refused it."""
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
    refused : mapping of str to int
        Items among the answers that were refused, and so have no proposal, by reason.
    """

    subject: str
    model: str
    answers: int
    input_tokens: int
    output_tokens: int
    estimated: int
    cost: float | None
    refused: Mapping[str, int] = field(default_factory=dict)

    @property
    def refusals(self) -> str:
        """Say what was refused in words, most frequent first; empty where nothing was.

        Examples
        --------
        >>> Usage("s", "m", 9, 90, 9, 0, None, {"content_filter": 1, "too large": 2}).refusals
        '3 refused (2 too large, 1 content_filter)'
        """
        if not self.refused:
            return ""
        ranked = sorted(self.refused.items(), key=lambda why: (-why[1], why[0]))
        reasons = ", ".join(f"{n} {why}" for why, n in ranked)
        return f"{sum(self.refused.values())} refused ({reasons})"


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
    to_measure : int
        How many answers would say how long they are here; 0 where some do already.
    """

    items: int
    answered: int
    input_tokens: int
    output_tokens: int
    cost: float | None
    spent: float | None
    most: float
    to_measure: int = 0

    @property
    def beyond(self) -> bool:
        """Whether all that is lacking would cost more than may be spent."""
        total = (self.cost or 0.0) + (self.spent or 0.0)
        return bool(self.most) and self.items > self.answered and total > self.most

    @property
    def worth_measuring(self) -> bool:
        """Whether a guess stands in the way, and the few answers that replace it may be paid.

        Examples
        --------
        >>> bounds = (0.9, 2.0, 6.0)
        >>> [Estimate(100, 0, 9, 9, 5.0, 0.0, most, 20).worth_measuring for most in bounds]
        [False, True, False]
        """
        few = min(1.0, self.to_measure / max(self.items - self.answered, 1)) * (self.cost or 0.0)
        return self.beyond and self.to_measure > 0 and few + (self.spent or 0.0) <= self.most

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
        if self.beyond:
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

    def measure(self, items: pd.DataFrame, schema: Schema) -> None:
        """Ask about a few of the items, so that estimates rest on what answers cost here."""
        ...

    def usage(self, schema: Schema) -> Usage:
        """Say what all answers so far have cost, in this process and in earlier ones."""
        ...


@runtime_checkable
class SemiSupervised(Protocol):
    """A labeler that also learns from items without labels."""

    def read(self, items: pd.DataFrame, schema: Schema) -> None:
        """Learn from the content of items, before `fit` learns from labels.

        The version that `fit` returns is of what was read, too: the same items read and the same
        rows give the same version and proposals. What is read anew takes the place of all before.

        Parameters
        ----------
        items : (N,) items frame
            Sorted by item_id, so that nobody's version depends on where a row was found.
        schema : Schema
        """
        ...


@runtime_checkable
class LearnsFromVectors(Protocol):
    """A labeler that learns from a text encoder's vectors, or may.

    Attributes
    ----------
    encoder : str or None
        The encoder's version; None where there is none.
    """

    @property
    def encoder(self) -> str | None:
        """Whose vectors it learns from now."""
        ...


@runtime_checkable
class LearnsFromEarlierLabels(Protocol):
    """A labeler that weighs labels from before, or may.

    Attributes
    ----------
    earlier_labels : tuple of str
        The columns of items' `attributes` that hold them; none where it is empty.
    """

    earlier_labels: tuple[str, ...]
