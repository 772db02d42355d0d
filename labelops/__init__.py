"""labelops: label data with models and people, certify the error, release versioned label sets.

>>> import labelops
>>> frame = labelops.load("digits@latest")  # doctest: +SKIP
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    import pandas as pd

    from .app.verifying import Verified

__all__ = ["__version__", "load", "verify"]

__version__ = "0.1.0"


def load(
    reference: str, *, weights: str = "hard", config: str | Path | None = None
) -> pd.DataFrame:
    """Return a release as a frame to train on, item payloads joined.

    Parameters
    ----------
    reference : str
        `name@version`, `name@latest` or `name@prod`; a name alone is its latest release.
    weights : {"hard", "soft", "weighted"}
        Targets as one class, as probabilities, or as one class weighted by its posterior.
    config : path, optional
        The label set's labelops.toml, or its folder; the nearest above this folder by default.

    Returns
    -------
    One row an item: item_id, payload (`text`, or `image` bytes), label, code, probs, weight,
    split, group, posterior, method. Its `attrs` say which release and class order it has.

    Raises
    ------
    NotFoundError
        If there is no such release.
    SettingsError
        If there is no labelops.toml.
    """
    # Importing labelops must stay cheap; opening a label set need not.
    from .app import open_app

    return open_app(config).load(reference, weights=weights)


def verify(what: str | Path, *, config: str | Path | None = None) -> Verified:
    """Say whether a release, or an exported folder, is as it was made, and still fit to be used.

    Parameters
    ----------
    what : str or Path
        A release, as in `load`, or a folder that was exported, wherever it was copied to: a path,
        or a text with a slash in it or the name of a folder that holds an export.
    config : path, optional
        The label set's labelops.toml, or its folder; the nearest above this folder by default. An
        export is compared with what was exported also without one.

    Returns
    -------
    Verified
        `ok` (no byte is another one), `problems`, `deprecated` (why it should not be used any more,
        or empty) and `newer` (the newest later release that may be used; None: no label set that
        knows is at hand).

    Raises
    ------
    NotFoundError
        If there is no such release or export, or the label set named has not released it.
    SettingsError
        If a release is named and there is no labelops.toml.
    """
    from .app.verifying import verify

    return verify(what, config)
