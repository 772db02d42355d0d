"""Somebody's second vote on an item: the entries keep the later, the methods alone count both."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from labelops.consolidate import (
    Consolidated,
    consolidate,
    consolidate_codes,
    dawid_skene,
    ebcc,
    glad,
    ibcc,
    majority,
    one_coin,
    shrunk_dawid_skene,
)
from labelops.consolidate.fused import fused_codes
from labelops.measure.agreement import measure_agreement

pytestmark = pytest.mark.usefixtures("kernels")


def _votes(per_item: int = 3, n_items: int = 60) -> pd.DataFrame:
    """Draw votes of five people, each once on an item."""
    rng = np.random.default_rng(0)
    items = np.repeat(np.arange(n_items), per_item)
    who = np.concatenate([rng.choice(5, per_item, replace=False) for _ in range(n_items)])
    code = np.where(rng.random(items.size) < 0.8, items % 3, (items + 1) % 3)
    return pd.DataFrame({"item": items, "annotator": who, "label": code})


def _with_repeats(votes: pd.DataFrame, most: int = 40) -> pd.DataFrame:
    """Put earlier, other votes of the same people before some; rows come in any order."""
    earlier = votes.iloc[:most].assign(label=lambda v: (v["label"] + 1) % 3)
    return pd.concat([earlier, votes], ignore_index=True)


def _same(one: Consolidated, other: Consolidated) -> None:
    np.testing.assert_array_equal(one.posterior, other.posterior)
    assert one.labels.tolist() == other.labels.tolist()
    assert one.found.votes.tolist() == other.found.votes.tolist()
    pd.testing.assert_frame_equal(one.skills(), other.skills())


@pytest.mark.parametrize("method", ["auto", "majority", "dawid_skene"])
def test_the_later_vote_counts_and_the_reason_says_so(method: str) -> None:
    """Votes that were given anew change nothing but the reason, whatever the method."""
    votes = _votes()
    plain, found = (consolidate(v, method=method) for v in (votes, _with_repeats(votes)))
    _same(found, plain)
    assert found.reason == plain.reason + (
        "; 40 votes were left out for a later one of the same annotator on the same item"
    )


def test_the_same_vote_many_times_is_one_vote() -> None:
    """Somebody who says the same five times is heard once, and two who differ tie."""
    rows = [("a", "x", "c")] * 5 + [("a", "y", "d")]
    found = consolidate(pd.DataFrame(rows, columns=["item", "annotator", "label"]))
    assert found.labels.tolist() == [None]
    assert found.found.votes.tolist() == [2]
    np.testing.assert_allclose(found.posterior, 0.5)


def test_beside_a_model_too() -> None:
    """With a model, and for how few votes there are, the later one counts as well."""
    votes = _votes(per_item=1)
    probs = pd.DataFrame(np.random.default_rng(1).dirichlet(np.ones(3), 60), columns=range(3))
    plain = consolidate(votes, probs=probs)
    assert plain.method == "votes_and_model"
    found = consolidate(pd.concat([votes] * 4, ignore_index=True), probs=probs)
    _same(found, plain)
    assert found.reason.startswith(plain.reason + "; 180 votes were left out")


@pytest.mark.slow
def test_what_is_no_vote_replaces_none() -> None:
    """A later row without a label or without weight leaves the earlier vote as it is."""
    votes = _votes().assign(weight=1.0)
    no_label = votes.iloc[:30].assign(label=None)
    no_weight = votes.iloc[:30].assign(label=0, weight=0.0)
    plain = consolidate(votes)
    for later in (no_label, no_weight):
        found = consolidate(pd.concat([votes, later], ignore_index=True))
        _same(found, plain)
        assert found.reason == plain.reason


def test_weights_stay_with_their_votes() -> None:
    """The later vote keeps its own weight."""
    votes = _votes().assign(weight=np.random.default_rng(2).choice([0.5, 1.0, 2.0], 180))
    found = consolidate(_with_repeats(votes.assign(weight=votes["weight"])))
    _same(found, consolidate(votes))


@pytest.mark.slow
def test_codes_are_read_in_the_same_way() -> None:
    """`consolidate_codes` keeps the later vote too; one that `use` leaves out replaces none."""
    votes, more = _votes(), _with_repeats(_votes())
    plain = consolidate_codes(*votes.to_numpy().T)
    found = consolidate_codes(*more.to_numpy().T)
    np.testing.assert_array_equal(found.posterior, plain.posterior)
    assert found.reason == plain.reason + (
        "; 40 votes were left out for a later one of the same annotator on the same item"
    )
    swapped = pd.concat([more.iloc[40:], more.iloc[:40]])
    use = np.arange(220) < 180
    kept = consolidate_codes(*swapped.to_numpy().T, use=use)
    np.testing.assert_array_equal(kept.posterior, plain.posterior)
    assert kept.reason == plain.reason


def test_agreement_reads_the_same_votes() -> None:
    """Who asks how far people agree and who asks what they say reads the same votes."""
    rng = np.random.default_rng(0)
    votes, more = _votes(), _with_repeats(_votes())
    one, two = (
        measure_agreement(v["item"], v["annotator"], v["label"], 3, rng=rng, resamples=0)
        for v in (votes, more)
    )
    assert one.alpha.value == two.alpha.value


@pytest.mark.parametrize("method", [dawid_skene, ibcc, ebcc, one_coin, shrunk_dawid_skene, glad])
def test_methods_alone_count_both(method: object) -> None:
    """A method by itself takes votes as its paper does: twice the same is two votes."""
    votes = _votes()
    twice = np.tile(votes.to_numpy().T, 2)
    doubled = method(*twice)  # type: ignore[operator]
    weighed = method(*votes.to_numpy().T, weights=np.full(180, 2.0))  # type: ignore[operator]
    np.testing.assert_allclose(doubled.posterior, weighed.posterior, atol=1e-6)
    assert not np.allclose(doubled.posterior, method(*votes.to_numpy().T).posterior)  # type: ignore[operator]
    assert majority(*twice).votes.tolist() == [6.0] * 60


@pytest.mark.slow
def test_sizes_that_are_left_out_are_those_that_show() -> None:
    """One more than the largest number: the same result as with the sizes named."""
    votes = _votes().to_numpy().T
    size = {"n_items": 60, "n_annotators": 5, "n_classes": 3}
    for method in (dawid_skene, ibcc, ebcc, one_coin, shrunk_dawid_skene, glad):
        named = method(*votes, **size)  # type: ignore[operator]
        np.testing.assert_array_equal(method(*votes).posterior, named.posterior)  # type: ignore[operator]
    np.testing.assert_array_equal(majority(*votes).shares, majority(*votes, **size).shares)
    named = fused_codes(
        *votes, None, 60, 3, method="auto", n_annotators=5, weights=None, saw=None, gold=None,
        min_gold=30, start=None,
    )  # fmt: skip
    np.testing.assert_array_equal(consolidate_codes(*votes).posterior, named.posterior)
    # Who never voted last and what nobody named last do not show.
    assert majority(*votes, n_items=61).labels[-1] == -1
    assert dawid_skene(*votes, n_classes=4).posterior.shape == (60, 4)
