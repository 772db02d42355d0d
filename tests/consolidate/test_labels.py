"""From votes to labels: people first, the model where it may, and nothing on too little."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from labelops.consolidate.labels import UNDECIDED, changed_labels, label_rows
from labelops.consolidate.policy import ConsolidatePolicy
from labelops.consolidate.votes import Consensus, consolidate_votes
from labelops.schema import Schema
from labelops.tables import LABELS, PROPOSALS, VOTES, empty, frame_of

PETS = Schema("pets", ("cat", "dog", "cow", "hen"))
NOW = datetime(2026, 1, 1, tzinfo=UTC)
POLICY = ConsolidatePolicy(min_posterior=0.95)


def votes(*said: tuple[str, str, str]) -> pd.DataFrame:
    """Return votes (item, who, class)."""
    return frame_of(
        VOTES,
        {
            "vote_id": [f"{who}/{item}" for item, who, _ in said],
            "revision": 0,
            "item_id": [s[0] for s in said],
            "annotator": [f"human:{s[1]}" for s in said],
            "value": [json.dumps(s[2]) for s in said],
            "status": "given",
            "purpose": "label",
            "round": 1,
            "saw_proposal": False,
            "queue": "test",
            "schema_digest": PETS.digest,
            "given_at": NOW,
        },
        len(said),
    )


def accepted(**sure: tuple[str, float]) -> pd.DataFrame:
    """Return accepted proposals, item = (class, confidence)."""
    probs = np.empty(len(sure), dtype=object)
    probs[:] = [np.full(4, 0.25) for _ in sure]
    return frame_of(
        PROPOSALS,
        {
            "item_id": list(sure),
            "labeler": "model:m",
            "labeler_version": "m1",
            "value": [json.dumps(v) for v, _ in sure.values()],
            "confidence": [c for _, c in sure.values()],
            "probs": probs,
            "schema_digest": PETS.digest,
            "proposed_at": NOW,
        },
        len(sure),
    )


def model(*rows: tuple[str, float]) -> npt.NDArray[np.float64]:
    """Return probabilities: this class this sure, the others alike."""
    found = np.empty((len(rows), 4))
    for row, (name, sure) in zip(found, rows, strict=True):
        row[:] = (1 - sure) / 3
        row[PETS.classes.index(name)] = sure
    return found


def rows_of(found: Consensus, take: pd.DataFrame | None = None, revision: int = 1) -> pd.DataFrame:
    """Return label rows by item id."""
    take = empty(PROPOSALS) if take is None else take
    return label_rows(
        found, take.assign(hypothesis=1, stands_as="a test"), PETS, revision=revision, now=NOW
    )


def test_one_vote_and_the_model() -> None:
    """One vote that the model agrees with is enough; one that it contradicts is not."""
    probs = model(("cat", 0.97), ("cat", 0.97), ("cat", 0.97))
    said = votes(("a", "ann", "cat"), ("b", "ann", "dog"))
    found = consolidate_votes(["a", "b", "c"], said, PETS, POLICY, probs)
    assert found.method == "votes_and_model"
    assert found.codes.tolist() == [0, -1, -1]


@pytest.mark.parametrize("others", [0, 30])
def test_the_model_decides_nothing_that_nobody_said(others: int) -> None:
    """A single vote against a sure model leaves the item open, however poor its giver is."""
    ids = [f"i{n}" for n in range(others + 1)]
    said = votes(*((i, "ann", "dog") for i in ids))
    probs = model(*(("cat", 0.999) for _ in ids))
    assert (consolidate_votes(ids, said, PETS, POLICY, probs).codes == -1).all()


def test_people_overrule_the_model() -> None:
    """Two people who agree decide against a sure model."""
    said = votes(*(("a", who, "dog") for who in ("ann", "ben", "cid")))
    found = consolidate_votes(["a"], said, PETS, POLICY, model(("cat", 0.99)))
    assert found.codes.tolist() == [1]


def test_no_vote_decides_nothing() -> None:
    """However sure the model is, it makes no label here: acceptance has a test of its own."""
    found = consolidate_votes(["a"], votes(), PETS, POLICY, model(("cat", 1.0)))
    assert found.codes.tolist() == [-1]
    assert rows_of(found)["method"].tolist() == [UNDECIDED]


def test_an_abstaining_model_is_no_opinion() -> None:
    """Rows of NaN count as uniform: a single vote then is not enough."""
    probs = np.full((1, 4), np.nan)
    found = consolidate_votes(["a"], votes(("a", "ann", "cat")), PETS, POLICY, probs)
    assert found.codes.tolist() == [-1] and np.isfinite(found.posterior).all()


@pytest.mark.parametrize("method", ["auto", "majority"])
def test_ties_decide_nothing(method: str) -> None:
    """One vote each for two classes is undecided, even under the lowest bound."""
    policy = ConsolidatePolicy(method=method, min_posterior=0.01)
    probs = model(("cow", 0.25)) if method == "auto" else None
    said = votes(("a", "ann", "cat"), ("a", "ben", "dog"))
    assert consolidate_votes(["a"], said, PETS, policy, probs).codes.tolist() == [-1]


def test_one_vote_against_an_accepted_proposal_reopens_it() -> None:
    """An accepted proposal stands until somebody contradicts it, and again when that vote goes."""
    take, probs = accepted(a=("cat", 0.97), b=("cat", 0.97)), model(("cat", 0.97), ("cat", 0.97))
    against = votes(("b", "ann", "dog"))
    found = rows_of(consolidate_votes(["a", "b"], against, PETS, POLICY, probs), take)
    assert found["method"].tolist() == ["accepted", UNDECIDED]
    assert found["value"].tolist() == ['"cat"', None]
    assert json.loads(found["evidence"].iloc[0])["hypothesis"] == 1
    again = rows_of(consolidate_votes(["a", "b"], against.iloc[:0], PETS, POLICY, probs), take)
    assert again["method"].tolist() == ["accepted", "accepted"]


def test_labels_do_not_flicker() -> None:
    """Other items' votes change no label that has the same votes as before."""
    probs = model(("cat", 0.96), ("dog", 0.9))
    ids = ["a", "b"]
    before = rows_of(consolidate_votes(ids, votes(("a", "ann", "cat")), PETS, POLICY, probs))
    assert before["value"].tolist() == ['"cat"', None]
    more = votes(("a", "ann", "cat"), ("b", "ann", "hen"))
    strict = ConsolidatePolicy(min_posterior=0.999999)
    after = rows_of(consolidate_votes(ids, more, PETS, strict, probs), revision=2)
    assert after["value"].isna().all(), "decided from scratch neither would stand"
    assert changed_labels(after, before, [])["item_id"].tolist() == ["b"]


