"""Answers that were paid for: each kept as soon as it comes, and what they cost in all.

An answer is an object of the workspace, named by the digest of its question, so that a run
that was killed finds what it bought, and nobody pays for a question twice.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Mapping
from dataclasses import dataclass

from ..digest import canonical_json
from ..errors import EndProtocolError, NotFoundError, SettingsError, StorageError, shown
from ..ports import Objects
from .chat_answers import refusal_of, tokens_of

__all__ = ["Answers", "Ledger", "Paid", "Prices"]


@dataclass(frozen=True, slots=True)
class Prices:
    """What tokens cost, and how much may be spent.

    Parameters
    ----------
    input, output : float
        Price of a million tokens asked and answered.
    most : float
        Most that may be spent on one prompt and model; 0 is no bound.

    Raises
    ------
    SettingsError
        If one is negative, or there is a bound and no price.

    Examples
    --------
    >>> Prices(0.5, 2.0).of(1_000_000, 500_000)
    1.5
    """

    input: float = 0.0
    output: float = 0.0
    most: float = 0.0

    def __post_init__(self) -> None:
        if min(self.input, self.output, self.most) < 0:
            raise SettingsError("chat.input_price, output_price and max_cost must be 0 or more")
        if self.most and not self.input:
            raise SettingsError(
                "chat.max_cost needs chat.input_price and chat.output_price, per million tokens"
            )

    def of(self, input_tokens: float, output_tokens: float) -> float:
        """Return what so many tokens cost."""
        return (input_tokens * self.input + output_tokens * self.output) / 1e6


@dataclass(frozen=True, slots=True)
class Paid:
    """What is known of an answer: its question's size, its tokens where the server said them.

    Parameters
    ----------
    size : int
        Bytes of text in the question.
    input_tokens, output_tokens : int or None
    refused : str
        Why the item was refused, in a word or two; empty where it was not.
    """

    size: int
    input_tokens: int | None
    output_tokens: int | None
    refused: str = ""


class Ledger:
    """Keeps what is spent within what may be; shared by threads.

    Parameters
    ----------
    prices : Prices
    spent : float
        By earlier runs.

    Examples
    --------
    >>> ledger = Ledger(Prices(1.0, 1.0, most=2.0), 1.5)
    >>> ledger.reserve(0.4)
    >>> ledger.reserve(0.4)
    Traceback (most recent call last):
    labelops.errors.SettingsError: 1.5000 are spent and 0.4000 asked for, chat.max_cost is 2.0000: \
raise it to go on; what was answered is kept
    """

    def __init__(self, prices: Prices, spent: float) -> None:
        self._prices, self._spent, self._asked = prices, spent, 0.0
        self._lock = threading.Lock()

    def reserve(self, cost: float) -> None:
        """Set aside what a question may cost.

        Raises
        ------
        SettingsError
            If that would be more than may be spent.
        """
        most = self._prices.most
        with self._lock:
            if most and self._spent + self._asked + cost > most:
                raise SettingsError(
                    f"{self._spent:,.4f} are spent and {self._asked:,.4f} asked for, chat.max_cost "
                    f"is {most:,.4f}: raise it to go on; what was answered is kept"
                )
            self._asked += cost

    def settle(self, reserved: float, cost: float) -> None:
        """Replace what was set aside by what it cost."""
        with self._lock:
            self._asked -= reserved
            self._spent += cost


class Answers:
    """The answers to one prompt and model.

    Parameters
    ----------
    objects : Objects
    version : str
        Digest of prompt, model and parameters.
    most : int
        Tokens an answer is allowed to have.
    """

    def __init__(self, objects: Objects, version: str, most: int) -> None:
        self._objects, self._folder, self._most = objects, f"answers/{version[:16]}/", most
        self._paid: dict[str, Paid] = {}
        self._model = ""
        self._lock = threading.Lock()

    def get(self, key: str) -> Mapping[str, object] | None:
        """Return the answer to a question, or None if it was never asked."""
        try:
            content = self._objects.get(self._name(key))
        except NotFoundError:
            return None
        try:
            kept = json.loads(content)
            raw: Mapping[str, object] = kept["answer"]
            self._note(key, raw, int(kept["size"]))
        except (ValueError, KeyError, TypeError):
            raise StorageError(
                f"object {self._name(key)} is no kept answer; delete it, and it is asked again"
            ) from None
        return raw

    def put(self, key: str, raw: Mapping[str, object], size: int) -> None:
        """Keep an answer; it is safe when this returns."""
        content = json.dumps({"answer": raw, "size": size}, ensure_ascii=True).encode("ascii")
        self._objects.put_new(self._name(key), content)
        self._note(key, raw, size)

    def same_model(self, model: str) -> None:
        """Keep which model answers; refuse another one from then on.

        Raises
        ------
        EndProtocolError
            If earlier answers came from another model.
        """
        if model == self._model:
            return
        name = self._folder[:-1] + ".model.json"
        mine = canonical_json(model).encode()
        before = mine if self._objects.put_new(name, mine) else self._objects.get(name)
        if before != mine:
            raise EndProtocolError(
                f"the server answered as {shown(model)}, and earlier as "
                f"{shown(json.loads(before))}: these are two models; name the one you want, with "
                "its date, in chat.model"
            )
        self._model = model

    def keys(self) -> set[str]:
        """Return the questions that were answered, in this run or any before."""
        names = self._objects.list(self._folder)
        return {n.removeprefix(self._folder).removesuffix(".json") for n in names}

    def paid(self) -> list[Paid]:
        """Return what is known of all answers there are, in this run or any before."""
        for key in sorted(self.keys() - set(self._paid)):
            self.get(key)
        return [self._paid[k] for k in sorted(self._paid)]

    def read(self, raw: Mapping[str, object], size: int) -> Paid:
        """Return what is known of an answer to a question of a size."""
        return Paid(size, *tokens_of(raw, size, self._most), refusal_of(raw))

    def _name(self, key: str) -> str:
        return f"{self._folder}{key}.json"

    def _note(self, key: str, raw: Mapping[str, object], size: int) -> None:
        with self._lock:
            self._paid[key] = self.read(raw, size)
