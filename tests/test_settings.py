"""labelops.toml and the environment: every mistake is named, secrets never come from a file."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import get_type_hints

import pytest

from labelops.errors import SettingsError
from labelops.settings import Secret, Settings, SplitSettings, find_settings, read_settings

MINIMAL = """
[schema]
name = "pets"
classes = ["cat", "dog"]
"""


def _read(tmp_path: Path, text: str, **env: str) -> Settings:
    path = tmp_path / "labelops.toml"
    path.write_text(text, encoding="utf-8")
    return read_settings(path, env)


def test_defaults(tmp_path: Path) -> None:
    """A schema is enough; everything else has its default, the workspace beside the file."""
    settings = _read(tmp_path, MINIMAL)
    assert settings.schema.classes == ("cat", "dog")
    assert settings.workspace == str(tmp_path / "workspace")
    assert (settings.gate.error, settings.gate.risk) == (0.02, 0.05)
    assert (settings.sources, settings.queue.type) == ((), "local")


def test_everything_set(tmp_path: Path) -> None:
    """Sections reach their dataclass with the right types."""
    settings = _read(
        tmp_path,
        'workspace = "s3://bucket/team"\n'
        + MINIMAL
        + 'media = "image"\n[schema.renames]\nkitty = "cat"\n'
        + '[schema.splits]\ncat = ["dog"]\n'
        + '[source.web]\npath = "a.csv"\nkey = "id"\npurposes = ["training"]\n'
        + "[labeler]\nparams = { C = 2 }\n[gate]\nerror = 0.01\n[route]\nseed = 7\n"
        + "[split]\ntrain = 1\nvalidation = 0\ntest = 0\n[schedule]\nsend = 60\n",
    )
    assert settings.workspace == "s3://bucket/team"
    assert settings.schema.renames == {"kitty": "cat"}
    assert settings.schema.splits == {"cat": ("dog",)}
    (source,) = settings.sources
    assert (source.name, source.key, source.purposes) == ("web", "id", ("training",))
    assert (settings.gate.error, settings.route.seed, settings.split.train) == (0.01, 7, 1.0)
    assert (settings.labeler.params, settings.schedule.send) == ({"C": 2}, "60")


def test_rules(tmp_path: Path) -> None:
    """Each [rule.NAME] is one labeling function: words, a pattern or a Python function."""
    settings = _read(
        tmp_path,
        MINIMAL
        + '[rule.purr]\nlabel = "cat"\nwords = ["purr", "meow"]\n'
        + '[rule.bark]\nlabel = "dog"\npattern = "bark(s|ed)?"\n'
        + '[rule.mine]\nfunction = "my_rules:mine"\n',
    )
    assert [r.name for r in settings.rules] == ["purr", "bark", "mine"]
    assert settings.rules[0].words == ("purr", "meow")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ('[rule.x]\nlabel = "cat"', "rule.x: found none, expected one of words, pattern"),
        ('[rule.x]\nwords = ["a"]', "rule.x: words and pattern need `label`"),
        ('[rule.x]\nlabel = "cow"\nwords = ["a"]', "rule.x.label is 'cow', expected one of"),
        ('[rule.x]\nlabel = "cat"\nfunction = "m:f"', "a function returns the class itself"),
        ('[rule.x]\nlabel = "cat"\nwords = ["a"]\npattern = "a"', "found words and pattern"),
        ("[rule]\nx = 1", "[rule.x] is not a table"),
        ("[gate]\nerorr = 0.01", "unknown key 'erorr'; did you mean 'error'?"),
        ("[gaet]\nerror = 0.01", "unknown key 'gaet'; did you mean 'gate'?"),
        ("[gate]\nzzz = 1", "unknown key 'zzz'; known: error"),
        ("[gate]\nerror = 2.0", "gate.error is 2.0, expected a number between 0 and 1"),
        ("[gate]\nerror = nan", "gate.error is nan"),
        ('[gate]\nerror = "0.01"', "gate.error is '0.01', expected a number, without"),
        ("[gate]\nper_class = true", "gate.per_class is true, expected a whole number"),
        ("[route]\nseed = 1.5", "route.seed is 1.5, expected a whole number"),
        ("[split]\ntrain = 0.5", "sum to 1"),
        ("[split]\ntrain = nan", "sum to 1"),
        ("[audit]\nannotator_floor = 0.0", "annotator_floor is 0.0, expected more than 0"),
        ("[audit]\nannotator_floor = 1.0", "annotator_floor is 1.0, expected more than 0, below 1"),
        ("[accept]\ngrowth = nan", "accept.growth is nan"),
        ('[accept]\nrule = "always"', "accept.rule is 'always', expected one of joint"),
        ('[consolidate]\nmethod = "vote"', "consolidate.method is 'vote'"),
        ("[queue]\ntype = 'labelstudio'", "expected one of local, label-studio; did you mean 'lab"),
        ("[labeler]\ntype = 'oracle'", "labeler.type is 'oracle', expected one of sklearn, http"),
        ("[source.web]\npath = 'a'\nformat = 'xls'", "source.web.format is 'xls', expected one of"),
        ("[queue]\ntype = 3.5\nurl = []", "queue.url is []"),
        ("[labeler]\nvectors = 'wordlama'", "labeler.vectors is 'wordlama', expected 'wordllama'"),
        ("[labeler]\nvectors = 'WordLlama'", "did you mean 'wordllama'?"),
        ("[labeler]\nvectors = 'zzz'", "expected 'wordllama', or a function as 'module:function'"),
        ("[labeler]\nrules = 'a:b'", "labeler.rules is 'a:b', expected a list of texts"),
        ("[source.web]\nkey = 'id'", "[source.web] needs 'path'"),
        ("[source.web]\npath = 'a'\npurposes = [1]", "source.web.purposes is [1]"),
        ("[source.web]\npath = 'a'\nexpires = '31.12.2026'", "a date such as 2026-12-31"),
    ],
)
def test_mistakes_are_named(tmp_path: Path, text: str, says: str) -> None:
    """The message has the file, the key, what was found and what was expected, in one line."""
    with pytest.raises(SettingsError) as caught:
        _read(tmp_path, f"{MINIMAL}\n{text}\n")
    message = str(caught.value)
    assert says in message
    assert message.startswith(str(tmp_path / "labelops.toml"))
    assert "\n" not in message


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "[schema] is missing"),
        ('[schema]\nname = "s"', "[schema] needs `classes`"),
        ('[schema]\nname = "s"\nclasses = "ab"', "schema.classes is 'ab', expected a list"),
        ('[schema]\nname = "s"\nclasses = ["a"]', "at least two classes"),
        ("workspace = 3\n" + MINIMAL, "workspace is 3"),
        ("gate = 3\n" + MINIMAL, "[gate]: expected a table, found 3"),
        ("source = 3\n" + MINIMAL, "[source.NAME] sections"),
        ("source.web = 3\n" + MINIMAL, "[source.web] is not a table"),
        (MINIMAL + 'media = "image"\n[rule.x]\nlabel = "cat"\nwords = ["a"]', "give it a function"),
        ("[schema", "not valid TOML"),
    ],
)
def test_malformed_files(tmp_path: Path, text: str, says: str) -> None:
    """A file that is no settings file says where it stops being one."""
    with pytest.raises(SettingsError) as caught:
        _read(tmp_path, text)
    assert says in str(caught.value)


@pytest.mark.parametrize(
    "text",
    [
        "[queue]\napi_key = 'hunter2'",
        "[queue]\ntoken = 'hunter2'",
        "label_studio_password = 'hunter2'",
        "[source.a]\npath = 'p'\naws_secret = 'hunter2'",
    ],
)
def test_secrets_in_the_file(tmp_path: Path, text: str) -> None:
    """A secret in the file is refused, and the message does not repeat it."""
    top, section = ("", text) if text.startswith("[") else (text, "")
    with pytest.raises(SettingsError, match="secrets come from the environment only") as caught:
        _read(tmp_path, f"{top}\n{MINIMAL}\n{section}\n")
    assert "hunter2" not in str(caught.value)


def test_environment_overrides(tmp_path: Path) -> None:
    """`LABELOPS_SECTION_KEY` goes before the file, with the setting's type."""
    settings = _read(
        tmp_path,
        f"{MINIMAL}\n[gate]\nerror = 0.5\n[source.web]\npath = 'a'\n",
        LABELOPS_GATE_ERROR="0.01",
        LABELOPS_ROUTE_SEED="3",
        LABELOPS_ROUTE_SHOW_PROPOSALS="False",
        LABELOPS_LABELER_RULES="a:b,c:d",
        LABELOPS_SOURCE_WEB_PATH="other.csv",
        LABELOPS_WORKSPACE="/elsewhere",
        LABEL_STUDIO_URL="http://localhost:8080",
    )
    assert (settings.gate.error, settings.route.seed) == (0.01, 3)
    assert settings.route.show_proposals is False
    assert settings.labeler.rules == ("a:b", "c:d")
    assert settings.sources[0].path == "other.csv"
    assert (settings.workspace, settings.queue.url) == ("/elsewhere", "http://localhost:8080")


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("LABELOPS_GATE_ERROR", "low", "from the environment is 'low', expected a number"),
        ("LABELOPS_ROUTE_SEED", "1.5", "expected a whole number"),
        ("LABELOPS_ROUTE_SHOW_PROPOSALS", "maybe", "expected true or false"),
        ("LABELOPS_GATE_ERROR", "7", "gate.error is 7.0"),
    ],
)
def test_bad_environment(tmp_path: Path, name: str, value: str, says: str) -> None:
    """An override is held to the same rules as the file."""
    with pytest.raises(SettingsError, match=says):
        _read(tmp_path, MINIMAL, **{name: value})


