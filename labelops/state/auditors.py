"""Who is left to audit labels: what the next audit is of, and whether there are people enough."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from ..errors import counted, percent
from ..gate.candidate import Candidate, attempt_of
from ..gate.confirm import (
    allowed_chance,
    certifies_nothing,
    choose_confirm,
    may_audit_firsts,
    may_tie,
    missed_share,
)
from ..gate.firsts import TEAM_OF_FIRSTS
from ..gate.mistakes import chance_agreement, same_mistake, vote_errors
from ..gate.policy import UNIFORM, WEIGHTED
from ..kinds.choice import codes_of
from ..measure.adjudication import WRONG
from ..measure.codes import FloatArray, among
from ..measure.confusion import annotator_confusion
from ..measure.finite import tolerated_errors
from . import State
from .late import labels_to_freeze, late_items

__all__ = [
    "Confirming",
    "auditors_lacking",
    "audits_firsts",
    "confirming",
    "next_attempt",
    "next_stream",
    "outgrown",
    "slips",
]


def auditors_lacking(state: State) -> str:
    """Say, before an audit, how many labels need one more person for it; empty where none does.

    Or that no audit could certify them, once every item has a label: looks may miss too much.

    In a team of one or two, labels that all of them have looked at: an audit waits at the first of
    these. In a team of three whose first votes are not audited, labels that all of them have looked
    at and that nobody names but the two who made them, which count as wrong; so do labels that only
    people who left could confirm, in any team: said once these are more than the bound allows in
    all items. Whoever joins may look: then it is not said any more.
    """
    if state.audit is not None or not state.people:
        return ""
    labels = labels_to_freeze(state)
    decided = among(state.undecided, late_items(state)).all()
    if len(labels) and decided and (why := _certifying_nothing(state, labels)):
        return why
    said = ""
    if len(state.team) == TEAM_OF_FIRSTS or state.departed:
        said = _unconfirmed(state, labels)
    waiting = _waiting_for_another(state, labels) if len(state.team) < TEAM_OF_FIRSTS else ""
    return "; ".join(filter(None, [said, waiting]))


def _waiting_for_another(state: State, labels: pd.DataFrame) -> str:
    """Say how many labels an audit in a team of one or two waits at, for somebody to join."""
    looked = state.lookers.reindex(labels["item_id"], fill_value=0).to_numpy()
    waits = (looked >= len(state.team)) & ~among(labels["item_id"], state.all_looked)
    stuck = int(waits.sum())
    if not stuck:
        return ""
    them = "it" if stuck == 1 else "them"
    both = len(state.team) == 2
    who = f"both people have looked at {them}" if both else "one person is all the team"
    return f"{_need(stuck)} somebody new to audit {them}: {who}"


def _certifying_nothing(state: State, labels: pd.DataFrame) -> str:
    """Say so where looks may miss so much that no audit could certify the labels."""
    policy, mistakes = state.workspace.policies.gate, slips(state)
    stream, carried = next_stream(state)
    firsts = audits_firsts(state, stream if carried else 0, mistakes[0])
    # Were it drawn by doubt, it might be another attempt: there is no earlier one of its order.
    attempt = next_attempt(state, stream, policy.audit)
    missed = confirming(state, labels, attempt, mistakes, firsts=firsts).missed
    if not certifies_nothing(missed, policy, len(labels), attempt):
        return ""
    mend = "more votes may show it to be less"
    if policy.confirm:
        mend = "confirm = 0 under [gate] asks for as many votes as it takes"
    return (
        f"no audit can certify {counted(len(labels), 'label')} at {percent(policy.error)}: looks "
        f"may take {percent(missed, 2)} of wrong labels for right; {mend}"
    )


def next_attempt(state: State, stream: int, audit: str) -> int:
    """Say which attempt the next candidate is, if its audit reads that order."""
    number = len(state.candidates) + 1
    coming = Candidate(number, 0, stream, 0, "", audit=WEIGHTED if audit == WEIGHTED else UNIFORM)
    return attempt_of(coming, state.candidates)


@dataclass(frozen=True, slots=True)
class Confirming:
    """How an audit confirms labels, as `Candidate` keeps it: `confirm`, `ties` and `missed`."""

    confirms: int
    ties: bool
    missed: float


def confirming(
    state: State,
    labels: pd.DataFrame,
    attempt: int,
    mistakes: tuple[FloatArray, float],
    *,
    firsts: bool = False,
) -> Confirming:
    """Say how an audit of labels confirms them, by what people's votes say of their mistakes.

    Parameters
    ----------
    labels : pd.DataFrame
        With a value each.
    attempt : int
        Which one since the last release.
    mistakes : (K, K) float array, float
        From `slips`.
    firsts : bool
        Whether first votes are audited.
    """
    policy, most = state.workspace.policies.gate, state.workspace.policies.route.max_votes
    confusion, chance = mistakes
    errors = vote_errors(confusion)
    size = len(labels)
    confirms = choose_confirm(chance, confusion, policy, size, attempt=attempt, max_votes=most)
    ties = confirms == 1 and may_tie(chance, errors, policy)
    alike = same_mistake(confusion) if firsts else chance
    missed = missed_share(
        allowed_chance(alike, confusion, policy),
        errors,
        confirms,
        ties=ties and (firsts or _two_left(state, labels)),
        max_votes=most,
    )
    return Confirming(confirms, ties, missed)


def _two_left(state: State, labels: pd.DataFrame) -> bool:
    """Say whether some label has no more than two people left to look at it."""
    looked = state.lookers.reindex(labels["item_id"], fill_value=0)
    return bool((looked >= len(state.team) - 2).any())


def _need(labels: int) -> str:
    return counted(labels, "label needs", "labels need")


def _unconfirmed(state: State, labels: pd.DataFrame) -> str:
    policy, mistakes = state.workspace.policies.gate, slips(state)
    stream, carried = next_stream(state)
    if audits_firsts(state, stream if carried else 0, mistakes[0]):
        return ""
    attempt, team = next_attempt(state, stream, policy.audit), len(state.team)
    confirms = confirming(state, labels, attempt, mistakes).confirms
    seen = labels.loc[among(labels["item_id"], state.all_looked)]
    looks = state.looks(seen["item_id"], seen["value"], state.auditing(confirms), confirms)
    wrong = int((looks.status == WRONG).sum())
    allowed = tolerated_errors(policy.error, len(state.items))
    if wrong <= allowed:
        return ""
    who = "a fourth person" if team == TEAM_OF_FIRSTS else "somebody new"
    they = "three people" if team == TEAM_OF_FIRSTS else counted(team, "person", "people")
    may = f"{_need(wrong)} {who}, or count as wrong, and {allowed or 'none'} may"
    return f"{may}: {they} alone cannot confirm {'it' if wrong == 1 else 'them'}"


def audits_firsts(state: State, stream: int, confusion: FloatArray) -> bool:
    """Say whether the first votes are to be audited; in an order that is read on, as it was."""
    policy = state.workspace.policies.gate
    if policy.audit == WEIGHTED:
        return False
    for candidate in state.candidates:
        if candidate.audit == UNIFORM and candidate.stream == stream:
            return candidate.firsts
    return len(state.team) == TEAM_OF_FIRSTS and may_audit_firsts(confusion, policy)


def outgrown(state: State) -> Candidate | None:
    """Return the open candidate if its first votes are audited and somebody joined the three.

    Two who agree are not refuted by who looks later in such an audit, and where they share a
    mistake somebody new is the first to see it: so the labels themselves are audited then, as
    another attempt.
    """
    candidate = state.candidate
    more = len(state.team) > TEAM_OF_FIRSTS
    return candidate if candidate is not None and candidate.firsts and more else None


def next_stream(state: State) -> tuple[int, bool]:
    """Return which order a uniform audit reads now, and whether it reads an old one on."""
    if not state.candidates:
        return 1, False
    last = max(c.stream for c in state.candidates)
    read = [c for c in state.candidates if c.audit == UNIFORM and c.stream == last]
    if state.candidates[-1].ends_order or (read and state.moved(read[-1])):
        return last + 1, False
    return last, bool(read)


def slips(state: State) -> tuple[FloatArray, float]:
    """Count people's mistakes, by class; and how often one of them makes a wrong label's again."""
    schema, (consensus, _) = state.workspace.schema, state.decided
    ids = pd.Index(consensus.item_ids)
    blind = state.evidence.loc[~state.evidence["saw_proposal"]]
    places = ids.get_indexer(blind["item_id"])
    there = places >= 0
    given = codes_of(blind.loc[there, "value"], schema)
    nobody = np.zeros(len(given), dtype=np.int64)
    counts = annotator_confusion(places[there], nobody, given, consensus.posterior, 1)[0]
    values = state.labels.set_index("item_id")["value"].reindex(ids)
    return counts, chance_agreement(consensus.posterior, codes_of(values, schema), counts)
