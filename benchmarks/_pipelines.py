"""Our pipeline and its rivals on laid-down votes, counted vote by vote.

The rules are the core's own functions: the labeler, `consolidate_with_model`, `judge_annotators`,
`adjudicate`, `joint_threshold`, `certify`, `looks_again`. What is written here is only the order
in which a journey comes to them, on arrays instead of tables, because a journey writes every step
down and takes ten times as long. `benchmarks.label_cost --journey` runs the journey itself beside.
Left out is the search for label errors before a release, some 1 % of the votes; and doubts about
the calibration sample are settled for the model that is tried only, where a journey also settles
those that a first model raises.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt
import pandas as pd

from benchmarks._label_sets import Codes, Crowd, LabelSet
from labelops.audit.annotators import judge_annotators
from labelops.autolabel.acceptance import joint_threshold
from labelops.consolidate.with_model import consolidate_with_model
from labelops.gate.candidate import attempt_risk
from labelops.gate.certificate import certify
from labelops.kinds.choice import values_of
from labelops.measure.adjudication import NO_VOTE, PENDING, WRONG, Adjudication, adjudicate
from labelops.measure.eprocess import hypothesis_risk
from labelops.measure.samples import draw_sample
from labelops.route.needs import looks_again

__all__ = ["RIVALS", "Outcome", "Rules"]

Bools = npt.NDArray[np.bool_]
Floats = npt.NDArray[np.float64]

VALIDATION = 1_250
"""Random items that are labeled before a model may label, in the published rule."""

_EVIDENCE = ("label", "review", "calibrate")
_ATTEMPTS = 6
_SHARES = (1.0, 0.95, 0.9, 0.85, 0.8, 0.7, 0.6, 0.4, 0.2, 0.0)


@dataclass(frozen=True)
class Rules:
    """What a user would write into labelops.toml.

    Parameters
    ----------
    bound : float
        Of `[gate]` and of `[accept]`; both at 95 % confidence.
    seed, training, calibration, max_votes, overlap
        As in `[route]`.
    posterior
        `[consolidate] min_posterior`.
    """

    bound: float
    seed: int = 150
    training: int = 300
    calibration: int = 240
    max_votes: int = 7
    overlap: float = 0.2
    posterior: float = 0.95
    risk: float = 0.05
    growth: float = 2.0
    floor: float = 0.7


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


class _Work:
    """A label set being labeled: votes so far, the model in force, labels as they stand."""

    def __init__(self, data: LabelSet, crowd: Crowd, rules: Rules, seed: int) -> None:
        self.data, self.crowd, self.rules = data, crowd, rules
        self.key = f"label cost {seed}".encode()
        self.ids = np.array(data.ids, dtype=object)
        N = len(self.ids)
        self.items = pd.DataFrame(
            {"item_id": data.ids, "payload": data.payloads, "payload_digest": data.ids}
        ).assign(group=data.groups)
        self.next = np.zeros(N, dtype=np.int64)
        self.rows = np.empty((0, 3), dtype=np.int64)  # item, annotator, class
        self.purposes = np.empty(0, dtype=object)
        self.flagged: Bools = np.zeros(int(crowd.who.max()) + 1, dtype=bool)
        self.probs: Floats | None = None
        self.trained = 0
        self.judged = 0
        self.label = np.full(N, -1)
        self.doubt = np.zeros(N)
        self.basis = np.zeros(N, dtype=np.int64)
        self.accepted: Bools = np.zeros(N, dtype=bool)
        self.tried = 0
        self.sample = self._drawn("calibrate", min(rules.calibration, N // 4))

    def _drawn(self, stream: str, size: int | None = None) -> Codes:
        found = draw_sample(self.key, stream, self.ids, size).ids
        return np.array([int(i[1:]) for i in found], dtype=np.int64)

    def fork(self) -> _Work:
        """Return a copy that goes on by itself."""
        other = copy.copy(self)
        for name in ("next", "label", "doubt", "basis", "accepted", "flagged"):
            setattr(other, name, getattr(self, name).copy())
        return other

    # --- votes ---------------------------------------------------------------------------

    def ask(self, places: Codes, counts: Codes | int, purpose: str) -> int:
        """Take the next votes on these items; return how many there were."""
        found: list[tuple[int, int, int]] = []
        wanted = np.broadcast_to(counts, places.shape)
        for place, count in zip(places.tolist(), wanted.tolist(), strict=True):
            who = self.crowd.who[place]
            while count > 0 and self.next[place] < len(who):
                n = self.next[place]
                self.next[place] += 1
                if not self.flagged[who[n]]:
                    found.append((place, int(who[n]), int(self.crowd.said[place, n])))
                    count -= 1
        if found:
            self.rows = np.concatenate([self.rows, np.array(found, dtype=np.int64)])
            self.purposes = np.append(self.purposes, [purpose] * len(found))
        return len(found)

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
        return self.next < self.crowd.who.shape[1]

    # --- labels --------------------------------------------------------------------------

    def decide(self) -> None:
        """Decide items anew whose votes changed, by votes and model together."""
        self._judge()
        rows = self.votes(*_EVIDENCE)
        assert self.probs is not None
        found = consolidate_with_model(
            rows[:, 0], rows[:, 1], rows[:, 2], self.probs, len(self.flagged)
        ).posterior
        peak = found.max(axis=1)
        best = found == peak[:, None]
        said = np.zeros(found.shape, dtype=bool)
        said[rows[:, 0], rows[:, 2]] = True
        sure = (peak >= self.rules.posterior) & (best.sum(axis=1) == 1) & (best & said).any(axis=1)
        code = np.where(sure, found.argmax(axis=1), -1)
        count = np.bincount(rows[:, 0], minlength=len(code))
        anew = (count != self.basis) | (self.label < 0)
        self.label = np.where(anew & (count > 0), code, self.label)
        self.basis, self.doubt = count, np.where(count > 0, 1 - peak, 0.0)

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
        """Ask about undecided items: once, and two more at a time where one does not suffice."""
        while self._ask_undecided(inside):
            pass

    def _ask_undecided(self, inside: Bools) -> bool:
        if self.probs is not None:
            self.decide()
        votes = self.given(*_EVIDENCE)
        open_ = inside & (self.label < 0) & (votes < self.rules.max_votes) & self.left
        places = np.flatnonzero(open_)
        counts = self.given("label")[places]
        return self.ask(places, 1 + counts % 2, "label") > 0

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
        rows, schema = self.training_rows(), self.data.schema
        chosen = self.items.iloc[rows[:, 0]].reset_index(drop=True)
        labeler = self.data.labeler()
        labeler.fit(chosen, rows[:, 1].tolist(), chosen["group"].tolist(), schema)
        answers = labeler.propose(self.items, schema)
        self.probs = np.stack(answers["probs"].to_list()).astype(np.float64)
        self.trained = len(rows)

    @property
    def scores(self) -> Floats:
        assert self.probs is not None
        return self.probs.max(axis=1)

    @property
    def proposed(self) -> Codes:
        assert self.probs is not None
        return self.probs.argmax(axis=1)

    def looks(self, places: Codes, values: Codes, purpose: str) -> Adjudication:
        """Judge values by the blind votes for a purpose."""
        rows = self.votes(purpose)
        where = np.full(len(self.ids), -1)
        where[places] = np.arange(len(places))
        rows = rows[where[rows[:, 0]] >= 0]
        K = len(self.data.schema.classes)
        return adjudicate(values, where[rows[:, 0]], rows[:, 2], K, max_votes=self.rules.max_votes)

    def settled(self, places: Codes, values: Codes, purpose: str) -> Adjudication:
        """Ask until every value is judged; a doubt that nobody is left to settle is wrong."""
        while True:
            found = self.looks(places, values, purpose)
            waiting = np.isin(found.status, (NO_VOTE, PENDING))
            more = np.where(found.votes == 1, 2, 1)
            if not self.ask(places[waiting], more[waiting], purpose):
                status = np.where(waiting, WRONG, found.status)
                return Adjudication(status, found.votes, found.consensus)

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
        order = self._drawn("seed")
        chosen = np.zeros(N, dtype=bool)
        chosen[order[free[order]][: min(rules.seed, training)]] = True
        self.ask(np.flatnonzero(chosen), 1, "label")
        self.fit()
        doubtful = np.argsort(self.scores, kind="stable")
        doubtful = doubtful[(free & ~chosen)[doubtful]]
        chosen[doubtful[: training - int(chosen.sum())]] = True
        self.settle(chosen)
        self.fit()

    def accept(self, threshold: Threshold) -> None:
        """Try the model on the calibration sample; the attempt that accepts most stands."""
        self.tried += 1
        found = self.settled(self.sample, self.proposed[self.sample], "calibrate")
        cut = threshold(self, found.status == WRONG)
        accepted = self.scores >= cut if cut is not None else np.zeros(len(self.ids), dtype=bool)
        if accepted.sum() > self.accepted.sum():
            self.accepted = accepted
            self.by_model = self.proposed.copy()

    by_model: Codes

    def finish(self, threshold: Threshold | None) -> None:
        """Have people decide what the model may not; fit again when the labels doubled."""
        while True:
            looked = self.given(*_EVIDENCE) > 0
            if not self._ask_undecided(looked | ~self.accepted):
                return
            grown = len(self.training_rows()) >= self.rules.growth * self.trained
            if threshold is not None and grown:
                self.fit()
                self.accept(threshold)

    @property
    def labels(self) -> Codes:
        """Return each item's label: people's, else the model's where it is accepted; else -1."""
        looked = self.given(*_EVIDENCE) > 0
        if not self.accepted.any():
            return self.label
        return np.where(looked, self.label, np.where(self.accepted, self.by_model, -1))

    def outcome(self, labels: Codes, certified: float | None = None, note: str = "") -> Outcome:
        """Count votes, and errors among the labels that are there."""
        there = labels >= 0
        purposes, counts = np.unique(self.purposes.astype(str), return_counts=True)
        unseen = self.given(*_EVIDENCE) == 0
        return Outcome(
            items=len(labels),
            released=0 if note else int(there.sum()),
            accepted=int((there & unseen).sum()),
            votes={str(p): int(n) for p, n in zip(purposes, counts, strict=True)},
            certified=certified,
            error=float((labels != self.data.truth)[there].mean()) if there.any() else np.nan,
            note=note,
        )


