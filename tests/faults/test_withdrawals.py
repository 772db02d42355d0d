"""Faults in what becomes of withdrawn items: the tests of what they may not change see each."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np

from labelops.journey.acceptance import _never_proposed
from labelops.state.auditing import AuditView
from labelops.state.candidates import CandidatesView
from labelops.state.votes import VotesView

from ..state import test_withdrawn
from ..state import test_withdrawn_audits as audits
from ..state.frozen import freeze
from ..state.withdrawn import labeled_cat
from .plant import Fault, runners


def _none_of_it_counts(real: Any) -> Any:
    """Forget what was said of withdrawn items."""

    def faulty(view: Any) -> Any:
        rows = real.func(view)
        return rows.loc[~rows["item_id"].isin(view.withdrawn_ids)]

    return property(faulty)


def _none_that_was_withdrawn(real: Any) -> Any:
    """Count only what is in the label set."""
    return property(lambda view: np.setdiff1d(real.func(view), view.withdrawn_ids))


def _in_a_copy(test: Any, *, frozen: bool = True, **given: Any) -> Any:
    """Run a test on the forty labeled items, frozen or not."""

    def alone() -> None:
        world = labeled_cat().copy()
        if frozen:
            freeze(world)
        test(world, **given)

    return alone


FAULTS = {
    "what left an audit is forgotten": Fault(
        (CandidatesView, "out_of"), lambda _: lambda view, number: view.withdrawn_ids,
        _in_a_copy(audits.test_withdrawing_each_in_turn_never_helps), slow=True,
    ),
    "what is withdrawn is no label of its candidate": Fault(
        (CandidatesView, "out_of"), lambda _: lambda view, number: view.withdrawn_ids,
        _in_a_copy(audits.test_no_audit_gains_by_a_withdrawal, said="dog"), slow=True,
    ),
    "what was never proposed for is no error": Fault(
        _never_proposed, lambda _: lambda state, sample: np.zeros(len(sample), dtype=bool),
        partial(test_withdrawn.test_a_later_version_bears_what_it_was_never_asked, wrong=0, gone=2),
    ),
    "looks at it are forgotten": Fault(
        (VotesView, "current"), _none_of_it_counts,
        test_withdrawn.test_looks_at_a_model_stand_for_the_version_that_was_looked_at, slow=True,
    ),
    "votes on it tell nothing of people": Fault(
        (VotesView, "current"), _none_of_it_counts,
        _in_a_copy(test_withdrawn.test_what_people_said_of_it_goes_on_counting, frozen=False),
        slow=True,
    ),
    "what nobody looked at is waited for": Fault(
        (VotesView, "nobody_left"), lambda _: property(lambda view: view.seen_by_all),
        test_withdrawn.test_a_look_that_never_comes_is_an_error_and_is_not_waited_for,
    ),
    "what all left without a label is forgotten": Fault(
        (AuditView, "split"), _none_that_was_withdrawn,
        partial(audits.test_what_everybody_looked_at_speaks_against_the_set, third="dog",
                decided=False, errors=1), slow=True,
    ),
    "what votes beyond two refute is forgotten": Fault(
        (AuditView, "split"), _none_that_was_withdrawn,
        partial(audits.test_what_everybody_looked_at_speaks_against_the_set, third="dog",
                decided=True, errors=1), slow=True,
    ),
}  # fmt: skip

test_the_fault_is_seen, _ = runners(FAULTS, {})
