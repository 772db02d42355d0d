"""What a certificate or a labeler will cost, before anybody looks at or answers anything."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ..errors import SettingsError, counted, percent
from .base import Session, command
from .costs import plan_labeler
from .words import columns

if TYPE_CHECKING:
    from ..gate.candidate import Candidate
    from ..measure.planning import AuditPlan

__all__ = ["plan"]

_SHARES = (0.0, 0.05, 0.125, 0.25, 0.5, 0.75, 1.0)
"""True errors shown, as shares of the bound; from 1 on an endless set must not be certified."""


@command(
    "labelops plan audit --error 0.02 --confidence 0.95",
    "labelops plan audit --error 0.01 --items 5000 --true 0.002",
    "labelops plan audit --error 0.02 --attempt 1 --told 0.8",
    "labelops plan audit --items 1797 --attempt 1 --missed 0.05",
    "labelops plan labeler",
    name="plan",
)
@click.argument("what", type=click.Choice(["audit", "labeler"]), metavar="audit|labeler")
@click.option(
    "--error",
    type=click.FloatRange(0, 1, min_open=True, max_open=True),
    default=0.02,
    show_default=True,
    help="Most wrong labels to certify, as a share.",
)
@click.option(
    "--confidence",
    type=click.FloatRange(0.5, 1, min_open=True, max_open=True),
    default=0.95,
    show_default=True,
    help="How sure that must be.",
)
@click.option(
    "--items",
    type=click.IntRange(1),
    help="Labels in the set: a small set takes fewer audits, and errors found are corrected.  "
    "[default: any number]",
)
@click.option(
    "--true",
    "shares",
    type=click.FloatRange(0, 1),
    multiple=True,
    help="A true share of errors to plan for; may be given again. With `--items` it is rounded to "
    "whole labels.",
)
@click.option(
    "--budget",
    type=click.IntRange(1, 100_000),
    default=10_000,
    show_default=True,
    help="Most audits anybody would make.",
)
@click.option(
    "--attempt",
    type=click.IntRange(1, 20),
    help="Plan with what the gate gives to this attempt of the risk: four fifths to the first, and "
    "of what is left to each later one.  [default: all of it]",
)
@click.option(
    "--missed",
    type=click.FloatRange(0, 1, max_open=True),
    help="Share of wrong labels that look right to auditors, which the gate allows for.  "
    "[default: in a label set what its last candidate allows for, else 0]",
)
@click.option(
    "--told",
    type=click.FloatRange(0, 1),
    help="Also simulate audits drawn by doubt, where the tenth of the labels most in doubt holds "
    "this share of the errors.",
)
def plan(
    session: Session,
    what: str,
    error: float,
    confidence: float,
    items: int | None,
    shares: tuple[float, ...],
    budget: int,
    attempt: int | None,
    missed: float | None,
    told: float | None,
) -> None:
    """Say what a certificate or a labeler will cost.

    `labeler` says what the answers of the label set's chat model about all items taken in will
    cost, at the prices under [chat], and what was spent. It takes none of the options. Before
    anything was taken in (`labelops ingest`, which asks no model) it says so, and exits with 2.

    `audit` says how many random audits certify an error bound. That depends on the true error,
    which nobody knows: so for several. The audit is looked at after every item and stops as
    soon as the bound is certified. The nearer the true error is to the bound, the longer it
    takes; beyond the bound a certificate would be wrong, and its chance stays below one minus
    the confidence. With `--items` every error found is corrected and no part of what is
    certified, as in a release: near the bound that saves up to half of the audits, and a set a
    little beyond it may be mended. With `--attempt` as well the fewest are what the gate asks
    for, once labels are frozen: then it estimates from people's mistakes how many wrong labels
    will look right to them, and allows for it; `--missed` says that beforehand. `--told` adds
    audits that draw labels in doubt more often, as the gate's do where the bound is near. Under
    `[accept] rule = "audited"` these are all the random looks that a release takes; under
    `joint` a calibration sample comes before (some 290 at 2 %), so the smaller the set, the more
    `audited` saves, at the price of any promise before the release. Under both, two people look
    at some first items, and random looks at what the model was trusted with go on
    (`spot_share`).
    """
    if what == "labeler":
        plan_labeler(session)
        return
    from ..gate.candidate import attempt_risk
    from ..measure.planning import audit_plan, looks_to_certify

    like = None if missed is not None else _last_candidate(session)
    missed = missed or (0.0 if like is None else like.missed)
    asked = _asked(shares or tuple(round(error * share, 6) for share in _SHARES), items)
    risk = round(1 - confidence, 12)
    risk = attempt_risk(attempt, risk) if attempt else risk
    plans = audit_plan(error, risk, asked, budget=budget, size=items, missed=missed)
    by_doubt = []
    if told is not None:
        by_doubt = _simulated(error, risk, asked, told, budget, items, missed)
    clean = looks_to_certify(error, risk, budget, items, missed=missed)
    found = {
        "error": error,
        "confidence": confidence,
        "attempt": attempt,
        "risk": risk,
        "items": items,
        "budget": budget,
        "missed": missed,
        "missed_as": None if like is None else like.number,
        "fewest": int(clean[0]) if len(clean) else None,
        "plans": plans,
        "told": told,
        "by_doubt": by_doubt,
    }
    session.show(found, _said(found, plans, by_doubt))


def _asked(shares: Sequence[float], items: int | None) -> Sequence[float]:
    """Leave out what is the same: in a small set many shares stand for as many whole labels."""
    if items is None:
        return tuple(dict.fromkeys(shares))
    return tuple(n / items for n in dict.fromkeys(round(share * items) for share in shares))


def _last_candidate(session: Session) -> Candidate | None:
    """Return the label set's candidate under audit, or the last; None outside a label set."""
    if session.config is None:
        from ..settings import find_settings

        try:
            find_settings(Path.cwd())
        except SettingsError:
            return None
    return session.app.last_candidate()


