"""Sizes that are left out show in the votes, or are refused."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from labelops.consolidate import consolidate_codes, crowdlab, dawid_skene, majority
from labelops.errors import UsageError
from labelops.measure.sizes import sizes_of
from labelops.measure.votes import pack_votes


@pytest.mark.parametrize(
    ("votes", "says"),
    [
        (([0], [0], [-1]), "codes: no vote names a class; say with `n_classes`"),
        (([], [], []), "codes: no vote names a class; say with `n_classes`"),
        (([10**12], [0], [0]), "items: the largest of 1 is 1000000000000; number items from 0"),
        (([0], [2**31], [0]), "annotators: the largest of 1 is 2147483648; .* `n_annotators`"),
        (([0], [0], [2**40]), "codes: the largest of 1 is .*; number classes from 0.*`n_classes`"),
        (([0.5], [0], [0]), "items: expected integers"),
        (([0], [0], [0.5]), "codes: expected integers"),
        ((["a"], [0], [0]), "items: expected integers"),
        (([[0]], [0], [0]), "items: expected one dimension"),
        (([0], [0, 1], [0]), "votes: "),
        (([-1], [0], [0]), "items: row 0 is -1"),
    ],
)
@pytest.mark.parametrize("method", [dawid_skene, majority, pack_votes])
def test_what_shows_no_size(method: Any, votes: Any, says: str) -> None:
    """No class, an id in place of a number, and no integers are one line each."""
    with pytest.raises(UsageError, match=says) as caught:
        method(*votes)
    assert "\n" not in str(caught.value)


def test_ids_in_place_of_numbers() -> None:
    """Annotators by long ids are refused before their confusions fill the memory."""
    with pytest.raises(UsageError, match="number annotators from 0, without gaps"):
        consolidate_codes([0, 0], [0, 2**31], [0, 1], 1, 2)
    with pytest.raises(UsageError, match="1 classes; expected two or more: say with `n_classes`"):
        consolidate_codes([0, 0], [0, 1], [0, 0])


def test_crowdlab_takes_its_annotators_from_the_votes() -> None:
    """Left out or named, it is the same."""
    votes = [0, 0, 0, 1, 1, 2], [0, 1, 2, 0, 1, 2], [0, 0, 1, 1, 1, 0]
    probs = [[0.9, 0.1], [0.2, 0.8], [0.3, 0.7]]
    one, two = crowdlab(*votes, probs), crowdlab(*votes, probs, n_annotators=3)
    np.testing.assert_array_equal(one.posterior, two.posterior)


def test_named_sizes_are_taken_as_they_are() -> None:
    """Nothing is read of the arrays where all is named."""
    assert sizes_of([5], [5], [5], 9, 8, 7) == (9, 8, 7)
