"""What keeps samples and selections from being put together by hand, or changed."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from ..errors import UsageError

__all__ = ["SEAL", "check_seal", "fixed"]

SEAL = object()


def check_seal(seal: object, kind: str, maker: str) -> None:
    """Refuse an object that its maker did not make."""
    if seal is not SEAL:
        raise UsageError(f"a {kind} is made by {maker} only; it cannot be put together by hand")


def fixed(values: npt.NDArray[np.generic], owner: object, name: str) -> None:
    """Keep a copy that nobody can write to."""
    kept = values.copy()
    kept.flags.writeable = False
    object.__setattr__(owner, name, kept)
