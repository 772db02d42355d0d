"""What follows from proposals: the labeler in force, and what it may be trusted with."""

from __future__ import annotations

import json
from functools import cached_property

import numpy as np
import numpy.typing as npt
import pandas as pd

from ..autolabel.hypotheses import (
    VOTES,
    Hypothesis,
    accepted_items,
    pool_digest,
    read_hypotheses,
    standing,
)
from ..autolabel.policy import AUDITED, FIXED
from ..gate.candidate import ADJUDICATED
from ..measure.adjudication import Adjudication
from ..ports import Usage
from ..tables import probs_matrix
from .calibration import CalibrationView
from .rows import Event, last_body, refusals_of

__all__ = ["ProposalsView"]


class ProposalsView(CalibrationView):
    """The labeler fitted last, its proposals, and those accepted as labels."""

    @cached_property
    def hypotheses(self) -> list[Hypothesis]:
        """All attempts to accept a labeler, by number."""
        return read_hypotheses(self.latest("hypothesis")["body"])

    @cached_property
    def fits(self) -> pd.DataFrame:
        """Every fit of a labeler in order: subject = version; body = {labeler, items, …}."""
        return self.latest("fit").sort_values("revision", kind="stable").reset_index(drop=True)

    @property
    def usage(self) -> tuple[Usage, ...]:
        """What labelers' answers have cost, one entry a model and prompt, by digest."""
        return tuple(Usage(**json.loads(body)) for body in self.latest("usage")["body"])

    @cached_property
    def refused(self) -> dict[str, str]:
        """Why the model of the version fitted last refused an item, by id; people label those."""
        rows = self.current_proposals
        without = set(rows.loc[rows["value"].isna(), "item_id"])
        found = refusals_of(self.latest("refused"), self.labeler_version or "")
        return {item: why for item, why in found.items() if item in without}

    @property
    def labeler_version(self) -> str | None:
        """The version fitted last."""
        return None if self.fits.empty else str(self.fits["subject"].iloc[-1])

    @property
    def earlier_labels(self) -> tuple[str, ...]:
        """Columns of items' attributes with labels from before, which it has learned from."""
        return () if self.fits.empty else tuple(last_body(self.fits).get("earlier_labels", ()))

    @property
    def planned_looks(self) -> int:
        """Calibration looks that the version fitted last is planned for, fixed before any at it.

        As many as there were to be when it was fitted. Where the stream has changed, as many as
        were planned at the alarm, before anything that comes after it was looked at; or as many
        of these as there were to be when a version was fitted since.
        """
        fitted = {} if self.fits.empty else last_body(self.fits)
        mine = fitted.get("since", "") == self.stream_since
        planned = int(fitted.get("calibration", 0)) if mine else 0
        return max(planned, int(self._last_alarm.get("planned", 0)))

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
        """Proposals accepted under the standing hypotheses.

        With the number of the `hypothesis` and, in words, what each label `stands_as`.
        """
        parts = [
            self.accepted_by(h).assign(hypothesis=h.number, stands_as=h.stands_as)
            for h in self.standing
        ]
        if not parts:
            none = self.proposals.iloc[:0]
            return none.assign(hypothesis=pd.Series(dtype=np.int64), stands_as="")
        rows = pd.concat(parts).drop_duplicates("item_id")
        gone = [*self._found_wrong(rows), *self.withdrawn]
        return rows.loc[~rows["item_id"].isin(gone)]

    def _found_wrong(self, rows: pd.DataFrame) -> npt.NDArray[np.object_]:
        """Return the items whose proposal blind auditors refuted, and nobody has corrected yet."""
        corrected = self.labels.loc[self.labels["method"] == ADJUDICATED, "item_id"]
        seen = rows.loc[rows["item_id"].isin(self.outside_audits["item_id"])]
        seen = seen.loc[~seen["item_id"].isin(corrected)]
        ids = seen["item_id"].to_numpy(dtype=object)
        votes = self.weighed(ids, seen["value"], self.outside_audits)
        looks = self.looks(ids, seen["value"], votes)
        wrong: npt.NDArray[np.object_] = ids[looks.refuted]
        return wrong

    def accepted_by(self, hypothesis: Hypothesis) -> pd.DataFrame:
        """Return the proposals that one hypothesis accepts."""
        # Content that came after the test was not tested.
        revised = self.revised.index[self.revised > self.looked_at(hypothesis)]
        rows = self.proposals.loc[~self.proposals["item_id"].isin(revised)]
        rows = rows.loc[self.spoken_of(hypothesis, rows["item_id"])]
        if hypothesis.audited:
            stood = self._stood(hypothesis)
            rows = rows.assign(confidence=rows["item_id"].map(stood).astype(np.float64))
        return accepted_items(hypothesis, rows, self.tested_items(hypothesis))

    def tested_items(self, hypothesis: Hypothesis) -> list[str]:
        """Return the items that had a proposal when a hypothesis was looked at last."""
        return self._ids_kept(f"pools/{hypothesis.tested}.json")

    def _stood(self, hypothesis: Hypothesis) -> dict[str, float]:
        """Return the posterior of each item that a hypothesis of the rule `audited` accepted."""
        kept: dict[str, float] = self._kept_object(hypothesis.stood) if hypothesis.stood else {}
        return kept

    def spoken_of(self, hypothesis: Hypothesis, item_ids: npt.ArrayLike) -> npt.NDArray[np.bool_]:
        """Say which items arrived in the time that a hypothesis speaks of."""
        when = self.arrived.reindex(np.asarray(item_ids, dtype=object))
        inside = np.ones(len(when), dtype=np.bool_)
        if hypothesis.since:
            inside &= (when > pd.Timestamp(hypothesis.since)).to_numpy()
        if hypothesis.until:
            inside &= (when <= pd.Timestamp(hypothesis.until)).to_numpy()
        return inside

    def looked_at(self, hypothesis: Hypothesis) -> pd.Timestamp:
        """When a hypothesis was tested last."""
        if hypothesis.looked_at:
            return pd.Timestamp(hypothesis.looked_at)
        rows = self.events.loc[self.events["kind"] == "hypothesis"]
        return rows.loc[rows["subject"] == str(hypothesis.number), "at"].min()

    @property
    def standing(self) -> tuple[Hypothesis, ...]:
        """The hypotheses under which proposals are accepted now: no item under two of them."""
        return standing(self.hypotheses)

    def hypothesis_event(self, hypothesis: Hypothesis) -> Event:
        """Return the event that says how a hypothesis stands now: one revision more."""
        return self.next_event("hypothesis", str(hypothesis.number), hypothesis.to_body())

    @cached_property
    def calibration_looks(self) -> Adjudication:
        """The current proposals of the calibration stream, judged by blind votes."""
        return self.judged(self.calibration_stream.ids, self.labeler_version)

    def judged(self, item_ids: npt.NDArray[np.object_], version: str | None) -> Adjudication:
        """Judge a labeler version's proposals by blind calibration votes."""
        rows = self.proposals.loc[self.proposals["labeler_version"] == version]
        values = rows.set_index("item_id")["value"].reindex(item_ids)
        votes = self.able(self.current.loc[self.current["purpose"] == "calibrate"])
        return self.looks(item_ids, values.where(values.notna(), None), votes)

    @cached_property
    def pool(self) -> str:
        """Digest of the ids of all items."""
        return pool_digest(self.item_ids)

    @property
    def acceptance_tried(self) -> bool:
        """Whether the version fitted last was tried on the items there are now.

        What was closed for want of votes may be looked at again, and what was closed for other
        settings, another schema or drift is another question now. An e-process that has not read
        all of a larger sample may go on, and one on a changed stream begins with what comes. What
        promises more than is asked for now stands, and what is asked for is tried beside it. A
        version that people found wrong is not tried again: another one has to be fitted.
        """
        policy = self.workspace.policies.accept
        key, since = f"{self.labeler_version}/{self.pool}", self.stream_since
        if since and not len(self.stream_now):
            # Nothing came since the stream changed: nobody waits for a test that cannot begin.
            return True
        unread = len(self.calibration_stream) > len(self.stream_read)
        return any(
            (h.key == key and not h.closed and h.asks(policy) and (h.test == FIXED or not unread))
            or (h.refuted and h.labeler_version == self.labeler_version)
            for h in self.hypotheses
        )

    @property
    def resumable(self) -> Hypothesis | None:
        """The hypothesis about the version fitted last that may be looked at again, if any."""
        policy, key = self.workspace.policies.accept, f"{self.labeler_version}/{self.pool}"
        for h in reversed(self.hypotheses):
            mine = h.labeler_version == self.labeler_version and h.asks(policy)
            open_ = not h.closed or h.cause == VOTES
            same = h.key == key if h.test == FIXED else h.since == self.stream_since
            if mine and open_ and same:
                return h
        return None

    @property
    def to_be_tried(self) -> bool:
        """Whether the version fitted last is one to try acceptance with.

        The first one has learned from the seed alone, and gives way as soon as people have labeled
        what it is unsure of: nobody is asked to settle whether its proposals are right.
        Under the rule `audited` nothing is tried: the random sample, if one is named, is the drift
        watch's alone.
        """
        if self.workspace.policies.accept.rule == AUDITED:
            return False
        if self.fits.empty or self.hypotheses:
            return not self.fits.empty
        return bool(last_body(self.fits)["items"] >= self.training_enough)

    @property
    def training_target(self) -> int:
        """Items that people are asked to label before acceptance is tried."""
        rest = len(self.item_ids) - len(self.calibration_stream)
        return min(self.workspace.policies.route.training, max(rest // 2, 1))

    @property
    def seed_enough(self) -> float:
        """Labeled items from which the first version learns."""
        return 0.9 * min(self.workspace.policies.route.seed, self.training_target)

    @property
    def training_enough(self) -> float:
        """Labeled items from which acceptance is tried: some of those asked about stay unclear."""
        return 0.9 * self.training_target