def _said(
    found: Mapping[str, Any], plans: Sequence[AuditPlan], by_doubt: Sequence[AuditPlan]
) -> str:
    """Say the plans in words and tables."""
    budget, fewest = found["budget"], found["fewest"]
    of = f" of {counted(found['items'], 'label')}" if found["items"] else ""
    share = f", by the risk of attempt {found['attempt']}" if found["attempt"] else ""
    most = min(budget, found["items"] or budget)
    first = f"Even without any error found, {counted(most, 'audit')}{of} cannot certify"
    if fewest is not None:
        first = f"Without any error found, {counted(fewest, 'audit')}{of} certify"
    error, confidence = percent(found["error"], 4), percent(found["confidence"], 4)
    wanted = f"at most {error} wrong at {confidence} confidence"
    lines = [f"{first} {wanted}{share}.", _missing(found), "", _table(plans)]
    if by_doubt:
        holds = f"if a tenth of the labels holds {percent(found['told'])} of the errors"
        lines += ["", f"Drawn by doubt, {holds} (simulated):", "", _table(by_doubt)]
    notes = []
    if most == budget < 100_000:
        notes.append(f"A plan ends after {counted(budget, 'audit')}: --budget changes that.")
    if not share:
        notes.append("The gate keeps a fifth of the risk for later attempts: --attempt 1 plans so.")
    return "\n".join([*lines, "", *notes]).rstrip()


def _missing(found: Mapping[str, Any]) -> str:
    """Say how many wrong labels looks are taken to confirm, and why so many."""
    number = found["missed_as"]
    why = "" if number is None else f", as in the audit of candidate {number}"
    if found["missed"]:
        return f"{percent(found['missed'])} of wrong labels are taken to look right{why}."
    note = "" if number is not None else "; --missed allows for some"
    return f"Looks are taken to find every wrong label wrong{why}{note}."


def _table(plans: Sequence[AuditPlan]) -> str:
    head = ["true error", "mean audits", "half need", "9 of 10 need", "certified"]
    if plans[0].wrong is not None:
        head = ["wrong labels", *head]
    return columns([_row(p) for p in plans], head, right=range(len(head)))


def _simulated(
    error: float,
    risk: float,
    asked: Sequence[float],
    told: float,
    budget: int,
    items: int | None,
    missed: float,
) -> list[AuditPlan]:
    import numpy as np

    from ..measure.weighted_planning import weighted_plan

    # The same question gets the same answer.
    rng = np.random.default_rng(0)
    return weighted_plan(
        error, risk, asked, told, rng=rng, budget=budget, size=items, missed=missed
    )


def _row(plan: AuditPlan) -> list[str]:
    return [
        *([] if plan.wrong is None else [counted(plan.wrong)]),
        percent(plan.true_error, 3, fixed=True),
        counted(round(plan.mean)),
        "–" if plan.median is None else counted(plan.median),
        "–" if plan.high is None else counted(plan.high),
        percent(plan.certified, fixed=True),
    ]
