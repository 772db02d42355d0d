"""Made-up crowds for tests of who copies: some answer as one, or nobody does."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from labelops.measure.codes import FloatArray, IntArray
from labelops.measure.votes import Votes, pack_votes

__all__ = ["HONEST", "Crowd", "accuracy", "clique", "experts", "mixed"]


@dataclass(frozen=True, slots=True)
class Crowd:
    """Votes, the true classes, and who copies."""

    votes: Votes
    truth: IntArray
    copiers: tuple[int, ...] = ()


def _answers(truth: IntArray, right: float, classes: int, rng: np.random.Generator) -> IntArray:
    """Answer right so often, and else any other class."""
    wrong = (truth + rng.integers(1, classes, truth.size)) % classes
    return np.where(rng.random(truth.size) < right, truth, wrong)


def _seen(
    said: IntArray, each: int, classes: int, rng: np.random.Generator, tail: float = 0.0
) -> Votes:
    """Let `each` of the people, (people, items), vote on an item; some do more than others."""
    people, n = said.shape
    keen = rng.normal(0, tail, people) + rng.gumbel(size=(n, people))
    who, items = np.argsort(-keen, axis=1)[:, :each].ravel(), np.repeat(np.arange(n), each)
    return pack_votes(
        items, who, said[who, items], n_items=n, n_annotators=people, n_classes=classes
    )  # fmt: skip


def clique(
    rng: np.random.Generator, *, n: int = 600, each: int = 8, classes: int = 3, people: int = 15,
    copiers: int = 5, slips: float = 0.0,
) -> Crowd:  # fmt: skip
    """Let some give the answer of one who is right on six or seven of ten; others are better."""
    truth = rng.integers(classes, size=n)
    skill = rng.uniform(0.75, 0.85, people)
    skill[:copiers] = rng.uniform(0.6, 0.7)
    said = np.stack([_answers(truth, right, classes, rng) for right in skill])
    copied = rng.random((copiers, n)) >= slips
    said[:copiers] = np.where(copied, said[0], said[:copiers])
    seat = rng.permutation(people)
    votes = _seen(said[np.argsort(seat)], each, classes, rng)
    return Crowd(votes, truth, tuple(sorted(seat[:copiers].tolist())))


def alike(rng: np.random.Generator, classes: int, right: float = 0.8) -> Crowd:
    """Everybody is right equally often."""
    truth = rng.integers(classes, size=800)
    said = np.stack([_answers(truth, right, classes, rng) for _ in range(15)])
    return Crowd(_seen(said, 7, classes, rng), truth)


def mixed(rng: np.random.Generator, classes: int, people: int = 20, each: int = 7) -> Crowd:
    """From hardly better than a guess to nearly never wrong; some do far more than others."""
    truth = rng.integers(classes, size=800)
    skill = rng.uniform(1 / classes + 0.05, 0.98, people)
    said = np.stack([_answers(truth, right, classes, rng) for right in skill])
    return Crowd(_seen(said, each, classes, rng, tail=1.0), truth)


def experts(
    rng: np.random.Generator, classes: int, n_experts: int = 4, share: float = 0.25,
    fall: float = 0.5, right: float = 0.97,
) -> Crowd:  # fmt: skip
    """On some items the others take the next class so often; experts do not."""
    truth = rng.integers(classes, size=800)
    lures, said = rng.random(800) < share, []
    for person in range(15):
        own = _answers(truth, right if person < n_experts else 0.8, classes, rng)
        falls = lures & (rng.random(800) < fall) & (person >= n_experts)
        said.append(np.where(falls, (truth + 1) % classes, own))
    return Crowd(_seen(np.stack(said), 7, classes, rng), truth)


def clickers(rng: np.random.Generator, classes: int) -> Crowd:
    """Three click nearly always one class, three any; one answers against, and eight look."""
    truth = rng.integers(classes, size=600)
    said = [np.where(rng.random(600) < 0.93, 0, rng.integers(classes, size=600)) for _ in range(3)]
    said += [rng.integers(classes, size=600) for _ in range(3)]
    said.append(_answers((truth + 1) % classes, 0.8, classes, rng))
    said += [_answers(truth, right, classes, rng) for right in rng.uniform(0.7, 0.9, 8)]
    return Crowd(_seen(np.stack(said), 7, classes, rng), truth)


def schools(rng: np.random.Generator, classes: int, other: float = 0.3) -> Crowd:
    """Five read the guideline in another way than ten, which is another class on some items."""
    truth = rng.integers(classes, size=800)
    read = np.where(rng.random(800) < other, (truth + 1) % classes, truth)
    said = [_answers(read if a < 5 else truth, 0.88, classes, rng) for a in range(15)]
    return Crowd(_seen(np.stack(said), 7, classes, rng), truth)


def files(rng: np.random.Generator, classes: int) -> Crowd:
    """Files of a hundred items are seen by the same people: easy, hard, lured, mostly one class."""
    said = np.full((30, 1000), -1)
    for first in range(0, 1000, 100):
        truth = rng.choice(classes, size=100, p=rng.dirichlet(np.full(classes, 0.3)))
        right = 1 / classes + (1 - 1 / classes) * 0.9 * rng.uniform(0.1, 1)
        lures = rng.random(100) < rng.uniform(0, 0.5)
        for person in rng.choice(30, 7, replace=False):
            falls = lures & (rng.random(100) < 0.5)
            own = np.where(falls, (truth + 1) % classes, _answers(truth, right, classes, rng))
            said[person, first : first + 100] = own
    who, items = np.nonzero(said >= 0)
    votes = pack_votes(
        items, who, said[who, items], n_items=1000, n_annotators=30, n_classes=classes
    )  # fmt: skip
    return Crowd(votes, np.zeros(1000, dtype=np.int64))


HONEST: dict[str, Callable[[np.random.Generator, int], Crowd]] = {
    "alike": alike,
    "nearly never wrong": lambda rng, classes: alike(rng, classes, 0.97),
    "mixed": mixed,
    "five people": lambda rng, classes: mixed(rng, classes, people=5, each=5),
    "few votes a person": lambda rng, classes: mixed(rng, classes, people=200, each=5),
    "lured": lambda rng, classes: experts(rng, classes, n_experts=0, share=0.3),
    "experts": experts,
    "experts, most are misled": lambda rng, classes: experts(rng, classes, 6, 0.4, 0.7, 0.95),
    "clickers": clickers,
    "schools": schools,
    "files": files,
}


def accuracy(belief: FloatArray, truth: IntArray) -> float:
    """Share of right labels, a tie counting its share."""
    best = belief >= belief.max(axis=1, keepdims=True) - 1e-9
    return float((best[np.arange(truth.size), truth] / best.sum(axis=1)).mean())
