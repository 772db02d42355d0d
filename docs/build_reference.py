"""Write docs/reference/cli.md from the commands' own help.

Usage: ``python docs/build_reference.py`` writes it; with ``--check`` it exits 1 if the file is
not what it would write.
"""

from __future__ import annotations

import sys
from pathlib import Path

import click

from labelops.cli import labelops

TARGET = Path(__file__).resolve().parent / "reference" / "cli.md"

_WIDTH = 96
_INTRODUCTION = """\
# The command line

Written by `python docs/build_reference.py` from the commands' help; edit it there.
Every command also takes `--config PATH` and `-q`. Commands that other packages bring, such as
`demo` and `serve`, explain themselves with `--help`.
"""


def reference() -> str:
    """Return the whole page."""
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


def main(arguments: list[str]) -> int:
    """Write the page, or say whether it is up to date."""
    if "--check" in arguments:
        return int(TARGET.read_text(encoding="utf-8") != reference())
    TARGET.parent.mkdir(exist_ok=True)
    TARGET.write_text(reference(), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
