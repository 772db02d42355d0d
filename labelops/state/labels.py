"""What follows from all tables: labels as they stand, and the candidate under audit."""

from __future__ import annotations

import json
import math
from datetime import UTC, datetime
from functools import cached_property

import numpy as np
import numpy.typing as npt
import pandas as pd

from ..audit.findings import open_findings
from ..autolabel.policy import AUDITED
from ..consolidate.labels import label_rows
from ..consolidate.opinions import Voices
from ..consolidate.votes import Consensus, consolidate_votes
from ..digest import digest
from ..gate.candidate import (
    ADJUDICATED,
    AuditState,
    Candidate,
    attempt_of,
    audit_state,
    labels_digest,
    read_candidates,
)
from ..gate.policy import WEIGHTED
from ..kinds.choice import codes_of
from ..measure.codes import among
from ..measure.samples import RandomSample, WeightedSample, draw_weighted
from ..measure.weighted import audit_chances
from ..route.needs import again_seats
from ..route.plan import Seat
from ..tables import LABELS, newest
from .proposals import ProposalsView

__all__ = ["State"]

_FOLDS = 5


class State(ProposalsView):
    """A workspace as it stands, and all that follows from it."""

    @cached_property
    def candidates(self) -> list[Candidate]:
        """All release candidates, by number."""
        return read_candidates(self.latest("candidate")["body"])

    @property
    def candidate(self) -> Candidate | None:
        """The candidate under audit, if there is one."""
        return next((c for c in reversed(self.candidates) if not c.closed), None)

    @cached_property
    def frozen(self) -> pd.DataFrame:
        """Labels of the open candidate, corrected ones included; none without a candidate."""
        candidate = self.candidate
        decided = self.labels.loc[self.labels["value"].notna()]
        if candidate is None:
            return decided.iloc[:0]
        inside = (decided["revision"] <= candidate.revision) | (decided["method"] == ADJUDICATED)
        return decided.loc[inside]

    @property
    def judged_already(self) -> str:
        """Why the labels as they stand are no new candidate, in words; empty if they may be one.

        Labels that failed are not tried again as they are, in the hope of a luckier sample: some
        of them must have changed, or the least certain of them been confirmed by others.
        """
        closed = [c for c in self.candidates if c.closed]
        labels = self.labels.loc[self.labels["value"].notna()]
        if self.candidate is not None or not closed:
            return ""
        if closed[-1].digest != self.labels_digest(labels):
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
        """Seats put up for somebody new after a failure: labels were frozen again without."""
        rows = again_seats(self.plan)
        if self.failed is not None:
            rows = rows.loc[rows["planned_at"] <= self._closed_at(self.failed)]
        return frozenset(rows[["item_id", "round", "purpose"]].itertuples(index=False, name=None))

    def _closed_at(self, candidate: Candidate) -> pd.Timestamp:
        rows = self.latest("candidate")
        return rows.loc[rows["subject"] == str(candidate.number), "at"].max()

    def labels_of(self, candidate: Candidate) -> pd.DataFrame:
        """Return a candidate's labels by item id, as they were before its audit corrected any.

        A correction has no posterior and later votes may decide a label anew: what was frozen
        stands in the label's earlier rows only.
        """
        began = self._began(candidate)

        def read() -> pd.DataFrame:
            rows = self.workspace.tables.read(LABELS.name)
            since = (rows["method"] == ADJUDICATED) & (rows["revision"] > began)
            rows = newest(LABELS, rows.loc[(rows["revision"] <= candidate.revision) & ~since])
            return rows.loc[rows["value"].notna()].set_index("item_id")

        return self.kept("labels_of", (LABELS.name,), (candidate.revision, began), read)

    def _began(self, candidate: Candidate) -> int:
        """Return the revision at which the audit of a candidate's order began."""
        return min(c.revision for c in self.candidates if c.order == candidate.order)

    def labels_digest(self, labels: pd.DataFrame) -> str:
        """Return the digest of labels in the present schema, by which candidates are compared."""
        return digest(labels_digest(labels) + self.workspace.schema.digest)

    @cached_property
    def audit(self) -> AuditState | None:
        """Where the audit of the open candidate stands; None without one."""
        candidate, frozen = self.candidate, self.frozen.set_index("item_id")
        if candidate is None:
            return None
        # All that was frozen, also what left the set since: without the items whose content was
        # mended because they were found wrong, the others' looks would say too much.
        votes, split = self.judging
        ids = self.labels_of(candidate).index.union(frozen.index).union(split)
        sample = self.audit_order(candidate, ids.to_numpy(dtype=object))
        order, values = sample.ids, frozen["value"].reindex(sample.ids)
        confirms = self._confirms(candidate)
        looks = self.looks(order, values, votes, confirms)
        adjudicated = (frozen["method"] == ADJUDICATED) & (
            frozen["revision"] > self._began(candidate)
        )
        corrected = adjudicated.reindex(order, fill_value=False).to_numpy(dtype=np.bool_)
        standing = corrected.copy()
        standing[corrected] = self.corrections_stand(order[corrected], values.loc[corrected])
        blind = votes.loc[votes["purpose"] == "audit", "item_id"]
        open_ = among(order, split)
        left = ~among(order, frozen.index.to_numpy(dtype=object)) & ~open_
        return audit_state(
            sample,
            corrected | open_,
            looks,
            self.workspace.policies.gate,
            attempt=attempt_of(candidate, self.candidates),
            confirms=confirms,
            standing=standing,
            unaided=among(order, self.seen_by_all) & ~among(order, blind) & ~left & ~open_,
            left=left,
        )

    def _confirms(self, candidate: Candidate) -> int:
        """Return by how many votes a label of a candidate must lead to be confirmed."""
        # What was looked at under the stricter rule must not be settled by the looser one.
        return max(c.confirm for c in self.candidates if c.order == candidate.order)

    @cached_property
    def judging(self) -> tuple[pd.DataFrame, npt.NDArray[np.object_]]:
        """The votes that judge the open candidate, and items that count as errors because of them.

        Where everybody looked, a vote beyond two may have been what the label waited for: had it
        said otherwise, the item would have none and would not be in the set. Judged by such votes
        alone, no label is ever wrong. So the items that everybody looked at and that have no label
        count among the looks, as errors that stay. Where they are more than the labels so judged,
        these have no audit at all.
        """
        none, candidate = np.empty(0, dtype=object), self.candidate
        if candidate is None:
            return self.audit_votes, none
        votes = self.auditing(self._confirms(candidate))
        frozen = self.labels_of(candidate).index.to_numpy(dtype=object)
        spare = votes["purpose"] != "audit"
        judged = votes.loc[spare & votes["item_id"].isin(self.frozen["item_id"]), "item_id"]
        if judged.empty:
            return votes, none
        before = self.arrived.reindex(self.split) <= self.frozen_at(candidate)
        split = self.split[before.to_numpy(dtype=bool) & ~among(self.split, frozen)]
        return (votes, split) if len(split) < judged.nunique() else (votes.loc[~spare], none)

    @cached_property
    def split(self) -> npt.NDArray[np.object_]:
        """Items that everybody has looked at and that have no label all the same."""
        rows = self.labels.loc[self.labels["value"].isna(), "item_id"]
        found: npt.NDArray[np.object_] = self.seen_by_all[among(self.seen_by_all, rows)]
        return found

    def moved(self, candidate: Candidate) -> bool:
        """Say whether a label frozen in a candidate's order was decided otherwise since.

        Its own corrections apart. Where one was, labels may depend on what the audit showed; and
        old looks say nothing of labels that moved elsewhere. An item whose content was revised is
        another one, whatever its label.
        """
        schema, began = self.workspace.schema, self._began(candidate)
        now = self.labels.set_index("item_id")
        seen = set[str]()
        for c in (c for c in self.candidates if c.order == candidate.order):
            frozen = self.labels_of(c)
            frozen = frozen.loc[~frozen.index.isin(seen)]
            seen.update(frozen.index)
            present = now.reindex(frozen.index)
            fixed = (present["method"] == ADJUDICATED) & (present["revision"] > began)
            same = codes_of(present["value"], schema) == codes_of(frozen["value"], schema)
            revised = self.revised.reindex(frozen.index) > self.frozen_at(c)
            if not (same | fixed.to_numpy()).all() or revised.any():
                return True
        return False

    def frozen_at(self, candidate: Candidate) -> pd.Timestamp:
        """When a candidate was frozen."""
        rows = self.events.loc[self.events["kind"] == "candidate"]
        return rows.loc[rows["subject"] == str(candidate.number), "at"].min()

    def audit_order(
        self, candidate: Candidate, ids: npt.NDArray[np.object_]
    ) -> RandomSample | WeightedSample:
        """Draw the candidate's labels in the order in which its audit looks at them."""
        if candidate.audit != WEIGHTED:
            return self.workspace.sample(candidate.order, ids)
        kept = json.loads(self.workspace.objects.get(candidate.doubts))
        doubt = pd.Series(kept["doubts"], index=kept["items"], dtype=np.float64)
        chances = audit_chances(doubt.reindex(ids).fillna(0.0).to_numpy())
        return draw_weighted(self.workspace.key, candidate.order, ids, chances)

    @cached_property
    def decided(self) -> tuple[Consensus, pd.DataFrame]:
        """What the votes that count say now, and a label row for each item (not yet stamped)."""
        rules = tuple(sorted(self.rule_versions.items()))
        rest = (self.distrust, self.tied, self.labeler_version, rules, self.standing)
        return self.kept("decided", ("items", "votes", "proposals"), rest, self._decide)

    def _decide(self) -> tuple[Consensus, pd.DataFrame]:
        workspace = self.workspace
        policy = workspace.policies.consolidate
        voices = None
        if len(self.heard):
            draws = workspace.draws("voices", self.items["group"])
            voices = Voices(self.heard, np.floor(_FOLDS * draws).astype(np.int64))
        consensus = consolidate_votes(
            self.item_ids, self.evidence, workspace.schema, policy, self.probs, voices,
            self.random_seed, workspace.policies.accept.min_posterior,
        )  # fmt: skip
        never = datetime.min.replace(tzinfo=UTC)
        rows = label_rows(consensus, self.accepted, workspace.schema, revision=0, now=never)
        return consensus, rows

    @property
    def random_seed(self) -> npt.NDArray[np.bool_] | None:
        """Say which items people were asked to label before any model was; None where nobody asks.

        As the plan has it: until the first fit there ever was, items are asked about as they were
        drawn, and no model has a say in which. Of those that came or were asked about later, only
        what a model was unsure of has votes. Nothing of the calibration sample is among them, which
        is drawn by itself, and nothing that has other content by now.
        """
        fits = self.events.loc[self.events["kind"] == "fit", "at"]
        if self.workspace.policies.accept.rule != AUDITED or fits.empty:
            return None
        rows = self.plan.loc[self.plan["purpose"] == "label"]
        # No proposal either: a plan may be dated before the fit that it waited for.
        rows = rows.loc[(rows["planned_at"] < fits.min()) & rows["labeler_version"].isna()]
        asked = among(self.item_ids, rows["item_id"].to_numpy(dtype=object))
        return asked & ~among(self.item_ids, self.calibration_stream.ids)

    @cached_property
    def suspicions(self) -> pd.DataFrame:
        """Findings that nobody reviewed, or on which reviewers contradict the label.

        Not where nobody is left to review: there the votes there are decided.
        """
        rows = open_findings(self.findings, self.votes, self.labels)
        return rows.loc[~rows["item_id"].isin(self.seen_by_all)]

    @cached_property
    def undecided(self) -> npt.NDArray[np.object_]:
        """Items without a label that people may still give one, in id order.

        What an audit corrected has its label: votes do not decide it anew. So has what was decided
        under other class names, until the labeler has proposed under these: nothing speaks against
        it but that the model's part in it is missing.
        """
        rows, labels = self.decided[1], self.labels
        stands = labels["method"] == ADJUDICATED
        if self.labeler_version is not None and self.current_proposals.empty:
            earlier = labels["schema_digest"] != self.workspace.schema.digest
            stands |= earlier & labels["value"].notna()
        fixed = pd.concat([self.frozen["item_id"], labels.loc[stands, "item_id"]])
        open_rows = rows["value"].isna() & ~rows["item_id"].isin(fixed)
        open_rows &= ~rows["item_id"].isin(self.seen_by_all)
        ids = rows.loc[open_rows, "item_id"].to_numpy(dtype=object)
        votes = self.evidence["item_id"].value_counts().reindex(ids, fill_value=0).to_numpy()
        found: npt.NDArray[np.object_] = ids[votes < self.workspace.policies.route.max_votes]
        return found
