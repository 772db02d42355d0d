"""What is installed, what it costs to import, and under which licences."""

from __future__ import annotations

import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from importlib import metadata
from pathlib import Path

import pytest

import labelops

PROJECT = Path(__file__).resolve().parent.parent
LOCKS = ("base", "dev")

HEAVY = (
    *("prefect", "label_studio_sdk", "cleanlab", "sklearn", "deltalake", "obstore", "imagehash"),
    *("scipy.stats", "wordllama", "tokenizers"),
)
"""Ends and orchestrators: hundreds of modules each, imported when first used."""

ALLOWED = {
    *("MIT", "MIT-0", "MIT-CMU", "MIT Licence", "MIT License", "MIT license"),
    *("The MIT License (MIT)", "ISC", "ISC License (ISCL)", "TCL", "0BSD"),
    *("BSD", "BSD License", "BSD-2-Clause", "BSD-3-Clause", "2-clause BSD License"),
    *("Apache-2.0", "Apache License", "Apache Software License"),
    *("PSF-2.0", "Python Software Foundation License", "CNRI-Python"),
    # Weak copyleft on its own files only, which we install unchanged.
    *("MPL-2.0", "Mozilla Public License 2.0 (MPL 2.0)"),
}
"""Licences that software under Apache-2.0 may depend on."""

EXCEPTIONS = {
    "label-studio-sdk": "Apache-2.0 in its LICENSE file; its metadata name no licence",
    "text-unidecode": "Artistic or GPL, as one likes; we take Artistic",
}


def pins(lock: str) -> dict[str, set[str]]:
    """Return each package of a lock with its versions."""
    found: dict[str, set[str]] = {}
    text = (PROJECT / "requirements" / f"{lock}.txt").read_text()
    for name, version in re.findall(r"^([a-z0-9][\w.-]*)==([^\s;]+)", text, flags=re.MULTILINE):
        found.setdefault(name, set()).add(version)
    return found


def run_python(code: str, **environ: str) -> str:
    """Run code in an interpreter of its own, outside of the project."""
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=Path(sys.executable).parent,
        env=os.environ | environ,
        check=True,
        capture_output=True,
        text=True,
    )
    return done.stdout


def tracked_files() -> list[Path]:
    """Return what git tracks; skip where this is not a clone."""
    if shutil.which("git") is None or not (PROJECT / ".git").exists():
        pytest.skip("needs git and a clone")
    listed = subprocess.run(
        ["git", "ls-files", "-z"], cwd=PROJECT, check=True, capture_output=True, text=True
    )
    paths = [PROJECT / name for name in listed.stdout.split("\0") if name]
    return [path for path in paths if path.is_file()]


def imported(*names: str) -> list[set[str]]:
    """Return the modules of one process after each of these imports."""
    code = f"""
import json, sys
found = []
for name in {names!r}:
    __import__(name)
    found.append(sorted(sys.modules))
print(json.dumps(found))
"""
    return [set(modules) for modules in json.loads(run_python(code))]


@pytest.mark.slow
def test_imports_no_end_before_its_use() -> None:
    """Importing the library and the module that wires it imports no heavy end."""
    _, loaded = imported("labelops", "labelops.app")
    assert {"labelops", "labelops.app"} <= loaded
    assert loaded.isdisjoint(HEAVY)


def test_costs_little_beyond_pandas() -> None:
    """`import labelops` adds fewer than a hundred modules to those of pandas."""
    before, after = imported("pandas", "labelops")
    assert len(after) - len(before) < 100


def test_all_public_names_exist() -> None:
    """Each name in `__all__` can be had."""
    assert all(hasattr(labelops, name) for name in labelops.__all__)


def test_versions_agree() -> None:
    """The project, the package and the changelog name the same version."""
    project = tomllib.loads((PROJECT / "pyproject.toml").read_text())["project"]
    newest = re.search(r"^## \[([^]]+)\]", (PROJECT / "CHANGELOG.md").read_text(), re.MULTILINE)
    assert newest is not None
    assert project["version"] == labelops.__version__ == newest[1]


def test_locks_agree() -> None:
    """What runs and what is tested have the same versions."""
    base, dev = pins("base"), pins("dev")
    assert len(base) > 50
    assert {name: dev.get(name) for name in base} == base


@pytest.mark.parametrize("lock", LOCKS)
def test_locks_hold_all_that_is_declared(lock: str) -> None:
    """Each declared dependency is pinned, its files by digest, and no torch comes along."""
    project = tomllib.loads((PROJECT / "pyproject.toml").read_text())
    declared = project["project"]["dependencies"] + project["dependency-groups"]["build"]
    if lock == "dev":
        declared += project["dependency-groups"]["dev"]
    names = {re.split(r"[\[<>=!~ ]", line)[0] for line in declared}
    assert names <= pins(lock).keys()
    assert not {"torch", "label-studio"} & pins(lock).keys()
    blocks = re.split(
        r"^(?=[a-z0-9])", (PROJECT / "requirements" / f"{lock}.txt").read_text(), flags=re.M
    )
    unhashed = [block for block in blocks[1:] if "--hash=sha256:" not in block]
    assert unhashed == []


def acceptable(expression: str) -> bool:
    """Whether every licence of an SPDX expression, or one side of an OR, is allowed."""
    if expression in ALLOWED:
        return True
    sides = re.split(r"\s+OR\s+", re.sub(r"[()]", "", expression))
    allowed = [
        all(part.strip() in ALLOWED for part in re.split(r"\s+AND\s+", side)) for side in sides
    ]
    return any(allowed) if " AND " not in expression else all(allowed)


