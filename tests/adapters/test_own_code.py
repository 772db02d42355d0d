"""The owner's own code: what cannot be imported is one line that says why."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from labelops.adapters._sklearn_estimator import class_named
from labelops.adapters.own_code import own_function
from labelops.errors import EndUnavailable, SettingsError

MODULES = {
    "owned_sound": "def f(): ...\nclass C: ...\nnumber = 3\n",
    "owned_raises": "raise RuntimeError('no\\nweights')\n",
    "owned_no_python": "def f(:\n",
    "owned_ends": "import sys\nsys.exit(0)\n",
    "owned_lacks": "import owned_that_is_not_there\n",
    "owned_away": "from labelops.errors import EndUnavailable\nraise EndUnavailable('away')\n",
}

WRONG = [
    ("owned_raises{}f", r"RuntimeError: 'no\\nweights'"),
    ("owned_no_python{}f", "SyntaxError: 'invalid syntax"),
    ("owned_ends{}f", "SystemExit: '0'"),
    ("owned_lacks{}f", "ModuleNotFoundError: .*owned_that_is_not_there"),
    ("owned_sound{}g", "AttributeError: .*'g'"),
    ("owned_nowhere{}f", "ModuleNotFoundError: .*owned_nowhere"),
    (".owned_sound{}f", "TypeError: .*relative import"),
    ("", "ValueError: 'Empty module name'"),
    ("{}", "ValueError: 'Empty module name'"),
]


@pytest.fixture(autouse=True)
def modules(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Put the modules on Python's path."""
    monkeypatch.syspath_prepend(tmp_path)
    for name, text in MODULES.items():
        (tmp_path / f"{name}.py").write_text(text)
        monkeypatch.delitem(sys.modules, name, raising=False)


@pytest.mark.parametrize(("dotted", "says"), WRONG)
def test_a_function_that_cannot_be_imported_says_why(dotted: str, says: str) -> None:
    """What the module raises, whatever it is, with its type; and what to write."""
    with pytest.raises(SettingsError, match=rf"^rule 'a': .*\({says}.*'module:function'") as caught:
        own_function(dotted.format(":"), "rule 'a'")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(("dotted", "says"), WRONG)
def test_an_estimator_that_cannot_be_imported_says_why(dotted: str, says: str) -> None:
    """The same of classes."""
    with pytest.raises(
        SettingsError, match=rf"^estimator .*\({says}.*LogisticRegression'"
    ) as caught:
        class_named(dotted.format("."))
    assert "\n" not in str(caught.value)


def test_what_is_there_is_found() -> None:
    """A worked example of each; a number is no class."""
    assert own_function("owned_sound:f", "rule").__name__ == "f"  # type: ignore[attr-defined]
    assert class_named("owned_sound.C").__name__ == "C"
    with pytest.raises(SettingsError, match="is not a class"):
        class_named("owned_sound.number")


def test_our_own_errors_pass() -> None:
    """A module that asks a server says itself that trying again helps."""
    with pytest.raises(EndUnavailable, match="away"):
        own_function("owned_away:f", "labeler.vectors")
    sys.modules.pop("owned_away", None)
    with pytest.raises(EndUnavailable, match="away"):
        class_named("owned_away.C")
