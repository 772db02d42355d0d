"""Votes and a model together: each is believed as far as it deserves."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from labelops.consolidate.with_model import WithModel, consolidate_with_model
from labelops.errors import UsageError

K = 4


def _crowd(
    seed: int, accuracy: list[float], n: int = 400, model: float = 0.85
) -> tuple[npt.NDArray[np.int64], ...]:
    """Draw truth, one vote an item, and the model's guesses with uniform errors."""
    rng = np.random.default_rng(seed)
    truth = rng.integers(0, K, n)
    who = rng.integers(0, len(accuracy), n)
    right = rng.random(n) < np.asarray(accuracy)[who]
    votes = np.where(right, truth, (truth + rng.integers(1, K, n)) % K)
    guess = np.where(rng.random(n) < model, truth, (truth + rng.integers(1, K, n)) % K)
    return truth, who, votes, guess


def _probs(guess: npt.NDArray[np.int64], sure: float) -> npt.NDArray[np.float64]:
    probs = np.full((len(guess), K), (1 - sure) / (K - 1))
    probs[np.arange(len(guess)), guess] = sure
    return probs


def _run(seed: int, accuracy: list[float]) -> tuple[WithModel, tuple[npt.NDArray[np.int64], ...]]:
    drawn = _crowd(seed, accuracy)
    truth, who, votes, guess = drawn
    found = consolidate_with_model(
        np.arange(len(truth)), who, votes, _probs(guess, 0.85), len(accuracy)
    )
    return found, drawn


def test_beats_votes_and_model_alone() -> None:
    """One vote an item of a mixed crowd: together they err less than either."""
    found, (truth, _, votes, guess) = _run(1, [0.95, 0.9, 0.8, 0.3])
    together = (found.posterior.argmax(axis=1) == truth).mean()
    assert together > max((votes == truth).mean(), (guess == truth).mean())


def test_finds_the_careless_annotator() -> None:
    """With single votes each annotator's accuracy comes out within 0.1, the clicker's last."""
    accuracy = [0.95, 0.9, 0.8, 0.25]
    found, _ = _run(2, accuracy)
    np.testing.assert_allclose(found.accuracy, accuracy, atol=0.1)
    assert found.accuracy.argmin() == 3


@pytest.mark.slow
@settings(max_examples=25, deadline=None)
@given(st.integers(0, 1000))
def test_order_of_votes_changes_nothing(seed: int) -> None:
    """Votes in another order give the same posterior up to rounding."""
    truth, who, votes, guess = _crowd(seed, [0.9, 0.6], n=40)
    order = np.random.default_rng(seed).permutation(len(votes))
    items, probs = np.arange(len(truth)), _probs(guess, 0.8)
    a = consolidate_with_model(items, who, votes, probs, 2)
    b = consolidate_with_model(items[order], who[order], votes[order], probs, 2)
    np.testing.assert_allclose(a.posterior, b.posterior, atol=1e-9)
    np.testing.assert_allclose(a.posterior.sum(axis=1), 1.0)


def test_order_of_classes_changes_nothing() -> None:
    """Renumbering the classes renumbers the columns and nothing else."""
    truth, who, votes, guess = _crowd(3, [0.9, 0.6], n=60)
    turn = np.array([2, 0, 3, 1])
    probs, items = _probs(guess, 0.8), np.arange(len(truth))
    a = consolidate_with_model(items, who, votes, probs, 2)
    b = consolidate_with_model(items, who, turn[votes], probs[:, np.argsort(turn)], 2)
    np.testing.assert_allclose(b.posterior[:, turn], a.posterior, atol=1e-9)


def test_one_step_by_hand() -> None:
    """Bayes' rule with the accuracy the method itself reports, one vote on one item."""
    found = consolidate_with_model([0], [0], [1], [[0.7, 0.3]], 1)
    accuracy = found.accuracy[0]
    prior = 0.98 * np.array([0.7, 0.3]) + 0.02 / 2
    weight = prior * np.array([1 - accuracy, accuracy])
    np.testing.assert_allclose(found.posterior[0], weight / weight.sum(), atol=1e-5)


def test_items_without_votes_keep_the_model() -> None:
    """Without a vote the (floored) model speaks; without either, nobody knows."""
    found = consolidate_with_model([], [], [], [[0.9, 0.1], [np.nan, np.nan]], 0)
    np.testing.assert_allclose(found.posterior, [[0.892, 0.108], [0.5, 0.5]])


