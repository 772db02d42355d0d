"""What voids an acceptance: each check gives hypotheses that have to be closed, and why.

What a hypothesis promised rests on its calibration votes, on the schema and settings it was tested
under, and, for an e-process, on a stream of items that goes on as it was. A random share of what
it accepted is looked at for good, blind, with an e-process for "more is wrong than promised".
The checks only read; closing is an event (`journey.acceptance`).

What went bad began somewhere, at the earliest with the batch of items that the evidence does not
rule out. What arrived before stays accepted, what came since goes back to people.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from ..autolabel.hypotheses import (
    DRIFT,
    SCHEMA,
    SETTINGS,
    SPOT,
    VOTES,
    Hypothesis,
    close,
)
from ..autolabel.policy import AUDITED, FIXED
from ..autolabel.trial import still_passes
from ..errors import counted, percent
from ..measure.adjudication import NO_VOTE, PENDING, WRONG, Adjudication
from ..measure.changes import rise_evidence, rise_start
from ..measure.codes import among
from ..measure.eprocess import log_e_value_above, log_wanted
from ..measure.samples import RandomSample
from . import State
from .drift import Alarm, drift_watch

__all__ = ["SpotAudit", "closings", "spot_audit"]


@dataclass(frozen=True, slots=True)
class SpotAudit:
    """The permanent random looks at what a hypothesis accepted.

    Parameters
    ----------
    asked : RandomSample
        Accepted items drawn to be looked at.
    looks : Adjudication
        What blind votes say of the proposals of `asked`.
    e_value : float
        Evidence that more is wrong than promised, the largest so far; 1 is none.
    alarm : bool
        Whether it suffices.
    good_until : str
        Arrival of the last items before the rise may have begun, as ISO 8601; "" for none.
    """

    asked: RandomSample
    looks: Adjudication
    e_value: float
    alarm: bool
    good_until: str

    @property
    def wrong(self) -> npt.NDArray[np.bool_]:
        """Which of `asked` people found wrong; that nobody is left to look is no finding."""
        return self.looks.refuted

    @property
    def settled(self) -> int:
        """How many of them were looked at and settled."""
        seen = ~np.isin(self.looks.status, (NO_VOTE, PENDING)) & (self.looks.votes > 0)
        return int(seen.sum())


def closings(state: State) -> list[Hypothesis]:
    """Return the hypotheses that have to be closed now, as closed ones."""
    found = []
    for h in state.hypotheses:
        if h.closed and not h.kept:
            continue
        reason = next(_reasons(state, h), None)
        if reason is not None:
            cause, why, until = reason
            kept = _kept(state, h, until)
            found.append(close(h, cause, why, until=until if kept else "", kept=kept))
    # What a closed one had kept stays as it is unless a new cause takes that away too.
    return found


def _kept(state: State, h: Hypothesis, until: str) -> int:
    if not until:
        return 0
    return len(state.accepted_by(close(h, "", "x", until=until, kept=h.accepted)))


def _reasons(state: State, h: Hypothesis) -> Iterator[tuple[str, str, str]]:
    """Give reasons to close, the most general first: cause, words, what stays accepted."""
    policy, schema = state.workspace.policies.accept, state.workspace.schema
    # The rule `audited` promised nothing and tested nothing.
    tested = "taken" if h.audited else "tested"
    if h.schema and h.schema != schema.digest:
        yield (
            SCHEMA,
            f"the schema changed: it was {tested} with other classes or another question",
            "",
        )
    if not h.promises(policy):
        other = "other settings are in force now" if h.audited else _OTHER
        yield SETTINGS, f"{other}: {_asked(state)}", ""
    if not h.accepts_some:
        return
    if not h.audited and (why := _votes_lost(state, h)):
        yield VOTES, why, ""
    if not h.watched:
        return
    spot = spot_audit(state, h)
    if spot.alarm:
        why = f"{int(spot.wrong.sum())} of {spot.settled} random looks at accepted items are wrong"
        more = f"more than {percent(h.error)} of all" if h.audited else "more than was promised"
        yield SPOT, f"{why}: {more}", spot.good_until
    changed = "what comes in" if h.audited else "the stream it was tested on"
    changed += " has changed"
    if not h.closed and (alarm := _drifted(state, h)) is not None:
        yield DRIFT, f"{changed}: {alarm.reason}", alarm.good_until


_OTHER = "the settings ask for another promise now"


def _asked(state: State) -> str:
    policy = state.workspace.policies.accept
    if policy.rule == AUDITED:
        return f"rule {policy.rule}, from posterior {policy.min_posterior:g} up"
    each = " in each class" if policy.per_class else ""
    return f"rule {policy.rule}{each}, error {policy.error:g}, risk {policy.risk:g}"


# --- calibration votes ------------------------------------------------------------------------


def _votes_lost(state: State, h: Hypothesis) -> str:
    """Say what is missing of the votes a hypothesis rests on, if it would not pass without."""
    if h.test == FIXED:
        tested = state.tested_items(h)
        sample = state.workspace.sample("calibrate", tested, h.sample).ids
    else:
        # As it was read, whatever is asked for now; before that was kept, as it would be drawn.
        read = np.asarray(state.stream_read or state.calibration_stream.ids, dtype=object)
        sample = read[state.spoken_of(h, read)][: h.sample]
    looks = state.judged(sample, h.labeler_version)
    # A doubt counts as wrong until it is settled: to leave it out would leave out errors.
    there, doubtful = looks.status != NO_VOTE, looks.status == PENDING
    wrong = (looks.status == WRONG) | doubtful
    if there.all() and not doubtful.any() and int(wrong.sum()) == _errors(h):
        return ""
    rows = state.proposals.loc[state.proposals["labeler_version"] == h.labeler_version]
    if rows.empty or still_passes(h, rows, sample[there], wrong[there]):
        return ""
    left = int(there.sum()) - int(doubtful.sum())
    if left < h.sample:
        return (
            f"too few calibration votes: {left} of the {counted(h.sample, 'item')} it rests on "
            "still have votes that count and settle them"
        )
    return "calibration votes were changed, and do not show any more what it promised"


def _errors(h: Hypothesis) -> int:
    return -1 if not h.by_class else sum(c.errors for c in h.by_class)


# --- random looks -----------------------------------------------------------------------------


def spot_audit(state: State, h: Hypothesis) -> SpotAudit:
    """Judge the random looks at what a hypothesis accepted.

    The rule `selective` bounds the share of the accepted: only these are counted. `joint` bounds
    wrong accepted ones as a share of all: what was drawn and not accepted counts as clean, and
    needs no look. `audited` promised nothing, and is closed where `joint` would be. A look that is
    not settled counts as clean: an alarm never rests on a doubt.

    An e-process promised the bound for what comes, batch after batch, so its looks are read in
    order of arrival. A fixed test promised it for the set as a whole, of which one batch may be
    worse: its looks are read in the random order they were drawn in, and everything goes back.
    """
    policy, key = state.workspace.policies.accept, "spot"
    ids = np.asarray(state.tested_items(h), dtype=object)
    whole = state.workspace.sample(key, ids[state.spoken_of(h, ids)])
    drawn = whole.part(state.workspace.draws(key, whole.ids) < policy.spot_share)
    accepted = state.accepted_by(h).set_index("item_id")["value"]
    stood = among(drawn.ids, accepted.index) & ~among(drawn.ids, _labeled_first(state))
    asked = drawn.part(stood)
    values = accepted.reindex(asked.ids)
    votes = state.weighed(asked.ids, values, state.outside_audits)
    looks = state.looks(asked.ids, values, votes)
    found = SpotAudit(asked, looks, 1.0, False, "")
    refuted = asked.ids[found.wrong]
    if _test(state, h) == FIXED:
        if h.rule == "selective":
            whole, drawn = (s.part(among(s.ids, accepted.index)) for s in (whole, drawn))
        return _weigh_set(found, among(drawn.ids, refuted), len(whole), h.error, policy.risk)
    counted = asked.ids if h.rule == "selective" else drawn.ids
    wrong, arrived = among(counted, refuted), state.arrived.reindex(counted)
    return _weigh_stream(found, wrong, arrived, h.error, policy.risk)


def _test(state: State, h: Hypothesis) -> str:
    """Return the test it is watched by: its own; where it was not tested, that of the settings."""
    return state.workspace.policies.accept.test if h.audited else h.test


def _weigh_set(
    found: SpotAudit, wrong: npt.NDArray[np.bool_], size: int, error: float, risk: float
) -> SpotAudit:
    """Read looks at a set of `size` items in the order they were drawn in."""
    n = np.arange(1, len(wrong) + 1)
    evidence = log_e_value_above(np.cumsum(wrong), n, error, max(size, 1))
    return dataclasses.replace(
        found, e_value=_largest(evidence), alarm=bool((evidence >= log_wanted(risk)).any())
    )


def _weigh_stream(
    found: SpotAudit,
    wrong: npt.NDArray[np.bool_],
    arrived: pd.Series,
    error: float,
    risk: float,
) -> SpotAudit:
    """Read looks in order of arrival, in which new ones only ever come last."""
    order = np.argsort(arrived.to_numpy(), kind="stable")
    seen, times = wrong[order], arrived.to_numpy()[order]
    evidence = rise_evidence(seen, times, error)
    reached = np.flatnonzero(evidence >= log_wanted(risk))
    good = ""
    if len(reached):
        # As of the first alarm: a rise that is over when it is read was one all the same.
        until = int(reached[0]) + 1
        begun = rise_start(seen[:until], times[:until], error)
        good = pd.Timestamp(arrived.iloc[order[begun - 1]]).isoformat() if begun else ""
    return dataclasses.replace(
        found, e_value=_largest(evidence), alarm=bool(len(reached)), good_until=good
    )


def _largest(evidence: npt.NDArray[np.float64]) -> float:
    return float(np.exp(min(evidence.max(initial=0.0), 700.0)))


def _labeled_first(state: State) -> npt.NDArray[np.object_]:
    """Return items that people labeled before anybody audited them: no label of the model's."""
    rows = state.current.loc[state.current["purpose"].isin(("label", "calibrate"))]
    labeled = rows.groupby("item_id")["given_at"].min()
    audited = state.outside_audits.groupby("item_id")["given_at"].min().reindex(labeled.index)
    ids: npt.NDArray[np.object_] = labeled.index[~(audited < labeled)].to_numpy(dtype=object)
    return ids


# --- drift ------------------------------------------------------------------------------------


def _drifted(state: State, h: Hypothesis) -> Alarm | None:
    """Return the alarm that ended the stream a hypothesis speaks of, if there was one.

    An e-process goes on reading the same stream, so the stream has to be the same. Under the rule
    `audited` it speaks of all there is: against a version speaks what came after it was taken.
    """
    alarms = () if _test(state, h) == FIXED else drift_watch(state).alarms
    if h.audited:
        rows = state.events.loc[state.events["kind"] == "hypothesis"]
        taken = rows.loc[rows["subject"] == str(h.number), "at"].min()
        after = [a for a in alarms if a.at > taken]
    else:
        after = [a for a in alarms if a.until > h.since]
    return after[0] if after else None
