"""Votes become labels with a posterior, or "not enough evidence"."""

from .choose import CodeConsensus, consolidate_codes
from .dawid_skene import DawidSkene, dawid_skene
from .evidence import decide
from .majority import majority_vote, one_coin_posterior, vote_counts

__all__ = [
    "CodeConsensus",
    "DawidSkene",
    "consolidate_codes",
    "dawid_skene",
    "decide",
    "majority_vote",
    "one_coin_posterior",
    "vote_counts",
]
