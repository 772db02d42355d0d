"""The one entry from coded votes to calibrated class probabilities: it takes what votes support."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import ArrayLike

from labelops.errors import UsageError
from labelops.measure.brief import brief
from labelops.measure.codes import BoolArray, FloatArray, IntArray, check_codes
from labelops.measure.given import check_flags
from labelops.measure.sizes import sizes_of
from labelops.measure.votes import Votes, check_ints, pack_votes

from ._confusions import Confusions
from ._family import DawidSkene, Start
from .blend import Blend
from .copies import find_copies, nearly_always
from .evidence import gold_softening, soften_all
from .held_out import HeldOut
from .one_voice import count_once, said_as_one, voices
from .policy import METHODS, check_method
from .repeats import left_out
from .run import run_method
from .skill import annotator_confusions, annotator_skill

__all__ = ["METHODS", "CodeConsensus", "consolidate_codes"]

_LEAST_SHARED = 1 / 3
"""Share of votes on an item that has another: with fewer, nobody's mistakes are known from others'
votes, and what is believed of the rest moves few labels and some beliefs the wrong way."""
_LEAST_PEOPLE = 3
_LEAST_PER_ANNOTATOR = 2
_SHARED = 0.1
_COPIES = 0.05
"""Chance that any two who answer for themselves are counted once; it accuses nobody."""
_MOST_CELLS = 1 << 32
"""Numbers in all annotators' confusions, 32 GB of them: more is an id that is no number from 0."""


@brief
@dataclass(frozen=True, slots=True)
class CodeConsensus:
    """Class probabilities of items, and what they rest on.

    Attributes
    ----------
    posterior : (N, K) float
        Calibrated belief about each item's class; rows sum to 1.
    votes : (N,) int
        Votes used for each item, of those who answer as one one.
    accuracy, accuracy_low, accuracy_high : (A,) float
        Estimated share of right votes of each annotator with its 95 % interval, see
        `annotator_skill`; nearly [0, 1] where nobody else's votes tell, NaN without a vote. Those
        who answer as one have one.
    skills : Confusions
        What was learned of annotators.
    class_prior : (K,) float
        Share of each class among the voted items.
    method : str
        What was used, one of `METHODS`.
    reason : str
        Why that one.
    calibration : str
        What the posterior was calibrated on: `gold`; `held-out votes`; `agreement`, where these are
        fewer than 50: items whose votes agree are believed as far as agreement leaves open how
        often a vote is right; or `none`, where no item has two votes.
    temperature : float
        How much it was softened as a whole; 1 is not at all, and gold may make it surer, below 1.
    doubt : float
        What share of belief was then spread evenly, as gold advised; 0 without gold.
    iterations : int
        EM steps; 0 for majority.
    converged : bool
        Whether EM stood still; true for majority.
    weights : mapping of str to float
        What each method counts in a blend; empty otherwise.
    scores : mapping of str to float
        Mean log probability that each blended method gave to held-out votes.
    dependence : float
        How far votes on an item go wrong together beyond what its class explains, in [0, 1]; from
        a blend only, NaN otherwise. Where it is high, more votes of the same people say little
        more, and only gold tells how often all of them err.
    held_out : HeldOut or None
        The held-out votes and what the blend believed of their items; None without a blend.
    learned : Blend or None
        What the blend learned that outlives its items, for a later start.
    copies : tuple of tuple of int
        Annotators who answer as one and were counted once, see `find_copies`; by `auto` only.
    """

    posterior: FloatArray
    votes: IntArray
    accuracy: FloatArray
    accuracy_low: FloatArray
    accuracy_high: FloatArray
    skills: Confusions = field(repr=False)
    class_prior: FloatArray
    method: str
    reason: str
    calibration: str
    temperature: float
    doubt: float
    iterations: int
    converged: bool
    weights: Mapping[str, float]
    scores: Mapping[str, float]
    dependence: float = math.nan
    held_out: HeldOut | None = field(default=None, repr=False)
    learned: Blend | None = field(default=None, repr=False)
    copies: tuple[tuple[int, ...], ...] = ()

    @property
    def confusion(self) -> FloatArray:
        """P(given | true) by annotator, true class (row), given class (column); (A, K, K)."""
        return np.asarray(self.skills)