def test_secrets_stay_hidden(tmp_path: Path) -> None:
    """A secret from the environment is there, but in no text of the settings."""
    settings = _read(tmp_path, MINIMAL, LABEL_STUDIO_API_KEY="hunter2", LABELOPS_KEY="hunter3")
    assert settings.label_studio_key.reveal() == "hunter2"
    for text in (repr(settings), str(settings), f"{settings.key}", repr([settings.key])):
        assert "hunter" not in text
    assert bool(settings.key) and not Secret("")


def test_missing_and_wrong_files(tmp_path: Path) -> None:
    """No file, or one that is not UTF-8, is told with what to do."""
    with pytest.raises(SettingsError, match="labelops init"):
        read_settings(tmp_path / "labelops.toml", {})
    (tmp_path / "labelops.toml").write_bytes(b"[schema]\nname = '\xff'")
    with pytest.raises(SettingsError, match="not UTF-8 at byte 17"):
        read_settings(tmp_path / "labelops.toml", {})
    with pytest.raises(SettingsError, match=r"labelops\.toml/x: cannot be read \(Not a directory"):
        read_settings(tmp_path / "labelops.toml" / "x", {})


def test_find_settings(tmp_path: Path) -> None:
    """The nearest file in this folder or above is taken; none is an error."""
    (tmp_path / "labelops.toml").write_text(MINIMAL)
    inner = tmp_path / "a" / "b"
    inner.mkdir(parents=True)
    assert find_settings(inner) == tmp_path / "labelops.toml"
    (tmp_path / "a" / "labelops.toml").write_text(MINIMAL)
    assert find_settings(inner) == tmp_path / "a" / "labelops.toml"


def test_every_setting_is_documented() -> None:
    """Each field of each section is explained in its section's docstring."""
    for section in dataclasses.fields(Settings):
        cls = section.type
        assert section.name in (Settings.__doc__ or ""), cls
    hints = get_type_hints(Settings)
    sections = [n for n, cls in hints.items() if dataclasses.is_dataclass(cls) and n != "schema"]
    for name in sections:
        cls = hints[name]
        for field in dataclasses.fields(cls):
            assert field.name in (cls.__doc__ or ""), f"{name}.{field.name}"


def test_split_shares() -> None:
    """Shares are 0 or more and sum to 1."""
    assert SplitSettings(0.5, 0.25, 0.25).train == 0.5
    with pytest.raises(SettingsError):
        SplitSettings(1.5, -0.25, -0.25)