Threshold = Callable[[_Work, Bools], float | None]


def _joint(work: _Work, wrong: Bools) -> float | None:
    found = joint_threshold(
        work.scores, work.scores[work.sample], wrong, error=work.rules.bound,
        risk=hypothesis_risk(work.tried, work.rules.risk), pool_size=len(work.ids),
    )  # fmt: skip
    return found.threshold


def _plug_in(work: _Work, wrong: Bools) -> float | None:
    """Go down to where the tolerated share of the sample's accepted proposals was wrong."""
    order = np.argsort(-work.scores[work.sample], kind="stable")
    errors = np.cumsum(wrong[order])
    passes = np.flatnonzero(errors <= work.rules.bound * np.arange(1, len(order) + 1))
    return float(work.scores[work.sample][order][passes[-1]]) if passes.size else None


def ours(data: LabelSet, crowd: Crowd, rules: Rules, seed: int) -> Outcome:
    """Learn, accept under the joint rule, have people decide the rest, certify by an audit."""
    work = _Work(data, crowd, rules, seed)
    work.learn()
    work.accept(_joint)
    work.finish(_joint)
    return _certified(work)


def _certified(work: _Work) -> Outcome:
    """Audit until a certificate; after a failed one people look again, and it is tried anew."""
    for attempt in range(1, _ATTEMPTS + 1):
        frozen = work.labels
        order = work._drawn(f"audit/{attempt}")
        order = order[frozen[order] >= 0]
        risk = attempt_risk(attempt, work.rules.risk)
        size = 0
        while True:
            looks = work.settled(order[:size], frozen[order[:size]], "audit")
            wrong = looks.status == WRONG
            found = certify(wrong, work.rules.bound, risk, population=len(order))
            if found.status != "inconclusive":
                break
            size = min(len(order), size + (found.needed or len(order)))
        corrected = frozen.copy()
        clear = wrong & (looks.consensus >= 0)
        corrected[order[:size][clear]] = looks.consensus[clear]
        if found.status == "pass":
            return work.outcome(corrected, certified=found.certified)
        work.label = corrected
        work.basis = work.given(*_EVIDENCE)
        work.accepted[:] = False
        work.label[work.basis == 0] = -1
        work.finish(None)
        _look_again(work, len(wrong), int(wrong.sum()))
    return work.outcome(work.labels, note=f"{_ATTEMPTS} audits failed")


