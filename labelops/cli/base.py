"""What every command has in common: the session, options, errors and exit codes."""

from __future__ import annotations

import csv
import errno
import io
import os
import shutil
import sys
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ..errors import GateNotPassed, LabelopsError, UsageError
from .words import json_text, safe

if TYPE_CHECKING:
    from ..app import App

__all__ = [
    "DEPRECATED",
    "Group",
    "Session",
    "command",
    "global_options",
    "listed",
    "refuse_unwritable",
    "run",
    "write_whole",
    "writing",
]

DEPRECATED, DEFECT, PIPE, STOPPED = 4, 70, 141, 130
"""Exit codes beside those of `labelops.errors`: a release that is sound and should not be used, a
defect of labelops (EX_SOFTWARE), and what shells report for SIGPIPE and SIGINT."""


class Session:
    """One run of the command line.

    Attributes
    ----------
    config : str or None
        labelops.toml or its folder; None: the nearest above the current folder.
    as_json, quiet : bool
        How results, and whether progress, are written.
    """

    def __init__(self) -> None:
        self.config: str | None = None
        self.as_json = False
        self.quiet = False

    @cached_property
    def app(self) -> App:
        """The label set; opening it imports what it needs."""
        from ..app import open_app

        return open_app(self.config, tell=self.note)

    def note(self, text: str) -> None:
        """Say on stderr what is being done."""
        if not self.quiet:
            click.echo(safe(text), err=True)

    def begin(self, text: str, *ends: str, to: str = "workspace") -> App:
        """Open the label set and the ends that work needs, and only then say what is being done.

        A workspace that is opened `to_read` is left as it is.
        """
        self.app.check_ends(to, *ends)
        self.note(text)
        return self.app

    def show(self, result: object, text: str) -> None:
        """Write a result on stdout: as JSON if that was asked for, else as the text."""
        click.echo(json_text(result) if self.as_json else text)


def _session(attribute: str) -> Callable[[click.Context, click.Parameter, Any], None]:
    def keep(ctx: click.Context, parameter: click.Parameter, value: Any) -> None:
        if value:
            setattr(ctx.ensure_object(Session), attribute, value)

    return keep


def global_options(*, hidden: bool = False) -> list[click.Parameter]:
    """Return `--config` and `--quiet`, which may stand before and after a command's name."""
    return [
        click.Option(
            ["--config"],
            metavar="PATH",
            expose_value=False,
            hidden=hidden,
            callback=_session("config"),
            help="labelops.toml or its folder; by default the nearest above this folder.",
        ),
        click.Option(
            ["-q", "--quiet"],
            is_flag=True,
            expose_value=False,
            hidden=hidden,
            callback=_session("quiet"),
            help="No progress on stderr.",
        ),
    ]


def _json_option() -> click.Parameter:
    return click.Option(
        ["--json", "as_json"],
        is_flag=True,
        expose_value=False,
        callback=_session("as_json"),
        help="Write the result as JSON.",
    )


def command(
    *examples: str, name: str | None = None
) -> Callable[[Callable[..., object]], click.Command]:
    """Make a command that gets the session, with `--json` and examples below its help."""
    title = "Example" if len(examples) == 1 else "Examples"
    lines = "\n".join(f"  {line}" for line in examples)

    def make(function: Callable[..., object]) -> click.Command:
        epilog = f"\b\n{title}:\n{lines}"
        made = click.command(name, epilog=epilog)(click.pass_obj(function))
        made.params += [_json_option(), *global_options(hidden=True)]
        return made

    return make


def listed(context: click.Context, option: click.Parameter, value: str | None) -> tuple[str, ...]:
    """Read an option of names as a line of CSV: a name with a comma in it stands in quotes."""
    if value is None:
        return ()
    try:
        (names,) = csv.reader([value], skipinitialspace=True, strict=True)
    except (csv.Error, ValueError) as error:
        raise click.BadParameter(f"{safe(value)} is no line of CSV: {error}") from None
    return tuple(name.strip() for name in names) or ("",)


# --- commands of packages above this one -------------------------------------------------

_ENTRY_POINTS = "labelops.commands"
_SAID = {
    "demo": "Show the whole journey with simulated annotators.",
    "serve": "Run the flows on their schedules.",
}


class Group(click.Group):
    """Commands in the order they were added, then those that other packages bring.

    The latter are entry points of the group `labelops.commands`, functions
    `main(argv: list[str]) -> int`. They are listed by name and imported only when run.
    """

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return all names."""
        brought = {p.name for p in metadata.entry_points(group=_ENTRY_POINTS)}
        return [*self.commands, *sorted(brought - set(self.commands))]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Return a command; one brought by another package as a stand-in that imports it."""
        own = super().get_command(ctx, cmd_name)
        if own is not None:
            return own
        found = tuple(metadata.entry_points(group=_ENTRY_POINTS, name=cmd_name))
        return _stand_in(found[0]) if found else None


