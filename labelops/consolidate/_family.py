"""What the Dawid–Skene family shares: the loop over its two steps, for any M step.

A method of the family is one function from `SkillCounts`, which add up over shards, to `Skills`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import reduce
from typing import TypeAlias

import numpy as np
from numpy.typing import ArrayLike

from labelops.errors import UsageError
from labelops.measure.brief import brief
from labelops.measure.codes import FloatArray, check_probs
from labelops.measure.given import check_each, check_steps
from labelops.measure.votes import Votes

from ._answers import Answers
from ._confusions import Confusions
from ._em import KindCounts, Shard, SkillCounts
from .counts import vote_shares

__all__ = [
    "DawidSkene",
    "Maximise",
    "Skills",
    "Start",
    "Stop",
    "believed",
    "check_shards",
    "check_start",
    "fit_votes",
    "rates",
    "started",
]

_FLOOR = 1e-12


@brief
@dataclass(frozen=True, slots=True)
class DawidSkene:
    """What EM found.

    Attributes
    ----------
    posterior : (N, K) float
        Belief about each item's class; far too sure of itself, see `evidence`. An item without a
        vote has the class prior.
    skills : Confusions
        What was learned of annotators.
    class_prior : (K,) float
        Share of each class.
    iterations : int
        EM steps taken.
    converged : bool
        Whether the last step moved no posterior by more than the tolerance.
    kinds : tuple of KindCounts
        Where the beginnings of EBCC that count ended, for it to go on from; empty of others.
    """

    posterior: FloatArray
    skills: Confusions = field(repr=False)
    class_prior: FloatArray
    iterations: int
    converged: bool
    kinds: tuple[KindCounts, ...] = field(default=(), repr=False)

    @property
    def confusion(self) -> FloatArray:
        """P(given class | true class) by annotator, true class (row), given class (column).

        (A, K, K), made when asked for. An annotator without a vote has even rows.
        """
        return np.asarray(self.skills)


@dataclass(frozen=True, slots=True)
class Skills:
    """What the E step needs to know.

    Attributes
    ----------
    answers : Answers
        The P pairs of annotator and class given that occur.
    log_rates : (P, K) float
        Log probability of each annotator's class given (row) under each true class (column).
    log_prior : (K,) float
        Log share of each class.
    confusions : callable
        Makes probabilities of them, and of what nobody gave.
    """

    answers: Answers
    log_rates: FloatArray
    log_prior: FloatArray
    confusions: Callable[[], Confusions] = field(repr=False)


Maximise: TypeAlias = Callable[[SkillCounts], Skills]
Stop: TypeAlias = "Callable[[Sequence[Shard], SkillCounts, Skills], bool]"
Start: TypeAlias = "ArrayLike | DawidSkene | None"


def fit_votes(
    shards: Sequence[Votes],
    maximise: Maximise,
    *,
    start: Start = None,
    max_iterations: int,
    tolerance: float,
    stop: Stop | None = None,
) -> DawidSkene:
    """Alternate the E step with this M step until no posterior moves.

    Parameters
    ----------
    shards : sequence of Votes
        Disjoint items, the same annotators and classes; their counts are added up.
    maximise : callable
        The M step.
    start : (N, K) array-like or DawidSkene, optional
        A posterior to begin with (one shard only), or an earlier result, whose skills are
        believed first; annotators it did not know come after those it did.
    max_iterations, tolerance
        Most steps, and the movement of a posterior that counts as none.
    stop : callable, optional
        After each step, whether it was the last, instead of that movement.

    Raises
    ------
    UsageError
        No shard, shards that differ, or a start that does not fit them.
    """
    check_shards(shards)
    check_steps(max_iterations, tolerance)
    answers = Answers.of(shards)
    held = [Shard(votes, _beliefs(votes, start, len(shards)), answers) for votes in shards]
    skills = _earlier(start, answers) if isinstance(start, DawidSkene) else None
    if skills is None:
        skills = maximise(reduce(SkillCounts.merge, [s.count() for s in held]))
    iterations, converged = 0, False
    while iterations < max_iterations and not converged:
        steps = [s.update(skills.log_rates, skills.log_prior) for s in held]
        counts = reduce(SkillCounts.merge, steps)
        skills = maximise(counts)
        iterations += 1
        converged = counts.moved <= tolerance if stop is None else stop(held, counts, skills)
    return DawidSkene(
        held[0].posterior if len(held) == 1 else np.concatenate([s.posterior for s in held]),
        skills.confusions(),
        np.exp(skills.log_prior - np.logaddexp.reduce(skills.log_prior)),
        iterations,
        converged,
    )


def check_shards(shards: Sequence[Votes]) -> None:
    """Refuse no shard, what is none, and shards of other annotators or classes than the first.

    Raises
    ------
    UsageError
        There is none, one is something else, or they differ.
    """
    given = check_each("shards", shards, Votes, "`pack_votes`")
    if not given:
        raise UsageError("expected at least one shard of votes")
    if len({(v.n_annotators, v.n_classes) for v in given}) > 1:
        raise UsageError("shards differ in annotators or classes; number them alike")


def check_start(start: DawidSkene, votes: Votes | Answers) -> None:
    """Refuse an earlier result of more annotators, or of other classes.

    Raises
    ------
    UsageError
        It is one.
    """
    known = start.skills
    if known.n_classes != votes.n_classes or known.n_annotators > votes.n_annotators:
        raise UsageError(
            f"start knows {known.n_annotators} annotators and {known.n_classes} classes, expected "
            f"at most {votes.n_annotators} annotators and {votes.n_classes} classes"
        )


def started(votes: Votes, start: Start, shards: int) -> FloatArray:
    """Return what a start believes of a shard's items, (N, K).

    A posterior is of the items of one shard; an earlier result's annotators say it of any.
    """
    held = Shard(votes, _beliefs(votes, start, shards))
    skills = _earlier(start, held.answers) if isinstance(start, DawidSkene) else None
    if skills is not None:
        held.update(skills.log_rates, skills.log_prior)
    return held.posterior


def believed(votes: Votes, skills: Skills) -> FloatArray:
    """Return what annotators of these skills say of the items, (N, K)."""
    held = Shard(votes, np.zeros((votes.n_items, votes.n_classes)), skills.answers)
    held.update(skills.log_rates, skills.log_prior)
    return held.posterior


def rates(answers: Answers, pseudo: FloatArray, total: FloatArray) -> FloatArray:
    """Make (P, K) counts the log share of each answer, by each annotator's sum, (Q + 1, K)."""
    logs = np.log(total)
    for some in answers.blocks():
        np.log(pseudo[some], out=pseudo[some])
        pseudo[some] -= logs[answers.person[some]]
    return pseudo