def _look_again(work: _Work, looks: int, errors: int) -> None:
    """Have one more person look at the least certain labels, and settle what that unsettles."""
    count = looks_again(work.doubt, errors / max(looks, 1), work.rules.bound)
    worst = np.argsort(-work.doubt, kind="stable")[:count]
    work.ask(worst, 1, "review")
    work.finish(None)


def plug_in(data: LabelSet, crowd: Crowd, rules: Rules, seed: int) -> Outcome:
    """Do as ours does, accepting down to the sample's own share of errors; no audit."""
    work = _Work(data, crowd, rules, seed)
    work.learn()
    work.accept(_plug_in)
    work.finish(_plug_in)
    return work.outcome(work.labels)


def told(data: LabelSet, crowd: Crowd, rules: Rules, seed: int) -> Outcome:
    """Do as ours does, told beforehand what every cut-off would come to: the loosest that is good.

    Where none is, people are asked for more certainty until one is.
    """
    work = _Work(data, crowd, replace(rules, calibration=0), seed)
    work.learn()
    free = np.flatnonzero(work.given(*_EVIDENCE) == 0)
    surest = free[np.argsort(-work.scores[free], kind="stable")]
    for posterior in (rules.posterior, 0.99, 0.998):
        for share in _SHARES:
            tried = work.fork()
            tried.rules = replace(work.rules, posterior=posterior)
            tried.accepted[surest[: int(share * len(free))]] = True
            tried.by_model = tried.proposed
            tried.finish(None)
            found = tried.outcome(tried.labels)
            if found.error <= rules.bound:
                return found
    return work.outcome(work.labels, note="no cut-off and no certainty stay within the bound")


