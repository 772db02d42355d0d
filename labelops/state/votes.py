"""What follows from votes: which of them count, for what, and who is left to ask."""

from __future__ import annotations

import json
from collections.abc import Hashable
from functools import cached_property

import numpy as np
import numpy.typing as npt
import pandas as pd

from ..collect import current_votes
from ..consolidate.voices import clear_majority
from ..kinds.choice import codes_of
from ..measure.adjudication import Adjudication, adjudicate
from ..measure.codes import among
from ..route.plan import Seat, in_flight
from ..schema import Schema
from .rows import OFFERED_AT
from .team import TeamView

__all__ = ["EVIDENCE", "VotesView", "majority_codes"]

EVIDENCE = ("label", "review", "calibrate")
"""Purposes whose votes decide labels; audit votes judge decided labels, gold judges people."""


class VotesView(TeamView):
    """People's votes that count, and who gave them; `machine_votes` are evidence beside them."""

    @cached_property
    def current(self) -> pd.DataFrame:
        """The votes that count: given, one a voice, item and purpose, nobody flagged."""

        def made() -> pd.DataFrame:
            rows = current_votes(self.votes, self.workspace.schema)
            rows = rows.loc[~self._distrusted(rows)]
            return self.one_voice(rows, ["item_id", "purpose"]).reset_index(drop=True)

        return self.kept("current", ("items", "votes"), (*self.distrust, self.tied), made)

    @property
    def distrust(self) -> tuple[Hashable, ...]:
        """Whose votes do not count, and since when."""
        return (self.flagged, tuple(sorted(self.good_until.items())))

    def _distrusted(self, rows: pd.DataFrame) -> npt.NDArray[np.bool_]:
        """Say which votes are by somebody flagged, and not from before they went bad."""
        bad: npt.NDArray[np.bool_] = rows["annotator"].isin(self.flagged).to_numpy(dtype=bool)
        for name, until in self.good_until.items():
            mine = (rows["annotator"] == name) & (rows["given_at"] <= until)
            bad &= ~mine.to_numpy(dtype=bool)
        return bad

    def voice_of(self, annotators: pd.Series) -> pd.Series:
        """Return whose voice each annotator's is: those who copy each other share one."""
        voice = {name: group[0] for group in self.tied for name in group}
        return annotators.map(lambda name: voice.get(name, name)) if voice else annotators

    def one_voice(self, rows: pd.DataFrame, per: list[str]) -> pd.DataFrame:
        """Keep the first vote of those who copy each other: a copy is no second opinion.

        Parameters
        ----------
        rows : votes rows
        per : list of str
            Columns within which a voice is heard once.
        """
        if not self.tied:
            return rows
        # Gold is another matter: there everybody's own answer is held against the truth.
        mine = rows["annotator"].isin([name for group in self.tied for name in group])
        mine &= rows["purpose"] != "gold"
        copies = rows.loc[mine].sort_values(["given_at", "vote_id"], kind="stable")
        copies = copies.assign(voice=self.voice_of(copies["annotator"]))
        later = copies.index[copies.duplicated([*per, "voice"])]
        return rows.drop(index=later)

    @cached_property
    def evidence(self) -> pd.DataFrame:
        """The votes that decide labels: the newest of each annotator and item."""
        rows = self.current.loc[self.current["purpose"].isin(EVIDENCE)]
        rows = rows.sort_values(["given_at", "vote_id"], kind="stable")
        rows = rows.drop_duplicates(["item_id", "annotator"], keep="last")
        rows = self.one_voice(rows, ["item_id"])
        # Sums must not depend, in their last bit, on who was quicker.
        return rows.sort_values("vote_id", kind="stable")

    def first_votes(self, until: pd.Timestamp | None = None) -> pd.DataFrame:
        """Return the earliest vote for each item's label, of those given `until` then."""
        rows = self.evidence.sort_values(["given_at", "vote_id"], kind="stable")
        rows = rows if until is None else rows.loc[rows["given_at"] <= until]
        return rows.drop_duplicates("item_id")

    @cached_property
    def heard(self) -> pd.DataFrame:
        """What rules and models voted: the newest vote of each on each item."""
        rows = current_votes(self.voices, self.workspace.schema)
        rows = rows.loc[rows["purpose"].isin(EVIDENCE)]
        rows = rows.sort_values(["given_at", "vote_id"], kind="stable")
        rows = rows.drop_duplicates(["item_id", "annotator"], keep="last")
        return rows.sort_values("vote_id", kind="stable")

    @cached_property
    def nobody_left(self) -> npt.NDArray[np.object_]:
        """Items that nobody may look at any more: all have looked, or they were withdrawn."""
        return np.union1d(self.all_looked, self.withdrawn_ids)

    @cached_property
    def forsaken(self) -> frozenset[Seat]:
        """Seats that are not waited for: nobody came whom they were kept for, or needless ones."""
        said = (json.loads(body)["seats"] for body in self.latest("forsaken")["body"])
        gone = frozenset((item, number, why) for seats in said for item, number, why in seats)
        return gone | self.needless

    @property
    def needless(self) -> frozenset[Seat]:
        """Seats that nothing needs any more: their votes were taken back by a split of a class."""
        return self.taken_back

    @cached_property
    def open_seats(self) -> pd.DataFrame:
        """Plan rows that still lack votes, with how many are `open`."""
        rows = in_flight(self.plan, self.votes, self.all_looked, self.forsaken)
        return rows.loc[~rows["item_id"].isin(self.withdrawn_ids)]

    def sent(self, queue: str = "", place: str = "") -> int:
        """Return the last round that a queue offered to people as a whole; 0 if it did none.

        Parameters
        ----------
        queue : str
            Its kind, as in the settings; without it, the queue that offered last.
        place : str
            Where it is.
        """
        rows = self._offers
        if queue:
            rows = rows.loc[(rows["kind"] == queue) & (rows["place"] == place)]
        return 0 if rows.empty else int(rows["revision"].iloc[-1])

    @cached_property
    def schema_number(self) -> int:
        """How many schemas were in force before the present one."""
        return int(self.latest("schema")["revision"].max()) if len(self.latest("schema")) else 0

    def asks_as_now(self, queue: str = "", place: str = "") -> bool:
        """Say whether a queue offers the classes of now; parameters as of `sent`."""
        rows = self._by_place("reworded")
        if queue:
            rows = rows.loc[(rows["kind"] == queue) & (rows["place"] == place)]
        return self.schema_number in {0, *rows["revision"].tail(1)}

    def last_place(self) -> tuple[str, str]:
        """Return the kind and the place of the queue that offered last; empty before any did."""
        rows = self._offers
        return ("", "") if rows.empty else (rows["kind"].iloc[-1], rows["place"].iloc[-1])

    @cached_property
    def _offers(self) -> pd.DataFrame:
        """The last round that each queue offered at each place, the latest last."""
        return self._by_place("sent")

    def _by_place(self, kind: str) -> pd.DataFrame:
        """Return the last events of a kind about queues, by their kind and place."""
        rows = self.latest(kind).sort_values("at", kind="stable")
        names = [subject.partition(OFFERED_AT) for subject in rows["subject"]]
        kinds = [name.partition("/")[0] for name, _, _ in names]
        return rows.assign(kind=kinds, place=[place for _, _, place in names])

    def given(self, item_ids: npt.ArrayLike, purpose: str) -> npt.NDArray[np.int64]:
        """Return how many votes each item was given for a purpose, by anybody."""
        rows = self.votes.loc[
            (self.votes["status"] == "given") & (self.votes["purpose"] == purpose), "item_id"
        ]
        counts: npt.NDArray[np.int64] = (
            rows.value_counts().reindex(np.asarray(item_ids, dtype=object), fill_value=0)
        ).to_numpy(dtype=np.int64)
        return counts

    def looks(
        self,
        item_ids: npt.ArrayLike,
        values: pd.Series,
        votes: pd.DataFrame,
        confirms: int = 1,
        *,
        stuck: npt.ArrayLike | None = None,
        ties_stand: npt.ArrayLike = False,
    ) -> Adjudication:
        """Judge values (canonical JSON or None, in `item_ids` order) by blind votes.

        A doubt that nobody is left to settle counts as wrong: it must not certify anything. That
        is so of `stuck` items, by default those that everybody has looked at or that were
        withdrawn, but where `ties_stand`, an array over `item_ids`. By default it is so of
        `stranded` items as well.
        """
        schema = self.workspace.schema
        index = pd.Index(np.asarray(item_ids, dtype=object))
        places = index.get_indexer(votes["item_id"])
        inside = places >= 0
        lost = among(index, self.stranded if stuck is None else ())
        return adjudicate(
            codes_of(values, schema),
            places[inside],
            codes_of(votes.loc[inside, "value"], schema),
            len(schema.classes),
            max_votes=self.workspace.policies.route.max_votes,
            confirms=confirms,
            stuck=among(index, self.nobody_left if stuck is None else stuck) & ~lost,
            ties_stand=ties_stand,
            lost=lost,
        )


def majority_codes(votes: pd.DataFrame, schema: Schema) -> pd.Series:
    """Return the class most votes name, by item id, where one class does alone."""
    places, ids = pd.factorize(votes["item_id"].to_numpy(dtype=object))
    codes = clear_majority(places, codes_of(votes["value"], schema), len(ids), len(schema.classes))
    return pd.Series(codes[codes >= 0], index=ids[codes >= 0], dtype=np.float64)
