"""What the tests that run here on faulty code ask for."""

from __future__ import annotations

from ..audit.conftest import now, ten, votes_of

__all__ = ["now", "ten", "votes_of"]