def three_votes(data: LabelSet, crowd: Crowd, rules: Rules, seed: int) -> Outcome:
    """Take three votes on every item and the majority."""
    labels = crowd.majority(3)
    wrong = float((labels != data.truth).mean())
    return Outcome(len(labels), len(labels), 0, {"label": 3 * len(labels)}, None, wrong)


def published(data: LabelSet, crowd: Crowd, rules: Rules, seed: int) -> Outcome:
    """Validate on 1,250 random items, accept where the validation is within the bound.

    Three votes and the majority wherever people label. Sets without so many items are not taken.
    """
    N = len(data.truth)
    if N < VALIDATION:
        return Outcome(N, 0, note=f"not applicable: {N} items, fewer than {VALIDATION}")
    work = _Work(data, crowd, rules, seed)
    majority = crowd.majority(3)
    order = work._drawn("seed")
    sample, rest = order[:VALIDATION], order[VALIDATION:]
    learned = rest[: min(rules.training, len(rest) // 2)]
    labeler, items = data.labeler(), work.items
    chosen = items.iloc[learned].reset_index(drop=True)
    labeler.fit(chosen, majority[learned].tolist(), chosen["group"].tolist(), data.schema)
    work.probs = np.stack(labeler.propose(items, data.schema)["probs"].to_list())
    work.sample = sample
    cut = _plug_in(work, work.proposed[sample] != majority[sample])
    by_model = np.zeros(N, dtype=bool)
    if cut is not None:
        by_model[rest] = work.scores[rest] >= cut
        by_model[learned] = False
    labels = np.where(by_model, work.proposed, majority)
    wrong = float((labels != data.truth).mean())
    votes = {"label": 3 * int((~by_model).sum())}
    return Outcome(N, N, int(by_model.sum()), votes, None, wrong)


RIVALS: dict[str, Callable[[LabelSet, Crowd, Rules, int], Outcome]] = {
    "three votes on everything": three_votes,
    "1,250 validated, then a threshold": published,
    "plug-in threshold": plug_in,
    "labelops": ours,
    "told the error curve": told,
}
"""What is compared, by name."""
