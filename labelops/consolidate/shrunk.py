"""Dawid–Skene shrunk to the crowd: annotators of few votes are taken for the crowd's like.

An annotator's confusion is a Dirichlet draw around what the annotator would be expected to do: be
right as often as this annotator's votes say over all classes together (itself shrunk to the
crowd), and when wrong, be wrong as the crowd is. Few votes leave the expectation as it is, many
replace it. Plain Dawid–Skene has K(K-1) numbers to learn from each annotator's votes alone; where
these are few it explains items people find hard by moving them to another class.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import digamma

from labelops.measure.codes import FloatArray
from labelops.measure.given import check_number
from labelops.measure.votes import Votes, pack_votes

from ._answers import Answers
from ._confusions import Confusions
from ._em import Shard, SkillCounts
from ._family import DawidSkene, Skills, Start, check_shards, fit_votes, rates
from .shares import expected_shares

__all__ = [
    "Expected",
    "expected_confusion",
    "shrunk_dawid_skene",
    "shrunk_dawid_skene_shards",
    "shrunk_skills",
]

_ABILITY_VOTES, _ANCHOR = 10.0, 0.5
_BASE = 2.0
_SURE = 1e-6


def shrunk_dawid_skene(
    items: ArrayLike,
    annotators: ArrayLike,
    codes: ArrayLike,
    n_items: int | None = None,
    n_classes: int | None = None,
    *,
    n_annotators: int | None = None,
    weights: ArrayLike | None = None,
    start: Start = None,
    strength: float | None = None,
    ability_votes: float = _ABILITY_VOTES,
    anchor: float = _ANCHOR,
    max_iterations: int = 100,
    tolerance: float = 1e-3,
) -> DawidSkene:
    """Estimate every item's class, with annotators of few votes shrunk to the crowd.

    Deterministic; time and memory are linear in votes and items; neither the order of votes nor
    the number of cores matters.

    Parameters
    ----------
    items, annotators, codes : (V,) array-like of int
        Item, annotator and class of each vote; class -1 (missing) is no vote. An annotator's
        second vote on an item counts as one more.
    n_items, n_classes, n_annotators : int, optional
        N, A and K; one more than the largest number there is when left out.
    weights : (V,) array-like of float, optional
        What each vote counts; 0 leaves it out.
    start : (N, K) array-like or DawidSkene, optional
        A warm start: a posterior, or an earlier result of this family.
    strength : float, optional
        Votes that the expectation of an annotator counts for in each true class; 2 K when left
        out, two a class.
    ability_votes : float
        Votes that the crowd's accuracy counts for in each annotator's.
    anchor : float
        How much the class shares to be expected (`expected_shares`) count for, beside the items:
        0.5 is half as much. It holds back a class that grows by swallowing the items people find
        hard.
    max_iterations, tolerance
        Most EM steps; stop when no posterior moves further than this.

    Raises
    ------
    UsageError
        Arrays differ in length, codes are out of range, or a setting is negative.

    References
    ----------
    Paun, Carpenter, Chamberlain, Hovy, Kruschwitz, Poesio 2018 (hierarchical Dawid–Skene),
    https://doi.org/10.1162/tacl_a_00040

    Examples
    --------
    Ten careful annotators, and one who voted once: too little to call that one a liar.

    >>> items, who = np.repeat(np.arange(30), 10), np.tile(np.arange(10), 30)
    >>> given = np.where((items + who) % 10 == 0, (items + 1) % 3, items % 3)
    >>> found = shrunk_dawid_skene(np.append(items, 0), np.append(who, 10), np.append(given, 1),
    ...                            n_items=30, n_annotators=11, n_classes=3)
    >>> bool((found.posterior.argmax(axis=1) == np.arange(30) % 3).all())
    True
    >>> bool(found.confusion[10, 0, 0] > 0.5)
    True
    """
    votes = pack_votes(
        items, annotators, codes, n_items=n_items, n_annotators=n_annotators,
        n_classes=n_classes, weights=weights,
    )  # fmt: skip
    return shrunk_dawid_skene_shards(
        [votes], start=start, strength=strength, ability_votes=ability_votes, anchor=anchor,
        max_iterations=max_iterations, tolerance=tolerance,
    )  # fmt: skip


def shrunk_dawid_skene_shards(
    shards: Sequence[Votes],
    *,
    start: Start = None,
    strength: float | None = None,
    ability_votes: float = _ABILITY_VOTES,
    anchor: float = _ANCHOR,
    max_iterations: int = 100,
    tolerance: float = 1e-3,
) -> DawidSkene:
    """Do what `shrunk_dawid_skene` does for packed votes, whose items may lie in several shards.

    Only each shard's counts, K for each answer given, would have to travel between machines; see
    `dawid_skene_shards`.

    Examples
    --------
    >>> size = {"n_items": 2, "n_annotators": 2, "n_classes": 2}
    >>> days = [pack_votes([0, 0, 1, 1], [0, 1, 0, 1], given, **size)
    ...         for given in ([0, 0, 1, 1], [1, 1, 0, 1])]
    >>> shrunk_dawid_skene_shards(days).posterior.shape
    (4, 2)
    """
    if strength is not None:
        check_number("shrunk Dawid–Skene: strength", strength, above=True)
    check_number("shrunk Dawid–Skene: ability_votes", ability_votes)
    check_number("shrunk Dawid–Skene: anchor", anchor)
    check_shards(shards)
    n_classes = shards[0].n_classes
    maximise = partial(
        _maximise,
        strength=2.0 * n_classes if strength is None else strength,
        ability_votes=ability_votes,
        anchor=anchor,
        shares=expected_shares(shards),
    )
    return fit_votes(
        shards, maximise, start=start, max_iterations=max_iterations, tolerance=tolerance
    )


def shrunk_skills(votes: Votes, posterior: FloatArray, strengths: Sequence[float]) -> list[Skills]:
    """Learn everybody's skills from what is believed, once for each strength.

    That is how `shrunk_dawid_skene_shards` begins; `believed` is its first step then.

    Parameters
    ----------
    votes : Votes
    posterior : (N, K) float
        C-contiguous.
    strengths : sequence of float
        As in `shrunk_dawid_skene`.

    Examples
    --------
    >>> votes = pack_votes([0, 0], [0, 1], [1, 1], n_items=1, n_annotators=2, n_classes=2)
    >>> (skills,) = shrunk_skills(votes, np.array([[0.4, 0.6]]), [4.0])
    >>> skills.log_rates.shape
    (4, 2)
    """
    counts, shares = Shard(votes, posterior).count(), expected_shares([votes])
    return [
        _maximise(
            counts, strength=strength, ability_votes=_ABILITY_VOTES, anchor=_ANCHOR, shares=shares
        )
        for strength in strengths
    ]


@dataclass(frozen=True, slots=True)
class Expected:
    """What annotators are expected to do: own accuracy, the crowd's kind of mistakes.

    Attributes
    ----------
    answers : Answers
        The P pairs of annotator and class given that occur, of Q annotators.
    ability : (Q + 1, K) float
        Probability of being right under each true class; the last row is of who gave nothing.
    mistakes : (K, K) float
        How mistakes fall on the class given (row) under each true class (column).
    votes : (Q + 1, K) float
        Votes by class believed.
    """

    answers: Answers
    ability: FloatArray
    mistakes: FloatArray
    votes: FloatArray

    def beside(self, counts: SkillCounts, strength: float) -> FloatArray:
        """Add to the votes what is expected of each pair, so many in each true class; (P, K)."""
        found, wrong = np.empty_like(counts.cells), strength * (1 - self.ability)
        right = strength * self.ability
        for some in self.answers.blocks():
            code, person, part = self.answers.code[some], self.answers.person[some], found[some]
            np.multiply(self.mistakes[code], wrong[person], out=part)
            part[np.arange(code.size), code] = right[person, code]
            part += counts.cells[some]
        return found

    def totals(self, strength: float) -> FloatArray:
        """Votes and so many more in each true class, (Q + 1, K)."""
        # It sums to 1, but where with one class there is no mistake to make.
        expected = self.ability + (1 - self.ability) * self.mistakes.sum(axis=0)
        return np.asarray(self.votes + strength * expected)

    def confusions(self, counts: SkillCounts, strength: float) -> Confusions:
        """Mix in what was seen, beside so many votes in each true class."""
        total = self.totals(strength)
        given = self.beside(counts, strength) / total[self.answers.person]
        right, wrong = strength * self.ability / total, strength * (1 - self.ability) / total
        return Confusions(self.answers, given, right, wrong, self.mistakes)


def expected_confusion(counts: SkillCounts, ability_votes: float) -> Expected:
    """Say what each annotator is expected to do: own accuracy, the crowd's kind of mistakes.

    Parameters
    ----------
    counts : SkillCounts
    ability_votes : float
        Votes that the crowd's accuracy counts for in each annotator's.

    Examples
    --------
    >>> votes = pack_votes([0] * 10 + [1] * 10, [0] * 20, [0] * 9 + [1] * 10 + [0], n_items=2,
    ...                    n_annotators=2, n_classes=2)
    >>> expected = expected_confusion(Shard(votes, np.eye(2)).count(), 10.0)
    >>> expected.ability[-1].round(2).tolist()  # no vote: the crowd
    [0.89, 0.89]
    """
    n_classes, votes = counts.classes.size, counts.people
    eye = np.eye(n_classes, dtype=np.bool_)
    crowd, accuracy = _crowd(counts.answers.by_code(counts.cells), eye)
    diagonal = crowd[eye]
    own = votes.sum(axis=1) + ability_votes
    hits = counts.hits + ability_votes * accuracy
    usual = votes @ diagonal + ability_votes * accuracy
    none = own <= 0
    own = np.where(none, 1.0, own)
    shift = np.where(none, 0.0, _logit(hits / own) - _logit(usual / own))
    ability = 1 / (1 + np.exp(-(_logit(diagonal) + shift[:, None])))
    mistakes = np.where(eye, 0.0, crowd)
    # With one class there is no mistake to make.
    mistakes /= np.maximum(mistakes.sum(axis=0), np.finfo(np.float64).tiny)
    return Expected(counts.answers, ability, mistakes, votes)


def _crowd(cells: FloatArray, eye: np.typing.NDArray[np.bool_]) -> tuple[FloatArray, float]:
    """P(given | true) of the crowd, shrunk to even mistakes, and its accuracy over all."""
    n_classes = eye.shape[0]
    accuracy = float((cells[eye].sum() + 0.7) / (cells.sum() + 1))
    accuracy = min(max(accuracy, 1 / n_classes + 0.01), 0.99)
    even = np.where(eye, accuracy, (1 - accuracy) / max(n_classes - 1, 1))
    # Even mistakes count as much as what was seen of the class: what the crowd takes for what
    # is known only through the labels it explains.
    found = cells + (_BASE * n_classes + cells.sum(axis=0)) * even
    return found / found.sum(axis=0), accuracy


def _logit(share: FloatArray) -> FloatArray:
    inside = np.clip(share, _SURE, 1 - _SURE)
    return np.asarray(np.log(inside / (1 - inside)))


def _maximise(
    counts: SkillCounts, *, strength: float, ability_votes: float, anchor: float, shares: FloatArray
) -> Skills:
    answers, expected = counts.answers, expected_confusion(counts, ability_votes)
    pseudo = expected.beside(counts, strength)
    classes = counts.classes + 1 + anchor * counts.classes.sum() * shares
    return Skills(
        answers,
        rates(answers, pseudo, expected.totals(strength)),
        digamma(classes) - digamma(classes.sum()),
        lambda: expected.confusions(counts, strength).normalised(),
    )