def consolidate_codes(
    items: ArrayLike,
    annotators: ArrayLike,
    codes: ArrayLike,
    n_items: int | None = None,
    n_classes: int | None = None,
    *,
    method: str = "auto",
    n_annotators: int | None = None,
    use: BoolArray | None = None,
    weights: ArrayLike | None = None,
    gold: ArrayLike | None = None,
    min_gold: int = 30,
    start: ArrayLike | CodeConsensus | None = None,
) -> CodeConsensus:
    """Estimate each item's class probabilities from its votes, by what the votes support.

    Parameters
    ----------
    items, annotators, codes : (V,) array-like of int
        Item, annotator and class of each vote; class -1 (missing) is no vote. When an annotator
        voted twice on an item the later one counts.
    n_items, n_classes : int, optional
        N and K; one more than the largest item and class when left out.
    method : str
        One of `METHODS`. `auto` blends majority, one-coin, IBCC and shrunk Dawid–Skene by how
        well each predicts held-out votes, where a third of the votes are on an item that has
        another, and there are three annotators or more with two such votes on average; else
        majority, because nobody can be told from anybody. Before it blends, `auto` looks for
        annotators who copy one another and counts each such group once; a method that is asked for
        by its name takes votes as they are.
    n_annotators : int, optional
        A; one more than the largest annotator when left out.
    use : (V,) bool, optional
        Votes to use; those of an excluded annotator are False.
    weights : (V,) array-like of float, optional
        What each vote counts.
    gold : (N,) array-like of int, optional
        True classes known from elsewhere, -1 where unknown. They calibrate the posterior and judge
        annotators, they are not mixed into it.
    min_gold : int
        Gold items with votes from which on gold is used; below, annotators predict each other.
    start : (N, K) array-like of float or CodeConsensus, optional
        Warm start: a posterior of these items, or an earlier consensus, whose annotators' skills
        are believed first (annotators it did not know come after those it did). An earlier blend
        also says what its methods are worth while the same people give nearly the same votes (at
        most a twentieth is another), which is most of a blend's work; the others are held against
        each other anew. Items that leave it open may end a little elsewhere than from a cold start.
        EBCC and GLAD start cold.

    Raises
    ------
    UsageError
        Arrays differ in length, codes are out of range, the method is unknown, or annotators'
        numbers are so large that their confusions would not fit into memory.

    Examples
    --------
    >>> found = consolidate_codes([0, 0, 0, 1], [0, 1, 2, 0], [1, 1, 1, 0], 2, 2)
    >>> found.method, found.posterior.argmax(axis=1).tolist(), found.votes.tolist()
    ('majority', [1, 0], [3, 1])
    """
    given, earlier = _pack(items, annotators, codes, n_items, n_classes, n_annotators, use, weights)
    chosen, reason = _choose(given, method)
    copies: tuple[tuple[int, ...], ...] = ()
    if method == "auto" and chosen == "blend" and nearly_always(given, risk=_COPIES):
        copies = find_copies(given, risk=_COPIES).groups
    voice = voices(copies, given.n_annotators)
    votes = count_once(given, voice) if copies else given
    if copies:
        chosen, reason = _choose(votes, method)
    found = run_method(votes, chosen, _start(start, chosen))
    softness, calibration = (found.temperature, 0.0), found.calibration
    by_gold = None
    if gold is not None:
        if np.shape(gold) != (N := votes.n_items,):
            raise UsageError(f"gold: shape {np.shape(gold)}, expected a class for {N} items")
        by_gold = gold_softening(found.posterior, gold, votes.per_item, min_gold)
    if by_gold is not None:
        softness, calibration = by_gold, "gold"
    posterior = soften_all(found.posterior, *softness)
    truth = None if gold is None else check_codes(gold, votes.n_classes)
    skill = annotator_skill(votes, posterior, truth=truth)
    if found.scores:
        reason += f"; {_best(found.scores)} predicts held-out votes best"
    if found.dependence >= _SHARED:
        reason += f"; people share mistakes (dependence {found.dependence:.2f})"
    reason += said_as_one(copies) + left_out(earlier)
    return CodeConsensus(
        posterior, _each_once(votes) if copies else votes.per_item,
        skill.accuracy[voice], skill.low[voice], skill.high[voice],
        annotator_confusions(given, posterior) if copies else skill.skills,
        _shares(posterior, votes.per_item > 0), chosen, reason, calibration, *softness,
        found.iterations, found.converged, found.weights, found.scores, found.dependence,
        found.held_out, found.learned, copies,
    )  # fmt: skip


