"""Simulated annotators err as documented, and the same way again."""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from scipy.stats import binomtest, chisquare

from labelops.adapters.local_queue import LocalQueue
from labelops.digest import canonical_json
from labelops.errors import NotFoundError, UsageError
from labelops.ports import Answer, Offer
from labelops.schema import Schema
from labelops.tables import VOTES, newest
from labelops.testing.annotators import (
    SimulatedAnnotator,
    alike_pairs,
    anchored,
    confused,
    random_clicker,
    skilled,
    team_of_seven,
    work,
)
from labelops.testing.queues import Wish, items_for, plan_for

DIGITS = Schema("digits", tuple("0123456789"))
PETS = Schema("pets", ("cat", "dog", "eel"))
N = 5_000


def counts(annotator: SimulatedAnnotator, items: int = N) -> npt.NDArray[np.int64]:
    """Return the (K, K) counts of answers to items whose truths take turns; skips left out."""
    classes = annotator.schema.classes
    result = np.zeros((len(classes),) * 2, dtype=np.int64)
    for n in range(items):
        true = n % len(classes)
        said = annotator.answer(Offer(f"i{n}", "label", 1), canonical_json(classes[true]))
        if said.value is not None:
            result[true, classes.index(json.loads(said.value))] += 1
    return result


def truths(items: int, schema: Schema = DIGITS) -> dict[str, str]:
    classes = schema.classes
    return {f"i{n:05}": canonical_json(classes[n % len(classes)]) for n in range(items)}


def fill(queue: LocalQueue, wishes: Sequence[Wish], schema: Schema = DIGITS) -> None:
    queue.send(plan_for(wishes, schema), items_for(wishes), schema, payloads=None)


def said(queue: LocalQueue) -> set[tuple[object, ...]]:
    """Return everything that must not depend on how the work went."""
    votes = newest(VOTES, queue.receive().votes)
    assert votes["vote_id"].is_unique
    columns = ["vote_id", "item_id", "annotator", "value", "status", "purpose", "round", "seconds"]
    return set(votes[columns].fillna(-1).itertuples(index=False, name=None))


@pytest.mark.parametrize("annotator", team_of_seven(DIGITS), ids=lambda a: a.name)
def test_the_team_errs_as_documented(annotator: SimulatedAnnotator) -> None:
    """Measured accuracy and every confusion cell fit the documented ones (p > 1e-4)."""
    found = counts(annotator)
    right = binomtest(int(np.trace(found)), int(found.sum()), annotator.accuracy)
    assert right.pvalue > 1e-4
    expected = annotator.confusion * found.sum(axis=1, keepdims=True)
    # Pool over classes: right answers, errors to the alike class, other errors.
    kinds = np.select([np.eye(10, dtype=bool), expected > 2 * np.median(expected)], [0, 1], 2)
    seen = np.bincount(kinds.ravel(), weights=found.ravel(), minlength=3)
    want = np.bincount(kinds.ravel(), weights=expected.ravel(), minlength=3)
    assert chisquare(seen[want > 0], want[want > 0]).pvalue > 1e-4


def test_the_documented_accuracies_are_these() -> None:
    """The team's table in the docstring is what is built: names, accuracies, one random."""
    team = team_of_seven(DIGITS)
    assert {a.name[6:]: round(a.accuracy, 3) for a in team} == {
        "ada": 0.985,
        "bea": 0.975,
        "cem": 0.965,
        "dag": 0.955,
        "eva": 0.95,
        "fay": 0.88,
        "gus": 0.1,
    }
    assert all(a.note for a in team)
    bea, cem = team[1].confusion, team[2].confusion
    assert bea[1, 8] == pytest.approx(0.025 / 2 + 0.025 / 18)
    assert bea[3, 9] == pytest.approx(0.025 / 9)
    assert cem[9, 3] == pytest.approx(0.035 / 2 + 0.035 / 18)


def test_a_wrong_confusion_would_be_noticed() -> None:
    """The accuracy test above has power: 0.95 measured against 0.93 is rejected."""
    found = counts(skilled("human:ann", DIGITS, 0.95))
    assert binomtest(int(np.trace(found)), int(found.sum()), 0.93).pvalue < 1e-4


