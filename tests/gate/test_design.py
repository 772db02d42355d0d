"""Doubts say whether an audit draws evenly or by doubt, and looks calm them."""

from __future__ import annotations

import numpy as np
import pytest

from labelops.errors import percent
from labelops.gate import design
from labelops.gate.design import choose_audit, tried_doubt
from labelops.gate.policy import GatePolicy

GATE = GatePolicy(error=0.1)


def test_doubts_are_calmed_by_looks_and_never_stirred() -> None:
    """Clean looks scale a kind's doubts down, in their order; few or bad looks leave them."""
    rng = np.random.default_rng(0)
    doubt = rng.random(200)
    kind = np.arange(200) < 120
    calm = tried_doubt(doubt, kind, wrong=0, looks=398)
    assert calm[kind].mean() == pytest.approx(1 / 400)
    assert (np.argsort(calm[kind]) == np.argsort(doubt[kind])).all()
    np.testing.assert_array_equal(calm[~kind], doubt[~kind])
    np.testing.assert_array_equal(tried_doubt(doubt, kind, wrong=9, looks=10), doubt)
    np.testing.assert_array_equal(tried_doubt(doubt, kind, wrong=0, looks=0), doubt)
    np.testing.assert_array_equal(tried_doubt(doubt, ~kind & kind, wrong=0, looks=9), doubt)


def test_looks_that_count_on_keep_the_order_even() -> None:
    """A grown set goes on in the order that a release was audited in, doubt or not."""
    doubt = [0.7] * 12 + [0.01] * 108
    assert choose_audit(doubt, GATE)[0] == "weighted"
    assert choose_audit(doubt, GATE, carried=True)[0] == "uniform"


@pytest.mark.parametrize("doubt", [[], [0.0] * 50, [0.3] * 50])
def test_no_doubt_or_the_same_everywhere_is_even(doubt: list[float]) -> None:
    """Doubts that tell nothing apart draw evenly, however great."""
    assert choose_audit(doubt, GATE)[0] == "uniform"


def test_doubts_of_a_model_that_nobody_tried_count_in_part() -> None:
    """The same doubts weight an audit where people had them, and not where only a model did."""
    doubt, policy = [0.0] * 95 + [0.4] * 5, GatePolicy(error=0.02)
    assert choose_audit(doubt, policy)[0] == "weighted"
    way, why = choose_audit(doubt, policy, untried=[True] * 100)
    assert way == "uniform"
    assert why.startswith(f"{percent(0.02 * design._OF_MODEL)} are expected to be wrong")