def licences(name: str) -> list[str]:
    """Return what a distribution says of its licence: expression, else classifiers, else text."""
    facts = metadata.metadata(name)
    expressions = facts.get_all("License-Expression", [])
    said = [c.split(" :: ")[-1] for c in facts.get_all("Classifier", []) if c[:7] == "License"]
    texts = [text.strip().split("\n")[0] for text in facts.get_all("License", [])]
    return expressions or said or texts


@pytest.mark.parametrize(
    ("expression", "verdict"),
    [
        ("MIT", True),
        ("Apache-2.0 OR GPL-3.0-only", True),
        ("MPL-2.0 AND (Apache-2.0 OR MIT)", True),
        ("MIT AND GPL-3.0-only", False),
        ("AGPL-3.0-or-later", False),
    ],
)
def test_tells_licences_apart(expression: str, verdict: bool) -> None:
    """One allowed side of a choice is enough; of a sum, each part must be allowed."""
    assert acceptable(expression) is verdict


def test_every_licence_is_compatible() -> None:
    """Each installed package of the base lock has a licence on the list, or a reason."""
    offenders, seen = {}, 0
    for name in sorted(pins("base")):
        try:
            said = licences(name)
        except metadata.PackageNotFoundError:
            continue  # for another platform or Python
        seen += 1
        if name not in EXCEPTIONS and not (said and all(acceptable(text) for text in said)):
            offenders[name] = said
    assert offenders == {}
    assert seen > 50


def test_git_holds_no_index_host_and_no_local_path() -> None:
    """No tracked text names a package index or somebody's folder."""
    hosts = "|".join(("pypi" + r"\.org", "python" + "hosted", "index" + "-url[ =]+http"))
    folders = "|".join(("work", "root", "home", "opt", "Users", "mnt"))
    forbidden = re.compile(rf"{hosts}|(?<![\w.:/}}*-])/(?:{folders})/\w")
    found = []
    for path in tracked_files():
        if path.suffix in {".png", ".parquet"}:
            continue
        for number, line in enumerate(path.read_text("utf-8", "replace").splitlines(), start=1):
            if forbidden.search(line):
                found.append(f"{path.relative_to(PROJECT)}:{number}: {line.strip()[:80]}")
    assert found == []


@pytest.fixture(scope="module")
def unpacked_wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the wheel from a copy of the sources, and unpack it."""
    if importlib.util.find_spec("setuptools") is None:
        pytest.skip("needs setuptools, which the locks hold")
    copy, out = tmp_path_factory.mktemp("copy"), tmp_path_factory.mktemp("wheel")
    for folder in ("labelops", "flows", "sample_data"):
        shutil.copytree(
            PROJECT / folder, copy / folder, ignore=shutil.ignore_patterns("__pycache__")
        )
    for file in ("pyproject.toml", "setup.py", "LICENSE", "README.md"):
        shutil.copy(PROJECT / file, copy)
    build = f"from setuptools import build_meta; build_meta.build_wheel({str(out)!r})"
    subprocess.run([sys.executable, "-c", build], cwd=copy, check=True, capture_output=True)
    [wheel] = out.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(out / "unpacked")
    return out / "unpacked"


@pytest.mark.slow
def test_wheel_holds_everything(unpacked_wheel: Path) -> None:
    """Every source file, template, lock, sample and type marker is in the wheel."""
    homes = {
        "labelops": "labelops",
        "flows": "labelops_flows",
        "sample_data": "labelops_flows/sample_data",
    }
    wanted = {
        f"{home}/{path.relative_to(PROJECT / folder).as_posix()}"
        for folder, home in homes.items()
        for path in (PROJECT / folder).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    held = {p.relative_to(unpacked_wheel).as_posix() for p in unpacked_wheel.rglob("*")}
    assert wanted - held == set()
    assert {
        "labelops/py.typed",
        "labelops_flows/py.typed",
        "labelops/adapters/label-studio.lock",
        "labelops/report/templates/report.html.j2",
        "labelops_flows/sample_data/tickets/items.csv",
    } <= held


@pytest.mark.slow
def test_wheel_installs_no_common_name(unpacked_wheel: Path) -> None:
    """The wheel adds `labelops` and `labelops_flows` at the top, and nothing else."""
    tops = {path.name for path in unpacked_wheel.iterdir() if path.suffix != ".dist-info"}
    assert tops == {"labelops", "labelops_flows"}


@pytest.mark.slow
def test_wheel_works_without_the_clone(unpacked_wheel: Path) -> None:
    """Both packages are found where the wheel was unpacked."""
    code = (
        "import labelops, importlib.util as u;"
        "print(labelops.__file__); print(u.find_spec('labelops_flows').origin)"
    )
    printed = run_python(code, PYTHONPATH=str(unpacked_wheel)).split()
    assert printed == [
        str(unpacked_wheel / "labelops/__init__.py"),
        str(unpacked_wheel / "labelops_flows/__init__.py"),
    ]


def test_editable_install_finds_the_flows() -> None:
    """An editable installation has `labelops_flows` too, from the clone's `flows`."""
    if importlib.util.find_spec("labelops_flows") is None:
        pytest.skip("this environment's installation is older than the flows' name")
    code = "import importlib.util as u; print(u.find_spec('labelops_flows').origin)"
    assert Path(run_python(code).strip()).parent.name in {"flows", "labelops_flows"}


def test_added_commands_lead_to_the_flows() -> None:
    """The commands above the command line are registered, and all live in the flows."""
    project = tomllib.loads((PROJECT / "pyproject.toml").read_text())["project"]
    commands = project["entry-points"]["labelops.commands"]
    assert set(commands) == {"demo", "serve"}
    assert all(target.startswith("labelops_flows.") for target in commands.values())