def test_confused_takes_one_class_for_another() -> None:
    """30 % of cats are called dogs on top of ordinary errors; dogs are not called cats."""
    found = counts(confused("human:ann", PETS, {("cat", "dog"): 0.3}))
    shares = found / found.sum(axis=1, keepdims=True)
    assert shares[0, 1] == pytest.approx(0.3 + 0.7 * 0.01, abs=0.04)
    assert shares[1, 0] < 0.03
    assert shares[2, 2] > 0.96


def test_the_clicker_carries_no_information() -> None:
    """A random clicker's answers are independent of the truth and uniform."""
    found = counts(random_clicker("human:ann", PETS))
    assert chisquare(found.ravel()).pvalue > 1e-4


def test_anchoring_follows_only_what_is_shown() -> None:
    """With p = 0.5 half of the wrong pre-labels are repeated; unseen ones change nothing."""
    ann = skilled("human:ann", PETS, 1.0)
    lazy = anchored(ann, 0.5)
    offers = [Offer(f"i{n}", "label", 1, shown='"dog"') for n in range(2000)]
    repeated = sum(lazy.answer(o, '"cat"').value == '"dog"' for o in offers)
    assert binomtest(repeated, 2000, 0.5).pvalue > 1e-4
    blind = [Offer(o.item_id, "label", 1) for o in offers]
    assert all(lazy.answer(o, '"cat"') == ann.answer(o, '"cat"') for o in blind)


def test_skips_and_seconds_are_as_documented() -> None:
    """A 2 % skipper skips 2 %; the median time is the documented one."""
    ann = replace(skilled("human:ann", PETS, 0.9, skip_rate=0.02), seconds=3.0)
    answers = [ann.answer(Offer(f"i{n}", "label", 1), '"cat"') for n in range(N)]
    assert binomtest(sum(a.value is None for a in answers), N, 0.02).pvalue > 1e-4
    times = np.array([a.seconds for a in answers if a.value is not None])
    assert np.median(times) == pytest.approx(3.0, rel=0.05)
    assert np.log(times).std() == pytest.approx(0.5, rel=0.05)
    assert times.min() > 0


def test_an_answer_depends_on_the_offer_only() -> None:
    """The same offer gets the same answer; item, purpose, round, name and seed each matter."""
    ann = random_clicker("human:ann", DIGITS)

    def stream(who: SimulatedAnnotator, purpose: str = "label", round_: int = 1) -> list[Answer]:
        return [who.answer(Offer(f"i{n}", purpose, round_), '"0"') for n in range(40)]

    def values(answers: list[Answer]) -> tuple[str | None, ...]:
        return tuple(a.value for a in answers)

    base = stream(ann)
    assert stream(random_clicker("human:ann", DIGITS)) == base
    assert [ann.answer(a.offer, '"0"') for a in reversed(base)] == base[::-1]
    others = [
        stream(ann, purpose="audit"),
        stream(ann, round_=2),
        stream(random_clicker("human:bob", DIGITS)),
        stream(random_clicker("human:ann", DIGITS, seed=1)),
    ]
    assert len({values(o) for o in [base, *others]}) == 5


def test_alike_pairs_fall_back_to_neighbours() -> None:
    """Digits have known look-alikes; any other schema pairs its classes in order."""
    assert ("1", "8") in alike_pairs(DIGITS)
    assert alike_pairs(Schema("s", ("a", "b", "c", "d", "e"))) == [("a", "b"), ("c", "d")]


def test_what_makes_no_annotator_is_refused() -> None:
    """Wrong shapes, rows that do not sum to one, odd names, rates and truths are errors."""
    good = np.eye(3)
    with pytest.raises(UsageError, match="K × K"):
        SimulatedAnnotator("human:a", PETS, np.eye(2))
    with pytest.raises(UsageError, match="sum to 1"):
        SimulatedAnnotator("human:a", PETS, good * 0.5)
    with pytest.raises(UsageError, match="human:ann"):
        SimulatedAnnotator("a", PETS, good)
    with pytest.raises(UsageError, match="range"):
        SimulatedAnnotator("human:a", PETS, good, skip_rate=1.0)
    with pytest.raises(UsageError, match="no class"):
        skilled("human:a", PETS, 0.9).answer(Offer("x", "label", 1), '"fox"')


# --- working -------------------------------------------------------------------------------


