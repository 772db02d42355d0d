from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import numpy as np
import pandas as pd
import pytest

from labelops.adapters.parquet import decode_parquet
from labelops.errors import SchemaError, UsageError
from labelops.release import Manifest, ReleaseParts, Version
from labelops.schema import Schema
from labelops.tables import PROPOSALS, check

from .world import (
    MODEL,
    NOW,
    PASSED,
    PEOPLE,
    PETS,
    build,
    built,
    items,
    labels,
    parent_of,
    planted,
    proposals,
    votes,
)

LATER = NOW + timedelta(days=1)


def frame(parts: ReleaseParts, role: str) -> pd.DataFrame:
    return decode_parquet(parts.files[parts.manifest.part_name(role)])


def test_the_first_release() -> None:
    """1.0.0 with every fact counted: a worked example by hand."""
    found = built()
    manifest = found.manifest
    assert manifest.reference == "pets@1.0.0"
    assert manifest.change["level"] == "first"
    assert manifest.parents == ()
    assert manifest.counts == {
        "items": 3,
        "classes": {"cat": 2, "dog": 1},
        "methods": {"majority": 2, "accepted": 1},
        "accepted_from_model": 1,
        "decided_by_people": 2,
        "votes": 2,
        "annotators": 1,
    }
    assert [p.role for p in manifest.parts] == ["labels", "votes", "items", "proposals"]
    assert manifest.schema.classes == ("cat", "dog")
    assert all(name.startswith("releases/pets/1.0.0/") for name in found.files)


def test_parts_read_back() -> None:
    """Parts hold what labels rest on, with the tables' own dtypes."""
    found = built()
    assert frame(found, "labels")["item_id"].tolist() == ["a", "b", "c"]
    assert frame(found, "votes")["vote_id"].tolist() == ["v-a", "v-b"]
    assert frame(found, "items")["payload"].tolist() == ["text of a", "text of b", "text of c"]
    back = frame(found, "proposals")
    pd.testing.assert_frame_equal(check(PROPOSALS, back), back)
    assert back["probs"][0].tolist() == [0.9, 0.1]


def test_row_order_and_rows_said_twice_change_no_byte() -> None:
    """Equal facts give equal bytes, whatever order they arrived in and how often."""
    rng = np.random.default_rng(5)

    def stirred(rows: pd.DataFrame) -> pd.DataFrame:
        return pd.concat([rows, rows]).sample(frac=1, random_state=rng)

    plain = built()
    again = built(
        labels=stirred(labels(PEOPLE, MODEL)),
        items=stirred(items(["c", "b", "a"])),
        votes=stirred(votes(PEOPLE)),
        proposals=stirred(proposals(MODEL)),
    )
    assert again.files == plain.files
    assert again.manifest.to_bytes() == plain.manifest.to_bytes()


def test_only_what_labels_rest_on_goes_in() -> None:
    """Undecided labels, other items, other votes, older proposals stay out."""
    undecided = labels({"d": "cat"}).assign(value=np.array([None], dtype=object))
    early = proposals(MODEL, "m0", proposed_at=NOW - timedelta(1))
    late = proposals(MODEL, "m2", proposed_at=LATER)
    found = built(
        labels=pd.concat([labels(PEOPLE, MODEL), undecided]),
        items=items(["a", "b", "c", "d", "e"]),
        votes=pd.concat([votes(PEOPLE), votes({"d": "cat", "e": "dog"})]),
        proposals=pd.concat([late, proposals(MODEL), early]),
    )
    assert found.files == built().files


def test_the_newest_revision_is_released() -> None:
    """Older revisions of labels and votes are not in the release."""
    newer = votes({"a": "dog"}, revision=2)
    found = built(
        labels=pd.concat([labels({"a": "dog"}, revision=2), labels(PEOPLE, MODEL)]),
        votes=pd.concat([newer, votes(PEOPLE)]),
    )
    assert frame(found, "labels")["value"].tolist() == ['"dog"', '"dog"', '"cat"']
    assert frame(found, "votes")["value"].tolist() == ['"dog"', '"dog"']


def test_nothing_changed_is_no_version() -> None:
    """The same facts at another time, with other tools and another report, are no new version."""
    parent = parent_of(built())
    assert build(parent=parent, now=LATER, tools={"labelops": "9"}) is None
    assert (
        build(parent=parent, extras=lambda reference: {"report.html": f"<p>{reference}".encode()})
        is None
    )


