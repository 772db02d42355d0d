"""The command that shows what rules are worth."""

from __future__ import annotations

from ..errors import counted, percent
from .base import Session, command
from .words import columns, safe, short

__all__ = ["rules"]


@command("labelops rules", "labelops rules --json")
def rules(session: Session) -> None:
    """Show how much each rule says, and how often people agree.

    A rule conflicts where another one names another class. It is right where it names the class
    that most people name.
    """
    from ..state import load
    from ..state.rules import rule_rows

    state = load(session.app.to_read)
    found = rule_rows(state)
    table = [
        [
            safe(row.rule),
            counted(row.votes),
            percent(row.coverage, fixed=True),
            counted(row.overlaps),
            counted(row.conflicts),
            counted(row.judged),
            percent(row.accuracy, fixed=True),
            ""
            if row.low is None or row.high is None
            else f"{percent(row.low, fixed=True)} to {percent(row.high, fixed=True)}",
            short(row.version) if row.version else "",
        ]
        for row in found
    ]
    head = ["rule", "votes", "of all", "overlap", "conflict", "judged", "right", "95 %", "version"]
    text = (
        columns(table, head, right=range(1, 7))
        if table
        else (
            "No rule has voted; write [rule.NAME] into labelops.toml and run `labelops autolabel`."
        )
    )
    session.show({"items": len(state.items), "rules": found}, text)
