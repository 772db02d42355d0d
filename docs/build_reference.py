"""Write docs/reference: the commands from their own help, the settings from their docstrings.

Usage: ``python docs/build_reference.py`` writes it; with ``--check`` it exits 1 if a file is
not what it would write.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import MISSING, Field, fields
from pathlib import Path

import click

from labelops.audit.policy import AuditPolicy
from labelops.autolabel.policy import AcceptancePolicy
from labelops.cli import labelops
from labelops.cli.starting import _parameters, _toml  # the two that `init` writes files with
from labelops.consolidate.policy import ConsolidatePolicy
from labelops.gate.policy import GatePolicy
from labelops.route.policy import RoutePolicy
from labelops.schema import KINDS, MEDIA, QUESTION
from labelops.settings import (
    ChatSettings,
    LabelerSettings,
    QueueSettings,
    RuleSettings,
    ScheduleSettings,
    SourceSettings,
    SplitSettings,
)

FOLDER = Path(__file__).resolve().parent / "reference"

_WIDTH = 96
_INTRODUCTION = """\
# The command line

Written by `python docs/build_reference.py` from the commands' help; edit it there.
Every command also takes `--config PATH` and `-q`. Commands that other packages bring, such as
`demo` and `serve`, explain themselves with `--help`.
"""


_SETTINGS_INTRODUCTION = """\
# Settings

Written by `python docs/build_reference.py` from the docstrings of the settings; edit them there.

A label set is one folder with a `labelops.toml`. `labelops init DATA` writes one with every key
in it, explained and at its default. A key that nobody knows is an error, so a misspelt bound is
never silently a default.

