"""The default detector, on whatever evidence there is."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy import sparse
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import average_precision_score
from sklearn.model_selection import StratifiedKFold

from labelops.audit import LabelErrorReport, Reviews, detect_label_errors
from labelops.audit.ensemble import neighbour_probs
from labelops.errors import UsageError

from ..digits import digits

_QUICK: dict[str, Any] = {"learners": ("logistic",), "repeats": 1}


def _blobs(noise: float = 0.1, N: int = 400, seed: int = 0) -> tuple[np.ndarray, ...]:
    rng = np.random.default_rng(seed)
    truth = rng.integers(0, 3, N)
    X = rng.normal(size=(N, 5)) + 4 * np.eye(5)[truth]
    codes = np.where(rng.random(N) < noise, (truth + rng.integers(1, 3, N)) % 3, truth)
    return X, codes, codes != truth


def _held_out(X: np.ndarray, codes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    probs, folds = np.zeros((len(codes), 3)), np.zeros(len(codes), dtype=int)
    for f, (a, b) in enumerate(StratifiedKFold(4).split(X, codes)):
        probs[b] = LogisticRegression().fit(X[a], codes[a]).predict_proba(X[b])
        folds[b] = f
    return probs, folds


def _votes(
    codes: np.ndarray, wrong: np.ndarray, seed: int = 0
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the label's own vote, and two by people who are right nine times in ten."""
    rng = np.random.default_rng(seed)
    N = len(codes)
    truth = np.where(wrong, (codes + 1) % 3, codes)
    others = [np.where(rng.random(N) < 0.9, truth, (truth + 1) % 3) for _ in range(2)]
    who = np.repeat([0, 1, 2], N)
    return np.tile(np.arange(N), 3), who, np.concatenate([codes, *others])


def _ap(found: LabelErrorReport, wrong: np.ndarray) -> float:
    return float(average_precision_score(wrong, np.nan_to_num(found.probability)))


