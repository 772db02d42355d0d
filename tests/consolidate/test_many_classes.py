"""Of many annotators or classes most answers never occur: the same is found as with all of them.

The oracle is each model written plainly, over the whole (annotators, given, true) table.
"""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
from scipy.special import digamma, gammaln, softmax

from labelops.consolidate import (
    CodeConsensus,
    _answers,
    consolidate_codes,
    dawid_skene_shards,
    ebcc_shards,
    ibcc_shards,
    one_coin_shards,
    shrunk_dawid_skene_shards,
)
from labelops.consolidate._confusions import Confusions
from labelops.consolidate._family import DawidSkene
from labelops.consolidate.counts import vote_shares
from labelops.consolidate.dependence import vote_dependence
from labelops.consolidate.difficulty import fit_glad, glad_shards
from labelops.consolidate.shares import expected_shares
from labelops.consolidate.skill import annotator_confusions
from labelops.measure.codes import FloatArray
from labelops.measure.votes import Votes, pack_votes

Step = Callable[[FloatArray, FloatArray, Votes], FloatArray]


def _votes(seed: int, people: int = 30, n_classes: int = 9, weighed: bool = False) -> Votes:
    """Draw a crowd in which most people never gave most classes, and two never voted."""
    rng, n_items = np.random.default_rng(seed), 40
    truth, items = rng.integers(0, n_classes, n_items), np.repeat(np.arange(n_items), 3)
    who = rng.integers(0, people - 2, items.size)
    codes = np.where(
        rng.random(items.size) < 0.6, truth[items], rng.integers(0, n_classes, items.size)
    )
    weights = rng.integers(1, 4, items.size) / 2 if weighed else None
    size = {"n_items": n_items, "n_annotators": people, "n_classes": n_classes}
    votes = pack_votes(items, who, codes, weights=weights, **size)
    assert np.unique(votes.cells).size < people * n_classes / 2
    return votes


def _counts(votes: Votes, posterior: FloatArray) -> FloatArray:
    """Count by annotator, class given and class believed, one vote after the other."""
    found = np.zeros((votes.n_annotators, votes.n_classes, votes.n_classes))
    weights = np.ones(votes.cells.size) if votes.weights is None else votes.weights
    for item, who, code, weight in zip(
        votes.items, votes.annotators, votes.codes, weights, strict=True
    ):
        found[who, code] += weight * posterior[item]
    return found


def _plain(
    votes: Votes, rates: Step, classes: Callable[[FloatArray], FloatArray], steps: int
) -> tuple[FloatArray, FloatArray]:
    """Run so many steps of EM over the whole table; return posterior and confusions."""
    posterior = vote_shares(votes)
    weights = np.ones(votes.cells.size) if votes.weights is None else votes.weights
    for step in range(steps + 1):
        shares = posterior.sum(axis=0)
        table, prior = rates(_counts(votes, posterior), shares, votes), classes(shares)
        if step < steps:
            logs = np.tile(prior, (votes.n_items, 1))
            np.add.at(logs, votes.items, weights[:, None] * table[votes.annotators, votes.codes])
            posterior = softmax(logs, axis=1)
    found = np.exp(table)
    return posterior, (found / found.sum(axis=1, keepdims=True)).transpose(0, 2, 1)


def _dawid_skene(counts: FloatArray, shares: FloatArray, votes: Votes) -> FloatArray:
    pseudo = counts + 0.01
    return np.asarray(np.log(pseudo / pseudo.sum(axis=1, keepdims=True)))


def _ibcc(counts: FloatArray, shares: FloatArray, votes: Votes) -> FloatArray:
    pseudo = counts + 1 + 3 * np.eye(votes.n_classes)
    return np.asarray(digamma(pseudo) - digamma(pseudo.sum(axis=1, keepdims=True)))