@pytest.mark.parametrize(
    ("level", "version", "changes"),
    [
        ("minor", "1.1.0", {"people": {"a": "dog", "b": "dog"}}),
        ("minor", "1.1.0", {"people": {"a": "cat"}}),
        ("minor", "1.1.0", {"people": {**PEOPLE, "d": "dog"}}),
        ("minor", "1.1.0", {"items": items(["a", "b", "c"], payload_digest="changed")}),
        ("patch", "1.0.1", {"items": items(["a", "b", "c"], licence="MIT")}),
        ("patch", "1.0.1", {"votes": votes(PEOPLE, annotator="human:eve")}),
        ("patch", "1.0.1", {"verdict": {"status": "inconclusive"}}),
        ("patch", "1.0.1", {"schema": Schema("pets", ("cat", "dog"), question="Which?")}),
        ("major", "2.0.0", {"schema": Schema("pets", ("dog", "cat"))}),
        ("major", "2.0.0", {"schema": Schema("pets", ("kitty", "dog"), renames={"cat": "kitty"})}),
    ],
)
@pytest.mark.slow
def test_what_changed_says_which_number_grows(
    level: str, version: str, changes: dict[str, object]
) -> None:
    """Schema: major; labels or payloads: minor; anything else: patch."""
    first = built()
    found = built(parent=parent_of(first), now=LATER, **changes)
    assert (found.manifest.change["level"], str(found.manifest.version)) == (level, version)
    assert found.manifest.parents[0].digest == first.manifest.digest


def test_a_renamed_class_is_released_under_its_new_name() -> None:
    """Values are written as the schema writes them today."""
    found = built(schema=Schema("pets", ("kitty", "dog"), renames={"cat": "kitty"}))
    assert frame(found, "labels")["value"].tolist() == ['"kitty"', '"dog"', '"kitty"']
    assert found.manifest.counts["classes"] == {"kitty": 2, "dog": 1}


def test_planted_errors_are_never_released() -> None:
    """A planted value that nobody voted for is refused; the same value that people gave is not."""
    with pytest.raises(UsageError, match="'a' is an error planted"):
        build(labels=labels({"a": "dog", "b": "dog"}, MODEL), findings=planted("a", "dog"))
    assert build(findings=planted("a", "cat")) is not None
    assert build(findings=planted("a", "dog")) is not None


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"items": items(["a", "b"])}, "items table, first 'c'"),
        ({"votes": votes({"a": "cat"})}, "votes table, first 'v-b'"),
        ({"proposals": proposals({})}, "'m1', which is not in the proposals table"),
        ({"proposals": proposals(MODEL, "m2")}, "'m1', which is not in the proposals table"),
        ({"labels": labels({})}, "no decided label"),
        ({"labels": labels({"a": "cat"}).assign(evidence='{"votes":[]}')}, "names neither"),
    ],
)
def test_missing_evidence_is_refused(changes: dict[str, object], message: str) -> None:
    """A label whose item, votes or proposal are not there is not released, and is named."""
    with pytest.raises(UsageError, match=message):
        build(**changes)  # type: ignore[arg-type]


def test_a_foreign_class_is_refused() -> None:
    """A value the schema does not know cannot be released."""
    with pytest.raises(SchemaError, match="eel"):
        build(labels=labels({"a": "eel"}))


def test_rights_are_summed_up() -> None:
    """Purposes are those that every item which says something allows; the first expiry counts."""
    rights = items(
        ["a", "b", "c"],
        licence=["MIT", None, "MIT"],
        purposes=['["train","test"]', '["train"]', None],
        expires=[datetime(2027, 1, 1, tzinfo=UTC), datetime(2026, 6, 1, tzinfo=UTC), None],
    )
    assert built(items=rights).manifest.rights == {
        "licences": {"MIT": 2, "": 1},
        "purposes": ["train"],
        "items_without_purposes": 1,
        "regions": {"EU": 3},
        "earliest_expiry": "2026-06-01T00:00:00+00:00",
        "sources": {"mail": 3},
    }
    silent = items(["a", "b", "c"], licence=None, purposes=None)
    assert built(items=silent).manifest.rights["purposes"] is None


def test_a_verdict_of_any_numbers_is_told() -> None:
    """Numbers that JSON lacks become null; numpy's become plain."""
    verdict = {**PASSED, "facts": {"a": np.float64("nan"), "b": np.int64(3), "c": [float("inf")]}}
    told = built(verdict=verdict).manifest.verdict
    assert told["facts"] == {"a": None, "b": 3, "c": [None]}


def test_extras_are_parts() -> None:
    """A report is a part with a digest like any other, and is told which release it is of."""
    found = built(extras=lambda reference: {"report.html": f"<p>{reference}".encode()})
    part = found.manifest.part("report.html")
    assert part.rows is None
    assert found.files[found.manifest.part_name("report.html")] == b"<p>pets@1.0.0"


def test_a_manifest_reads_back() -> None:
    """Bytes and manifest say the same, and the digest is that of the rest."""
    manifest = built().manifest
    again = Manifest.from_bytes(manifest.to_bytes())
    assert again == manifest
    assert json.loads(manifest.to_bytes())["digest"] == manifest.digest
    assert again.version == Version(1, 0, 0)
    assert again.schema == PETS
