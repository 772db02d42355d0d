"""Gate: decided labels are frozen as a candidate and held against the policy."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

import numpy as np
import numpy.typing as npt
import pandas as pd

from ..autolabel.hypotheses import AUDIT, close
from ..digest import canonical_json, digest
from ..gate.candidate import (
    OUTGROWN,
    OVERLOOKED,
    REFUTED,
    UNLOOKED,
    Candidate,
    attempt_of,
    attempt_risk,
)
from ..gate.checks import Facts, evaluate
from ..gate.confirm import certifies_nothing
from ..gate.design import choose_audit, tried_doubt
from ..gate.firsts import WHY_FIRSTS
from ..gate.futility import better_again, held_by
from ..gate.policy import UNIFORM, WEIGHTED
from ..gate.verdict import FAIL, Verdict
from ..released import released_as
from ..route.again import looks_again
from ..state import Event, State, Workspace, decide, last_body
from ..state.auditors import audits_firsts, confirming, next_attempt, next_stream, outgrown, slips
from ..state.facts import gate_facts
from ..state.late import judged_already, labels_to_freeze, late_items
from ..state.needs import label_doubt, may_look_again, work_in_flight
from .audit import audit_not_due
from .consolidate import up_to_date

__all__ = ["Gated", "gate"]


@dataclass(frozen=True, slots=True)
class Gated:
    """What `gate` found.

    Parameters
    ----------
    verdict : Verdict
    candidate : Candidate or None
        The frozen labels it is about.
    released_as : str or None
        The release that has the labels as they stand: there is nothing to judge then.
    """

    verdict: Verdict
    candidate: Candidate | None
    released_as: str | None = None


def gate(workspace: Workspace, *, now: datetime, split_groups: Mapping[str, str]) -> Gated:
    """Freeze a candidate when the labels are ready, and hold it against the policy.

    Parameters
    ----------
    workspace : Workspace
    now : datetime
    split_groups : mapping of group to str
        Leakage groups on two sides of a split, with explanations.
    """
    up_to_date(workspace, now)
    decide(workspace, _withdraw, now)
    decide(workspace, _freeze, now)
    return decide(workspace, lambda state: _judge(state, split_groups, now), now)


def _judge(
    state: State, split_groups: Mapping[str, str], now: datetime
) -> tuple[Gated, list[Event]]:
    """Hold the open candidate against the policy; give it up where that is final."""
    facts = gate_facts(state, now, split_groups)
    verdict = evaluate(facts, state.workspace.policies.gate)
    candidate, events = state.candidate, list[Event]()
    if candidate is not None:
        # A release is made by a verdict that knows of all that was withdrawn from its labels.
        out = {"withdrawn": state.withdrawn_since} if state.withdrawn_since else {}
        body = verdict.to_json() | {"candidate": candidate.number} | out
        number = len(state.events.loc[state.events["kind"] == "verdict"])
        if body != _last_verdict(state, candidate):
            events.append(("verdict", str(candidate.number), number, body))
        events += _closed(state, candidate, facts, verdict)
    return Gated(verdict, candidate, released_as(state)), events


def _closed(state: State, candidate: Candidate, facts: Facts, verdict: Verdict) -> list[Event]:
    """Close a candidate that is to be tried no more as it is, and say why; else say nothing."""
    certificate, again = facts.certificate, 0
    unproven = state.audit is not None and state.audit.unproven
    failed = certificate is not None and certificate.status == "fail"
    overlooked = certificate is not None and certificate.overlooked
    if failed and not overlooked and not unproven:
        return _given_up(state, candidate)
    # Else nothing was proven: what the model was trusted with stands.
    if overlooked:
        why, again = OVERLOOKED, _looks_again(state)
    elif failed:
        why, again = UNLOOKED, _looks_again(state)
    elif again := _better_again(state, candidate):
        why = "failed: errors are where the doubt is; to look there again takes fewer looks"
    elif _outgrown(state, facts, verdict):
        why = "withdrawn: the labels went on, and no audit can mend a check that failed"
    else:
        return []
    ended = dataclasses.replace(candidate, closed=why, looks_again=again)
    return [_event_of(state, ended)]


def _outgrown(state: State, facts: Facts, verdict: Verdict) -> bool:
    """Say whether a frozen set that cannot pass keeps newer labels from being tried."""
    if facts.certificate is None or facts.certificate.status != "pass":
        return False
    if verdict.status != FAIL or facts.waiting:
        return False
    newer = state.labels.loc[~state.labels["item_id"].isin(state.frozen["item_id"])]
    return bool(newer["value"].notna().any())


def _last_verdict(state: State, candidate: Candidate) -> object:
    rows = state.latest("verdict")
    rows = rows.loc[rows["subject"] == str(candidate.number)]
    if rows.empty:
        return None
    return last_body(rows)


def _withdraw(state: State) -> tuple[None, list[Event]]:
    """Withdraw a candidate whose first votes are audited, once there are people for its labels."""
    candidate = outgrown(state)
    if candidate is None:
        return None, []
    return None, [_event_of(state, dataclasses.replace(candidate, closed=OUTGROWN))]


def _freeze(state: State) -> tuple[None, list[Event]]:
    """Freeze the labels when nothing is in flight and they are not those judged last."""
    candidate = _ready(state)
    return None, [] if candidate is None else [_event_of(state, candidate)]


def _ready(state: State) -> Candidate | None:
    """Return the next candidate, if there is none yet and the labels may be one."""
    labels = labels_to_freeze(state)
    if state.candidate is not None or labels.empty or work_in_flight(state):
        return None
    if not audit_not_due(state) or judged_already(state):
        return None
    limit = state.workspace.policies.gate.open_findings * len(state.present_items)
    if state.suspicions["item_id"].nunique() > limit:
        return None
    stream, carried = next_stream(state)
    doubt = _doubt(state, labels)
    policy, untried = state.workspace.policies.gate, _untried(state, labels)
    mistakes = slips(state)
    audit, why = choose_audit(doubt, policy, carried=carried, untried=untried)
    firsts = audits_firsts(state, stream if carried else 0, mistakes[0])
    if firsts and not carried:
        audit, why = UNIFORM, WHY_FIRSTS
    attempt = next_attempt(state, stream, audit)
    rule = confirming(state, labels, attempt, mistakes, firsts=firsts)
    if certifies_nothing(rule.missed, policy, len(labels), attempt):
        return None
    late = late_items(state)
    return Candidate(
        number=len(state.candidates) + 1,
        revision=int(state.labels["revision"].max()),
        stream=stream,
        items=len(labels),
        digest=state.labels_digest(labels),
        audit=audit,
        doubts=_keep_doubts(state, labels["item_id"], doubt) if audit == WEIGHTED else "",
        why=why,
        confirm=rule.confirms,
        ties=rule.ties,
        firsts=firsts,
        missed=rule.missed,
        late=_keep(state, "late", {"items": late.tolist()}) if len(late) else "",
        later=len(late),
        left=tuple(sorted(state.workspace.policies.route.left)),
    )


def _doubt(state: State, labels: pd.DataFrame) -> npt.NDArray[np.float64]:
    """Return one less each label's posterior, calmed by the calibration of accepted ones."""
    doubt: npt.NDArray[np.float64] = 1.0 - labels["posterior"].fillna(1.0).to_numpy(np.float64)
    under = _accepted_under(state, labels)
    for hypothesis in state.hypotheses:
        looks = sum(c.n for c in hypothesis.by_class)
        wrong = sum(c.errors for c in hypothesis.by_class)
        doubt = tried_doubt(doubt, under == hypothesis.number, wrong, looks)
    return doubt