In the environment, `LABELOPS_SECTION_KEY` goes before the file: `LABELOPS_GATE_ERROR=0.05` for
`error` in `[gate]`, `LABELOPS_SOURCE_TICKETS_PATH` for `path` in `[source.tickets]`. Lists have
commas between their entries. `[schema]` and the table `params` are read from the file only.
"""

_SCHEMA = (
    ("name", "str", "required", "The label set's name; its releases are called `name@version`."),
    ("classes", "list of str", "required", "The answers, two or more. Their order is kept."),
    ("kind", "str", f'`"{KINDS[0]}"`', "The kind of label; `choice`, one class an item, for now."),
    ("media", "str", f'`"{MEDIA[0]}"`', "What an item is: " + ", ".join(f"`{m}`" for m in MEDIA)),
    ("question", "str", f'`"{QUESTION}"`', "What annotators are asked. May be reworded any time."),
    ("renames", "table", "`{}`", "`[schema.renames]`: old class name = its name now."),
    (
        "splits",
        "table",
        "`{}`",
        "`[schema.splits]`: class = the classes that were cut out of it. People are asked again "
        "about what it was said of before.",
    ),
    (
        "descriptions",
        "table",
        "`{}`",
        "`[schema.descriptions]`: class = what belongs there, in a line of at most 500 characters. "
        "People see it in Label Studio where the pointer rests on the class, a chat model in its "
        "prompt. May be reworded any time; to a chat model that is another prompt.",
    ),
)

_SECTIONS: dict[str, tuple[str, type]] = {
    "source.NAME": ("Where items come from and what may be done with them.", SourceSettings),
    "gate": ("What a release must satisfy.", GatePolicy),
    "accept": ("When a model's proposals may become labels.", AcceptancePolicy),
    "route": ("How human looks are spent.", RoutePolicy),
    "consolidate": ("When votes are enough evidence for a label.", ConsolidatePolicy),
    "audit": ("How labels are searched for errors.", AuditPolicy),
    "labeler": ("What proposes labels.", LabelerSettings),
    "chat": ("A language model as labeler.", ChatSettings),
    "rule.NAME": ("Labeling functions, which vote beside people.", RuleSettings),
    "queue": ("Where people label.", QueueSettings),
    "split": ("Shares of leakage groups on each side of the training frame.", SplitSettings),
    "schedule": ("When `labelops serve` runs the flows.", ScheduleSettings),
}

_ENVIRONMENT = (
    ("LABEL_STUDIO_URL", "Address of your Label Studio; goes before `[queue] url`."),
    ("LABEL_STUDIO_API_KEY", "An access token of a user there. Never in a file."),
    ("OPENAI_API_KEY", "The key of a chat model; `labeler.token_env` names another variable."),
    (
        "LABELOPS_KEY",
        "Keys item digests and random draws, from the first run on. Without it the workspace "
        "makes its own; another one later is refused.",
    ),
    ("LABELOPS_WORKSPACE", "Goes before `workspace`."),
    ("LABELOPS_LABEL_STUDIO_ENV", "An environment that has Label Studio, for `demo` and tests."),
    ("LABELOPS_DEBUG", "`1` shows the traceback of a defect (exit code 70)."),
    ("PREFECT_API_URL", "The Prefect server that `labelops serve` works for."),
    ("AWS_…", "Credentials, region and endpoint of an `s3://` workspace, as everywhere."),
)


def settings_reference() -> str:
    """Return the page of settings."""
    top = [("workspace", "str", '`"workspace"`', "Folder, or `s3://bucket/prefix`.")]
    pages = [
        _SETTINGS_INTRODUCTION,
        "## At the top\n\n" + _keys(top),
        "## [schema]\n\nThe question and its answers.\n\n" + _keys(_SCHEMA),
    ]
    for section, (summary, cls) in _SECTIONS.items():
        pages.append(f"## [{section}]\n\n{summary}\n\n" + _keys(_rows(cls)))
    named = _table(("variable", "meaning"), [(f"`{name}`", text) for name, text in _ENVIRONMENT])
    return "\n".join([*pages, "## Environment\n\n" + named])


def _rows(cls: type) -> Iterator[tuple[str, str, str, str]]:
    """Yield key, type, default and meaning of each setting of a dataclass."""
    said: dict[str, tuple[str, str]] = {}
    for names, kind, text in _parameters(cls.__doc__ or ""):
        said |= dict.fromkeys(names.split(", "), (kind, " ".join(text.split())))
    for field in fields(cls):
        if cls in (SourceSettings, RuleSettings) and field.name == "name":
            continue
        kind, meaning = said[field.name]
        yield field.name, kind, _default(field), meaning


def _default(field: Field[object]) -> str:
    if field.default is not MISSING:
        return f"`{_toml(field.default)}`"
    return "required" if field.default_factory is MISSING else f"`{_toml(field.default_factory())}`"


def _keys(rows: Iterable[tuple[str, str, str, str]]) -> str:
    named = [(f"`{key}`", kind, default, text) for key, kind, default, text in rows]
    return _table(("key", "type", "default", "meaning"), named)


def _table(head: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> str:
    cells = [head, ("---",) * len(head), *rows]
    lines = ["| " + " | ".join(c.replace("|", "\\|") for c in row) + " |" for row in cells]
    return "\n".join(lines) + "\n"


def reference() -> str:
    """Return the page of commands."""
    root = _context(labelops, "labelops", None)
    pages = [_page("labelops", _overview(root))]
    for name, command in labelops.commands.items():
        pages.append(_page(f"labelops {name}", command.get_help(_context(command, name, root))))
    return "\n".join([_INTRODUCTION, *pages])


def _overview(root: click.Context) -> str:
    """Return the group's help with its own commands only: what is installed beside varies."""
    formatter = root.make_formatter()
    labelops.format_usage(root, formatter)
    labelops.format_help_text(root, formatter)
    click.Command.format_options(labelops, root, formatter)
    with formatter.section("Commands"):
        own = labelops.commands.items()
        formatter.write_dl([(name, command.get_short_help_str(80)) for name, command in own])
    labelops.format_epilog(root, formatter)
    return formatter.getvalue()


def _context(command: click.Command, name: str, parent: click.Context | None) -> click.Context:
    return click.Context(
        command, info_name=name, parent=parent, terminal_width=_WIDTH, max_content_width=_WIDTH
    )


def _page(title: str, text: str) -> str:
    lines = "\n".join(line.rstrip() for line in text.strip().splitlines())
    return f"## {title}\n\n```text\n{lines}\n```\n"


def pages() -> dict[str, str]:
    """Return every page by its file name."""
    return {"cli.md": reference(), "settings.md": settings_reference()}


def main(arguments: list[str]) -> int:
    """Write the pages, or say whether they are up to date."""
    wanted = pages()
    if "--check" in arguments:
        found = {p.name: p.read_text(encoding="utf-8") for p in FOLDER.glob("*.md")}
        return int(found != wanted)
    FOLDER.mkdir(exist_ok=True)
    for name, text in wanted.items():
        (FOLDER / name).write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
