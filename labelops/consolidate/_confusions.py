"""Annotators' confusions, kept in the numbers that were learned: one for what nobody ever gave.

What an annotator never gave follows from few numbers: the chance of being right and of being wrong
under each class, and how mistakes fall, which is the same for the whole crowd. All confusions of
many annotators or classes at once are far more numbers than votes.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from labelops.measure.codes import BoolArray, FloatArray, IntArray

from ._answers import Answers
from ._em import SkillCounts

__all__ = ["Confusions", "pseudo_confusions"]

_FLOOR = 1e-12
_BLOCK = 1 << 20
"""Numbers of confusions that are looked at in one go."""


@dataclass(frozen=True, slots=True)
class Confusions:
    """P(given | true) of A annotators; `np.asarray` gives (A, K, K): annotator, true, given.

    Attributes
    ----------
    answers : Answers
        The P pairs of annotator and class given that occur, of Q annotators.
    given : (P, K) float
        Probability of each of them under each true class.
    right, wrong : (Q + 1, K) float
        Probability, under each true class, of the true one where it was never given, and what
        mistakes that were never made are multiplied by; the last row is of who gave nothing.
    mistakes : (K, K) float
        Chances of each class given (row) under each true one (column); 0 where they are the same.
    """

    answers: Answers
    given: FloatArray
    right: FloatArray
    wrong: FloatArray
    mistakes: FloatArray

    @classmethod
    def of_table(cls, table: FloatArray) -> Confusions:
        """Keep an (A, K, K) table as it is."""
        people, n_classes = table.shape[:2]
        rows = table.transpose(0, 2, 1).reshape(people * n_classes, n_classes)
        even = np.full((people + 1, n_classes), 1 / max(n_classes, 1))
        mistakes = np.ones((n_classes, n_classes)) - np.eye(n_classes)
        return cls(Answers.all(people, n_classes), rows, even, even, mistakes)

    @property
    def n_annotators(self) -> int:
        """A."""
        return self.answers.n_annotators

    @property
    def n_classes(self) -> int:
        """K."""
        return self.answers.n_classes

    def normalised(self) -> Confusions:
        """Let each true class's probabilities sum to 1."""
        answers = self.answers
        place, code = np.arange(answers.code.size), answers.code
        unseen = self.mistakes[code]  # what those mistakes would be, had nobody made them
        total = self.wrong * (self.mistakes.sum(axis=0) - answers.by_person(unseen))
        unseen[:] = 0.0
        unseen[place, code] = 1.0
        total = np.maximum(total, 0.0) + self.right * (1 - answers.by_person(unseen))
        total += answers.by_person(self.given)
        given = self.given / total[answers.person]
        return Confusions(answers, given, self.right / total, self.wrong / total, self.mistakes)

    def rows(self, cells: IntArray) -> FloatArray:
        """Give P(given | true) for some cells, `annotator * K + given`, under each true class."""
        who, code = np.divmod(cells, self.n_classes)
        person, place = self.answers.persons(who), self.answers.found(cells)
        found = self.mistakes[code] * self.wrong[person]
        found[np.arange(code.size), code] = self.right[person, code]
        seen = place >= 0
        found[seen] = self.given[place[seen]]
        return np.asarray(found)

    def table(self, people: IntArray) -> FloatArray:
        """Give the confusions of some annotators, (people, true, given)."""
        n_classes = self.n_classes
        person = self.answers.persons(people)
        found = self.wrong[person][:, :, None] * self.mistakes.T
        classes = np.arange(n_classes)
        found[:, classes, classes] = self.right[person]
        ends = np.append(self.answers.starts, self.answers.starts[-1:])
        many = ends[person + 1] - ends[person]
        at = np.repeat(ends[person] - (np.cumsum(many) - many), many) + np.arange(many.sum())
        row = np.repeat(np.arange(person.size), many)
        found[row, :, self.answers.code[at]] = self.given[at]
        return np.asarray(found)

    def told(self) -> BoolArray:
        """Say whose answers tell one true class from another, (A,)."""
        answers = self.answers
        found = np.zeros(answers.people.size + 1, dtype=np.bool_)
        found[answers.person[np.ptp(self.given, axis=1) > _FLOOR]] = True
        ids = np.append(answers.people, _nobody(answers))
        open_ = np.flatnonzero(~found & (ids >= 0))
        step = max(1, _BLOCK // max(self.n_classes, 1) ** 2)
        for first in range(0, open_.size, step):
            some = open_[first : first + step]
            found[some] = np.ptp(self.table(ids[some]), axis=1).max(axis=1, initial=0.0) > _FLOOR
        return np.asarray(found[answers.persons(np.arange(self.n_annotators))])

    def mean(self, among: BoolArray) -> FloatArray:
        """Average over some annotators, (true, given)."""
        answers = self.answers
        person = answers.persons(np.flatnonzero(among))
        many = np.bincount(person, minlength=answers.people.size + 1).astype(np.float64)
        seen = many[answers.person][:, None]
        right = np.broadcast_to(many @ self.right, self.mistakes.shape)
        wrong = np.broadcast_to(many @ self.wrong, self.mistakes.shape)
        right = right - answers.by_code(seen * self.right[answers.person])
        wrong = wrong - answers.by_code(seen * self.wrong[answers.person])
        unseen = np.where(np.eye(self.n_classes) > 0, right, wrong * self.mistakes)
        total = np.maximum(unseen, 0.0) + answers.by_code(seen * self.given)
        return np.asarray(total.T / person.size)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> FloatArray:
        del copy  # There is none to share.
        found = self.table(np.arange(self.n_annotators))
        return found if dtype is None else found.astype(dtype)


def _nobody(answers: Answers) -> int:
    """Find an annotator who gave none of the answers; -1 where there is none."""
    silent = np.flatnonzero(answers.persons(np.arange(answers.n_annotators)) == answers.people.size)
    return int(silent[0]) if silent.size else -1


def pseudo_confusions(
    counts: SkillCounts, right: float, wrong: float, of: Callable[..., FloatArray] | None = None
) -> Confusions:
    """Share out votes, and so many more for each right and each wrong cell.

    Parameters
    ----------
    counts : SkillCounts
    right, wrong : float
    of : callable, optional
        From votes and their sum to a share; their ratio when left out.
    """
    share = np.divide if of is None else of
    answers, n_classes = counts.answers, counts.classes.size
    pseudo = counts.cells + wrong
    pseudo[np.arange(answers.code.size), answers.code] += right - wrong
    total = answers.by_person(counts.cells) + (right + (n_classes - 1) * wrong)
    even = 1 - np.eye(n_classes)
    return Confusions(
        answers, share(pseudo, total[answers.person]), share(np.full_like(total, right), total),
        share(np.full_like(total, wrong), total), even,
    ).normalised()  # fmt: skip
