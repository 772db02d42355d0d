"""Asking a chat model about items: several at a time, each once, within what may be spent."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from dataclasses import dataclass

import pandas as pd

from ..errors import EndProtocolError, shown
from ..ports import Objects
from .chat_answers import NO_CHOICE, Said, as_said, read_answer
from .chat_cache import Answers, Ledger, Prices
from .chat_client import ChatClient
from .chat_refusals import Refusals, Refused
from .chat_request import Asking, Request
from .chat_tokens import TokenGuess

__all__ = ["Questions"]

_BLOCK = 256  # Items whose questions are held in memory at a time.


@dataclass(frozen=True)
class Questions:
    """Everything that asking needs beside what is asked; answers are kept and never paid twice.

    Parameters
    ----------
    client : ChatClient
    objects : Objects
        Where answers are kept.
    prices : Prices
    model : str
        What the server calls the model in its answers, perhaps with a date or an owner.
    load : callable or None
        Payload URI → bytes of images; None for texts.
    concurrency : int
        Questions asked at a time.
    """

    client: ChatClient
    objects: Objects
    prices: Prices
    model: str
    load: Callable[[str], bytes] | None
    concurrency: int

    def of(self, items: pd.DataFrame, asking: Asking) -> Iterator[list[tuple[str, Request]]]:
        """Give the items' ids and questions, a block at a time."""
        for start in range(0, len(items), _BLOCK):
            block = items.iloc[start : start + _BLOCK]
            rows = zip(block["item_id"], block["payload"], block["media_type"], strict=True)
            yield [(item, self._question(asking, *said)) for item, *said in rows]

    def _question(self, asking: Asking, payload: str, media_type: str) -> Request:
        image = None if self.load is None else (media_type, self.load(payload))
        return asking.request("" if image else payload, image)

    def answered(self, items: pd.DataFrame, asking: Asking, answers: Answers) -> list[Said]:
        """Return what was answered about each item, asking only what was never answered.

        Raises
        ------
        EndError
            As `ChatLabeler.propose`; what was answered before it is kept.
        """
        found: list[Said] = []
        spending: _Spending | None = None
        for block in self.of(items, asking):
            raw = {r.key: answers.get(r.key) for _, r in block}
            new = {r.key: (item, r) for item, r in block if raw[r.key] is None}
            if new:
                spending = spending or self._spending(asking, answers)
                raw |= self._ask_all(list(new.values()), asking, answers, spending)
            found += [read_answer(raw[r.key], asking.schema, asking.answer) for _, r in block]
        if spending is not None:
            spending.refusals.end()
        return found

    def _spending(self, asking: Asking, answers: Answers) -> _Spending:
        paid = answers.paid()
        guess = TokenGuess(paid, asking)
        earlier = any(not p.refused for p in paid)
        refusals = Refusals(self.client.host, answers, earlier=earlier)
        return _Spending(Ledger(self.prices, self.prices.of(*guess.total(paid))), guess, refusals)

    def _ask_all(
        self,
        new: Sequence[tuple[str, Request]],
        asking: Asking,
        answers: Answers,
        spending: _Spending,
    ) -> dict[str, Mapping[str, object] | None]:
        ended = threading.Event()

        def ask(item: str, request: Request) -> Mapping[str, object] | None:
            # The main thread is told of an error too late to hold back the next question.
            if ended.is_set():
                return None
            try:
                return self._ask(item, request, asking, answers, spending)
            except BaseException:
                ended.set()
                raise

        with ThreadPoolExecutor(self.concurrency) as pool:
            asked = [pool.submit(ask, item, request) for item, request in new]
            try:
                done, _ = wait(asked, return_when=FIRST_EXCEPTION)
            finally:
                # What is under way ends and is kept; what has not begun does not begin.
                for future in asked:
                    future.cancel()
                if not all(future.done() for future in asked):
                    ended.set()
                    self.client.end()
        failed = next((f for f in asked if f in done and f.exception() is not None), None)
        if failed is not None:
            failed.result()
        return {r.key: f.result() for (_, r), f in zip(new, asked, strict=True)}

    def _ask(
        self, item: str, request: Request, asking: Asking, answers: Answers, spending: _Spending
    ) -> Mapping[str, object]:
        guess = spending.guess
        expected = (guess.input(request), guess.output)
        reserved = self.prices.of(*expected)
        spending.ledger.reserve(reserved)
        cost = 0.0
        try:
            raw = as_said(self.client.ask(request, sum(expected)))
            cost = self.prices.of(*guess.tokens(answers.read(raw, request.size)))
            try:
                found = read_answer(raw, asking.schema, asking.answer)
                self._check_model(found.model, answers)
            except EndProtocolError as error:
                raise EndProtocolError(
                    f"chat model at {self.client.host}, item {shown(item)}: {error}"
                ) from None
            if found.refused == NO_CHOICE:
                empty = Refused(NO_CHOICE, "its answer has 0 choices, expected one", sure=False)
                return spending.refusals.refused(item, request, empty, raw)
            answers.put(request.key, raw, request.size)
            spending.refusals.answered()
        except Refused as refused:
            return spending.refusals.refused(item, request, refused)
        finally:
            spending.ledger.settle(reserved, cost)
        return raw

    def _check_model(self, model: str | None, answers: Answers) -> None:
        """Refuse the answer of another model than was asked, or than answered before."""
        if model is None:
            return
        if not _same_name(model, self.model):
            raise EndProtocolError(
                f"asked for {shown(self.model)}, and {shown(model)} answered; mend the server, or "
                "set chat.served_as to what it calls the model"
            )
        answers.same_model(model)


@dataclass(frozen=True, slots=True)
class _Spending:
    """What has been spent, what the next question will cost, and what was refused."""

    ledger: Ledger
    guess: TokenGuess
    refusals: Refusals


def _same_name(model: str, wanted: str) -> bool:
    """Say whether a model is the one wanted, dated or not, with its owner named or not."""
    short, ours = model.rsplit("/", 1)[-1], wanted.rsplit("/", 1)[-1]
    return short == ours or any(short.startswith(ours + mark) for mark in "-@:")
