"""WordLlama's vectors: the conformance suite, its own answer, no network, no trace."""

from __future__ import annotations

import logging
import os
import socket
import subprocess
import sys
from importlib import import_module, metadata
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from labelops.adapters import wordllama_encoder
from labelops.adapters.wordllama_encoder import WordLlamaEncoder
from labelops.errors import SettingsError
from labelops.ports import TextEncoder
from labelops.testing.encoders import EncoderTests

# Not imported here: that takes a second, and hangs a handler on the root logger.
pytestmark = pytest.mark.skipif(find_spec("wordllama") is None, reason="needs the extra `vectors`")


@pytest.fixture
def wordllama() -> ModuleType:
    """Import the vendor's module."""
    with wordllama_encoder._root_logger_kept():
        return import_module("wordllama")


@pytest.mark.slow
class TestWordLlama(EncoderTests):
    """The suite that ships, on the real weights."""

    def make(self) -> TextEncoder:
        return WordLlamaEncoder()


@pytest.mark.slow
def test_vectors_are_those_that_wordllama_gives(wordllama: ModuleType) -> None:
    """Oracle: its own `embed`, which pads; and a text without a token is a row of zeros."""
    texts = ["my card was stolen", "", "日本語 and emoji 👍", "word " * 300, "x"]
    place = Path(str(wordllama.__file__)).parent
    theirs = wordllama.WordLlama.load(cache_dir=place, disable_download=True).embed(texts)
    ours = WordLlamaEncoder().encode(texts)
    np.testing.assert_allclose(ours, theirs, atol=1e-6)
    assert not ours[1].any()
    assert ours.dtype == np.float32
    assert WordLlamaEncoder().encode([]).shape == (0, 256)


@pytest.mark.slow
def test_one_long_text_takes_no_memory_for_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    """Blocks are cut by characters, and no vector depends on where."""
    texts = [f"text {n} " * (n % 5) for n in range(60)]
    whole = WordLlamaEncoder().encode(texts)
    monkeypatch.setattr(wordllama_encoder, "_CHARACTERS", 40)
    assert max(map(len, wordllama_encoder._blocks(texts))) < 10
    assert [t for block in wordllama_encoder._blocks(texts) for t in block] == texts
    assert np.array_equal(WordLlamaEncoder().encode(texts), whole)


@pytest.mark.slow
def test_it_reaches_no_network_and_leaves_logging_and_home_alone(tmp_path: Path) -> None:
    """In a fresh process with an empty home and no sockets it encodes, and writes nothing."""
    code = """
import logging, socket
def refused(*args, **kwargs):
    raise AssertionError("a socket")
socket.socket.connect = refused
socket.getaddrinfo = refused
from labelops.adapters.wordllama_encoder import WordLlamaEncoder
print(WordLlamaEncoder().encode(["a text"]).shape, logging.getLogger().handlers,
      logging.getLogger().level)
"""
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "HOME": str(tmp_path)},
        check=True,
        capture_output=True,
        text=True,
    )
    assert done.stdout == f"(1, 256) [] {logging.WARNING}\n"
    assert done.stderr == ""
    assert not list(tmp_path.iterdir())


def test_making_it_loads_nothing() -> None:
    """Its version is known without the half second that loading takes."""
    encoder = WordLlamaEncoder()
    assert encoder.version == f"wordllama {metadata.version('wordllama')} l2_supercat 256"
    assert "_model" not in vars(encoder)


def test_without_wordllama_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    """One line with the remedy."""
    monkeypatch.setattr(wordllama_encoder, "find_spec", lambda name: None)
    with pytest.raises(SettingsError, match=r"pip install 'labelops-pipeline\[vectors\]'"):
        WordLlamaEncoder()


@pytest.mark.slow
def test_a_wheel_without_its_weights_is_named(
    wordllama: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is not downloaded instead."""

    def missing(*args: object, **kwargs: object) -> None:
        assert kwargs["disable_download"] is True
        raise FileNotFoundError("Weights file 'l2' not found in project root or cache")

    def refused(*args: object, **kwargs: object) -> None:
        raise AssertionError("a socket")

    monkeypatch.setattr(wordllama.WordLlama, "load", missing)
    monkeypatch.setattr(socket.socket, "connect", refused)
    with pytest.raises(SettingsError, match=r"lacks a file .*Weights file.* install it anew"):
        WordLlamaEncoder().encode(["a"])