def _each_once(votes: Votes) -> IntArray:
    """Count annotators on each item, however many votes they have there, (N,)."""
    cells = np.unique(votes.items * np.int64(votes.n_annotators) + votes.annotators)
    return np.bincount(cells // votes.n_annotators, minlength=votes.n_items)


def _pack(
    items: ArrayLike,
    annotators: ArrayLike,
    codes: ArrayLike,
    n_items: int | None,
    n_classes: int | None,
    n_annotators: int | None,
    use: BoolArray | None,
    weights: ArrayLike | None,
) -> tuple[Votes, int]:
    """Pack what counts; say how many votes a later one of the annotator on the item replaced."""
    N, A, K = sizes_of(items, annotators, codes, n_items, n_annotators, n_classes)
    if K < 2:
        raise UsageError(
            f"{K} classes; expected two or more: say with `n_classes` how many there are"
        )
    if A * K**2 > _MOST_CELLS:
        raise UsageError(
            f"confusions of {A} annotators and {K} classes would take {A * K**2 / 2**27:.0f} GB; "
            "number annotators from 0, without gaps"
        )
    code = check_ints("codes", codes, K, lowest=-1)
    if use is not None:
        code = np.where(check_flags("use", use, code.size), code, -1)
    votes = pack_votes(
        items, annotators, code, n_items=N, n_annotators=A, n_classes=K, weights=weights,
        repeats="last",
    )  # fmt: skip
    counting = code >= 0
    if weights is not None:
        counting &= np.asarray(weights) > 0
    return votes, int(np.count_nonzero(counting)) - int(votes.cells.size)


def _choose(votes: Votes, method: str) -> tuple[str, str]:
    """Pick the method the votes support, and say why."""
    check_method(method)
    if method != "auto":
        return method, "asked for"
    if not votes.cells.size:
        return "majority", "there is no vote"
    per_item = votes.per_item
    shared = float(per_item[per_item >= 2].sum())
    share = shared / votes.cells.size
    if share < _LEAST_SHARED:
        return "majority", (
            "no item has two votes"
            if not shared
            else f"only {share:.0%} of the votes are on an item that has another"
        )
    people = int(np.count_nonzero(votes.given.any(axis=1)))
    if people < _LEAST_PEOPLE:
        return "majority", (
            f"fewer than {_LEAST_PEOPLE} annotators: where two differ, nothing tells who is right"
        )
    per_annotator = shared / people
    if per_annotator < _LEAST_PER_ANNOTATOR:
        return "majority", (
            f"annotators have {per_annotator:.1f} votes on average that others can be held "
            "against, too few to tell one from another"
        )
    return "blend", (
        f"{share:.0%} of the votes are on an item that has another, and an annotator gave "
        f"{per_annotator:.0f} such votes on average"
    )


def _start(start: ArrayLike | CodeConsensus | None, method: str) -> Start | Blend:
    if not isinstance(start, CodeConsensus):
        return start
    if method == "blend" and start.learned is not None:
        return start.learned
    none = np.empty((0, start.class_prior.size))
    return DawidSkene(none, start.skills, start.class_prior, 0, True)


def _best(scores: Mapping[str, float]) -> str:
    return max(scores, key=lambda name: scores[name])


def _shares(posterior: FloatArray, voted: BoolArray) -> FloatArray:
    n_classes = posterior.shape[1]
    shares = posterior.sum(axis=0, where=voted[:, None]) + 1 / n_classes
    return np.asarray(shares / shares.sum())
