"""What follows from votes on labels: which of them may judge one, as it stands or corrected."""

from __future__ import annotations

import json
from functools import cached_property

import numpy as np
import numpy.typing as npt
import pandas as pd

from ..gate.candidate import ADJUDICATED
from ..measure.adjudication import AGREES
from ..measure.codes import among
from .splits import lacking_classes
from .votes import VotesView

__all__ = ["AuditVotesView"]


class AuditVotesView(VotesView):
    """Blind votes that judge labels: by people who had no part in a label, and could name it."""

    @cached_property
    def audit_votes(self) -> pd.DataFrame:
        """Blind audit votes by people who had no part in the item's label.

        An item that everybody has looked at, three people at least, has nobody left to audit
        it: there the `spare_votes` count too. With fewer people it waits for another.
        """
        return pd.concat([self._outside_votes, self.spare_votes])

    @cached_property
    def _outside_votes(self) -> pd.DataFrame:
        rows = self.able(self.outside_audits)
        return rows.loc[~rows["vote_id"].isin(self._correcting_votes)]

    @cached_property
    def outside_audits(self) -> pd.DataFrame:
        """Blind audit votes by people who did not label the item."""
        rows = self.current.loc[self.current["purpose"] == "audit"]
        pairs = self._items_and_voices(self.evidence)
        return rows.loc[~self._items_and_voices(rows).isin(pairs)]

    def _items_and_voices(self, rows: pd.DataFrame) -> pd.MultiIndex:
        return pd.MultiIndex.from_arrays([rows["item_id"], self.voice_of(rows["annotator"])])

    @cached_property
    def spare_votes(self) -> pd.DataFrame:
        """Blind votes beyond those that made the label, where nobody else is left to look.

        Two votes for a label make it. What others said without seeing a proposal is as good
        as an audit: they would have said the same if asked afterwards.
        """
        rows = self.evidence.loc[self.evidence["item_id"].isin(self.seen_by_all)]
        values = self.labels.set_index("item_id")["value"]
        values = self.withdrawn_labels.combine_first(values)
        rows = rows.assign(agrees=rows["value"] == rows["item_id"].map(values))
        # Votes that saw a proposal are no audit, so they make the label first.
        rows = rows.sort_values(
            ["agrees", "saw_proposal", "vote_id"], ascending=[False, False, True]
        )
        made = rows["agrees"] & (rows.groupby("item_id").cumcount() < 2)
        return self.able(rows.loc[~made & ~rows["saw_proposal"]].drop(columns="agrees"))

    def auditing(self, confirms: int) -> pd.DataFrame:
        """Return the `audit_votes` that judge labels: no spare ones where others confirmed them.

        What somebody settles who had no part in the label is settled, as in a team that has others
        left: that nobody is left now undoes nothing.

        Parameters
        ----------
        confirms : int
            By how many votes a label must lead to be confirmed.
        """
        ids = self.spare_votes["item_id"].unique()
        values = self.labels.set_index("item_id")["value"].reindex(ids)
        looks = self.looks(ids, values, self._outside_votes, confirms, stuck=())
        settled = among(self.spare_votes["item_id"], ids[looks.status == AGREES])
        return pd.concat([self._outside_votes, self.spare_votes.loc[~settled]])

    @cached_property
    def lacking_classes(self) -> dict[str, tuple[str, ...]]:
        """Which of the classes of now each earlier schema could not name; by its digest."""
        return lacking_classes(self.latest("schema")["body"], self.workspace.schema)

    def able(self, votes: pd.DataFrame) -> pd.DataFrame:
        """Return the votes that may judge a label: those that could name each class of now.

        Who confirmed a label before a class was added could not say that it should be that one.
        """
        return votes.loc[~votes["schema_digest"].isin(list(self.lacking_classes))]

    def weighed(
        self, item_ids: npt.ArrayLike, values: pd.Series, votes: pd.DataFrame
    ) -> pd.DataFrame:
        """Return the votes that say of single values whether they are wrong.

        Those that could name each class of now; and the others on items whose value all of them
        together refute: a class that is added makes no label right that was wrong.

        Parameters
        ----------
        item_ids, values, votes
            As for `looks`.
        """
        able = self.able(votes)
        if len(able) == len(votes):
            return votes
        looks = self.looks(item_ids, values, votes)
        ids = np.asarray(item_ids, dtype=object)
        refuted = ids[looks.refuted]
        kept = votes["vote_id"].isin(able["vote_id"]) | among(votes["item_id"], refuted)
        return votes.loc[kept]

    @cached_property
    def _correcting_votes(self) -> set[str]:
        """Audit votes that a corrected label rests on: they cannot judge it as well."""
        rows = self.labels.loc[self.labels["method"] == ADJUDICATED, "evidence"]
        return {vote for text in rows for vote in json.loads(text)["votes"]}

    def corrections_stand(
        self, item_ids: npt.ArrayLike, values: pd.Series
    ) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.bool_]]:
        """Say which corrected labels stand, and on which nobody could name each class of now.

        They stand where the votes that corrected them name them, as far as they count today, with
        what other auditors said since. That the label before was wrong is true for good; that it
        is this class has to be said again where others were added since.

        Returns
        -------
        stands, unsaid : (N,) bool arrays
        """
        made = self.current.loc[self.current["vote_id"].isin(self._correcting_votes)]
        able = self.able(made)
        votes = pd.concat([able, self.able(self.outside_audits)]).drop_duplicates("vote_id")
        stands: npt.NDArray[np.bool_] = self.looks(item_ids, values, votes).status == AGREES
        before = among(item_ids, made["item_id"]) & ~among(item_ids, able["item_id"])
        return stands, before & ~stands