def test_a_model_is_never_sure_beyond_votes() -> None:
    """Several people overrule a model that claims certainty."""
    crowd = np.repeat(np.arange(1, 40), 3)
    items = np.concatenate([[0, 0, 0], crowd])
    votes = np.concatenate([[1, 1, 1], np.zeros(len(crowd), dtype=np.int64)])
    probs = np.tile([1.0, 0.0], (40, 1))
    found = consolidate_with_model(items, np.tile([0, 1, 2], 40), votes, probs, 3)
    assert found.posterior[0].argmax() == 1


@pytest.mark.parametrize("n", [0, 1])
def test_tiny_sets(n: int) -> None:
    """No items, or one, is no special case."""
    found = consolidate_with_model([0] * n, [0] * n, [0] * n, np.full((n, 2), 0.5), 1)
    assert found.posterior.shape == (n, 2)
    assert np.isfinite(found.accuracy).all()


def _followers(seed: int, copies: float, n: int = 1500) -> tuple[npt.NDArray[np.int64], ...]:
    """Draw single votes with the proposal in sight on two of three; some are mere copies."""
    truth, who, votes, guess = _crowd(seed, [0.9, 0.85, 0.8], n=n, model=0.7)
    rng = np.random.default_rng(seed + 1)
    saw = rng.random(n) < 0.67
    follow = saw & (rng.random(n) < copies)
    return truth, who, np.where(follow, guess, votes), guess, saw.astype(np.int64)


@pytest.mark.parametrize("copies", [0.0, 0.4])
def test_copies_are_found(copies: float) -> None:
    """Who saw the proposal and followed it unread is seen by agreeing more than skill explains."""
    truth, who, votes, guess, saw = _followers(4, copies)
    items = np.arange(len(truth))
    found = consolidate_with_model(items, who, votes, _probs(guess, 0.7), 3, saw=saw)
    assert found.copied == pytest.approx(copies, abs=0.15)
    # Some copies are taken for skill: with one model that is always as sure, both look alike.
    np.testing.assert_allclose(found.accuracy, [0.9, 0.85, 0.8], atol=0.08 if not copies else 0.13)


def test_copies_are_not_multiplied_with_what_they_copy() -> None:
    """Followed proposals keep about the model's own chance; taken as votes they would not."""
    truth, who, votes, guess, saw = _followers(5, 0.5)
    items, probs = np.arange(len(truth)), _probs(guess, 0.7)
    agree = (saw == 1) & (votes == guess)
    right = (votes == truth)[agree].mean()
    aware = consolidate_with_model(items, who, votes, probs, 3, saw=saw).posterior
    naive = consolidate_with_model(items, who, votes, probs, 3).posterior
    said = aware[items, votes][agree].mean()
    assert abs(said - right) < 0.05
    assert naive[items, votes][agree].mean() > right + 0.04


def test_a_correction_counts_in_full() -> None:
    """Contradicting a proposal in sight says as much as doing so unprompted."""
    seen = consolidate_with_model([0], [0], [1], [[0.7, 0.3]], 1, saw=[True], max_iterations=0)
    blind = consolidate_with_model([0], [0], [1], [[0.7, 0.3]], 1, max_iterations=0)
    np.testing.assert_allclose(seen.posterior, blind.posterior)


