"""What is read: a workspace's tables, newest revisions only."""

from __future__ import annotations

import json
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt
import pandas as pd

from ..route.plan import Seat
from ..tables import PLAN, VOTES, empty
from .lacking import Refusal, Unasked, refused_rows, still_away
from .splits import Split
from .withdrawn import Withdrawal, out_when_frozen, read_withdrawals
from .workspace import Workspace

__all__ = [
    "HASTE",
    "NO_VOTES",
    "OFFERED_AT",
    "RULES",
    "Event",
    "Rows",
    "last_body",
    "refusals_of",
    "rule_vote_id",
]

T = TypeVar("T")

Event = tuple[str, str, int, str | Mapping[str, object]]
"""Kind, subject, revision, and body: JSON text, or what is to be written so."""

RULES = "rules"
"""The `queue` of votes that this workspace's own rules gave."""

HASTE = "haste"
"""Cause of a flag that answers quicker than a look gave, and nothing else."""


def refusals_of(events: pd.DataFrame, version: str) -> dict[str, str]:
    """Return why items were refused by a labeler's version, by id, from its newest event.

    Examples
    --------
    >>> said = pd.DataFrame({"subject": ["v1"], "body": ['{"reasons":{"too long":["a","b"]}}']})
    >>> refusals_of(said, "v1"), refusals_of(said, "v2")
    ({'a': 'too long', 'b': 'too long'}, {})
    """
    bodies = events.loc[events["subject"] == version, "body"]
    reasons = {} if bodies.empty else json.loads(bodies.iloc[-1])["reasons"]
    return {item: why for why, items in reasons.items() for item in items}


OFFERED_AT = " at "
"""In the subject of `sent`, between a queue's name and its place, where it has one."""

NO_VOTES = f"{0:016x}"
"""The `votes_digest` of an empty table."""


def rule_vote_id(rule: str, version: str, item_id: str = "", payload_digest: str = "") -> str:
    """Return the id of a rule's vote: one for each version of the rule and of the content.

    Without an item it is what the ids of all votes of that version begin with.

    Examples
    --------
    >>> rule_vote_id("rule:card", "0f3a" * 16, "mail-7", "9b" * 32)
    'rule:card/0f3a0f3a0f3a/mail-7/9b9b9b9b9b9b'
    """
    begin = f"{rule}/{version[:12]}/"
    return f"{begin}{item_id}/{payload_digest[:12]}" if item_id else begin


