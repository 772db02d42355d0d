"""What certified labels would cost at least: told everything that a pipeline has to pay for.

``python -m benchmarks.label_floor [--seeds 20]`` prints, for tickets and RTE's workers at 2 %, what
labels and their audit cost if

- the model was taught by the true classes of nine tenths of the *other* items, for nothing, and
  its probabilities have the temperature that suits the true classes best;
- or, as the second table has it, it was taught by the true classes of only as many items, which
  people then have to look at once at least: drawn evenly, or those that the first model finds
  hardest;
- people look in the order in which they come, or those with the best matrices first: a half or a
  quarter of the twenty, who then have nearly all the work;
- everybody's confusion matrix is known, and each item gets votes, one after the other, until the
  likeliest class is as probable as a threshold asks, which is chosen after the fact;
- the audit is the exact one of a release, at the first attempt's risk, each error it finds is
  corrected, and a look that contradicts the label is settled by further votes, read with the known
  matrices, once a class has nine chances in ten.

No pipeline whose people come in such an order, whose model is no better than that and whose release
is audited so can take fewer votes. In the first table it has to buy the labels that its model
learns from, too; in the second the model learns from labels of which each took a vote.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from itertools import product

import numpy as np
import numpy.typing as npt
import pandas as pd

from benchmarks._label_sets import TEAM, LabelSet, label_set, measured_skills, most_alike
from labelops.adapters.sklearn_labeler import SklearnLabeler
from labelops.adapters.text_vectors import TextVectors
from labelops.adapters.wordllama_encoder import WordLlamaEncoder
from labelops.gate.candidate import attempt_risk
from labelops.measure.calibration import apply_temperature, fit_temperature
from labelops.measure.staircase import step_looks

Array = npt.NDArray[np.float64]
Codes = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]

BOUND, RISK = 0.02, 0.05
FOLDS, VOTES, SETTLED, AUDITS = 10, 8, 0.9, 10
THRESHOLDS = (0.85, 0.9, 0.93, 0.95, 0.97, 0.98)
LEARNED = (200, 250, 300, 350, 400)
FIRST = {"in turn": 1.0, "best half": 0.5, "best quarter": 0.25}


def taught_by_the_truth(
    tickets: LabelSet, vectors: TextVectors | None, learned: Mask | None = None
) -> Array:
    """Return each item's probabilities by a model that learned others' true classes.

    Of items in `learned` (by default all) it knows nine tenths, drawn without the item itself; of
    the others nothing.
    """
    truth, schema = tickets.truth, tickets.schema
    ids = [f"i{n:05d}" for n in range(len(truth))]
    items = pd.DataFrame(
        {"item_id": ids, "payload": tickets.payloads, "payload_digest": ids, "group": ids}
    )
    known = np.ones(len(truth), dtype=bool) if learned is None else learned
    fold = np.full(len(truth), FOLDS)
    fold[known] = np.random.default_rng(0).permutation(known.sum()) % FOLDS
    probs = np.zeros((len(truth), len(schema.classes)))
    for held in np.unique(fold):
        labeler = SklearnLabeler(folds=2, vectors=vectors)
        labeler.read(items, schema)
        others = known & (fold != held)
        some = items.loc[others]
        labeler.fit(some, truth[others].tolist(), some["group"].tolist(), schema)
        said = labeler.propose(items.loc[fold == held], schema)["probs"]
        probs[fold == held] = np.stack(said.to_list())
    probs = np.maximum(probs, 1e-9)
    found: Array = apply_temperature(probs, fit_temperature(probs, truth))
    return found / found.sum(axis=1, keepdims=True)


def rte_matrices(tickets: LabelSet, seed: int) -> Array:
    """Return P(vote | class) of the twenty that `label_set` draws: person, class, vote."""
    K = len(tickets.schema.classes)
    rng = np.random.default_rng([seed, 1])
    skills = measured_skills()
    right = skills[rng.choice(len(skills), TEAM, replace=False)][:, rng.permutation(K) % 2]
    # As in `label_set`: half of the errors name the class most alike, the others any.
    share = np.full((K, K), 0.5 / (K - 1))
    share[np.arange(K), most_alike(tickets.features, tickets.truth)] += 0.5
    chance = (1 - right)[:, :, None] * share
    chance[:, np.arange(K), np.arange(K)] = right
    matrices: Array = np.maximum(chance, 1e-12)
    return matrices


@dataclass(frozen=True)
class KnownCrowd:
    """Votes of people whose matrices are known.

    Parameters
    ----------
    said : (N, M) int array
        The class that each names, in the order in which people look.
    seen : (N, M, K) float array
        Log P(vote | class) of each vote.
    """

    said: Codes
    seen: Array

    @classmethod
    def of_rte(cls, tickets: LabelSet, seed: int, first: float = 1.0) -> KnownCrowd:
        """Draw twenty of RTE's workers as `label_set` draws them; the best share looks first."""
        crowd, chance = tickets.crowds["rte"](seed), rte_matrices(tickets, seed)
        right = chance.diagonal(axis1=1, axis2=2)
        best = right.mean(axis=1).argsort()[::-1][: round(first * TEAM)]
        order = (~np.isin(crowd.who, best)).argsort(axis=1, kind="stable")
        who, said = (np.take_along_axis(a, order, axis=1) for a in (crowd.who, crowd.said))
        return cls(said, np.log(chance)[who, :, said])


