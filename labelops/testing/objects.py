"""The conformance suite for objects: subclass `ObjectsTests` in your own tests.

Needs pytest. An example is the folder's own test::

    class TestLocalObjects(ObjectsTests):
        def make(self, place):
            return open_objects(str(place))

        def stored(self, place):
            return {f.relative_to(place).as_posix(): f.read_bytes()
                    for f in place.rglob("*") if f.is_file()}
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from labelops.errors import NotFoundError, UsageError
from labelops.ports import BatchObjects, Objects

__all__ = ["BAD_NAMES", "ObjectsTests"]

BAD_NAMES = (
    "",
    ".",
    "..",
    "../x",
    "a/../x",
    "a/./x",
    "/etc/passwd",
    "a//b",
    "a/",
    "a\\b",
    "a\nb",
    "a\x00b",
    "a\x1b[0m",
    "x" * 201,
    "a/" + "x" * 201,
    "é" * 101,
    "/".join("x" * 200 for _ in range(5)),
)
"""Names that every end refuses."""


class ObjectsTests:
    """What every `Objects` end promises; it looks behind the adapter at what is stored."""

    def make(self, place: Path) -> Objects:
        """Open the end on a storage named by `place`; the same place opens the same storage."""
        raise NotImplementedError

    def stored(self, place: Path) -> dict[str, bytes]:
        """Return every object the storage really holds, read without the adapter."""
        raise NotImplementedError

    @pytest.fixture
    def place(self, tmp_path: Path) -> Path:
        """Name an unused storage."""
        return tmp_path / "workspace"

    def test_bytes_come_back(self, place: Path) -> None:
        """Bytes come back as they were, from another opener too, and are really stored."""
        content = bytes(range(256)) * 10
        assert self.make(place).put_new("releases/a/part-1.bin", content) is True
        assert self.make(place).get("releases/a/part-1.bin") == content
        assert self.stored(place) == {"releases/a/part-1.bin": content}

    def test_no_bytes_are_bytes_too(self, place: Path) -> None:
        """An empty object exists."""
        objects = self.make(place)
        assert objects.put_new("empty", b"")
        assert objects.get("empty") == b""
        assert not objects.put_new("empty", b"x")

    def test_a_name_is_written_once(self, place: Path) -> None:
        """A taken name keeps its bytes, whether the new ones are equal or not."""
        objects = self.make(place)
        assert objects.put_new("a", b"first")
        assert objects.put_new("a", b"second") is False
        assert objects.put_new("a", b"first") is False
        assert self.stored(place) == {"a": b"first"}

    def test_writers_at_once_have_one_winner(self, place: Path) -> None:
        """Of writers racing for one name exactly one is told it won, and its bytes are stored."""
        openers = [self.make(place) for _ in range(4)]
        for race in range(3):
            with ThreadPoolExecutor(4) as pool:
                won = list(
                    pool.map(
                        lambda w, race=race: openers[w].put_new(
                            f"race/{race}", bytes([w]) * 50_000
                        ),
                        range(4),
                    )
                )
            assert won.count(True) == 1
            assert self.stored(place)[f"race/{race}"] == bytes([won.index(True)]) * 50_000

    def test_many_at_once_are_as_one_after_the_other(self, place: Path) -> None:
        """All of a batch are stored whole, what was there stays, and a bad name is refused."""
        objects = self.make(place)
        if not isinstance(objects, BatchObjects):
            pytest.skip("this end takes one object at a time")
        objects.put_new("a/0", b"first")
        objects.put_all((f"{'abc'[i % 3]}/{i}", bytes([i])) for i in range(30))
        expected = {f"{'abc'[i % 3]}/{i}": bytes([i]) for i in range(30)} | {"a/0": b"first"}
        assert self.stored(place) == expected
        with pytest.raises(UsageError):
            objects.put_all([("../x", b"x")])

    def test_large_objects(self, place: Path) -> None:
        """Bytes larger than any upload's part size come back."""
        content = b"0123456789abcdef" * (768 * 1024)
        objects = self.make(place)
        assert objects.put_new("large", content)
        assert objects.put_new("large", content) is False
        assert objects.get("large") == content

    @pytest.mark.parametrize("name", ["nope", "a", "a/b/c"])
    def test_absent_names(self, place: Path, name: str) -> None:
        """What is not there is not found: also a folder, and a name through an object."""
        objects = self.make(place)
        objects.put_new("a/b", b"x")
        with pytest.raises(NotFoundError):
            objects.get(name)

    def test_list_is_sorted_and_by_text_prefix(self, place: Path) -> None:
        """`list` gives all names that start with the text, sorted; none for an unused storage."""
        objects = self.make(place)
        assert objects.list() == []
        names = ["b/2", "a/10", "a/1", "ab", "a/1x/y"]
        for name in names:
            objects.put_new(name, b"")
        assert objects.list() == sorted(names)
        assert objects.list("a") == ["a/1", "a/10", "a/1x/y", "ab"]
        assert objects.list("a/") == ["a/1", "a/10", "a/1x/y"]
        assert objects.list("a/1") == ["a/1", "a/10", "a/1x/y"]
        assert objects.list("a/1x/y/z") == []
        assert objects.list("zzz/") == []

    def test_names_beyond_ascii(self, place: Path) -> None:
        """Letters, spaces and marks in a name mean themselves."""
        objects = self.make(place)
        names = ["é 漢/x y", "a%20b", "a#1", "a?b=c", "a+b&c", "~", "a:b", ".hidden"]
        names += ["x" * 200, f"{'y' * 200}/{'é' * 100}"]
        for i, name in enumerate(names):
            assert objects.put_new(name, bytes([i]))
        assert objects.list() == sorted(names)
        assert [objects.get(name) for name in names] == [bytes([i]) for i in range(len(names))]

    @pytest.mark.parametrize("name", BAD_NAMES)
    def test_bad_names_are_refused(self, place: Path, name: str) -> None:
        """A name that leaves the root, or is malformed, is wrong use, and nothing is touched."""
        objects = self.make(place)
        with pytest.raises(UsageError):
            objects.put_new(name, b"x")
        with pytest.raises(UsageError):
            objects.get(name)
        if name:
            with pytest.raises(UsageError):
                objects.list(f"{name}/x")
        assert self.stored(place) == {}
        assert not (place.parent / "x").exists()