def _one_coin(counts: FloatArray, shares: FloatArray, votes: Votes) -> FloatArray:
    size = votes.n_classes
    hits, given = np.einsum("akk->a", counts), counts.sum(axis=(1, 2))
    crowd = (hits.sum() + 1) / (given.sum() + 2)
    right, wrong = digamma(hits + 10 * crowd), digamma(given - hits + 10 * (1 - crowd))
    either = (right[:, None, None], wrong[:, None, None] - np.log(size - 1))
    return np.where(np.eye(size) > 0, *either)


def _logit(share: FloatArray) -> FloatArray:
    inside = np.clip(share, 1e-6, 1 - 1e-6)
    return np.asarray(np.log(inside / (1 - inside)))


def _expected(counts: FloatArray) -> FloatArray:
    size = counts.shape[1]
    eye, cells = np.eye(size) > 0, counts.sum(axis=0)
    accuracy = min(max((cells[eye].sum() + 0.7) / (cells.sum() + 1), 1 / size + 0.01), 0.99)
    even = np.where(eye, accuracy, (1 - accuracy) / (size - 1))
    crowd = cells + (2 * size + cells.sum(axis=0)) * even
    crowd /= crowd.sum(axis=0)
    own = counts.sum(axis=(1, 2)) + 10
    hits = np.einsum("akk->a", counts) + 10 * accuracy
    usual = counts.sum(axis=1) @ crowd[eye] + 10 * accuracy
    shift = _logit(hits / own) - _logit(usual / own)
    ability = 1 / (1 + np.exp(-(_logit(crowd[eye]) + shift[:, None])))
    mistakes = np.where(eye, 0.0, crowd)
    mistakes /= mistakes.sum(axis=0)
    return np.where(eye, ability[:, None, :], mistakes * (1 - ability)[:, None, :])


def _shrunk(counts: FloatArray, shares: FloatArray, votes: Votes) -> FloatArray:
    pseudo = counts + 2 * votes.n_classes * _expected(counts)
    return np.asarray(np.log(pseudo / pseudo.sum(axis=1, keepdims=True)))


def _anchored(votes: Votes) -> Callable[[FloatArray], FloatArray]:
    anchor = expected_shares([votes])

    def classes(shares: FloatArray) -> FloatArray:
        pseudo = shares + 1 + 0.5 * shares.sum() * anchor
        return np.asarray(digamma(pseudo) - digamma(pseudo.sum()))

    return classes


def _even(votes: Votes) -> Callable[[FloatArray], FloatArray]:
    return lambda shares: np.full(shares.size, -np.log(shares.size))


def _counted(votes: Votes) -> Callable[[FloatArray], FloatArray]:
    return lambda shares: np.asarray(np.log((shares + 0.01) / (shares + 0.01).sum()))


MODELS: dict[str, tuple[Any, Step, Any]] = {
    "dawid_skene": (dawid_skene_shards, _dawid_skene, _counted),
    "ibcc": (ibcc_shards, _ibcc, _anchored),
    "one_coin": (one_coin_shards, _one_coin, _even),
    "shrunk": (shrunk_dawid_skene_shards, _shrunk, _anchored),
}


@pytest.mark.usefixtures("kernels")
@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("seed", range(4))
def test_as_over_the_whole_table(name: str, seed: int) -> None:
    """Posterior and everybody's confusion, what nobody gave included, are the plain model's."""
    fit, rates, classes = MODELS[name]
    votes = _votes(seed, weighed=seed % 2 == 1)
    posterior, confusion = _plain(votes, rates, classes(votes), 12)
    found = fit([votes], max_iterations=12, tolerance=0.0)
    np.testing.assert_allclose(found.posterior, posterior, rtol=0, atol=1e-11)
    np.testing.assert_allclose(found.confusion, confusion, rtol=0, atol=1e-11)