def test_frozen_labels_do_not_change() -> None:
    """New votes on a frozen label wait until its candidate is closed."""
    old = rows_of(consolidate_votes(["a"], votes(("a", "ann", "cat")), PETS, POLICY))
    said = votes(*(("a", who, "dog") for who in ("ann", "ben", "cid", "dan")))
    new = rows_of(consolidate_votes(["a"], said, PETS, POLICY), revision=2)
    assert changed_labels(new, old, ["a"]).empty
    assert changed_labels(new, old, [])["item_id"].tolist() == ["a"]
    assert changed_labels(new, empty(LABELS), [])["item_id"].tolist() == ["a"]


SAID = st.lists(
    st.tuples(st.sampled_from("abc"), st.sampled_from("xyz"), st.sampled_from(PETS.classes)),
    max_size=9,
    unique_by=lambda v: (v[0], v[1]),
)


@pytest.mark.slow
@settings(max_examples=25, deadline=None)
@given(SAID, st.randoms(use_true_random=False))
def test_order_changes_nothing(said: list[tuple[str, str, str]], random: object) -> None:
    """The order of votes decides no label."""
    probs = model(("cat", 0.9), ("dog", 0.5), ("cow", 0.7))
    mixed = list(said)
    random.shuffle(mixed)  # type: ignore[attr-defined]
    one, other = (
        consolidate_votes(list("abc"), votes(*v), PETS, POLICY, probs) for v in (said, mixed)
    )
    np.testing.assert_allclose(one.posterior, other.posterior, atol=1e-9)
    assert one.evidence.tolist() == other.evidence.tolist()


@pytest.mark.parametrize("per_item", [1, 2])
def test_decided_labels_are_as_good_as_the_bound(per_item: int) -> None:
    """With a calibrated model and blind votes few decided labels are wrong, and most decide."""
    rng, n = np.random.default_rng(per_item), 1500
    truth = rng.integers(4, size=n)
    sure = rng.beta(6, 1, n)
    guess = np.where(rng.random(n) < sure, truth, (truth + rng.integers(1, 4, n)) % 4)
    probs = np.repeat(((1 - sure) / 3)[:, None], 4, axis=1)
    probs[np.arange(n), guess] = sure
    said = []
    for who in range(per_item):
        right = rng.random(n) < 0.9
        slip = (truth + rng.integers(1, 4, n)) % 4
        codes = np.where(right, truth, slip)
        said += [(f"i{i:04d}", f"p{who}{i % 5}", PETS.classes[c]) for i, c in enumerate(codes)]
    ids = [f"i{i:04d}" for i in range(n)]
    found = consolidate_votes(ids, votes(*said), PETS, POLICY, probs)
    decided = found.codes >= 0
    wrong = (found.codes[decided] != truth[decided]).mean()
    assert wrong <= 0.05 and decided.mean() >= 0.6
    peak = found.posterior[decided].max(axis=1).mean()
    assert abs((1 - wrong) - peak) < 0.02, "the posterior is as sure as it may be"
