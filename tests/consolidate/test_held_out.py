"""Which methods are blended, and what predicting held-out votes makes them worth."""

from __future__ import annotations

import numpy as np
import pytest

from labelops.consolidate import held_out
from labelops.consolidate.blend import blend
from labelops.consolidate.counts import vote_shares
from labelops.consolidate.evidence import softening
from labelops.consolidate.folds import FOLDS
from labelops.consolidate.held_out import HeldOut, held_out_votes, member_weights
from labelops.consolidate.members import MEMBERS, members_for
from labelops.measure.codes import FloatArray, IntArray
from labelops.measure.votes import Votes, pack_votes


def _crowd(
    seed: int, accuracy: list[float], n_items: int, shares: tuple[float, ...] = (0.5, 0.5)
) -> tuple[Votes, IntArray]:
    """Everybody votes on everything and errs evenly."""
    rng = np.random.default_rng(seed)
    n_people, n_classes = len(accuracy), len(shares)
    truth = rng.choice(n_classes, n_items, p=shares)
    right = rng.random((n_items, n_people)) < accuracy
    wrong = (truth[:, None] + rng.integers(1, n_classes, right.shape)) % n_classes
    given = np.where(right, truth[:, None], wrong)
    votes = pack_votes(
        np.repeat(np.arange(n_items), n_people), np.tile(np.arange(n_people), n_items),
        given.ravel(), n_items=n_items, n_annotators=n_people, n_classes=n_classes,
    )  # fmt: skip
    return votes, truth


