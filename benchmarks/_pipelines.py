"""Our pipeline and its rivals on laid-down votes, counted vote by vote.

Every rule is the core's own function: what `_work` calls, `joint_threshold`, `model_stands`,
`until_learned_anew`, `choose_audit`, `audit_state`, `looks_again`. `benchmarks.label_cost
--journey` runs the journey itself beside. Left out is the search for label errors before a release,
some 1 % of the votes.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from benchmarks._label_sets import Codes, Crowd, LabelSet
from benchmarks._work import EVIDENCE, Bools, Floats, Outcome, Rules, Work, learned_from, places_of
from labelops.autolabel.acceptance import joint_threshold
from labelops.autolabel.audited import model_stands
from labelops.autolabel.policy import AUDITED, AcceptancePolicy, planned
from labelops.gate.audit_state import AuditState, audit_state
from labelops.gate.design import choose_audit, tried_doubt
from labelops.gate.policy import WEIGHTED, GatePolicy
from labelops.measure.adjudication import WRONG
from labelops.measure.eprocess import hypothesis_risk
from labelops.measure.samples import RandomSample, WeightedSample, draw_weighted
from labelops.measure.weighted import audit_chances
from labelops.route.active import until_learned_anew
from labelops.route.again import looks_again

__all__ = ["RIVALS", "Outcome", "Rules", "under_audit"]

SMALL = 60
"""Seed and training items under the rule `audited`, as the guide says."""

VALIDATION = 1_250
"""Random items that are labeled before a model may label, in the published rule."""

_ATTEMPTS = 6
_SHARES = (1.0, 0.95, 0.9, 0.85, 0.8, 0.7, 0.6, 0.4, 0.2, 0.0)


Threshold = Callable[[Work, Bools], float | None]


def _joint(work: Work, wrong: Bools) -> float | None:
    found = joint_threshold(
        work.scores, work.scores[work.sample], wrong, error=work.rules.bound,
        risk=hypothesis_risk(work.tried, work.rules.risk), pool_size=len(work.ids),
    )  # fmt: skip
    return found.threshold


def _plug_in(work: Work, wrong: Bools) -> float | None:
    """Go down to where the tolerated share of the sample's accepted proposals was wrong."""
    order = np.argsort(-work.scores[work.sample], kind="stable")
    errors = np.cumsum(wrong[order])
    passes = np.flatnonzero(errors <= work.rules.bound * np.arange(1, len(order) + 1))
    return float(work.scores[work.sample][order][passes[-1]]) if passes.size else None


def _accept(work: Work, threshold: Threshold) -> None:
    """Try the model on the calibration sample; the attempt that accepts most stands."""
    work.tried += 1
    found = work.settled(work.sample, work.proposed[work.sample], "calibrate")
    wrong = found.status == WRONG
    cut = threshold(work, wrong)
    accepted = work.scores >= (np.inf if cut is None else cut)
    if accepted.sum() > work.accepted.sum():
        work.accepted, work.by_model = accepted, work.proposed.copy()
        inside = accepted[work.sample]
        work.calibrated = (int(wrong[inside].sum()), int(inside.sum()))


def _finish(work: Work, threshold: Threshold | None) -> None:
    """Have people decide what the model may not; fit again when the labels doubled."""
    while True:
        looked = work.given(*EVIDENCE) > 0
        if not work.ask_undecided(looked | ~work.accepted):
            return
        grown = len(work.training_rows()) >= work.rules.growth * work.trained
        if threshold is not None and grown:
            work.fit()
            _accept(work, threshold)


def ours(data: LabelSet, crowd: Crowd, rules: Rules, seed: int) -> Outcome:
    """Learn, accept under the joint rule, have people decide the rest, certify by an audit."""
    work = Work(data, crowd, rules, seed)
    work.learn()
    _accept(work, _joint)
    _finish(work, _joint)
    return _certified(work)


def under_audit(rules: Rules) -> Rules:
    """Return the rules of a set whose model's labels the release's audit alone judges.

    It begins with a small seed: what it does not know then is asked about by the quarter.
    """
    accept = planned(AcceptancePolicy(AUDITED, min_posterior=rules.by_posterior), rules.bound)
    return replace(
        rules,
        seed=min(rules.seed, SMALL),
        training=min(rules.training, SMALL),
        rule=AUDITED,
        calibration=0,
        growth=accept.growth,
        by_posterior=accept.min_posterior,
    )


def audited(data: LabelSet, crowd: Crowd, rules: Rules, seed: int) -> Outcome:
    """Take what the model is sure of as it is, learn anew often, certify all by an audit."""
    work = Work(data, crowd, under_audit(rules), seed)
    work.learn()
    _stand(work)
    while _ask_until_learned(work):
        if len(work.training_rows()) >= work.rules.growth * work.trained:
            work.fit()
            _stand(work)
    # The audit doubts what stands by as much as its posterior lacks.
    work.doubt[work.accepted] = 1.0 - work.alone[work.accepted].max(axis=1)
    return _certified(work)


def _stand(work: Work) -> None:
    """Let the model's label stand where nobody has looked and its posterior suffices."""
    work.decide()
    stands = model_stands(work.alone, work.proposed, work.rules.by_posterior)
    work.accepted, work.by_model = stands & (work.given(*EVIDENCE) == 0), work.proposed.copy()