@dataclass(frozen=True)
class Rows:
    """The tables of a workspace, newest revisions only.

    Parameters
    ----------
    workspace : Workspace
    items, votes, plan, proposals, labels, findings, events : frames
        `votes` are people's: whatever counts, asks, compares or audits people sees no others.
    machine_votes : frame
        Votes of rules and models, those of earlier versions of a rule as well.
    arrived : series
        When each item's present content came, by item id, in the order of `items`: neither a new
        licence nor another group is an arrival.
    revised : series
        The same of the items whose content was revised.
    outdated : frame
        Rows of the plan that asked about an item's earlier content; `plan` has all others. What
        was answered to them is among no votes, however late it came.
    left_out : frame
        Votes that people gave and that count no more: about earlier content, or of a class before
        it was split. They were paid all the same.
    splits : tuple of Split
        Classes that others were cut out of. What was said of their items before is left out.
    taken_back : frozenset of Seat
        Seats whose votes were left out so.
    versions : mapping of table to int
        Which state of the tables these are; empty if nobody asked.
    withdrawn_labels : series
        The labels that withdrawn items had, by item id; in `labels` they have none.
    """

    workspace: Workspace
    items: pd.DataFrame
    votes: pd.DataFrame
    plan: pd.DataFrame
    proposals: pd.DataFrame
    labels: pd.DataFrame
    findings: pd.DataFrame
    events: pd.DataFrame
    machine_votes: pd.DataFrame = field(default_factory=lambda: empty(VOTES))
    arrived: pd.Series = field(default_factory=lambda: pd.Series(dtype="datetime64[us, UTC]"))
    revised: pd.Series = field(default_factory=lambda: pd.Series(dtype="datetime64[us, UTC]"))
    outdated: pd.DataFrame = field(default_factory=lambda: empty(PLAN))
    left_out: pd.DataFrame = field(default_factory=lambda: empty(VOTES))
    splits: tuple[Split, ...] = ()
    taken_back: frozenset[Seat] = frozenset()
    versions: Mapping[str, int] = field(default_factory=dict)
    withdrawn_labels: pd.Series = field(default_factory=lambda: pd.Series(dtype=object))

    @cached_property
    def last_round(self) -> int:
        """The number of the last round that was planned, 0 before any."""
        rounds = [rows["round"].max() for rows in (self.plan, self.outdated) if len(rows)]
        return int(max(rounds, default=0))

    @cached_property
    def asked(self) -> int:
        """How many votes were ever asked for, those about earlier content too."""
        return int(self.plan["annotators"].sum() + self.outdated["annotators"].sum())

    @cached_property
    def paid(self) -> pd.DataFrame:
        """All votes that people ever gave, skipped or deleted, those that count no more too."""
        if self.left_out.empty:
            return self.votes
        return pd.concat([self.votes, self.left_out], ignore_index=True)

    def kept(self, name: str, tables: Sequence[str], rest: Hashable, make: Callable[[], T]) -> T:
        """Return what `make` returns, or what it returned before from the same.

        A run goes through many states of a workspace, and most of them differ in one table.

        Parameters
        ----------
        name : str
            What is made.
        tables : sequence of str
            Tables it is made from.
        rest : hashable
            All else that it is made from.
        make : callable
        """
        if not self.versions.keys() >= set(tables):
            return make()
        key = (tuple(self.versions[table] for table in tables), rest)
        before = self.workspace.cache.get(f"kept/{name}")
        if before is None or before[0] != key:
            before = (key, make())
            self.workspace.cache[f"kept/{name}"] = before
        found: T = before[1]
        return found

    def latest(self, kind: str) -> pd.DataFrame:
        """Return the newest event of each subject of one kind, by subject; nobody may change it."""
        rows, by_kind = self._current_events
        if kind not in by_kind:
            by_kind[kind] = rows.loc[(rows["kind"] == kind).to_numpy()].reset_index(drop=True)
        return by_kind[kind]

    @cached_property
    def _current_events(self) -> tuple[pd.DataFrame, dict[str, pd.DataFrame]]:
        """The newest event of each subject of every kind, and the kinds that were asked for."""
        # States that differ in another table hold the very same frame of events.
        before = self.workspace.cache.get("current events")
        if before is None or before[0] is not self.events:
            rows = self.events.sort_values(["kind", "subject", "revision"], kind="stable")
            before = self.events, (rows.drop_duplicates(["kind", "subject"], keep="last"), {})
            self.workspace.cache["current events"] = before
        found: tuple[pd.DataFrame, dict[str, pd.DataFrame]] = before[1]
        return found

    def next_event(self, kind: str, subject: str, body: str | Mapping[str, object]) -> Event:
        """Return the event that says how a subject stands now: one revision more."""
        rows = self.latest(kind).set_index("subject")["revision"]
        return kind, subject, int(rows.get(subject, -1)) + 1, body

    @cached_property
    def item_ids(self) -> npt.NDArray[np.object_]:
        """All items' ids, sorted."""
        ids: npt.NDArray[np.object_] = self.items["item_id"].to_numpy(dtype=object)
        return ids

    @cached_property
    def _withdrawals(self) -> tuple[Withdrawal, ...]:
        return read_withdrawals(self.events)

    @cached_property
    def withdrawn(self) -> dict[str, Withdrawal]:
        """Items that were taken out of the label set, by id.

        They are no items to be labeled, proposed for or released; what people said of them stays
        evidence of people and models.
        """
        return out_when_frozen(self._withdrawals)

    @cached_property
    def withdrawn_ids(self) -> npt.NDArray[np.object_]:
        """The ids of the items that were withdrawn."""
        return np.array(sorted(self.withdrawn), dtype=object)

    def out_of(self, number: int) -> npt.NDArray[np.object_]:
        """Return the items that were withdrawn when the candidate of a number was frozen."""
        return np.array(sorted(out_when_frozen(self._withdrawals, number)), dtype=object)

    @cached_property
    def present_items(self) -> pd.DataFrame:
        """All items that were not withdrawn."""
        if not self.withdrawn:
            return self.items
        there = ~self.items["item_id"].isin(self.withdrawn_ids)
        return self.items.loc[there].reset_index(drop=True)

    @cached_property
    def votes_digest(self) -> str:
        """Which votes there are that may count, in which revision; the same in any order."""
        total = 0
        for votes in (self.votes, self.voices):
            rows = pd.util.hash_pandas_object(votes[["vote_id", "revision"]], index=False)
            # A sum within an array wraps in silence; one of two numpy numbers warns.
            total += int(rows.to_numpy().sum(dtype=np.uint64))
        return f"{total % 2**64:016x}"

    @cached_property
    def last_consolidated(self) -> tuple[int, str]:
        """How often labels were decided, and the digest of the votes they rest on."""
        rows = self.latest("consolidated")
        if rows.empty:
            return 0, NO_VOTES
        return int(rows["revision"].iloc[-1]), str(last_body(rows)["votes"])

    @property
    def votes_came(self) -> bool:
        """Whether votes came that labels were not decided from yet."""
        return self.last_consolidated[1] != self.votes_digest

    @cached_property
    def rule_versions(self) -> dict[str, str]:
        """Rule → the version in force; a rule that was taken out has none."""
        rows = self.latest("rule")
        said = {
            s: json.loads(b)["version"] for s, b in zip(rows["subject"], rows["body"], strict=True)
        }
        return {rule: version for rule, version in said.items() if version}

    @cached_property
    def voices(self) -> pd.DataFrame:
        """The votes of models, and of each rule in the version in force."""
        rows = self.machine_votes
        ours = (rows["queue"] == RULES).to_numpy()
        counts = ~ours
        for rule, version in self.rule_versions.items():
            mine = np.flatnonzero(ours & (rows["annotator"] == rule).to_numpy())
            counts[mine] = rows["vote_id"].iloc[mine].str.startswith(rule_vote_id(rule, version))
        return rows.loc[counts].reset_index(drop=True)

    @cached_property
    def _flags(self) -> dict[str, dict[str, str]]:
        """What is held against annotators, and what cleared them: name → how it stands now."""
        rows = self.latest("annotator_flagged")
        return {s: json.loads(b) for s, b in zip(rows["subject"], rows["body"], strict=True)}

    @cached_property
    def flagged(self) -> tuple[str, ...]:
        """Annotators whose votes no longer count."""
        return tuple(sorted(name for name, body in self._flags.items() if "cleared" not in body))

    @cached_property
    def cleared(self) -> tuple[str, ...]:
        """Annotators who were flagged for haste, and shown to be right since: they count again."""
        return tuple(sorted(name for name, body in self._flags.items() if "cleared" in body))

    @cached_property
    def flag_reasons(self) -> dict[str, str]:
        """Why each flagged annotator is."""
        return {name: self._flags[name]["reason"] for name in self.flagged}

    @cached_property
    def hasty(self) -> tuple[str, ...]:
        """Who is flagged for haste alone, which ends when they are shown to be right."""
        return tuple(name for name in self.flagged if self._flags[name].get("cause") == HASTE)

    @cached_property
    def good_until(self) -> dict[str, pd.Timestamp]:
        """Flagged annotators who were good at first → until when their votes count."""
        said = {name: self._flags[name].get("since") for name in self.flagged}
        return {name: pd.Timestamp(since) for name, since in said.items() if since}

    @cached_property
    def tied(self) -> tuple[tuple[str, ...], ...]:
        """Groups of annotators who copy each other: each group is one voice."""
        groups: list[set[str]] = []
        for body in self.latest("annotators_tied")["body"]:
            group = set(json.loads(body)["annotators"])
            rest = [g for g in groups if not g & group]
            groups = [*rest, group.union(*(g for g in groups if g & group))]
        return tuple(sorted(tuple(sorted(group)) for group in groups))

    @property
    def unasked(self) -> Unasked | None:
        """Why the labeler could not be asked; None where it could, or did not have to be."""
        return still_away(self.latest("unasked"))

    @property
    def by_doubt(self) -> Unasked | None:
        """Why the order `diverse` could not be had for the last plan; None where it could."""
        return still_away(self.latest("by_doubt"))

    @property
    def refusals(self) -> dict[str, Refusal]:
        """What was refused of each source when it was read last; without those read in full."""
        return refused_rows(self.latest("intake"))

    @cached_property
    def gold(self) -> dict[str, str]:
        """Item id → the answer its owner knows, unless it was taken back."""
        rows = self.latest("gold")
        said = zip(rows["subject"], map(json.loads, rows["body"]), strict=True)
        return {item: body["value"] for item, body in said if body["value"] is not None}


def last_body(rows: pd.DataFrame) -> Any:
    """Return the body of the last of these events, read from its JSON text."""
    return json.loads(rows["body"].iloc[-1])
