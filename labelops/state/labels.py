"""What follows from all tables: what the votes decide, and what people are still needed for."""

from __future__ import annotations

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
from ..gate.candidate import ADJUDICATED
from ..kinds.choice import renamed
from ..measure.codes import among
from .auditing import AuditView

__all__ = ["State"]

_FOLDS = 5


class State(AuditView):
    """A workspace as it stands, and all that follows from it."""

    @cached_property
    def decided(self) -> tuple[Consensus, pd.DataFrame]:
        """What the votes that count say now, and a label row for each item (not yet stamped)."""
        rules = tuple(sorted(self.rule_versions.items()))
        out = tuple(self.withdrawn)
        rest = (self.distrust, self.tied, self.labeler_version, rules, self.standing, out)
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
    def reviews(self) -> pd.DataFrame:
        """All reviews, of whatever standing, under the present names of their classes."""
        rows = self.votes.loc[self.votes["purpose"] == "review"]
        return rows.assign(value=renamed(rows["value"], self.workspace.schema))

    @cached_property
    def suspicions(self) -> pd.DataFrame:
        """Findings that nobody reviewed, or on which reviewers contradict the label.

        Not where nobody is left to review: there the votes there are decided.
        """
        rows = open_findings(self.findings, self.reviews, self.labels, self.lacking_classes)
        return rows.loc[~rows["item_id"].isin(self.nobody_left)]

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
        open_rows &= ~rows["item_id"].isin(self.nobody_left)
        ids = rows.loc[open_rows, "item_id"].to_numpy(dtype=object)
        votes = self.evidence["item_id"].value_counts().reindex(ids, fill_value=0).to_numpy()
        found: npt.NDArray[np.object_] = ids[votes < self.workspace.policies.route.max_votes]
        return found
