"""Votes become labels with a posterior, or "not enough evidence"."""

from .choose import CodeConsensus, consolidate_codes
from .crowdlab import Crowdlab, crowdlab
from .dawid_skene import DawidSkene, dawid_skene, dawid_skene_shards
from .evidence import decide
from .majority import Majority, majority, majority_vote, one_coin_posterior, vote_counts

__all__ = [
    "CodeConsensus",
    "Crowdlab",
    "DawidSkene",
    "Majority",
    "consolidate_codes",
    "crowdlab",
    "dawid_skene",
    "dawid_skene_shards",
    "decide",
    "majority",
    "majority_vote",
    "one_coin_posterior",
    "vote_counts",
]
