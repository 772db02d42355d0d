"""How many examples a law is tried on."""

from __future__ import annotations

from hypothesis import settings

FAST = 25
"""So many at most in `make test-fast`, by the profile `fast`."""


def examples(most: int) -> settings:
    """Try so many; in `make test-fast` no more than everywhere else."""
    return settings(max_examples=min(most, FAST) if settings.default.max_examples == FAST else most)
