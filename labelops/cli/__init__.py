"""The command line: one command a stage, thin over `labelops.app`.

Results go to stdout, progress to stderr. Nothing heavy is imported before a command runs.
"""

from __future__ import annotations

from collections.abc import Sequence

import click

from .. import __version__
from .base import Group, global_options, run
from .certificates import certificates
from .checking import check
from .planning import plan
from .reading import READING
from .releases import RELEASES
from .rules import rules
from .stages import STAGES
from .starting import init
from .withdrawing import withdraw

__all__ = ["labelops", "main"]


@click.group(
    cls=Group,
    params=global_options(),
    invoke_without_command=True,
    context_settings={"max_content_width": 100},
    epilog="""\b
Examples:
  labelops init mails.csv --classes billing,delivery,other
  labelops run send
  labelops status

\b
Exit codes:
  0    done
  1    the gate did not pass, or released bytes are not what was released
  2    wrong use: settings, arguments or input
  3    an end (annotation server, labeler, storage) is unavailable
  4    `verify`: every byte is right, but the release is deprecated
  70   a defect of labelops; LABELOPS_DEBUG=1 shows the traceback
  130  stopped with Ctrl-C
  141  nobody reads the output on, as in `labelops log | head`

Results go to stdout, progress to stderr. --config and -q may also stand after the command.""",
)
@click.version_option(__version__, prog_name="labelops", message="%(prog)s %(version)s")
@click.pass_context
def labelops(ctx: click.Context) -> None:
    """Label data with models and people, certify the error, release versioned label sets."""
    if ctx.invoked_subcommand is None:
        click.echo(ctx.get_help())


for _command in (init, check, plan, *STAGES, *READING, certificates, rules, *RELEASES, withdraw):
    labelops.add_command(_command)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code.

    Parameters
    ----------
    argv : sequence of str, optional
        Arguments without the program's name; by default those of the process.

    Examples
    --------
    >>> main(["--version"])
    labelops 0.1.0
    0
    """
    return run(labelops, argv)
