"""Which version of a labeler is in force, and what was planned for it."""

from __future__ import annotations

import json
from collections.abc import Sequence

import numpy as np
import pandas as pd
import pytest

from labelops.autolabel.policy import AcceptancePolicy
from labelops.journey import autolabel
from labelops.releasing import _encoders
from labelops.report.of_state import _lineage
from labelops.schema import Schema

from .world import World, events, make_world, words


class Served:
    """A labeler that is somebody else's: it says which version it is, and what it likes."""

    name = "model:served"

    def __init__(self, version: str, said: str) -> None:
        self.version, self.said = version, said

    def fit(
        self, items: pd.DataFrame, codes: Sequence[int], groups: Sequence[str], schema: Schema
    ) -> str:
        return self.version

    def propose(self, items: pd.DataFrame, schema: Schema) -> pd.DataFrame:
        n = len(items)
        return pd.DataFrame(
            {
                "item_id": items["item_id"],
                "value": words(*[self.said] * n),
                "confidence": np.full(n, 0.9),
                "probs": None,
                "fold": 0,
            }
        )


def _arrive(world: World, batch: str, labeler: Served) -> None:
    """Let items come, people label some of them, and the labeler propose."""
    ids = [f"{batch}{n:02}" for n in range(40)]
    world.items(*ids)
    for n, item in enumerate(ids[:20]):
        world.vote(item, ann=("cat", "dog")[n % 2])
    world.flush()
    autolabel(world.workspace, labeler, now=world.tick())


@pytest.mark.slow
def test_a_version_that_comes_back_is_in_force_again() -> None:
    """A server that goes back to the model before is that model, with its plan and proposals."""
    world = make_world(accept=AcceptancePolicy(rule="never"), calibration=8, seed=10, training=10)
    one, two = Served("m1", "cat"), Served("m2", "dog")
    for batch, labeler in (("a", one), ("b", two), ("c", one), ("d", two), ("e", two)):
        _arrive(world, batch, labeler)
        state = world.state
        assert state.labeler_version == labeler.version
        assert set(state.current_proposals["value"]) == set(words(labeler.said))
        assert len(state.current_proposals) == len(state.items)
        plan = {"m1": 8, "m2": len(state.calibration_stream)}
        assert state.planned_looks <= plan[labeler.version]
    fits = world.workspace.tables.read("events")
    fits = fits.loc[fits["kind"] == "fit"].sort_values("revision")
    assert fits["subject"].tolist() == ["m1", "m2", "m1", "m2"]
    assert fits["revision"].is_unique
    assert fits["body"].iloc[0] == fits["body"].iloc[2], "what was planned first, stays"
    assert len(events(world, "fit")) == 4


@pytest.mark.slow
def test_other_settings_make_another_labeler_at_once() -> None:
    """It learns from the same labels; with the settings of before the earlier one is back.

    Settings that come to the same version, and no word of them, change nothing.
    """
    world = make_world(accept=AcceptancePolicy(rule="never"), calibration=8, seed=10, training=10)
    one, two = Served("m1", "cat"), Served("m2", "dog")
    _arrive(world, "a", one)

    def again(labeler: Served, made_from: str) -> tuple[str | None, int]:
        autolabel(world.workspace, labeler, now=world.tick(), made_from=made_from)
        return world.state.labeler_version, len(events(world, "fit"))

    assert again(two, "y") == ("m1", 1), "of the first nothing was said"
    world.items("b")
    assert again(one, "x") == ("m1", 2)
    assert again(two, "x") == ("m1", 2)
    assert again(two, "y") == ("m2", 3)
    learned = {json.loads(body)["object"] for body in events(world, "fit")["body"]}
    assert set(world.state.current_proposals["value"]) == set(words("dog"))
    assert len(world.state.current_proposals) == len(world.state.items)
    assert again(one, "x") == ("m1", 4)
    assert again(one, "z") == ("m1", 5), "said, so that it is not fitted at each run"
    assert again(two, "z") == ("m1", 5)
    known = [json.loads(world.workspace.objects.get(name)) for name in learned]
    assert len({json.dumps(k["items"]) for k in known}) == 1


class WithVectors(Served):
    """One that learns from an encoder's vectors."""

    encoder: object = "vowels 1"


def test_a_fit_names_the_encoder_that_it_rests_on() -> None:
    """The event, the report and a release name it; the version of the labeler is a digest."""
    world = make_world(accept=AcceptancePolicy(rule="never"), calibration=8, seed=10, training=10)
    _arrive(world, "a", WithVectors("m1", "cat"))
    (body,) = events(world, "fit")["body"]
    assert json.loads(body)["encoder"] == "vowels 1"
    (said,) = [row.detail for row in _lineage(world.state) if row.role == "labeler"]
    assert said.endswith(", learned from 16 items, by vectors of vowels 1")
    assert _encoders(world.state) == {"vectors": "vowels 1"}


def test_a_fit_without_vectors_names_none() -> None:
    """Neither does one whose attribute of that name means something else."""
    world = make_world(accept=AcceptancePolicy(rule="never"), calibration=8, seed=10, training=10)
    other = WithVectors("m1", "cat")
    other.encoder = object()
    _arrive(world, "a", other)
    (body,) = events(world, "fit")["body"]
    assert "encoder" not in json.loads(body)
    (said,) = [row.detail for row in _lineage(world.state) if row.role == "labeler"]
    assert said.endswith(", learned from 16 items")
    assert _encoders(world.state) == {}


class Picky(Served):
    """A labeler whose model takes no part in some items."""

    def __init__(self, version: str, said: str, refused: dict[str, str]) -> None:
        super().__init__(version, said)
        self.refused: dict[str, str] = {}
        self._refuses = refused

    def propose(self, items: pd.DataFrame, schema: Schema) -> pd.DataFrame:
        asked = set(items["item_id"])
        self.refused = {i: why for i, why in self._refuses.items() if i in asked}
        found = super().propose(items, schema)
        without = found["item_id"].isin(list(self.refused))
        return found.assign(
            value=found["value"].mask(without, None),
            confidence=found["confidence"].mask(without),
        )


@pytest.mark.slow
def test_what_a_model_refused_is_known_later() -> None:
    """By item and reason, while that version is in force, and what it refuses of newer items too.

    A version that refuses nothing, or an item whose new content is answered, has none.
    """
    world = make_world(accept=AcceptancePolicy(rule="never"), calibration=8, seed=10, training=10)
    _arrive(world, "a", Picky("v1", "cat", {"a03": "too long", "a01": "too long"}))
    assert world.state.refused == {"a01": "too long", "a03": "too long"}
    picky = Picky("v1", "cat", {"b02": "no text"})
    _arrive(world, "b", picky)
    assert world.state.refused == {"a01": "too long", "a03": "too long", "b02": "no text"}
    autolabel(world.workspace, picky, now=world.tick())
    assert len(world.state.refused) == 3 and len(events(world, "refused")) == 2
    facts = [row for row in _lineage(world.state) if row.role == "refused by the labeler"]
    assert [(row.name, row.detail) for row in facts] == [
        ("2 items", "too long: a01, a03"),
        ("1 item", "no text: b02"),
    ]
    _arrive(world, "c", Served("v2", "cat"))
    assert world.state.refused == {}
    _arrive(world, "d", picky)
    assert len(world.state.refused) == 3