def test_ebcc_as_over_the_whole_table() -> None:
    """Two beginnings of two kinds, weighed by a bound over all cells."""
    votes, kinds, steps = _votes(5), 2, 6
    size, rng = votes.n_classes, np.random.default_rng(3)
    base = (1 + 3 * np.eye(size))[:, :, None] * np.ones(kinds)
    shares = vote_shares(votes)
    begins = [
        rng.dirichlet(np.ones(kinds), shares.shape) * shares[:, :, None] for _ in range(2)
    ]  # fmt: skip
    believed, bounds = [], []
    for belief in begins:
        for step in range(steps + 1):
            cells = np.zeros((votes.n_annotators, size, size, kinds))
            for item, who, code in zip(votes.items, votes.annotators, votes.codes, strict=True):
                cells[who, code] += belief[item]
            of_kind = belief.sum(axis=0) + 0.1 / kinds
            of_class = belief.sum(axis=(0, 2)) + 1
            if step == steps:
                break
            logs = digamma(cells + base) - digamma((cells + base).sum(axis=1, keepdims=True))
            joint = digamma(of_kind) - digamma(of_kind.sum(axis=1, keepdims=True))
            joint = joint + (digamma(of_class) - digamma(of_class.sum()))[:, None]
            joint = np.tile(joint, (votes.n_items, 1, 1))
            np.add.at(joint, votes.items, logs[votes.annotators, votes.codes])
            belief = softmax(joint, axis=(1, 2))
        believed.append(belief.sum(axis=2))

        def beta(values: FloatArray, axis: int) -> Any:
            return gammaln(values).sum(axis=axis) - gammaln(values.sum(axis=axis))

        flat = np.full(of_kind.shape, 0.1 / kinds)
        bounds.append(
            -(belief * np.log(np.maximum(belief, 1e-300))).sum()
            + beta(of_class, 0) - beta(np.ones(size), 0)
            + (beta(of_kind, 1) - beta(flat, 1)).sum()
            + (beta(cells + base, 1) - beta(base, 0)).sum()
        )  # fmt: skip
    weights = softmax(bounds)
    posterior = weights[0] * believed[0] + weights[1] * believed[1]
    pseudo = _counts(votes, posterior) + base[:, :, 0]
    confusion = (pseudo / pseudo.sum(axis=1, keepdims=True)).transpose(0, 2, 1)
    found = ebcc_shards(
        [votes], kinds=kinds, restarts=2, rng=np.random.default_rng(3), max_iterations=steps,
        tolerance=0.0,
    )  # fmt: skip
    np.testing.assert_allclose(found.posterior, posterior, rtol=0, atol=1e-10)
    np.testing.assert_allclose(found.confusion, confusion, rtol=0, atol=1e-10)


@pytest.mark.parametrize("name", MODELS)
def test_a_start_is_what_its_table_says(name: str) -> None:
    """To go on from skills is to go on from the table of all of them, told from even ones."""
    fit = MODELS[name][0]
    early, votes = _votes(6, people=20, n_classes=9), _votes(7)
    before = fit([early], max_iterations=3)
    table = np.asarray(before.skills)
    told = np.ptp(table, axis=1).max(axis=1) > 1e-12
    np.testing.assert_array_equal(before.skills.told(), told)
    np.testing.assert_allclose(before.skills.mean(told), table[told].mean(axis=0), atol=1e-14)
    cells = np.arange(table.shape[0] * 9)
    rows = table.transpose(0, 2, 1).reshape(-1, 9)
    np.testing.assert_array_equal(before.skills.rows(cells), rows)
    dense = DawidSkene(before.posterior, Confusions.of_table(table), before.class_prior, 3, True)
    for steps in (0, 5):
        one, two = (fit([votes], start=s, max_iterations=steps) for s in (before, dense))
        np.testing.assert_allclose(one.posterior, two.posterior, rtol=0, atol=1e-12)
        np.testing.assert_allclose(one.confusion, two.confusion, rtol=0, atol=1e-12)