def _untried(state: State, labels: pd.DataFrame) -> npt.NDArray[np.bool_]:
    """Tell which labels are a model's that stand by its posterior, which no look has tried."""
    return np.isin(
        _accepted_under(state, labels), [h.number for h in state.hypotheses if h.audited]
    )


def _accepted_under(state: State, labels: pd.DataFrame) -> npt.NDArray[np.float64]:
    """Return the hypothesis that each accepted label rests on; NaN of all others."""
    under = labels["item_id"].map(state.accepted.set_index("item_id")["hypothesis"])
    found: npt.NDArray[np.float64] = under.where(labels["method"] == "accepted").to_numpy(
        dtype=np.float64
    )
    return found


def _keep_doubts(state: State, item_ids: pd.Series, doubt: npt.NDArray[np.float64]) -> str:
    """Keep the doubts that a weighted audit draws by; return the object's name.

    Kept before the candidate is said to be frozen: killed in between, the same labels give the
    same object again, and no vote of the audit can come before either.
    """
    kept = {"items": item_ids.tolist(), "doubts": [round(float(d), 6) for d in doubt]}
    return _keep(state, "doubts", kept)


def _keep(state: State, folder: str, kept: Mapping[str, object]) -> str:
    """Keep what goes with a candidate under its digest; return the object's name."""
    content = canonical_json(kept)
    name = f"{folder}/{digest([content])[:32]}.json"
    state.workspace.objects.put_new(name, content.encode())
    return name


def _event_of(state: State, candidate: Candidate) -> Event:
    return state.next_event("candidate", str(candidate.number), candidate.to_body())


def _given_up(state: State, candidate: Candidate) -> list[Event]:
    """Give a failed candidate up: what the model was trusted with goes back to people."""
    closed = dataclasses.replace(
        candidate,
        closed=REFUTED,
        looks_again=_looks_again(state),
    )
    why = f"the audit of candidate {candidate.number} failed"
    ended = [close(h, AUDIT, why) for h in state.hypotheses if not h.closed or h.kept]
    return [_event_of(state, closed), *map(state.hypothesis_event, ended)]


def _better_again(state: State, candidate: Candidate) -> int:
    """Count the labels to look at again, where that is better than to go on; 0 where it is not.

    Once a release: each new order has a smaller share of the risk.
    """
    attempt, again = attempt_of(candidate, state.candidates), _looks_again(state)
    if state.audit is None or attempt > 1:
        return 0
    audit, frozen = state.audit, state.frozen
    seen = audit.planned.ids[~(audit.unseen | audit.pending)]
    may = may_look_again(state, frozen) & ~frozen["item_id"].isin(seen).to_numpy()
    if may.sum() < again:
        return 0
    # As sure as the labels were when they were decided, the open ones and the wrong ones: a
    # posterior of today differs a little by other items' votes, and who is tied would not be.
    # Only the errors that the certificate has read: of the looks that come after an open one those
    # are settled first on which people agree at once, and these lie elsewhere.
    read = audit.planned.first(audit.certificate.n).ids[audit.wrong[: audit.certificate.n]]
    sure = state.labels_of(candidate)["posterior"].reindex(read)
    wrong = 1.0 - sure.to_numpy(dtype=np.float64)
    held = held_by(label_doubt(state, frozen)[may], again, wrong)
    risk = attempt_risk(attempt + 1, state.workspace.policies.gate.risk)
    return again if better_again(audit.certificate, again, held, risk) else 0


def _looks_again(state: State) -> int:
    """Count the least certain labels to look at again now that the audit found too many wrong."""
    if state.audit is None:
        return 0
    found, bound = state.audit.certificate, state.workspace.policies.gate.error
    return looks_again(label_doubt(state, state.frozen), found.estimate, bound)
