"""Of rows whose copies a model had learned it has no say; of all others it keeps it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold

from labelops.audit import detect_label_errors
from labelops.errors import UsageError

QUICK: dict[str, Any] = {"learners": ("logistic",), "repeats": 1}
N, COPY, OF = 400, 399, 10


def _world() -> dict[str, Any]:
    """Return 400 points, the last one a copy of the tenth, wrongly labeled alike."""
    rng = np.random.default_rng(0)
    truth = rng.integers(0, 3, N)
    X = rng.normal(size=(N, 5)) + 4 * np.eye(5)[truth]
    codes = np.where(rng.random(N) < 0.05, (truth + 1) % 3, truth)
    X[COPY] = X[OF]
    codes[[COPY, OF]] = (truth[OF] + 1) % 3
    probs, folds = np.zeros((N, 3)), np.zeros(N, dtype=int)
    for f, (a, b) in enumerate(StratifiedKFold(4, shuffle=False).split(X, codes)):
        probs[b] = LogisticRegression().fit(X[a], codes[a]).predict_proba(X[b])
        folds[b] = f
    probs[[COPY, OF]] = 0.98 * np.eye(3)[codes[OF]] + 0.02 / 3  # Learned by heart.
    groups = np.arange(N)
    groups[COPY] = OF
    assert folds[COPY] != folds[OF]
    return {"codes": codes, "probs": probs, "folds": folds, "groups": groups, "features": X}


@pytest.mark.slow
def test_what_was_learned_of_a_copy_is_not_heard() -> None:
    """Whatever the model says of the pair, all numbers stay; the others find it wrong."""
    world = _world()
    codes = world.pop("codes")
    found = detect_label_errors(codes, **world, **QUICK)
    other = world["probs"].copy()
    other[[COPY, OF]] = [0.2, 0.5, 0.3]
    again = detect_label_errors(codes, **{**world, "probs": other}, **QUICK)
    np.testing.assert_array_equal(found.probability, again.probability)
    assert found.planted_recall == again.planted_recall
    assert (found.probability[[COPY, OF]] > 0.5).all()
    assert np.isnan(found.scores["probs 1"][[COPY, OF]]).all()
    heard = detect_label_errors(codes, **{**world, "groups": None}, **QUICK)
    assert (heard.probability[[COPY, OF]] < found.probability[[COPY, OF]]).all()


def test_a_pair_that_only_that_model_judges_is_not_judged() -> None:
    """All other rows are, and nothing is contradicted there."""
    world = _world()
    codes = world.pop("codes")
    del world["features"]
    found = detect_label_errors(codes, **world)
    assert np.flatnonzero(np.isnan(found.probability)).tolist() == [OF, COPY]
    assert found.contradicted is not None and not found.contradicted[[COPY, OF]].any()
    assert {OF, COPY}.isdisjoint(found.ranking.tolist() + found.planted.rows.tolist())


def test_a_second_model_that_kept_the_copies_together_judges_them() -> None:
    """Folds may differ from matrix to matrix."""
    world = _world()
    codes, probs, folds = world.pop("codes"), world.pop("probs"), world.pop("folds")
    whole = folds.copy()
    whole[COPY] = whole[OF]
    both = {"a": probs, "b": 0.7 * probs + 0.1}
    found = detect_label_errors(codes, probs=both, folds=[folds, whole], groups=world["groups"])
    assert not np.isnan(found.probability).any()
    assert np.isnan(found.scores["a"][COPY]) and not np.isnan(found.scores["b"][COPY])


def test_many_are_refused() -> None:
    """Folds that were drawn without a look at the groups."""
    world = _world()
    codes = world.pop("codes")
    with pytest.raises(UsageError, match=r"lies in more than one fold.*of 400; split by group"):
        detect_label_errors(codes, **{**world, "groups": np.arange(N) % 100})
