"""Text vectors by WordLlama: a table of one vector a token, averaged; its weights are in its wheel.

Needs the extra `vectors` (``pip install labelops-pipeline[vectors]``). Nothing is downloaded.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property
from importlib import import_module, metadata
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import sparse

from ..errors import SettingsError, shown

__all__ = ["WordLlamaEncoder"]

_MODEL, _SIZE = "l2_supercat", 256
_CHARACTERS = 1_000_000
_INSTALL = "pip install 'labelops-pipeline[vectors]'"


class WordLlamaEncoder:
    """The 256-dimensional vectors that ship with WordLlama: the mean of a text's token vectors.

    They are made for English. Order of words and what stands between them is not seen. Memory
    grows with the longest text, not with how many are asked at once.

    Raises
    ------
    SettingsError
        If wordllama is not installed, or its wheel lacks the weights.

    References
    ----------
    Miller 2024, WordLlama, https://github.com/dleemiller/WordLlama

    Examples
    --------
    >>> vectors = WordLlamaEncoder().encode(["my card was stolen", "lost my card", "good morning"])
    >>> near = vectors @ vectors.T
    >>> vectors.shape, bool(near[0, 1] > near[0, 2])
    ((3, 256), True)
    """

    def __init__(self) -> None:
        if find_spec("wordllama") is None:
            raise SettingsError(f"vectors 'wordllama' need wordllama: {_INSTALL}")

    @property
    def version(self) -> str:
        """The model's name, size, and the version of the package that its weights are in."""
        return f"wordllama {metadata.version('wordllama')} {_MODEL} {_SIZE}"

    def encode(self, texts: Sequence[str]) -> npt.NDArray[np.float32]:
        """Return (N, 256) means of token vectors; a text without any token is a row of zeros."""
        blocks = [self._means(block) for block in _blocks(texts)]
        return np.concatenate([np.zeros((0, _SIZE), dtype=np.float32), *blocks])

    def _means(self, texts: list[str]) -> npt.NDArray[np.float32]:
        model = self._model
        # Its own `embed` pads all texts of a block to the longest: gigabytes for one long text.
        said = model.tokenizer.encode_batch_fast(texts, add_special_tokens=False)
        tokens = [np.asarray(one.ids, dtype=np.int32) for one in said]
        ends = np.cumsum([0, *map(len, tokens)])
        ones = np.ones(ends[-1], dtype=np.float32)
        counts = sparse.csr_matrix(
            (ones, np.concatenate(tokens), ends), (len(texts), len(model.embedding))
        )
        sums: npt.NDArray[np.float32] = counts @ model.embedding
        means: npt.NDArray[np.float32] = sums / np.maximum(np.diff(ends), 1)[:, None].astype(
            np.float32
        )
        return means

    @cached_property
    def _model(self) -> Any:
        """The model, read when the first text is asked: half a second and some 300 modules."""
        with _root_logger_kept():
            wordllama = import_module("wordllama")
        try:
            # It looks for the tokenizer in `tokenizer` of its own folder, where the wheel has
            # `tokenizers`, which is what it looks for in a cache: so its folder is the cache.
            model = wordllama.WordLlama.load(
                _MODEL,
                dim=_SIZE,
                cache_dir=Path(str(wordllama.__file__)).parent,
                disable_download=True,
            )
        except FileNotFoundError as error:
            raise SettingsError(
                f"{self.version} lacks a file ({shown(str(error), 200)}); install it anew: "
                f"{_INSTALL}"
            ) from None
        model.tokenizer.no_padding()
        return model


def _blocks(texts: Sequence[str]) -> Iterator[list[str]]:
    """Split texts into runs of at most a million characters; a longer text comes alone."""
    block: list[str] = []
    size = 0
    for text in texts:
        if block and size + len(text) > _CHARACTERS:
            yield block
            block, size = [], 0
        block.append(text)
        size += len(text)
    if block:
        yield block


@contextmanager
def _root_logger_kept() -> Iterator[None]:
    """Undo what the import does to logging: a handler, and every library's messages on stderr."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    try:
        yield
    finally:
        root.handlers[:] = handlers
        root.setLevel(level)
