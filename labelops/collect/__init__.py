"""Queue exports → votes: idempotent, order-free, newest revision wins."""

from .collect import MENDED_HERE, REJECTIONS, Collected, accept_votes
from .current import current_votes

__all__ = [
    "MENDED_HERE",
    "REJECTIONS",
    "Collected",
    "accept_votes",
    "current_votes",
]
