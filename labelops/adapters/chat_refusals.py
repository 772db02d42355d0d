"""Questions that a server refuses: which of them are about one item, and which about all.

A filter of contents, or a text that is too long, is a matter of one item: it gets no proposal, and
the rest do. What the server does not know about any question, such as a parameter, must end the run
at once. Where the server does not say which of them it is, answers to others tell.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from typing import TYPE_CHECKING

from ..errors import EndProtocolError, shown
from .chat_answers import refusal
from .chat_cache import Answers
from .chat_request import Request

if TYPE_CHECKING:
    import openai

__all__ = ["STATUSES", "Refusals", "Refused", "why_refused"]

STATUSES = (400, 413, 422)

_OF_ITEMS = (
    "content_filter",
    "content_policy_violation",
    "context_length_exceeded",
    "exceed_context_size_error",
    "image_parse_error",
    "image_too_large",
    "invalid_image",
    "invalid_image_format",
    "string_above_max_length",
)
_WORDS = {
    "content_filter": ("content filter", "content management policy"),
    "context_length_exceeded": ("context length", "context size", "context window", "is too long"),
}
_OF_ALL = ("model_not_found", "unknown_parameter", "unsupported_parameter", "unsupported_value")

_FIRST = 3
"""Questions refused without a known reason before any was answered that end a run."""

_IN_A_ROW = 10
"""The same, after some were answered: the server has changed."""

_ALL = 20
"""Questions refused for their items before any was ever answered: it is the prompt, not they."""


class Refused(Exception):
    """The server refuses a question.

    Parameters
    ----------
    why : str
        In a word or two, the same for equal reasons.
    said : str
        What it said, without secrets.
    sure : bool
        Whether it says that the reason is this item.
    """

    def __init__(self, why: str, said: str, *, sure: bool) -> None:
        super().__init__(said)
        self.why, self.said, self.sure = why, said, sure


def why_refused(error: openai.APIStatusError) -> tuple[str, bool] | None:
    """Return why a question is refused, and whether for its item; None: as all others would be."""
    named = [str(error.code), str(error.type)]
    message = str(error.message).lower()
    for code in named:
        if code in _OF_ITEMS:
            return code, True
    if "response_format" in message or any(code in _OF_ALL for code in named):
        return None
    for why, words in _WORDS.items():
        if any(some in message for some in words):
            return why, True
    if error.status_code == 413:
        return "too large", True
    if error.param and not str(error.param).startswith("messages"):
        return None
    return f"status {error.status_code}", False


class Refusals:
    """Lets items that are refused go without a proposal, and ends a run where it is not for them.

    Shared by threads. What is refused is kept like an answer, once it is known to be for its item.

    Parameters
    ----------
    host : str
    answers : Answers
        Where refusals are kept.
    earlier : bool
        Whether such questions were answered in earlier runs.
    """

    def __init__(self, host: str, answers: Answers, *, earlier: bool) -> None:
        self._host, self._answers, self._earlier = host, answers, earlier
        self._any = False
        self._waiting: list[tuple[str, Request, Mapping[str, object], Refused]] = []
        self._lock = threading.Lock()

    def answered(self) -> None:
        """Note that a question was answered: what was refused before it was so for its item."""
        with self._lock:
            self._any = True
            self._keep()

    def refused(
        self, item: str, request: Request, found: Refused, raw: Mapping[str, object] | None = None
    ) -> Mapping[str, object]:
        """Return what stands for the answer to a refused question.

        Parameters
        ----------
        item : str
        request : Request
        found : Refused
        raw : mapping, optional
            What the server answered, where that is a completion.

        Raises
        ------
        EndProtocolError
            If it is no matter of this item alone.
        """
        kept = refusal(found.why) if raw is None else raw
        with self._lock:
            self._waiting.append((item, request, kept, found))
            unsure = sum(not r.sure for *_, r in self._waiting)
            known = self._any or self._earlier
            if unsure >= (_IN_A_ROW if self._any else _FIRST):
                raise self._stop()
            if not known and len(self._waiting) >= _ALL:
                raise self._stop()
            if known and not unsure:
                self._keep()
        return kept

    def end(self) -> None:
        """Keep what was refused last, all questions having been asked.

        Where no other was answered in this run, what may not be for its item is not kept: the next
        run asks again.

        Raises
        ------
        EndProtocolError
            If none was ever answered, and it may not be for the items.
        """
        with self._lock:
            unsure = any(not r.sure for *_, r in self._waiting)
            if unsure and not (self._any or self._earlier):
                raise self._stop()
            if not unsure or self._any:
                self._keep()

    def _keep(self) -> None:
        for _, request, raw, _ in self._waiting:
            self._answers.put(request.key, raw, request.size)
        self._waiting = []

    def _stop(self) -> EndProtocolError:
        item, _, _, found = next((w for w in self._waiting if not w[3].sure), self._waiting[0])
        n = len(self._waiting)
        many = "a question" if n == 1 else f"{n} questions one after the other"
        return EndProtocolError(
            f"chat model at {self._host}: it refuses {many}, such as that about item "
            f"{shown(item)}: {found.said}; check chat.model, labeler.params and the prompt, and "
            "that it is an OpenAI-compatible chat endpoint"
        )
