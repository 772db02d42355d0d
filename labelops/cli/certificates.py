"""The command that shows every certificate: what was tested, on what, and what it cost in risk."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from ..errors import counted, percent
from .base import Session, command
from .status import said_drift, said_plan
from .words import columns, emphasised, safe, section, short

if TYPE_CHECKING:
    from ..autolabel.hypotheses import ClassCount, Hypothesis
    from ..gate.candidate import Candidate
    from ..gate.certificate import Certificate
    from ..state import State
    from ..state.watch import SpotAudit

__all__ = ["certificate_facts", "certificates", "said_certificates"]

_RULES = {
    "joint": "of all labels wrong",
    "selective": "of the accepted labels wrong",
    "audited": "of all labels wrong",
}


@command("labelops certificates", "labelops certificates --json")
def certificates(session: Session) -> None:
    """Show what was tested and certified, and the risk spent.

    Every attempt to accept a model's labels with its looks, calibration votes, cut-off and why it
    was closed; each class by itself; the random looks at what was accepted; risk spent and left;
    every release candidate; drift alarms. Under the rule `audited` labels stand by their posterior,
    with no sample and no risk.

    An attempt is a hypothesis with a number. The j-th may be wrong with probability 6δ/(π²j²): all
    that will ever be made stay within δ together. A retrained labeler is a new attempt; looking
    again is not.
    """
    from ..state import load

    state = load(session.app.to_read)
    session.show(certificate_facts(state), said_certificates(state))


def certificate_facts(state: State) -> dict[str, Any]:
    """Return every certificate of a label set, for JSON."""
    from ..state.drift import drift_watch
    from ..state.plan import labeling_plan

    risk, spent = state.workspace.policies.accept.risk, _spent(state)
    return {
        "acceptance": {"risk": risk, "spent": spent, "left": risk - spent},
        "hypotheses": [_as_json(state, h) for h in state.hypotheses],
        "candidates": state.candidates,
        "certificate": None if state.audit is None else state.audit.certificate,
        "drift": drift_watch(state),
        "plan": labeling_plan(state),
    }


def said_certificates(state: State) -> str:
    """Return every certificate of a label set in words and tables."""
    from ..state.drift import drift_watch
    from ..state.plan import labeling_plan

    risk, spent, watch = state.workspace.policies.accept.risk, _spent(state), drift_watch(state)
    alarms = [[str(a.number), f"{a.at:%Y-%m-%d %H:%M}", safe(a.reason)] for a in watch.alarms]
    text = [
        _said_hypotheses(state),
        f"Risk spent on acceptance: {spent:.4f} of {risk:.4g}; {risk - spent:.4f} left.",
        said_plan(labeling_plan(state)),
        *map(_said_classes, _shown(state)),
        *(_said_looks(h, looks, risk) for h in state.standing if (looks := _looks(state, h))),
        _said_candidates(state.candidates),
        section("Drift alarms", alarms, ["", "given", "why"], right=[0]) or said_drift(watch),
        _said_audited(state),
    ]
    return "\n\n".join(part for part in text if part)


def _spent(state: State) -> float:
    return sum(h.risk for h in state.hypotheses)


def _looks(state: State, h: Hypothesis) -> SpotAudit | None:
    """Return the random looks at what a hypothesis accepted, where they go on."""
    from ..state.watch import spot_audit

    return spot_audit(state, h) if h in state.standing and h.watched else None


def _as_json(state: State, h: Hypothesis) -> dict[str, Any]:
    """Return every field of a hypothesis, each class by name, and the random looks if any."""
    looks = _looks(state, h)
    found: dict[str, Any] = {f.name: getattr(h, f.name) for f in dataclasses.fields(h)}
    found["by_class"] = [
        {**c._asdict(), "value": json.loads(c.value), "at_most": c.at_most} for c in h.by_class
    ]
    found["status"] = _status(state, h)
    found["random_looks"] = looks and {
        "asked": len(looks.asked),
        "settled": looks.settled,
        "wrong": int(looks.wrong.sum()),
        "e_value": looks.e_value,
        "wanted": 1 / state.workspace.policies.accept.risk,
    }
    return found


def _status(state: State, h: Hypothesis) -> str:
    """Say in a word whether labels rest on a hypothesis: stands, kept, closed or open."""
    if h.closed:
        return "kept" if h in state.standing else "closed"
    return "stands" if h in state.standing else "open"


def _said_hypotheses(state: State) -> str:
    rows = [
        [
            str(h.number),
            short(h.labeler_version),
            h.rule if h.audited else f"{h.rule}{' per class' if h.classes else ''}, {h.test}",
            "–" if h.audited else percent(h.error),
            "–" if h.audited else f"{h.risk:.4f}",
            counted(h.looks),
            counted(h.sample),
            counted(h.votes),
            "–" if h.threshold is None else f"{h.threshold:.3f}",
            f"{counted(h.accepted)} of {counted(h.pool_size)}",
        ]
        for h in state.hypotheses
    ]
    head = ["", "labeler", "rule and test", "bound", "risk", "looks", "calibration", "votes"]
    head += ["cut-off", "accepted"]
    if not rows:
        return "No attempt was made yet to accept a model's labels."
    words = [[str(h.number), _standing_in_words(state, h)] for h in state.hypotheses]
    table = section("Attempts to accept a model's labels", rows, head, right=[0, *range(3, 10)])
    return f"{table}\n\n{columns(words, right=[0], indent=2)}"


def _standing_in_words(state: State, h: Hypothesis) -> str:
    status = _status(state, h)
    if status == "stands":
        return f"{emphasised('stands')}: {safe(h.reason)}"
    if status == "kept":
        return f"{emphasised('closed')} for what arrived after {h.until[:16]}: {safe(h.closed)}"
    if status == "closed":
        return f"{emphasised('closed')}: {safe(h.closed)}"
    if h.accepted:
        return f"{emphasised('open')}, another accepts more: {safe(h.reason)}"
    return f"{emphasised('open')}, accepts nothing: {safe(h.reason)}"


def _shown(state: State) -> Sequence[Hypothesis]:
    """Return those whose classes are of interest: on which labels rest, else the last one."""
    return state.standing or state.hypotheses[-1:]


def _said_classes(h: Hypothesis) -> str:
    own = "its own cut-off and bound" if h.classes else "one cut-off; the bound is for all together"
    rows = [_class_row(c) for c in h.by_class]
    head = ["class", "accepted", "cut-off", "calibration", "wrong", "at most (95 %)"]
    return section(f"Attempt {h.number} by proposed class: {own}", rows, head, right=range(1, 6))


def _class_row(c: ClassCount) -> list[str]:
    return [
        safe(json.loads(c.value)),
        counted(c.accepted),
        "–" if c.threshold is None else f"{c.threshold:.3f}",
        counted(c.n),
        counted(c.errors),
        percent(c.at_most, fixed=True) if c.n else "–",
    ]


def _said_looks(h: Hypothesis, looks: SpotAudit, risk: float) -> str:
    if not len(looks.asked):
        return ""
    waiting = len(looks.asked) - looks.settled
    open_ = f", {counted(waiting)} to come" if waiting else ""
    found = f"{counted(int(looks.wrong.sum()))} of {counted(looks.settled)} wrong{open_}"
    return (
        f"Random looks at what attempt {h.number} accepted: {found}.\n"
        f"Evidence of more than {percent(h.error)} {_RULES[h.rule]}: {looks.e_value:.3g} "
        f"(at {1 / risk:.3g} the attempt is closed)."
    )


def _said_candidates(candidates: Sequence[Candidate]) -> str:
    rows = [
        [
            str(c.number),
            counted(c.items),
            short(c.digest),
            c.audit,
            emphasised(_word(c.closed), safe(c.closed or "under audit")),
        ]
        for c in candidates
    ]
    return (
        section("Release candidates", rows, ["", "labels", "digest", "audit", ""], right=[0, 1])
        or "No release candidate was frozen yet."
    )


def _word(closed: str) -> str:
    return closed.split(" ", 1)[0].rstrip(":") if closed else "open"


def _said_audited(state: State) -> str:
    if state.audit is None or state.candidate is None:
        return ""
    return _said_audit(state.candidate, state.audit.certificate, state.audit.progress.held_up)


def _said_audit(candidate: Candidate, found: Certificate, held_up: str) -> str:
    """Say what the open candidate's audit has shown, and by which intervals."""
    from ..gate.words import sure

    why = f" ({safe(candidate.why)})" if candidate.why else ""
    whole, one = found.anytime, found.interval
    lines = [
        f"Audit of the open candidate, {found.audit}{why}:",
        safe(found.reason) + (f"; {held_up}" if held_up else ""),
        f"errors found {counted(found.errors)}, corrected {counted(found.corrected)}; "
        f"certified of the labels as they are now: at most {found.certified:.4f} wrong",
        f"estimate {found.estimate:.4f}; at {sure(found.risk)}, for all looks at once "
        f"{whole.low:.4f} to {whole.high:.4f}"
        + (f"; Clopper–Pearson, for one look {one.low:.4f} to {one.high:.4f}" if one else ""),
    ]
    return "\n  ".join(lines)