def labeled(
    probs: Array, crowd: KnownCrowd, threshold: float, looked_at: Mask | None = None
) -> tuple[Codes, Codes]:
    """Ask until a class is likely enough; return each item's class and how many votes it took.

    Items in `looked_at` take one at least.
    """
    logs = np.log(probs)[None] + np.concatenate(
        [np.zeros((1, *probs.shape)), crowd.seen[:, :VOTES].cumsum(axis=1).swapaxes(0, 1)]
    )
    chance = np.exp(logs - logs.max(axis=2, keepdims=True))
    chance /= chance.sum(axis=2, keepdims=True)
    sure = chance.max(axis=2) >= threshold
    if looked_at is not None:
        sure[0, looked_at] = False
    votes = np.where(sure.any(axis=0), sure.argmax(axis=0), VOTES)
    return chance.argmax(axis=2)[votes, np.arange(len(probs))], votes


def looks(label: Codes, begun: Codes, crowd: KnownCrowd) -> Codes:
    """Count the votes that a blind look at each label takes, of people who have not seen it."""
    cost = np.ones(len(label), dtype=np.int64)
    for i in np.flatnonzero(crowd.said[np.arange(len(label)), begun] != label):
        logs = crowd.seen[i, begun[i] : begun[i] + VOTES].cumsum(axis=0)[1:]
        chance = np.exp(logs - logs.max(axis=1, keepdims=True))
        settled = chance.max(axis=1) >= SETTLED * chance.sum(axis=1)
        cost[i] = 2 + (settled.argmax() if settled.any() else len(logs) - 1)
    return cost


def audited(wrong: Mask, cost: Codes, rng: np.random.Generator, missed: float = 0.0) -> float:
    """Return the mean votes of audits that certify the bound, in random orders.

    Steps allow for looks that miss an error with the chance `missed`.
    """
    N = len(wrong)
    steps = np.array([_looks_with(errors, N, missed) for errors in range(int(wrong.sum()) + 1)])
    taken = []
    for _ in range(AUDITS):
        order = rng.permutation(N)
        enough = np.arange(1, N + 1) >= steps[np.cumsum(wrong[order])]
        taken.append(cost[order[: 1 + enough.argmax()]].sum())
    return float(np.mean(taken))


@cache
def _looks_with(errors: int, size: int, missed: float) -> int:
    """Return how many looks certify with so many errors, all corrected; all where no fewer do."""
    steps = step_looks(BOUND, attempt_risk(1, RISK), size, corrected=errors, missed=missed)
    return min(int(steps[errors]), size) if errors < len(steps) else size


