"""`[labeler] vectors`: what it names is made and shared, or refused in one line."""

from __future__ import annotations

import sys
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.preprocessing import normalize

from labelops.adapters import text_features, wordllama_encoder
from labelops.adapters.text_features import comparable, text_rows, word_counts, words_of
from labelops.adapters.text_vectors import TextVectors
from labelops.app.ends import Ends
from labelops.app.labelers import make_vectors
from labelops.cli import main
from labelops.errors import EndUnavailable, SettingsError
from labelops.settings import Settings, read_settings

MODULE = """
import numpy as np
from labelops.errors import EndUnavailable

asked = []

class Vowels:
    version = "vowels 1"
    def encode(self, texts):
        asked.extend(texts)
        return np.array([[t.count(v) for v in "aeiou"] for t in texts], dtype=float)

made = Vowels()

def broken():
    raise RuntimeError("no such model")

def away():
    raise EndUnavailable("the model server is away")

def nothing():
    return None
"""


@pytest.fixture
def named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Put a user's module on the path, and return the folder of its label set."""
    (tmp_path / "vowel_vectors.py").write_text(MODULE)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "vowel_vectors", raising=False)
    return tmp_path


def _settings(folder: Path, vectors: str, media: str = "text") -> Settings:
    file = folder / "labelops.toml"
    file.write_text(
        f'[schema]\nname = "a"\nmedia = "{media}"\nclasses = ["x", "y"]\n'
        f'[labeler]\nvectors = "{vectors}"\n'
    )
    return read_settings(file, environ={})


def _items(texts: list[str]) -> pd.DataFrame:
    ids = [f"i{n}" for n in range(len(texts))]
    return pd.DataFrame({"item_id": ids, "payload": texts, "payload_digest": ids, "group": ids})


def test_no_name_is_no_vectors(tmp_path: Path) -> None:
    """Words alone, as ever, for the labeler and for audits."""
    settings, items = _settings(tmp_path, ""), _items(["red cat", "dog", "dog"])
    assert make_vectors(settings) is None
    assert np.array_equal(Ends(settings).features(items), comparable(text_rows(items)))


def test_an_audit_counts_each_text_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Words for learners and dimensions for neighbours are read off one count."""
    items = _items(["red cat", "a dog", "a red dog"])
    counted: list[object] = []

    def count(texts: list[str]) -> object:
        counted.append(texts)
        return word_counts(texts)

    monkeypatch.setattr(text_features, "word_counts", count)
    read = Ends(_settings(tmp_path, "")).audit_features(items)
    assert counted == [items["payload"].tolist()]
    assert np.array_equal(read.features, comparable(text_rows(items)))
    assert (read.words != words_of(text_rows(items))).nnz == 0


def test_a_function_of_ones_own_is_shared_by_labeler_and_audits(named: Path) -> None:
    """Each text is encoded once; what has the same vowels has come nearer."""
    ends = Ends(_settings(named, "vowel_vectors:Vowels"))
    items = _items(["red hen", "wet bed", "good dog"] * 10)
    schema = ends.settings.schema
    assert ends.labeler is not None
    ends.labeler.fit(items.iloc[:4], [0, 0, 1, 0], items["group"].iloc[:4], schema)
    ends.labeler.propose(items, schema)
    with_vectors = ends.features(items)
    import vowel_vectors  # type: ignore[import-not-found]

    assert sorted(vowel_vectors.asked) == ["good dog", "red hen", "wet bed"]
    words = comparable(text_rows(items))
    first, second = (normalize(f[:2]) for f in (with_vectors, words))
    assert first[0] @ first[1] > second[0] @ second[1] + 0.2


@pytest.mark.skipif(find_spec("wordllama") is None, reason="needs the extra `vectors`")
def test_wordllama_is_named_and_not_loaded(tmp_path: Path) -> None:
    """The setting alone costs no load."""
    vectors = make_vectors(_settings(tmp_path, "wordllama"))
    assert isinstance(vectors, TextVectors)
    assert vectors.version.startswith("wordllama 0.4")


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("word2vec:load", "'word2vec:load' cannot be imported .*'module:function'"),
        ("vowel_vectors:absent", "cannot be imported"),
        ("vowel_vectors:made", "not a function that makes an encoder"),
        ("vowel_vectors:broken", "raised RuntimeError: 'no such model'"),
        ("vowel_vectors:nothing", "None is no text encoder"),
    ],
)
def test_what_cannot_be_made_is_named(named: Path, name: str, says: str) -> None:
    """Not there, no function, one that raises, or one that makes something else."""
    with pytest.raises(SettingsError, match=says):
        make_vectors(_settings(named, name))


def test_its_own_errors_pass(named: Path) -> None:
    """One of ours says itself whether trying again helps."""
    with pytest.raises(EndUnavailable, match="away"):
        make_vectors(_settings(named, "vowel_vectors:away"))


def test_images_have_no_vectors(tmp_path: Path) -> None:
    """The setting is refused, not ignored."""
    with pytest.raises(SettingsError, match="about image; vectors are of texts"):
        make_vectors(_settings(tmp_path, "wordllama", "image"))


def test_a_missing_extra_ends_the_command_with_its_remedy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Exit 2, wrong use, and one line that says what to install."""
    monkeypatch.setattr(wordllama_encoder, "find_spec", lambda name: None)
    _settings(tmp_path, "wordllama")
    assert main(["-q", "--config", str(tmp_path / "labelops.toml"), "autolabel"]) == 2
    said = capsys.readouterr().err.strip()
    assert "pip install 'labelops-pipeline[vectors]'" in said
    assert "\n" not in said
