"""A text from the environment that no log and no message may show."""

from __future__ import annotations

__all__ = ["Secret"]


class Secret:
    """A text that shows itself only when asked by name.

    Examples
    --------
    >>> str(Secret("token")), Secret("token").reveal()
    ('********', 'token')
    """

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def __repr__(self) -> str:
        return "********"

    def __bool__(self) -> bool:
        return bool(self._text)

    def reveal(self) -> str:
        """Return the secret itself."""
        return self._text
