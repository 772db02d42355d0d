"""The demo's closing screen: what was promised, beside what is true."""

from __future__ import annotations

import textwrap

from labelops.app import App
from labelops.audit import recall
from labelops.errors import percent
from labelops.report.of_state import counts_of
from labelops.state import load

from .demo_data import Sample

__all__ = ["screen"]


def screen(app: App, sample: Sample, first: str, second: str, seconds: float) -> str:
    """Return the screen as text.

    Parameters
    ----------
    app : App
    sample : Sample
        Its truth is shown beside what was certified.
    first, second : str
        The two releases.
    seconds : float
        How long the demo took.
    """
    state = load(app.workspace)
    counts, planted = counts_of(state), recall(state.findings)
    flagged = ", ".join(name.removeprefix("human:") for name in state.flagged) or "nobody"
    changes = app.diff(first, second).counts()
    gate, accepted = app.settings.gate, f"{counts.accepted:,} of {counts.items:,} labels"
    certified = f"at most {percent(gate.error)} wrong, at {percent(gate.confidence)} confidence"
    votes = f"{counts.votes_total:,}, where three on everything are {counts.baseline:,}"
    rows = [
        ("votes bought", votes),
        ("", f"{percent(counts.saved, 0)} saved"),
        ("from the model", f"{accepted} accepted without a vote"),
        ("certified error", certified),
        ("true error", _true_errors(app, sample, first, second)),
        ("planted errors", f"{planted.found} of {planted.planted} found again"),
        ("flagged", f"{flagged} (the simulated annotator who clicks at random is gus)"),
        ("releases", f"{first}, then {second}: {_changes(changes)}"),
        ("report", _path(app, second, "report.html")),
        ("training frame", str(app.settings.root / "exports" / second)),
    ]
    lines = [f"  {name:<16} {text}" for name, text in rows]
    config = app.settings.root
    return "\n".join(
        [
            "",
            f"labelops demo: {sample.name} — done in {seconds:.0f} s",
            "",
            *lines,
            "",
            *_next_steps(str(config), second),
        ]
    )


def _true_errors(app: App, sample: Sample, *references: str) -> str:
    found = []
    for reference in references:
        labels = app.read(reference).labels
        wrong = int((labels["value"] != labels["item_id"].map(sample.truth)).sum())
        found.append(f"{percent(wrong / len(labels), 2)} ({wrong} of {len(labels):,})")
    return ", then ".join(found) + "; known here because the truth is"


def _changes(counts: dict[str, int]) -> str:
    shown = {name: n for name, n in counts.items() if n}
    return ", ".join(f"{n:,} {name}" for name, n in shown.items())


def _path(app: App, reference: str, role: str) -> str:
    return f"{app.settings.workspace}/{app.manifest(reference).part_name(role)}"


def _next_steps(config: str, reference: str) -> list[str]:
    text = f"""\
    Look around:
      labelops --config {config} status
      labelops --config {config} log
      labelops --config {config} explain digit-0042
      labelops --config {config} verify {reference}
    On your own data:
      labelops init path/to/items.csv     writes labelops.toml; read it, then
      labelops run send                   take items in and ask people
      labelops run receive                take answers in and judge the labels
      labelops run publish                release what passes the gate
    """
    if not reference.startswith("digits"):
        text = text.replace("digit-0042", "T-0042")
    return textwrap.dedent(text).splitlines()