def _stand_in(point: metadata.EntryPoint) -> click.Command:
    @click.pass_obj
    def call(session: Session, argv: tuple[str, ...]) -> int:
        try:
            main = point.load()
        except ImportError as error:
            raise UsageError(
                f"the command {point.name!r} ({point.value}) cannot be loaded: {error}"
            ) from None
        before = ["--config", session.config] if session.config is not None else []
        return int(main([*before, *argv]) or 0)

    return click.Command(
        point.name,
        callback=call,
        params=[click.Argument(["argv"], nargs=-1, type=click.UNPROCESSED)],
        context_settings={"ignore_unknown_options": True},
        add_help_option=False,
        help=_SAID.get(point.name, f"Brought by {safe(point.value)}."),
    )


# --- running -----------------------------------------------------------------------------


def write_whole(path: Path, write: Callable[[Path], object]) -> None:
    """Write a file in place of an earlier one, which stays as it is where the new one fails.

    What is no ordinary file, such as /dev/stdout, is written to as it is.

    Parameters
    ----------
    path : Path
    write : callable
        Given where to write; its name ends as that of `path` does.

    Raises
    ------
    UsageError
        If it cannot be written, with what to do.
    """
    with writing(path):
        # A pipe has no name of its own, and what the shell opened is not to be replaced.
        if path.absolute().is_relative_to("/dev") or (path.exists() and not path.is_file()):
            write(path)
            return
        target = path.resolve()
        partial = target.with_name(f".partial-{os.getpid()}-{target.name}")
        try:
            write(partial)
            if target.exists():
                shutil.copymode(target, partial)
            partial.replace(target)
        finally:
            partial.unlink(missing_ok=True)


def refuse_unwritable(path: Path) -> None:
    """Refuse, before the work, a file that could not be written after it.

    Raises
    ------
    UsageError
        With what to do.
    """
    if not path.parent.is_dir():
        raise UsageError(f"{path}: cannot be written (no such folder); name another file")
    if not os.access(path if path.exists() else path.parent, os.W_OK):
        raise UsageError(f"{path}: cannot be written (no permission); name another file")


@contextmanager
def writing(path: Path | str) -> Iterator[None]:
    """Say what is wrong when a file named by the user cannot be written."""
    try:
        yield
    except OSError as error:
        remedy = "free some space" if error.errno == errno.ENOSPC else "name another file"
        raise UsageError(
            f"{path}: cannot be written ({error.strerror or error}); {remedy}"
        ) from None


def run(cli: click.Group, argv: Sequence[str] | None = None) -> int:
    """Run a command line and return its exit code; whatever goes wrong is said on stderr."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    try:
        code = _invoke(cli, sys.argv[1:] if argv is None else list(argv))
        sys.stdout.flush()
        return code
    except (KeyboardInterrupt, click.Abort):
        return _say("stopped; what was done is kept, and the same command goes on", STOPPED)
    except BrokenPipeError:
        # Nobody reads on, as in `labelops log | head`; Python must not flush at exit either.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return PIPE
    except click.ClickException as error:
        return _say(f"error: {_usage(error)}", 2)
    except GateNotPassed as error:
        _trace()
        return _say(f"error: {error.problem}", error.exit_code, error.against)
    except LabelopsError as error:
        _trace()
        return _say(f"error: {error}", error.exit_code, getattr(error, "__notes__", ()))
    except Exception as error:  # noqa: BLE001 - the last line of defence: no traceback for users
        _trace()
        return _say(
            f"defect: {type(error).__name__}: {error} — this is a defect of labelops, please "
            "report it; run with LABELOPS_DEBUG=1 for a traceback",
            DEFECT,
        )


def _invoke(cli: click.Group, argv: list[str]) -> int:
    """Call the command; not by `cli.main`, which exits 1 by itself when a pipe is closed."""
    colour = False if os.environ.get("NO_COLOR") else None
    try:
        with cli.make_context("labelops", argv, obj=Session(), color=colour) as context:
            code = cli.invoke(context)
            return code if isinstance(code, int) else 0
    except click.exceptions.Exit as done:
        return done.exit_code


def _usage(error: click.ClickException) -> str:
    message = error.format_message()
    context = getattr(error, "ctx", None)
    return message if context is None else f"{message} See `{context.command_path} --help`."


def _trace() -> None:
    if os.environ.get("LABELOPS_DEBUG"):
        traceback.print_exc()


def _say(text: str, code: int, lines: Sequence[str] = ()) -> int:
    """Write a message on stderr, and what it consists of below it, a line each."""
    click.echo(safe(f"labelops: {text}"), err=True)
    for line in lines:
        click.echo(f"  {safe(line)}", err=True)
    return code
