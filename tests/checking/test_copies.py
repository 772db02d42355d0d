"""Rows with equal contents: how many there are, and how many labels cannot all be right."""

from __future__ import annotations

import numpy as np
import pytest

from labelops.checking.copies import Copies, count_copies


@pytest.mark.parametrize("seed", range(20))
def test_is_what_counting_by_hand_gives(seed: int) -> None:
    """Of each content all labels but those of its commonest are wrong; the order is no matter."""
    rng = np.random.default_rng(seed)
    digests, codes = rng.choice(list("abcdefgh"), 30), rng.integers(-1, 3, 30)
    differ = wrong = 0
    for content in set(digests.tolist()):
        said = [k for k in codes[digests == content].tolist() if k >= 0]
        if len(set(said)) > 1:
            differ += len(said)
            wrong += len(said) - max(said.count(k) for k in said)
    found = count_copies(digests, codes)
    assert found == Copies(30 - len(set(digests.tolist())), differ, wrong)
    order = rng.permutation(30)
    assert count_copies(digests[order], codes[order]) == found


def test_without_copies_or_labels() -> None:
    """Rows that are all different, none labeled, or none at all."""
    assert count_copies(["a", "b"], np.array([0, 1])) == Copies()
    assert count_copies(["a", "a"], np.array([-1, -1])) == Copies(repeats=1)
    assert count_copies([], np.zeros(0, dtype=np.int64)) == Copies()
