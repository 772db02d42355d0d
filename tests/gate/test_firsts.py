"""Audits of first votes: which labels they show to be wrong, and which to be corrected."""

from __future__ import annotations

import numpy as np
import pytest

from labelops.gate.firsts import judge_firsts
from labelops.measure.adjudication import AGREES, NO_VOTE, WRONG, Adjudication

CAT, DOG, EEL, NONE = 0, 1, 2, -1


@pytest.mark.parametrize(
    ("status", "consensus", "label", "judged", "corrected"),
    [
        (AGREES, CAT, CAT, AGREES, False),
        (AGREES, CAT, DOG, WRONG, False),
        (AGREES, CAT, NONE, WRONG, False),
        (WRONG, DOG, DOG, WRONG, True),
        (WRONG, DOG, CAT, WRONG, False),
        (WRONG, DOG, EEL, WRONG, False),
        (WRONG, NONE, NONE, WRONG, False),
        (NO_VOTE, NONE, DOG, NO_VOTE, False),
    ],
)
def test_labels_are_judged_by_their_first_votes(
    status: int, consensus: int, label: int, judged: int, corrected: bool
) -> None:
    """Of a first vote for cat; what nobody looked at stays open, and no label corrects nothing."""
    looks = Adjudication(*(np.array([n]) for n in (status, 3, consensus, 0)), np.array([True]))
    found, mended = judge_firsts(looks, np.array([CAT]), np.array([label]))
    assert found.status.tolist() == [judged]
    assert mended.tolist() == [corrected]
    assert found.tied.tolist() == [not (status == AGREES and label != CAT)]


def test_what_is_no_tie_does_not_become_one() -> None:
    """Where all who looked confirm the first vote, and the label follows, nobody disagreed."""
    looks = Adjudication(*(np.array([n]) for n in (AGREES, 3, CAT, 0)), np.array([False]))
    assert judge_firsts(looks, np.array([CAT]), np.array([CAT]))[0].tied.tolist() == [False]


def test_a_label_of_the_first_class_is_a_label() -> None:
    """Class 0 is as good a correction as any."""
    looks = Adjudication(*(np.array([n]) for n in (WRONG, 3, CAT, 0)), np.array([False]))
    assert judge_firsts(looks, np.array([DOG]), np.array([CAT]))[1].tolist() == [True]
