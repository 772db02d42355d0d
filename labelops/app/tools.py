"""Which programs made a release."""

from __future__ import annotations

import platform
from importlib import metadata

from .. import __version__

__all__ = ["tool_versions"]


def tool_versions() -> dict[str, str]:
    """Return the versions of what made a release."""
    names = ("cleanlab", "deltalake", "numpy", "pandas", "pyarrow", "scikit-learn", "scipy")
    found = {name: metadata.version(name) for name in names}
    return {"labelops": __version__, "python": platform.python_version(), **found}