def _ask_until_learned(work: Work) -> bool:
    """Ask on where people have begun, and about as many others as a new model waits for."""
    work.decide()
    looked = work.given(*EVIDENCE) > 0
    open_ = (work.label < 0) & (work.given(*EVIDENCE) < work.rules.max_votes) & work.left
    rows = work.training_rows()
    begun = open_ & looked
    coming = int(begun.sum() - begun[rows[:, 0]].sum())
    size = until_learned_anew(work.trained, len(rows), coming, work.rules.growth)
    fresh = np.flatnonzero(open_ & ~looked & ~work.accepted)
    unsure = fresh[np.argsort(work.scores[fresh], kind="stable")]
    return work.ask(np.concatenate([np.flatnonzero(begun), unsure[:size]]), 1, "label") > 0


def _certified(work: Work) -> Outcome:
    """Audit until a certificate; after a failed one people look again, and it is tried anew."""
    policy = GatePolicy(error=work.rules.bound, confidence=1 - work.rules.risk)
    for attempt in range(1, _ATTEMPTS + 1):
        labels = work.labels
        order = _audit_order(work, labels, policy, attempt)
        state, labels = _audited(work, labels, order, policy, attempt)
        if state.certificate.status == "pass":
            return work.outcome(labels, certified=state.certificate.certified)
        confirmed = places_of(order)[: state.certificate.n]
        work.label = labels
        work.basis = work.given(*EVIDENCE)
        work.accepted[:] = False
        work.label[work.basis == 0] = -1
        _finish(work, None)
        work.doubt[confirmed] = 0.0
        _look_again(work, state.certificate.estimate)
    return work.outcome(work.labels, note=f"{_ATTEMPTS} audits failed")


def _audit_order(
    work: Work, labels: Codes, policy: GatePolicy, attempt: int
) -> RandomSample | WeightedSample:
    """Draw the labels as the gate does: evenly, or by doubt where many are expected wrong."""
    there = np.flatnonzero(labels >= 0)
    alone = work.given(*EVIDENCE)[there] == 0
    doubt: Floats = tried_doubt(work.doubt[there], alone, *work.calibrated)
    untried = alone if work.rules.rule == AUDITED else False
    how, _ = choose_audit(doubt, policy, untried=untried)
    if how != WEIGHTED:
        return work.draw(f"audit/{attempt}").part(
            labels[places_of(work.draw(f"audit/{attempt}"))] >= 0
        )
    name = f"audit/{WEIGHTED}/{attempt}"
    return draw_weighted(work.key, name, work.ids[there], audit_chances(doubt))


def _audited(
    work: Work,
    frozen: Codes,
    order: RandomSample | WeightedSample,
    policy: GatePolicy,
    attempt: int,
) -> tuple[AuditState, Codes]:
    """Look in the order, correct what is found wrong, until there is a verdict."""
    places, labels = places_of(order), frozen.copy()
    confirms, missed = work.confirms(frozen, policy)
    fixed: Bools = np.zeros(len(places), dtype=bool)
    while True:
        looks = work.looks(places, frozen[places], "audit", confirms)
        state = audit_state(
            order, fixed, looks, policy, attempt=attempt, confirms=confirms, missed=missed
        )
        found = np.flatnonzero(state.correction >= 0)
        if found.size:
            labels[places[found]] = state.correction[found]
            fixed[found] = True
            continue
        if state.certificate.status != "inconclusive":
            return state, labels
        n = len(state.planned.ids)
        work.ask_others(places[:n], replace(looks, needed=looks.needed[:n]), "audit")


def _look_again(work: Work, error: float) -> None:
    """Have one more person look at the least certain labels, and settle what that unsettles."""
    count = looks_again(work.doubt, error, work.rules.bound)
    worst = np.argsort(-work.doubt, kind="stable")[:count]
    work.ask(worst, 1, "review")
    _finish(work, None)


def plug_in(data: LabelSet, crowd: Crowd, rules: Rules, seed: int) -> Outcome:
    """Do as ours does, accepting down to the sample's own share of errors; no audit."""
    work = Work(data, crowd, rules, seed)
    work.learn()
    _accept(work, _plug_in)
    _finish(work, _plug_in)
    return work.outcome(work.labels)


def told(data: LabelSet, crowd: Crowd, rules: Rules, seed: int) -> Outcome:
    """Do as ours does, told beforehand what every cut-off would come to: the loosest that is good.

    Where none is, people are asked for more certainty until one is.
    """
    work = Work(data, crowd, replace(rules, calibration=0), seed)
    work.learn()
    free = np.flatnonzero(work.given(*EVIDENCE) == 0)
    surest = free[np.argsort(-work.scores[free], kind="stable")]
    for posterior in (rules.posterior, 0.99, 0.998):
        for share in _SHARES:
            tried = work.fork()
            tried.rules = replace(work.rules, posterior=posterior)
            tried.accepted[surest[: int(share * len(free))]] = True
            tried.by_model = tried.proposed
            _finish(tried, None)
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
    work = Work(data, crowd, rules, seed)
    majority = crowd.majority(3)
    order = places_of(work.draw("seed"))
    sample, rest = order[:VALIDATION], order[VALIDATION:]
    learned = rest[: min(rules.training, len(rest) // 2)]
    work.probs = learned_from(data, np.stack([learned, majority[learned]], axis=1))
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
    "labelops, audited": audited,
    "told the error curve": told,
}
"""What is compared, by name."""
