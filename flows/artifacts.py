"""What a flow shows in Prefect: the plan, the verdict, the release; no contents of items.

Texts in it come from settings, people's names and messages, so everything is escaped: a
table stays a table, and nothing becomes a link or markup.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from labelops.app import App
from labelops.errors import counted, shown
from labelops.state import load

from .stages import Summary

__all__ = ["escaped", "key_of", "plan_page", "release_page", "verdict_page"]

_MARKUP = re.compile(r"([\\`*_{}\[\]()#+!|~<>&$^=:@-])")
_RANK = {"fail": 0, "inconclusive": 1, "pass": 2}


def key_of(label_set: str, what: str) -> str:
    """Return an artifact's key, for which Prefect allows small letters, digits and dashes.

    Examples
    --------
    >>> key_of("Tickets_2026", "plan")
    'tickets-2026-plan'
    """
    return re.sub(r"[^a-z0-9]+", "-", f"{label_set}-{what}".lower()).strip("-")


def escaped(value: object) -> str:
    r"""Return a value as one line of plain text in markdown.

    Examples
    --------
    >>> print(escaped("a|b <script> [x](y)\n# c"))
    a&#124;b &#60;script&#62; &#91;x&#93;&#40;y&#41; &#35; c
    """
    text = " ".join(str(value).split())
    text = "".join(c if c.isprintable() else " " for c in text)
    # As numbers, since a backslash is shown as such in code and by some renderers.
    return _MARKUP.sub(lambda found: f"&#{ord(found[0])};", text)


def _table(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    lines = [columns, ["---"] * len(columns)]
    body = [[escaped(cell) for cell in row] for row in rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in [*lines, *body])


def plan_page(app: App, done: Summary) -> str:
    """Say what people are asked for now, by purpose and reason, after a `send`."""
    seats = load(app.workspace).open_seats
    # Reasons end in the item's place in its sample; a table is about their beginnings.
    reasons = seats["reason"].str.split(",", n=1).str[0]
    groups = seats.assign(reason=reasons).groupby(["purpose", "reason"], sort=True)["open"]
    rows = [(*key, len(g), int(g.sum())) for key, g in groups]
    asked, offered = done["route"].get("votes"), done["queue"].get("offered")
    where = done["queue"].get("url")
    also = "" if offered is None else f", {counted(offered, 'task')} newly offered"
    return "\n\n".join(
        [
            f"# {escaped(app.settings.schema.name)}: plan",
            ("New votes are" if asked is None else f"{counted(asked, 'new vote')}")
            + f" asked for{also}. "
            + (f"People label at {escaped(where)}." if where else "People label in the queue."),
            _table(("purpose", "reason", "items", "votes open"), rows),
            *_model_and_not_done(done),
        ]
    )


def _model_and_not_done(done: Summary) -> list[str]:
    """Say what the model came to, and what could not be done of a part."""
    reason = done["autolabel"].get("reason")
    lines = [f"The model: {escaped(reason)}."] if reason else []
    failed = {stage: found["not_done"] for stage, found in done.items() if "not_done" in found}
    return [*lines, *(f"Not done, {escaped(s)}: {escaped(why)}." for s, why in failed.items())]


def verdict_page(label_set: str, verdict: Summary) -> str:
    """Say whether the labels may be released, the worst check first."""
    checks = sorted(verdict["checks"], key=lambda c: _RANK[c["status"]])
    rows = [(c["status"], c["name"], c["message"]) for c in checks]
    number = verdict["candidate"]
    about = f"Candidate {number}." if number is not None else "No labels are frozen yet."
    return "\n\n".join(
        [
            f"# {verdict['status'].upper()}: {escaped(label_set)}",
            about,
            _table(("status", "check", "what was found"), rows),
        ]
    )


def release_page(done: Summary) -> str:
    """Say which release there is, and where it is."""
    reuse = done["reuse"]
    rows = [
        ("release", reuse["reference"]),
        ("digest", reuse["digest"]),
        ("report", reuse["report"]),
        ("training frame", reuse["folder"]),
    ]
    state = "new" if done["release"]["new"] else shown(done["release"]["reason"], 300)
    return "\n\n".join([f"# {escaped(reuse['reference'])}", escaped(state), _table(("", ""), rows)])