@pytest.mark.parametrize(
    "given", ["probs", "features", "votes", "probs+votes", "features+groups", "probs+features"]
)
@pytest.mark.slow
def test_any_evidence_will_do(given: str) -> None:
    """Each kind alone and some together find most errors, calibrated, with the right sums."""
    X, codes, wrong = _blobs()
    arguments: dict[str, Any] = {}
    if "probs" in given:
        probs, folds = _held_out(X, codes)
        arguments |= {"probs": probs, "folds": folds}
    if "features" in given:
        arguments |= {"features": X, "repeats": 1, "learners": ("logistic",)}
    if "votes" in given:
        arguments |= {"votes": _votes(codes, wrong)}
    if "groups" in given:
        arguments |= {"groups": np.arange(len(codes)) // 2}
    found = detect_label_errors(codes, **arguments)
    assert _ap(found, wrong) > 0.8
    assert abs(found.error_rate - wrong.mean()) < 0.05
    assert sorted(found.ranking) == list(range(len(codes)))
    assert (np.diff(found.probability[found.ranking]) <= 0).all()
    assert np.allclose(found.probs.sum(axis=1), 1)
    assert (found.flagged == (found.probability >= 0.5)).all()
    assert (found.suggestion[found.flagged] != codes[found.flagged]).all()
    assert found.planted_recall.planted == 40
    assert found.shown_by == ("held-out votes" if "votes" in given else "planted errors")
    assert all(len(score) == len(codes) for score in found.scores.values())


@pytest.mark.slow
def test_votes_that_know_nothing_of_features_still_help() -> None:
    """Votes beside features beat features alone."""
    rng = np.random.default_rng(0)
    X, codes, wrong = _blobs()
    X = X + rng.normal(scale=2.5, size=X.shape)
    alone = detect_label_errors(codes, features=X, **_QUICK)
    both = detect_label_errors(codes, features=X, votes=_votes(codes, wrong), **_QUICK)
    assert _ap(both, wrong) > _ap(alone, wrong) + 0.1


@pytest.mark.slow
def test_useless_features_do_not_drown_votes() -> None:
    """Noise as features costs votes at most .03 of average precision."""
    X, codes, wrong = _blobs()
    votes = _votes(codes, wrong)
    noise = np.random.default_rng(3).normal(size=X.shape)
    alone = detect_label_errors(codes, votes=votes)
    drowned = detect_label_errors(codes, features=noise, votes=votes, **_QUICK)
    assert _ap(drowned, wrong) > _ap(alone, wrong) - 0.03


@pytest.mark.slow
def test_one_or_several_matrices() -> None:
    """An array, a list, a three-dimensional array and a mapping are the same evidence."""
    X, codes, _ = _blobs(N=120)
    probs, folds = _held_out(X, codes)
    many = (
        [probs, probs],
        np.stack([probs, probs]),
        {"a": np.asfortranarray(probs), "b": probs.astype(np.float32).astype(float)},
        probs,
        probs.tolist(),
    )
    answers = [detect_label_errors(codes, probs=p, folds=folds).probability for p in many]
    assert all(np.allclose(a, answers[0], atol=1e-5) for a in answers)


def test_in_sample_probabilities_are_refused() -> None:
    """Without a statement, with a broken one, or memorised."""
    X, codes, _ = _blobs()
    probs, folds = _held_out(X, codes)
    with pytest.raises(UsageError, match="held out"):
        detect_label_errors(codes, probs=probs)
    with pytest.raises(UsageError, match="more than one fold"):
        detect_label_errors(codes, probs=probs, folds=folds, groups=np.zeros(400))
    learned = 0.98 * np.eye(3)[codes] + 0.02 / 3
    with pytest.raises(UsageError, match="trained on them"):
        detect_label_errors(codes, probs=learned, folds=folds, features=X, **_QUICK)
    found = detect_label_errors(codes, probs=learned, out_of_sample=True, check_memorised=False)
    assert found.calibration == "noise model"


@pytest.mark.slow
def test_one_matrix_alone_says_what_it_contradicts() -> None:
    """Features, votes, a second model or verdicts tell more: then the errors are counted."""
    X, codes, wrong = _blobs(N=200)
    probs, folds = _held_out(X, codes)
    given = {"probs": probs, "folds": folds}
    alone = detect_label_errors(codes, **given).contradicted
    assert alone is not None
    assert np.array_equal(alone, probs.argmax(axis=1) != codes)
    missing = np.where(np.arange(200) < 5, -1, codes)
    assert not detect_label_errors(missing, **given, n_classes=3).contradicted[:5].any()
    everybody = np.arange(200), np.zeros(200, int), codes
    rows = np.arange(120)
    reviews = Reviews(rows, wrong[rows], random=np.ones(120, bool))
    for more in (
        {"probs": [probs, probs]}, {"features": X, **_QUICK}, {"votes": everybody},
        {"reviews": reviews},
    ):  # fmt: skip
        assert detect_label_errors(codes, **{**given, **more}).contradicted is None


@pytest.mark.slow
def test_reviews_refit_and_measure() -> None:
    """Enough verdicts: probabilities rest on them, precision and recall come with counts."""
    X, codes, wrong = _blobs(0.25, 800)
    X = X + np.random.default_rng(5).normal(scale=1.5, size=X.shape)
    first = detect_label_errors(codes, features=X, **_QUICK)
    drawn = np.random.default_rng(1).choice(800, 120, replace=False)
    rows = np.r_[first.ranking[:150], drawn]
    reviews = Reviews(rows, wrong[rows], random=np.arange(270) >= 150)
    few = detect_label_errors(codes, features=X, **_QUICK, reviews=reviews, min_reviews=500)
    found = detect_label_errors(codes, features=X, **_QUICK, reviews=reviews)
    assert (first.calibration, few.calibration, found.calibration) == (
        "noise model", "noise model", "reviews",
    )  # fmt: skip
    assert np.array_equal(few.probability, first.probability)
    assert found.review_model is not None
    assert found.shown_by == "verdicts"
    assert sum(b.labels for b in found.reliability) == 270
    flagged = found.flagged[rows]
    assert (found.precision.hits, found.precision.n) == (
        int(wrong[rows][flagged].sum()), int(flagged.sum()),
    )  # fmt: skip
    assert found.recall.n == wrong[drawn].sum()
    assert found.recall.interval.low <= found.recall.share <= found.recall.interval.high
    assert found.calibration_error < 0.1
    rest = np.setdiff1d(np.arange(800), rows)
    assert abs(found.probability[rest].mean() - wrong[rest].mean()) < 0.06


@pytest.mark.slow
def test_fifty_verdicts_repair_shared_mistakes() -> None:
    """Votes alone miss what all get wrong alike; fifty verdicts, most at random, say how much."""
    rng = np.random.default_rng(0)
    truth = rng.integers(0, 3, 600)
    looks = np.where(rng.random(600) < 0.25, (truth + 1) % 3, truth)  # A quarter misleads all.
    votes = np.where(rng.random((600, 4)) < 0.85, looks[:, None], rng.integers(0, 3, (600, 4)))
    codes, wrong = votes[:, 0], votes[:, 0] != truth
    evidence = (np.repeat(np.arange(600), 4), np.tile(np.arange(4), 600), votes.ravel())
    first = detect_label_errors(codes, votes=evidence)
    assert first.error_rate < wrong.mean() - 0.1
    rows = np.r_[first.ranking[:16], rng.choice(first.ranking[16:], 34, replace=False)]
    found = detect_label_errors(codes, votes=evidence, reviews=Reviews(rows, wrong[rows]))
    assert found.calibration == "reviews"
    assert abs(found.error_rate - wrong.mean()) < 0.1
    unseen = np.setdiff1d(np.arange(600), rows)

    def off(report: LabelErrorReport) -> float:
        return abs(report.probability[unseen].mean() - wrong[unseen].mean())

    assert off(found) < off(first) / 2


@pytest.mark.slow
def test_planted_recall_is_the_recall_of_like_errors() -> None:
    """Planted on paper, the share found is the share of real errors found, within sampling."""
    X, codes, wrong = _blobs(0.15, 1500)
    X = X + np.random.default_rng(7).normal(scale=1.2, size=X.shape)
    found = detect_label_errors(codes, features=X, **_QUICK)
    real = found.flagged[wrong].mean()
    assert 0.3 < real < 0.99
    assert abs(found.planted_recall.share - real) < 0.12


def test_planting_depends_on_no_own_label() -> None:
    """A planted error gets the probability it has when it is really there."""
    X, codes, _ = _blobs(0.05, 300)
    probs, folds = _held_out(X, codes)
    found = detect_label_errors(codes, probs=probs, folds=folds, planted_share=0.05)
    row, wrong_code = int(found.planted.rows[0]), int(found.planted.codes[0])
    really = codes.copy()
    really[row] = wrong_code
    again = detect_label_errors(really, probs=probs, folds=folds)
    assert again.probability[row] == pytest.approx(found.planted_probability[0], abs=0.1)


def test_missing_labels_and_unlearnable_classes() -> None:
    """A missing label is suggested, not judged; a class of one item is not judged either."""
    X, codes, _ = _blobs(0.0, 120)
    codes = codes.copy()
    codes[:5], codes[5] = -1, 3
    found = detect_label_errors(codes, features=X, **_QUICK)
    assert np.isnan(found.probability[:6]).all()
    assert not found.flagged[:6].any()
    assert len(found.ranking) == 114
    assert found.probs.shape == (120, 4)
    assert (found.suggestion[:5] == -1).all()


@pytest.mark.slow
def test_small_and_odd_inputs() -> None:
    """No rows, one row, one annotator, sparse features, a class nobody was given."""
    none = np.zeros(0, dtype=np.int64)
    empty = detect_label_errors(none, probs=np.zeros((0, 2)), out_of_sample=True)
    assert len(empty.probability) == 0
    assert np.isnan(empty.error_rate)
    one = detect_label_errors([1], probs=[[0.9, 0.1]], out_of_sample=True)
    assert 0 <= one.probability[0] <= 1
    shared = detect_label_errors([0, 1, -1, 1], votes=([0, 1, 1], [0, 0, 1], [0, 1, 1]))
    assert np.isnan(shared.probability).tolist() == [False, False, True, True]
    alone = detect_label_errors([0, 1, -1], votes=([0, 1], [0, 0], [0, 1]))
    assert np.isnan(alone.probability).all()
    assert not len(alone.ranking)
    X, codes, wrong = _blobs(0.1, 150)
    thin = detect_label_errors(codes, n_classes=5, features=sparse.csr_matrix(np.abs(X)), repeats=1)
    assert set(thin.scores) == {"words", "trees", "bayes", "neighbours"}
    assert thin.probs.shape == (150, 5)
    assert _ap(thin, wrong) > 0.8


@pytest.mark.parametrize(
    ("arguments", "match"),
    [
        ({}, "nothing to judge"),
        ({"features": np.eye(3)}, "3 rows of features"),
        ({"probs": np.full((4, 2), 0.5), "folds": [0, 1]}, "folds"),
        ({"probs": np.full((3, 2), 0.5), "out_of_sample": True}, "shape"),
        ({"probs": np.full((4, 2), 0.4), "out_of_sample": True}, "sum"),
        ({"votes": ([9], [0], [0])}, "votes' items"),
        ({"n_classes": 1, "features": np.eye(4)}, "two"),
        ({"features": np.eye(4), "threshold": 2.0}, "threshold"),
        ({"features": np.eye(4), "min_reviews": "few"}, "min_reviews is 'few'"),
        ({"features": np.eye(4), "min_reviews": -1}, "min_reviews is -1"),
        ({"features": np.eye(4), "repeats": 1.5}, "repeats: expected a whole number"),
        ({"features": np.eye(4), "learners": "trees"}, "expected a list of names"),
        ({"features": -np.eye(4), "learners": ["bayes"]}, "negative"),
        ({"features": np.diag([1, 1, np.nan, 1])}, "features: row 2"),
        ({"features": sparse.csr_matrix(np.diag([1, 1, np.inf, 1]))}, "features: row 2"),
    ],
)
def test_malformed_input_is_refused(arguments: dict[str, Any], match: str) -> None:
    """What does not fit is named."""
    codes = [0, 0, 0, 0] if "n_classes" in arguments else [0, 1, 0, 1]
    with pytest.raises(UsageError, match=match):
        detect_label_errors(codes, **arguments)


def test_same_seed_same_answer_and_nothing_is_changed() -> None:
    """Deterministic, without global state; inputs stay as they were."""
    X, codes, _ = _blobs(N=150)
    before = X.copy(), codes.copy()
    a, b = (detect_label_errors(codes, features=X, **_QUICK) for _ in range(2))
    assert np.array_equal(a.probability, b.probability)
    assert a.planted.rows.tolist() == b.planted.rows.tolist()
    assert np.array_equal(X, before[0])
    assert np.array_equal(codes, before[1])


@pytest.mark.slow
@pytest.mark.parametrize(("kind", "needed"), [("uniform", 0.99), ("pairs", 0.98)])
def test_digits(kind: str, needed: float) -> None:
    """10 % wrong labels: ranked better than neighbours and each learner, and calibrated."""
    X, y = digits()
    for seed in range(3):
        rng = np.random.default_rng(seed)
        shift = rng.integers(1, 10, len(y)) if kind == "uniform" else 1
        codes = np.where(rng.random(len(y)) < 0.1, (y + shift) % 10, y)
        wrong = codes != y
        found = detect_label_errors(codes, features=X, rng=rng)
        singles = [average_precision_score(wrong, -s) for s in found.scores.values()]
        assert _ap(found, wrong) >= max(needed, *singles)
        assert abs(found.error_rate - wrong.mean()) < 0.012
        at = np.minimum((found.probability * 10).astype(int), 9)
        off = np.bincount(at, found.probability - wrong, minlength=10)
        assert np.abs(off).sum() / len(y) < 0.02


@pytest.mark.slow
def test_copies_with_groups() -> None:
    """Items three times over lose nothing when their groups are known."""
    X, y = digits()
    rng = np.random.default_rng(0)
    codes = np.where(rng.random(600) < 0.1, (y[:600] + rng.integers(1, 10, 600)) % 10, y[:600])
    wrong = np.repeat(codes != y[:600], 3)
    found = detect_label_errors(
        np.repeat(codes, 3),
        features=np.repeat(X[:600], 3, axis=0),
        groups=np.repeat(np.arange(600), 3),
    )
    assert _ap(found, wrong) >= 0.98


@pytest.mark.slow
def test_mnist_errors_that_people_verified(shared_data: Any) -> None:
    """On the set's own probabilities: no worse than their self-confidence."""
    import pandas as pd

    folder = shared_data / "mnist_label_errors"
    codes = pd.read_parquet(folder / "mnist_labels.parquet")["given"].to_numpy(np.int64)
    looked = pd.read_csv(folder / "mnist_mturk.csv")
    wrong = np.zeros(len(codes), dtype=bool)
    wrong[looked.loc[looked["mturk_given"] < 3, "id"]] = True
    probs = np.load(folder / "mnist_pred_probs.npy")
    found = detect_label_errors(codes, probs=probs, out_of_sample=True)
    own = probs[np.arange(len(codes)), codes]
    assert _ap(found, wrong) >= average_precision_score(wrong, -own) - 0.01


def test_neighbours_are_a_view_of_their_own() -> None:
    """The report's neighbour score is the neighbours' share."""
    X, codes, _ = _blobs(N=100)
    found = detect_label_errors(codes, features=X, learners=())
    near = neighbour_probs(X, codes, None, 3, np.random.default_rng(0))
    assert np.allclose(found.scores["neighbours"], near[np.arange(100), codes])
    assert list(found.scores) == ["neighbours"]


@pytest.mark.parametrize("scale", [1e300, 1e160])
def test_numbers_beyond_what_squares_hold(scale: float) -> None:
    """They are refused as they come in, not by a learner in its own words."""
    X = np.random.default_rng(0).normal(size=(40, 2)) * scale
    with pytest.raises(UsageError, match="its square is none any more; scale the columns"):
        detect_label_errors(np.arange(40) % 2, features=X)


def test_verdicts_of_another_kind() -> None:
    """Reviews are `Reviews`: a list says neither which rows nor what of them."""
    with pytest.raises(UsageError, match=r"reviews: expected `Reviews`, found \[1, 2\]"):
        detect_label_errors([0, 1], features=[[0.0], [1.0]], reviews=[1, 2])  # type: ignore[arg-type]


def test_an_id_in_place_of_a_class_is_not_a_matrix_of_its_square() -> None:
    """The largest of 120 labels is no 10,000: nothing is made of that size unless K is said."""
    codes = np.arange(120) % 3
    codes[7] = 10_000
    with pytest.raises(UsageError, match=r"the largest of 120 labels is 10,000; .* encode names"):
        detect_label_errors(codes, features=np.ones((120, 1)))
