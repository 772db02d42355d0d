"""What follows from proposals: the labeler in force, and what it may be trusted with."""

from __future__ import annotations

import json
from functools import cached_property

import numpy as np
import numpy.typing as npt
import pandas as pd

from ..autolabel.hypotheses import Hypothesis, accepted_items, best, pool_digest, read_hypotheses
from ..measure.adjudication import Adjudication
from ..measure.samples import RandomSample
from ..ports import Usage
from ..tables import probs_matrix
from .votes import VotesView

__all__ = ["ProposalsView"]


class ProposalsView(VotesView):
    """The labeler fitted last, its proposals, and those accepted as labels."""

    @cached_property
    def hypotheses(self) -> list[Hypothesis]:
        """All attempts to accept a labeler, by number."""
        return read_hypotheses(self.latest("hypothesis")["body"])

    @cached_property
    def fits(self) -> pd.DataFrame:
        """Every fit of a labeler in order: subject = version; body = {labeler, items, object}."""
        return self.latest("fit").sort_values("revision", kind="stable").reset_index(drop=True)

    @property
    def usage(self) -> tuple[Usage, ...]:
        """What labelers' answers have cost, one entry a model and prompt, by digest."""
        return tuple(Usage(**json.loads(body)) for body in self.latest("usage")["body"])

    @property
    def labeler_version(self) -> str | None:
        """The version fitted last."""
        return None if self.fits.empty else str(self.fits["subject"].iloc[-1])

    @cached_property
    def current_proposals(self) -> pd.DataFrame:
        """Proposals of the version fitted last, one an item."""
        return self.proposals.loc[self.proposals["labeler_version"] == self.labeler_version]

    @cached_property
    def probs(self) -> npt.NDArray[np.float64] | None:
        """(N, K) current probabilities in `item_ids` order, NaN where none; None without any."""
        rows = self.current_proposals
        rows = rows.loc[rows["probs"].notna()]
        if rows.empty:
            return None
        matrix = np.full((len(self.item_ids), len(self.workspace.schema.classes)), np.nan)
        places = pd.Index(self.item_ids).get_indexer(rows["item_id"])
        known = probs_matrix(rows["probs"], matrix.shape[1])
        matrix[places[places >= 0]] = known[places >= 0]
        return matrix

    @cached_property
    def accepted(self) -> pd.DataFrame:
        """Proposals accepted under the standing hypothesis."""
        standing = best(self.hypotheses)
        pool = (
            []
            if standing is None
            else json.loads(self.workspace.objects.get(f"pools/{standing.tested}.json"))
        )
        # Content that came after the test was not tested.
        revised = self.revised.index[self.revised > self._tested_at]
        rows = self.proposals.loc[~self.proposals["item_id"].isin(revised)]
        return accepted_items(standing, rows, pool)

    @property
    def _tested_at(self) -> pd.Timestamp:
        """When the standing hypothesis was tested."""
        number = "" if self.standing is None else str(self.standing.number)
        rows = self.latest("hypothesis")
        return rows.loc[rows["subject"] == number, "at"].max()

    @property
    def standing(self) -> Hypothesis | None:
        """The hypothesis under which proposals are accepted now."""
        return best(self.hypotheses)

    @cached_property
    def calibration_sample(self) -> RandomSample:
        """The random sample that acceptance is calibrated on; at most a quarter of the items."""
        size = min(self.workspace.policies.route.calibration, len(self.item_ids) // 4)
        return self.workspace.sample("calibrate", self.item_ids, size)

    @cached_property
    def calibration_looks(self) -> Adjudication:
        """The current proposals of the calibration sample, judged by blind votes."""
        values = self.current_proposals.set_index("item_id")["value"]
        values = values.reindex(self.calibration_sample.ids)
        votes = self.current.loc[self.current["purpose"] == "calibrate"]
        return self.looks(self.calibration_sample.ids, values.where(values.notna(), None), votes)

    @cached_property
    def pool(self) -> str:
        """Digest of the ids of all items."""
        return pool_digest(self.item_ids)

    @property
    def acceptance_tried(self) -> bool:
        """Whether the version fitted last was tried on the items there are now."""
        key = f"{self.labeler_version}/{self.pool}"
        return any(h.key == key for h in self.hypotheses)

    @property
    def training_target(self) -> int:
        """Items that people are asked to label before acceptance is tried."""
        rest = len(self.item_ids) - len(self.calibration_sample)
        return min(self.workspace.policies.route.training, max(rest // 2, 1))

    @property
    def training_enough(self) -> float:
        """Labeled items from which acceptance is tried: some of those asked about stay unclear."""
        return 0.9 * self.training_target