def test_an_over_confident_model_is_softened() -> None:
    """A model that claims .99 and is right in 70 % is softened, and posteriors come true.

    With two votes on an item, that is: one vote and the model only agree or not, and either of
    the two may be the careless one.
    """
    truth, who, votes, guess = _crowd(6, [0.9, 0.85, 0.8], n=1500, model=0.7)
    rng = np.random.default_rng(7)
    other = (who + rng.integers(1, 3, 1500)) % 3
    right = rng.random(1500) < np.array([0.9, 0.85, 0.8])[other]
    more = np.where(right, truth, (truth + rng.integers(1, K, 1500)) % K)
    items = np.tile(np.arange(len(truth)), 2)
    given_by, given = np.concatenate([who, other]), np.concatenate([votes, more])
    found = consolidate_with_model(items, given_by, given, _probs(guess, 0.99), 3)
    assert found.temperature > 1.5
    best = found.posterior.argmax(axis=1)
    assert abs(found.posterior.max(axis=1).mean() - (best == truth).mean()) < 0.04
    honest = consolidate_with_model(items, given_by, given, _probs(guess, 0.7), 3)
    assert honest.temperature < 1.3


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"annotators": [0]}, "differ in length"),
        ({"votes": [0, 2]}, "votes: row 1 is 2"),
        ({"votes": [0.5, 1.0]}, "votes: expected integers"),
        ({"annotators": [0, 2]}, "annotators: row 1 is 2"),
        ({"items": [0, -1]}, "items: row 1 is -1"),
        ({"probs": [0.7, 0.3]}, "probs: shape"),
        ({"probs": [[1.5, -0.5]]}, "negative"),
        ({"probs": [[np.inf, 0.5]]}, "infinite"),
        ({"probs": [[7.0, 3.0]]}, r"probs: row 0 is \[7.0, 3.0\], expected a sum of 1"),
        ({"probs": [[0.0, 0.0]]}, "probs: row 0"),
        ({"probs": [[0.7, np.nan]]}, "probs: row 0 is .* or NaN in all classes"),
        ({"saw": ["no", "yes"]}, "saw: row 0 is 'no', expected true or false"),
        ({"saw": [True, np.nan]}, "saw: row 1 is nan"),
        ({"saw": [True]}, "saw: found shape"),
        ({"drawn": [True, True]}, "drawn: found shape"),
        ({"proposed": [0, 1]}, "proposed: 2 classes"),
        ({"proposed": [2]}, "proposed: row 0 is 2"),
        ({"prior_votes": -1.0}, "prior_votes is -1"),
        ({"prior_votes": np.nan}, "prior_votes is nan"),
    ],
)
def test_wrong_input_is_refused(change: dict[str, Any], message: str) -> None:
    """What does not fit is refused in one line that names it."""
    good = {"items": [0, 0], "annotators": [0, 1], "votes": [0, 1], "probs": [[0.7, 0.3]]}
    with pytest.raises(UsageError, match=message):
        consolidate_with_model(**{**good, "n_annotators": 2, **change})


def test_a_missing_vote_is_none() -> None:
    """Class -1 says nothing, with or without a proposal in sight."""
    probs = [[0.7, 0.3], [0.4, 0.6]]
    one = consolidate_with_model([0, 1], [0, 1], [1, 1], probs, 2, saw=[True, False])
    two = consolidate_with_model(
        [0, 1, 0], [0, 1, 1], [1, 1, -1], probs, 2, saw=[True, False, True]
    )
    np.testing.assert_array_equal(one.posterior, two.posterior)
    np.testing.assert_array_equal(one.accuracy, two.accuracy)


def _alike(seed: int, n: int = 1500) -> tuple[npt.NDArray[np.int64], ...]:
    """Draw two votes an item by five people, right 3 times in 4, who take 0 for 1 and 2 for 3."""
    rng = np.random.default_rng(seed)
    truth = rng.integers(0, K, n)
    who = np.stack([rng.permutation(5)[:2] for _ in range(n)])
    right = rng.random(who.shape) < 0.75
    other = (truth[:, None] + rng.integers(1, K, who.shape)) % K
    wrong = np.where(rng.random(who.shape) < 0.85, truth[:, None] ^ 1, other)
    return truth, who, np.where(right, truth[:, None], wrong)


def test_mistakes_that_all_make_are_learned_and_not_believed_twice() -> None:
    """Two who agree are believed as often as they are right, though both mistook it alike."""
    truth, who, said = _alike(0)
    items = np.repeat(np.arange(len(truth)), 2)
    found = consolidate_with_model(
        items, who.ravel(), said.ravel(), np.full((len(truth), K), 1 / K), 5
    )
    np.testing.assert_allclose(found.errors.sum(axis=1), 1.0)
    assert (found.errors[np.arange(K), np.arange(K) ^ 1] > 0.6).all()
    both = said[:, 0] == said[:, 1]
    believed = found.posterior[np.arange(len(truth)), said[:, 0]][both].mean()
    accuracy = found.accuracy[who]
    # What an even spread of mistakes would have them believed.
    odds = np.prod(accuracy * (K - 1) / (1 - accuracy), axis=1)
    even = (odds / (odds + K - 1))[both].mean()
    right = (said[:, 0] == truth)[both].mean()
    assert abs(believed - right) < 0.03 < even - right