def test_work_fills_every_seat(tmp_path: Path) -> None:
    """Every offer gets exactly its number of answers, by different people, skips included."""
    queue, truth = LocalQueue(tmp_path), truths(200)
    fill(queue, [Wish(i, annotators=1 + n % 3) for n, i in enumerate(truth)])
    done = work(queue, team_of_seven(DIGITS), truth)
    assert done == sum(1 + n % 3 for n in range(200))
    votes = queue.receive().votes
    given = votes[votes["status"] == "given"]
    assert not given.duplicated(["item_id", "annotator"]).any()
    assert given.groupby("item_id").size().tolist() == [1 + n % 3 for n in range(200)]
    assert work(queue, team_of_seven(DIGITS), truth) == 0


def test_seats_are_dealt_evenly(tmp_path: Path) -> None:
    """Nobody gets all the easy or all the early items: each of seven gets about a seventh."""
    queue, truth = LocalQueue(tmp_path), truths(1400)
    fill(queue, [Wish(i) for i in truth])
    work(queue, team_of_seven(DIGITS), truth)
    assert chisquare(queue.receive().votes["annotator"].value_counts()).pvalue > 1e-4


@pytest.mark.slow
def test_work_in_pieces_is_the_same_work(tmp_path: Path) -> None:
    """Stopping after any number of answers and going on gives the same votes."""
    truth = truths(60)
    wishes = [Wish(i, annotators=2) for i in truth]
    team = [replace(a, skip_rate=0.2) for a in team_of_seven(DIGITS)]
    whole, pieces = LocalQueue(tmp_path / "whole"), LocalQueue(tmp_path / "pieces")
    fill(whole, wishes)
    fill(pieces, wishes)
    total = work(whole, team, truth)
    assert work(pieces, team, truth, limit=13) == 13
    assert len(pieces.receive().votes) < total
    assert work(pieces, team, truth, limit=1) == 1
    assert work(pieces, team, truth) == total - 14
    assert said(pieces) == said(whole)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_killed_work_is_the_same_work(tmp_path: Path) -> None:
    """A worker killed between any two calls of the queue, and run again, gives the same votes."""
    truth = truths(12)
    wishes = [Wish(i, annotators=2) for i in truth]
    team = [replace(a, skip_rate=0.2) for a in team_of_seven(DIGITS)]
    whole, killed = LocalQueue(tmp_path / "whole"), LocalQueue(tmp_path / "killed")
    fill(whole, wishes)
    fill(killed, wishes)
    work(whole, team, truth)
    for calls in (8, 9, 11, 16, 20):
        pid = os.fork()
        if pid == 0:
            work(_Deadly(killed, calls), team, truth)
            os._exit(0)
        assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == -signal.SIGKILL
    work(killed, team, truth)
    assert said(killed) == said(whole)


class _Deadly:
    """Hands that work one answer a call and kill their process at a call."""

    def __init__(self, queue: LocalQueue, calls: int) -> None:
        self.queue, self.calls = queue, calls

    def _count(self) -> None:
        self.calls -= 1
        if self.calls == 0:
            os.kill(os.getpid(), signal.SIGKILL)

    def offers(self, annotator: str, limit: int | None = None) -> list[Offer]:
        self._count()
        return self.queue.offers(annotator, limit)

    def answer(self, annotator: str, offer: Offer, value: str, seconds: float = 1.0) -> None:
        self._count()
        self.queue.answer(annotator, offer, value, seconds)

    def skip(self, annotator: str, offer: Offer) -> None:
        self._count()
        self.queue.skip(annotator, offer)

    def edit(self, annotator: str, offer: Offer, value: str) -> None:
        self.queue.edit(annotator, offer, value)

    def delete(self, annotator: str, offer: Offer) -> None:
        self.queue.delete(annotator, offer)


def test_an_unknown_item_is_an_error(tmp_path: Path) -> None:
    """Work on an item without a truth is refused by name; so are two people of one name."""
    queue = LocalQueue(tmp_path)
    fill(queue, [Wish("x")])
    with pytest.raises(NotFoundError, match="'x' has no truth"):
        work(queue, team_of_seven(DIGITS), {})
    with pytest.raises(UsageError, match="one name"):
        work(queue, [skilled("human:a", DIGITS, 0.9)] * 2, {})


@pytest.mark.slow
def test_work_is_fast_enough(tmp_path: Path) -> None:
    """The embedded queue takes at least 2,000 answers a second of processor time."""
    queue, truth = LocalQueue(tmp_path), truths(20_000)
    fill(queue, [Wish(i, annotators=2) for i in truth])
    start = time.process_time()
    done = work(queue, team_of_seven(DIGITS), truth)
    assert done == 40_000
    assert done / (time.process_time() - start) > 2_000