def test_ebcc_keeps_answers_that_nobody_gives_now(monkeypatch: pytest.MonkeyPatch) -> None:
    """What was counted yesterday counts, whether or not somebody says it again today."""
    early, votes = _votes(8, people=55), _votes(9, people=60)
    assert np.setdiff1d(early.cells, votes.cells).size
    before = ebcc_shards([early], kinds=2, max_iterations=5)
    found = ebcc_shards([votes], kinds=2, start=before, max_iterations=5)
    monkeypatch.setattr(_answers, "_MOSTLY", 0.0)
    before = ebcc_shards([early], kinds=2, max_iterations=5)
    whole = ebcc_shards([votes], kinds=2, start=before, max_iterations=5)
    assert whole.kinds[0].cells.shape[0] == 60 * 9 > found.kinds[0].cells.shape[0]
    np.testing.assert_allclose(found.posterior, whole.posterior, rtol=0, atol=1e-10)


def test_glad_and_dependence_as_over_the_whole_table() -> None:
    """GLAD's confusions are shares of votes; dependence is the same of a table."""
    votes = _votes(10)
    pseudo = _counts(votes, glad_shards([votes]).posterior).transpose(0, 2, 1) + 0.01
    table = pseudo / pseudo.sum(axis=2, keepdims=True)
    np.testing.assert_allclose(fit_glad(votes).confusion, table, rtol=0, atol=1e-12)
    belief = vote_shares(votes)
    counts = _counts(votes, belief)
    pseudo = counts + 2 * votes.n_classes * _expected(counts)
    table = (pseudo / pseudo.sum(axis=1, keepdims=True)).transpose(0, 2, 1)
    skills = annotator_confusions(votes, belief)
    np.testing.assert_allclose(np.asarray(skills), table, rtol=0, atol=1e-12)
    one, two = vote_dependence(votes, belief, skills), vote_dependence(votes, belief, table)
    assert one == pytest.approx(two, abs=1e-12) and one > 0


@pytest.mark.slow
@pytest.mark.parametrize("method", ["auto", "dawid_skene", "ebcc", "glad"])
@pytest.mark.parametrize("people", [15, 60])
def test_one_entry_as_with_all_answers(
    monkeypatch: pytest.MonkeyPatch, method: str, people: int
) -> None:
    """Beliefs, skills and their intervals do not depend on which answers are counted by."""
    votes = _votes(11, people, 12)
    one, two = (_consolidated(votes, method) for _ in _both(monkeypatch))
    assert one.method == ("blend" if method == "auto" else method)
    for name in ("posterior", "accuracy", "accuracy_low", "accuracy_high", "confusion"):
        np.testing.assert_allclose(getattr(one, name), getattr(two, name), rtol=0, atol=1e-9)


def _consolidated(votes: Votes, method: str) -> CodeConsensus:
    size = {"n_items": votes.n_items, "n_classes": votes.n_classes}
    people = votes.n_annotators
    return consolidate_codes(
        votes.items, votes.annotators, votes.codes, **size, n_annotators=people, method=method
    )


def _both(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Count by the answers that occur, then by all there can be."""
    yield
    monkeypatch.setattr(_answers, "_MOSTLY", 0.0)
    yield


@pytest.mark.slow
def test_room_for_votes_not_for_all_confusions() -> None:
    """What is held grows with votes and items, not with people times classes times classes."""
    rng, n_items, people, n_classes = np.random.default_rng(0), 200, 150, 200
    items = np.repeat(np.arange(n_items), 3)
    who = rng.permutation(np.resize(np.arange(people), items.size))
    codes = np.where(rng.random(items.size) < 0.8, items, items + 1) % n_classes
    tracemalloc.start()
    found = consolidate_codes(items, who, codes, n_items, n_classes, n_annotators=people)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert found.method == "blend"
    assert peak < people * n_classes**2 * 8
    assert found.confusion.shape == (people, n_classes, n_classes)
