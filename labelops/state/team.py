"""Who can be asked, who has left, and at which items nobody is left to look."""

from __future__ import annotations

from difflib import get_close_matches
from functools import cached_property

import numpy as np
import numpy.typing as npt
import pandas as pd

from ..measure.codes import BoolArray, among
from .rows import Rows

__all__ = ["TeamView"]

_PERSON = "human:"

_ENOUGH = 3
"""So many people have to have looked at an item before nobody else is waited for."""

_AUDIT_EACH_OTHER = 2
"""So many have to be left for others' looks to be given up: one alone audits nothing of theirs."""


class TeamView(Rows):
    """The people: those who are there, and those who left."""

    @cached_property
    def _voters(self) -> frozenset[str]:
        names = self.votes["annotator"]
        return frozenset(names.loc[names.str.startswith(_PERSON)]) - set(self.flagged)

    @cached_property
    def people(self) -> tuple[str, ...]:
        """Everybody who has voted, whose votes count, and who has not left."""
        return tuple(sorted(self._voters - set(self.workspace.policies.route.left)))

    @cached_property
    def team(self) -> tuple[str, ...]:
        """Everybody who can be asked: people, and the experts named in the settings."""
        experts = set(self.workspace.policies.route.present_experts) - set(self.flagged)
        return tuple(sorted({*self.people, *experts}))

    @cached_property
    def departed(self) -> tuple[str, ...]:
        """Who was in the team and has left, as the settings say: their votes count."""
        policy = self.workspace.policies.route
        were = self._voters | (set(policy.experts) - set(self.flagged))
        return tuple(sorted(were & set(policy.left)))

    @cached_property
    def unknown_left(self) -> dict[str, str]:
        """Names of people who are said to have left and never voted, each with the nearest known.

        An empty one where none is near.
        """
        policy = self.workspace.policies.route
        known = sorted({*self.votes["annotator"], *policy.experts})
        # Without what all of them begin with, which would make any two alike.
        by_name = {name.removeprefix(_PERSON): name for name in known}
        found = {}
        for who in policy.left:
            if who not in known:
                near = get_close_matches(who.removeprefix(_PERSON), by_name, 1)
                found[who] = by_name[near[0]] if near else ""
        return found

    @cached_property
    def _looks_at(self) -> pd.DataFrame:
        """Who has looked at which item, skipping included, each once."""
        rows = self.votes.loc[
            (self.votes["status"] != "deleted") & (self.votes["purpose"] != "gold")
        ]
        return rows.drop_duplicates(["item_id", "annotator"])[["item_id", "annotator"]]

    @cached_property
    def lookers(self) -> pd.Series:
        """How many of the team have looked at an item, skipping included, by item id."""
        rows = self._looks_at
        return rows.loc[rows["annotator"].isin(self.team), "item_id"].value_counts()

    @cached_property
    def lookers_ever(self) -> pd.Series:
        """The same of the team and of those who left it."""
        rows = self._looks_at
        everybody = (*self.team, *self.departed)
        return rows.loc[rows["annotator"].isin(everybody), "item_id"].value_counts()

    @cached_property
    def seen_by_all(self) -> npt.NDArray[np.object_]:
        """Items that everybody, three people at least, has looked at: nobody is left to ask.

        With fewer people an item waits for another one to join. Whoever left is one of those, with
        items that somebody had looked at before they gave their last vote.
        """
        return self._looked_at_by_all[0]

    @cached_property
    def stranded(self) -> npt.NDArray[np.object_]:
        """Items that all who are there have looked at, and that only people who left could.

        None while fewer than two are there: then everything waits for somebody new.
        """
        return self._looked_at_by_all[1]

    @cached_property
    def all_looked(self) -> npt.NDArray[np.object_]:
        """Items for which nobody is waited: all of them that were seen by all or are stranded."""
        seen, stranded = self._looked_at_by_all
        return np.union1d(seen, stranded) if len(stranded) else seen

    @cached_property
    def _looked_at_by_all(self) -> tuple[npt.NDArray[np.object_], npt.NDArray[np.object_]]:
        ever = self.lookers_ever
        ids = ever.index.to_numpy(dtype=object)
        here = (self.lookers.reindex(ids, fill_value=0) >= len(self.team)).to_numpy()
        lacking = self._lacks_departed(ids)
        seen = here & ~lacking & (ever >= _ENOUGH).to_numpy()
        stranded = here & lacking & (len(self.team) >= _AUDIT_EACH_OTHER)
        return ids[seen], ids[stranded]

    def _lacks_departed(self, ids: npt.NDArray[np.object_]) -> BoolArray:
        """Say which items somebody who left has not looked at, and might have been asked about.

        Votes that three others gave then are no audit of what two of them made: where they had
        disagreed, that person would have been asked, and the label might be another. What was
        looked at only after somebody's last vote never waited for them.
        """
        lacking = np.zeros(len(ids), dtype=bool)
        if not self.departed:
            return lacking
        rows = self.votes.loc[self.votes["purpose"] != "gold"]
        first = rows.groupby("item_id")["given_at"].min().reindex(ids)
        last = self.votes.groupby("annotator")["given_at"].max().reindex(self.departed)
        for name in self.departed:
            looked = self._looks_at.loc[self._looks_at["annotator"] == name, "item_id"]
            asked = (first < last[name]).to_numpy() | among(ids, self.held_for(name))
            lacking |= asked & ~among(ids, looked.to_numpy(dtype=object))
        return lacking

    def held_for(self, name: str) -> npt.NDArray[np.object_]:
        """Return items that somebody who left counts as one of the team with, whenever that was."""
        del name
        return np.empty(0, dtype=object)
