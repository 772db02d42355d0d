"""What turns texts into vectors."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt

__all__ = ["TextEncoder"]


@runtime_checkable
class TextEncoder(Protocol):
    """A model that places texts which mean alike near each other.

    It must not have learned from labels or votes of the set it is used on: folds share it, so the
    model would be judged by what it knows. Nobody here can see that.

    `version` says which vectors these are, such as ``"my-model 2026-11"``: a labeler's version is
    of it, so whatever changes a vector has to change it.
    """

    @property
    def version(self) -> str:
        """Names the model and its version; asking for it should load nothing.

        It is asked for again after every `encode`: where it has changed, the vectors on both sides
        of the change do not go together, and the run ends with a `ConflictError`, which is
        retryable.
        """
        ...

    def encode(self, texts: Sequence[str]) -> npt.NDArray[np.floating]:
        """Return one vector a text, in the order asked.

        The same text has the same vector, whatever it is asked with.

        Parameters
        ----------
        texts : sequence of str
            At least one and at most 1,024, all of them valid Unicode; some may be empty or long.

        Returns
        -------
        (N, V) float array, finite, V the same at every call; its length means nothing, and a row
        of zeros says nothing of its text.
        """
        ...
