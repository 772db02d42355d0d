"""Label sets at three stages of the journey; each is made once, and tests change copies."""

from __future__ import annotations

from pathlib import Path

import pytest

from .world import (
    ITEMS,
    SETTINGS,
    copied,
    label,
    mails,
    run,
)


@pytest.fixture(scope="session")
def sent_once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make a label set whose first items are offered to people."""
    folder = tmp_path_factory.mktemp("sent")
    rows = "".join(f"{i},{text}\n" for i, text, _ in mails(ITEMS))
    (folder / "mails.csv").write_text("id,text\n" + rows, encoding="utf-8")
    config = folder / "labelops.toml"
    config.write_text(SETTINGS, encoding="utf-8")
    assert run(config, "run", "send") == 0
    return config


@pytest.fixture(scope="session")
def passed_once(sent_once: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Let people label it until there is a candidate that passes the gate."""
    config = copied(sent_once, tmp_path_factory.mktemp("passed"))
    for _ in range(12):
        label(config)
        assert run(config, "run", "receive") == 0
        if run(config, "gate") == 0:
            return config
        assert run(config, "run", "send") == 0
    assert run(config, "status") == 0
    raise AssertionError("the gate did not pass in 12 rounds")


@pytest.fixture(scope="session")
def released_once(passed_once: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make its first release."""
    config = copied(passed_once, tmp_path_factory.mktemp("released"))
    assert run(config, "release") == 0
    return config


@pytest.fixture
def sent(sent_once: Path, tmp_path: Path) -> Path:
    return copied(sent_once, tmp_path)


@pytest.fixture
def passed(passed_once: Path, tmp_path: Path) -> Path:
    return copied(passed_once, tmp_path)


@pytest.fixture
def released(released_once: Path, tmp_path: Path) -> Path:
    return copied(released_once, tmp_path)
