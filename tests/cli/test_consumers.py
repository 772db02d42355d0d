"""Who only reads releases has settings of their own, and changes nothing where labels are made."""

from __future__ import annotations

import warnings
from pathlib import Path

import pytest

import labelops
from labelops.settings import read_settings

from .world import run

pytestmark = pytest.mark.slow


def _files(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


@pytest.mark.parametrize("change", ["more", "fewer", "another order"])
def test_other_classes_than_those_in_force(change: str, released: Path, tmp_path: Path) -> None:
    """An old copy of the settings, or a newer one: releases are read as they are; nothing is said.

    Else the label set would have another schema, and its looks and acceptance would be void.
    """
    settings = read_settings(released)
    workspace, name = Path(settings.workspace), settings.schema.name
    classes = list(settings.schema.classes)
    other = {"more": [*classes, "new"], "fewer": classes[1:], "another order": classes[::-1]}
    mine = tmp_path / "mine"
    mine.mkdir()
    (mine / "labelops.toml").write_text(
        f'workspace = "{workspace}"\n[schema]\nname = "{name}"\nclasses = {other[change]}\n'
    )
    before = _files(workspace)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        frame = labelops.load(f"{name}@latest", config=mine)
    assert frame.attrs["classes"] == classes
    assert set(frame["label"]) <= set(classes)
    assert labelops.verify(f"{name}@1.0.0", config=mine).ok
    for command in ("log", "show", "verify"):
        arguments = [f"{name}@latest"] if command != "log" else []
        assert run(mine / "labelops.toml", command, *arguments) == 0
    assert run(mine / "labelops.toml", "export", str(tmp_path / "train")) == 0
    assert labelops.verify(tmp_path / "train", config=mine).ok
    assert _files(workspace) == before


def test_whoever_may_not_write(released: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Rights to read are enough: nothing is even tried to be written."""
    from labelops.adapters.objects import LocalObjects

    def refuse(*_: object) -> None:
        raise AssertionError("a reader wrote")

    monkeypatch.setattr(LocalObjects, "put_new", refuse)
    monkeypatch.setattr("labelops.adapters.delta.DeltaTables.append", refuse)
    name = read_settings(released).schema.name
    assert len(labelops.load(f"{name}@latest", config=released))
    assert labelops.verify(f"{name}@latest", config=released).ok
