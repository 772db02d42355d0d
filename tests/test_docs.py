"""The documents: links lead somewhere, commands and settings in them exist, examples run."""

from __future__ import annotations

import ast
import doctest
import importlib.metadata
import re
import shlex
import tomllib
from pathlib import Path

import click
import pytest

from labelops.cli import labelops
from labelops.settings import read_settings

PROJECT = Path(__file__).resolve().parent.parent
PAGES = sorted(
    [*PROJECT.glob("*.md"), *(PROJECT / "docs").rglob("*.md")], key=lambda p: p.as_posix()
)
NAMES = [page.relative_to(PROJECT).as_posix() for page in PAGES]
ADDED = {e.name for e in importlib.metadata.entry_points(group="labelops.commands")}


def _blocks(page: Path, language: str) -> list[str]:
    pattern = rf"^```{language}\n(.*?)^```$"
    return re.findall(pattern, page.read_text(encoding="utf-8"), flags=re.DOTALL | re.MULTILINE)


def _prose(page: Path) -> str:
    return re.sub(r"^```.*?^```$", "", page.read_text(encoding="utf-8"), flags=re.DOTALL | re.M)


def _commands(page: Path) -> list[list[str]]:
    """Return the words after `labelops` in shell blocks, up to an operator of the shell."""
    text = "\n".join(_blocks(page, "sh"))
    text += "\n".join(
        line[2:]
        for block in _blocks(page, "console")
        for line in block.splitlines()
        if line.startswith("$ ")
    )
    found = re.findall(r"^(?:\w+=\S+ )*labelops (.*)$", text, flags=re.MULTILINE)
    return [shlex.split(re.split(r" (?:&&|\|\||\|) ", line)[0], comments=True) for line in found]


@pytest.mark.parametrize("page", PAGES, ids=NAMES)
def test_links_lead_somewhere(page: Path) -> None:
    """Every relative link names a file of the project."""
    for target in re.findall(r"\]\(([^)\s]+)\)", _prose(page)):
        if not re.match(r"[a-z]+:", target):
            assert (page.parent / target.partition("#")[0]).exists(), target


@pytest.mark.parametrize("page", PAGES, ids=NAMES)
def test_commands_exist(page: Path) -> None:
    """Every `labelops` command in a shell block is one, with options that it has."""
    for words in _commands(page):
        plain = [w for n, w in enumerate(words) if n == 0 or words[n - 1] != "--config"]
        name = next(w for w in plain if not w.startswith("-"))
        if name in ADDED:
            continue
        options = [p for p in labelops.commands[name].params if isinstance(p, click.Option)]
        known = {spelling for option in options for spelling in option.opts}
        given = {w for w in plain if w.startswith("-")}
        assert given <= known | {"--config", "-q", "--quiet", "--json", "--help"}, words


@pytest.mark.parametrize(
    "page",
    [
        # This one fits models.
        pytest.param(page, marks=[pytest.mark.slow] if page.name == "own-arrays.md" else [])
        for page in PAGES
    ],
    ids=NAMES,
)
def test_python_is_python(page: Path) -> None:
    """Python blocks parse, and those with prompts give what they show."""
    for number, block in enumerate(_blocks(page, "python")):
        if ">>>" not in block:
            ast.parse(block)
            continue
        test = doctest.DocTestParser().get_doctest(block, {}, f"{page.name}[{number}]", None, 0)
        said: list[str] = []
        assert doctest.DocTestRunner().run(test, out=said.append).failed == 0, "".join(said)


@pytest.mark.parametrize("page", PAGES, ids=NAMES)
def test_settings_are_known(page: Path, tmp_path: Path) -> None:
    """TOML blocks hold settings that labelops reads."""
    needed = '[schema]\nname = "a"\nclasses = ["x", "y"]\n'
    for block in _blocks(page, "toml"):
        text = block if "schema" in tomllib.loads(block) else needed + block
        file = tmp_path / "labelops.toml"
        file.write_text(text, encoding="utf-8")
        read_settings(file, environ={})


def test_every_guide_is_in_the_index() -> None:
    """docs/README.md links every page but the single decision records."""
    index = (PROJECT / "docs" / "README.md").read_text(encoding="utf-8")
    for page in (PROJECT / "docs").rglob("*.md"):
        name = page.relative_to(PROJECT / "docs").as_posix()
        if name != "README.md" and not re.match(r"adr/\d", name):
            assert f"]({name})" in index, name
