"""Label sets on which a command must fail, and what is checked whenever one does."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from labelops.app import open_app
from labelops.cli import main
from labelops.testing.annotators import work

from ..label_sets import contents, team, write_mails


@pytest.fixture(autouse=True)
def no_server(monkeypatch: pytest.MonkeyPatch) -> None:
    """Know no Label Studio of the machine's, and give no traceback."""
    for name in ("LABEL_STUDIO_URL", "LABEL_STUDIO_API_KEY", "LABELOPS_DEBUG"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture(scope="session")
def labeled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make a label set in the middle of its way: votes collected, more planned but not sent."""
    folder = tmp_path_factory.mktemp("labeled") / "set"
    truth = write_mails(folder, 48)
    app = open_app(folder)
    app.ingest()
    people = team(app, 0.99, 0.98, 0.97, 0.96)
    for _ in range(2):
        app.route()
        app.send()
        work(app.queue, people, truth)  # type: ignore[arg-type]
        app.collect()
        app.consolidate()
    app.route()
    return folder


@pytest.fixture
def folder(labeled: Path, tmp_path: Path) -> Path:
    """Give each test its own copy."""
    return Path(shutil.copytree(labeled, tmp_path / "set"))


@pytest.fixture
def refused(capfd: pytest.CaptureFixture[str]) -> Callable[..., str]:
    """Run a command that must fail: check its code, its one line, and that nothing changed."""

    def check(folder: Path, command: str, code: int, *facts: str) -> str:
        before = contents(folder)
        capfd.readouterr()
        found = main(["--config", str(folder / "labelops.toml"), "-q", *command.split()])
        message = capfd.readouterr().err.strip()
        assert (found, message.count("\n")) == (code, 0), message
        assert [f for f in facts if f not in message] == [], message
        assert contents(folder) == before
        return message

    return check
