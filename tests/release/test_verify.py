from __future__ import annotations

import json
from datetime import timedelta

import numpy as np
import pandas as pd
import pytest

from labelops.digest import canonical_json, digest, digest_bytes
from labelops.errors import ConflictError, IntegrityError, NotFoundError
from labelops.release import (
    Problem,
    ReleaseParts,
    Version,
    publish,
    release_folder,
    released_versions,
    verify,
    verify_files,
)

from .world import NOW, Memory, built, parent_of


def checked(store: Memory, parts: ReleaseParts, expected: str | None = None) -> list[Problem]:
    manifest = parts.manifest
    folder = release_folder(manifest.name, manifest.version)
    content = store.content[manifest.object_name]
    return verify(content, store.get, store.list(folder), expected=expected)


def released(store: Memory | None = None, **changes: object) -> tuple[Memory, ReleaseParts]:
    store, parts = store or Memory(), built(**changes)
    publish(parts, store.put_new, store.get)
    return store, parts


def test_a_release_verifies() -> None:
    """What was just written has no problem, with and without its digest from elsewhere."""
    store, parts = released()
    assert checked(store, parts) == []
    assert checked(store, parts, parts.manifest.digest) == []
    assert released_versions("pets", store.list()) == [Version(1, 0, 0)]


def test_any_single_changed_byte_is_found() -> None:
    """Flip a bit of any byte of any object, one at a time: verify names that object."""
    store, parts = released()
    rng = np.random.default_rng(3)
    for name, content in dict(store.content).items():
        everywhere = range(len(content)) if name.endswith(".json") else []
        sample = rng.choice(len(content), size=min(60, len(content)), replace=False)
        for at in {*everywhere, 0, len(content) - 1, *sample.tolist()}:
            broken = bytearray(content)
            broken[at] ^= 1 << int(rng.integers(8))
            store.content[name] = bytes(broken)
            found = checked(store, parts)
            assert any(p.harmful and p.file.endswith(name.rpartition("/")[2]) for p in found), (
                name,
                at,
            )
        store.content[name] = content
    assert checked(store, parts) == []


@pytest.mark.parametrize("damage", [lambda c: c[:-1], lambda c: c + b"\n", lambda c: b""])
def test_cut_or_grown_files_are_found(damage: object) -> None:
    """Bytes taken from or added to the end of any object are found."""
    store, parts = released()
    for name, content in dict(store.content).items():
        store.content[name] = damage(content)  # type: ignore[operator]
        assert [p.harmful for p in checked(store, parts)] == [True]
        store.content[name] = content


def test_missing_and_extra_files_are_found() -> None:
    """Every file that is not there, and every one that should not be, is named."""
    store, parts = released()
    gone = parts.manifest.part_name("votes")
    del store.content[gone]
    store.content["releases/pets/1.0.0/notes.txt"] = b"x"
    store.content["releases/pets/1.0.0/votes-0123456789abcdef.parquet"] = b"x"
    assert [(p.kind, p.file.rpartition("/")[2]) for p in checked(store, parts)] == [
        ("missing", gone.rpartition("/")[2]),
        ("extra", "notes.txt"),
        ("extra", "votes-0123456789abcdef.parquet"),
    ]


def test_a_manifest_rewritten_as_a_whole_is_found_by_its_digest() -> None:
    """Someone who rewrites the manifest consistently is found by whoever noted the digest."""
    store, parts = released()
    raw = json.loads(store.content[parts.manifest.object_name])
    raw["verdict"]["status"] = "pass with honours"
    del raw["digest"]
    forged = canonical_json({**raw, "digest": digest(raw)}).encode()
    store.content[parts.manifest.object_name] = forged
    assert checked(store, parts) == []
    assert [p.kind for p in checked(store, parts, parts.manifest.digest)] == ["manifest"]
    child = released(store, parent=parent_of(parts), people={"a": "dog", "b": "dog"})[1]
    assert [(p.kind, p.harmful) for p in checked(store, child)] == [("parent", True)]


