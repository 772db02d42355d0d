"""What a server says may repeat the secret it was sent; a message never does."""

from __future__ import annotations

__all__ = ["masked", "masked_within"]


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


def masked_within(said: object, secret: str) -> object:
    """Return what a server said in JSON without the secret, in whichever text of it.

    Examples
    --------
    >>> masked_within({"error": ["no s3cret", 5]}, "s3cret")
    {'error': ['no ********', 5]}
    """
    if isinstance(said, str):
        return masked(said, secret)
    if isinstance(said, list):
        return [masked_within(part, secret) for part in said]
    if isinstance(said, dict):
        return {masked(name, secret): masked_within(part, secret) for name, part in said.items()}
    return said
