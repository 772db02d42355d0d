"""Votes become labels with a posterior, or "not enough evidence".

`consolidate` is the one entry; the methods it chooses from may be called on their own.
"""

from .blend import Blend, blend
from .choose import METHODS, CodeConsensus, consolidate_codes
from .consensus import Consolidated, consolidate
from .copies import Copies, find_copies
from .counts import majority_vote, vote_counts
from .crowd import one_coin_posterior
from .crowdlab import Crowdlab, crowdlab, crowdlab_shards
from .dawid_skene import DawidSkene, dawid_skene, dawid_skene_shards
from .difficulty import Glad, glad, glad_shards
from .ebcc import ebcc, ebcc_shards
from .evidence import decide
from .held_out import HeldOut
from .ibcc import ibcc, ibcc_shards
from .majority import Majority, majority, majority_shards
from .one_coin import one_coin, one_coin_shards
from .shrunk import shrunk_dawid_skene, shrunk_dawid_skene_shards
from .skill import Skill, annotator_skill
from .with_model import WithModel, consolidate_with_model

__all__ = [
    "METHODS",
    "Blend",
    "CodeConsensus",
    "Consolidated",
    "Copies",
    "Crowdlab",
    "DawidSkene",
    "Glad",
    "HeldOut",
    "Majority",
    "Skill",
    "WithModel",
    "annotator_skill",
    "blend",
    "consolidate",
    "consolidate_codes",
    "consolidate_with_model",
    "crowdlab",
    "crowdlab_shards",
    "dawid_skene",
    "dawid_skene_shards",
    "decide",
    "ebcc",
    "ebcc_shards",
    "find_copies",
    "glad",
    "glad_shards",
    "ibcc",
    "ibcc_shards",
    "majority",
    "majority_shards",
    "majority_vote",
    "one_coin",
    "one_coin_posterior",
    "one_coin_shards",
    "shrunk_dawid_skene",
    "shrunk_dawid_skene_shards",
    "vote_counts",
]
