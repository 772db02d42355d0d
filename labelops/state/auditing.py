"""What follows from the votes on the candidate under audit: where its audit stands."""

from __future__ import annotations

import json
from functools import cached_property

import numpy as np
import numpy.typing as npt
import pandas as pd

from ..gate.audit_state import AuditState, audit_state
from ..gate.candidate import ADJUDICATED, Candidate, attempt_of
from ..gate.firsts import judge_firsts
from ..gate.policy import WEIGHTED
from ..kinds.choice import codes_of
from ..measure.adjudication import AGREES, NO_VOTE
from ..measure.codes import among
from ..measure.samples import RandomSample, WeightedSample, draw_weighted
from ..measure.weighted import audit_chances
from .candidates import CandidatesView

__all__ = ["AuditView"]


class AuditView(CandidatesView):
    """The random audit of the open candidate: its order, the votes that judge, what they say."""

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
        confirms, ties = self._confirms(candidate), self._may_tie(candidate)
        judged = self._first_values(candidate, values) if candidate.firsts else values
        # No vote decides who looks first: where first votes are audited, and that was chosen for
        # those who stayed, nobody else's look is missing.
        known = candidate.firsts and self.left_before(candidate) >= set(self.departed)
        stuck = self.nobody_left if known else None
        looks = self.looks(order, judged, votes, confirms, stuck=stuck, ties_stand=ties)
        open_ = among(order, split)
        left = ~among(order, frozen.index.to_numpy(dtype=object)) & ~open_
        if candidate.firsts:
            schema = self.workspace.schema
            unaided: npt.NDArray[np.bool_] = np.zeros(len(order), dtype=np.bool_)
            looks, corrected = judge_firsts(
                looks, codes_of(judged, schema), codes_of(values, schema)
            )
            standing = corrected.copy()
        else:
            corrected, standing = self._corrected(candidate, order, values)
            blind = votes.loc[votes["purpose"] == "audit", "item_id"]
            unaided = among(order, self.seen_by_all) & ~among(order, blind) & ~left & ~open_
        return audit_state(
            sample,
            corrected | open_,
            looks,
            self.workspace.policies.gate,
            attempt=attempt_of(candidate, self.candidates),
            confirms=confirms,
            missed=self.missed(candidate),
            standing=standing & ~open_,
            unaided=unaided,
            left=left,
        )

    def _corrected(
        self, candidate: Candidate, order: npt.NDArray[np.object_], values: pd.Series
    ) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.bool_]]:
        """Say which labels the audit corrected, and which of these still stand.

        One that was corrected before a class was added is looked at again, as if it were none.
        """
        frozen = self.frozen.set_index("item_id")
        adjudicated = (frozen["method"] == ADJUDICATED) & (
            frozen["revision"] > self._beginnings[candidate.order]
        )
        corrected = adjudicated.reindex(order, fill_value=False).to_numpy(dtype=np.bool_)
        standing = corrected.copy()
        stands, unsaid = self.corrections_stand(order[corrected], values.loc[corrected])
        standing[corrected] = stands
        corrected[corrected] = ~unsaid
        return corrected, standing

    def _first_values(self, candidate: Candidate, values: pd.Series) -> pd.Series:
        """Return what the first vote on each item said, and the label frozen where there was none.

        Both as they were before the audit, which must not judge by what it found.
        """
        firsts = self.first_votes(self.frozen_at(candidate)).set_index("item_id")["value"]
        frozen = self.labels_of(candidate)["value"].reindex(values.index)
        return firsts.reindex(values.index).fillna(frozen)

    def _may_tie(self, candidate: Candidate) -> bool:
        """Say whether ties stand in the audit of a candidate; the strictest of its order counts."""
        return all(c.ties for c in self.candidates if c.order == candidate.order)

    def missed(self, candidate: Candidate) -> float:
        """Return the chance to confirm a wrong label; the largest of its order counts."""
        return max(c.missed for c in self.candidates if c.order == candidate.order)

    def _confirms(self, candidate: Candidate) -> int:
        """Return by how many votes a label of a candidate must lead to be confirmed."""
        # What was looked at under the stricter rule must not be settled by the looser one.
        return max(c.confirm for c in self.candidates if c.order == candidate.order)

    @cached_property
    def before_classes(self) -> tuple[int, tuple[str, ...]]:
        """How many labels were looked at in vain, before a class was added, and which classes."""
        votes = self.outside_audits
        votes = votes.loc[votes["item_id"].isin(self.frozen["item_id"])]
        unable = votes.loc[votes["schema_digest"].isin(list(self.lacking_classes))]
        lacking = (self.lacking_classes[digest] for digest in unable["schema_digest"].unique())
        missing = set().union(*lacking)
        seen_since = self.able(votes)["item_id"]
        looks = unable.loc[~unable["item_id"].isin(seen_since), "item_id"].nunique()
        return looks, tuple(c for c in self.workspace.schema.classes if c in missing)

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
        if candidate.firsts:
            return self._judging_firsts(candidate)
        votes = self.auditing(self._confirms(candidate))
        frozen = self.labels_of(candidate).index.to_numpy(dtype=object)
        spare = votes["purpose"] != "audit"
        judged = votes.loc[spare & votes["item_id"].isin(self.frozen["item_id"]), "item_id"]
        if judged.empty:
            return votes, none
        split = self.split[self.came_by(candidate, self.split) & ~among(self.split, frozen)]
        return (votes, split) if len(split) < judged.nunique() else (votes.loc[~spare], none)

    def _judging_firsts(self, candidate: Candidate) -> tuple[pd.DataFrame, npt.NDArray[np.object_]]:
        """Return all blind votes but the first on each item, and items that came to no label."""
        until = self.frozen_at(candidate)
        firsts = self.first_votes(until)
        later = self.evidence.loc[~self.evidence["saw_proposal"]]
        later = later.loc[~later["vote_id"].isin(firsts["vote_id"])]
        ids = firsts["item_id"].to_numpy(dtype=object)
        inside = self.labels_of(candidate).index.union(self.frozen["item_id"])
        before = self.came_by(candidate, ids)
        votes = self.able(pd.concat([self.outside_audits, later]))
        # Nobody contradicted these before they were withdrawn.
        had = firsts.loc[firsts["item_id"].isin(self.withdrawn_labels.index)]
        looks = self.looks(had["item_id"], had["value"], votes, stuck=())
        calm = had["item_id"].to_numpy(dtype=object)[np.isin(looks.status, (NO_VOTE, AGREES))]
        inside = inside.union(calm)
        return votes, ids[before & ~among(ids, inside.to_numpy(dtype=object))]

    @cached_property
    def split(self) -> npt.NDArray[np.object_]:
        """Items that everybody has looked at and that have no label all the same.

        Those that had one before they were withdrawn are among them unless people confirm it: to
        withdraw what the votes beyond two refute leaves only what they confirm.
        """
        rows = self.labels.loc[self.labels["value"].isna(), "item_id"]
        had = self.withdrawn_labels
        looks = self.looks(had.index, had, self.audit_votes, stuck=had.index)
        rows = rows.loc[~rows.isin(had.index[looks.status == AGREES])]
        found: npt.NDArray[np.object_] = self.all_looked[among(self.all_looked, rows)]
        return found

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