@dataclass(frozen=True)
class Cost:
    """What a label set took, per 1,000 labels, over seeds.

    Parameters
    ----------
    threshold : float
        Asked until a class was so probable.
    label, wrong, audit : float
        Votes for labels, share of them wrong before the audit, votes of the audit: means.
    every, spread : float
        All votes: mean and standard error, NaN of one seed.
    """

    threshold: float
    label: float
    wrong: float
    audit: float
    every: float
    spread: float

    @classmethod
    def of(cls, threshold: float, rows: npt.ArrayLike, items: int) -> Cost:
        """Take the means of label votes, wrong labels and audit votes, a row each seed."""
        label, errors, audit = 1_000 / items * np.array(rows, dtype=np.float64).T
        every = label + audit
        spread = every.std(ddof=1) / np.sqrt(len(every)) if len(every) > 1 else np.nan
        means = label.mean(), errors.mean() / 1_000, audit.mean(), every.mean()
        return cls(threshold, *means, spread)

    @property
    def total(self) -> str:
        """Return all votes as a cell."""
        return f"{self.every:,.0f} ± {self.spread:.0f}"

    def __str__(self) -> str:
        """Return the cells of a row."""
        return (
            f"{self.threshold:g} | {self.label:,.0f} | {self.wrong:.2%} | {self.audit:,.0f} | "
            f"{self.total} | {1 - self.every / 3_000:.1%}"
        )


def cost(
    truth: Codes,
    crowds: Sequence[KnownCrowd],
    probs: Array,
    threshold: float,
    looked_at: Mask | None = None,
) -> Cost:
    """Label and audit the tickets once per crowd."""
    rows = []
    for seed, crowd in enumerate(crowds):
        label, votes = labeled(probs, crowd, threshold, looked_at)
        wrong = label != truth
        audit = audited(wrong, looks(label, votes, crowd), np.random.default_rng(seed))
        rows.append((votes.sum(), wrong.sum(), audit))
    return Cost.of(threshold, rows, len(truth))


def least_cost(
    truth: Codes, crowds: Sequence[KnownCrowd], probs: Array, looked_at: Mask | None = None
) -> Cost:
    """Return what the cheapest threshold costs."""
    found = [cost(truth, crowds, probs, t, looked_at) for t in THRESHOLDS]
    return min(found, key=lambda one: one.every)


def main() -> None:
    """Print the tables: votes per 1,000 labels, by words and by vectors."""
    options = argparse.ArgumentParser(description="The least that certified labels can cost.")
    options.add_argument("--seeds", type=int, default=20)
    asked = options.parse_args()
    tickets = label_set("tickets")
    truth = tickets.truth
    crowds = {
        name: [KnownCrowd.of_rte(tickets, seed, share) for seed in range(asked.seeds)]
        for name, share in FIRST.items()
    }
    cells = "asked until | label | wrong | audit | all, ± s.e. | fewer |"
    readers = {"words": None, "vectors": TextVectors(WordLlamaEncoder())}
    knowing = {name: taught_by_the_truth(tickets, vectors) for name, vectors in readers.items()}
    print(f"| model reads | who looks | {cells}\n|---|---|---:|---:|---:|---:|---:|---:|")
    for (name, probs), (first, crowd) in product(knowing.items(), crowds.items()):
        least = least_cost(truth, crowd, probs)
        print(f"| {name} | {first} | {least} |", flush=True)
    print(f"\n| model reads | who looks | learned | of them | right | {cells}")
    print("|---|---|---|---:|---:|---:|---:|---:|---:|---:|---:|")
    evenly = np.random.default_rng(1).permutation(len(truth))
    for name, vectors in readers.items():
        orders = {"evenly": evenly, "hardest": np.argsort(knowing[name].max(axis=1))}
        for (drawn, order), many in product(orders.items(), LEARNED):
            learned = np.isin(np.arange(len(order)), order[:many])
            probs = taught_by_the_truth(tickets, vectors, learned)
            right = (probs.argmax(axis=1) == truth).mean()
            for first, crowd in crowds.items():
                least = least_cost(truth, crowd, probs, learned)
                print(
                    f"| {name} | {first} | {drawn} | {many} | {right:.1%} | {least} |", flush=True
                )


if __name__ == "__main__":
    main()
