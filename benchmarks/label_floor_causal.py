"""What certified labels would cost at least, of a pipeline that knows only what its votes bought.

``python -m benchmarks.label_floor_causal [--seeds 20]`` asks, as `benchmarks.label_floor` does, for
labels of the tickets by RTE's workers at a certified 2 %. Nothing is known before the first vote.
After every 25 votes the pipeline is told the true class of each item that somebody has looked at:

- it is what the model learns from, after every fifty items, and by what it chooses whom to ask;
- items are looked at once each, evenly or those that the model is least sure of (fifty at random to
  begin with), until so many are known; then all get votes, one after the other, until the likeliest
  class is as probable as a threshold asks;
- who looks is whoever comes, or the best by the true record so far: one, five or ten of the twenty,
  once everybody has been tried, or ten for all looks but each item's first; or whoever Thompson's
  draws from the records name;
- everybody's confusion matrix, and the temperature that suits the true classes best, are told when
  votes are read; how many items the model learns from, and the threshold, are chosen after the
  fact;
- nobody's own truth labels an item: the model's probability of it is by others;
- the audit is the even and exact one of `label_floor`, beside it one drawn by doubt; the best by
  record look.

The last table takes these gifts away one at a time.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np
import pandas as pd

from benchmarks._asked import Asked, Who
from benchmarks._label_sets import TEAM, LabelSet, label_set
from benchmarks.label_floor import (
    BOUND,
    FOLDS,
    RISK,
    Array,
    Codes,
    Cost,
    KnownCrowd,
    Mask,
    audited,
    looks,
)
from labelops.adapters.sklearn_labeler import SklearnLabeler
from labelops.adapters.text_vectors import TextVectors
from labelops.adapters.wordllama_encoder import WordLlamaEncoder
from labelops.gate.candidate import attempt_risk
from labelops.measure.calibration import apply_temperature, fit_temperature
from labelops.measure.finite import tolerated_errors
from labelops.measure.weighted import audit_chances, log_e_values_count, weighted_order

STEP, MOST = 50, 400
LEARNED = (100, 150, 200, 250, 300, 350, 400)
THRESHOLDS = (0.85, 0.9, 0.93, 0.95, 0.97)
LOW = (0.85, 0.9, 0.93)
WHO = {
    "in turn": Who(TEAM),
    "in turn, doubts to the best half": Who(10, later=True),
    "best half": Who(10, tries=1),
    "best quarter": Who(5, tries=1),
    "the best one": Who(1, tries=1),
    "Thompson": Who(0),
}
DRAWS = 5
"""Random orders of items, and models that learn from them; crowds take them in turn."""


@dataclass(frozen=True)
class Learned:
    """A model that learned the true classes of the items that were looked at first.

    Parameters
    ----------
    order : (n,) int array
        Of items, as people looked at them.
    probs : (N, K) float array
        Of each item, by others' true classes; not tempered.
    """

    order: Codes
    probs: Array

    def tempered(self, truth: Codes, by: Codes | slice = slice(None)) -> Array:
        """Return the probabilities at the temperature that suits these items' truth best."""
        found: Array = apply_temperature(self.probs, fit_temperature(self.probs[by], truth[by]))
        return found / found.sum(axis=1, keepdims=True)


def learning(
    tickets: LabelSet, vectors: TextVectors | None, draw: int, hardest: bool
) -> Iterator[Learned]:
    """Learn from ever more looked-at items, at random or those that the last model doubts most."""
    truth, ids = tickets.truth, tickets.ids
    items = pd.DataFrame(
        {"item_id": ids, "payload": tickets.payloads, "payload_digest": ids, "group": ids}
    )
    labeler = SklearnLabeler(folds=FOLDS, vectors=vectors)
    labeler.read(items, tickets.schema)
    left = np.random.default_rng([draw, 7]).permutation(len(ids))
    known = left[:0]
    while len(known) < MOST:
        known, left = np.concatenate([known, left[:STEP]]), left[STEP:]
        rows = np.sort(known)
        labeler.fit(items.loc[rows], truth[rows].tolist(), items["group"][rows], tickets.schema)
        said = labeler.propose(items, tickets.schema)["probs"]
        model = Learned(known, np.maximum(np.stack(said.to_list()), 1e-9))
        if len(known) in LEARNED:
            yield model
        if hardest:
            left = np.sort(left)
            left = left[np.argsort(model.probs[left].max(axis=1), kind="stable")]


