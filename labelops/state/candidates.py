"""What follows from candidates: labels frozen for an audit, and those that failed one."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property

import numpy as np
import numpy.typing as npt
import pandas as pd

from ..digest import digest
from ..gate.candidate import ADJUDICATED, OUTGROWN, Candidate, labels_digest, read_candidates
from ..kinds.choice import codes_of
from ..measure.codes import among
from ..route.again import again_seats
from ..route.plan import Seat
from ..tables import LABELS, newest
from .proposals import ProposalsView

__all__ = ["CandidatesView"]

_HISTORY = replace(LABELS, key=("item_id", "revision"))
"""The labels table with every revision as a row of its own."""


class CandidatesView(ProposalsView):
    """The candidates so far: which labels each froze, what became of it, and what moved since."""

    @cached_property
    def candidates(self) -> list[Candidate]:
        """All release candidates, by number."""
        return read_candidates(self.latest("candidate")["body"])

    @property
    def candidate(self) -> Candidate | None:
        """The candidate under audit, if there is one."""
        return next((c for c in reversed(self.candidates) if not c.closed), None)

    def held_for(self, name: str) -> npt.NDArray[np.object_]:
        """Return the open candidate's items if it was frozen before somebody was said to be gone.

        How its audit confirms labels was chosen for the team there was, and looks that this person
        might have given had begun to be waited for.
        """
        candidate = self.candidate
        if candidate is None or name in self.left_before(candidate):
            return super().held_for(name)
        found: npt.NDArray[np.object_] = self.labels_of(candidate).index.to_numpy(dtype=object)
        return found

    def left_before(self, candidate: Candidate) -> frozenset[str]:
        """Return who was said to have left before any candidate of its order was frozen."""
        order = (frozenset(c.left) for c in self.candidates if c.order == candidate.order)
        return frozenset.intersection(*order)

    @cached_property
    def frozen(self) -> pd.DataFrame:
        """Labels of the open candidate, corrected ones included; none without a candidate."""
        candidate = self.candidate
        decided = self.labels.loc[self.labels["value"].notna()]
        if candidate is None:
            return decided.iloc[:0]
        inside = (decided["revision"] <= candidate.revision) | (decided["method"] == ADJUDICATED)
        # What was withdrawn by then and taken back since, or came late, is the next candidate's.
        out = [*self.out_of(candidate.number), *self.late_of(candidate)]
        return decided.loc[inside & ~decided["item_id"].isin(out)]

    def late_of(self, candidate: Candidate) -> npt.NDArray[np.object_]:
        """Return the items that came too late for a candidate, in id order."""
        known: dict[str, npt.NDArray[np.object_]] = self.workspace.cache.setdefault("late", {})
        if candidate.late and candidate.late not in known:
            kept = json.loads(self.workspace.objects.get(candidate.late))
            known[candidate.late] = np.array(kept["items"], dtype=object)
        return known.get(candidate.late, np.empty(0, dtype=object))

    @property
    def taken_apart(self) -> bool:
        """Whether labels of the open candidate were taken back: their class was split since."""
        if self.candidate is None or not self.splits:
            return False
        # Not what was withdrawn by then, or had no label: nothing of the candidate hangs on it.
        rows = self.labels_of(self.candidate).reset_index()
        return any(split.about(rows).any() for split in self.splits)

    @cached_property
    def released_items(self) -> npt.NDArray[np.object_]:
        """Items of the last release."""
        ids = self.labels_of(self._released[-1]).index if self._released else []
        return np.asarray(ids, dtype=np.object_)

    @property
    def last_release(self) -> pd.Timestamp:
        """When the labels of the last release were frozen; NaT before there is one."""
        return self.frozen_at(self._released[-1]) if self._released else pd.NaT

    @property
    def _released(self) -> list[Candidate]:
        return [c for c in self.candidates if c.closed.startswith("released")]

    def tried_before(self, labels: pd.DataFrame) -> str:
        """Say why labels are no new candidate, in words; empty if they may be one.

        Labels that failed are not tried again as they are, in the hope of a luckier sample: some
        of them must have changed, or the least certain of them been confirmed by others.

        Parameters
        ----------
        labels : frame
            With a value each, as they stand.
        """
        closed = [c for c in self.candidates if c.closed]
        if self.candidate is not None or not closed:
            return ""
        if closed[-1].closed == OUTGROWN or closed[-1].digest != self.labels_digest(labels):
            return ""
        said = f"these labels are those of candidate {closed[-1].number}, {closed[-1].closed}"
        wanted, done = self.wanted_again, len(self.looked_again)
        if not wanted:
            return said
        again = f"{done} of the {wanted} least certain were looked at again"
        return "" if done >= wanted else f"{said}; {again}, and nobody is left for more"

    @property
    def failed(self) -> Candidate | None:
        """The candidate that was closed last, if it failed and nothing was frozen since."""
        last = self.candidates[-1] if self.candidates else None
        return last if last is not None and last.closed.startswith("failed") else None

    @property
    def wanted_again(self) -> int:
        """How many of the least certain labels have to be looked at again; 0 if none failed."""
        if self.failed is None:
            return 0
        # Failed before that was counted: twice as many as the bound would bear wrong ones.
        least = math.ceil(2 * self.workspace.policies.gate.error * self.failed.items)
        return self.failed.looks_again or min(least, self.failed.items)

    @cached_property
    def looked_again(self) -> npt.NDArray[np.object_]:
        """Items of the candidate that failed last that somebody was asked about since, and voted.

        For their label; or in its audit, where nobody was left for both.
        """
        if self.failed is None:
            return np.empty(0, dtype=object)
        closed_at = self._closed_at(self.failed)
        later = self.evidence.loc[self.evidence["given_at"] > closed_at, "item_id"]
        put_up = again_seats(self.plan, closed_at)[["item_id", "round"]]
        later = pd.concat([later, self.outside_audits.merge(put_up)["item_id"]])
        inside = later.isin(self.labels_of(self.failed).index)
        found: npt.NDArray[np.object_] = later.loc[inside].unique()
        return found

    @property
    def needless(self) -> frozenset[Seat]:
        """Also seats put up for somebody new after a failure: labels were frozen again without."""
        rows = again_seats(self.plan)
        if self.failed is not None:
            rows = rows.loc[rows["planned_at"] <= self._closed_at(self.failed)]
        seats = rows[["item_id", "round", "purpose"]].itertuples(index=False, name=None)
        return self.taken_back | frozenset(seats)

    def _closed_at(self, candidate: Candidate) -> pd.Timestamp:
        rows = self.latest("candidate")
        return rows.loc[rows["subject"] == str(candidate.number), "at"].max()

    @property
    def label_history(self) -> pd.DataFrame:
        """Every label there ever was, the earliest first; read once for all candidates."""

        def read() -> pd.DataFrame:
            rows = newest(_HISTORY, self.workspace.tables.read(LABELS.name))
            return rows.sort_values("revision", kind="stable", ignore_index=True)

        return self.kept("label_history", (LABELS.name,), None, read)

    def labels_of(self, candidate: Candidate) -> pd.DataFrame:
        """Return a candidate's labels by item id, as they were before its audit corrected any.

        A correction has no posterior and later votes may decide a label anew: what was frozen
        stands in the label's earlier rows only.
        """
        began, out = self._beginnings[candidate.order], self.out_of(candidate.number)

        def read() -> pd.DataFrame:
            rows = self._uncorrected(began)
            apart = rows["item_id"].isin([*out, *self.late_of(candidate)])
            rows = rows.loc[(rows["revision"] <= candidate.revision) & ~apart]
            rows = rows.drop_duplicates("item_id", keep="last")
            return rows.loc[rows["value"].notna()].set_index("item_id").sort_index()

        key = (candidate.revision, began, candidate.late, *out)
        return self.kept("labels_of", (LABELS.name,), key, read)

    @property
    def withdrawn_since(self) -> int:
        """How many labels of the open candidate were withdrawn since it was frozen."""
        if self.candidate is None:
            return 0
        return int(self.labels_of(self.candidate).index.isin(self.withdrawn_ids).sum())

    def _uncorrected(self, began: int) -> pd.DataFrame:
        """Return all labels but those that an audit corrected which began at a revision."""
        rows = self.label_history
        return rows.loc[~((rows["method"] == ADJUDICATED) & (rows["revision"] > began))]

    @cached_property
    def _beginnings(self) -> dict[str, int]:
        """At which revision the audit of each order began."""
        found: dict[str, int] = {}
        for c in self.candidates:
            found[c.order] = min(c.revision, found.get(c.order, c.revision))
        return found

    def labels_digest(self, labels: pd.DataFrame) -> str:
        """Return the digest of labels in the present schema, by which candidates are compared."""
        return digest(labels_digest(labels) + self.workspace.schema.digest)

    def moved(self, candidate: Candidate) -> bool:
        """Say whether a label frozen in a candidate's order was decided otherwise since.

        Its own corrections apart. Where one was, labels may depend on what the audit showed; and
        old looks say nothing of labels that moved elsewhere. An item whose content was revised is
        another one, whatever its label.
        """
        schema, began = self.workspace.schema, self._beginnings[candidate.order]
        frozen = self._first_frozen(candidate)
        present = self.labels.set_index("item_id").reindex(frozen.index)
        fixed = (present["method"] == ADJUDICATED) & (present["revision"] > began)
        same = codes_of(present["value"], schema) == codes_of(frozen["value"], schema)
        revised = self.revised.reindex(frozen.index) > frozen["since"]
        return not (same | fixed.to_numpy()).all() or bool(revised.any())

    def _first_frozen(self, candidate: Candidate) -> pd.DataFrame:
        """Return the labels of a candidate's order by item, as they were first frozen, and when.

        Of many candidates at once: a label set that is released every hour has thousands.
        """
        order = [c for c in self.candidates if c.order == candidate.order]
        order.sort(key=lambda c: c.revision)
        at = np.array([c.revision for c in order])
        rows = self._uncorrected(self._beginnings[candidate.order])
        rows = rows.loc[~rows["item_id"].isin(self.out_of(min(c.number for c in order)))]
        # A label holds from its revision up to the next; who froze first in there froze it.
        until = rows.groupby("item_id")["revision"].shift(-1, fill_value=np.iinfo(np.int64).max)
        who = self._not_late(order, np.searchsorted(at, rows["revision"].to_numpy()), rows)
        there = np.append(at, np.iinfo(np.int64).max)[who] < until.to_numpy()
        held = there & rows["value"].notna().to_numpy()
        since = pd.Series([self.frozen_at(c) for c in order]).reindex(who[held])
        first = rows.loc[held].assign(since=since.array)
        return first.drop_duplicates("item_id").set_index("item_id")

    def _not_late(
        self, order: Sequence[Candidate], who: npt.NDArray[np.int64], rows: pd.DataFrame
    ) -> npt.NDArray[np.int64]:
        """Say which of the candidates from `who` on was the first that a label's item was in."""
        ids, found = rows["item_id"].to_numpy(dtype=object), who.copy()
        for place, candidate in enumerate(order):
            if candidate.late:
                here = np.flatnonzero(found == place)
                found[here[among(ids[here], self.late_of(candidate))]] = place + 1
        return found

    def frozen_at(self, candidate: Candidate) -> pd.Timestamp:
        """When a candidate was frozen."""
        return self._freezes.loc[str(candidate.number)]

    def came_by(self, candidate: Candidate, item_ids: npt.ArrayLike) -> npt.NDArray[np.bool_]:
        """Say which items had arrived when a candidate was frozen, and not too late for it."""
        ids = np.asarray(item_ids, dtype=object)
        before = self.arrived.reindex(ids) <= self.frozen_at(candidate)
        found: npt.NDArray[np.bool_] = before.to_numpy(dtype=bool)
        return found & ~among(ids, self.late_of(candidate))

    @cached_property
    def _freezes(self) -> pd.Series:
        """When each candidate was frozen, by its number."""
        rows = self.events.loc[self.events["kind"] == "candidate"]
        return rows.groupby("subject")["at"].min()
