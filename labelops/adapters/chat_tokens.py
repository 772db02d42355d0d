"""How many tokens questions and answers have: as the server says, else guessed."""

from __future__ import annotations

from collections.abc import Sequence

from .chat_cache import Paid
from .chat_request import Asking, Request

__all__ = ["TokenGuess"]

_ENOUGH = 20  # Answers from which on their own mean says more than the rule of two bytes a token.
_MARGIN = 1.2


class TokenGuess:
    """How many tokens a question and its answer have, from those answered so far.

    Parameters
    ----------
    paid : sequence of Paid
        What was answered, with its tokens where the server said them.
    asking : Asking
        How it is asked.

    Attributes
    ----------
    to_measure : int
        How many answers it takes to guess no more by rule; 0 where they are there.
    """

    def __init__(self, paid: Sequence[Paid], asking: Asking) -> None:
        said = [p for p in paid if p.input_tokens and p.output_tokens is not None and p.size]
        enough = len(said) >= _ENOUGH
        inputs = sum(p.input_tokens or 0 for p in said)
        outputs = sum(p.output_tokens or 0 for p in said)
        self.to_measure = 0 if enough else _ENOUGH
        self._bytes = sum(p.size for p in said) / inputs / _MARGIN if enough else None
        mean = _MARGIN * outputs / len(said) if enough else asking.most_tokens
        self.output = round(min(mean, asking.most_tokens)) or 1

    def input(self, request: Request) -> int:
        """Return the tokens of a question."""
        return request.tokens() if self._bytes is None else request.tokens(self._bytes)

    def tokens(self, paid: Paid) -> tuple[int, int]:
        """Return the tokens of an answered question and its answer."""
        guessed = self.input(Request({}, "", paid.size))
        question = guessed if paid.input_tokens is None else paid.input_tokens
        return question, self.output if paid.output_tokens is None else paid.output_tokens

    def total(self, paid: Sequence[Paid]) -> tuple[int, int]:
        """Return the tokens of answered questions and of their answers."""
        tokens = [self.tokens(p) for p in paid]
        return sum(t[0] for t in tokens), sum(t[1] for t in tokens)