@dataclass(frozen=True)
class Ended:
    """Labels of all items, ready to be audited.

    Parameters
    ----------
    votes : int
    wrong : (N,) bool array
    doubt : (N,) float array
        One less the posterior of each label.
    look : (N,) int array
        Votes that a look at each takes.
    agree : (N,) float array
        Chance that who looks next names the label's class, given the true one.
    """

    votes: int
    wrong: Mask
    doubt: Array
    look: Codes
    agree: Array

    @classmethod
    def of(cls, asked: Asked, chances: Array) -> Ended:
        """Take the likeliest classes as labels."""
        label, order = chances.argmax(axis=1), asked.order()
        said = np.take_along_axis(asked.said, order, axis=1)
        crowd = KnownCrowd(said, np.log(asked.matrices)[order, :, said])
        following = order[np.arange(len(label)), asked.count]
        return cls(
            int(asked.count.sum()), label != asked.truth, 1 - chances.max(axis=1),
            looks(label, asked.count, crowd), asked.matrices[following, asked.truth, label],
        )  # fmt: skip


def audited_by_doubt(end: Ended, rng: np.random.Generator) -> float:
    """Return the votes of an audit drawn by doubt, seven tenths even, that certifies the bound."""
    odds = audit_chances(end.doubt)
    order = weighted_order(rng.uniform(1e-18, 1, len(odds)), odds)
    return float(end.look[order[: _enough(end.wrong[order], order, odds)]].sum())


def _enough(wrong: Mask, order: Codes, odds: Array) -> int:
    """Return at which look the e-process certifies, all errors so far corrected."""
    wanted, tolerated = -np.log(attempt_risk(1, RISK)), tolerated_errors(BOUND, len(wrong))
    found = np.cumsum(wrong)
    for errors in range(int(found[-1]) + 1):
        upto = int(np.searchsorted(found, errors, side="right"))
        against = log_e_values_count(wrong[:upto], order[:upto], odds, tolerated + errors)
        there = (np.maximum.accumulate(against) >= wanted) & (found[:upto] == errors)
        if there.any():
            return int(there.argmax()) + 1
    return len(wrong)


@dataclass(frozen=True)
class Gifts:
    """What is told that a pipeline would have to estimate.

    Parameters
    ----------
    finds : bool
        No look agrees with a wrong label. Else the audit's steps allow for the chance of it, which
        is told, rounded down to a whole percent.
    temperature : bool
        That which suits all items' true classes, not those looked at only.
    matrices : bool
        People's true ones, not those of their true record.
    """

    finds: bool = True
    temperature: bool = True
    matrices: bool = True


FEWER = (
    Gifts(),
    Gifts(finds=False),
    Gifts(finds=False, temperature=False),
    Gifts(finds=False, temperature=False, matrices=False),
)


Endings = Mapping[tuple[int, float], Sequence[Ended]]


def endings(
    tickets: LabelSet, models: Sequence[Sequence[Learned]], who: Who, seeds: int, gifts: Gifts
) -> Endings:
    """Label the tickets once per crowd, by the items learned and the threshold."""
    found: dict[tuple[int, float], list[Ended]] = {}
    for seed in range(seeds):
        asked = Asked.of_rte(tickets, seed, who)
        for model in models[seed % len(models)]:
            asked.ask(model.order[int(asked.count.sum()) :])
            by = slice(None) if gifts.temperature else model.order
            probs = model.tempered(tickets.truth, by)
            for threshold in THRESHOLDS:
                one = asked.fork()
                chances = one.ask_until(probs, threshold, told=gifts.matrices)
                found.setdefault((len(model.order), threshold), []).append(Ended.of(one, chances))
    return found