def test_a_model_that_is_too_unsure_is_sharpened() -> None:
    """Right 85 times in 100 and sure of half: the votes of two people tell, and it is believed."""
    truth, who, votes, guess = _crowd(7, [0.9, 0.85, 0.8], n=800)
    rng = np.random.default_rng(8)
    again = np.where(rng.random(800) < 0.85, truth, (truth + rng.integers(1, K, 800)) % K)
    items = np.concatenate([np.arange(800), np.arange(0, 800, 2)])
    people = np.concatenate([who, (who[::2] + 1) % 3])
    said = np.concatenate([votes, again[::2]])
    found = consolidate_with_model(items, people, said, _probs(guess, 0.5), 3)
    assert found.temperature < 0.8
    peak = found.posterior.max(axis=1)
    right = found.posterior.argmax(axis=1) == truth
    assert abs(peak.mean() - right.mean()) < 0.02


def _asked_where_unsure(
    honest: bool, drawn: bool, n: int = 3000
) -> tuple[WithModel, npt.NDArray[np.bool_], float]:
    """Let three people vote where a model says .4 and on a random tenth, of the rest it says .8.

    It is right 8 times in 10 where it says .4, and elsewhere as it says, or 19 times in 20.
    Returns what is found, where it says .8, and how often it is right there.
    """
    rng = np.random.default_rng(11)
    truth, surer, seed = rng.integers(0, K, n), rng.random(n) < 0.7, rng.random(n) < 0.1

    def mostly(right: npt.ArrayLike) -> npt.NDArray[np.int64]:
        wrong = (truth + rng.integers(1, K, n)) % K
        return np.where(rng.random(n) < right, truth, wrong)

    guess = mostly(np.where(surer, 0.8 if honest else 0.95, 0.8))
    probs = np.where(surer[:, None], _probs(guess, 0.8), _probs(guess, 0.4))
    asked = np.flatnonzero(~surer | seed)
    said = np.concatenate([mostly(accuracy)[asked] for accuracy in (0.9, 0.9, 0.85)])
    people = np.repeat(np.arange(3), len(asked))
    marked = seed if drawn else None
    found = consolidate_with_model(np.tile(asked, 3), people, said, probs, 3, drawn=marked)
    return found, surer, float((guess == truth)[surer].mean())


@pytest.mark.parametrize("honest", [True, False])
def test_alone_a_model_is_sharpened_as_far_as_random_items_say(honest: bool) -> None:
    """What it is too unsure of shows nothing of what it is sure of; a random tenth of all does."""
    without, surer, right = _asked_where_unsure(honest, drawn=False)
    assert without.weighed and without.temperature < 0.8
    assert without.alone[surer].max() <= 0.8, "never sharpened by what people were asked about"
    found, _, _ = _asked_where_unsure(honest, drawn=True)
    sharp = 0.8 ** (1 / found.temperature)
    sharp = 0.98 * sharp / (sharp + 3 * (0.2 / 3) ** (1 / found.temperature)) + 0.02 / K
    said = found.alone[surer].max(axis=1).mean()
    assert 0.78 < said <= sharp + 1e-9
    assert abs(said - right) < 0.05, "as sure as it is right"
    assert not honest or sharp > right + 0.15, "what all votes say would be too sure"
    assert found.temperature == without.temperature, "people's votes are weighed as ever"
    np.testing.assert_array_equal(found.posterior, without.posterior)


def test_few_random_items_sharpen_nothing() -> None:
    """Fewer than fifty that were drawn at random say nothing."""
    truth, who, votes, guess = _crowd(7, [0.9, 0.85, 0.8], n=200)
    items, people = np.tile(np.arange(200), 2), np.concatenate([who, (who + 1) % 3])
    said = np.concatenate([votes, truth])
    for size, sharpened in ((49, False), (50, True)):
        drawn = np.arange(200) < size
        found = consolidate_with_model(items, people, said, _probs(guess, 0.5), 3, drawn=drawn)
        assert bool(found.alone.max() > 0.5) == sharpened


