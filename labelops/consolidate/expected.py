"""Votes counted by what is believed of their items, and the confusions that these counts make."""

from __future__ import annotations

import numpy as np

from labelops.measure.codes import FloatArray
from labelops.measure.votes import Votes

from ._confusions import Confusions
from ._em import Shard, SkillCounts
from .shrunk import expected_confusion

__all__ = ["CROWD_VOTES", "crowd_confusions", "expected_counts"]

CROWD_VOTES = 10.0
"""Votes that the crowd's accuracy counts for in each annotator's."""


def expected_counts(votes: Votes, posterior: FloatArray) -> SkillCounts:
    """Count each annotator's votes by true class, as far as believed, and class given.

    Examples
    --------
    >>> from labelops.measure.votes import pack_votes
    >>> votes = pack_votes([0, 1], [0, 0], [0, 0], n_items=2, n_annotators=1, n_classes=2)
    >>> expected_counts(votes, np.array([[1.0, 0.0], [0.5, 0.5]])).cells[0].tolist()
    [1.5, 0.5]
    """
    return Shard(votes, np.ascontiguousarray(posterior, dtype=np.float64)).count()


def crowd_confusions(counts: SkillCounts) -> Confusions:
    """Turn counts by true and given class into shares, shrunk to what is expected.

    Examples
    --------
    >>> from labelops.measure.votes import pack_votes
    >>> votes = pack_votes([0, 1], [0, 0], [0, 1], n_items=2, n_annotators=1, n_classes=2)
    >>> np.asarray(crowd_confusions(expected_counts(votes, np.eye(2)))).round(2).tolist()
    [[[0.94, 0.06], [0.06, 0.94]]]
    """
    expected = expected_confusion(counts, CROWD_VOTES)
    return expected.confusions(counts, 2.0 * counts.classes.size)