def evenly(ends: Sequence[Ended], threshold: float, finds: bool = True) -> Cost:
    """Audit by even draws."""
    agree = np.concatenate([e.agree[e.wrong] for e in ends])
    missed = 0.0 if finds or not agree.size else float(np.floor(100 * agree.mean())) / 100
    rows = [
        (e.votes, e.wrong.sum(), audited(e.wrong, e.look, np.random.default_rng(seed), missed))
        for seed, e in enumerate(ends)
    ]
    return Cost.of(threshold, rows, len(ends[0].wrong))


def by_doubt(ends: Sequence[Ended], threshold: float) -> Cost:
    """Audit by doubt, once."""
    rows = [
        (e.votes, e.wrong.sum(), audited_by_doubt(e, np.random.default_rng(seed)))
        for seed, e in enumerate(ends)
    ]
    return Cost.of(threshold, rows, len(ends[0].wrong))


def least(found: Endings, finds: bool = True) -> tuple[int, Cost]:
    """Return the cheapest end of all under an even audit, and how many items it learned from."""
    costs = [(many, evenly(ends, t, finds)) for (many, t), ends in found.items()]
    return min(costs, key=lambda one: one[1].every)


def least_by_doubt(found: Endings) -> Cost:
    """Return the cheapest end under an audit by doubt, of the low thresholds' best: it helps there.

    Which number of items learned is best at a threshold is read from even audits.
    """
    costs = []
    for threshold in LOW:
        some = {key: ends for key, ends in found.items() if key[1] == threshold}
        costs.append(by_doubt(some[least(some)[0], threshold], threshold))
    return min(costs, key=lambda one: one.every)


def main() -> None:
    """Print the tables: votes per 1,000 labels, by words and by vectors."""
    options = argparse.ArgumentParser(description="The least that labels cost who learns by votes.")
    options.add_argument("--seeds", type=int, default=20)
    options.add_argument("--reads", nargs="+", choices=("words", "vectors"), default=["vectors"])
    asked = options.parse_args()
    tickets, gifts = label_set("tickets"), list[str]()
    cells = "asked until | label | wrong | audit | all, ± s.e. | fewer | by doubt | looks miss"
    print(f"| model reads | learned | who looks | of them | {cells} |\n{'|---' * 3}{'|---:' * 9}|")
    for reads, order in product(asked.reads, ("evenly", "hardest")):
        vectors = TextVectors(WordLlamaEncoder()) if reads == "vectors" else None
        models = [list(learning(tickets, vectors, d, order == "hardest")) for d in range(DRAWS)]
        for name, who in WHO.items():
            found = endings(tickets, models, who, asked.seeds, Gifts())
            many, cost = least(found)
            rest = f"{least_by_doubt(found).every:,.0f} | {least(found, finds=False)[1].total}"
            print(f"| {reads} | {order} | {name} | {many} | {cost} | {rest} |", flush=True)
        if order == "hardest":
            gifts += [_without_gifts(tickets, models, name, asked.seeds) for name in WHO]
    print("\n| who looks | all gifts | looks miss | and temperature | and matrices |")
    print("|---|" + "---:|" * len(FEWER) + "\n" + "\n".join(gifts))


def _without_gifts(
    tickets: LabelSet, models: Sequence[Sequence[Learned]], name: str, seeds: int
) -> str:
    """Return a row of what it takes, with ever fewer gifts."""
    cells = []
    for gifts in FEWER:
        found = endings(tickets, models, WHO[name], seeds, gifts)
        cells.append(least(found, gifts.finds)[1].total)
    return f"| {name} | {' | '.join(cells)} |"


if __name__ == "__main__":
    main()
