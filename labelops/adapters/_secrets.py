"""What a server says may repeat the secret it was sent; a message never does."""

from __future__ import annotations

__all__ = ["masked"]


def masked(said: str | bytes, *secrets: str) -> str:
    """Return a server's words without the secrets. Mask before shortening: half a key is one too.

    Examples
    --------
    >>> masked(b"wrong token s3cret", "s3cret", "")
    'wrong token ********'
    """
    text = said.decode("utf-8", "replace") if isinstance(said, bytes) else said
    for secret in filter(None, secrets):
        text = text.replace(secret, "********")
    return text