def test_a_moved_manifest_is_found() -> None:
    """The manifest of one version in the place of another is refused."""
    store, parts = released()
    child = released(store, parent=parent_of(parts), people={"a": "dog", "b": "dog"})[1]
    store.content[child.manifest.object_name] = parts.manifest.to_bytes()
    kinds = {p.kind for p in checked(store, child) if p.harmful}
    assert "manifest" in kinds


def test_an_absent_parent_is_only_said() -> None:
    """A release copied without its parent is whole."""
    store, parts = released()
    child = released(store, parent=parent_of(parts), people={"a": "dog", "b": "dog"})[1]
    del store.content[parts.manifest.object_name]
    assert [(p.kind, p.harmful) for p in checked(store, child)] == [("parent", False)]


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"[]",
        b"null",
        b"\xff",
        b"{}",
        b'{"name": NaN}',
        b"[" * 100_000,
    ],
)
def test_what_is_no_manifest_is_said_so(content: bytes) -> None:
    """Any other bytes are one problem, never a crash."""
    assert [p.kind for p in verify(content, Memory().get, [])] == ["manifest"]


def test_a_strangers_manifest_cannot_lead_out_of_its_folder() -> None:
    """File names in a manifest are plain, even when its digest is right."""
    store, parts = released()
    raw = json.loads(store.content[parts.manifest.object_name])
    raw["parts"][0]["file"] = "../../../etc/passwd"
    del raw["digest"]
    forged = canonical_json({**raw, "digest": digest(raw)}).encode()
    assert [p.kind for p in verify(forged, store.get, [])] == ["manifest"]


def test_publishing_again_is_the_same() -> None:
    """The same release written twice, the second time later, is one release: the first."""
    store, parts = released()
    before = dict(store.content)
    later = built(now=NOW + timedelta(1), tools={"labelops": "9"})
    assert publish(later, store.put_new, store.get) == parts.manifest.digest
    assert store.content == before


def test_of_two_different_releases_one_wins() -> None:
    """Two processes, one version, other labels: the loser is told, the winner's is whole."""
    store, parts = released()
    other = built(people={"a": "dog", "b": "dog"})
    with pytest.raises(ConflictError, match="somebody else"):
        publish(other, store.put_new, store.get)
    assert [p for p in checked(store, parts) if p.harmful] == []


@pytest.mark.parametrize("call", range(1, 6))
def test_killed_anywhere_and_run_again(call: int) -> None:
    """Killed at any write, a release does not exist; the next run makes it, with other labels too.

    What the killed run left is told as harmless.
    """
    store = Memory(dies_at=call)
    with pytest.raises(KeyboardInterrupt):
        released(store)
    assert released_versions("pets", store.list()) == []
    _, parts = released(store, people={"a": "dog", "b": "dog"})
    assert released_versions("pets", store.list()) == [Version(1, 0, 0)]
    assert {(p.kind, p.harmful) for p in checked(store, parts)} <= {("leftover", False)}


def test_a_damaged_leftover_is_not_built_upon() -> None:
    """A part of the right name and wrong bytes stops the release."""
    store, parts = Memory(), built()
    store.content[parts.manifest.part_name("items")] = b"half"
    with pytest.raises(IntegrityError, match="remove it"):
        publish(parts, store.put_new, store.get)
    assert released_versions("pets", store.list()) == []


def test_files_that_were_labeled_are_compared_each_once() -> None:
    """Those that are gone and those that are others, by name; not texts, and not what is afar."""
    good, other = digest_bytes(b"good"), digest_bytes(b"other")
    shown = [
        ("object:c.png", other, "image/png"),
        ("object:a.png", other, "image/png"),
        ("object:b.png", good, "image/png"),
        ("object:d.png", good, "image/png"),
        ("object:a.png", other, "image/png"),
        ("https://x.example/e.png", other, "image/png"),
        ("object:f.png", other, "text/plain"),
    ]
    kept = dict.fromkeys(("a.png", "d.png", "f.png"), b"good")

    def get(name: str) -> bytes:
        if name not in kept:
            raise NotFoundError(name)
        return kept[name]

    items = pd.DataFrame(shown, columns=["payload", "payload_digest", "media_type"])
    found = [(p.kind, p.file) for p in verify_files(items, get)]
    assert found == [("changed", "a.png"), ("missing", "b.png"), ("missing", "c.png")]
