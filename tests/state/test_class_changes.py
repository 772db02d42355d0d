"""Classes get other names, or come and go: what is known of the labels stays what it is."""

from __future__ import annotations

from collections.abc import Sequence

from labelops.audit.findings import STATUS, finding_status
from labelops.journey import adopt_schema
from labelops.report.facts import ReportFacts
from labelops.report.of_state import report_facts
from labelops.schema import Schema

from .world import PETS, World, make_world, words

IDS = [f"i{n:02d}" for n in range(12)]
RENAMED = Schema("pets", ("hound", "cat", "cow"), renames={"dog": "hound"})


def _adopted(world: World, schema: Schema) -> World:
    """Return the label set under another schema."""
    world.flush()
    later = make_world(schema, like=world)
    adopt_schema(later.workspace, now=later.tick())
    return later


def _suspect(
    world: World, ids: Sequence[str], suggestion: str = "cat", planted: bool = False
) -> None:
    """Raise a suspicion against each of these labels, all of which say dog."""
    rows = {
        "item_id": list(ids),
        "kind": "label_error",
        "round": 1,
        "score": 0.1,
        "value": words("dog") * len(ids),
        "suggestion": words(suggestion) * len(ids),
        "detector": "test",
        "evidence": "{}",
        "planted": planted,
        "found_at": world.tick(),
    }
    world.append("findings", rows, len(ids))


def _suspected() -> World:
    """Return labels under suspicion, one of each standing: open, disputed, confirmed, corrected."""
    world = _adopted(make_world(), PETS)
    world.items(*IDS)
    world.label(dict.fromkeys(IDS[:6], "dog") | dict.fromkeys(IDS[6:], "cow"))
    _suspect(world, IDS[:4])
    world.vote(IDS[1], "review", ann="cat")
    world.vote(IDS[2], "review", ann="dog")
    world.vote(IDS[3], "review", ann="cat")
    world.label({IDS[3]: "cat"})
    return world


def _facts(world: World) -> ReportFacts:
    verdict = {"status": "inconclusive", "checks": []}
    return report_facts(world.state, verdict, "2026-01-02", lambda name: b"a text")


def _status(world: World) -> list[str]:
    state = world.state
    return finding_status(
        state.findings, state.reviews, state.labels, state.lacking_classes
    ).tolist()


def test_another_name_corrects_nothing() -> None:
    """Suspicions are as open, disputed, confirmed and corrected under a class's new name."""
    world = _suspected()
    assert _status(world) == list(STATUS), "else this shows nothing"
    later = _adopted(world, RENAMED)
    assert _status(later) == list(STATUS)
    assert later.state.suspicions["item_id"].tolist() == IDS[:2]
    later.vote(IDS[0], "review", ben="hound")
    assert _status(later)[0] == "confirmed"
    # And the labels decided anew, under the new name.
    later.label(dict.fromkeys(IDS[:3], "hound"))
    assert _status(later) == ["confirmed", "disputed", "confirmed", "corrected"]


def test_the_report_counts_no_correction_by_another_name() -> None:
    """How many reviewed suspicions were errors is what it was; and each has its present name."""
    world = _suspected()
    before = _facts(world)
    later = _facts(_adopted(world, RENAMED))
    assert before.precision is not None
    assert (before.precision.corrected, before.precision.reviewed) == (1, 2)
    assert later.precision == before.precision
    assert [f.status for f in later.findings] == [f.status for f in before.findings]
    assert [f.label for f in later.findings] == ["hound"] * 4


def test_a_planted_error_is_known_by_its_new_name() -> None:
    """What was planted as a dog must not be released as a hound."""
    world = _suspected()
    _suspect(world, IDS[6:8], planted=True)
    state = _adopted(world, RENAMED).state
    planted = state.findings.loc[state.findings["planted"].astype(bool)]
    assert set(planted["value"]) == {'"hound"'}


def test_a_class_that_was_only_suggested_may_go() -> None:
    """Nothing but a suggestion names the cow: the report shows what was said."""
    world = _adopted(make_world(), PETS)
    world.items(*IDS)
    world.label(dict.fromkeys(IDS, "dog"))
    _suspect(world, IDS[:1], "cow")
    later = _adopted(world, Schema("pets", ("cat", "dog")))
    assert [f.suggestion for f in _facts(later).findings] == ["cow"]
    assert later.state.suspicions["item_id"].tolist() == IDS[:1]