def _of_two_sorts(
    seed: int, says: float, right: float, *, n: int = 1200, drawn: int = 150
) -> tuple[WithModel, WithModel, float]:
    """Let two people vote on a random sample, and wherever a model is unsure: it says .5, for .95.

    Where it is sure it says `says` and is right `right` of the time. Returns what is found where it
    has to be sure of .85, what is found anyway, and how far the former believes it where it is sure
    and nobody has voted.
    """
    rng = np.random.default_rng(seed)
    truth, sure = rng.integers(0, K, n), rng.random(n) < 0.6
    wrong = (truth + rng.integers(1, K, n)) % K
    guess = np.where(rng.random(n) < np.where(sure, right, 0.95), truth, wrong)
    probs = np.where(sure[:, None], _probs(guess, says), _probs(guess, 0.5))
    first = np.arange(n) < drawn
    asked = np.flatnonzero(~sure | first)
    people = np.repeat([0, 1], len(asked))
    others = (truth + rng.integers(1, K, (2, n))) % K
    said = np.where(rng.random((2, n)) < 0.95, truth, others)[:, asked].ravel()
    ballots = np.tile(asked, 2), people, said, probs, 2
    found = consolidate_with_model(*ballots, drawn=first, sure=0.85)
    free = sure & ~first
    return (
        found,
        consolidate_with_model(*ballots, drawn=first),
        float(found.alone[free].max(axis=1).mean()),
    )


@pytest.mark.slow
@pytest.mark.parametrize("drawn", [60, 150])
def test_what_is_right_of_the_unsure_makes_no_other_surer(drawn: int) -> None:
    """A model that says .8 for .79 is believed so, though the rest of the sample says otherwise.

    Whether or not people can be asked enough: with few of the sample left its word is taken as it
    is. In less than a fifth of samples chance alone takes it to .85, with all of them in most.
    """
    runs = [_of_two_sorts(s, 0.8, 0.79, drawn=drawn) for s in range(25)]
    believed = np.array([believed for *_, believed in runs])
    assert abs(believed.mean() - 0.79) < 0.03
    assert (believed >= 0.85).mean() < 0.2
    anyway = [r.alone.max(axis=1)[r.alone.max(axis=1) > 0.8].mean() for _, r, _ in runs]
    assert np.mean(anyway) > 0.85


@pytest.mark.slow
def test_who_is_too_unsure_where_it_is_sure_is_sharpened() -> None:
    """Says .75 and is right 93 times in 100, and the sample has ninety such items."""
    believed = [_of_two_sorts(s, 0.75, 0.93)[-1] for s in range(6)]
    assert abs(np.mean(believed) - 0.93) < 0.03
    assert min(believed) >= 0.85


@pytest.mark.slow
def test_what_a_sample_says_never_makes_a_model_surer_than_all_votes_do() -> None:
    """Whatever it says and how far it is right; and what people voted on is weighed as ever."""
    for seed in range(8):
        says, right = 0.6 + 0.03 * seed, [0.79, 0.97][seed % 2]
        found, anyway, _ = _of_two_sorts(seed, says, right, n=600, drawn=90)
        sharp = says ** (1 / found.temperature)
        sharp /= sharp + (K - 1) * ((1 - says) / (K - 1)) ** (1 / found.temperature)
        assert found.alone.max() <= 0.98 * sharp + 0.02 / K + 1e-9
        np.testing.assert_array_equal(found.posterior, anyway.posterior)
        assert found.temperature == anyway.temperature


def test_few_random_items_that_it_is_sure_of_sharpen_nothing() -> None:
    """Thirty of the sample have to be such; the others say nothing of them."""
    truth, who, votes, guess = _crowd(7, [0.9, 0.85, 0.8], n=200)
    items, people = np.tile(np.arange(200), 2), np.concatenate([who, (who + 1) % 3])
    said = np.concatenate([votes, truth])
    for size, sharpened in ((29, False), (30, True)):
        some = np.arange(200) < size
        probs = np.where(some[:, None] | (np.arange(200) >= 60)[:, None], 0.0, np.nan)
        probs = probs + _probs(guess, 0.6)
        drawn = np.arange(200) < 60
        found = consolidate_with_model(items, people, said, probs, 3, drawn=drawn, sure=0.62)
        assert bool(np.nanmax(found.alone) > 0.62) == sharpened
