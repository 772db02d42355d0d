"""Rules vote: each of them once on every item, for what its present version says."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np
import pandas as pd

from ..autolabel.proposals import check_answers
from ..errors import UsageError
from ..measure.codes import among
from ..parts import Parts, as_a_part
from ..ports import Labeler
from ..state import RULES, State, Workspace, last_body, load, rule_vote_id, say
from ..tables import VOTES, empty, frame_of

__all__ = ["Ruled", "vote_by_rules"]


@dataclass(frozen=True, slots=True)
class Ruled:
    """What `vote_by_rules` did.

    Parameters
    ----------
    rules, votes : int
        Rules in force, and votes they gave just now.
    changed : tuple of str
        Rules that are new, say something else than before, or were taken out.
    """

    rules: int
    votes: int
    changed: tuple[str, ...]


def vote_by_rules(workspace: Workspace, rules: Sequence[Labeler], *, now: datetime) -> Ruled:
    """Let each rule vote on the items its present version has not seen; where it abstains, none.

    Votes of an earlier version, or of a rule that is no longer among `rules`, stay in the
    table and count no more. Running again adds nothing.

    Parameters
    ----------
    workspace : Workspace
    rules : sequence of Labeler
        Labelers that do not learn; each votes under its own name, `rule:…`.
    now : datetime

    Raises
    ------
    UsageError
        If two rules have one name, or a name is not `rule:…`.
    EndError
        If a rule fails on an item; nothing of that rule is stored. It is `of_a_part`: the other
        rules have voted.
    """
    state = load(workspace)
    if not rules and not state.rule_versions:
        return Ruled(0, 0, ())
    versions = _versions(rules, workspace)
    changed = _adopt(state, versions, now)
    state, votes, parts = load(workspace), 0, Parts()
    for rule in rules:
        with parts.each():
            votes += _vote(state, rule, versions[rule.name], now)
    parts.raise_first()
    return Ruled(len(rules), votes, changed)


def _versions(rules: Sequence[Labeler], workspace: Workspace) -> dict[str, str]:
    nothing = load(workspace).items.iloc[:0]
    versions: dict[str, str] = {}
    for rule in rules:
        if rule.name in versions or not rule.name.startswith("rule:"):
            raise UsageError(f"rule {rule.name!r}: expected names of the form rule:…, each once")
        versions[rule.name] = rule.fit(nothing, [], [], workspace.schema)
    return versions


def _adopt(state: State, versions: dict[str, str], now: datetime) -> tuple[str, ...]:
    """Say which version of each rule is in force from now on; return the rules that changed."""
    said, before = state.latest("rule").set_index("subject"), state.rule_versions
    wanted = {**dict.fromkeys(before, ""), **versions}
    changed = sorted(r for r, version in wanted.items() if before.get(r, "") != version)
    numbers = said["revision"].reindex(changed, fill_value=-1) + 1
    events = [("rule", r, int(numbers[r]), {"version": wanted[r]}) for r in changed]
    say(state, events, now)
    return tuple(changed)


def _vote(state: State, rule: Labeler, version: str, now: datetime) -> int:
    """Append what a rule says of the items it was not run on; return how many votes it gave."""
    seen = _content(state)
    runs = state.latest("rule_run")
    runs = runs.loc[runs["subject"] == rule.name]
    run = {"items": seen, "version": version}
    if len(runs) and last_body(runs) == run:
        return 0
    items, schema = state.items, state.workspace.schema
    ids = [
        rule_vote_id(rule.name, version, item, content)
        for item, content in zip(items["item_id"], items["payload_digest"], strict=True)
    ]
    lacking = ~among(ids, state.machine_votes["vote_id"])
    lacking &= ~among(items["item_id"], state.withdrawn_ids)
    asked = items.loc[lacking].reset_index(drop=True)
    with as_a_part():
        answers = check_answers(rule.propose(asked, schema), asked, schema)
    answers = answers.loc[answers["value"].notna()]
    names = pd.Series(ids, index=items["item_id"])
    votes = empty(VOTES) if answers.empty else frame_of(
        VOTES,
        {
            "vote_id": names[answers["item_id"]],
            "revision": 0,
            "item_id": answers["item_id"],
            "annotator": rule.name,
            "value": answers["value"],
            "status": "given",
            "purpose": "label",
            "round": 1,
            "saw_proposal": False,
            "queue": RULES,
            "schema_digest": schema.digest,
            "given_at": now,
        },
        len(answers),
    )  # fmt: skip
    state.workspace.tables.append("votes", votes)
    # Last: a run killed before this is run again, and finds the votes it gave.
    number = int(runs["revision"].max()) + 1 if len(runs) else 0
    say(state, [("rule_run", rule.name, number, run)], now)
    return len(votes)


def _content(state: State) -> str:
    """Return which items there are with which content, as a short digest; in any order."""
    rows = state.items[["item_id", "payload_digest", "source", "attributes"]]
    hashes = pd.util.hash_pandas_object(rows, index=False).to_numpy()
    return f"{len(rows)}/{int(hashes.sum(dtype=np.uint64)):016x}"
