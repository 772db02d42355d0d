"""What a certificate or a labeler will cost, before anybody looks at or answers anything."""

from __future__ import annotations

import click

from .base import Session, command
from .costs import plan_labeler
from .words import columns, counted

__all__ = ["plan"]

_SHARES = (0.0, 0.05, 0.125, 0.25, 0.5, 0.75, 1.0)
"""True errors shown, as shares of the bound: at 1 the certificate would be wrong."""


@command(
    "labelops plan audit --error 0.02 --confidence 0.95",
    "labelops plan audit --error 0.01 --items 5000 --true 0.002",
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
    type=click.FloatRange(0, 1, min_open=True, max_open=True),
    default=0.95,
    show_default=True,
    help="How sure that must be.",
)
@click.option(
    "--items",
    type=click.IntRange(1),
    help="Labels in the set: a small set takes fewer audits.  [default: any number]",
)
@click.option(
    "--true",
    "shares",
    type=click.FloatRange(0, 1),
    multiple=True,
    help="A true share of errors to plan for; may be given again.",
)
@click.option(
    "--budget",
    type=click.IntRange(1, 100_000),
    default=10_000,
    show_default=True,
    help="Most audits anybody would make.",
)
def plan(
    session: Session,
    what: str,
    error: float,
    confidence: float,
    items: int | None,
    shares: tuple[float, ...],
    budget: int,
) -> None:
    """Say what a certificate or a labeler will cost.

    `labeler` says what the answers of the label set's chat model about all its items will cost,
    at the prices under [chat], and what was spent. It takes none of the options.

    `audit` says how many random audits certify an error bound. That depends on the true error,
    which nobody knows: so for several. The audit is looked at after every item and stops as
    soon as the bound is certified. The nearer the true error is to the bound, the longer it
    takes; beyond the bound a certificate would be wrong, and its chance stays below one minus
    the confidence.
    """
    if what == "labeler":
        plan_labeler(session)
        return
    from ..measure.planning import audit_plan, looks_to_certify

    asked = shares or tuple(round(error * share, 6) for share in _SHARES)
    risk = round(1 - confidence, 12)
    plans = audit_plan(error, risk, asked, budget=budget, size=items)
    clean = looks_to_certify(error, risk, budget, items)
    found = {
        "error": error,
        "confidence": confidence,
        "items": items,
        "budget": budget,
        "fewest": int(clean[0]) if len(clean) else None,
        "plans": plans,
    }
    of = f" of {counted(items, 'label')}" if items else ""
    if len(clean):
        first = f"Without any error found, {counted(int(clean[0]), 'audit')}{of} certify"
    else:
        first = f"Even without any error found, {counted(budget, 'audit')}{of} cannot certify"
    lines = [f"{first} at most {error:g} wrong at {confidence:g} confidence."]
    rows = [
        [
            f"{p.true_error:.3%}",
            counted(round(p.mean)),
            "–" if p.median is None else counted(p.median),
            "–" if p.high is None else counted(p.high),
            f"{p.certified:.1%}",
        ]
        for p in plans
    ]
    head = ["true error", "mean audits", "half need", "9 of 10 need", "certified"]
    lines += ["", columns(rows, head, right=range(5))]
    if budget < 100_000:
        lines += ["", f"A plan ends after {counted(budget, 'audit')}: --budget changes that."]
    session.show(found, "\n".join(lines))
