"""A language model as labeler: any server that speaks the OpenAI chat protocol.

It proposes a class for each item, in an answer bound to the classes; where the server gives
the log probabilities of tokens, they become probabilities of classes, calibrated on the items
that people labeled, each of them out of fold. Where it does not, confidence is absent, and such
a proposal is never accepted as a label.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait

import numpy as np
import pandas as pd

from ..digest import canonical_json, digest
from ..errors import EndProtocolError, SettingsError, shown
from ..kinds.choice import canonical
from ..measure.calibration import apply_temperature
from ..ports import Estimate, Objects, Usage
from ..schema import MEDIA, Schema
from ._temperatures import Temperatures, learn_temperatures
from .chat_answers import Said, read_answer, tokens_of
from .chat_cache import Answers, Ledger, Paid, Prices
from .chat_client import ChatClient
from .chat_request import PROMPT, Asking, Request

__all__ = ["ChatLabeler"]

_BLOCK = 256
_ENOUGH = 20
_MARGIN = 1.2


class ChatLabeler:
    """A chat model that proposes; what it answered is kept, and never asked or paid for twice.

    Parameters
    ----------
    client : ChatClient
    model : str
        The model, with its date where the provider moves names from one model to the next.
    objects : Objects
        Where answers are kept.
    prompt, answer, params, top_logprobs
        See `chat_request.Asking`.
    served_as : str
        What the server calls the model in its answers; empty: by its name, or the name with a
        date or the like behind it.
    media : {"text", "image"}
    load : callable, optional
        Payload URI → bytes; needed for images.
    prices : Prices
    concurrency : int
        Questions asked at a time.

    Raises
    ------
    SettingsError
        If a setting is out of range.
    """

    def __init__(
        self,
        client: ChatClient,
        model: str,
        *,
        objects: Objects,
        prompt: str = PROMPT,
        answer: str = "json_schema",
        params: Mapping[str, object] | None = None,
        top_logprobs: int = 20,
        served_as: str = "",
        media: str = "text",
        load: Callable[[str], bytes] | None = None,
        prices: Prices | None = None,
        concurrency: int = 4,
    ) -> None:
        if media not in MEDIA or (media == "image" and load is None):
            raise SettingsError("media is 'text', or 'image' together with `load`")
        if concurrency < 1:
            raise SettingsError(f"chat.concurrency is {concurrency}, expected 1 or more")
        self.name = f"model:{model}"
        self._client, self._model, self._objects = client, model, objects
        self._load = load if media == "image" else None
        self._served_as, self._concurrency = served_as, concurrency
        self._prices = prices or Prices()
        self._ask_as = (prompt, answer, dict(params or {}), top_logprobs)
        self._answers: dict[str, Answers] = {}
        self._temperatures = Temperatures()
        self._asking(Schema("check", ("a", "b")))  # refuses wrong settings now, not when asked

    def __repr__(self) -> str:
        """Say what and where, without secrets."""
        return f"ChatLabeler({self._client!r}, {self._model!r})"

    # --- the port ------------------------------------------------------------------------

    def fit(
        self, items: pd.DataFrame, codes: Sequence[int], groups: Sequence[str], schema: Schema
    ) -> str:
        """Learn how far its probabilities are to be believed; return the version.

        The model is asked about the items, and the temperature is fitted under which their
        labels are likeliest. Without probabilities nothing is learned, and the version is that
        of prompt, model, parameters and schema.

        Raises
        ------
        EndError
            As `propose`.
        """
        asking = self._asking(schema)
        said = self._said(items, asking)
        known = [n for n, s in enumerate(said) if s.probs is not None]
        probs = [s.probs for s in said if s.probs is not None]
        if not known:
            self._temperatures = Temperatures()
            return self._keep(asking.version, asking)
        some = np.array(known)
        self._temperatures = learn_temperatures(
            np.stack(probs), np.asarray(codes)[some], [groups[n] for n in known], groups
        )
        learned = sorted(
            zip(items["item_id"], items["payload_digest"], map(int, codes), groups, strict=True)
        )
        return self._keep(digest({"asking": asking.version, "learned": learned}), asking)

    def _keep(self, version: str, asking: Asking) -> str:
        """Keep what a version is, so that a label can be traced to the prompt behind it."""
        softened = {"overall": self._temperatures.overall, "by_fold": self._temperatures.by_fold}
        said = {"asking": asking.said, "subject": asking.version, "temperature": softened}
        self._objects.put_new(f"labelers/{version[:32]}.json", canonical_json(said).encode())
        return version

    def propose(self, items: pd.DataFrame, schema: Schema) -> pd.DataFrame:
        """Return one row an item, in the order asked (see `ports.Labeler.propose`).

        Raises
        ------
        EndTimeout, EndUnavailable
            If the server is away, busy or slow after some attempts; retryable, and what was
            answered is kept.
        EndRefused
            If it wants another key, or the quota is used up.
        EndProtocolError
            If it answers something else than a chat completion, or as another model.
        SettingsError
            If it would cost more than may be spent.
        """
        asking = self._asking(schema)
        said = self._said(items, asking)
        temperatures, folds = self._temperatures.of(items["group"])
        probs = [
            None if s.probs is None else apply_temperature(s.probs[None], t)[0]
            for s, t in zip(said, temperatures, strict=True)
        ]
        sure = [
            np.nan if s.choice is None or p is None else p[schema.code_of(s.choice)]
            for s, p in zip(said, probs, strict=True)
        ]
        values = [None if s.choice is None else canonical(s.choice, schema) for s in said]
        return pd.DataFrame(
            {
                "item_id": pd.Series(items["item_id"].tolist(), dtype=object),
                "value": pd.Series(values, dtype=object),
                "confidence": pd.Series(sure, dtype="float64"),
                "probs": pd.Series(probs, dtype=object),
                "fold": folds,
            }
        )

    # --- what it costs -------------------------------------------------------------------

    def estimate(self, items: pd.DataFrame, schema: Schema) -> Estimate:
        """Say what asking about items will cost; asks nobody.

        Tokens are guessed from the questions' length: at two bytes each, until twenty answers
        say how long they are here.
        """
        asking = self._asking(schema)
        answers = self._kept(asking)
        guess, there = _Guess(answers.paid(), asking), answers.keys()
        seen, answered, question, answer = set(there), 0, 0, 0
        for block in _blocks(items):
            for _, request in self._requests(block, asking):
                if request.key in seen:
                    answered += 1
                    continue
                seen.add(request.key)
                question += guess.input(request)
                answer += guess.output
        spent = self.usage(schema).cost
        priced = self._prices.input > 0
        return Estimate(
            items=len(items),
            answered=answered,
            input_tokens=question,
            output_tokens=answer,
            cost=self._prices.of(question, answer) if priced else None,
            spent=spent,
            most=self._prices.most,
        )

    def usage(self, schema: Schema) -> Usage:
        """Say what all answers so far have cost, in this process and in earlier ones."""
        asking = self._asking(schema)
        paid = self._kept(asking).paid()
        guess = _Guess(paid, asking)
        tokens = [guess.tokens(p) for p in paid]
        question, answer = sum(t[0] for t in tokens), sum(t[1] for t in tokens)
        return Usage(
            subject=asking.version,
            model=self._model,
            answers=len(paid),
            input_tokens=question,
            output_tokens=answer,
            estimated=sum(None in (p.input_tokens, p.output_tokens) for p in paid),
            cost=self._prices.of(question, answer) if self._prices.input else None,
        )

    # --- asking --------------------------------------------------------------------------

    def _asking(self, schema: Schema) -> Asking:
        return Asking(self._client.url, self._model, schema, *self._ask_as)

    def _kept(self, asking: Asking) -> Answers:
        if asking.version not in self._answers:
            self._answers[asking.version] = Answers(self._objects, asking.version)
        return self._answers[asking.version]

    def _requests(self, items: pd.DataFrame, asking: Asking) -> Iterator[tuple[str, Request]]:
        rows = zip(items["item_id"], items["payload"], items["media_type"], strict=True)
        for item, payload, media_type in rows:
            image = None if self._load is None else (media_type, self._load(payload))
            yield item, asking.request("" if image else payload, image)

    def _said(self, items: pd.DataFrame, asking: Asking) -> list[Said]:
        """Return what was answered about each item, asking only what was never answered."""
        answers = self._kept(asking)
        found: list[Said] = []
        ledger, guess = None, None
        for block in _blocks(items):
            requests = list(self._requests(block, asking))
            raw = {r.key: answers.get(r.key) for _, r in requests}
            new = {r.key: (item, r) for item, r in requests if raw[r.key] is None}
            if new:
                guess = guess or _Guess(answers.paid(), asking)
                ledger = ledger or Ledger(self._prices, self.usage(asking.schema).cost or 0.0)
                raw |= self._ask_all(list(new.values()), asking, answers, ledger, guess)
            found += [read_answer(raw[r.key], asking.schema, asking.answer) for _, r in requests]
        return found

    def _ask_all(
        self,
        new: Sequence[tuple[str, Request]],
        asking: Asking,
        answers: Answers,
        ledger: Ledger,
        guess: _Guess,
    ) -> dict[str, Mapping[str, object] | None]:
        def ask(item: str, request: Request) -> Mapping[str, object]:
            return self._ask(item, request, asking, answers, ledger, guess)

        with ThreadPoolExecutor(self._concurrency) as pool:
            asked = [pool.submit(ask, item, request) for item, request in new]
            try:
                done, _ = wait(asked, return_when=FIRST_EXCEPTION)
            finally:
                # What is under way ends and is kept; what has not begun does not begin.
                for future in asked:
                    future.cancel()
        failed = next((f for f in asked if f in done and f.exception() is not None), None)
        if failed is not None:
            failed.result()
        return {r.key: f.result() for (_, r), f in zip(new, asked, strict=True)}

    def _ask(
        self,
        item: str,
        request: Request,
        asking: Asking,
        answers: Answers,
        ledger: Ledger,
        guess: _Guess,
    ) -> Mapping[str, object]:
        expected = (guess.input(request), guess.output)
        reserved = self._prices.of(*expected)
        ledger.reserve(reserved)
        cost = 0.0
        try:
            raw = self._client.ask(request, sum(expected))
            cost = self._prices.of(*guess.tokens(Paid(request.size, *tokens_of(raw))))
            try:
                self._check_model(read_answer(raw, asking.schema, asking.answer).model, answers)
            except EndProtocolError as error:
                raise EndProtocolError(
                    f"chat model at {self._client.host}, item {shown(item)}: {error}"
                ) from None
            answers.put(request.key, raw, request.size)
        finally:
            ledger.settle(reserved, cost)
        return raw

    def _check_model(self, model: str | None, answers: Answers) -> None:
        """Refuse the answer of another model than was asked, or than answered before."""
        if model is None:
            return
        wanted = self._served_as or self._model
        if not _same_name(model, wanted):
            raise EndProtocolError(
                f"asked for {shown(wanted)}, and {shown(model)} answered; mend the server, or set "
                "chat.served_as to what it calls the model"
            )
        answers.same_model(model)


class _Guess:
    """How many tokens a question and its answer have, from those answered so far."""

    def __init__(self, paid: Sequence[Paid], asking: Asking) -> None:
        said = [p for p in paid if p.input_tokens and p.output_tokens is not None and p.size]
        enough = len(said) >= _ENOUGH
        inputs, outputs = (
            sum(p.input_tokens or 0 for p in said),
            sum(p.output_tokens or 0 for p in said),
        )
        self._bytes = sum(p.size for p in said) / inputs / _MARGIN if enough else None
        mean = _MARGIN * outputs / len(said) if enough else asking.most_tokens
        self.output = round(min(mean, asking.most_tokens)) or 1

    def input(self, request: Request) -> int:
        return request.tokens() if self._bytes is None else request.tokens(self._bytes)

    def tokens(self, paid: Paid) -> tuple[int, int]:
        """Return an answer's tokens as the server said them, else as guessed."""
        guessed = self.input(Request({}, "", paid.size))
        question = guessed if paid.input_tokens is None else paid.input_tokens
        return question, self.output if paid.output_tokens is None else paid.output_tokens


def _blocks(items: pd.DataFrame) -> Iterator[pd.DataFrame]:
    for start in range(0, len(items), _BLOCK):
        yield items.iloc[start : start + _BLOCK]


def _same_name(model: str, wanted: str) -> bool:
    """Say whether a model is the one wanted, dated or not, with its owner named or not."""
    short, ours = model.rsplit("/", 1)[-1], wanted.rsplit("/", 1)[-1]
    return short == ours or any(short.startswith(ours + mark) for mark in "-@:")
