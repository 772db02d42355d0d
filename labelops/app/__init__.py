"""The composition root: settings and the ends they name, wired to the journey.

The command line, the flows and `labelops.load` all start here, so that a label set is
opened in one way only. Vendors are imported when their end is first used.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from ..adapters._patience import silent
from ..settings import find_settings, read_settings
from .label_set import App

__all__ = ["App", "open_app"]


def open_app(config: str | Path | None = None, *, tell: Callable[[str], None] = silent) -> App:
    """Open the label set of a labelops.toml: the one named, or the nearest above this folder.

    Parameters
    ----------
    config : path, optional
    tell : callable
        Is told what is waited for while work goes on, such as a labeler that does not answer.

    Raises
    ------
    SettingsError
        If there is none, or something in it is wrong.
    """
    path = Path(config) if config is not None else find_settings(Path.cwd())
    return App(read_settings(path / "labelops.toml" if path.is_dir() else path), tell=tell)
