"""A label set being labeled, on arrays: the product's rules in the order of a journey.

The rules are the core's own functions: the labeler, `consolidate_with_model`, `judge_annotators`,
`best_half`, `adjudicate`. What is written here is only the order in which a journey comes to them,
because a journey writes every step down and takes ten times as long.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass, field
from functools import lru_cache

import numpy as np
import numpy.typing as npt
import pandas as pd

from benchmarks._label_sets import Codes, Crowd, LabelSet, label_set
from labelops.audit.annotators import judge_annotators
from labelops.autolabel.policy import AUDITED
from labelops.consolidate.with_model import consolidate_with_model
from labelops.gate.confirm import choose_confirm, missed_share, upper_chance
from labelops.gate.mistakes import chance_agreement, vote_errors
from labelops.gate.policy import GatePolicy
from labelops.kinds.choice import values_of
from labelops.measure.adjudication import Adjudication, adjudicate
from labelops.measure.confusion import annotator_confusion
from labelops.measure.samples import RandomSample, draw_sample
from labelops.route.needs import seed_overlap
from labelops.route.surest import best_half

__all__ = ["EVIDENCE", "Bools", "Floats", "Outcome", "Rules", "Work", "learned_from", "places_of"]

Bools = npt.NDArray[np.bool_]
Floats = npt.NDArray[np.float64]

EVIDENCE = ("label", "review", "calibrate")


@dataclass(frozen=True)
class Rules:
    """What a user would write into labelops.toml.

    Parameters
    ----------
    bound : float
        Of `[gate]` and of `[accept]`; both at 95 % confidence.
    seed, training, calibration, max_votes, overlap, settle
        As in `[route]`; `settle` is `settle_share`, and `pairs` is off: one more vote at a time.
    posterior
        `[consolidate] min_posterior`.
    rule, by_posterior
        `[accept] rule`, and its `min_posterior` under the rule `audited`.
    """

    bound: float
    seed: int = 150
    training: int = 300
    calibration: int = 300
    max_votes: int = 7
    overlap: float = 0.2
    settle: float = 0.5
    posterior: float = 0.95
    risk: float = 0.05
    growth: float = 2.0
    floor: float = 0.7
    rule: str = "joint"
    by_posterior: float = 0.0


@dataclass(frozen=True)
class Outcome:
    """What a pipeline came to.

    Parameters
    ----------
    items, released, accepted : int
        Items in the set; those that got a label; those of them that nobody looked at for it.
    votes : mapping of purpose to int
        All votes given, whatever became of them.
    certified : float or None
        The certificate's bound; None without a certificate.
    error : float
        Share of wrong labels among the released.
    note : str
        Why there is no release, where there is none.
    """

    items: int
    released: int
    accepted: int = 0
    votes: dict[str, int] = field(default_factory=dict)
    certified: float | None = None
    error: float = float("nan")
    note: str = ""

    @property
    def per_thousand(self) -> float:
        """Votes for 1,000 released labels."""
        return 1000 * sum(self.votes.values()) / max(self.released, 1)


class Work:
    """A label set being labeled: votes so far, the model in force, labels as they stand."""

    def __init__(self, data: LabelSet, crowd: Crowd, rules: Rules, seed: int) -> None:
        self.data, self.crowd, self.rules = data, crowd, rules
        self.key = f"label cost {seed}".encode()
        self.ids = np.array(data.ids, dtype=object)
        N = len(self.ids)
        self.used: Bools = np.zeros(crowd.who.shape, dtype=bool)
        self.rows = np.empty((0, 3), dtype=np.int64)  # item, annotator, class
        self.purposes = np.empty(0, dtype=object)
        self.flagged: Bools = np.zeros(int(crowd.who.max()) + 1, dtype=bool)
        self.accuracy: Floats | None = None
        self.probs: Floats | None = None
        self.trained = 0
        self.judged = 0
        self.label = np.full(N, -1)
        self.doubt = np.zeros(N)
        self.posterior: Floats = np.zeros((N, len(data.schema.classes)))
        self.alone: Floats = self.posterior
        self.drawn: Bools = np.zeros(N, dtype=bool)
        self.basis = np.zeros(N, dtype=np.int64)
        self.accepted: Bools = np.zeros(N, dtype=bool)
        self.by_model = self.label.copy()
        self.tried = 0
        self.calibrated = (0, 0)  # wrong ones and looks at what is accepted
        self.sample = places_of(self.draw("calibrate", min(rules.calibration, N // 4)))

    def draw(self, stream: str, size: int | None = None) -> RandomSample:
        """Draw items by the permanent random numbers of a stream."""
        return draw_sample(self.key, stream, self.ids, size)

    def fork(self) -> Work:
        """Return a copy that goes on by itself."""
        other = copy.copy(self)
        for name in ("used", "label", "doubt", "basis", "accepted", "by_model", "flagged"):
            setattr(other, name, getattr(self, name).copy())
        return other

    # --- votes ---------------------------------------------------------------------------

    def ask(self, places: Codes, counts: Codes | int, purpose: str) -> int:
        """Take the next votes on these items; return how many there were.

        Where others looked already, of those with the best record, as long as enough are left.
        """
        found: list[tuple[int, int, int]] = []
        wanted = np.broadcast_to(counts, places.shape)
        surest = self._surest()
        for place, count in zip(places.tolist(), wanted.tolist(), strict=True):
            who, free = self.crowd.who[place], ~self.used[place]
            free &= ~self.flagged[who]
            some = free & surest[who]
            if self.used[place].any() and some.sum() > count:
                free = some
            for n in np.flatnonzero(free)[:count].tolist():
                self.used[place, n] = True
                found.append((place, int(who[n]), int(self.crowd.said[place, n])))
        if found:
            self.rows = np.concatenate([self.rows, np.array(found, dtype=np.int64)])
            self.purposes = np.append(self.purposes, [purpose] * len(found))
        return len(found)

    def _surest(self) -> Bools:
        best: Bools = np.zeros(len(self.flagged), dtype=bool)
        if self.accuracy is not None:
            here = np.intersect1d(np.flatnonzero(~self.flagged), self.rows[:, 1])
            known = {f"{a:04d}": float(self.accuracy[a]) for a in here}
            best[[int(name) for name in best_half(known, self.rules.settle)]] = True
        return best

    def votes(self, *purposes: str) -> Codes:
        """Return the votes that count for these purposes."""
        inside = np.isin(self.purposes, purposes) & ~self.flagged[self.rows[:, 1]]
        return self.rows[inside]

    def given(self, *purposes: str) -> Codes:
        """Count the votes given on each item, those of flagged annotators too."""
        rows = self.rows[np.isin(self.purposes, purposes)]
        return np.bincount(rows[:, 0], minlength=len(self.ids))

    @property
    def left(self) -> Bools:
        """Tell on which items somebody is left to ask."""
        return (~self.used & ~self.flagged[self.crowd.who]).any(axis=1)

    # --- labels --------------------------------------------------------------------------

    def decide(self) -> None:
        """Decide items anew whose votes changed, by votes and model together."""
        self._judge()
        rows = self.votes(*EVIDENCE)
        assert self.probs is not None
        fused = consolidate_with_model(
            rows[:, 0], rows[:, 1], rows[:, 2], self.probs, len(self.flagged),
            drawn=self.drawn, sure=self.rules.by_posterior,
        )  # fmt: skip
        self.accuracy, found = fused.accuracy, fused.posterior
        self.posterior, self.alone = found, fused.alone
        peak = found.max(axis=1)
        best = found == peak[:, None]
        said = np.zeros(found.shape, dtype=bool)
        said[rows[:, 0], rows[:, 2]] = True
        sure = (peak >= self.rules.posterior) & (best.sum(axis=1) == 1) & (best & said).any(axis=1)
        code = np.where(sure, found.argmax(axis=1), -1)
        count = np.bincount(rows[:, 0], minlength=len(code))
        anew = (count != self.basis) | (self.label < 0)
        self.label = np.where(anew & (count > 0), code, self.label)
        self.basis, self.doubt = count, 1 - peak

    def _judge(self) -> None:
        """Look who is too often wrong, when a tenth more votes came."""
        if len(self.rows) < 1.1 * self.judged:
            return
        self.judged = len(self.rows)
        inside = self.purposes != "audit"
        rows, names = self.rows[inside], self.purposes[inside]
        assert self.probs is not None
        asked = np.unique(rows[:, 0])
        items = np.concatenate([rows[:, 0], asked])
        codes = np.concatenate([rows[:, 2], self.probs[asked].argmax(axis=1)])
        who = [f"human:{w}" for w in rows[:, 1]] + ["model:m"] * len(asked)
        frame = pd.DataFrame(
            {
                "vote_id": [f"{n:06d}" for n in range(len(items))],
                "revision": 0,
                "item_id": self.ids[items],
                "annotator": who,
                "value": values_of(codes, self.data.schema),
                "status": "given",
                "purpose": [*names, *(["label"] * len(asked))],
                "seconds": np.nan,
                "given_at": pd.Timestamp(0, tz="UTC"),
            }
        )
        found = judge_annotators(frame, self.data.schema, floor=self.rules.floor)
        bad = found.loc[found["flagged"], "annotator"]
        self.flagged[[int(name.rpartition(":")[2]) for name in bad]] = True

    def settle(self, inside: Bools) -> None:
        """Ask about undecided items, one vote at a time."""
        while self.ask_undecided(inside):
            pass

    def ask_undecided(self, inside: Bools) -> bool:
        """Decide what changed, and ask one more about each item that is undecided."""
        if self.probs is not None:
            self.decide()
        votes = self.given(*EVIDENCE)
        open_ = inside & (self.label < 0) & (votes < self.rules.max_votes) & self.left
        return self.ask(np.flatnonzero(open_), 1, "label") > 0

    # --- the model -----------------------------------------------------------------------

    def training_rows(self) -> Codes:
        """Return the (item, class) pairs to learn from; none of the calibration sample."""
        rows = self.votes("label", "review")
        K = len(self.data.schema.classes)
        counts = np.zeros((len(self.ids), K))
        np.add.at(counts, (rows[:, 0], rows[:, 2]), 1)
        top = counts.max(axis=1)
        clear = (top > 0) & ((counts == top[:, None]).sum(axis=1) == 1)
        code = np.where(self.label >= 0, self.label, np.where(clear, counts.argmax(axis=1), -1))
        code[(top == 0) | np.isin(np.arange(len(code)), self.sample)] = -1
        places = np.flatnonzero(code >= 0)
        return np.stack([places, code[places]], axis=1)

    def fit(self) -> None:
        """Learn from the labels so far and propose for every item, held out where learned from."""
        rows = self.training_rows()
        self.probs = learned_from(self.data, rows)
        self.trained = len(rows)

    @property
    def scores(self) -> Floats:
        assert self.probs is not None
        return self.probs.max(axis=1)

    @property
    def proposed(self) -> Codes:
        assert self.probs is not None
        return self.probs.argmax(axis=1)

    def confirms(self, labels: Codes, policy: GatePolicy) -> tuple[int, float]:
        """Say how many blind votes confirm a label, as the gate does, and how often a wrong one."""
        rows = self.votes(*EVIDENCE)
        nobody = np.zeros(len(rows), dtype=np.int64)
        counts = annotator_confusion(rows[:, 0], nobody, rows[:, 2], self.posterior, 1)[0]
        chance = chance_agreement(self.posterior, labels, counts)
        size, most = int((labels >= 0).sum()), self.rules.max_votes
        confirms = choose_confirm(chance, counts, policy, size, max_votes=most)
        likely, errors = upper_chance(chance, counts), vote_errors(counts)
        return confirms, missed_share(likely, errors, confirms, max_votes=most)

    def looks(self, places: Codes, values: Codes, purpose: str, confirms: int = 1) -> Adjudication:
        """Judge values by the blind votes for a purpose."""
        rows = self.votes(purpose)
        where = np.full(len(self.ids), -1)
        where[places] = np.arange(len(places))
        rows = rows[where[rows[:, 0]] >= 0]
        return adjudicate(
            values, where[rows[:, 0]], rows[:, 2], len(self.data.schema.classes),
            max_votes=self.rules.max_votes, confirms=confirms, stuck=~self.left[places],
        )  # fmt: skip

    def ask_others(self, places: Codes, looks: Adjudication, purpose: str) -> int:
        """Ask for as many as confirm, and as many others as may settle what one disagreed with."""
        waiting = looks.needed > 0
        return self.ask(places[waiting], looks.needed[waiting], purpose)

    def settled(self, places: Codes, values: Codes, purpose: str) -> Adjudication:
        """Ask until every value is judged."""
        while True:
            found = self.looks(places, values, purpose)
            if not self.ask_others(places, found, purpose):
                return found

    # --- stages --------------------------------------------------------------------------

    def learn(self) -> None:
        """Label at random, then what the model is least sure of; calibration looks beside."""
        rules, N = self.rules, len(self.ids)
        self.ask(self.sample, 1, "calibrate")
        twice = self.sample[: int(np.ceil(rules.overlap * len(self.sample)))]
        self.ask(twice, 1, "calibrate")
        free = np.ones(N, dtype=bool)
        free[self.sample] = False
        training = min(rules.training, max((N - len(self.sample)) // 2, 1))
        order = places_of(self.draw("seed"))
        chosen = np.zeros(N, dtype=bool)
        chosen[order[free[order]][: min(rules.seed, training)]] = True
        self.ask(np.flatnonzero(chosen), 1, "label")
        if rules.rule == AUDITED:
            # Two people look at the first of them, and at more where the seed is small.
            twice = order[: seed_overlap(rules.overlap, int(chosen.sum()))]
            self.ask(twice[~chosen[twice]], 1, "label")
            self.ask(twice, 1, "label")
            chosen[twice] = True
        self.drawn = chosen.copy()
        self.fit()
        doubtful = np.argsort(self.scores, kind="stable")
        doubtful = doubtful[(free & ~chosen)[doubtful]]
        chosen[doubtful[: max(training - int(chosen.sum()), 0)]] = True
        self.settle(chosen)
        self.fit()

    @property
    def labels(self) -> Codes:
        """Return each item's label: people's, else the model's where it is accepted; else -1."""
        looked = self.given(*EVIDENCE) > 0
        if not self.accepted.any():
            return self.label
        return np.where(looked, self.label, np.where(self.accepted, self.by_model, -1))

    def outcome(self, labels: Codes, certified: float | None = None, note: str = "") -> Outcome:
        """Count votes, and errors among the labels that are there."""
        there = labels >= 0
        purposes, counts = np.unique(self.purposes.astype(str), return_counts=True)
        unseen = self.given(*EVIDENCE) == 0
        return Outcome(
            items=len(labels),
            released=0 if note else int(there.sum()),
            accepted=int((there & unseen).sum()),
            votes={str(p): int(n) for p, n in zip(purposes, counts, strict=True)},
            certified=certified,
            error=float((labels != self.data.truth)[there].mean()) if there.any() else np.nan,
            note=note,
        )