def _number_by_ids(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave items and people the numbers that they have."""

    def as_they_are(votes: Votes) -> tuple[IntArray, IntArray]:
        return np.arange(votes.n_items), np.arange(votes.n_annotators)

    monkeypatch.setattr(held_out, "numbered_by_votes", as_they_are)


def _held(beliefs: list[FloatArray], codes: IntArray, accuracy: float = 0.7) -> HeldOut:
    return HeldOut(np.stack(beliefs, axis=1), codes, accuracy)


def test_the_score_is_that_of_the_table_that_made_the_votes() -> None:
    """Of known items the best table is what was counted, and its log probability the score."""
    rng = np.random.default_rng(0)
    table = np.array([[0.7, 0.2, 0.1], [0.1, 0.6, 0.3], [0.05, 0.05, 0.9]])
    truth = rng.integers(0, 3, 9000)
    codes = (table[truth].cumsum(axis=1) < rng.random((9000, 1))).sum(axis=1)
    counted = np.zeros((3, 3))
    np.add.at(counted, (truth, codes), 1)
    counted /= counted.sum(axis=1, keepdims=True)
    found = _held([np.eye(3)[truth]], codes).scores
    assert found[0] == pytest.approx(np.log(counted[truth, codes]).mean(), abs=1e-3)


def test_who_tells_items_apart_predicts_best() -> None:
    """Knowing half the items scores between knowing all and knowing none."""
    rng = np.random.default_rng(1)
    truth = rng.integers(0, 2, 4000)
    codes = np.where(rng.random(4000) < 0.8, truth, 1 - truth)
    sure = np.eye(2)[truth]
    half = np.where((np.arange(4000) % 2 == 0)[:, None], sure, 0.5)
    none = np.full((4000, 2), 0.5)
    scores = _held([none, half, sure], codes).scores
    assert scores[0] + 0.02 < scores[1] < scores[2] - 0.02
    entropy = -(0.8 * np.log(0.8) + 0.2 * np.log(0.2))
    assert scores[2] == pytest.approx(-entropy, abs=0.03)


def test_a_crowd_that_leans_does_not_speak_for_who_follows_it() -> None:
    """All in the class that most votes name predicts less than what really tells items apart.

    Under even mistakes it would be the other way round: most votes are what it says.
    """
    rng = np.random.default_rng(2)
    truth = rng.integers(0, 2, 6000)
    codes = np.where(rng.random(6000) < np.where(truth == 0, 0.95, 0.3), truth, 1 - truth)
    follows = np.tile([0.95, 0.05], (6000, 1))
    knows = 0.8 * np.eye(2)[truth] + 0.1
    scores = _held([follows, knows], codes).scores
    even = [np.log(0.3 + 0.4 * b[np.arange(6000), codes]).mean() for b in (follows, knows)]
    assert scores[1] > scores[0] + 0.02
    assert even[0] > even[1]


def test_scores_do_not_depend_on_the_order_of_votes() -> None:
    """Votes in another order score the same; a class that nobody named is no error."""
    rng = np.random.default_rng(3)
    beliefs, codes = rng.dirichlet(np.ones(4), 500), rng.integers(0, 3, 500)
    order = rng.permutation(500)
    one = _held([beliefs], codes).scores
    two = _held([beliefs[order]], codes[order]).scores
    np.testing.assert_allclose(one, two, atol=1e-12)
    assert np.isfinite(one).all()


def test_weights_by_hand() -> None:
    """A hundred votes' probabilities, and an even share for majority whatever it predicts."""
    names = ["majority", "ibcc", "shrunk_1"]
    weights = member_weights(names, np.array([-9.0, -0.5, -0.5 - np.log(3) / 100]))
    np.testing.assert_allclose(weights, [1 / 3, 1 / 2, 1 / 6])
    np.testing.assert_allclose(
        member_weights(names, np.array([0.0, -1.0, -900.0]))[[0, 2]], [1 / 3, 0]
    )
    np.testing.assert_allclose(member_weights(["majority"], np.array([-1.0])), [1.0])


def test_the_blend_leaves_out_who_collapses() -> None:
    """Clickers of one class and as many who look: a coin for each person believes the clickers.

    The blend's weight for it is small and its labels are the good people's.
    """
    rng = np.random.default_rng(4)
    truth = rng.integers(0, 2, 500)
    good = np.where(rng.random((500, 12)) < 0.8, truth[:, None], 1 - truth[:, None])
    given = np.concatenate([good, rng.random((500, 12)) < 0.1], axis=1)
    items, who = np.repeat(np.arange(500), 7), np.argsort(rng.random((500, 24)), axis=1)[:, :7]
    votes = pack_votes(
        items, who.ravel(), given[items, who.ravel()], n_items=500, n_annotators=24, n_classes=2
    )
    coin = MEMBERS["one_coin"](votes, start=None, max_iterations=100).posterior
    assert (coin.argmax(axis=1) == truth).mean() < 0.6
    found = blend(votes, members={n: MEMBERS[n] for n in ("majority", "one_coin", "shrunk_2")})
    assert found.weights["one_coin"] < found.weights["shrunk_2"] / 4
    right = (vote_shares(votes).argmax(axis=1) == truth).mean()
    assert (found.posterior.argmax(axis=1) == truth).mean() > right + 0.08


def test_stiff_models_where_classes_are_rare() -> None:
    """Even classes are blended from free models, rare ones from stiff ones too."""
    even, _ = _crowd(5, [0.9] * 5, 300)
    rare, _ = _crowd(5, [0.9] * 5, 300, (0.97, 0.03))
    assert list(members_for(even)) == [
        "majority", "one_coin", "ibcc", "shrunk_4", "shrunk_2", "shrunk_1",
    ]  # fmt: skip
    assert list(members_for(rare)) == [
        "majority", "shrunk_64", "shrunk_16", "shrunk_4", "shrunk_2", "shrunk_1",
    ]  # fmt: skip
    assert set(members_for(even)) | set(members_for(rare)) == set(MEMBERS)


def test_held_out_beliefs_never_saw_the_annotator(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is believed for a person's votes does not change when that person votes otherwise."""
    votes, _ = _crowd(6, [0.9, 0.8, 0.8, 0.7, 0.9, *[0.8] * 20], 60)
    members = {"majority": MEMBERS["majority"]}
    other = pack_votes(
        votes.items, votes.annotators,
        np.where(votes.annotators == 2, 1 - votes.codes, votes.codes),
        n_items=60, n_annotators=25, n_classes=2,
    )  # fmt: skip
    _number_by_ids(monkeypatch)  # The same people in a fold with and without the change.
    one, two = held_out_votes(votes, members), held_out_votes(other, members)
    assert one is not None
    assert two is not None
    changed = one.codes != two.codes
    assert changed.sum() == 60
    np.testing.assert_array_equal(one.beliefs[changed], two.beliefs[changed])
    assert held_out_votes(pack_votes([0], [0], [1], n_items=1, n_annotators=1, n_classes=2),
                          members) is None  # fmt: skip


def test_of_few_people_the_vote_is_left_out_and_not_the_person(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Neither the belief nor what the person is taken for saw the vote; other votes were seen.

    Of votes on ten items a single one is changed: only where it was seen may anything differ.
    """
    votes, _ = _crowd(10, [0.9, 0.8, 0.7], 10)
    members = {"majority": MEMBERS["majority"]}
    codes = votes.codes.copy()
    codes[4] = 1 - codes[4]
    other = pack_votes(
        votes.items, votes.annotators, codes, n_items=10, n_annotators=3, n_classes=2
    )
    # The same votes in a fold with and without the change.
    _number_by_ids(monkeypatch)
    monkeypatch.setattr(held_out, "vote_folds", lambda items, who, codes: (items + who) % FOLDS)
    one, two = held_out_votes(votes, members), held_out_votes(other, members)
    assert one is not None and one.own is not None
    assert two is not None and two.own is not None
    assert len(one.codes) == 30, "every vote is left out once"
    (at,) = np.flatnonzero(one.codes != two.codes)
    np.testing.assert_array_equal(one.beliefs[at], two.beliefs[at])
    # P(1 | class) and P(0 | class) of one person who is known by the same other votes.
    np.testing.assert_allclose(one.own[at] + two.own[at], 1.0)
    assert (one.own != two.own).any()


def test_seats_taken_by_turns_leave_nobody_out() -> None:
    """Five people in turn, two an item: of everybody votes stay, and those who agree are believed.

    Folds in step with the turns would hide whole people, and what is left would say little of them.
    """
    item = np.repeat(np.arange(600), 2)
    who = (item + np.tile([0, 1], 600)) % 5
    codes = (item // 5) % 2
    votes = pack_votes(item, who, codes, n_items=600, n_annotators=5, n_classes=2)
    held = held_out_votes(votes, {"shrunk_4": MEMBERS["shrunk_4"]})
    assert held is not None and held.own is not None
    assert len(held.codes) > 800, "seldom are both votes of an item left out"
    assert held.own[np.arange(len(held.codes)), held.codes].min() > 0.9
    assert softening(held.beliefs[:, 0], held.chances) < 1.1


def test_clicks_neither_speak_for_nor_against() -> None:
    """Who always says one thing is foretold alike by every belief: only the others' votes count."""
    rng = np.random.default_rng(11)
    truth = rng.integers(0, 2, 400)
    looks = np.where(rng.random(400) < 0.9, truth, 1 - truth)
    said = np.where(rng.random(400) < 0.8, truth, 1 - truth)
    too_sure, flat = 0.02 + 0.96 * np.eye(2)[said], np.full((400, 2), 0.5)
    own = np.where(np.arange(2) == looks[:, None], 0.9, 0.1)
    alone = HeldOut(np.stack([too_sure, flat], axis=1), looks, 0.7, own)
    clicks = HeldOut(
        np.concatenate([alone.beliefs] * 2), np.r_[looks, np.ones(400, np.int64)], 0.7,
        np.r_[own, np.full((400, 2), 0.95)],
    )  # fmt: skip
    gain, diluted = (one - other for one, other in (alone.scores, clicks.scores))
    assert gain > 0.03
    assert diluted == pytest.approx(gain / 2)
    softer = softening(alone.beliefs[:, 0], alone.chances)
    assert 2 < softer < 10
    assert softening(clicks.beliefs[:, 0], clicks.chances) == pytest.approx(softer, rel=1e-2)


@pytest.mark.slow
def test_the_blend_scores_its_members() -> None:
    """Good and bad annotators: models of annotators predict better than shares of votes."""
    votes, _ = _crowd(8, [0.95, 0.9, 0.9, 0.85] + [0.3] * 8, 300, (0.25,) * 4)
    found = blend(votes)
    assert found.scores["shrunk_2"] > found.scores["majority"]
    assert sum(found.weights.values()) == pytest.approx(1)
    assert found.weights["majority"] == pytest.approx(1 / 6)
