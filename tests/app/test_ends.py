"""A label set's key: the owner's, or one of its own that it keeps."""

from __future__ import annotations

from pathlib import Path

import pytest

from labelops.app.ends import Ends
from labelops.settings import read_settings


def _opened(folder: Path) -> Ends:
    folder.mkdir(exist_ok=True)
    (folder / "labelops.toml").write_text('[schema]\nname = "a"\nclasses = ["x", "y"]\n')
    return Ends(read_settings(folder / "labelops.toml"))


def test_a_workspace_draws_a_key_once_and_keeps_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without `LABELOPS_KEY` every workspace has its own; with it, all have that one."""
    monkeypatch.delenv("LABELOPS_KEY")
    first, other = _opened(tmp_path / "a"), _opened(tmp_path / "b")
    assert len(first.workspace.key) == 32
    assert first.workspace.key != other.workspace.key
    again = _opened(tmp_path / "a")
    assert again.workspace.key == first.workspace.key
    assert again.namespace == first.namespace != other.namespace
    monkeypatch.setenv("LABELOPS_KEY", "ours")
    assert _opened(tmp_path / "a").workspace.key == _opened(tmp_path / "b").workspace.key == b"ours"
    assert _opened(tmp_path / "a").namespace == first.namespace
