"""A language model as labeler: any server that speaks the OpenAI chat protocol.

It proposes a class for each item, in an answer bound to the classes; where the server gives
the log probabilities of tokens, they become probabilities of classes, calibrated on the items
that people labeled, each of them out of fold. Where it does not, confidence is absent, and such
a proposal is never accepted as a label.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

import numpy as np
import pandas as pd

from ..digest import canonical_json, digest
from ..errors import SettingsError
from ..kinds.choice import canonical
from ..measure.calibration import apply_temperature
from ..ports import Estimate, Objects, Usage
from ..schema import MEDIA, Schema
from ._temperatures import Temperatures, learn_temperatures
from .chat_cache import Answers, Prices
from .chat_client import ChatClient
from .chat_questions import Questions
from .chat_request import PROMPT, Asking
from .chat_tokens import TokenGuess

__all__ = ["ChatLabeler"]


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
        self._questions = Questions(
            client,
            objects,
            prices or Prices(),
            served_as or model,
            load if media == "image" else None,
            concurrency,
        )
        # Refuses wrong settings now, not when asked; the schema is put in later.
        nothing = Schema("nothing", ("a", "b"))
        self._form = Asking(
            client.url, model, nothing, prompt, answer, dict(params or {}), top_logprobs
        )
        self._answers: dict[str, Answers] = {}
        self._temperatures = Temperatures()
        self.refused: Mapping[str, str] = {}

    def __repr__(self) -> str:
        """Say what and where, without secrets."""
        return f"ChatLabeler({self._questions.client!r}, {self._form.model!r})"

    # --- the port ------------------------------------------------------------------------

    @property
    def learns(self) -> bool:
        """Whether probabilities were calibrated on labels; without any there is nothing to."""
        return bool(self._temperatures.folds)

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
        said = self._questions.answered(items, asking, self._kept(asking))
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
        self._questions.objects.put_new(
            f"labelers/{version[:32]}.json", canonical_json(said).encode()
        )
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
            If it answers something else than a chat completion, or as another model, or refuses
            questions and not for their items. An item that is refused alone has no proposal.
        SettingsError
            If it would cost more than may be spent.
        """
        asking = self._asking(schema)
        said = self._questions.answered(items, asking, self._kept(asking))
        ids = items["item_id"].tolist()
        self.refused = {i: s.refused for i, s in zip(ids, said, strict=True) if s.refused}
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
        asking, prices = self._asking(schema), self._questions.prices
        answers = self._kept(asking)
        guess, there = TokenGuess(answers.paid(), asking), answers.keys()
        seen, answered, question, answer = set(there), 0, 0, 0
        for block in self._questions.of(items, asking):
            for _, request in block:
                if request.key in seen:
                    answered += 1
                    continue
                seen.add(request.key)
                question += guess.input(request)
                answer += guess.output
        return Estimate(
            items=len(items),
            answered=answered,
            input_tokens=question,
            output_tokens=answer,
            cost=prices.of(question, answer) if prices.input else None,
            spent=self.usage(schema).cost,
            most=prices.most,
            to_measure=guess.to_measure,
        )

    def measure(self, items: pd.DataFrame, schema: Schema) -> None:
        """Ask about as many items as say how long questions and answers are, from all over them.

        Raises
        ------
        EndError, SettingsError
            As `propose`.
        """
        asking = self._asking(schema)
        number = TokenGuess(self._kept(asking).paid(), asking).to_measure
        different = items.drop_duplicates("payload_digest")
        places = np.linspace(0, len(different) - 1, min(number, len(different))).astype(int)
        self._questions.answered(different.iloc[places], asking, self._kept(asking))

    def usage(self, schema: Schema) -> Usage:
        """Say what all answers so far have cost, in this process and in earlier ones."""
        asking, prices = self._asking(schema), self._questions.prices
        paid = self._kept(asking).paid()
        question, answer = TokenGuess(paid, asking).total(paid)
        return Usage(
            subject=asking.version,
            model=asking.model,
            answers=len(paid),
            input_tokens=question,
            output_tokens=answer,
            estimated=sum(None in (p.input_tokens, p.output_tokens) for p in paid),
            cost=prices.of(question, answer) if prices.input else None,
            refused=dict(sorted(Counter(p.refused for p in paid if p.refused).items())),
        )

    # --- how -----------------------------------------------------------------------------

    def _asking(self, schema: Schema) -> Asking:
        return replace(self._form, schema=schema)

    def _kept(self, asking: Asking) -> Answers:
        if asking.version not in self._answers:
            self._answers[asking.version] = Answers(
                self._questions.objects, asking.version, asking.allowed_tokens
            )
        return self._answers[asking.version]