def _beliefs(votes: Votes, start: Start, shards: int) -> FloatArray:
    if start is None or isinstance(start, DawidSkene):
        return vote_shares(votes)
    posterior = check_probs(start, votes.n_classes)
    if shards > 1 or len(posterior) != votes.n_items:
        raise UsageError(
            f"start has {len(posterior)} rows, expected {votes.n_items} items in one shard"
        )
    return np.array(posterior, dtype=np.float64, order="C")


def _earlier(start: DawidSkene, answers: Answers) -> Skills | None:
    """Return skills to begin with: who is not known yet is taken for the mean of those who are.

    None where nobody is, as after a day without votes: where no vote tells one class from
    another every item is alike, and EM stays there.
    """
    check_start(start, answers)
    known = start.skills
    told = known.told()
    if not told.any():
        return None
    told, mean = np.pad(told, (0, answers.n_annotators - told.size)), known.mean(told)
    here = told[answers.cells // answers.n_classes]
    given = mean.T[answers.code]
    given[here] = known.rows(answers.cells[here])

    def confusions() -> Confusions:
        """Say what was begun with; of use only where no step is taken."""
        table = np.tile(mean, (answers.n_annotators, 1, 1))
        table[told] = known.table(np.flatnonzero(told))
        table = np.maximum(table, _FLOOR)
        return Confusions.of_table(table / table.sum(axis=2, keepdims=True))

    return Skills(
        answers,
        np.log(np.maximum(given, _FLOOR)),
        np.log(np.maximum(start.class_prior, _FLOOR)),
        confusions,
    )
