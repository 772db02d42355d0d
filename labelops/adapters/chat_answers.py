"""What a chat completion says: a class or nothing, what each class is worth, what it cost.

An answer is read strictly: exactly one choice, and in it exactly one class. Whatever else a
model says (another word, two labels, a refusal, half an answer) is an abstention, never the
nearest class. Probabilities come from the tokens the model could have said instead; where
they are not all there, they are absent.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ..errors import EndProtocolError, shown
from ..schema import Schema
from .chat_shares import class_shares

__all__ = [
    "NO_CHOICE",
    "Said",
    "as_said",
    "read_answer",
    "refusal",
    "refusal_of",
    "tokens_of",
]

NO_CHOICE = "no choice"
"""Why an item has no answer where the server sent a completion without any."""

_REFUSED = "labelops_refused"

_ADDED = 50_000
"""Tokens that a server may add to a question's text: images, the classes' schema, its own words."""


@dataclass(frozen=True, slots=True)
class Said:
    """What one answer says.

    Parameters
    ----------
    choice : str or None
        The class; None: it abstained, or said something else.
    probs : (K,) array or None
        In the schema's class order, summing to 1; None: not given, or not whole.
    model : str or None
        Which model the server says it was.
    refused : str
        Why the item was refused, in a word or two; empty where it was not.
    """

    choice: str | None
    probs: npt.NDArray[np.float64] | None
    model: str | None
    refused: str = ""


def read_answer(raw: object, schema: Schema, answer: str) -> Said:
    """Read a chat completion.

    Parameters
    ----------
    raw : object
        The parsed JSON of the response.
    schema : Schema
    answer : str
        One of `chat_request.ANSWERS`.

    Raises
    ------
    EndProtocolError
        If it is no chat completion with exactly one choice, or none.

    Examples
    --------
    >>> raw = {"choices": [{"message": {"content": '{"label": "dog"}'}}], "model": "m"}
    >>> read_answer(raw, Schema("pets", ("cat", "dog")), "json_schema").choice
    'dog'
    """
    model = raw.get("model") if isinstance(raw, Mapping) else None
    # A name with half a character in it could not be kept.
    model = model.encode("utf-8", "replace").decode() if isinstance(model, str) and model else None
    refused = refusal_of(raw) if isinstance(raw, Mapping) else ""
    if isinstance(raw, Mapping) and (refused == NO_CHOICE or _REFUSED in raw):
        return Said(None, None, model, refused)
    choice = _only_choice(raw)
    message = choice.get("message")
    if not isinstance(message, Mapping):
        raise EndProtocolError(f"the answer's choice {shown(choice)} holds no message")
    content, named, probs = message.get("content"), None, None
    if isinstance(content, str) and not refused:
        named = _named(content, schema, answer)
    if isinstance(content, str) and named is not None:
        probs = class_shares(choice, content, schema, answer)
    return Said(named, probs, model, refused)


def refusal(why: str) -> dict[str, object]:
    """Return what stands for the answer to a question that was refused; it cost nothing."""
    return {_REFUSED: why, "usage": {"prompt_tokens": 0, "completion_tokens": 0}}


def as_said(raw: Mapping[str, object]) -> dict[str, object]:
    """Return an answer without what only we say of one: no server refuses in our name.

    Examples
    --------
    >>> posing = {**refusal("content_filter"), "model": "m"}
    >>> refusal_of(posing), refusal_of(as_said(posing))
    ('content_filter', '')
    """
    return {name: part for name, part in raw.items() if name != _REFUSED}


def refusal_of(raw: Mapping[str, object]) -> str:
    """Say in a word or two why an answer refuses its item; empty where it does not.

    Examples
    --------
    >>> refusal_of(refusal("content_filter")), refusal_of({"choices": []})
    ('content_filter', 'no choice')
    >>> refusal_of({"choices": [{"message": {"content": None, "refusal": "I cannot."}}]})
    'refusal'
    """
    said, choices = raw.get(_REFUSED), raw.get("choices")
    if isinstance(said, str):
        return said
    if choices == []:
        return NO_CHOICE
    choice = choices[0] if isinstance(choices, list) else None
    if not isinstance(choice, Mapping):
        return ""
    if choice.get("finish_reason") == "content_filter":
        return "content_filter"
    message = choice.get("message")
    return "refusal" if isinstance(message, Mapping) and message.get("refusal") else ""


def tokens_of(raw: Mapping[str, object], size: int, most: int) -> tuple[int | None, int | None]:
    """Return how many tokens question and answer had; None where the server did not say.

    Numbers that cannot be are not believed.

    Parameters
    ----------
    raw : mapping
    size : int
        Bytes of text in the question: no token is shorter than one.
    most : int
        Tokens the answer was allowed to have.

    Examples
    --------
    >>> raw = {"usage": {"prompt_tokens": 90, "completion_tokens": 7}}
    >>> tokens_of(raw, 300, 20), tokens_of(raw, 300, 6), tokens_of({}, 300, 20)
    ((90, 7), (90, None), (None, None))
    """
    usage = raw.get("usage")
    said = usage if isinstance(usage, Mapping) else {}
    return (
        _count(said.get("prompt_tokens"), size + _ADDED),
        _count(said.get("completion_tokens"), most),
    )


def _only_choice(raw: object) -> Mapping[str, object]:
    choices = raw.get("choices") if isinstance(raw, Mapping) else None
    if not isinstance(choices, list) or len(choices) != 1 or not isinstance(choices[0], Mapping):
        found = f"{len(choices)} choices" if isinstance(choices, list) else shown(raw)
        raise EndProtocolError(f"the answer is {found}, expected a chat completion with one choice")
    return choices[0]


def _count(raw: object, most: int) -> int | None:
    fits = isinstance(raw, int) and not isinstance(raw, bool) and 0 <= raw <= most
    return raw if fits and isinstance(raw, int) else None


def _named(content: str, schema: Schema, answer: str) -> str | None:
    said: object = content.strip()
    if answer == "json_schema":
        try:
            pairs = json.loads(content, object_pairs_hook=list)
        except (ValueError, RecursionError):
            return None
        # Pairs, so that a key said twice is seen.
        if not isinstance(pairs, list) or len(pairs) != 1 or not isinstance(pairs[0], tuple):
            return None
        key, said = pairs[0]
        if key != "label":
            return None
    return said if isinstance(said, str) and said in schema.classes else None
