"""SIMULATED annotators: made-up people with a documented skill, for tests and demonstrations.

Nobody real answers here. A simulated annotator knows the truth, which no real annotator
does, and errs by a written-down confusion matrix. What they answer depends only on their
seed, their name and the offer (item, purpose, round): not on when, in what order, or how
often they are asked. So a run that was killed and run again has the same votes.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from labelops.errors import NotFoundError, UsageError, shown
from labelops.ports import Answer, BatchHands, Hands, Offer
from labelops.schema import Schema

from .simulated import SimulatedAnnotator, fixed_words

__all__ = [
    "SimulatedAnnotator",
    "alike_pairs",
    "anchored",
    "confused",
    "random_clicker",
    "skilled",
    "team_of_seven",
    "work",
]

Pairs = Sequence[tuple[str, str]]

_BATCH = 500
"""Answers given in one transaction where the queue can: what a killed run gives again."""

_ALIKE_DIGITS: Pairs = (("1", "8"), ("3", "9"), ("5", "6"), ("4", "7"))
"""Handwritten digits that look alike at 8 × 8 pixels."""


def _spread(classes: int, accuracy: float) -> npt.NDArray[np.float64]:
    matrix = np.full((classes, classes), (1 - accuracy) / (classes - 1))
    np.fill_diagonal(matrix, accuracy)
    return matrix


def skilled(
    name: str,
    schema: Schema,
    accuracy: float,
    *,
    alike: Pairs = (),
    skip_rate: float = 0.0,
    seed: int = 0,
) -> SimulatedAnnotator:
    """Make an annotator who is right with probability `accuracy` in every class.

    Parameters
    ----------
    name : str
    schema : Schema
    accuracy : float
        In [0, 1].
    alike : sequence of pairs of class names
        Pairs that look alike to this annotator: half of the errors on one of the pair go to
        the other. All other errors spread evenly.
    skip_rate, seed :
        As in `SimulatedAnnotator`.

    Examples
    --------
    >>> s = Schema("pets", ("cat", "dog", "eel"))
    >>> skilled("human:ann", s, 0.9, alike=[("cat", "dog")]).confusion.round(3).tolist()
    [[0.9, 0.075, 0.025], [0.075, 0.9, 0.025], [0.05, 0.05, 0.9]]
    """
    matrix = _spread(len(schema.classes), accuracy)
    for pair in alike:
        a, b = map(schema.code_of, pair)
        for row, column in ((a, b), (b, a)):
            matrix[row] = np.where(np.arange(len(matrix)) == row, accuracy, matrix[row] / 2)
            matrix[row, column] += (1 - accuracy) / 2
    note = f"right {accuracy:.1%} of the time"
    if alike:
        note += "; half of the errors between " + ", ".join(f"{a} and {b}" for a, b in alike)
    return SimulatedAnnotator(name, schema, matrix, skip_rate, seed=seed, note=note)


def confused(
    name: str,
    schema: Schema,
    pairs: Mapping[tuple[str, str], float],
    *,
    accuracy: float = 0.98,
    seed: int = 0,
) -> SimulatedAnnotator:
    """Make an annotator who systematically takes one class for another.

    Parameters
    ----------
    name : str
    schema : Schema
    pairs : mapping of (true class, answered class) to float
        The share of the true class that is answered so, on top of ordinary errors.
    accuracy : float
        In the other classes.
    seed : int

    Examples
    --------
    >>> s = Schema("pets", ("cat", "dog"))
    >>> confused("human:ann", s, {("cat", "dog"): 0.3}).confusion.round(3).tolist()
    [[0.686, 0.314], [0.02, 0.98]]
    """
    matrix = _spread(len(schema.classes), accuracy)
    for true in {a for a, _ in pairs}:
        extra = {schema.code_of(b): rate for (a, b), rate in pairs.items() if a == true}
        row = schema.code_of(true)
        matrix[row] *= 1 - sum(extra.values())
        for column, rate in extra.items():
            matrix[row, column] += rate
    listed = ", ".join(f"{a} for {b} ({rate:.0%})" for (a, b), rate in pairs.items())
    return SimulatedAnnotator(name, schema, matrix, seed=seed, note=f"takes {listed}")


def random_clicker(name: str, schema: Schema, *, seed: int = 0) -> SimulatedAnnotator:
    """Make an annotator who clicks any class at random, and quickly.

    Examples
    --------
    >>> random_clicker("human:ann", Schema("pets", ("cat", "dog"))).accuracy
    0.5
    """
    matrix = np.full((len(schema.classes),) * 2, 1 / len(schema.classes))
    return SimulatedAnnotator(
        name, schema, matrix, seconds=0.8, seed=seed, note="clicks at random, in under a second"
    )


def anchored(annotator: SimulatedAnnotator, p: float) -> SimulatedAnnotator:
    """Return the same annotator, who repeats a shown pre-label with probability `p`.

    Examples
    --------
    >>> lazy = anchored(skilled("human:ann", Schema("pets", ("cat", "dog")), 0.9), 1.0)
    >>> lazy.answer(Offer("x", "label", 1, shown='"dog"'), '"cat"').value
    '"dog"'
    """
    note = f"{annotator.note}; repeats {p:.0%} of shown pre-labels"
    return replace(annotator, anchoring=p, note=note)


def alike_pairs(schema: Schema) -> list[tuple[str, str]]:
    """Return pairs of classes that look alike: known ones for digits, else neighbours in order.

    Examples
    --------
    >>> alike_pairs(Schema("pets", ("cat", "dog", "eel")))
    [('cat', 'dog')]
    """
    known = [p for p in _ALIKE_DIGITS if set(p) <= set(schema.classes)]
    return known or list(zip(schema.classes[::2], schema.classes[1::2], strict=False))


def team_of_seven(
    schema: Schema, *, alike: Pairs | None = None, seed: int = 0
) -> tuple[SimulatedAnnotator, ...]:
    """Return the demonstration's seven SIMULATED annotators, best first.

    ============ ======== ===================================================================
    name         accuracy how they err
    ============ ======== ===================================================================
    human:ada    .985     evenly
    human:bea    .975     half of the errors within the first alike pair
    human:cem    .965     half of the errors within the second alike pair (if there is one)
    human:dag    .955     half of the errors within alike pairs; skips 2 %
    human:eva    .950     evenly; repeats 20 % of the pre-labels shown
    human:fay    .880     mediocre: half of the errors within alike pairs
    human:gus    1 / K    clicks at random, in under a second
    ============ ======== ===================================================================

    Parameters
    ----------
    schema : Schema
    alike : sequence of pairs of class names, optional
        Pairs that look alike, no class in two of them; `alike_pairs` if not given.
    seed : int

    Examples
    --------
    >>> [f"{a.accuracy:.3f}" for a in team_of_seven(Schema("d", tuple("0123456789")))]
    ['0.985', '0.975', '0.965', '0.955', '0.950', '0.880', '0.100']
    """
    pairs = list(alike_pairs(schema) if alike is None else alike)

    def make(name: str, accuracy: float, pairs: Pairs = (), skip: float = 0) -> SimulatedAnnotator:
        return skilled(f"human:{name}", schema, accuracy, alike=pairs, skip_rate=skip, seed=seed)

    return (
        make("ada", 0.985),
        make("bea", 0.975, pairs[:1]),
        make("cem", 0.965, pairs[1:2]),
        make("dag", 0.955, pairs, 0.02),
        anchored(make("eva", 0.95), 0.2),
        make("fay", 0.88, pairs),
        random_clicker("human:gus", schema, seed=seed),
    )


def work(
    hands: Hands,
    annotators: Iterable[SimulatedAnnotator],
    truth: Mapping[str, str],
    *,
    limit: int | None = None,
) -> int:
    """Let simulated annotators work until nothing is open for any of them.

    Each offer has a fixed random order of the annotators; its seats go to the first ones who
    may look and do not skip. So who answers what, and how, is the same in a run that was
    killed and run again.

    Parameters
    ----------
    hands : Hands
        Used with `answer_many` where it has that.
    annotators : iterable of SimulatedAnnotator
    truth : mapping of item_id to canonical value
    limit : int, optional
        Stop after so many answers.

    Returns
    -------
    int
        Answers given; skips are not counted.

    Raises
    ------
    NotFoundError
        If an item that is offered has no truth.
    UsageError
        If two annotators have one name.
    """
    crew = list(annotators)
    people = {a.name: a for a in crew}
    if len(people) != len(crew):
        raise UsageError("two simulated annotators have one name; name them apart")
    given, left = 0, math.inf if limit is None else limit
    while left > 0 and (turns := _turns(hands, people)):
        for name, offers in _cut(turns, left):
            answers = [_informed(people[name], offer, truth) for offer in offers]
            _give(hands, name, answers)
            done = sum(a.value is not None for a in answers)
            given, left = given + done, left - done
    return given


_Turns = dict[tuple[str, str, int], tuple[int, str, Offer]]


def _turns(hands: Hands, names: Iterable[str]) -> list[tuple[str, Offer]]:
    """Find, for each open offer in serving order, whose turn it is."""
    first: _Turns = {}
    for name in names:
        for offer in hands.offers(name):
            key = (offer.item_id, offer.purpose, offer.round)
            rank = fixed_words("turn", name, offer)[0]
            if key not in first or (rank, name) < first[key][:2]:
                first[key] = (rank, name, offer)
    return [(name, offer) for _, name, offer in first.values()]


def _cut(turns: list[tuple[str, Offer]], left: float) -> Iterator[tuple[str, list[Offer]]]:
    """Give everybody their offers in batches, the first `left` offers only."""
    by_name: dict[str, list[Offer]] = {}
    for name, offer in turns[: None if math.isinf(left) else int(left)]:
        by_name.setdefault(name, []).append(offer)
    for name, offers in by_name.items():
        for start in range(0, len(offers), _BATCH):
            yield name, offers[start : start + _BATCH]


def _informed(annotator: SimulatedAnnotator, offer: Offer, truth: Mapping[str, str]) -> Answer:
    if offer.item_id not in truth:
        raise NotFoundError(f"item {shown(offer.item_id)} has no truth; simulation needs one")
    return annotator.answer(offer, truth[offer.item_id])


def _give(hands: Hands, name: str, answers: Sequence[Answer]) -> None:
    if isinstance(hands, BatchHands):
        hands.answer_many(name, answers)
        return
    for said in answers:
        if said.value is None:
            hands.skip(name, said.offer)
        else:
            hands.answer(name, said.offer, said.value, said.seconds)