def places_of(sample: RandomSample) -> Codes:
    """Return where the items of a sample stand, in its order."""
    return np.array([int(i[1:]) for i in sample.ids], dtype=np.int64)


def learned_from(data: LabelSet, rows: Codes) -> Floats:
    """Return the model's (N, K) probabilities after learning from (item, class) pairs."""
    return _proposals(data.schema.name, np.ascontiguousarray(rows, dtype=np.int64).tobytes())


@lru_cache(maxsize=64)
def _proposals(name: str, training: bytes) -> Floats:
    """Learn from (item, class) pairs and propose for every item, held out where learned from.

    Kept, since pipelines that learn from the same labels learn the same.
    """
    data = label_set(name)
    rows = np.frombuffer(training, dtype=np.int64).reshape(-1, 2)
    items = pd.DataFrame(
        {"item_id": data.ids, "payload": data.payloads, "payload_digest": data.ids}
    ).assign(group=data.groups, attributes=data.attributes or "{}")
    chosen = items.iloc[rows[:, 0]].reset_index(drop=True)
    labeler = data.labeler()
    labeler.read(items, data.schema)
    labeler.fit(chosen, rows[:, 1].tolist(), chosen["group"].tolist(), data.schema)
    answers = labeler.propose(items, data.schema)
    found: Floats = np.stack(answers["probs"].to_list()).astype(np.float64)
    found.setflags(write=False)
    return found
