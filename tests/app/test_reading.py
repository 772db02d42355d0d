"""What is read of a release is what was released, or an error: byte for byte."""

from __future__ import annotations

from pathlib import Path

import pytest

from labelops.adapters.parquet import decode_parquet, encode_parquet
from labelops.app import App
from labelops.digest import digest_bytes
from labelops.errors import IntegrityError
from labelops.release import publish
from labelops.schema import Schema
from labelops.settings import read_settings

from ..release.world import MODEL, PEOPLE, ReleaseParts, built, items

IDS = [*PEOPLE, *MODEL]
TEXTS, IMAGES = Schema("pets", ("cat", "dog")), Schema("pets", ("cat", "dog"), media="image")


def _released(folder: Path, schema: Schema = TEXTS) -> tuple[App, ReleaseParts, Path]:
    """Return a label set with a release, its parts, and where its workspace is."""
    toml = f'[schema]\nname = "pets"\nclasses = ["cat", "dog"]\nmedia = "{schema.media}"\n'
    (folder / "labelops.toml").write_text(toml)
    app = App(read_settings(folder / "labelops.toml"))
    rows = items(IDS)
    if schema is IMAGES:
        pictures = {f"payloads/{i}.png": f"picture of {i}".encode() for i in IDS}
        for name, content in pictures.items():
            app.objects.put_new(name, content)
        rows = items(
            IDS,
            payload=[f"object:{name}" for name in pictures],
            payload_digest=[digest_bytes(c) for c in pictures.values()],
            media_type="image/png",
        )
    parts = built(items=rows, schema=schema)
    publish(parts, app.objects.put_new, app.objects.get)
    return app, parts, Path(app.settings.workspace)


def test_a_release_is_loaded_as_it_is(tmp_path: Path) -> None:
    """Texts and pictures, in the order of their items."""
    app, _, _ = _released(tmp_path)
    assert app.load()["label"].tolist() == ["cat", "dog", "cat"]
    other = tmp_path / "images"
    other.mkdir()
    app, _, _ = _released(other, IMAGES)
    assert app.load()["image"].tolist() == [f"picture of {i}".encode() for i in IDS]
    assert app.verify() == []


@pytest.mark.parametrize("role", ["labels", "items"])
def test_a_part_that_was_replaced_is_not_loaded(tmp_path: Path, role: str) -> None:
    """A sound file of other content is no release: neither a frame nor an export is made of it."""
    app, parts, workspace = _released(tmp_path)
    part = workspace / parts.manifest.part_name(role)
    frame = decode_parquet(part.read_bytes())
    part.write_bytes(encode_parquet(frame.iloc[::-1].assign(value='"dog"', payload="another")))
    with pytest.raises(IntegrityError, match=rf"{role}-.*not those released.*labelops verify"):
        app.load()
    with pytest.raises(IntegrityError):
        app.export(tmp_path / "train")
    assert not (tmp_path / "train").exists()


def test_a_picture_that_was_replaced_is_found(tmp_path: Path) -> None:
    """Verifying names it, loading refuses it; one that is gone is named as such."""
    app, _, workspace = _released(tmp_path, IMAGES)
    (workspace / "payloads" / "b.png").write_bytes(b"another picture")
    [found] = app.verify()
    assert (found.kind, found.file, found.harmful) == ("changed", "payloads/b.png", True)
    with pytest.raises(IntegrityError, match=r"payloads/b\.png.*item 'b'"):
        app.load()
    (workspace / "payloads" / "b.png").unlink()
    assert [(p.kind, p.file) for p in app.verify()] == [("missing", "payloads/b.png")]


def test_a_manifest_of_another_version_is_not_read_in_its_place(tmp_path: Path) -> None:
    """Else the labels of one version would be loaded as those of another."""
    app, parts, workspace = _released(tmp_path)
    manifest = workspace / parts.manifest.object_name
    later = workspace / "releases" / "pets" / "1.1.0"
    later.mkdir()
    (later / "manifest.json").write_bytes(manifest.read_bytes())
    with pytest.raises(IntegrityError, match=r"1\.1\.0/manifest\.json.*pets@1\.0\.0"):
        app.load("pets@latest")
    assert len(app.load("pets@1.0.0")) == 3
