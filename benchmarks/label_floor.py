"""What certified labels would cost at least: told everything that a pipeline has to pay for.

``python -m benchmarks.label_floor [--seeds 20]`` prints, for tickets and RTE's workers at 2 %, what
labels and their audit cost if

- the model was taught by the true classes of nine tenths of the *other* items, for nothing, and
  its probabilities have the temperature that suits the true classes best;
- everybody's confusion matrix is known, and each item gets votes, one after the other, until the
  likeliest class is as probable as a threshold asks, which is chosen after the fact;
- the audit is the exact one of a release, at the first attempt's risk, each error it finds is
  corrected, and a look that contradicts the label is settled by further votes, read with the known
  matrices, once a class has nine chances in ten.

No pipeline whose people take turns, whose model is no better than that and whose release is audited
blind can take fewer votes. It has to buy the labels that its model learns from.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass

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

BOUND, RISK = 0.02, 0.05
FOLDS, VOTES, SETTLED, AUDITS = 10, 8, 0.9, 10
THRESHOLDS = (0.8, 0.85, 0.9, 0.93, 0.95, 0.97, 0.98, 0.985, 0.99)


def taught_by_the_truth(tickets: LabelSet, vectors: TextVectors | None) -> Array:
    """Return each item's probabilities by a model that learned all other tenths' true classes."""
    truth, schema = tickets.truth, tickets.schema
    ids = [f"i{n:05d}" for n in range(len(truth))]
    items = pd.DataFrame(
        {"item_id": ids, "payload": tickets.payloads, "payload_digest": ids, "group": ids}
    )
    fold = np.random.default_rng(0).permutation(len(truth)) % FOLDS
    probs = np.zeros((len(truth), len(schema.classes)))
    for held in range(FOLDS):
        labeler = SklearnLabeler(folds=2, vectors=vectors)
        labeler.read(items, schema)
        some = items.loc[fold != held]
        labeler.fit(some, truth[fold != held].tolist(), some["group"].tolist(), schema)
        said = labeler.propose(items.loc[fold == held], schema)["probs"]
        probs[fold == held] = np.stack(said.to_list())
    probs = np.maximum(probs, 1e-9)
    found: Array = apply_temperature(probs, fit_temperature(probs, truth))
    return found / found.sum(axis=1, keepdims=True)


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
    def of_rte(cls, tickets: LabelSet, seed: int) -> KnownCrowd:
        """Draw twenty of RTE's workers as `label_set` draws them."""
        truth, K = tickets.truth, len(tickets.schema.classes)
        crowd = tickets.crowds["rte"](seed)
        rng = np.random.default_rng([seed, 1])
        skills = measured_skills()
        right = skills[rng.choice(len(skills), TEAM, replace=False)][:, rng.permutation(K) % 2]
        # As in `label_set`: half of the errors name the class most alike, the others any.
        share = np.full((K, K), 0.5 / (K - 1))
        share[np.arange(K), most_alike(tickets.features, truth)] += 0.5
        chance = (1 - right)[:, :, None] * share
        chance[:, np.arange(K), np.arange(K)] = right
        return cls(crowd.said, np.log(np.maximum(chance, 1e-12))[crowd.who, :, crowd.said])


def labeled(probs: Array, crowd: KnownCrowd, threshold: float) -> tuple[Codes, Codes]:
    """Ask until a class is likely enough; return each item's class and how many votes it took."""
    logs = np.log(probs)[None] + np.concatenate(
        [np.zeros((1, *probs.shape)), crowd.seen[:, :VOTES].cumsum(axis=1).swapaxes(0, 1)]
    )
    chance = np.exp(logs - logs.max(axis=2, keepdims=True))
    chance /= chance.sum(axis=2, keepdims=True)
    sure = chance.max(axis=2) >= threshold
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


def audited(wrong: npt.NDArray[np.bool_], cost: Codes, rng: np.random.Generator) -> float:
    """Return the mean votes of audits that certify the bound, in random orders."""
    N, risk = len(wrong), attempt_risk(1, RISK)
    steps = np.array([_looks_with(errors, N, risk) for errors in range(int(wrong.sum()) + 1)])
    taken = []
    for _ in range(AUDITS):
        order = rng.permutation(N)
        enough = np.arange(1, N + 1) >= steps[np.cumsum(wrong[order])]
        taken.append(cost[order[: 1 + enough.argmax()]].sum())
    return float(np.mean(taken))


def _looks_with(errors: int, size: int, risk: float) -> int:
    """Return how many looks certify with so many errors, all corrected; all where no fewer do."""
    steps = step_looks(BOUND, risk, size, corrected=errors)
    return int(steps[errors]) if errors < len(steps) else size


def main() -> None:
    """Print a table: votes per 1,000 labels by threshold, words and vectors."""
    options = argparse.ArgumentParser(description="The least that certified labels can cost.")
    options.add_argument("--seeds", type=int, default=20)
    asked = options.parse_args()
    tickets = label_set("tickets")
    each = 1_000 / len(tickets.truth)
    print("| model reads | asked until | label | wrong | audit | all, ± s.e. | fewer |")
    print("|---|---:|---:|---:|---:|---:|---:|")
    for name, vectors in (("words", None), ("vectors", TextVectors(WordLlamaEncoder()))):
        probs = taught_by_the_truth(tickets, vectors)
        for threshold in THRESHOLDS:
            rows = []
            for seed in range(asked.seeds):
                crowd = KnownCrowd.of_rte(tickets, seed)
                label, votes = labeled(probs, crowd, threshold)
                wrong = label != tickets.truth
                audit = audited(wrong, looks(label, votes, crowd), np.random.default_rng(seed))
                rows.append((votes.sum() * each, wrong.mean(), audit * each))
            label_votes, error, audit = np.mean(rows, axis=0)
            every = np.array([row[0] + row[2] for row in rows])
            spread = every.std(ddof=1) / np.sqrt(len(rows)) if len(rows) > 1 else np.nan
            print(
                f"| {name} | {threshold:g} | {label_votes:,.0f} | {error:.2%} | {audit:,.0f} | "
                f"{every.mean():,.0f} ± {spread:.0f} | {1 - every.mean() / 3_000:.1%} |",
                flush=True,
            )


if __name__ == "__main__":
    main()
